package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ConsoleOptions shape the text on a terminal.
type ConsoleOptions struct {
	// Verbose lists every case and every requirement without a result, and
	// shows expected failures in full.
	Verbose bool
	// Color uses ANSI colours. The caller knows whether w is a terminal.
	Color bool
}

// ANSI styles.
const (
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func ansi(style, text string) string { return style + text + reset }

// Console writes what a person sees at the end of a run: one line per section
// with its counts, every mismatch of every failed case in full, expected
// failures, what was left out grouped by reason, the coverage of the
// requirements, and one line with the verdict. The report has to be finished
// (see Finish). A failing writer is not reported.
func Console(w io.Writer, r *Report, opts ConsoleOptions) {
	color := plain
	if opts.Color {
		color = ansi
	}
	c := &console{screen: screen{color: color}, r: cleaned(r), verbose: opts.Verbose}
	c.head()
	c.sections()
	c.failures()
	c.expectedFailures()
	c.leftOut()
	c.requirements()
	c.verdict()
	io.WriteString(w, c.text.String())
}

type console struct {
	screen
	r       *Report
	verbose bool
}

func (c *console) heading(text string) {
	c.line("")
	c.line("%s", c.color(bold, text))
}

// head says what tested what, and how.
func (c *console) head() {
	s, t, o := c.r.Suite, c.r.Target, c.r.Options
	c.line("%s", c.color(bold, fmt.Sprintf("%s conformance, %s as %s", s.Name, t.Kind, t.Role)))
	if t.NodeID != "" || t.Address != "" {
		c.field("target", strings.Trim(t.NodeID+"@"+t.Address, "@"))
	}
	if t.Version != "" {
		c.field("version", t.Version)
	}
	c.field("suite", fmt.Sprintf("%s (commit %s), SPEC.md %s", s.Version, s.Commit, s.SpecVersion))
	c.field("run", runText(o))
}

// runText is the settings of a run on one line.
func runText(o Options) string {
	parts := []string{
		"tier " + orNone(o.Tier, "any"), "profile " + orNone(o.Profile, "any"),
		fmt.Sprintf("seed %d", o.Seed), "deadline " + orNone(o.Deadline, "default"),
	}
	if o.Shuffle {
		parts = append(parts, "shuffled")
	}
	if o.Focus != "" {
		parts = append(parts, "focus "+o.Focus)
	}
	return strings.Join(parts, ", ")
}

// sections writes one line per section, under its area.
func (c *console) sections() {
	list := sections(c.r.Cases)
	width := 0
	for _, s := range list {
		width = max(width, utf8.RuneCountInString(s.Title))
	}
	area := ""
	for i, s := range list {
		if i == 0 || s.Area != area {
			area = s.Area
			c.heading(area)
		}
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(s.Title))
		c.line("  %s%s  %s", s.Title, pad, c.countsText(s.counts()))
		if c.verbose {
			c.cases(s.Cases)
		}
	}
}

func (c *console) cases(list []*Case) {
	for _, k := range list {
		state := fmt.Sprintf("%-16s", k.State)
		c.line("    %s %s  %s  %d ms", c.color(style(k.State), state), k.Name, strings.Join(k.Rules, " "), k.DurationMS)
	}
}

// style is the colour of a state.
func style(s State) string {
	switch s {
	case Passed:
		return green
	case Skipped, Unsupported, ExpectedFailure:
		return yellow
	}
	return red
}

// countsText is the counts that are not zero: "10 passed, 1 failed".
func (c *console) countsText(n Counts) string {
	var parts []string
	for _, s := range states {
		if n.of(s) > 0 {
			parts = append(parts, c.color(style(s), fmt.Sprintf("%d %s", n.of(s), s)))
		}
	}
	if n.unknown() > 0 {
		parts = append(parts, c.color(red, fmt.Sprintf("%d in an unknown state", n.unknown())))
	}
	return orNone(strings.Join(parts, ", "), "no case")
}

// ordered calls f for every case in the order of the sections.
func (c *console) ordered(f func(*Case)) {
	for _, s := range sections(c.r.Cases) {
		for _, k := range s.Cases {
			f(k)
		}
	}
}

// blocks says whether the case alone makes the run not conformant.
func (c *Case) blocks() bool {
	switch c.State {
	case Passed, Skipped, Unsupported, ExpectedFailure:
		return false
	}
	return true
}

// failures writes every mismatch of every case that blocks.
func (c *console) failures() {
	cases, mismatches := 0, 0
	c.ordered(func(k *Case) {
		if k.blocks() {
			cases++
			mismatches += len(k.Failures)
		}
	})
	if cases == 0 {
		return
	}
	c.heading(fmt.Sprintf("Failures: %s, %s", quantity(cases, "case"), quantity(mismatches, "mismatch")))
	c.ordered(func(k *Case) {
		if !k.blocks() {
			return
		}
		for i := range k.Failures {
			c.line("")
			c.text.WriteString(failureScreen(k, &k.Failures[i], c.color))
		}
		if k.State == UnexpectedPass || len(k.Failures) == 0 {
			c.withoutMismatch(k)
		}
	})
}

// withoutMismatch writes a blocking case that has no mismatch to show.
func (c *console) withoutMismatch(k *Case) {
	c.line("")
	c.line("%s  %s", c.color(bold+red, strings.ToUpper(string(k.State))), c.color(bold, k.Name))
	c.line("  %s", k.Summary)
	c.line("")
	c.field("wrong", withoutMismatch(k))
	if k.Issue != "" {
		c.field("issue", k.Issue)
	}
	c.field("replay", c.color(bold, orNone(k.Replay, "not recorded")))
}

// withoutMismatch is the one sentence on such a case.
func withoutMismatch(k *Case) string {
	switch k.State {
	case UnexpectedPass:
		return "declared to fail (" + orNone(k.Reason, "no reason given") + ") but passed: remove the declaration"
	case Failed:
		return "failed without a recorded mismatch: this is a fault of the suite"
	}
	return fmt.Sprintf("the state %q is unknown: this is a fault of the suite", k.State)
}

// expectedFailures writes the declared failures, one a line.
func (c *console) expectedFailures() {
	if c.r.Counts.ExpectedFailure == 0 {
		return
	}
	c.heading(fmt.Sprintf("Failed as expected: %s", quantity(c.r.Counts.ExpectedFailure, "case")))
	c.ordered(func(k *Case) {
		if k.State != ExpectedFailure {
			return
		}
		c.line("  %s  %s  %s", k.Name, strings.Join(k.Rules, " "), orNone(k.Reason, "no reason given"))
		if k.Issue != "" {
			c.line("    %s", k.Issue)
		}
		for i := range k.Failures {
			if c.verbose {
				c.line("")
				c.text.WriteString(failureScreen(k, &k.Failures[i], c.color))
			}
		}
	})
}

// leftOut writes why cases have no result.
func (c *console) leftOut() {
	for _, s := range []State{Skipped, Unsupported} {
		groups := reasons(c.r.Cases, s)
		if len(groups) == 0 {
			continue
		}
		title := map[State]string{Skipped: "Skipped", Unsupported: "Unsupported by the target"}[s]
		c.heading(fmt.Sprintf("%s: %s", title, quantity(c.r.Counts.of(s), "case")))
		for _, g := range groups {
			c.line("  %4d  %s", len(g.Cases), g.Reason)
			for _, name := range g.Cases {
				if c.verbose {
					c.line("        %s", name)
				}
			}
		}
	}
}
