package role_test

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// isPhase reports whether a letter is a message of a phase.
func (l letter) isPhase(phase uint8) bool {
	switch m := l.ceremony.(type) {
	case *wire.Nonces:
		return m.Phase == phase
	case *wire.AggregateNonces:
		return m.Phase == phase
	case *wire.Partials:
		return m.Phase == phase
	default:
		return false
	}
}

// Between phase 1 and the poison, for which somebody is missing, a channel is on both
// outputs and payments go on, signed in batches (CHG-005, CHG-006); a restart of either
// side does not change that. When the other is back the poison completes and the
// channels leave what was replaced.
func TestPaymentsWhilePoisonIsMissing(t *testing.T) {
	disks, id := before(t)
	w := newCutWorld(t, 2, disks)
	w.watch = func(_ int, l letter) fate {
		if l.isPhase(2) && l.from == w.parties[2] {
			return lost
		}
		return arrives
	}
	batches := 0
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	lsp, alice := w.lsp(), w.parties[1]
	for _, ends := range []*party{nil, lsp, alice} {
		if ends != nil {
			ends.dead = true
			w.run()
			ends.start()
			w.run()
			w.connect(1)
			w.run()
		}
		w.watch = func(_ int, l letter) fate {
			if _, ok := l.message.(*wire.StartBatch); ok {
				batches++
			}
			return arrives
		}
		w.settle(1)
		w.offer(1, preimages[0], 1_000_000)
		w.settle(1)
		for _, m := range []*channel.Machine{lsp.with(alice.id).m, alice.with(lsp.id).m} {
			if len(m.Fundings) != 2 || len(m.HTLCs) != 0 {
				t.Fatalf("the channel is on %v with %d HTLCs: %q", outputs(m), len(m.HTLCs), w.log)
			}
		}
		w.agree("while poison is missing")
	}
	if batches < 12 {
		t.Errorf("%d batches", batches)
	}
	if got := alice.with(lsp.id).m.Balance[commitment.Accepter]; got != paid+inFlight+3_000_000 {
		t.Errorf("she has %d msat", got)
	}
	w.connect(2)
	w.run()
	if !w.complete(id) {
		t.Fatalf("the poison is not completed: %q", w.log)
	}
	if lsp.due != 2 || alice.due != 1 {
		t.Errorf("due: %d at the LSP, %d at the client (CHG-008)", lsp.due, alice.due)
	}
}

// chainView is a chain in which a state of a leaf is confirmed, and an output of it
// may be spent.
type chainView struct {
	funding chainhash.Hash
	spend   *btcwire.MsgTx
}

func (v chainView) Height() commitment.Height { return 1100 }
func (v chainView) Confirmed(txid chainhash.Hash) (commitment.Height, bool) {
	return 1090, txid == v.funding
}
func (v chainView) Spend(o btcwire.OutPoint) (closing.Spend, bool) {
	if v.spend == nil || v.spend.TxIn[0].PreviousOutPoint != o {
		return closing.Spend{}, false
	}
	return closing.Spend{Tx: v.spend, Confirmed: true, Height: 1095}, true
}

// plan is what a party does about a channel on a chain.
func (p *party) plan(c *line, v chainView) closing.Plan {
	p.w.t.Helper()
	of := closing.Of(c.m)
	of.Revoked = func(n commitment.Number) (*channel.Revoked, error) { return p.record(c, n), nil }
	plan, err := closing.Decide(of, v)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return plan
}

// takes is what a plan claims, in sat.
func takes(p closing.Plan) (sat commitment.Sat) {
	for _, a := range p.Publish {
		if a.Claim != nil {
			sat += commitment.Sat(a.Claim.Output.Value)
		}
	}
	return sat
}

// Whichever state of a leaf confirms, the right thing happens to the channel: before
// the lock there is a commitment for each, after it none for the old one, and the LSP's
// old commitment is punished there.
func TestTheStateThatConfirmsDecides(t *testing.T) {
	disks, id := before(t)
	w := newCutWorld(t, 2, disks)
	lsp, alice := w.lsp(), w.parties[1]
	old := alice.with(lsp.id).m.Fundings[0]
	cheat, err := lsp.with(alice.id).m.LatestCommitment(old.Txid)
	if err != nil {
		t.Fatal(err)
	}
	plan := func(v chainView) closing.Plan {
		return alice.plan(alice.with(lsp.id), v)
	}
	w.watch = func(_ int, l letter) fate {
		if l.isPhase(2) {
			return lost
		}
		return arrives
	}
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	w.watch = nil
	both := alice.with(lsp.id).m.Fundings
	if len(both) != 2 || both[0].Txid != old.Txid {
		t.Fatalf("before the lock: %v: %q", both, w.log)
	}
	for _, f := range both {
		p := plan(chainView{funding: chainhash.Hash(f.Txid)})
		if len(p.Publish) != 1 || p.Publish[0].Tx == nil || p.Publish[0].Outpoint.Hash != chainhash.Hash(f.Txid) {
			t.Errorf("with %v confirmed she publishes %+v", f.Txid, p.Publish)
		}
	}
	w.finish(id, "after the poison was missing")
	if p := plan(chainView{funding: chainhash.Hash(old.Txid)}); len(p.Publish) != 0 {
		t.Errorf("with the old state confirmed she publishes %+v: that is for its poison", p.Publish)
	}
	p := plan(chainView{funding: chainhash.Hash(old.Txid), spend: cheat.Tx})
	if p.End != closing.Revoked {
		t.Fatalf("the LSP's old commitment is %v", p.End)
	}
	if taken, want := takes(p), old.Value-cheat.Fee-1_000; taken < want {
		t.Errorf("she takes %d sat of it, at least %d are hers", taken, want)
	}
	now := alice.with(lsp.id).m.Fundings[0]
	if p := plan(chainView{funding: chainhash.Hash(now.Txid)}); len(p.Publish) != 1 || p.Publish[0].Tx == nil {
		t.Errorf("with the new state confirmed she publishes %+v", p.Publish)
	}
}

// A leaf whose states are used up changes with the state above it: all channels below
// that move, those of the other leaf too, as large as they were (CHG-013).
func TestAWiderState(t *testing.T) {
	w := newCutWorld(t, 4, nil)
	id := w.found("kickoff 1 / state 2 / kickoff 1 / dw 2")
	for i := range 4 {
		w.offer(i+1, preimages[0], channel.MilliSat(1_000_000*(i+1)))
		w.settle(i + 1)
	}
	other := func() wire.Txid { return w.parties[4].lines[0].m.Fundings[0].Txid }
	first, sales := other(), 0
	for ; other() == first && sales < 8; sales++ {
		if err := w.sellSome(id, 0, 2_000); err != nil {
			t.Fatalf("sale %d: %v: %q", sales, err, w.log)
		}
		w.agree("after a sale")
	}
	if sales != 4 { // three counters below the first state
		t.Fatalf("the other leaf moved with sale %d: %q", sales, w.log)
	}
	for i := range 4 {
		c := w.parties[i+1]
		m, value := c.lines[0].m, commitment.Sat(100_000)
		if i == 0 {
			value += 8_000
		}
		if at := w.lsp().lsp.Factory(id).Tree().Channels(factory.ClientIndex(i))[0]; !m.Settled(wire.Txid(at.Outpoint.Hash)) || m.Value() != value {
			t.Errorf("client %d: on %v of %d sat, the tree has %v", i, outputs(m), m.Value(), at.Outpoint)
		}
		w.offer(i+1, preimages[1], 500_000)
		w.settle(i + 1)
		if got := m.Balance[commitment.Accepter]; got != channel.MilliSat(1_000_000*(i+1)+500_000) {
			t.Errorf("client %d has %d msat", i, got)
		}
	}
}

// What makes an update impossible is said before anybody goes quiet: a channel that has
// not done with the change before (CHG-012), a client without a channel.
func TestUpdatesThatCannotStart(t *testing.T) {
	disks, id := before(t)
	w := newCutWorld(t, 2, disks)
	w.watch = func(_ int, l letter) fate { // the LSP is missing a revoke_and_ack of the second client
		if m, ok := l.message.(*wire.ChangeLocked); ok && l.from == w.parties[2] && m != nil {
			return lost
		}
		return arrives
	}
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	w.watch = nil
	if err := w.sellSome(id, 0, 2_000); !errors.Is(err, ceremony.ErrStillMoving) {
		t.Errorf("while a channel is not locked: %v", err)
	}
	w.revive()
	if err := w.sellSome(id, 0, 2_000); err != nil {
		t.Errorf("after that: %v: %q", err, w.log)
	}
	bob := w.parties[2]
	bob.step(bob.lines[0], func(m *channel.Machine) { m.ForceClose("he has had enough") })
	w.run()
	if len(bob.left) == 0 || len(w.lsp().left) == 0 {
		t.Error("nobody leaves with a channel that failed (CHAN-021)")
	}
	if err := w.sellSome(id, 0, 2_000); !errors.Is(err, ceremony.ErrNoChannel) {
		t.Errorf("with a client that has no channel: %v", err)
	}
}

// A client without a channel refuses by itself, and so nobody goes quiet.
func TestAClientWithoutAChannelRefuses(t *testing.T) {
	disks, id := before(t)
	w := newCutWorld(t, 2, disks)
	bob := w.parties[2]
	w.watch = func(_ int, l letter) fate {
		if _, ok := l.ceremony.(*wire.Update); ok && bob.lines[0].m.Failure == "" {
			bob.lines[0].m.OnChain("the LSP has not looked yet")
		}
		if _, quiet := l.message.(*wire.Stfu); quiet {
			t.Error("somebody was asked to go quiet")
		}
		return arrives
	}
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	if f := w.lsp().lsp.Factory(id); f.Interrupted() != "" || f.Tree().Capacities(0) != 100_000 {
		t.Errorf("the update goes on: %q", w.log)
	}
}

// A peer that disowns a change that is pending here has lost its record, or lies: the
// channel fails and the way out starts, on the state that confirms.
func TestADisownedChange(t *testing.T) {
	disks, id := before(t)
	w := newCutWorld(t, 2, disks, rule.CHG025) // it does not continue the change, for one
	w.watch = func(_ int, l letter) fate {
		if l.isPhase(1) && l.from == w.parties[1] && l.ceremony.Name() == "ceremony_partials" {
			return lost // she has given them
		}
		return arrives
	}
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	w.watch = nil
	lsp, alice := w.lsp(), w.parties[1]
	m := alice.with(lsp.id).m
	to, pending := m.Changing()
	if !pending {
		t.Fatalf("nothing is pending: %q", w.log)
	}
	w.online[1] = true // the channels alone: the LSP does not resume the update
	alice.step(alice.lines[0], (*channel.Machine).Connected)
	lsp.step(lsp.with(alice.id), (*channel.Machine).Connected)
	w.run()
	alice.step(alice.lines[0], func(m *channel.Machine) {
		m.Receive(&wire.ChangeAbort{ChannelID: m.ID, Data: []byte("what change?")})
	})
	if m.Failure == "" || len(m.Fundings) != 2 {
		t.Errorf("the channel goes on: %q, on %v", m.Failure, outputs(m))
	}
	if _, err := m.LatestCommitment(to); err != nil {
		t.Errorf("no commitment on the output that may come: %v", err)
	}
	alice.obey()
	if len(alice.left) == 0 {
		t.Error("she does not leave")
	}
}
