package participant_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/control"
	"superscalar/refnode/hub"
	"superscalar/refnode/payment"
	"superscalar/refnode/peer"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// A factory with channels, over sockets: they open while it is created, carry
// payments between clients once it is on the chain, and survive that everybody
// restarts.
func TestPaymentsInAFactory(t *testing.T) {
	w := newTown(t, 3)
	w.found()
	for _, c := range w.clients {
		if c.up() != 0 {
			t.Error("a channel is in use before its factory is funded")
		}
	}
	w.mine(1)
	w.ready(1)
	w.lsp.pay(w.clients[0], 15_000_000)
	w.clients[0].local(15_000_000)
	w.clients[0].pay(w.clients[1], 5_000_000)
	w.clients[1].local(5_000_000)
	for _, s := range w.all() {
		s.restart(nil)
	}
	w.connect()
	w.ready(1)
	w.clients[1].local(5_000_000)
	w.clients[0].pay(w.clients[2], 3_000_000)
	w.clients[2].local(3_000_000)
}

// A sale brings its buyer a channel of its own, which carries payments, and
// touches no other (CHG-011).
func TestASaleOpensAChannel(t *testing.T) {
	w := newTown(t, 3)
	w.found()
	w.mine(1)
	w.ready(1)
	buyer := w.clients[1]
	before := map[string]bool{}
	for _, c := range buyer.Channels() {
		before[c.ChannelID] = true
	}
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(buyer.id), AmountSat: 20_000}); err != nil {
		t.Fatal(err)
	}
	buyer.eventually("both of its channels are ready", func() bool { return buyer.up() == 2 })
	w.lsp.eventually("the sale is done", func() bool { return w.lsp.up() == 4 })
	for _, c := range buyer.Channels() {
		if !before[c.ChannelID] && c.CapacitySat != 20_000 {
			t.Errorf("it bought %+v", c)
		}
	}
	for _, s := range w.all() {
		s.restart(nil)
	}
	w.connect()
	buyer.eventually("both are ready again", func() bool { return buyer.up() == 2 })
	w.lsp.pay(buyer, 2_000_000)
	buyer.local(2_000_000)
	if other := w.clients[0]; other.up() != 1 {
		t.Errorf("somebody else has %+v", other.Channels())
	}
}

// A client that leaves gets its commitment onto the chain, with its balance in it,
// though it never closed its channel (CHAN-024). One that pays no fee gets there
// with a child.
func TestLeavingWithABalance(t *testing.T) {
	for _, version := range []int32{2, 3} {
		t.Run(fmt.Sprintf("commitments of version %d", version), func(t *testing.T) { leavesWithABalance(t, version) })
	}
}

func leavesWithABalance(t *testing.T, version int32) {
	w := newTown(t, 2)
	w.lsp.restart(func() { w.lsp.zeroFee = version == 3 })
	w.connect()
	alice := w.clients[0]
	alice.coins(w.chain, 100_000, 4)
	w.found()
	w.mine(1)
	w.ready(1)
	w.lsp.pay(alice, 60_000_000)
	alice.local(60_000_000)
	channel := alice.Hub().Channels()[0]
	if _, err := alice.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	if paid := w.commitment(channel); !paid[60_000] {
		t.Errorf("what spends the channel's output pays %v, not 60,000 sat", paid)
	}
	spend, _, err := w.chain.Spend(t.Context(), btcwire.OutPoint{Hash: chainhash.Hash(channel.Txid), Index: uint32(channel.Index)})
	if err != nil || spend.Tx.Version != version {
		t.Errorf("the commitment has version %d, want %d (%v)", spend.Tx.Version, version, err)
	}
}

// A client that is gone after the proposal costs the others a new attempt; the
// channels of the old one are forgotten on both sides, on the disk too (CHAN-008).
func TestChannelsOfAnAttemptThatEnded(t *testing.T) {
	w := newTown(t, 3)
	gone := w.clients[2]
	first := true
	w.lsp.AttachOpener(func(id transport.NodeID, o peer.InFactory) error {
		if id != transport.NodeID(gone.id) {
			return w.lsp.node.OpenInFactory(id, o)
		}
		first = false
		again := time.NewTicker(time.Millisecond)
		defer again.Stop()
		for len(w.lsp.Hub().Channels()) < 2 && t.Context().Err() == nil {
			<-again.C
		}
		return gone.node.Close()
	})
	order := control.Order{CapacitySat: 200_000, StockSat: 50_000}
	for _, c := range w.clients {
		order.Clients = append(order.Clients, transport.NodeID(c.id))
	}
	if _, err := w.lsp.Found(order); err != nil {
		t.Fatal(err)
	}
	w.clients = w.clients[:2]
	for _, s := range w.all() {
		s.until("funded", func(now control.Standing) bool {
			return len(now.Factories) > 0 && now.Ceremonies[len(now.Ceremonies)-1].Event == "funded"
		})
	}
	if first {
		t.Fatal("the first attempt had no channel for the third client")
	}
	w.mine(1)
	w.ready(1)
	for _, s := range w.all() {
		s.restart(nil)
	}
	w.connect()
	w.ready(1)
	if n := len(w.lsp.Channels()); n != 2 {
		t.Errorf("the LSP has %d channels: %+v", n, w.lsp.Channels())
	}
	// A client that had stored its path by then keeps it, and the channel with it,
	// until it cannot be funded any more (CER-036). It does not leave that factory.
	for _, c := range w.clients {
		now := c.until("settled", func(s control.Standing) bool { return len(s.Factories) == len(c.Channels()) })
		for _, f := range now.Factories {
			if f.Exit != nil && f.Exit.Leaving {
				t.Errorf("client %s leaves a factory that was never funded", c.name)
			}
		}
	}
}

// While a reorganisation takes the funding transaction away no HTLC is offered
// (CER-026); when it is back the channels go on.
func TestAReorganisationStopsTheChannels(t *testing.T) {
	w := newTown(t, 2)
	w.found()
	w.mine(1)
	w.ready(1)
	if err := w.chain.Reorg(1, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.all() {
		s.eventually("its channels are not in use", func() bool { return s.up() == 0 })
	}
	w.mine(1)
	w.ready(1)
	w.lsp.pay(w.clients[0], 2_000_000)
}

// A client without coins, or with coins that do not pay for its way out, takes no more at
// a time than a tenth of its cover (CHAN-012), one with coins does.
func TestAClientWithoutCoinsTakesLittleAtATime(t *testing.T) {
	w := newTown(t, 2)
	poor, rich := w.clients[0], w.clients[1]
	rich.coins(w.chain, 100_000, 1)
	poor.coins(w.chain, 600, 1) // a present of her LSP, which pays for no way out
	w.found()
	w.mine(1)
	w.ready(1)
	w.lsp.pay(rich, 50_000_000)
	inv, err := poor.Invoice(50_000_000, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.lsp.Pay(t.Context(), control.Pay{Bolt11: inv.Bolt11, MaxFeeMsat: 1_000_000}); err == nil {
		t.Error("a client without coins took a quarter of its capacity at a time")
	}
	w.lsp.pay(poor, 19_000_000)
}

// A channel that fails starts the way out on both sides (CHAN-021): of a client
// without coins the LSP publishes the path, and her balance is in the commitment
// that follows.
func TestAFailedChannelLeaves(t *testing.T) {
	w := newTown(t, 2)
	alice := w.clients[0]
	w.found()
	w.mine(1)
	w.ready(1)
	w.lsp.pay(alice, 15_000_000)
	alice.local(15_000_000)
	channel := alice.Hub().Channels()[0]
	if err := alice.CloseChannel(channel.ID, true); err != nil {
		t.Fatal(err)
	}
	alice.until("leaving", func(s control.Standing) bool { return s.Factories[0].Exit != nil && s.Factories[0].Exit.Leaving })
	w.lsp.until("publishing her path", func(s control.Standing) bool {
		return s.Factories[0].Exit != nil && len(s.Factories[0].Exit.Published) > 0
	})
	w.lsp.restart(nil) // it goes on after that
	if paid := w.commitment(channel); !paid[15_000] {
		t.Errorf("what spends the channel's output pays %v, not 15,000 sat", paid)
	}
}

// commitment mines until the output of a channel is spent, and returns the values
// that this pays, in sat.
func (w *town) commitment(c hub.Status) map[int64]bool {
	w.t.Helper()
	output := btcwire.OutPoint{Hash: chainhash.Hash(c.Txid), Index: uint32(c.Index)}
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); {
		w.mine(6)
		tip, err := w.chain.Tip(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range w.all() {
			s.until("looked", at(uint32(tip.Height)))
		}
		spend, _, err := w.chain.Spend(w.t.Context(), output)
		if err != nil {
			w.t.Fatal(err)
		}
		if spend.Confirmed {
			paid := map[int64]bool{}
			for _, out := range spend.Tx.TxOut {
				paid[out.Value] = true
			}
			return paid
		}
	}
	w.t.Fatalf("no commitment: %q", w.lsp.told)
	return nil
}

// The channel of a factory whose record cannot be read is left alone, and is there
// again when it can be.
func TestTheChannelOfADamagedFactory(t *testing.T) {
	w := newTown(t, 1)
	alice := w.clients[0]
	w.found()
	w.mine(1)
	w.ready(1)
	w.lsp.pay(alice, 5_000_000)
	alice.local(5_000_000)
	id := *alice.Hub().Channels()[0].Instance
	var good []byte
	write := func(data []byte) func() {
		return func() {
			s, err := store.Open(alice.dir)
			if err != nil {
				t.Fatal(err)
			}
			parts, _, err := s.Factory(id)
			if err != nil {
				t.Fatal(err)
			}
			if good == nil {
				good = slices.Clone(parts["creation"])
			}
			if data == nil {
				data = good
			}
			if err := errors.Join(s.PutFactory(id, "creation", data), s.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	alice.restart(write([]byte("damaged")))
	if n := len(alice.Hub().Channels()); n != 0 {
		t.Errorf("she uses %d channels of a factory that she cannot read", n)
	}
	alice.restart(write(nil))
	alice.connect(w.lsp)
	w.ready(1)
	alice.local(5_000_000)
}

// The connection ends before the buyer's signature on the first commitment of its
// new channel arrives, with the sale half signed: it goes on with another channel on
// the same output.
func TestASaleWhoseChannelWasHalfOpened(t *testing.T) {
	w := newTown(t, 1) // nobody else whose messages cross the second attempt
	w.found()
	w.mine(1)
	w.ready(1)
	buyer := w.clients[0]
	begun, lost := make(chan struct{}), make(chan struct{})
	var once, cut sync.Once
	w.lsp.hears = func(raw []byte) bool {
		const fundingSigned = 35
		if typ, _ := wire.TypeOf(raw); typ == fundingSigned {
			pass := true
			cut.Do(func() { pass = false; close(lost) })
			return pass
		}
		if signedSale(raw) {
			once.Do(func() { close(begun) })
		}
		return true
	}
	w.lsp.restart(nil)
	w.connect()
	w.ready(1)
	w.lsp.AttachOpener(func(id transport.NodeID, o peer.InFactory) error {
		<-begun // the buyer has signed the sale
		return w.lsp.node.OpenInFactory(id, o)
	})
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(buyer.id), AmountSat: 20_000}); err != nil {
		t.Fatal(err)
	}
	<-lost
	w.lsp.until("interrupted", func(s control.Standing) bool { return s.Factories[0].Interrupted != "" })
	buyer.connect(w.lsp)
	buyer.eventually("both of its channels are ready", func() bool { return buyer.up() == 2 })
	w.lsp.eventually("the sale is done", func() bool { return w.lsp.up() == 2 })
	w.lsp.pay(buyer, 1_000_000)
}

// signedSale reports whether a message is the partial signatures of phase 1.
func signedSale(raw []byte) bool {
	m, err := wire.Codec{}.Decode(raw)
	p, piggyback := m.(*wire.Piggyback)
	if err != nil || !piggyback {
		return false
	}
	c, err := wire.Codec{}.DecodeCeremony(p.Payload)
	partials, ok := c.(*wire.Partials)
	return err == nil && ok && partials.Phase == 1
}

// What a client without coins takes at a time is bounded over all of its channels in a
// factory together: who may fill each of them to a tenth of its cover takes a tenth with
// each sale more (CHAN-012).
func TestTheExposureOfTwoChannels(t *testing.T) {
	w := newTown(t, 3)
	w.found()
	w.mine(1)
	w.ready(1)
	buyer := w.clients[1]
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(buyer.id), AmountSat: 20_000}); err != nil {
		t.Fatal(err)
	}
	buyer.eventually("both of its channels are ready", func() bool { return buyer.up() == 2 })
	w.lsp.eventually("the sale is done", func() bool { return w.lsp.up() == 4 })
	for range 9 { // until no channel can carry a tenth and a half alone
		w.lsp.pay(buyer, 19_000_000)
	}
	w.lsp.pay(buyer, 10_000_000)
	inv, err := buyer.Hub().Invoice(payment.InvoiceRequest{Amount: 30_000_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.lsp.Hub().Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: 1_000_000}); err != nil {
		t.Fatal(err)
	}
	var got payment.Payment
	w.lsp.eventually("a part is refused, or all are taken", func() bool {
		got, _ = w.lsp.Hub().Payment(inv.Hash)
		return got.State == payment.Succeeded || got.Attempts > 1 && got.InFlight < 30_000_000
	})
	if got.State == payment.Succeeded {
		t.Error("a client without coins took more than a tenth of its cover at a time, over two channels")
	}
}
