package role_test

import (
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
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
			var old []publishable
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
				w.eitherConfirms(old)
				old = append(w.onBoth(lsp, alice), w.onBoth(alice, lsp)...)
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
			for _, h := range old {
				w.isPunished(h)
			}
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

// publishable is a commitment of one side that can be published on an output.
type publishable struct {
	of, peer *party
	funding  channel.Funding
	signed   *channel.SignedCommitment
}

// onBoth are those of a party on each output of its channel with a peer.
func (w *cutWorld) onBoth(p, peer *party) (all []publishable) {
	w.t.Helper()
	m := p.with(peer.id).m
	for _, f := range m.Fundings {
		signed, err := m.LatestCommitment(f.Txid)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, publishable{p, peer, f, signed})
	}
	return all
}

// eitherConfirms lets either state of the channel of the first client get onto the
// chain, that which is not complete too: the LSP, which signs last, may complete it alone.
// Each side then has its commitment of now there, takes its part of that of the other,
// and all of an old one.
func (w *cutWorld) eitherConfirms(old []publishable) {
	w.t.Helper()
	lsp, alice := w.lsp(), w.parties[1]
	for _, h := range append(w.onBoth(lsp, alice), w.onBoth(alice, lsp)...) {
		funding := chainhash.Hash(h.funding.Txid)
		p := h.of.plan(h.of.with(h.peer.id), chainView{funding: funding})
		if len(p.Publish) != 1 || p.Publish[0].Tx == nil || p.Publish[0].Tx.TxHash() != h.signed.Txid {
			w.t.Errorf("with %v confirmed %s publishes %+v", funding, h.of.name, p.Publish)
		}
		p = h.peer.plan(h.peer.with(h.of.id), chainView{funding: funding, spend: h.signed.Tx})
		if p.End != closing.Theirs {
			w.t.Errorf("the commitment of %s on %v is %v", h.of.name, funding, p.End)
		}
	}
	for _, h := range old {
		w.isPunished(h)
	}
}

// isPunished checks that the peer takes all of an old commitment.
func (w *cutWorld) isPunished(h publishable) {
	w.t.Helper()
	p := h.peer.plan(h.peer.with(h.of.id), chainView{funding: chainhash.Hash(h.funding.Txid), spend: h.signed.Tx})
	if got, want := takes(p), h.funding.Value-h.signed.Fee-1_000; p.End != closing.Revoked || got < want {
		w.t.Errorf("commitment %d of %s on %v is %v: %d sat are taken, of %d: %q", h.signed.State.Number, h.of.name, h.funding.Txid, p.End, got, want, w.log)
	}
}
