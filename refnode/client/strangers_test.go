package client_test

import (
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// Strangers, each with a node id of its own, say one word and hang up: nothing of
// them is kept. Neither is asked about an LSP that there is none of. The LSP of a
// factory is kept.
func TestStrangersLeaveNothing(t *testing.T) {
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 2")
	c := w.Clients[0].Client
	for i := range byte(20) {
		p := ceremony.Peer{2, 0xee, i}
		c.Receive(p, &wire.Abort{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{1}}})
		c.Receive(p, &wire.Funded{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{1}}})
		if n := len(c.Outgoing(p)); n != 1 {
			t.Fatalf("%d answers", n)
		}
		c.Receive(p, &wire.Funded{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{1}}})
		c.Disconnected(p)
		if n := len(c.Outgoing(p)); n != 0 {
			t.Errorf("%d answers wait for who hung up", n)
		}
		if c.Held(p, id) != nil {
			t.Error("a stranger has the factory")
		}
	}
	c.Disconnected(w.LSP.Peer)
	if n := c.Machines(); n != 1 || c.Held(w.LSP.Peer, id) == nil {
		t.Errorf("it keeps %d LSPs", n)
	}
}
