package participant_test

import (
	"slices"
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/hub"
	"superscalar/refnode/transport"
)

// beyondTown is a town whose first client, alice, has bought liquidity and was paid more
// than its cover; the second one is within it. All of them have coins.
func beyondTown(t *testing.T) (w *town, f control.FactoryStatus, height uint32) {
	t.Helper()
	w = newTown(t, 2)
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
	now := alice.until("its factory", func(now control.Standing) bool { return len(now.Factories) == 1 })
	f = now.Factories[0]
	if *f.CoverSat >= 270_000 || *f.CoverSat <= 150_000 {
		t.Fatalf("control: its cover is %d sat", *f.CoverSat)
	}
	return w, f, now.Height
}

func leaving(now control.Standing) bool {
	return now.Factories[0].Exit != nil && now.Factories[0].Exit.Leaving
}

// A client that has more than its cover leaves by itself when
// the LSP does not, before a distribution above its leaf pays it by what was signed first
// (CHG-029). One that is covered waits for it.
func TestAClientBeyondItsCoverLeavesInTime(t *testing.T) {
	w, f, height := beyondTown(t)
	alice, bob := w.clients[0], w.clients[1]
	if err := w.lsp.Close(); err != nil {
		t.Fatal(err)
	}
	w.mine(f.ExitHeight - height - 1)
	for range 40 {
		w.mine(1)
	}
	alice.until("it leaves", leaving)
	bob.until("the path is published", func(now control.Standing) bool { return now.Height > f.ExitHeight })
	if now := bob.until("its factory", func(now control.Standing) bool { return true }); leaving(now) {
		t.Errorf("a client within its cover leaves: %+v", now.Factories[0].Exit)
	}
}

// It does not while the LSP is on its own way out: the same transactions would cost a
// second fee. What is on the chain then does not count any more.
func TestAClientBeyondItsCoverWaitsForItsLSP(t *testing.T) {
	w, f, height := beyondTown(t)
	alice := w.clients[0]
	published := func(kind string, block bool) func(control.Standing) bool {
		return func(now control.Standing) bool {
			exit := now.Factories[0].Exit
			return exit != nil && slices.ContainsFunc(exit.Published, func(x control.ExitTx) bool { return x.Kind == kind && (x.Height > 0) == block })
		}
	}
	sees := func(height uint32) {
		t.Helper()
		alice.eventually("it has seen the block", func() bool {
			at, err := alice.Hub().Height()
			return err == nil && uint32(at) == height
		})
	}
	w.mine(f.ExitHeight - height)
	w.lsp.until("its kickoff is out", published("kickoff", false))
	w.mine(1)
	alice.until("the kickoff is in a block", published("kickoff", true))
	height = f.ExitHeight + 1
	for _, n := range []uint32{11, 1, 1, 1, 100, 1, 1, 316} { // past T - exit_time + confirm_blocks, and on to the end of the state's delay
		w.mine(n)
		height += n
		sees(height)
		if leaving(alice.until("its factory", func(control.Standing) bool { return true })) {
			t.Fatalf("it leaves at height %d, %d blocks after T - exit_time", height, height-f.ExitHeight)
		}
	}
	alice.until("the state is out", published("state", false))
	w.mine(1)
	alice.eventually("its leaf is on the chain", func() bool {
		return slices.ContainsFunc(alice.Hub().Channels(), func(c hub.Status) bool { return c.OnChain })
	})
	for _, c := range alice.Hub().Channels() {
		if sold := c.Link.Capacity == 90_000; sold == c.OnChain {
			t.Errorf("the channel of %d sat is on the chain: %v", c.Link.Capacity, c.OnChain)
		}
	}
	if n := alice.line("are covered"); n >= 0 {
		t.Errorf("it leaves for that: line %d of %q", n, alice.told)
	}
}
