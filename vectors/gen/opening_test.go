package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A node without one of the rules that its receivers and answers keep is noticed by a
// vector that names it.
func TestEveryOpeningRuleIsNoticed(t *testing.T) {
	f, err := openings()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []rule.ID{rule.CHAN003, rule.CHAN003 + "/peer", rule.CHAN004, rule.CHAN005, rule.CHAN006, rule.CHAN036, rule.CHAN037, rule.PCF074} {
		found := Verify([]vectors.File{f}, rule.Without(id))
		if !slices.ContainsFunc(found, func(m Mismatch) bool { return m.Rule == id || m.Rule+"/peer" == id }) {
			t.Errorf("nothing notices a node without %s", id)
		}
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
}
