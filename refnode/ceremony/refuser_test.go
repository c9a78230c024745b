package ceremony_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// twoLeaves is a factory of four clients, two to a leaf, in which the next update
// of client 0 replaces the state above both leaves.
func twoLeaves(t *testing.T) (*world, wire.CeremonyID) {
	w := newWorld(t, 4)
	id := w.create("kickoff 1 / state 2 / kickoff 1 / dw 2")
	for range 3 {
		if err := w.update(id, 0, 5_000); err != nil {
			t.Fatal(err)
		}
	}
	if at, ok := w.lsp.Factory(id).Tree().Lowest([]factory.ClientIndex{0}); !ok || at.Level != 1 {
		t.Fatalf("the next update is of %s: %v", at, w.events)
	}
	return w, id
}

// refusesPoison loses what client 0 says about poison; of stored, only that it has
// stored it.
func refusesPoison(stored bool) func(packet) []packet {
	poison := map[wire.CeremonyID]bool{}
	return func(p packet) []packet {
		if p.client != 0 {
			return []packet{p}
		}
		phase := uint8(0)
		switch m := p.m.(type) {
		case *wire.Poison:
			poison[m.Ceremony] = true
		case *wire.Nonces:
			if phase = m.Phase; stored {
				return []packet{p}
			}
		case *wire.Stored:
			phase = m.Phase
		}
		if p.toLSP && (phase == 2 || poison[p.m.ID()] && (!stored || p.m.Type() == wire.TypeStored)) {
			return nil
		}
		return []packet{p}
	}
}

// wholePoison wants every client to have what poisons the leaves that were
// replaced on its path, complete, and to wait for none.
func (w *world) wholePoison(id wire.CeremonyID, clients ...int) {
	w.t.Helper()
	for _, i := range clients {
		for _, h := range []*ceremony.Held{w.clients[i].Held(id), w.reopened(i, id)} {
			if left := h.Tree().Unpoisoned(); len(left) > 0 {
				w.t.Errorf("client %d waits for the poison of %v", i, left)
			}
			own := 0
			for _, t := range h.Tree().SignedPoison() {
				if !t.Signers.Contains(factory.ClientIndex(i)) {
					continue
				}
				own++
				if _, err := h.Complete(t); err != nil {
					w.t.Errorf("client %d: poison of leaf %s: %v", i, t.Node, err)
				}
			}
			if own == 0 {
				w.t.Errorf("client %d has no poison", i)
			}
		}
	}
}

// A client that refuses the poison of an update above two leaves, or does not say
// that it has it, blocks its own leaf alone (POI-010), whoever restarts, and
// blocks nothing once it does its part.
func TestARefuserOfPoisonBlocksItsLeafAlone(t *testing.T) {
	for _, tt := range []struct {
		name             string
		stored, restarts bool
	}{{"refuses", false, false}, {"refuses, restart", false, true}, {"is silent at the end", true, false}, {"is silent at the end, restart", true, true}} {
		t.Run(tt.name, func(t *testing.T) {
			w, id := twoLeaves(t)
			restart := func() {
				if tt.restarts {
					w = restored(t, w.snapshot())
				}
				w.bend = refusesPoison(tt.stored)
			}
			restart()
			if err := w.update(id, 0, 5_000); err != nil {
				t.Fatal(err)
			}
			w.late()
			restart()
			for _, buyer := range []factory.ClientIndex{0, 3} {
				if err := w.update(id, buyer, 6_000); !errors.Is(err, ceremony.ErrInterrupted) {
					t.Fatalf("before anything is poisoned, buyer %d: %v", buyer, err)
				}
			}
			for range 2 { // the second time there is nothing to do for the other leaf
				w.resume()
				w.late()
				restart()
			}
			before := w.changed()
			if err := w.update(id, 3, 6_000); err != nil || w.changed() != before+1 {
				t.Fatalf("the other leaf does not change: %v, %v", err, w.events)
			}
			w.wholePoison(id, 2, 3)
			restart()
			if err := w.update(id, 0, 6_000); !errors.Is(err, ceremony.ErrInterrupted) {
				t.Fatalf("a change of the leaf without poison: %v", err)
			}
			if got := w.lsp.Factory(id).Interrupted(); got == "" {
				t.Error("nothing is interrupted any more")
			}
			w.bend = nil
			w.resume()
			if left := w.lsp.Factory(id).Interrupted(); left != "" {
				t.Fatalf("still interrupted: %s, %v", left, w.events)
			}
			for _, buyer := range []factory.ClientIndex{0, 2, 1} {
				before := w.changed()
				if err := w.update(id, buyer, 6_000); err != nil || w.changed() != before+1 {
					t.Fatalf("buyer %d afterwards: %v, %v", buyer, err, w.events)
				}
			}
			w.sameEverywhere(id)
			w.wholePoison(id, 0, 1, 2, 3)
			if left := w.lsp.Factory(id).Tree().Unpoisoned(); len(left) > 0 {
				t.Errorf("leaves %v have no poison", left)
			}
		})
	}
}

// While an update above a leaf may lack its state somewhere, the leaf changes only
// with that update, and it is no poison that is asked for.
func TestALeafWaitsForTheStateAboveIt(t *testing.T) {
	w, id := twoLeaves(t)
	w = restored(t, w.snapshot())
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Partials); ok && m.Phase == 1 && p.client == 0 {
			return nil
		}
		return []packet{p}
	}
	if err := w.update(id, 0, 5_000); err != nil {
		t.Fatal(err)
	}
	w.late()
	w.bend = nil
	if err := w.update(id, 3, 6_000); !errors.Is(err, ceremony.ErrInterrupted) {
		t.Errorf("a change below a state that may come out: %v", err)
	}
	leaf, _ := w.lsp.Factory(id).Tree().Factory().Layout().Leaf(3)
	if _, _, err := w.lsp.Poison(w.now, id, leaf); !errors.Is(err, ceremony.ErrNothingInterrupted) {
		t.Errorf("poison below a state that is not complete: %v", err)
	}
	w.resume()
	if left := w.lsp.Factory(id).Interrupted(); left != "" {
		t.Fatalf("still interrupted: %s", left)
	}
	w.sameEverywhere(id)
	w.wholePoison(id, 0, 1, 2, 3)
}

// The same at every point at which somebody can die, the poison being asked for
// leaf by leaf afterwards.
func TestCrashPointsAboveLeaves(t *testing.T) {
	w, _ := twoLeaves(t)
	update := func(w *world) { buy(byUpdate(w))(w) }
	s := scenario{name: "update above two leaves", clients: 4, before: w.snapshot(), start: update, after: goOn(update)}
	points := s.every(t, []bool{true}, 3, func(w *world) {
		s.after(w)
		w.check()
		w.wholePoison(w.only(), 0, 1, 2, 3)
	})
	t.Logf("%d points", points)
	if points < 60 {
		t.Errorf("%d points: the ceremony has more", points)
	}
}
