package role_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
)

// A client that begins phase 1 asks each of its channels, and writes that it has begun.
// Its hub does not stand still meanwhile.

// talk delivers what channels say, until they are silent. The roles are busy.
func (w *cutWorld) talk() {
	for {
		at := slices.IndexFunc(w.queue, func(l letter) bool { return l.message != nil })
		if at < 0 {
			return
		}
		l := w.queue[at]
		w.queue = slices.Delete(w.queue, at, at+1)
		w.deliver(l)
	}
}

// changeAlone has the LSP call the change of an absorbed channel off, alone, pay the
// client there, and make the change again. It returns what the client has got.
func (w *cutWorld) changeAlone(absorbed *line, amount channel.MilliSat) (got channel.MilliSat) {
	lsp, alice := w.lsp(), w.parties[1]
	theirs := alice.lineOf(lsp.id, absorbed.m.ID)
	before := theirs.m.Balance[commitment.Accepter]
	lsp.step(absorbed, func(m *channel.Machine) { _ = m.AbortChange("alone") })
	w.talk()
	lsp.step(absorbed, func(m *channel.Machine) {
		add := channel.AddHTLC{Amount: amount, Hash: sha256.Sum256(preimages[1][:]), Expiry: 5000, Onion: make([]byte, 1366)}
		_, _ = m.Add(add) // it cannot where the client has begun
	})
	w.talk()
	for _, h := range alice.got {
		if h.Channel == theirs.m.ID {
			alice.step(theirs, func(m *channel.Machine) { _ = m.Fulfil(h.ID, preimages[1], false) })
		}
	}
	w.talk()
	got = theirs.m.Balance[commitment.Accepter] - before
	lsp.step(absorbed, func(m *channel.Machine) {
		whole, _ := m.Whole()
		_ = m.StartChange(-whole[commitment.Opener], nil)
	})
	w.talk()
	return got
}

// Whatever the LSP does to an absorbed channel, at whatever moment of a client that
// begins phase 1: the same update comes to its end with what the client was paid, or the
// client leaves. It never waits for an update that it cannot sign (CHG-028).
func TestAnAbsorbedChannelChangesWhileItsClientBegins(t *testing.T) {
	disks, id := chained(t)
	for n := 1; ; n++ {
		w := newCutWorld(t, 2, disks)
		lsp, alice := w.lsp(), w.parties[1]
		var absorbed *line
		for _, c := range lsp.all(alice.id) {
			if c.m.Value() == 30_000 {
				absorbed = c
			}
		}
		moments, begins, more := 0, false, channel.MilliSat(0)
		w.meanwhile = func(p *party) {
			if p != alice || !begins {
				return
			}
			if moments++; moments == n {
				more = w.changeAlone(absorbed, paid)
			}
		}
		w.watch = func(_ int, l letter) fate {
			begins = l.to == alice.id && l.isPhase(1) && l.ceremony.Name() == "ceremony_aggregate"
			return arrives
		}
		if err := w.cutThrough(id); err != nil {
			t.Fatal(err)
		}
		w.meanwhile, w.watch = nil, nil
		if moments < n {
			if n < 8 {
				t.Fatalf("control: %d moments", n)
			}
			t.Logf("%d moments", n-1)
			return
		}
		for range 4 {
			w.late()
			w.cut(2)
			w.run()
			w.revive() // the LSP resumes it
		}
		what, failed, has := fmt.Sprintf("at moment %d", n), false, channel.MilliSat(0)
		for _, c := range alice.lines {
			failed = failed || c.m.Failure != ""
			if !c.m.Ended() {
				has += c.m.Balance[commitment.Accepter]
			}
		}
		t.Logf("%s: paid %d msat, failed %v, done %v", what, more, failed, w.whole(id))
		switch want := held[0] + (held[1]+more)/1000*1000 + held[2]/1000*1000; {
		case failed && len(alice.left) > 0:
		case !w.whole(id):
			t.Errorf("%s: the leaf is frozen: %q", what, w.log)
		case has < want:
			t.Errorf("%s: the client has %d msat of %d", what, has, want)
		}
	}
}
