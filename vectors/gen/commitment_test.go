package gen

import (
	"slices"
	"testing"

	"superscalar/wire/rule"
)

// A node without one of the rules on channel transactions, or without a part
// of one, does not pass.
func TestChannelMutantsAreCaught(t *testing.T) {
	files := load(t)
	for _, id := range []rule.ID{
		rule.CHAN030, rule.CHAN031, rule.CHAN032, rule.CHAN033,
		rule.CHAN032 + "/commitment", rule.CHAN032 + "/htlc", rule.CHAN032 + "/high-s", rule.CHAN032 + "/count",
	} {
		whole := id[:len("CHAN-000")]
		found := Verify(Naming(files, whole), rule.Without(id))
		if !slices.ContainsFunc(found, func(m Mismatch) bool { return m.Rule == whole }) {
			t.Errorf("%s: no vector notices", id)
		}
	}
}
