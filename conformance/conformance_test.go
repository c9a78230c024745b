package conformance_test

import (
	"context"
	"testing"
	"time"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/report"
)

func TestQuick(t *testing.T) {
	target := harness.NewRefnode(harness.RefnodeOptions{})
	opts := harness.Options{Seed: 1, Deadline: 5 * time.Second, Command: "superscalar conform"}
	r := &harness.Runner{Target: target, Opts: opts}
	start := time.Now()
	res := r.RunAll(context.Background(), harness.Select(conformance.Cases(), target, opts), 4)
	t.Logf("%d in %v", len(res), time.Since(start))
	if r.Broken() != nil {
		t.Error(r.Broken())
	}
	for _, c := range res {
		if c.State != report.Passed {
			t.Errorf("%s %s %s", c.Name, c.State, c.Reason)
			for _, f := range c.Failures {
				t.Errorf("   %s %s: %s (want %v, at %s)", f.Rule, f.Message, f.Received, f.Expected, f.Position)
			}
		}
	}
}
