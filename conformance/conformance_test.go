package conformance_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/report"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func refnodeRunner(envelope wire.MsgType) (*harness.Runner, []harness.Instance) {
	target := harness.NewRefnode(harness.RefnodeOptions{Envelope: envelope})
	opts := harness.Options{Seed: 1, Deadline: 30 * time.Second, Command: "superscalar conform", Envelope: envelope}
	return &harness.Runner{Target: target, Opts: opts}, harness.Select(conformance.Cases(), target, opts)
}

// The whole suite against the reference node, as Ginkgo specs.
func TestConformance(t *testing.T) {
	run, instances := refnodeRunner(0)
	harness.Specs("the reference node", instances, func(i harness.Instance) report.Case {
		return run.Run(t.Context(), i)
	}, func(c report.Case) {
		if c.State != report.Passed {
			for i := range c.Failures {
				report.WriteFailure(os.Stderr, &c, &c.Failures[i])
			}
		}
	})
	ginkgo.RunSpecs(t, "conformance")
	if err := run.Broken(); err != nil {
		t.Fatal(err)
	}
	r := run.Report(run.RunAll(t.Context(), instances, 4), 0)
	if r.Verdict != report.Conformant {
		t.Errorf("the verdict is %s", r.Verdict)
	}
}

// The same in the compatibility form of the envelope (PCF-007).
func TestConformanceInCompatibilityForm(t *testing.T) {
	run, instances := refnodeRunner(wire.TypeFactoryCompat)
	for _, c := range run.RunAll(t.Context(), instances, 4) {
		if c.State != report.Passed {
			t.Errorf("%s: %s %s %v", c.Name, c.State, c.Reason, c.Failures)
		}
	}
}

// What one seed makes the suite send does not depend on order or on the run.
func TestASeedDecidesEveryByte(t *testing.T) {
	digests := func(shuffle bool, seed uint64) map[string]string {
		run, instances := refnodeRunner(0)
		run.Opts.Seed = seed
		run.RunAll(t.Context(), harness.Order(instances, shuffle, 7), 4)
		out := map[string]string{}
		for _, i := range instances {
			out[i.Name()] = run.Digest(i.Name())
		}
		return out
	}
	a, b, other := digests(false, 1), digests(true, 1), digests(false, 2)
	differ := 0
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s sent other bytes in another order of cases", name)
		}
		if a[name] != other[name] {
			differ++
		}
	}
	if differ < len(a)/2 {
		t.Errorf("another seed changed only %d of %d cases", differ, len(a))
	}
}

// Declarations are data: they can be checked without running anything.
func TestDeclarations(t *testing.T) {
	form := regexp.MustCompile(`^(trn|pcf|chan|chg|tree|script|delay|sign|cer|dist|poi|ps)/[a-z]+/[a-z0-9-]+$`)
	seen := map[string]bool{}
	guarded := map[rule.ID]bool{}
	for _, c := range conformance.Cases() {
		if !form.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("case name %q is malformed or taken", c.Name)
		}
		seen[c.Name] = true
		if c.Summary == "" || !strings.HasSuffix(c.Summary, ".") || c.Body == nil || c.Since == "" || len(c.Rules) == 0 {
			t.Errorf("%s lacks a summary, a body, a version or rules", c.Name)
			continue
		}
		for _, id := range c.Rules {
			q, ok := rule.Embedded().Lookup(id)
			if !ok || q.Check != rule.ByCase {
				t.Errorf("%s names %s, which SPEC.md does not have checked by a case", c.Name, id)
			}
			guarded[id] = true
		}
		if area, _, _ := strings.Cut(c.Name, "/"); !strings.EqualFold(area, c.Rules[0].Area()) {
			t.Errorf("%s is about %s", c.Name, c.Rules[0])
		}
	}
	for _, q := range rule.Embedded().Requirements {
		if q.Check == rule.ByCase && !guarded[q.ID] {
			t.Errorf("%s is checked by a case, and no case names it", q.ID)
		}
	}
}
