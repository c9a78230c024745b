package gen

import (
	"slices"
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// TestEveryPlaceIsNoticed switches off the rule of each message out of place: that very
// vector has to notice.
func TestEveryPlaceIsNoticed(t *testing.T) {
	n := 0
	for _, f := range load(t) {
		for _, v := range f.Vectors {
			p, ok := v.(*vectors.OutOfPlace)
			if !ok {
				continue
			}
			n++
			if err := (runner{talks: &lives}).outOfPlace(p); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
			if p.Error == nil || slices.Contains(otherwise, p.Name) {
				continue
			}
			if (runner{talks: &lives, rules: rule.Without(p.Error.Rule)}).outOfPlace(p) == nil {
				t.Errorf("%s does not notice a node without %s", p.Name, p.Error.Rule)
			}
		}
	}
	if n < 50 {
		t.Errorf("%d messages", n)
	}
}

// otherwise are those that another rule answers in the same way.
var otherwise = []string{}
