package participant_test

import (
	"testing"

	"superscalar/refnode/chain"
)

// unwatched is a chain that answers, and on which nobody waits for a change.
type unwatched struct {
	chain.Interface
	until chan struct{}
}

func (c unwatched) Changed() <-chan struct{} {
	<-c.until
	return c.Interface.Changed()
}

// A node that has started has looked at the chain: its channels in factories are in use
// when the first peer is there. Else what is paid in the first moments would fail for
// want of a route.
func TestAStartedNodeHasLooked(t *testing.T) {
	w := newTown(t, 1)
	w.found()
	w.mine(1)
	w.ready(1)
	until := make(chan struct{})
	t.Cleanup(func() { close(until) })
	w.lsp.restart(func() { w.lsp.chain.Interface = unwatched{w.chain, until} })
	w.connect()
	w.lsp.eventually("its channel is in use", func() bool { return w.lsp.up() == 1 })
	w.lsp.pay(w.clients[0], 2_000_000)
}
