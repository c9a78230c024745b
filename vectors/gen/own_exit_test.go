package gen

import (
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A client that does not leave by itself is noticed.
func TestOwnExitsAreNoticed(t *testing.T) {
	f, err := ownExits()
	if err != nil {
		t.Fatal(err)
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
	if found := Verify([]vectors.File{f}, rule.Without(rule.CHG029)); len(found) != 6 {
		t.Errorf("%d vectors notice a client that waits", len(found))
	}
}
