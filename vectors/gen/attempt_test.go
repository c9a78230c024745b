package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A node without one of the rules about attempts is noticed. What PCF-165 ends beside the
// attempt is a channel, and here is none.
func TestEveryAttemptRuleIsNoticed(t *testing.T) {
	f, err := attempts()
	if err != nil {
		t.Fatal(err)
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
	for _, id := range []rule.ID{rule.PCF075, rule.PCF076, rule.PCF079} {
		if !slices.ContainsFunc(Verify([]vectors.File{f}, rule.Without(id)), func(m Mismatch) bool { return m.Rule == id }) {
			t.Errorf("nothing notices a node without %s", id)
		}
	}
}
