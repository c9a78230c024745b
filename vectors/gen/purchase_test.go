package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A node that takes the stock of the buyer's group for that of another one is noticed.
func TestPurchasesAreNoticed(t *testing.T) {
	f, err := purchases()
	if err != nil {
		t.Fatal(err)
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
	for _, id := range []rule.ID{rule.CHG015, rule.PS005} {
		if !slices.ContainsFunc(Verify([]vectors.File{f}, rule.Without(id)), func(m Mismatch) bool { return m.Rule == id }) {
			t.Errorf("nothing notices a node without %s", id)
		}
	}
}
