package participant_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"superscalar/refnode/ceremony"
	channels "superscalar/refnode/channel"
	"superscalar/refnode/control"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/participant"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// foundLeaf creates a factory whose clients share dw leaves.
func (w *town) foundLeaf(shape string) {
	w.t.Helper()
	s, err := factory.ParseShape(shape)
	if err != nil {
		w.t.Fatal(err)
	}
	order := control.Order{CapacitySat: 200_000, StockSat: 50_000, Shape: s}
	for _, c := range w.clients {
		order.Clients = append(order.Clients, transport.NodeID(c.id))
	}
	if _, err := w.lsp.Found(order); err != nil {
		w.t.Fatal(err)
	}
	for _, s := range w.all() {
		s.until("funded", func(now control.Standing) bool { return len(now.Factories) == 1 })
	}
	w.mine(1)
	w.ready(1)
}

// buy sells liquidity to a client by an update, and waits until every channel is on
// its new output alone.
func (w *town) buy(c *socket, sat uint64) {
	w.t.Helper()
	w.order(control.Sale{Peer: transport.NodeID(c.id), AmountSat: sat}, w.clients...)
}

// order gives an order that takes an update, and waits until the channels of the
// clients below the state are on their new outputs alone.
func (w *town) order(sale control.Sale, below ...*socket) {
	w.t.Helper()
	before := map[string]bool{}
	for _, s := range w.lsp.Hub().Channels() {
		before[s.Txid.String()] = true
	}
	w.lsp.eventually("it sells", func() bool {
		_, err := w.lsp.Sell(sale)
		return err == nil
	})
	for _, s := range append([]*socket{w.lsp}, below...) {
		s.eventually("its channels have moved", func() bool {
			for _, ch := range s.Hub().Channels() {
				concerned := s != w.lsp || slices.ContainsFunc(below, func(c *socket) bool { return c.id == ch.Peer })
				if concerned && (before[ch.Txid.String()] || !ch.Alone) {
					return false
				}
			}
			return true
		})
	}
	w.ready(1)
}

// An update in a dw leaf moves both channels of the leaf: the buyer's grows, and both
// carry payments before, after, and after everybody was restarted; the last output is
// the one that an exit gets onto the chain.
func TestAnUpdateMovesChannels(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.clients[0], w.clients[1]
	bob.coins(w.chain, 100_000, 4)
	w.foundLeaf("kickoff 1 / dw 2")
	w.lsp.pay(alice, 15_000_000)
	w.lsp.pay(bob, 40_000_000)
	w.buy(alice, 20_000)
	w.capacity(alice, 220_000)
	w.capacity(bob, 200_000)
	alice.local(15_000_000)
	alice.pay(bob, 5_000_000)
	bob.local(45_000_000)
	for _, s := range w.all() {
		s.restart(nil)
	}
	w.connect()
	w.ready(1)
	w.lsp.pay(alice, 3_000_000)
	w.buy(bob, 30_000)
	w.capacity(bob, 230_000)
	bob.pay(alice, 1_000_000)
	alice.local(14_000_000 - 1_500) // less the LSP's fee
	bob.local(45_000_000 - 1_001_100)
	channel := bob.Hub().Channels()[0]
	if _, err := bob.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	if paid := w.commitment(channel); !paid[43_998] {
		t.Errorf("what spends the channel's output pays %v, not 43,998 sat", paid)
	}
}

// Stock of one leaf grows a channel in another by an update of the state above both:
// every channel below it moves and keeps its balance, none gets smaller, what the
// buyer gets is what that stock loses, and who leaves gets the newest state onto the
// chain (CHG-015).
func TestLiquidityMovesBetweenLeaves(t *testing.T) {
	for _, shape := range []string{"kickoff 1 / state 2 / kickoff 1 / dw 2", "kickoff 1 / state 2 / kickoff 1 / ps 2"} {
		t.Run(shape, func(t *testing.T) { movesBetweenLeaves(t, shape) })
	}
}

func movesBetweenLeaves(t *testing.T, shape string) {
	w := newTown(t, 4)
	alice, carol := w.clients[0], w.clients[2]
	alice.coins(w.chain, 100_000, 6)
	w.foundLeaf(shape)
	for i, c := range w.clients {
		w.lsp.pay(c, uint64(i+1)*4_000_000)
	}
	from := transport.NodeID(carol.id)
	much := control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 100_001, From: &from}
	if _, err := w.lsp.Sell(much); !errors.Is(err, ceremony.ErrSoldOut) {
		t.Errorf("more than the other leaf's stock: %v", err)
	}
	stranger := transport.NodeID(w.lsp.id)
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 1, From: &stranger}); !errors.Is(err, participant.ErrNoFactory) {
		t.Errorf("from somebody who is no client: %v", err)
	}
	w.order(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 60_000, From: &from}, w.clients...)
	for i, c := range w.clients {
		want := uint64(200_000)
		if c == alice {
			want = 260_000
		}
		w.capacity(c, want)
		c.local(uint64(i+1) * 4_000_000)
	}
	now, err := w.lsp.Standing(t.Context())
	if err != nil || *now.Factories[0].StockSat != 140_000 || now.Factories[0].CapacitySat != 860_000 {
		t.Errorf("the LSP has %+v left: %v", now.Factories, err)
	}
	w.order(control.Sale{Peer: transport.NodeID(carol.id), AmountSat: 40_000, From: &from}, w.clients[2:]...) // the rest, of its own leaf
	w.capacity(carol, 240_000)
	w.lsp.pay(alice, 3_000_000)
	alice.local(7_000_000)
	channel := alice.Hub().Channels()[0]
	if _, err := alice.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	if paid := w.commitment(channel); !paid[7_000] {
		t.Errorf("what spends the channel's output pays %v, not 7,000 sat", paid)
	}
}

// A chain of sales is cut through: the channels of a client become one of all that they
// had, on both sides, before and after everybody was restarted; who leaves gets the newest
// state onto the chain (CHG-017 to CHG-022).
func TestAChainOfSalesIsCutThrough(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.clients[0], w.clients[1]
	alice.coins(w.chain, 100_000, 6)
	w.foundLeaf("kickoff 1 / ps 2")
	for n := range 2 {
		if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 20_000}); err != nil {
			t.Fatal(err)
		}
		alice.eventually("another channel", func() bool { return alice.up() == n+2 })
		w.lsp.eventually("another channel", func() bool { return w.lsp.up() == n+3 })
	}
	w.lsp.pay(alice, 190_000_000)
	w.lsp.pay(alice, 12_000_000) // in one of the channels of the sales
	from := transport.NodeID(alice.id)
	w.lsp.eventually("it cuts through", func() bool {
		_, err := w.lsp.Sell(control.Sale{Peer: from, AmountSat: 10_000, From: &from})
		return err == nil
	})
	one := func() {
		for _, s := range []*socket{w.lsp, alice} {
			s.eventually("one channel", func() bool {
				open := 0
				for _, ch := range s.Hub().Channels() {
					if ch.Peer != bob.id && !ch.Closed {
						if open++; ch.Link.Capacity != 250_000 || !ch.Alone || !ch.Link.Up {
							return false
						}
					}
				}
				return open == 1
			})
		}
		bob.eventually("its channel", func() bool { return bob.up() == 1 })
		w.lsp.eventually("both channels", func() bool { return w.lsp.up() == 2 })
	}
	one()
	alice.pay(bob, 15_000_000)
	for _, s := range w.all() {
		s.restart(nil)
	}
	w.connect()
	one()
	w.lsp.pay(alice, 20_000_000)
	var channel hub.Status
	alice.eventually("what she was paid", func() bool {
		for _, ch := range alice.Hub().Channels() {
			if !ch.Closed {
				channel = ch
			}
		}
		return channel.Local > 206_900_000 && channel.Local < 207_000_000 // less the LSP's fee
	})
	has := int64(channel.Local / 1000)
	if _, err := alice.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	if paid := w.commitment(channel); !paid[has] {
		t.Errorf("what spends the channel's output pays %v, not %d sat", paid, has)
	}
}

func (w *town) capacity(c *socket, sat uint64) {
	w.t.Helper()
	got := c.Channels()
	if len(got) != 1 || got[0].CapacitySat != sat {
		w.t.Errorf("client %s has %+v, not one channel of %d sat", c.name, got, sat)
	}
	for _, s := range w.lsp.Hub().Channels() {
		if s.Peer == c.id && uint64(s.Link.Capacity) != sat {
			w.t.Errorf("the LSP has a channel of %d sat with client %s, not %d", s.Link.Capacity, c.name, sat)
		}
	}
}

// cutOn makes the LSP lose the first message of its kind, and the connection with it.
func (w *town) cutOn(which func(raw []byte) bool) (lost <-chan struct{}) {
	done := make(chan struct{})
	var once sync.Once
	w.lsp.hears = func(raw []byte) bool {
		pass := true
		if which(raw) {
			once.Do(func() { pass = false; close(done) })
		}
		return pass
	}
	w.lsp.restart(nil)
	w.connect()
	w.ready(1)
	return done
}

// signedPhase reports whether a message is the partial signatures of a phase.
func signedPhase(phase uint8) func(raw []byte) bool {
	return func(raw []byte) bool {
		m, err := wire.Codec{}.Decode(raw)
		p, piggyback := m.(*wire.Piggyback)
		if err != nil || !piggyback {
			return false
		}
		c, err := wire.Codec{}.DecodeCeremony(p.Payload)
		partials, ok := c.(*wire.Partials)
		return err == nil && ok && partials.Phase == phase
	}
}

// The connection ends with the new state half signed: both channels wait for it,
// and when the client is back the update goes on by itself (CHG-010).
func TestAnUpdateThatWasHalfSigned(t *testing.T) {
	w := newTown(t, 2)
	w.foundLeaf("kickoff 1 / dw 2")
	alice, bob := w.clients[0], w.clients[1]
	w.lsp.pay(alice, 15_000_000)
	lost := w.cutOn(signedPhase(1))
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(bob.id), AmountSat: 20_000}); err != nil {
		t.Fatal(err)
	}
	<-lost
	w.lsp.until("interrupted", func(s control.Standing) bool { return s.Factories[0].Interrupted != "" })
	for _, c := range w.clients {
		c.restart(nil)
	}
	w.connect()
	for _, s := range w.all() {
		s.eventually("its channels have moved", func() bool {
			for _, ch := range s.Hub().Channels() {
				if !ch.Alone || !ch.Link.Up || ch.Peer == bob.id && ch.Link.Capacity != 220_000 {
					return false
				}
			}
			return true
		})
	}
	w.ready(1)
	w.capacity(alice, 200_000)
	w.capacity(bob, 220_000)
	alice.pay(bob, 5_000_000)
	bob.local(5_000_000)
}

// A client that leaves while the poison of an update is missing gets the new leaf onto
// the chain, and its commitment there.
func TestLeavingBeforeThePoison(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.clients[0], w.clients[1]
	alice.coins(w.chain, 100_000, 4)
	w.foundLeaf("kickoff 1 / dw 2")
	w.lsp.pay(alice, 60_000_000)
	alice.local(60_000_000)
	lost := w.cutOn(signedPhase(2))
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 20_000}); err != nil {
		t.Fatal(err)
	}
	<-lost
	if err := bob.node.Close(); err != nil {
		t.Fatal(err)
	}
	w.lsp.until("interrupted", func(s control.Standing) bool { return s.Factories[0].Interrupted != "" })
	channel := alice.Hub().Channels()[0]
	if channel.Alone {
		t.Fatal("the old output is gone without poison")
	}
	next := hub.Status{}
	err := alice.Hub().Do(channel.ID, func(m *channels.Machine) error {
		for _, f := range m.Fundings {
			next.Txid, next.Index = f.Txid, f.Index
		}
		return nil
	})
	if err != nil || next.Txid == channel.Txid {
		t.Fatalf("no new output: %v", err)
	}
	if _, err := alice.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	w.clients = w.clients[:1]
	if paid := w.commitment(next); !paid[60_000] {
		t.Errorf("what spends the channel's new output pays %v, not 60,000 sat", paid)
	}
}
