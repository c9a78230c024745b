package role_test

import (
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// What a client signs for the LSP on an outpoint is signed once: with the balances that
// count, whatever moved between two attempts, or within one.

// staying are both sides of the client's channel on its leaf.
func (w *cutWorld) staying() (ours, theirs *line) {
	alice := w.parties[1]
	for _, c := range w.lsp().all(alice.id) {
		if c.m.Value() == 100_000 {
			return c, alice.lineOf(w.lsp().id, c.m.ID)
		}
	}
	w.t.Fatal("no channel on the leaf")
	return nil, nil
}

// worth is what a commitment of the LSP, as it was when state was written, leaves the
// client, in sat, and its number.
func (w *cutWorld) worth(c *line, state []byte, txid wire.Txid) (client commitment.Sat, spends closing.Spend, number commitment.Number) {
	w.t.Helper()
	lsp := w.lsp()
	key, err := lsp.registry.FundingKey(c.peer, c.m.Open)
	if err != nil {
		w.t.Fatal(err)
	}
	old, err := channel.Restore(lsp.channelConfig(c.peer, key), state)
	if err != nil {
		w.t.Fatal(err)
	}
	cheat, err := old.LatestCommitment(txid)
	if err != nil {
		w.t.Fatal(err)
	}
	return cheat.State.Balance[commitment.Accepter].Sat(), closing.Spend{Tx: cheat.Tx}, cheat.State.Number
}

// An update gives the client stock, and is called off when both sides have signed. The
// client buys as much by a sale instead, and is paid in the channel of that. The update
// that cuts the chain through has the same amounts, so it is the same transaction: what
// the LSP holds of the first attempt must not be good there.
func TestASaleBetweenTwoAttempts(t *testing.T) {
	w := newCutWorld(t, 2, nil)
	id := w.found("kickoff 1 / ps 2")
	lsp, alice, bob := w.lsp(), w.parties[1], w.parties[2]
	w.pays(lsp.with(alice.id), held[0])
	ours, theirs := w.staying()

	var kept stolen
	w.watch = func(_ int, l letter) fate {
		if l.message != nil && l.from == bob && l.message.Name() == "commitment_signed" {
			kept.state = ours.m.Encode()
			kept.txid, _ = ours.m.Changing()
			return lost
		}
		return arrives
	}
	if err := w.sell(id); err != nil || len(ours.m.Fundings) != 1 {
		t.Fatalf("%v, on %v: %q", err, outputs(ours.m), w.log)
	}
	w.watch = nil
	was, cheat, number := w.worth(ours, kept.state, kept.txid)
	w.connect(2)
	w.run()
	w.sale(id, bought)
	for _, c := range lsp.all(alice.id) {
		if c.m.ID != ours.m.ID {
			w.pays(c, held[1])
		}
	}

	signed := false
	w.watch = func(_ int, l letter) fate { // everything stops when the new state is there
		signed = signed || l.from == alice && l.isPhase(1) && l.ceremony.Name() == "ceremony_partials"
		if signed && l.message != nil {
			return lost
		}
		return arrives
	}
	for range 3 {
		_, out, err := lsp.lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: 0, Amount: 0})
		w.note("cut through: %v", err)
		w.out(out)
		w.run()
		if signed {
			break
		}
		w.late()
	}
	if !signed {
		t.Fatalf("the client has not signed: %q", w.log)
	}
	f := ours.m.Fundings[len(ours.m.Fundings)-1]
	if f.Txid != kept.txid {
		t.Fatalf("control: the update is another one: %v, %v", f.Txid, kept.txid)
	}
	plan := alice.plan(theirs, chainView{funding: chainhash.Hash(kept.txid), spend: cheat.Tx})
	if plan.End != closing.Revoked {
		t.Errorf("the LSP publishes commitment %d of the attempt before, which leaves the client %d sat of %d: it takes that for %v",
			number, was, (held[0]+9_000_000)/1000, plan.End)
	}
}

// A channel that is absorbed gives what it holds when it is frozen. The LSP calls its change
// off, alone, pays the client there, and begins it again: what the channel that stays took
// is too little then, and the client does not sign.
func TestAnAbsorbedChannelThatIsCalledOffAlone(t *testing.T) {
	disks, id := chained(t)
	w := newCutWorld(t, 2, disks)
	lsp, alice := w.lsp(), w.parties[1]
	_, stays := w.staying()
	var absorbed *line
	for _, c := range lsp.all(alice.id) {
		if c.m.Value() == 30_000 {
			absorbed = c
		}
	}
	again := false
	w.watch = func(_ int, l letter) fate {
		if again || !l.isPhase(1) || l.ceremony.Name() != "ceremony_aggregate" || l.to != alice.id {
			return arrives
		}
		again = true
		queue := w.queue
		w.queue = nil
		w.watch = nil
		lsp.step(absorbed, func(m *channel.Machine) {
			if err := m.AbortChange("alone"); err != nil {
				t.Fatal(err)
			}
		})
		w.run()
		w.pays(absorbed, 10_000_000)
		lsp.step(absorbed, func(m *channel.Machine) {
			whole, _ := m.Whole()
			if err := m.StartChange(-whole[commitment.Opener], nil); err != nil {
				t.Fatal(err)
			}
		})
		w.run()
		w.queue = append(w.queue, queue...)
		return arrives
	}
	if err := w.cutThrough(id); err != nil || !again {
		t.Fatalf("%v: %q", err, w.log)
	}
	got := stays.m.Balance[commitment.Accepter]
	for _, f := range stays.m.Fundings {
		got += channel.MilliSat(1000 * f.Delta[commitment.Accepter])
	}
	if want := held[0] + 9_000_000 + 7_000_000 + 10_000_000; stays.m.Value() == 170_000 && got < want {
		t.Errorf("the client has %d msat of %d that it had: %q", got, want, w.log)
	}
}
