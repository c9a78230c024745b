package node_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

func TestBuyErrors(t *testing.T) {
	id := transport.NodeIDOf(key(2).PubKey())
	toID := func(n *node.Node, amountSat uint64) error { return n.Buy(id, amountSat) }
	for _, tt := range []struct {
		name   string
		role   node.Role
		plain  bool // the node does not offer Loopback
		peer   func(t *testing.T, n *node.Node)
		amount uint64
		want   error
	}{
		{name: "not connected", role: node.LSP, amount: 100_000, want: node.ErrNotConnected},
		{name: "client", role: node.Client, peer: listing(loopback), amount: 100_000, want: node.ErrUnsupported},
		{name: "client, not connected", role: node.Client, amount: 100_000, want: node.ErrUnsupported},
		{name: "no init yet", role: node.LSP, peer: func(t *testing.T, n *node.Node) {
			read(t, initiate(t, n, dialRaw(t, n), 2))
		}, amount: 100_000, want: peer.ErrNotReady},
		{name: "peer lists nothing", role: node.LSP, peer: listing(), amount: 100_000, want: peer.ErrNoCommonProtocol},
		{name: "peer lists SuperScalar alone", role: node.LSP, peer: listing(wire.Codec{}.SuperScalarID()), amount: 100_000, want: peer.ErrNoCommonProtocol},
		{name: "peer lists another protocol", role: node.LSP, peer: listing(wire.ProtocolID{1}), amount: 100_000, want: peer.ErrNoCommonProtocol},
		{name: "node does not offer Loopback", role: node.LSP, plain: true, peer: listing(loopback), amount: 100_000, want: peer.ErrNoCommonProtocol},
		{name: "0 sat", role: node.LSP, peer: listing(loopback), amount: 0, want: errRefused},
		{name: "1298 sat", role: node.LSP, peer: listing(loopback), amount: 1298, want: errRefused},
		{name: "1299 sat", role: node.LSP, peer: listing(loopback), amount: 1299},
		{name: "2^24-1 sat", role: node.LSP, peer: listing(loopback), amount: 1<<24 - 1},
		{name: "2^24 sat", role: node.LSP, peer: listing(loopback), amount: 1 << 24, want: errRefused},
		{name: "2^64-1 sat", role: node.LSP, peer: listing(loopback), amount: 1<<64 - 1, want: errRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := config(tt.role, 1)
			cfg.Loopback = !tt.plain
			n, _ := start(t, cfg)
			if tt.peer != nil {
				tt.peer(t, n)
			}
			err := toID(n, tt.amount)
			var refusal *channel.Refusal
			switch {
			case tt.want == errRefused:
				if !errors.As(err, &refusal) {
					t.Errorf("error %v, want a *channel.Refusal", err)
				}
			case !errors.Is(err, tt.want):
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}

// errRefused stands for any *channel.Refusal.
var errRefused = errors.New("refused")

func listing(protocols ...wire.ProtocolID) func(*testing.T, *node.Node) {
	return func(t *testing.T, n *node.Node) { ready(t, n, 2, protocols...) }
}

// A sale that ends the connection is no sale. (The message here is one that
// does not encode, which a node in use has none of.)
func TestBuyOnAConnectionThatEnds(t *testing.T) {
	cfg := config(node.LSP, 1)
	cfg.Tamper = func() peer.Tamper {
		return peer.Tamper{Out: func(m wire.Message) []wire.Message {
			if open, ok := m.(*wire.OpenChannel); ok {
				open.UpfrontShutdown = make([]byte, wire.MaxMessage)
			}
			return []wire.Message{m}
		}}
	}
	n, _ := start(t, cfg)
	c := ready(t, n, 2, loopback)
	if err := n.Buy(c.LocalID(), 100_000); !errors.Is(err, node.ErrNotConnected) {
		t.Errorf("buy: %v, want ErrNotConnected", err)
	}
	if came, err := ended(t, c); len(came) > 0 {
		t.Errorf("%d messages, then %v", len(came), err)
	}
	until(t, "the peer is gone", func() bool { return len(n.Peers()) == 0 })
}

// No point, temporary id or instance is ever used twice, whether the node
// proposes a channel or accepts one, on one connection or another.
func TestKeysNeverRepeat(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	seen := map[string]bool{}
	once := func(what string, b []byte) {
		t.Helper()
		if seen[string(b)] {
			t.Fatalf("%s %x comes twice", what, b)
		}
		seen[string(b)] = true
	}
	keys := func(k wire.ChannelKeys) {
		t.Helper()
		for _, p := range []wire.Point{k.Funding, k.Revocation, k.Payment, k.DelayedPayment, k.HTLC, k.FirstPerCommitment} {
			if _, err := btcec.ParsePubKey(p[:]); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
			once("key", p[:])
		}
	}
	for seed := byte(2); seed < 4; seed++ {
		c := ready(t, n, seed, loopback)
		for range 5 {
			if err := n.Buy(c.LocalID(), 100_000); err != nil {
				t.Fatal(err)
			}
			open, ok := read(t, c).(*wire.OpenChannel)
			if !ok {
				t.Fatal("no open_channel")
			}
			once("temporary id", open.TemporaryChannelID[:])
			once("instance", open.ChannelInFactory.InstanceID[:])
			keys(open.Keys)
			// What comes from the node does for the other direction, too.
			open.TemporaryChannelID[0] ^= 1
			open.ChannelInFactory.InstanceID[0] |= 1
			send(t, c, open)
			accept, ok := read(t, c).(*wire.AcceptChannel)
			if !ok {
				t.Fatal("no accept_channel")
			}
			keys(accept.Keys)
		}
	}
}

var errBroken = errors.New("the random source is broken")

// source is a random source that can be told to fail.
type source struct {
	mu    sync.Mutex
	rand  io.Reader
	reads int // counted down; at 0 a read fails
	fails int // how many fail then
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads > 0 {
		s.reads--
	} else if s.fails > 0 {
		s.fails--
		return 0, errBroken
	}
	return s.rand.Read(p)
}

// breaks makes the source give reads more answers, then fail the given times.
func (s *source) breaks(reads, fails int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads, s.fails = reads, fails
}

// When the random source fails, at whichever draw, no channel is proposed or
// accepted, nothing is sent but an error, and the connection goes on.
func TestRandomSourceFails(t *testing.T) {
	rnd := &source{rand: rand.NewChaCha8([32]byte{1})}
	cfg := config(node.LSP, 1)
	cfg.Rand = rnd
	n, _ := start(t, cfg)
	c := ready(t, n, 2, loopback)
	for draw := range 3 { // instance, temporary id, keys
		rnd.breaks(draw, 1)
		if err := n.Buy(c.LocalID(), 100_000); !errors.Is(err, errBroken) {
			t.Errorf("draw %d fails: buy: %v", draw, err)
		}
		rnd.breaks(0, 0)
		fence(t, c) // nothing came
	}
	buysAndAccepts(t, n, c, func() { rnd.breaks(0, 1) })
}

// The same when keys cannot be derived.
func TestDerivationFails(t *testing.T) {
	var mu sync.Mutex
	labels := map[string]bool{}
	left := 1 << 30 // derivations that work
	cfg := config(node.LSP, 1)
	cfg.Derive = func(label string) (*btcec.PrivateKey, error) {
		mu.Lock()
		defer mu.Unlock()
		if left--; left < 0 {
			return nil, errBroken
		}
		if labels[label] {
			t.Errorf("label %q is used twice", label)
		}
		labels[label] = true
		h := sha256.Sum256([]byte(label))
		k, _ := btcec.PrivKeyFromBytes(h[:])
		return k, nil
	}
	works := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		left = n
	}
	n, _ := start(t, cfg)
	c := ready(t, n, 2, loopback)
	for n2 := range 6 {
		works(n2)
		if err := n.Buy(c.LocalID(), 100_000); !errors.Is(err, errBroken) {
			t.Errorf("derivation %d fails: buy: %v", n2, err)
		}
		fence(t, c)
	}
	works(1 << 30)
	buysAndAccepts(t, n, c, func() { works(0) })
	works(1 << 30)
}

// buysAndAccepts checks that a sale works, then breaks the node, and checks
// that an open_channel is refused with its id, for no reason that concerns the
// peer, and that the connection goes on.
func buysAndAccepts(t *testing.T, n *node.Node, c *transport.Conn, breaks func()) {
	t.Helper()
	if err := n.Buy(c.LocalID(), 100_000); err != nil {
		t.Fatal(err)
	}
	open, ok := read(t, c).(*wire.OpenChannel)
	if !ok {
		t.Fatal("no open_channel")
	}
	open.TemporaryChannelID = [32]byte{1}
	breaks()
	send(t, c, open)
	m, ok := read(t, c).(*wire.ErrorMessage)
	if !ok || m.ChannelID != open.TemporaryChannelID || string(m.Data) != "internal error: no keys for a channel" {
		t.Fatalf("answered %+v", m)
	}
	fence(t, c)
}
