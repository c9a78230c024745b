package conformance

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"superscalar/wire/rule"
)

// The suite allows the reasons that SPEC.md gives, and no others.
func TestReasonsAreThoseOfTheSpecification(t *testing.T) {
	text, err := os.ReadFile("../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]rule.ID{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [0-9]+ \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1) {
		if ids := rulesIn(row[2]); len(ids) > 0 && !strings.HasPrefix(row[2], "nothing") {
			want[row[1]] = ids
		}
	}
	if len(want) != len(reasons) {
		t.Errorf("SPEC.md gives rules for %d reasons, the suite has %d", len(want), len(reasons))
	}
	for _, r := range reasons {
		got := slices.Clone(r.rules)
		slices.Sort(got)
		if !slices.Equal(got, want[r.reason.String()]) {
			t.Errorf("reason %s: %v, SPEC.md says %v", r.reason, got, want[r.reason.String()])
		}
	}
}

// rulesIn are the ids in a row, "TREE-001 to TREE-003" written out, sorted.
func rulesIn(text string) []rule.ID {
	var out []rule.ID
	for _, m := range regexp.MustCompile(`([A-Z]+)-([0-9]{3})(?: to [A-Z]+-([0-9]{3}))?`).FindAllStringSubmatch(text, -1) {
		first, _ := strconv.Atoi(m[2])
		last, err := strconv.Atoi(m[3])
		if err != nil {
			last = first
		}
		for n := first; n <= last; n++ {
			out = append(out, rule.ID(fmt.Sprintf("%s-%03d", m[1], n)))
		}
	}
	slices.Sort(out)
	return out
}
