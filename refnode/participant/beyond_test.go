package participant_test

import (
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
)

// A client that bought liquidity and was paid more than its cover leaves by itself when
// the LSP does not, before a distribution above its leaf pays it by what was signed first
// (CHG-029). One that is covered waits for it.
func TestAClientBeyondItsCoverLeavesInTime(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.clients[0], w.clients[1]
	for _, c := range w.clients {
		c.coins(w.chain, 100_000, 6)
	}
	w.found()
	w.mine(1)
	w.ready(1)
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 90_000}); err != nil {
		t.Fatal(err)
	}
	alice.eventually("both of its channels are ready", func() bool { return alice.up() == 2 })
	w.lsp.eventually("the sale is done", func() bool { return w.lsp.up() == 3 })
	for _, msat := range []uint64{190_000_000, 80_000_000} {
		w.lsp.pay(alice, msat)
	}
	alice.local(270_000_000)
	w.lsp.pay(bob, 150_000_000)
	if err := w.lsp.Close(); err != nil {
		t.Fatal(err)
	}
	now := alice.until("its factory", func(now control.Standing) bool { return len(now.Factories) == 1 })
	f := now.Factories[0]
	if *f.CoverSat >= 270_000 || *f.CoverSat <= 150_000 {
		t.Fatalf("control: its cover is %d sat", *f.CoverSat)
	}
	height := now.Height
	w.mine(f.ExitHeight - height - 1)
	for range 40 {
		w.mine(1)
	}
	leaves := func(now control.Standing) bool { return now.Factories[0].Exit != nil && now.Factories[0].Exit.Leaving }
	alice.until("it leaves", leaves)
	bob.until("the path is published", func(now control.Standing) bool { return now.Height > f.ExitHeight })
	if now := bob.until("its factory", func(now control.Standing) bool { return true }); leaves(now) {
		t.Errorf("a client within its cover leaves: %+v", now.Factories[0].Exit)
	}
}
