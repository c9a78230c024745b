package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A node without one of the expiry rules is noticed by a vector that names it.
func TestEveryExpiryRuleIsNoticed(t *testing.T) {
	f, err := htlcExpiries()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []rule.ID{rule.PCF057, rule.PCF087, rule.PCF088, rule.PCF093, rule.PCF094, rule.PCF099, rule.CHAN016, rule.PCF089, rule.PCF090, rule.CHAN040} {
		found := Verify([]vectors.File{f}, rule.Without(id))
		if !slices.ContainsFunc(found, func(m Mismatch) bool { return m.Rule == id }) {
			t.Errorf("nothing notices a node without %s", id)
		}
	}
}
