package report

import (
	"fmt"
	"slices"
	"strings"
)

// checks lists the ways a requirement is checked, in the order printed.
var checks = []string{"case", "vector", "untestable", "planned"}

// tally is a number of requirements in one state.
type tally struct {
	State string
	N     int
}

// coverage is the requirements that are checked in one way.
type coverage struct {
	Check  string
	Total  int
	States []tally // the states that occur, from the worst to not-run
}

// covered groups requirements by how they are checked and by state. Checks
// and states that are none of the known ones come last.
func covered(list []Requirement) []coverage {
	byCheck := map[string]map[string]int{}
	for _, r := range list {
		if byCheck[r.Check] == nil {
			byCheck[r.Check] = map[string]int{}
		}
		byCheck[r.Check][r.State]++
	}
	var out []coverage
	for _, check := range inOrder(byCheck, checks) {
		c := coverage{Check: check}
		for _, state := range inOrder(byCheck[check], requirementStates()) {
			n := byCheck[check][state]
			c.Total += n
			c.States = append(c.States, tally{state, n})
		}
		out = append(out, c)
	}
	return out
}

// requirementStates lists the states a requirement can have.
func requirementStates() []string {
	list := []string{}
	for _, s := range states {
		list = append(list, string(s))
	}
	return append(list, NotRun)
}

// inOrder lists the keys of m: the known ones in their order, then the others
// sorted.
func inOrder[V any](m map[string]V, known []string) []string {
	var list, others []string
	for _, k := range known {
		if _, ok := m[k]; ok {
			list = append(list, k)
		}
	}
	for k := range m {
		if !slices.Contains(known, k) {
			others = append(others, k)
		}
	}
	slices.Sort(others)
	return append(list, others...)
}

// requirements writes how far the rules of SPEC.md were reached.
func (c *console) requirements() {
	list := c.r.Requirements
	if len(list) == 0 {
		return
	}
	c.heading(fmt.Sprintf("Requirements: %d", len(list)))
	for _, k := range covered(list) {
		var parts []string
		for _, t := range k.States {
			parts = append(parts, fmt.Sprintf("%d %s", t.N, t.State))
		}
		// Of a rule that no case is meant to reach, "not-run" is no news.
		if k.Check != "case" && len(k.States) == 1 && k.States[0].State == NotRun {
			parts = nil
		}
		c.line("  %4d %-10s  %s", k.Total, orNone(k.Check, "unclassified"), strings.Join(parts, ", "))
	}
	c.ids("violated", red, func(q *Requirement) bool { return q.State == string(Failed) })
	c.ids("no result", yellow, func(q *Requirement) bool {
		return q.Check == "case" && (q.State == NotRun || q.State == string(Skipped) || q.State == string(Unsupported))
	})
}

// ids writes the ids of some requirements; without Verbose at most a dozen.
func (c *console) ids(label, style string, pick func(*Requirement) bool) {
	var list []string
	for i := range c.r.Requirements {
		if pick(&c.r.Requirements[i]) {
			list = append(list, c.r.Requirements[i].ID)
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortFunc(list, compareNatural)
	const most = 12
	more := ""
	if !c.verbose && len(list) > most {
		more = fmt.Sprintf(" and %d more", len(list)-most)
		list = list[:most]
	}
	lines := wrap(strings.Join(list, " "), textWidth)
	lines[len(lines)-1] += more
	for i := range lines {
		lines[i] = c.color(style, lines[i])
	}
	c.field(label, lines...)
}

// verdict writes the profiles, the command that replays the run, and the one
// line that matters.
func (c *console) verdict() {
	c.line("")
	for _, p := range c.r.Profiles {
		c.field(p.Name, fmt.Sprintf("%s: %s", p.Verdict, c.countsText(p.Counts)))
	}
	if c.r.Options.Command != "" {
		c.field("replay", c.r.Options.Command)
	}
	c.line("")
	c.line("%s", c.color(bold+verdictStyle(c.r.Verdict), verdictText(c.r)))
}

func verdictStyle(v Verdict) string {
	switch v {
	case Conformant:
		return green
	case Deviations, Incomplete:
		return yellow
	}
	return red
}

// verdictText is the verdict with its ground, on one line.
func verdictText(r *Report) string {
	text := fmt.Sprintf("VERDICT: %s. %s", r.Verdict, verdictGround(r))
	if r.Options.Focus != "" {
		text += " Only cases matching " + r.Options.Focus + " were run."
	}
	return text
}

func verdictGround(r *Report) string {
	n := r.Counts
	left, core := 0, 0
	for i := range r.Cases {
		c := &r.Cases[i]
		if c.core() {
			core++
			if c.State == Skipped || c.State == Unsupported {
				left++
			}
		}
	}
	switch {
	case n.Total == 0:
		return "No case was run."
	case r.Verdict == Conformant:
		return fmt.Sprintf("%d of %d cases passed, every core case among them.", n.Passed, n.Total)
	case r.Verdict == Deviations:
		return fmt.Sprintf("%d of %s failed, only as declared.", n.ExpectedFailure, quantity(n.Total, "case"))
	case r.Verdict == Incomplete && core == 0:
		return "Nothing failed, but no core case was run."
	case r.Verdict == Incomplete && n.ExpectedFailure > 0:
		return fmt.Sprintf("%d of %d core cases have no result, and %s failed as declared.", left, core, quantity(n.ExpectedFailure, "case"))
	case r.Verdict == Incomplete:
		return fmt.Sprintf("Nothing failed, but %d of %d core cases have no result.", left, core)
	}
	text := fmt.Sprintf("%d of %s failed", n.Failed+n.unknown(), quantity(n.Total, "case"))
	if n.UnexpectedPass > 0 {
		text += fmt.Sprintf(", %d passed though declared to fail", n.UnexpectedPass)
	}
	return text + "."
}
