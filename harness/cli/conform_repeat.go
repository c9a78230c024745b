package cli

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/report"
)

// repeatRuns runs the selection again and again, each time with the next seed
// and, with --shuffle, in another order, and reports verdicts that flip: a
// case that says something else the second time says nothing.
func (f *conformFlags) repeatRuns(e env, target harness.Target, opts harness.Options) error {
	parallel := 1
	if target.Kind() == "refnode" {
		parallel = runtime.GOMAXPROCS(0)
	}
	seen := map[string]map[report.State]int{} // case name -> state -> runs
	var last []report.Case
	start := time.Now()
	for i := range f.repeat {
		opts.Seed = f.seed + uint64(i)
		run := &harness.Runner{Target: target, Opts: opts}
		instances := harness.Order(harness.Select(conformance.Cases(), target, opts), f.shuffle, opts.Seed)
		last = run.RunAll(e.Context, instances, parallel)
		if err := run.Broken(); err != nil {
			return exit(ExitBroken, "the suite broke: %w", err)
		}
		if e.Context.Err() != nil {
			return exit(ExitFailed, "interrupted in run %d of %d", i+1, f.repeat)
		}
		for _, c := range last {
			if seen[c.Name] == nil {
				seen[c.Name] = map[report.State]int{}
			}
			seen[c.Name][c.State]++
		}
	}
	flips := flipped(seen)
	counts := report.Tally(last)
	for _, line := range flips {
		fmt.Fprintln(e.Out, "flip:", line)
	}
	fmt.Fprintf(e.Out, "%d runs of %d cases in %.1fs, seeds %d to %d: %d verdicts flipped; last run: %d passed, %d failed\n",
		f.repeat, counts.Total, time.Since(start).Seconds(), f.seed, f.seed+uint64(f.repeat)-1, len(flips), counts.Passed, counts.Failed)
	for _, c := range last {
		if c.State == report.Failed || c.State == report.UnexpectedPass {
			fmt.Fprintf(e.Out, "%s %s\n  replay: %s\n", c.State, c.Name, c.Replay)
		}
	}
	if len(flips) > 0 || counts.Failed+counts.UnexpectedPass > 0 {
		return &ExitError{ExitFailed, nil}
	}
	return nil
}

// flipped lists the cases that had more than one state, sorted.
func flipped(seen map[string]map[report.State]int) []string {
	var out []string
	for name, states := range seen {
		if len(states) < 2 {
			continue
		}
		var parts []string
		for s, n := range states {
			parts = append(parts, fmt.Sprintf("%s %d times", s, n))
		}
		slices.Sort(parts)
		out = append(out, name+": "+strings.Join(parts, ", "))
	}
	slices.Sort(out)
	return out
}
