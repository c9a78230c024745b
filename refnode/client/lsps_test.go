package client_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/client"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// A client whose owner named its LSPs takes part in no factory of another one; one
// whose owner named none takes anybody's.
func TestInvitationsOfOurLSPs(t *testing.T) {
	for _, tt := range []struct {
		name string
		lsps []ceremony.Peer
		want wire.CeremonyType
	}{
		{"none named", nil, wire.TypeJoin},
		{"named", []ceremony.Peer{{3, 9}, {2, 0xff}}, wire.TypeJoin},
		{"another named", []ceremony.Peer{{3, 9}}, wire.TypeAbort},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := roletest.New(t, 1)
			w.Clients[0].LSPs = tt.lsps
			w.Restart(w.Clients[0])
			w.Clients[0].Client.Receive(w.LSP.Peer, &wire.Invite{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{7}}, Capacity: 100_000})
			out := w.Clients[0].Client.Outgoing(w.LSP.Peer)
			if len(out) != 1 || out[0].Type() != tt.want {
				t.Fatalf("%v", out)
			}
			if abort, ok := out[0].(*wire.Abort); ok && (abort.Reason != wire.ReasonRefused || abort.Text != client.ErrNotOurLSP.Error()) {
				t.Errorf("%+v", abort)
			}
		})
	}
}

// Who names other LSPs later keeps the factories it has, and its LSP goes on
// selling there.
func TestAFactoryOutlivesItsInvitation(t *testing.T) {
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 1")
	w.Clients[0].LSPs = []ceremony.Peer{{3, 9}}
	w.Restart(w.Clients[0])
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if got := w.LSP.LSP.Factory(id).Tree().Capacities(0); got != 120_000 {
		t.Errorf("%d sat", got)
	}
	if _, err := w.Create("kickoff 1 / ps 1", nil); err != nil && !errors.Is(err, ceremony.ErrNoClients) {
		t.Fatal(err)
	}
	if len(w.LSP.LSP.Factories()) != 1 {
		t.Error("another factory with it")
	}
}
