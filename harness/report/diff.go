package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ChangeKind says what a change means for the target.
type ChangeKind string

// The kinds of a change, in the order they are listed.
const (
	// Regression: the case fails now and did not before, or it passed before
	// and has no pass now (a vanished case included).
	Regression ChangeKind = "regression"
	// Improvement: the case was there, did not pass, and passes now.
	Improvement ChangeKind = "improvement"
	// OtherChange: everything else, such as a new case that passes, or a
	// skipped case that is unsupported now.
	OtherChange ChangeKind = "change"
)

// Change is one case that differs between two reports.
type Change struct {
	Name   string
	Kind   ChangeKind
	Before State // empty: the case is not in the first report
	After  State // empty: the case is not in the second report
	Rules  []string
}

// Diff lists the cases whose state differs between the older report a and the
// newer report b, that appeared, or that vanished: regressions first, then
// improvements, then the rest, each sorted by name.
func Diff(a, b *Report) []Change {
	before, after := byName(a), byName(b)
	var changes []Change
	for name, old := range before {
		c := Change{Name: name, Before: old.State, Rules: old.Rules}
		if now, ok := after[name]; ok {
			c.After, c.Rules = now.State, now.Rules
		}
		if c.Before != c.After {
			changes = append(changes, c)
		}
	}
	for name, now := range after {
		if _, ok := before[name]; !ok {
			changes = append(changes, Change{Name: name, After: now.State, Rules: now.Rules})
		}
	}
	order := []ChangeKind{Regression, Improvement, OtherChange}
	for i := range changes {
		changes[i].Kind = kind(changes[i].Before, changes[i].After)
	}
	slices.SortFunc(changes, func(x, y Change) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Kind), slices.Index(order, y.Kind)),
			strings.Compare(x.Name, y.Name))
	})
	return changes
}

func byName(r *Report) map[string]*Case {
	m := make(map[string]*Case, len(r.Cases))
	for i := range r.Cases {
		m[r.Cases[i].Name] = &r.Cases[i]
	}
	return m
}

// kind judges one change. A case that was declared to fail and passed did
// pass, so it regresses when it fails; it blocked the run before, too.
func kind(before, after State) ChangeKind {
	failing := func(s State) bool { return s == Failed || s == UnexpectedPass }
	switch {
	case before == Passed:
		return Regression
	case after == Failed:
		return Regression
	case failing(after) && !failing(before):
		return Regression
	case after == Passed && before != "":
		return Improvement
	}
	return OtherChange
}

// HasRegression says whether one of the changes is a regression.
func HasRegression(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == Regression })
}

// WriteDiff writes what Diff found, one change a line, under a head that says
// which runs are compared and where they differ in their settings. The last
// line says whether there is a regression. A failing writer is not reported.
func WriteDiff(w io.Writer, a, b *Report) {
	changes := Diff(a, b)
	a, b = cleaned(a), cleaned(b)
	s := &screen{color: plain}
	s.field("before", runHead(a))
	s.field("after", runHead(b))
	for _, note := range settingsThatDiffer(a, b) {
		s.field("note", note)
	}
	last := ChangeKind("")
	for i := range changes {
		c := cleaned(&changes[i])
		if c.Kind != last {
			last = c.Kind
			n := 0
			for _, other := range changes {
				if other.Kind == last {
					n++
				}
			}
			s.line("")
			s.line("%s", quantity(n, string(last)))
		}
		s.line("  %-40s  %s -> %s  %s", c.Name, orNone(string(c.Before), "absent"),
			orNone(string(c.After), "absent"), strings.Join(c.Rules, " "))
	}
	s.line("")
	s.line("%s", diffSummary(changes))
	io.WriteString(w, s.text.String())
}

func diffSummary(changes []Change) string {
	switch {
	case HasRegression(changes):
		return fmt.Sprintf("REGRESSION: %s in all.", quantity(len(changes), "change"))
	case len(changes) > 0:
		return fmt.Sprintf("No regression: %s in all.", quantity(len(changes), "change"))
	}
	return "No change."
}

func runHead(r *Report) string {
	return fmt.Sprintf("%s, %s: %d of %s passed", r.Target.Kind, r.Verdict, r.Counts.Passed, quantity(r.Counts.Total, "case"))
}

// settingsThatDiffer names what, besides the target, can explain a change.
func settingsThatDiffer(a, b *Report) []string {
	var notes []string
	for _, s := range []struct{ name, before, after string }{
		{"target", a.Target.Kind, b.Target.Kind},
		{"role", a.Target.Role, b.Target.Role},
		{"suite version", a.Suite.Version, b.Suite.Version},
		{"suite commit", a.Suite.Commit, b.Suite.Commit},
		{"SPEC.md version", a.Suite.SpecVersion, b.Suite.SpecVersion},
		{"tier", a.Options.Tier, b.Options.Tier},
		{"profile", a.Options.Profile, b.Options.Profile},
		{"focus", a.Options.Focus, b.Options.Focus},
		{"seed", fmt.Sprint(a.Options.Seed), fmt.Sprint(b.Options.Seed)},
	} {
		if s.before != s.after {
			notes = append(notes, fmt.Sprintf("%s differs: %s, then %s",
				s.name, orNone(s.before, "none"), orNone(s.after, "none")))
		}
	}
	return notes
}
