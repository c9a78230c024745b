package role_test

import (
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/wire"
)

// What was signed on the output of a change that was called off stays punishable when
// the same update is made again, on the same output (CHG-026).

// stolen is what a process held of a channel on a day: its commitments of then can be
// published whenever their output is there.
type stolen struct {
	state []byte
	txid  wire.Txid // of the new output
}

// callOff makes an update that stops when the channels are committed, before phase 1
// reaches the first client, which calls it off. It returns what thief had of the channel
// with an id then.
func (w *cutWorld) callOff(thief *party, peer wire.Point, id wire.ChannelID, order func() error) (held stolen) {
	w.t.Helper()
	alice := w.parties[1]
	w.watch = func(_ int, l letter) fate {
		if l.isPhase(1) && l.ceremony.Name() == "ceremony_aggregate" && l.to == alice.id {
			m := thief.lineOf(peer, id).m
			held.state = m.Encode()
			held.txid, _ = m.Changing()
			return lost
		}
		return arrives
	}
	if err := order(); err != nil || held.state == nil {
		w.t.Fatalf("%v: %q", err, w.log)
	}
	w.watch = nil
	w.cut(2)
	w.run()
	w.connect(1)
	w.run()
	for _, p := range []*party{w.lsp(), alice} {
		for _, c := range p.lines {
			if c.peer[1] <= 1 && len(c.m.Fundings) != 1 {
				w.t.Fatalf("not called off: %s is on %v: %q", p.name, outputs(c.m), w.log)
			}
		}
	}
	return held
}

// endAll ends and starts the processes of the LSP and the first client.
func (w *cutWorld) endAll() {
	for _, p := range w.parties[:2] {
		p.dead = true
		w.run()
		p.start()
	}
	w.run()
	w.connect(1)
	w.run()
}

// punished checks that who is stolen from takes all of the commitment that the thief had.
func (w *cutWorld) punished(thief, victim *party, id wire.ChannelID, held stolen) {
	w.t.Helper()
	from, at := thief.lineOf(victim.id, id), victim.lineOf(thief.id, id)
	key, err := thief.registry.FundingKey(victim.id, from.m.Open)
	if err != nil {
		w.t.Fatal(err)
	}
	old, err := channel.Restore(thief.channelConfig(victim.id, key), held.state)
	if err != nil {
		w.t.Fatal(err)
	}
	cheat, err := old.LatestCommitment(held.txid)
	if err != nil {
		w.t.Fatalf("the thief has no commitment on the new output: %v", err)
	}
	if at.m.Fundings[0].Txid != held.txid || at.m.Revoked.Next() <= cheat.State.Number {
		w.t.Fatalf("it is on %v, the other's commitments revoked up to %d", outputs(at.m), at.m.Revoked.Next())
	}
	plan := victim.plan(at, chainView{funding: chainhash.Hash(held.txid), spend: cheat.Tx})
	if plan.End != closing.Revoked {
		w.t.Fatalf("%s takes commitment %d for %v", victim.name, cheat.State.Number, plan.End)
	}
	if taken, want := takes(plan), at.m.Fundings[0].Value-cheat.Fee-1_000; taken < want {
		w.t.Errorf("%s takes %d sat of it, at least %d are there", victim.name, taken, want)
	}
}

// paysBack is a payment of the first client, in its first channel.
func (w *cutWorld) paysBack(amount channel.MilliSat) {
	w.t.Helper()
	preimage, lsp, alice := [32]byte{9}, w.lsp(), w.parties[1]
	alice.step(alice.lines[0], func(m *channel.Machine) {
		add := channel.AddHTLC{Amount: amount, Hash: sha256.Sum256(preimage[:]), Expiry: 5000, Onion: make([]byte, 1366)}
		if _, err := m.Add(add); err != nil {
			w.t.Fatal(err)
		}
	})
	w.run()
	for _, h := range lsp.got {
		if h.Hash == sha256.Sum256(preimage[:]) {
			lsp.step(lsp.with(alice.id), func(m *channel.Machine) { _ = m.Fulfil(h.ID, preimage, false) })
		}
	}
	w.run()
}

// Either side has the other's signature on the output of a change that is called off,
// once or twice. Money moves, and the commitment of then is revoked. The same update
// comes to its end, and the thief publishes what it had.
func TestACommitmentOfAChangeThatWasCalledOffIsPunished(t *testing.T) {
	disks, id := before(t)
	for _, tt := range []struct {
		name    string
		lsp     bool // is the thief
		restart bool
		times   int
	}{
		{"lsp", true, false, 1}, {"client", false, false, 1},
		{"lsp, after restarts", true, true, 1}, {"client, after restarts", false, true, 1},
		{"lsp, called off again", true, false, 2}, {"client, called off again", false, true, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newCutWorld(t, 2, disks)
			channelID := w.parties[1].lines[0].m.ID
			sides := func() (thief, victim *party) {
				if tt.lsp {
					return w.lsp(), w.parties[1]
				}
				return w.parties[1], w.lsp()
			}
			w.settle(1)
			w.offer(1, preimages[0], 60_000_000)
			w.settle(1)
			thief, victim := sides()
			var held stolen
			for n := range tt.times {
				held = w.callOff(thief, victim.id, channelID, func() error {
					if n == 0 {
						return w.sell(id)
					}
					w.connect(2) // the LSP resumes it
					w.run()
					return nil
				})
			}
			if n := len(victim.lineOf(thief.id, channelID).m.CalledOff); n != 1 {
				t.Errorf("it keeps %d outputs that were called off", n)
			}
			if tt.restart {
				w.endAll()
			}
			if tt.lsp {
				w.offer(1, preimages[0], 5_000_000)
				w.settle(1)
			} else {
				w.paysBack(70_000_000)
			}
			if n := len(victim.lineOf(thief.id, channelID).m.CalledOff); n != 0 {
				t.Errorf("it keeps %d outputs that are on record", n)
			}
			if tt.restart {
				w.endAll()
			}
			w.connect(2)
			w.run()
			w.finish(id, "made again")
			w.punished(thief, victim, channelID, held)
		})
	}
}

// The same where channels become one: what the client has in those that are absorbed
// counts in the commitment that was called off, and has moved before the next attempt.
func TestACommitmentOfACutThroughThatWasCalledOffIsPunished(t *testing.T) {
	disks, id := chained(t)
	for _, lsp := range []bool{true, false} {
		w := newCutWorld(t, 2, disks)
		alice := w.parties[1]
		stays := slices.IndexFunc(alice.lines, func(c *line) bool { return c.m.Value() == 100_000 })
		channelID := alice.lines[stays].m.ID
		thief, victim := alice, w.lsp()
		if lsp {
			thief, victim = victim, thief
		}
		held := w.callOff(thief, victim.id, channelID, func() error { return w.cutThrough(id) })
		w.endAll()
		for _, c := range w.lsp().all(alice.id) {
			if c.m.ID != channelID {
				w.pays(c, 1_000_000)
			}
		}
		w.connect(2)
		w.run()
		if !w.whole(id) {
			t.Fatalf("not done: %q", w.log)
		}
		w.punished(thief, victim, channelID, held)
	}
}
