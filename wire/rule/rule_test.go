package rule_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"superscalar/wire/rule"
)

// The registry is generated from SPEC.md and must never differ from it.
func TestRegistryIsThatOfTheSpecification(t *testing.T) {
	f, err := os.Open("../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want, err := rule.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, rule.Embedded()); diff != "" {
		t.Errorf("registry.json is stale, run `go run . spec --write .` (-SPEC.md +registry.json):\n%s", diff)
	}
	ids, err := os.ReadFile("ids.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ids, rule.Constants(want)) {
		t.Error("ids.go is stale, run `go run . spec --write .`")
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "- **TRN-001** (both) A node MUST be kind. *Source:* BOLT 1. *Check:* case\n"
	for _, c := range []struct{ name, text, want string }{
		{"no version", good, "no line"},
		{"two keywords", strings.Replace(good, "be", "and SHOULD be", 1), "2 keywords"},
		{"no keyword", strings.Replace(good, "MUST", "must", 1), "0 keywords"},
		{"no source", strings.Replace(good, "*Source:* BOLT 1. ", "", 1), "a requirement reads"},
		{"unknown role", strings.Replace(good, "both", "everybody", 1), "a requirement reads"},
		{"unclassified", strings.Replace(good, "case", "later", 1), "is none of"},
		{"untestable without a reason", strings.Replace(good, "case", "untestable", 1), "is none of"},
		{"id used twice", good + good, "never reused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := rule.Parse(strings.NewReader(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestSet(t *testing.T) {
	var all rule.Set
	if !all.On("TRN-001") || !all.Complete() {
		t.Error("the zero Set does not keep every rule")
	}
	s := rule.Without("TRN-001")
	if s.On("TRN-001") || !s.On("TRN-002") || s.Complete() {
		t.Error("Without(TRN-001) does not switch off exactly TRN-001")
	}
}
