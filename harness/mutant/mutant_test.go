package mutant_test

import (
	"testing"
	"time"

	"superscalar/conformance"
	"superscalar/harness/mutant"
)

// The catalogue against the suite: every mutant is killed for the reason it
// states, every case kills one, every checked requirement has one.
func TestMatrix(t *testing.T) {
	m, err := mutant.Run(t.Context(), mutant.Catalogue(), conformance.Cases(), mutant.Options{Seed: 1, Parallel: 8, Deadline: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Results {
		if r.Survived() && r.Excuse == "" {
			t.Errorf("%s survived: %s; others: %v", r.Mutant.ID, r.Mutant.Breaks, r.Others)
		}
		if r.Blind {
			t.Errorf("%s: no vector of its rule notices it", r.Mutant.ID)
		}
		for _, c := range r.Controls {
			t.Errorf("%s: control failed: %s", r.Mutant.ID, c)
		}
	}
	for _, name := range m.Idle {
		t.Errorf("case %s killed no mutant", name)
	}
	for _, id := range m.Unguarded {
		t.Errorf("%s has no mutant", id)
	}
	t.Logf("%d mutants in %v", len(m.Results), m.Took)
}
