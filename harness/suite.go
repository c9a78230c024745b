package harness

import (
	"context"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"

	"superscalar/harness/report"
	"superscalar/wire/rule"
)

// Preparer is a target that has to be brought up before a run.
type Preparer interface {
	Target
	// Prepare returns an error, usually ErrUnreachable, when the target cannot
	// be tested at all.
	Prepare(ctx context.Context) error
}

// Ginkgo runs instances as specs of one Ginkgo suite, each labelled with its
// requirement ids, and hands every result to done. Ginkgo can do this once per
// process; repetitions, null peers and mutants call Runner.RunAll instead.
// Ginkgo's own output is dropped: the report says more.
func Ginkgo(name string, instances []Instance, run func(Instance) report.Case, done func(report.Case)) {
	formatter.ColorableStdOut = io.Discard
	Specs(name, instances, run, done)
	suite, reporter := ginkgo.GinkgoConfiguration()
	ginkgo.RunSpecs(quietT{}, name, suite, reporter)
}

// Specs declares the specs without running them, for `go test`.
func Specs(name string, instances []Instance, run func(Instance) report.Case, done func(report.Case)) {
	ginkgo.Describe(name, ginkgo.Ordered, ginkgo.ContinueOnFailure, func() {
		for _, inst := range instances {
			labels := make(ginkgo.Labels, len(inst.Case.Rules))
			for i, id := range inst.Case.Rules {
				labels[i] = string(id)
			}
			ginkgo.It(inst.Name(), labels, func() {
				result := run(inst)
				done(result)
				settle(result)
			})
		}
	})
}

// settle tells Ginkgo what became of a case.
func settle(c report.Case) {
	switch c.State {
	case report.Failed, report.UnexpectedPass:
		text := "passed although it was declared to fail: " + c.Issue
		for _, f := range c.Failures {
			text = f.Rule + ": " + f.Message + ": " + f.Received
		}
		ginkgo.Fail(text)
	case report.Skipped, report.Unsupported, report.ExpectedFailure:
		ginkgo.Skip(string(c.State) + ": " + c.Reason)
	}
}

// quietT is what Ginkgo reports a failed suite to; the results are known.
type quietT struct{}

func (quietT) Fail() {}

// Report builds the report of a run out of its results.
func (r *Runner) Report(results []report.Case, took time.Duration) *report.Report {
	out := &report.Report{
		Suite:      report.Suite{Name: "superscalar", Version: Version, Commit: commit(), SpecVersion: rule.Embedded().SpecVersion},
		Target:     report.Target{Kind: r.Target.Kind(), Version: r.version, Role: roleOf(results)},
		Cases:      results,
		DurationMS: took.Milliseconds(),
		Options: report.Options{
			Tier: string(r.Opts.Tier), Profile: string(r.Opts.Profile), Seed: r.Opts.Seed,
			Deadline: r.Opts.Deadline.String(), Command: r.Opts.Command,
		},
	}
	if r.Opts.Focus != nil {
		out.Options.Focus = r.Opts.Focus.String()
	}
	if r.address.HostPort != "" {
		out.Target.NodeID, out.Target.Address = r.address.ID.String(), r.address.HostPort
	}
	out.Requirements = requirements(results)
	report.Finish(out)
	return out
}

func roleOf(results []report.Case) string {
	seen := map[string]bool{}
	for _, c := range results {
		seen[c.Role] = true
	}
	switch {
	case seen["lsp"] && !seen["client"]:
		return "lsp"
	case seen["client"] && !seen["lsp"]:
		return "client"
	}
	return "both"
}

// requirements lists every requirement with the worst state of its cases.
func requirements(results []report.Case) []report.Requirement {
	states := map[string][]report.State{}
	names := map[string][]string{}
	for _, c := range results {
		for _, id := range decided(c) {
			states[id] = append(states[id], c.State)
			names[id] = append(names[id], c.Name)
		}
	}
	var out []report.Requirement
	for _, q := range rule.Embedded().Requirements {
		id := string(q.ID)
		out = append(out, report.Requirement{
			ID: id, Level: string(q.Level), Section: q.Section, Text: q.Text, Check: string(q.Check),
			State: report.Worst(states[id]...), Cases: names[id],
		})
	}
	return out
}

// decided returns the requirements that a case decides about: all it declares,
// or, when it failed, those it found broken. Of the others it says nothing.
func decided(c report.Case) []string {
	if len(c.Failures) == 0 {
		return c.Rules
	}
	var out []string
	for _, f := range c.Failures {
		if !slices.Contains(out, f.Rule) {
			out = append(out, f.Rule)
		}
	}
	return out
}

// commit is the revision the suite was built from, or "unknown".
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
