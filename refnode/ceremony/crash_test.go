package ceremony_test

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/wire"
)

// scenario is a ceremony that somebody dies in.
type scenario struct {
	name    string
	clients int
	before  snapshot
	start   func(w *world) // and runs
	after   func(w *world) // everything that has to work then
}

func (w *world) only() wire.CeremonyID {
	w.t.Helper()
	all := w.lsp.Factories()
	if len(all) != 1 {
		w.t.Fatalf("the LSP has %d factories", len(all))
	}
	return all[0].ID()
}

// buy starts an update or a sale by client 0.
func buy(start func(*ceremony.LSP) func(ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error)) func(*world) {
	return func(w *world) {
		w.t.Helper()
		if err := w.purchase(func() (wire.CeremonyID, []ceremony.Out, error) {
			return start(w.lsp)(ceremony.Purchase{Factory: w.only(), Buyer: 0, Amount: 5_000})
		}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func byUpdate(w *world) func(*ceremony.LSP) func(ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) {
	return func(l *ceremony.LSP) func(ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) {
		return func(p ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) { return l.Update(w.now, p) }
	}
}

func bySale(w *world) func(*ceremony.LSP) func(ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) {
	return func(l *ceremony.LSP) func(ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) {
		return func(p ceremony.Purchase) (wire.CeremonyID, []ceremony.Out, error) { return l.Sell(w.now, p) }
	}
}

// goOn completes what was interrupted, then changes the factory twice more.
func goOn(changes ...func(*world)) func(*world) {
	return func(w *world) {
		w.t.Helper()
		id := w.only()
		for range 3 {
			if w.lsp.Factory(id).Interrupted() == "" {
				break
			}
			w.resume()
		}
		if left := w.lsp.Factory(id).Interrupted(); left != "" {
			w.t.Fatalf("still interrupted: %s\n%v\n%v", left, w.events, w.log)
		}
		for _, change := range changes {
			before := w.changed()
			change(w)
			if w.changed() != before+1 {
				w.t.Fatalf("a change after the restart was not completed: %v\n%v", w.events, w.log)
			}
		}
		w.sameEverywhere(id)
		if left := w.lsp.Factory(id).Tree().Unpoisoned(); len(left) > 0 {
			w.t.Errorf("leaves %v have no poison", left)
		}
	}
}

// resume goes on with what was interrupted.
func (w *world) resume() {
	w.t.Helper()
	if err := w.purchase(func() (wire.CeremonyID, []ceremony.Out, error) { return w.lsp.Resume(w.now, w.only()) }); err != nil {
		w.t.Fatal(err)
	}
}

func scenarios(t *testing.T) []scenario {
	update := func(w *world) { buy(byUpdate(w))(w) }
	sale := func(w *world) { buy(bySale(w))(w) }
	made := func(n int, shape string, changes ...func(*world)) snapshot {
		w := newWorld(t, n)
		w.create(shape)
		for _, change := range changes {
			change(w)
		}
		return w.snapshot()
	}
	empty := func(n int) snapshot { return newWorld(t, n).snapshot() }
	create := func(shape string) func(*world) { return func(w *world) { w.create(shape) } }
	again := func(shape string) func(*world) {
		return func(w *world) {
			before := len(w.lsp.Factories())
			w.create(shape)
			if len(w.lsp.Factories()) != before+1 {
				w.t.Fatalf("no factory after the restart: %v\n%v", w.events, w.log)
			}
		}
	}
	return []scenario{
		{"creation, dw", 2, empty(2), create("kickoff 1 / dw 2"), again("kickoff 1 / dw 2")},
		{"creation, ps", 3, empty(3), create("kickoff 1 / ps 2"), again("kickoff 1 / ps 2")},
		{"sale", 2, made(2, "kickoff 1 / ps 2"), sale, goOn(sale, update)},
		{"sale after a sale, other leaf", 3, made(3, "static 2 / kickoff 1 / ps 2", sale), sale, goOn(sale, update)},
		{"update, dw", 2, made(2, "kickoff 1 / dw 2"), update, goOn(update)},
		{"update of a leaf with a sale", 2, made(2, "kickoff 1 / ps 2", sale), update, goOn(sale, update)},
		{"update after an update", 3, made(3, "kickoff 1 / dw 3", update), update, goOn(update)},
	}
}

// check is what holds at any time, for everybody.
func (w *world) check() {
	w.t.Helper()
	w.store.copied(w.t) // the records agree with themselves
	for _, m := range w.stores {
		m.copied(w.t)
	}
	for _, f := range w.lsp.Factories() {
		for _, m := range f.Members {
			i := int(m.Peer[1])<<8 | int(m.Peer[2])
			if w.clients[i].Held(f.ID()) == nil {
				w.t.Errorf("client %d does not hold the funded factory %s", i, f.ID())
			}
		}
	}
	if len(w.purse.broadcast) != len(w.lsp.Factories()) {
		w.t.Errorf("%d funding transactions are out, the LSP knows %d factories", len(w.purse.broadcast), len(w.lsp.Factories()))
	}
}

// watch wants no public nonce to be sent twice, and no more partial signatures
// than were recorded before (PS-010).
func (w *world) watch() {
	seen := map[[66]byte]bool{}
	sent := make([]int, len(w.clients))
	for i := range sent {
		sent[i] = w.stores[i].signed
	}
	w.bend = func(p packet) []packet {
		switch m := p.m.(type) {
		case *wire.Nonces:
			for _, n := range m.Nonces {
				if seen[n] {
					w.t.Errorf("client %d sends a nonce twice", p.client)
				}
				seen[n] = true
			}
		case *wire.Partials:
			if sent[p.client] += len(m.Partials); sent[p.client] > w.stores[p.client].signed {
				w.t.Errorf("client %d sends partial signatures that it did not record", p.client)
			}
		}
		return []packet{p}
	}
}

// die runs a scenario to a death and the start after it. It returns nil when
// the scenario ended before.
func (s scenario) die(t *testing.T, victim, at int, lose bool) *world {
	t.Helper()
	w := restored(t, s.before)
	w.watch()
	w.begin(victim, at)
	life := w.life(victim)
	s.start(w)
	if !life.dead {
		return nil
	}
	w.died = fmt.Sprintf("%s: party %d died at point %d, %s (messages under way lost: %v)", s.name, victim, at, life.where, lose)
	defer w.explain()
	w.bury(victim, lose)
	w.check()
	w.late()
	for _, c := range w.clients {
		c.Tick(w.now)
	}
	return w
}

// explain says who died where, when the test has failed.
func (w *world) explain() {
	if w.t.Failed() {
		w.t.Log(w.died)
	}
}

// every lets each party die at each point, or at every stride-th, and calls each
// with what is left.
func (s scenario) every(t *testing.T, losses []bool, stride int, each func(w *world)) (points int) {
	for victim := theLSP; victim < s.clients; victim++ {
		for _, lose := range losses {
			for at := points % stride; ; at += stride {
				w := s.die(t, victim, at, lose)
				if w == nil {
					break
				}
				points++
				func() {
					defer w.explain()
					each(w)
				}()
				if t.Failed() {
					t.FailNow() // the first is enough to look at
				}
			}
		}
	}
	return points
}

func TestCrashPoints(t *testing.T) {
	var total atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios(t) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				losses := []bool{true}
				if s.clients == 2 && s.name != "update of a leaf with a sale" {
					losses = []bool{false, true}
				}
				points := s.every(t, losses, 1, func(w *world) {
					s.after(w)
					w.check()
				})
				t.Logf("%d points", points)
				total.Add(int64(points))
			})
		}
	})
	t.Logf("%d crash points in all", total.Load())
	if total.Load() < 800 {
		t.Errorf("%d crash points: the ceremonies have more", total.Load())
	}
}

// progress says how far each party got with its last change.
func (w *world) progress() string {
	id := w.only()
	text := w.lsp.Factory(id).Interrupted()
	for _, c := range w.clients {
		changes := c.Held(id).Changes
		last := changes[max(0, len(changes)-1):]
		for _, ch := range last {
			text += fmt.Sprintf(" / %v %d", ch.Begun, len(ch.Phases))
		}
	}
	return text
}

// A change that is interrupted in whatever way can be interrupted again while it
// is completed: every fifth point of each.
func TestCrashTwice(t *testing.T) {
	var total atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, s := range scenarios(t) {
			if s.clients != 2 || s.name == "creation, dw" {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				ways := map[string]snapshot{}
				s.every(t, []bool{true}, 1, func(w *world) {
					if w.lsp.Factory(w.only()).Interrupted() != "" {
						ways[w.progress()] = w.snapshot()
					}
				})
				points := 0
				for _, way := range slices.Sorted(maps.Keys(ways)) {
					resume := scenario{name: s.name + ", " + way, clients: s.clients, before: ways[way], start: (*world).resume}
					points += resume.every(t, []bool{true}, 5, s.after)
				}
				t.Logf("%d ways to be interrupted, %d points", len(ways), points)
				total.Add(int64(points))
			})
		}
	})
	t.Logf("%d second crash points in all", total.Load())
	if total.Load() < 300 {
		t.Errorf("%d crash points: the ceremonies have more", total.Load())
	}
}
