package participant_test

import (
	"slices"
	"testing"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
)

// A client without coins buys, its LSP goes, and somebody else puts the leaf on the chain.
// Its omission pays it in place of the sale: the channel of that is told as what it is, and
// that of the leaf, which is on the chain, as what that is.
func TestTheChannelOfASaleThatIsVoided(t *testing.T) {
	w := newTown(t, 2)
	alice, bob := w.clients[0], w.clients[1]
	bob.coins(w.chain, 100_000, 6)
	w.found()
	w.mine(1)
	w.ready(1)
	if _, err := w.lsp.Sell(control.Sale{Peer: transport.NodeID(alice.id), AmountSat: 40_000}); err != nil {
		t.Fatal(err)
	}
	alice.eventually("both of its channels are ready", func() bool { return alice.up() == 2 })
	w.lsp.eventually("the sale is done", func() bool { return w.lsp.up() == 3 })
	if err := w.lsp.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Leave(control.Departure{}); err != nil {
		t.Fatal(err)
	}
	published := func(kind string, block bool) func(control.Standing) bool {
		return func(now control.Standing) bool {
			exit := now.Factories[0].Exit
			return exit != nil && slices.ContainsFunc(exit.Published, func(x control.ExitTx) bool { return x.Kind == kind && (x.Height > 0) == block })
		}
	}
	state := func(sat uint64) string {
		for _, c := range alice.Channels() {
			if c.CapacitySat == sat {
				return c.State
			}
		}
		return "none"
	}
	for _, step := range []struct {
		kind   string
		blocks uint32 // until it may be in one
		by     *socket
	}{{"kickoff", 0, bob}, {"state", 432, bob}, {"omission", 72, alice}} {
		if step.blocks > 0 {
			w.mine(step.blocks - 1)
		}
		step.by.until("the "+step.kind+" is out", published(step.kind, false))
		if got := state(40_000); got != control.ChannelReady && got != control.ChannelClosing {
			t.Errorf("before the %s the sold channel is %s", step.kind, got)
		}
		w.mine(1)
		step.by.until("the "+step.kind+" is in a block", published(step.kind, true))
	}
	alice.eventually("the sold channel is voided", func() bool { return state(40_000) == control.ChannelVoided })
	if got := state(200_000); got != control.ChannelClosing && got != control.ChannelClosed { // as soon as what it paid is buried
		t.Errorf("the channel of the leaf is %s", got)
	}
	for _, c := range alice.Channels() {
		if c.State == control.ChannelVoided && (c.SendMsat != 0 || c.ReceiveMsat != 0) {
			t.Errorf("a voided channel takes payments: %+v", c)
		}
	}
	if err := w.chain.Reorg(1); err != nil {
		t.Fatal(err)
	}
	alice.eventually("a reorganisation takes it back", func() bool { return state(40_000) != control.ChannelVoided })
}
