package gen

import (
	"testing"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// A client that keeps whatever comes is noticed.
func TestExposuresAreNoticed(t *testing.T) {
	f, err := exposures()
	if err != nil {
		t.Fatal(err)
	}
	if found := Verify([]vectors.File{f}, rule.Set{}); len(found) > 0 {
		t.Errorf("all rules: %v", found)
	}
	if found := Verify([]vectors.File{f}, rule.Without(rule.CHAN012)); len(found) != 13 {
		t.Errorf("%d vectors notice a client that keeps every HTLC", len(found))
	}
}
