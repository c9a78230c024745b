package gen

import (
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A node that says an error of its own is noticed.
func TestRelayedErrorsAreNoticed(t *testing.T) {
	f, err := relayedErrors()
	if err != nil {
		t.Fatal(err)
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
	if found := Verify([]vectors.File{f}, rule.Without(rule.CHAN017)); len(found) == 0 {
		t.Error("nothing notices a node without CHAN-017")
	}
}
