package role_test

import (
	"fmt"
	"slices"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// update is one that is cut at every message and every write.
type update struct {
	order  func(*cutWorld, wire.CeremonyID) error
	stands func(*factory.Tree) bool // the LSP's tree has it
	after  func(*cutWorld, wire.CeremonyID, string)
	enders func(message int) []int // whose process ends before a message
	// One of so many scenarios is played, always and in a short run.
	each, short int
}

// done reports whether an update is complete everywhere.
func (w *cutWorld) done(u update, id wire.CeremonyID) bool {
	f := w.lsp().lsp.Factory(id)
	if f.Interrupted() != "" || !u.stands(f.Tree()) || len(f.Tree().Unpoisoned()) > 0 {
		return false
	}
	for _, p := range w.parties {
		for _, c := range p.lines {
			if !c.m.Settled(c.m.Fundings[0].Txid) || c.m.LastLocked == (wire.Txid{}) {
				return false
			}
		}
	}
	return true
}

// goOn brings everybody back and repeats the order until the update is done.
func (w *cutWorld) goOn(u update, id wire.CeremonyID, what string) {
	w.t.Helper()
	for range 6 {
		w.revive()
		if w.done(u, id) {
			return
		}
		w.late()
		w.revive()
		w.agree(what)
		if w.done(u, id) {
			return
		}
		if f := w.lsp().lsp.Factory(id); f.Interrupted() == "" && !u.stands(f.Tree()) {
			w.unmoved(what)
			w.note("ordered again: %v", u.order(w, id))
		}
	}
	w.t.Fatalf("%s: not done: %q", what, w.log)
}

// agree checks that both sides of each channel have the same outputs and balances, and a
// commitment of their own on each that is theirs.
func (w *cutWorld) agree(what string) {
	w.t.Helper()
	lsp := w.lsp()
	for _, c := range lsp.lines {
		client := w.parties[w.clientOf(lsp, c.peer)]
		theirs := client.lineOf(lsp.id, c.m.ID)
		if theirs == nil {
			w.t.Fatalf("%s: %s has no channel on %v: %q", what, client.name, outputs(c.m), w.log)
		}
		if a, b := outputs(c.m), outputs(theirs.m); !slices.Equal(a, b) || c.m.Balance != theirs.m.Balance {
			w.t.Fatalf("%s: %s: the LSP has the channel on %v with %v, the client on %v with %v: %q", what, client.name, a, c.m.Balance, b, theirs.m.Balance, w.log)
		}
		for _, m := range []*channel.Machine{c.m, theirs.m} {
			for _, f := range m.Fundings {
				if _, err := m.LatestCommitment(f.Txid); (err == nil) == f.Absorbed() {
					w.t.Fatalf("%s: %s: a commitment on an output, absorbed %v: %v: %q", what, client.name, f.Absorbed(), err, w.log)
				}
			}
			if m.Failure != "" {
				w.t.Fatalf("%s: %s: the channel failed: %s: %q", what, client.name, m.Failure, w.log)
			}
		}
	}
}

// unmoved checks that an update that was called off has left nothing behind (CHG-009).
func (w *cutWorld) unmoved(what string) {
	w.t.Helper()
	for _, p := range w.parties {
		for _, c := range p.lines {
			if len(c.m.Fundings) != 1 || !c.m.Link().Up {
				w.t.Fatalf("%s: %s: called off, and the channel is on %v, in use: %v: %q", what, p.name, outputs(c.m), c.m.Link().Up, w.log)
			}
		}
	}
}

// at is the fate of message n.
func at(n int, f fate) func(int, letter) fate {
	return func(i int, _ letter) fate {
		if i == n {
			return f
		}
		return arrives
	}
}

// cutAnywhere makes an update without a cut, which finds its messages and writes, and then
// once for each point and each thing that can go wrong there.
func cutAnywhere(t *testing.T, disks []*disk, id wire.CeremonyID, u update) {
	t.Helper()
	letters, writes := uncut(t, disks, id, u)
	scenarios, orders := 0, 0
	try := func(what string, prepare func(w *cutWorld)) {
		t.Helper()
		scenarios++
		if (testing.Short() || raced) && scenarios%u.short != 0 || scenarios%u.each != 0 {
			return
		}
		w := newCutWorld(t, 2, disks)
		w.delivered = 0
		prepare(w)
		_ = u.order(w, id)
		w.watch = nil
		w.goOn(u, id, what)
		u.after(w, id, what)
		orders += w.orders
	}
	for k, name := range letters {
		n := k + 1
		for _, f := range []fate{lost, lastOne} {
			try(fmt.Sprintf("message %d, %s, %s", n, name, map[fate]string{lost: "is lost", lastOne: "is the last one"}[f]), func(w *cutWorld) { w.watch = at(n, f) })
		}
		for _, who := range u.enders(n) {
			try(fmt.Sprintf("party %d ends before message %d, %s", who, n, name), func(w *cutWorld) {
				w.watch = func(i int, _ letter) fate {
					if i == n {
						w.parties[who].dead = true
					}
					return arrives
				}
			})
		}
	}
	for who := range writes {
		for n := 1; n <= writes[who]; n++ {
			try(fmt.Sprintf("party %d ends with its write %d", who, n), func(w *cutWorld) {
				p := w.parties[who]
				p.last = p.writes + n
			})
		}
	}
	t.Logf("%d messages, writes %v, %d scenarios, the update was ordered %d times in all", len(letters), writes, scenarios, orders)
}

// uncut makes an update in which nothing goes wrong, and returns its messages and how often
// each party wrote.
func uncut(t *testing.T, disks []*disk, id wire.CeremonyID, u update) (letters []string, writes []int) {
	t.Helper()
	w := newCutWorld(t, 2, disks)
	w.watch = func(_ int, l letter) fate { letters = append(letters, l.String()); return arrives }
	w.delivered = 0
	for _, p := range w.parties {
		writes = append(writes, -p.writes)
	}
	if err := u.order(w, id); err != nil || !w.done(u, id) {
		t.Fatalf("not done without a cut: %v: %q, %v", err, w.log, letters)
	}
	for i, p := range w.parties {
		writes[i] += p.writes
	}
	w.watch = nil
	u.after(w, id, "without a cut")
	w.revive()
	for _, p := range w.parties {
		p.dead = true
	}
	w.revive()
	w.agree("after a restart of everybody")
	return letters, writes
}
