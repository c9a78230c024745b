package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"superscalar/conformance"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

// claim is a case or a vector with the requirements it says it decides.
type claim struct {
	kind  string // kindCase or kindVector
	name  string
	rules []rule.ID
}

const (
	kindCase   = "case"
	kindVector = "vector"
)

// allClaims returns the cases and vectors of this program.
func allClaims() ([]claim, error) {
	var out []claim
	for _, c := range conformance.Cases() {
		out = append(out, claim{kindCase, c.Name, c.Rules})
	}
	files, err := vectors.Load()
	if err != nil {
		return nil, exit(ExitBroken, "%w", err)
	}
	for _, f := range files {
		for _, v := range f.Vectors {
			out = append(out, claim{kindVector, v.About().Name, v.About().Rules})
		}
	}
	return out, nil
}

// defaultSpecFile is compared with the registry when it exists.
const defaultSpecFile = "SPEC.md"

func runSpecCheck(e env, file string) error {
	claims, err := allClaims()
	if err != nil {
		return err
	}
	registry := rule.Embedded()
	problems := uncovered(registry, claims)
	stale, err := textProblems(registry, file)
	if err != nil {
		return err
	}
	problems = append(problems, stale...)
	for _, line := range countLines(registry) {
		fmt.Fprintln(e.Out, line)
	}
	if len(problems) == 0 {
		return nil
	}
	for _, p := range problems {
		complain(e.Err, p)
	}
	return &ExitError{Code: ExitFailed}
}

// textProblems compares the registry with the text of the specification.
func textProblems(registry rule.Registry, file string) ([]string, error) {
	if file == "" {
		if _, err := os.Stat(defaultSpecFile); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		file = defaultSpecFile
	}
	text, err := parseSpec(file)
	if err != nil {
		return nil, err
	}
	return differences(file, text, registry), nil
}

// uncovered returns one line for every requirement that nothing decides and
// for every case or vector that decides nothing.
func uncovered(r rule.Registry, claims []claim) []string {
	var problems []string
	named := map[string]bool{} // kind and id
	for _, c := range claims {
		decides := false
		for _, id := range c.rules {
			named[c.kind+string(id)] = true
			q, known := r.Lookup(id)
			if !known {
				problems = append(problems, fmt.Sprintf("%s %s names %s, which is not in SPEC.md", c.kind, c.name, id))
			}
			// Vectors of a rule whose cases are planned come before the cases: data first.
			early := c.kind == kindVector && q.Check == rule.Planned
			decides = decides || !known || q.Check == rule.ByCase || q.Check == rule.ByVector || early
		}
		if !decides {
			problems = append(problems, fmt.Sprintf("%s %s decides no requirement: it names none that is checked by a case or a vector", c.kind, c.name))
		}
	}
	for _, q := range r.Requirements {
		kind := string(q.Check)
		if (q.Check == rule.ByCase || q.Check == rule.ByVector) && !named[kind+string(q.ID)] {
			problems = append(problems, fmt.Sprintf("%s is checked by a %s, but no %s names it", q.ID, kind, kind))
		}
	}
	return problems
}

// differences returns one line for every difference between the text of the
// specification and the registry.
func differences(file string, text, registry rule.Registry) []string {
	const remedy = "generate the registry again with 'superscalar spec --write'"
	var problems []string
	add := func(format string, args ...any) {
		problems = append(problems, file+": "+fmt.Sprintf(format, args...)+"; "+remedy)
	}
	if text.SpecVersion != registry.SpecVersion {
		add("it is version %s, the registry %s", text.SpecVersion, registry.SpecVersion)
	}
	for _, q := range text.Requirements {
		known, ok := registry.Lookup(q.ID)
		switch {
		case !ok:
			add("%s is not in the registry", q.ID)
		case known != q:
			add("%s stands there with another %s than in the registry", q.ID, strings.Join(differing(q, known), " and "))
		}
	}
	for _, q := range registry.Requirements {
		if _, ok := text.Lookup(q.ID); !ok {
			add("%s of the registry is not there", q.ID)
		}
	}
	if len(problems) == 0 && !slices.Equal(text.Requirements, registry.Requirements) {
		add("its requirements stand in another order than in the registry")
	}
	return problems
}

// differing names the parts in which two versions of a requirement differ.
func differing(a, b rule.Requirement) []string {
	var out []string
	for _, part := range []struct {
		name string
		same bool
	}{
		{"text", a.Text == b.Text && a.Level == b.Level},
		{"side", a.Who == b.Who},
		{"section", a.Section == b.Section},
		{"source", a.Source == b.Source},
		{"check", a.Check == b.Check && a.Detail == b.Detail},
	} {
		if !part.same {
			out = append(out, part.name)
		}
	}
	return out
}

// countLines returns a line per area, one for the MUSTs and one for the
// SHOULDs.
func countLines(r rule.Registry) []string {
	var out []string
	for _, area := range areas(r) {
		out = append(out, countLine(r, area+" requirements", func(q rule.Requirement) bool { return q.Area() == area }))
	}
	return append(out,
		countLine(r, "MUSTs", func(q rule.Requirement) bool { return q.Level.Binding() }),
		countLine(r, "SHOULDs", func(q rule.Requirement) bool { return !q.Level.Binding() }))
}

func countLine(r rule.Registry, what string, in func(rule.Requirement) bool) string {
	n, by := 0, map[rule.Check]int{}
	for _, q := range r.Requirements {
		if in(q) {
			n++
			by[q.Check]++
		}
	}
	return fmt.Sprintf("%d %s: %d case, %d vector, %d untestable, %d planned",
		n, what, by[rule.ByCase], by[rule.ByVector], by[rule.Untestable], by[rule.Planned])
}
