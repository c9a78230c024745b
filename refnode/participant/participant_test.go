package participant_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/control"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/peer"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// socket is a side with a base node that listens.
type socket struct {
	*side
	node *node.Node
	// hears looks at what comes in; false ends the connection. Nil: nobody does.
	hears func(raw []byte) bool
}

func newSocket(t *testing.T, r node.Role, c *embedded.Chain) *socket {
	t.Helper()
	s := &socket{side: newSide(t, r, c)}
	s.listen()
	t.Cleanup(func() { _ = s.node.Close() })
	return s
}

func (s *socket) listen() {
	s.t.Helper()
	key, err := s.derive("node", 0)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := node.Config{Role: s.role, Key: key, Listen: "127.0.0.1:0", Ceremonies: s.Ceremonies()}
	if s.channels {
		cfg.Channels = s.Hub()
		cfg.Rand = &lockedRand{r: rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "node %s%s/%d", s.role, s.name, s.opens)))}
		cfg.Derive = func(label string) (*btcec.PrivateKey, error) { return s.derive(label, 0) }
	}
	if s.hears != nil {
		cfg.Tamper = func() peer.Tamper { return peer.Tamper{In: s.hears} }
	}
	s.node, err = node.Start(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.AttachOpener(s.node.OpenInFactory)
	s.Attach(func(peer wire.Point) { s.node.Wake(transport.NodeID(peer)) })
}

// restart ends the process, as far as there is one, and starts it again; between
// happens while it is down.
func (s *socket) restart(between func()) {
	s.t.Helper()
	if err := errors.Join(s.node.Close(), s.Close()); err != nil {
		s.t.Fatal(err)
	}
	if between != nil {
		between()
	}
	s.open()
	s.listen()
}

func (s *socket) connect(to *socket) {
	s.t.Helper()
	if err := s.node.Connect(s.t.Context(), to.node.Address()); err != nil {
		s.t.Fatal(err)
	}
}

// pair is a chain with an LSP that has coins, and a client.
func pair(t *testing.T) (c *embedded.Chain, lsp, alice *socket) {
	t.Helper()
	c, err := embedded.New(embedded.Config{Seed: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Mine(120); err != nil {
		t.Fatal(err)
	}
	lsp, alice = newSocket(t, node.LSP, c), newSocket(t, node.Client, c)
	lsp.coins(c, 3_000_000, 3)
	return c, lsp, alice
}

func (s *socket) order() control.Order {
	return control.Order{Clients: []transport.NodeID{transport.NodeID(s.id)}, CapacitySat: 100_000, StockSat: 50_000}
}

// has wants one factory in a state, with a capacity in sat.
func has(state string, capacity uint64) func(control.Standing) bool {
	return func(s control.Standing) bool {
		return len(s.Factories) == 1 && s.Factories[0].State == state && s.Factories[0].CapacitySat == capacity
	}
}

// A factory in its life, over sockets: ordered, funded, sold from, through a restart
// of either side; each order that cannot be obeyed says why.
func TestAFactoryOverSockets(t *testing.T) {
	c, lsp, alice := pair(t)
	if _, err := lsp.Found(alice.order()); !errors.Is(err, node.ErrNotConnected) {
		t.Errorf("a client that is away: %v", err)
	}
	if _, err := alice.Found(alice.order()); !errors.Is(err, node.ErrUnsupported) {
		t.Errorf("a client that creates: %v", err)
	}
	if _, err := alice.Sell(control.Sale{Peer: transport.NodeID(lsp.id)}); !errors.Is(err, node.ErrUnsupported) {
		t.Errorf("a client that sells: %v", err)
	}
	sale := control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 10_000}
	if _, err := lsp.Sell(sale); !errors.Is(err, participant.ErrNoFactory) {
		t.Errorf("a sale without a factory: %v", err)
	}
	alice.connect(lsp)
	id, err := lsp.Found(alice.order())
	if err != nil {
		t.Fatal(err)
	}
	building := alice.until("waiting for its block", has(control.StateBuilding, 100_000)).Factories[0]
	if building.FactoryID != id.String() || building.LSP != lsp.id.String() || building.ClientIndex == nil || *building.ClientIndex != 0 || building.Confirmations != 0 {
		t.Errorf("the client says %+v", building)
	}
	lsp.until("funding it", has(control.StateBuilding, 100_000))
	if _, err := lsp.Sell(sale); !errors.Is(err, role.ErrNotUsable) {
		t.Errorf("a sale before the factory is funded: %v", err)
	}
	if _, err := c.Mine(1); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*socket{lsp, alice} {
		s.until("usable", has(control.StateActive, 100_000))
	}
	for i, restart := range []*socket{nil, alice, lsp} {
		if restart != nil {
			restart.restart(nil)
			alice.connect(lsp)
		}
		if _, err := lsp.Sell(sale); err != nil {
			t.Fatalf("sale %d: %v", i, err)
		}
		for _, s := range []*socket{lsp, alice} {
			s.until("sold", has(control.StateActive, 100_000+10_000*uint64(i+1)))
		}
		lsp.until("done with it", func(s control.Standing) bool { return s.Factories[0].Interrupted == "" && done(s) })
	}
	sale.Factory = &wire.CeremonyID{9}
	if _, err := lsp.Sell(sale); !errors.Is(err, participant.ErrNoFactory) {
		t.Errorf("a sale in another factory: %v", err)
	}
	if _, err := lsp.Found(alice.order()); err != nil {
		t.Fatal(err)
	}
	lsp.until("two", func(s control.Standing) bool { return len(s.Factories) == 2 })
	sale.Factory = nil
	if _, err := lsp.Sell(sale); !errors.Is(err, participant.ErrWhichFactory) {
		t.Errorf("a sale in one of two: %v", err)
	}
}

// done reports whether the last that was heard of ceremonies is their end.
func done(s control.Standing) bool {
	last := s.Ceremonies[len(s.Ceremonies)-1]
	return last.Event == "changed"
}

// A record that cannot be read shows in the status and in what is told, and the
// client goes on with a new factory.
func TestADamagedFactoryShows(t *testing.T) {
	c, lsp, alice := pair(t)
	alice.connect(lsp)
	id, err := lsp.Found(alice.order())
	if err != nil {
		t.Fatal(err)
	}
	alice.until("stored", has(control.StateBuilding, 100_000))
	lsp.until("funded", has(control.StateBuilding, 100_000))
	alice.restart(func() {
		s, err := store.Open(alice.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.PutFactory([32]byte(id), "creation", []byte("hello\n\x1b[1mthere")), s.Close()); err != nil {
			t.Fatal(err)
		}
	})
	now := alice.until("damaged", has(control.StateDamaged, 0))
	if f := now.Factories[0]; f.FactoryID != id.String() || f.Detail == "" || strings.ContainsAny(f.Detail, "\n\x1b") || alice.line("set aside") < 0 {
		t.Errorf("it says %+v, told %q", f, alice.told)
	}
	if _, err := c.Mine(1); err != nil {
		t.Fatal(err)
	}
	alice.connect(lsp)
	if _, err := lsp.Found(alice.order()); err != nil {
		t.Fatal(err)
	}
	alice.until("in another factory", func(s control.Standing) bool { return len(s.Factories) == 2 })
}

// A funding transaction that the chain did not take in time is taken back, and
// both sides forget the factory, by themselves.
func TestAFactoryThatIsNotFunded(t *testing.T) {
	c, lsp, alice := pair(t)
	alice.connect(lsp)
	if _, err := lsp.Found(alice.order()); err != nil {
		t.Fatal(err)
	}
	alice.until("stored", has(control.StateBuilding, 100_000))
	lsp.until("funded", has(control.StateBuilding, 100_000))
	reserved := lsp.until("reserving", func(s control.Standing) bool { return s.Wallet.ReservedSat > 0 }).Wallet
	for range 144 {
		if _, err := c.MineWith(); err != nil {
			t.Fatal(err)
		}
	}
	lsp.until("too late", has(control.StateClosed, 100_000))
	// The other spend takes the place of the funding transaction in the mempool.
	for end := time.Now().Add(30 * time.Second); lsp.until("looking", func(control.Standing) bool { return true }).Wallet.ReservedSat != 0; {
		if _, err := c.Mine(1); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("the coins are never free again: %q", lsp.told)
		}
	}
	for range 110 {
		if _, err := c.MineWith(); err != nil {
			t.Fatal(err)
		}
	}
	free := lsp.until("forgotten", func(s control.Standing) bool { return len(s.Factories) == 0 })
	alice.until("forgotten", func(s control.Standing) bool { return len(s.Factories) == 0 })
	if free.Wallet.AvailableSat+20_000 < reserved.ConfirmedSat {
		t.Errorf("the wallet had %+v, has %+v", reserved, free.Wallet)
	}
}
