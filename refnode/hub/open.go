package hub

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// NewKeys implements peer.Channels: it draws a salt and returns the points of a new channel.
func (h *Hub) NewKeys(peer wire.Point, open *wire.OpenChannel) (salt [32]byte, keys wire.ChannelKeys, err error) {
	if salt, err = h.newSalt(peer, open); err != nil {
		return salt, wire.ChannelKeys{}, err
	}
	secrets, err := h.keys(peer, salt, open)
	if err != nil {
		return salt, wire.ChannelKeys{}, err
	}
	return salt, Points(secrets), nil
}

// newSalt draws the salt of a channel. That of a channel whose funding key a
// ceremony has fixed follows from this key: should the channel be opened a second
// time on its output, the commitments of the first one pay the same keys.
func (h *Hub) newSalt(peer wire.Point, open *wire.OpenChannel) (salt [32]byte, err error) {
	if f := h.factory(open); f != nil {
		first, err := f.FundingKey(peer, open)
		if err != nil {
			return salt, err
		}
		if first != nil {
			secret := first.Serialize()
			return sha256.Sum256(append([]byte("salt of a channel"), secret...)), nil
		}
	}
	if _, err := io.ReadFull(h.cfg.Rand, salt[:]); err != nil {
		return salt, fmt.Errorf("drawing the salt of a channel: %w", err)
	}
	return salt, nil
}

func (h *Hub) keys(peer wire.Point, salt Salt, open *wire.OpenChannel) (channel.Keys, error) {
	var first *btcec.PrivateKey
	if f := h.factory(open); f != nil {
		var err error
		if first, err = f.FundingKey(peer, open); err != nil {
			return channel.Keys{}, err
		}
	}
	return Keys(h.cfg.Derive, salt, first)
}

// machineConfig is that of a stored channel.
func (h *Hub) machineConfig(c *entry, state []byte) (channel.Config, error) {
	s, err := channel.DecodeState(state)
	if err != nil {
		return channel.Config{}, fmt.Errorf("channel %s: %w", c.salt, err)
	}
	return h.configOf(c, s.Open, nil)
}

func (h *Hub) configOf(c *entry, open *wire.OpenChannel, negotiated wire.Features) (channel.Config, error) {
	keys, err := h.keys(c.peer, c.salt, open)
	return channel.Config{Keys: keys, Limits: h.cfg.Limits, Features: negotiated, Script: h.cfg.Script, Alias: uint64(c.salt.alias()), Rules: h.cfg.Rules}, err
}

// Opened implements peer.Channels: it takes over a channel after accept_channel.
func (h *Hub) Opened(from wire.Point, o peer.Opening) error {
	var failed error
	err := h.do(func(st *step) {
		if _, online := h.online[from]; !online {
			failed = ErrNotConnected
			return
		}
		c := &entry{salt: o.Salt, peer: from}
		cfg, err := h.configOf(c, o.Open, h.online[from])
		if err != nil {
			failed = err
			return
		}
		makeMachine := channel.NewAccepter
		if o.Ours {
			makeMachine = channel.NewOpener
		}
		if c.machine, err = makeMachine(cfg, o.Open, o.Accept); err != nil {
			failed = err
			return
		}
		h.setUse(c)
		c.machine.Block(channel.Height(h.height))
		h.opened++
		c.opened = h.opened
		at, _ := slices.BinarySearchFunc(h.channels, c, func(a, b *entry) int { return bytes.Compare(a.salt[:], b.salt[:]) })
		h.channels = slices.Insert(h.channels, at, c)
		st.touch(c)
		if o.Ours {
			st.name(c)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// name gives a channel that we opened its outpoint: the factory's, or that of a
// transaction that the wallet makes meanwhile.
func (st *step) name(c *entry) {
	h := st.hub
	if c.machine.Open.ChannelInFactory == nil {
		out := fundingOutput(c.machine)
		st.leaves = append(st.leaves, func() { go h.fund(c, out) })
		return
	}
	f := h.factory(c.machine.Open)
	if f == nil {
		return // it waits for ever, and ends with the connection
	}
	if a, ok := f.(Agreer); ok {
		if err := a.CheckAccept(c.peer, c.machine.Open, c.machine.Accept); err != nil {
			c.machine.ForceClose(err.Error())
			return
		}
	}
	txid, index, err := f.Outpoint(c.peer, c.machine.Open)
	if err != nil {
		c.machine.ForceClose(err.Error())
		return
	}
	if h.cfg.Rules.On(rule.PCF046) && st.taken(c, channel.ChannelIDOf(txid, index)) {
		c.machine.ForceClose(outpointTaken)
		return
	}
	_ = c.machine.Outpoint(txid, index) // it was made a moment ago
}

// fundingOutput is the output that a channel outside a factory is funded with.
func fundingOutput(m *channel.Machine) *btcwire.TxOut {
	f := commitment.Funding{Value: commitment.Sat(m.Open.FundingSat)}
	for side, raw := range [2]wire.Point{m.Open.Keys.Funding, m.Accept.Keys.Funding} {
		f.Keys[side], _ = commitment.ParseKey(raw) // the machine has parsed them
	}
	return f.Output()
}

// fund makes the funding transaction of a channel outside a factory. It is
// broadcast when both commitments are signed, not before.
func (h *Hub) fund(c *entry, out *btcwire.TxOut) {
	id := coinsFor(c.salt)
	tx, index, err := h.cfg.Wallet.Fund(id, out)
	h.post(func(st *step) {
		if !slices.Contains(h.channels, c) {
			if err == nil {
				h.cfg.Wallet.Release(id)
			}
			return
		}
		st.touch(c)
		if err != nil {
			c.machine.ForceClose("no coins to fund it: " + err.Error())
			return
		}
		c.funding = serialize(tx)
		if err := c.machine.Outpoint(wire.Txid(tx.TxHash()), uint16(index)); err != nil {
			h.cfg.Wallet.Release(id)
		}
	})
}

// Wallet pays for channels outside factories.
type Wallet interface {
	// Fund makes and signs a transaction with the output, and returns the
	// output's index. Its coins are reserved for id.
	Fund(id string, out *btcwire.TxOut) (*btcwire.MsgTx, uint32, error)
	// Release gives the coins of id back.
	Release(id string)
}

func serialize(tx *btcwire.MsgTx) []byte {
	var b bytes.Buffer
	_ = tx.Serialize(&b) // a buffer does not fail
	return b.Bytes()
}

func parse(raw []byte) (*btcwire.MsgTx, error) {
	tx := &btcwire.MsgTx{}
	return tx, tx.Deserialize(bytes.NewReader(raw))
}

// fundAgain broadcasts a funding transaction of ours that is in no block yet:
// the process may have died before it did.
func (st *step) fundAgain(c *entry) {
	if len(c.funding) == 0 || c.confirmed != 0 || !c.machine.GotSigned || c.machine.Forgotten {
		return
	}
	if tx, err := parse(c.funding); err == nil {
		st.broadcast(tx, "funding")
	}
}

// checkOutpoint says what is wrong with an outpoint of the peer.
func (st *step) checkOutpoint(c *entry, a channel.AskOutpoint) string {
	h := st.hub
	taken := func() bool { return h.cfg.Rules.On(rule.PCF046) && st.taken(c, channel.ChannelIDOf(a.Txid, a.Index)) }
	if c.machine.Open.ChannelInFactory == nil {
		if taken() {
			return outpointTaken
		}
		return st.makeRoom(c)
	}
	f := h.factory(c.machine.Open)
	if f == nil {
		return "this node is in no factory"
	}
	if err := f.CheckOutpoint(c.peer, c.machine.Open, a.Txid, a.Index); err != nil {
		return err.Error()
	}
	if taken() {
		return outpointTaken
	}
	if _, ok := f.(Answerer); ok {
		return "" // it keeps nothing: its outputs are nowhere
	}
	if err := st.signsFirst(c, a); err != nil && h.cfg.Rules.On(rule.CHAN035) {
		return err.Error()
	}
	return ""
}

const outpointTaken = "another channel has this funding outpoint" // PCF-046

// taken reports whether another channel has the outpoint that gives a channel its id.
// The output of a factory's channel is not taken by one outside, which whoever knows
// the tree can name before: that one goes, once c's factory has confirmed the output.
func (st *step) taken(c *entry, id wire.ChannelID) bool {
	for _, other := range slices.Clone(st.hub.channels) {
		m := other.machine
		if other == c || m.ID != id || m.Forgotten {
			continue
		}
		named := m.Open.ChannelInFactory == nil && m.Side == commitment.Accepter && m.Confirmed == wire.Txid{}
		if c.machine.Open.ChannelInFactory == nil || !named {
			return true
		}
		m.Unpaid()
		st.touch(other)
	}
	return false
}

// wasted reports whether the coins of a funding transaction are reserved for nothing:
// the peer never signed, so it was never broadcast.
func (c *entry) wasted() bool {
	return len(c.funding) > 0 && c.machine.Forgotten && !c.machine.GotSigned
}

// coinsFor is the name of the reservation of the coins that fund a channel.
func coinsFor(salt Salt) string { return coinsPrefix + salt.String() }

const coinsPrefix = "channel/"

// freeCoins gives back what is reserved for channels that are not there: the process
// died while they were opened.
func (h *Hub) freeCoins() {
	if h.cfg.Coins == nil || h.cfg.Wallet == nil {
		return
	}
	for _, id := range h.cfg.Coins.Reservations() {
		salt, ours := strings.CutPrefix(id, coinsPrefix)
		if ours && !slices.ContainsFunc(h.channels, func(c *entry) bool { return c.salt.String() == salt }) {
			h.cfg.Wallet.Release(id)
		}
	}
}

// txidOf is for the chain, which wants its own type.
func txidOf(t wire.Txid) chainhash.Hash { return chainhash.Hash(t) }
