package harness_test

import (
	"testing"
	"time"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/report"
)

// A peer that implements nothing passes nothing, and every case runs against
// it.
func TestNullPeersScoreZero(t *testing.T) {
	opts := harness.Options{Seed: 3, Deadline: 200 * time.Millisecond}
	reference := len(harness.Select(conformance.Cases(), harness.NewRefnode(harness.RefnodeOptions{}), opts))
	for _, kind := range harness.Nulls {
		t.Run(kind, func(t *testing.T) {
			target, err := harness.NewNull(kind)
			if err != nil {
				t.Fatal(err)
			}
			run := &harness.Runner{Target: target, Opts: opts}
			results := run.RunAll(t.Context(), harness.Select(conformance.Cases(), target, opts), 32)
			if err := run.Broken(); err != nil {
				t.Fatal(err)
			}
			for _, c := range results {
				if c.State != report.Failed {
					t.Errorf("%s: %s %s", c.Name, c.State, c.Reason)
				}
			}
			if len(results) != reference {
				t.Errorf("%d cases ran, %d run against the reference node", len(results), reference)
			}
		})
	}
}

func TestUnknownNullPeerIsRefused(t *testing.T) {
	if _, err := harness.NewNull("loud"); err == nil {
		t.Error("a null peer nobody wrote was made")
	}
}
