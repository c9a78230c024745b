package role_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// A client stops in phase 1 of an update, before it gives its partial signatures or
// with them. The others do not wait for it: their channels continue, and payments go on
// on both outputs, signed and revoked on both, after a restart too (CHG-025). When it is
// back the update comes to its end, whatever was paid meanwhile.
func TestPaymentsWhileAClientIsMissing(t *testing.T) {
	disks, id := before(t)
	for _, stopsAt := range []string{"ceremony_aggregate", "ceremony_partials"} {
		t.Run(stopsAt, func(t *testing.T) {
			w := newCutWorld(t, 2, disks)
			lsp, alice, bob := w.lsp(), w.parties[1], w.parties[2]
			stopped := false
			w.watch = func(_ int, l letter) fate {
				if l.isPhase(1) && l.ceremony.Name() == stopsAt && (l.from == bob || l.to == bob.id) {
					stopped = true
					return lost
				}
				return arrives
			}
			if err := w.sell(id); err != nil || !stopped {
				t.Fatalf("%v: %q", err, w.log)
			}
			w.watch = nil
			for _, ends := range []*party{nil, lsp, alice} {
				if ends != nil {
					ends.dead = true
					w.run()
					ends.start()
					w.run()
					w.connect(1)
					w.run()
				}
				w.goesOn(alice)
			}
			sides := []*channel.Machine{lsp.with(alice.id).m, alice.with(lsp.id).m}
			if got := sides[1].Balance[commitment.Accepter]; got != paid+inFlight+3_000_000 {
				t.Errorf("she has %d msat", got)
			}
			if both := alice.record(alice.with(lsp.id), sides[1].Revoked.Next()-1); both == nil || len(both.On) != 2 {
				t.Errorf("what the LSP revoked last is on record as %+v", both)
			}
			w.connect(2)
			w.run()
			w.finish(id, "afterwards")
			if got := alice.with(lsp.id).m.Balance[commitment.Accepter]; got != paid+inFlight+3_000_000 || lsp.due != 2 || alice.due != 1 {
				t.Errorf("she has %d msat; due: %d at the LSP, %d at the client", got, lsp.due, alice.due)
			}
		})
	}
}

// goesOn checks that a client of whose channel an update was interrupted is paid, in
// batches, and that both sides have a commitment with that on both outputs.
func (w *cutWorld) goesOn(c *party) {
	w.t.Helper()
	batches := 0
	w.watch = func(_ int, l letter) fate {
		if _, ok := l.message.(*wire.StartBatch); ok {
			batches++
		}
		return arrives
	}
	w.settle(1)
	w.offer(1, preimages[0], 1_000_000)
	w.settle(1)
	w.watch = nil
	at := w.lsp().with(c.id).m
	if batches < 4 || len(at.Fundings) != 2 || len(at.HTLCs) != 0 || !at.Link().Up {
		w.t.Fatalf("%d batches, the channel is on %v with %d HTLCs: %q", batches, outputs(at), len(at.HTLCs), w.log)
	}
	for _, m := range []*channel.Machine{at, c.with(w.lsp().id).m} {
		for _, f := range m.Fundings {
			signed, err := m.LatestCommitment(f.Txid)
			if err != nil {
				w.t.Fatalf("on %v: %v", f.Txid, err)
			}
			got := signed.State.Balance
			if got[commitment.Accepter] != m.Balance[commitment.Accepter] || got[0]+got[1] != channel.MilliSat(1000*f.Value) {
				w.t.Errorf("the commitment on %v has balances %v, of %d sat, the client has %d", f.Txid, got, f.Value, m.Balance[commitment.Accepter])
			}
		}
	}
}
