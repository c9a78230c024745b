package exit_test

import (
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
)

// TestPoisonOfOneLeafIsEnough : after an update above two leaves one of them never
// gets its poison, and the other goes on changing (POI-010). Whatever is published
// then, the clients of the leaf with poison have what they always have: with coins
// their channels in time, without at least their cover. A client of the other leaf
// that lacks poison is the control: the exploration notices what it is for.
func TestPoisonOfOneLeafIsEnough(t *testing.T) {
	for _, tt := range []struct {
		shape   string
		changes []string // after the update above both leaves
	}{
		{"kickoff 1 / state 2 / kickoff 1 / dw 2", []string{"", "U"}},
		{"kickoff 1 / state 2 / kickoff 1 / ps 2", []string{"", "U", "S", "US", "SU"}},
	} {
		for _, changes := range tt.changes {
			t.Run(tt.shape+" "+changes, func(t *testing.T) {
				const clients, last = 4, 3
				h := history{clients: clients, shape: tt.shape, changes: "uu" + changes, params: func(p *factory.Params) { p.States = 2 }}
				before := h
				before.changes = ""
				first, _, _ := before.past(t)
				tree := first.factory().Tree()
				leaf, _ := tree.Factory().Layout().Leaf(last)
				s := sprout{tree: tree, only: &leaf}
				for i, c := range h.changes {
					var err error
					if s, err = s.growAt(i, c, leaf); err != nil {
						t.Fatal(err)
					}
				}
				stocks := map[btcwire.OutPoint]bool{}
				all := everything(s.tree, stocks)
				var sum explored
				for _, c := range []factory.ClientIndex{2, last} {
					sum.check(t, h, s, c, all, stocks, func(*factory.Tx) bool { return true })
				}
				t.Log(&sum)
				if changes == "" {
					missesPoison(t, s, all, stocks)
				}
			})
		}
	}
}

// growAt grows by a change; the first one has all of its poison.
func (s sprout) growAt(i int, c rune, only factory.NodeID) (sprout, error) {
	s.only = &only
	if i == 0 {
		s.only = nil
	}
	return s.grow(c)
}

// missesPoison wants the exploration to find that client 0, whose leaf has no
// poison, can get less than poison would give it, and not less than its cover,
// which does not count on poison that is missing.
func missesPoison(t *testing.T, s sprout, all []*factory.Tx, stocks map[btcwire.OutPoint]bool) {
	t.Helper()
	m := newModel(t, "control", s, 0, false, all, stocks, func(*factory.Tx) bool { return true })
	faults := 0
	m.fail = func(string) { faults++ }
	cover, err := s.tree.Cover(0)
	if err != nil {
		t.Fatal(err)
	}
	m.checkCover(cover)
	if faults != 0 {
		t.Errorf("%d ways to get less than the cover of %d sat", faults, cover)
	}
	leaf, _ := s.tree.Factory().Layout().Leaf(0)
	poisoned, err := s.tree.Poisoned(leaf).Cover(0)
	if err != nil {
		t.Fatal(err)
	}
	m.checkCover(poisoned)
	if faults == 0 {
		t.Error("poison makes no difference here")
	}
}
