package node

import (
	"fmt"
	"io"

	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Buy moves amountSat sat of liquidity: an LSP opens a channel inside a
// factory to the peer. A client's request to its LSP arrives with section 9 of
// SPEC.md; until then it is ErrUnsupported.
func (n *Node) Buy(id transport.NodeID, amountSat uint64) error {
	if n.cfg.Role != LSP {
		return fmt.Errorf("a client buying liquidity: %w", ErrUnsupported)
	}
	n.mu.Lock()
	c := n.conns[id]
	n.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%s: %w", id, ErrNotConnected)
	}
	return c.order(func(m *peer.Machine) ([]peer.Action, error) { return m.Sell(amountSat) })
}

// OpenOutside opens a channel outside a factory with a connected peer: amountSat
// sat, of which pushMsat msat are the peer's from the start.
func (n *Node) OpenOutside(id transport.NodeID, amountSat, pushMsat uint64) error {
	if !n.cfg.Outside || n.cfg.Channels == nil {
		return fmt.Errorf("a channel outside a factory: %w", ErrUnsupported)
	}
	n.mu.Lock()
	c := n.conns[id]
	n.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%s: %w", id, ErrNotConnected)
	}
	return c.order(func(m *peer.Machine) ([]peer.Action, error) { return m.OpenOutside(amountSat, pushMsat) })
}

// OpenInFactory opens a channel on an output that a ceremony makes, once what
// plugins have to say to the peer has left.
func (n *Node) OpenInFactory(id transport.NodeID, o peer.InFactory) error {
	if n.cfg.Channels == nil {
		return fmt.Errorf("a channel inside a factory: %w", ErrUnsupported)
	}
	n.mu.Lock()
	c := n.conns[id]
	n.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%s: %w", id, ErrNotConnected)
	}
	return c.order(func(m *peer.Machine) ([]peer.Action, error) { return m.OpenInFactory(o) })
}

// channelKeys derives the keys of one channel from a fresh salt.
func (n *Node) channelKeys() (keys wire.ChannelKeys, err error) {
	salt, err := n.random()
	if err != nil {
		return keys, err
	}
	for _, k := range []struct {
		name string
		into *wire.Point
	}{
		{"funding", &keys.Funding},
		{"revocation", &keys.Revocation},
		{"payment", &keys.Payment},
		{"delayed-payment", &keys.DelayedPayment},
		{"htlc", &keys.HTLC},
		{"per-commitment/0", &keys.FirstPerCommitment},
	} {
		key, err := n.cfg.Derive(fmt.Sprintf("channel/%x/%s", salt, k.name))
		if err != nil {
			return keys, err
		}
		copy(k.into[:], key.PubKey().SerializeCompressed())
	}
	return keys, nil
}

func (n *Node) temporaryID() (wire.ChannelID, error) { return n.random() }

// randomReader gives plugins the node's random source, 32 bytes at a time.
func (n *Node) randomReader() io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		b, err := n.random()
		if err != nil {
			return 0, err // io.ReadFull would forget an error beside 32 bytes
		}
		return copy(p, b[:]), nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// random draws 32 bytes; connections share the source.
func (n *Node) random() (out [32]byte, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err = io.ReadFull(n.cfg.Rand, out[:])
	return out, err
}
