package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/report"
	"superscalar/wire"
)

// conformFlags are the flags of `superscalar conform`, as typed.
type conformFlags struct {
	target, role, tier, profile, focus   string
	reportDir, null, mutant, expect      string
	deadline                             time.Duration
	seed                                 uint64
	repeat                               int
	list, shuffle, slow, compat, verbose bool
	acceptUnsupported                    bool
}

func newConformCommand(e env) *cobra.Command {
	f := &conformFlags{}
	c := &cobra.Command{
		Use:   "conform",
		Short: "Test an implementation, rule by rule",
		Long: `Plays the peer against an implementation of SPEC.md and says, rule by rule,
whether it conforms. Without --target it tests the reference node.

Targets:
  refnode           the reference node, in this process (default)
  NODEID@HOST:PORT  a running node; tier wire only: nothing but a connection
  exec:COMMAND      a driver, which starts the node and tells it what to do
                    (see 'superscalar driver --help'); tier driver
  tcp:127.0.0.1:PORT  the same, for a driver that connects to the suite
  lnd               a real lnd, built and started here: an ordinary peer

A case ends as passed, failed, skipped (this run cannot do it), unsupported (the
target does not offer the feature) or as an expected failure (declared with
--expect, a JSON list of {case, rule, reason, issue, expires}).

A requirement of level SHOULD that is not kept is a failure too: the RFC allows
it for a reason, and --expect is where to give it. Nothing is called conformant
of which a core case was skipped: the verdict is incomplete then.

Exit codes: 0 no case failed, apart from declared ones; 1 a case failed, or core
cases are unsupported; 2 usage; 3 the suite broke; 4 the target cannot be
reached.`,
		Example: `  superscalar conform
  superscalar conform --target 02eec7...@127.0.0.1:9735 --role lsp
  superscalar conform --target 'exec:python3 driver.py' --report out
  superscalar conform --focus 'PCF-0[12]' --verbose
  superscalar conform --repeat 100 --shuffle --tier wire
  superscalar conform --null all
  superscalar conform --mutant PCF-012`,
		Args: takes(),
	}
	fl := c.Flags()
	fl.StringVar(&f.target, "target", "refnode", "what to test: refnode, NODEID@HOST:PORT, exec:COMMAND, tcp:HOST:PORT, lnd")
	fl.StringVar(&f.role, "role", "", "role of the target: lsp, client or both (default: both, lsp for a running node)")
	fl.StringVar(&f.tier, "tier", "", "run no case above this tier: wire, driver or chain (default: what the target allows)")
	fl.StringVar(&f.profile, "profile", "extended", "core leaves out the cases that only the extended profile has")
	fl.StringVar(&f.focus, "focus", "", "run only cases whose name/role or requirement id matches this regular expression")
	fl.BoolVar(&f.list, "list", false, "list the cases that would run, and stop")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of all randomness and of --shuffle")
	fl.IntVar(&f.repeat, "repeat", 1, "run this often, with the next seed each time, and report verdicts that flip")
	fl.BoolVar(&f.shuffle, "shuffle", false, "run in an order made from the seed")
	fl.DurationVar(&f.deadline, "deadline", 0, "after this time a target is called hung (default 10s; 500ms for null peers)")
	fl.BoolVar(&f.slow, "slow", false, "run cases that wait for half a minute, too")
	fl.StringVar(&f.reportDir, "report", "", "write report.json, junit.xml and index.html into this directory")
	fl.StringVar(&f.expect, "expect", "", "file with failures declared beforehand")
	fl.StringVar(&f.null, "null", "", "test a peer that implements nothing: all, "+strings.Join(harness.Nulls, ", "))
	fl.StringVar(&f.mutant, "mutant", "", "test the reference node with one rule broken (see 'superscalar mutants --list')")
	fl.BoolVar(&f.compat, "compat-envelope", false, "use message type 33001 for factory messages (PCF-007); the target has to be started in that form, too")
	fl.BoolVar(&f.acceptUnsupported, "accept-unsupported", false, "exit 0 although features are not offered (the verdict stays incomplete)")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show every case, not only those that did not pass")
	c.RunE = func(c *cobra.Command, _ []string) error { return runConform(c, e, f) }
	return c
}

func runConform(c *cobra.Command, e env, f *conformFlags) error {
	opts, err := f.options(c)
	if err != nil {
		return err
	}
	if f.reportDir != "" {
		if err := writable(f.reportDir); err != nil {
			return exit(ExitUsage, "--report: %w", err)
		}
	}
	if f.null == "all" {
		if f.deadline == 0 {
			opts.Deadline = nullDeadline
		}
		return runNulls(e, opts)
	}
	target, err := f.open(c, e, &opts)
	if err != nil {
		return err
	}
	err = f.against(e, target, opts)
	if closeErr := target.Close(); err == nil && closeErr != nil {
		err = exit(ExitFailed, "stopping the target: %w", closeErr)
	}
	return err
}

// against runs the selected cases against a target.
func (f *conformFlags) against(e env, target harness.Target, opts harness.Options) error {
	instances := harness.Order(harness.Select(conformance.Cases(), target, opts), f.shuffle, f.seed)
	if len(instances) == 0 {
		return exit(ExitUsage, "no case matches; 'superscalar conform --list' shows them all")
	}
	if f.list {
		listCases(e.Out, instances)
		return nil
	}
	if p, ok := target.(harness.Preparer); ok {
		if err := p.Prepare(e.Context); e.Context.Err() != nil {
			return exit(ExitFailed, "interrupted before the first case")
		} else if err != nil {
			return &ExitError{ExitUnreachable, err}
		}
	}
	if f.repeat > 1 {
		return f.repeatRuns(e, target, opts)
	}
	run := &harness.Runner{Target: target, Opts: opts}
	start := time.Now()
	results := f.once(e, run, instances)
	if err := run.Broken(); err != nil {
		return exit(ExitBroken, "the suite broke: %w", err)
	}
	// Ginkgo hears of a signal, too, and may return before the context ends.
	if e.Context.Err() != nil || len(results) < len(instances) {
		return exit(ExitFailed, "interrupted after %d of %d cases", len(results), len(instances))
	}
	if err := run.Lost(); err != nil {
		return &ExitError{ExitUnreachable, err}
	}
	if f.null != "" {
		fmt.Fprintf(e.Out, "%s: %d of %d passed\n", target.Kind(), report.Tally(results).Passed, len(results))
		return &ExitError{ExitFailed, nil}
	}
	results = append(results, harness.LeftOut(conformance.Cases(), target, opts)...)
	slices.SortFunc(results, func(a, b report.Case) int { return strings.Compare(a.Name, b.Name) })
	r := run.Report(results, time.Since(start))
	r.Options.Shuffle = f.shuffle
	return f.present(e, r)
}

// once runs every instance under Ginkgo, or by itself for built-in peers that
// are there to fail.
func (f *conformFlags) once(e env, run *harness.Runner, instances []harness.Instance) []report.Case {
	if f.null != "" || f.mutant != "" {
		return run.RunAll(e.Context, instances, nullParallel)
	}
	// Ginkgo leaves an interrupted case to itself, which may still end later.
	var mu sync.Mutex
	var results []report.Case
	progress := newProgress(e.Err, len(instances))
	harness.Ginkgo("superscalar", instances, func(i harness.Instance) report.Case {
		return run.Run(e.Context, i)
	}, func(c report.Case) {
		mu.Lock()
		defer mu.Unlock()
		results = append(results, c)
		progress.step(c)
	})
	mu.Lock()
	defer mu.Unlock()
	progress.end()
	return slices.Clone(results)
}

// present shows and writes a report, and turns its verdict into an exit code.
func (f *conformFlags) present(e env, r *report.Report) error {
	report.Console(e.Out, r, report.ConsoleOptions{Verbose: f.verbose, Color: isTerminal(e.Out)})
	if f.reportDir != "" {
		if err := report.Write(f.reportDir, r); err != nil {
			return exit(ExitUsage, "--report: %w", err)
		}
		fmt.Fprintf(e.Out, "report written to %s\n", filepath.Join(f.reportDir, "index.html"))
	}
	switch {
	case r.Verdict == report.Conformant, r.Verdict == report.Deviations:
		return nil
	case r.Verdict == report.Incomplete && (f.acceptUnsupported || r.Counts.Unsupported == 0):
		return nil // nothing failed; what was skipped is what the tier or the flags leave out
	}
	return &ExitError{ExitFailed, nil}
}

// options checks the flags and turns them into what the harness takes.
func (f *conformFlags) options(c *cobra.Command) (harness.Options, error) {
	opts := harness.Options{
		Seed: f.seed, Slow: f.slow, Deadline: f.deadline, Settle: 2 * time.Second,
		Tier: harness.Tier(f.tier), Profile: harness.Profile(f.profile), Today: time.Now(), Command: f.replay(),
	}
	if f.compat {
		opts.Envelope = wire.TypeFactoryCompat
	}
	if f.deadline == 0 {
		opts.Deadline = 10 * time.Second
	}
	switch {
	case f.deadline < 0:
		return opts, usage(c, "--deadline %s is negative", f.deadline)
	case f.repeat < 1:
		return opts, usage(c, "--repeat %d is less than once", f.repeat)
	case f.repeat > 1 && (f.reportDir != "" || f.null != ""):
		return opts, usage(c, "--repeat counts verdicts that flip: leave --report and --null out")
	case f.null == "all" && (f.reportDir != "" || f.list):
		return opts, usage(c, "--null all prints a table: leave --report and --list out")
	case f.null != "" && f.mutant != "":
		return opts, usage(c, "--null and --mutant exclude each other")
	case (f.null != "" || f.mutant != "") && c.Flags().Changed("target"):
		return opts, usage(c, "--null and --mutant are targets themselves: leave --target out")
	case f.tier != "" && !slices.Contains([]string{"wire", "driver", "chain"}, f.tier):
		return opts, usage(c, "--tier %q is none of wire, driver, chain", f.tier)
	case f.profile != "core" && f.profile != "extended":
		return opts, usage(c, "--profile %q is none of core, extended", f.profile)
	}
	if err := f.readRole(c, &opts); err != nil {
		return opts, err
	}
	if err := f.readFocus(c, &opts); err != nil {
		return opts, err
	}
	return opts, f.readExpectations(c, &opts)
}

func (f *conformFlags) readRole(c *cobra.Command, opts *harness.Options) error {
	switch f.role {
	case "", "both":
	case "lsp", "client":
		opts.Roles = []harness.Role{harness.Role(f.role)}
	default:
		return usage(c, "--role %q is none of lsp, client, both", f.role)
	}
	return nil
}

func (f *conformFlags) readFocus(c *cobra.Command, opts *harness.Options) error {
	if f.focus == "" {
		return nil
	}
	re, err := regexp.Compile(f.focus)
	if err != nil {
		return usage(c, "--focus: %w", err)
	}
	opts.Focus = re
	return nil
}

func (f *conformFlags) readExpectations(c *cobra.Command, opts *harness.Options) error {
	if f.expect == "" {
		return nil
	}
	b, err := os.ReadFile(f.expect)
	if err != nil {
		return usage(c, "--expect: %w", err)
	}
	if opts.Expect, err = harness.ParseExpectations(b); err != nil {
		return usage(c, "--expect %s: %w", f.expect, err)
	}
	return nil
}

// replay is the command line that tests the same target again; a case's own
// seed and focus are appended.
func (f *conformFlags) replay() string {
	parts := []string{"superscalar conform"}
	switch {
	case f.null != "":
		parts = append(parts, "--null", f.null)
	case f.mutant != "":
		parts = append(parts, "--mutant", f.mutant)
	case f.target != "refnode":
		parts = append(parts, "--target", shellQuote(f.target))
	}
	if f.role != "" {
		parts = append(parts, "--role", f.role)
	}
	if f.compat {
		parts = append(parts, "--compat-envelope")
	}
	if f.slow {
		parts = append(parts, "--slow")
	}
	if f.deadline > 0 {
		parts = append(parts, "--deadline", f.deadline.String())
	}
	return strings.Join(parts, " ")
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// listCases prints what would run, from the declarations alone.
func listCases(w io.Writer, instances []harness.Instance) {
	for _, i := range instances {
		ids := make([]string, len(i.Case.Rules))
		for n, id := range i.Case.Rules {
			ids[n] = string(id)
		}
		fmt.Fprintf(w, "%-58s %-16s %s\n", i.Name(), strings.Join(ids, ","), i.Case.Summary)
	}
	fmt.Fprintf(w, "%d cases\n", len(instances))
}

// writable makes sure, before a long run, that a report can be written after
// it. It leaves nothing behind.
func writable(dir string) error {
	place := dir
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s is a file; name a directory", dir)
	case err != nil: // it will be made: look at what it will be made in
		for place = filepath.Dir(dir); ; place = filepath.Dir(place) {
			if info, err := os.Stat(place); err == nil && info.IsDir() {
				break
			} else if err == nil {
				return fmt.Errorf("%s is a file; name another directory", place)
			}
			if place == filepath.Dir(place) {
				break
			}
		}
	}
	tmp, err := os.CreateTemp(place, ".superscalar-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written to; name another directory: %w", dir, err)
	}
	_ = tmp.Close()
	return os.Remove(tmp.Name())
}
