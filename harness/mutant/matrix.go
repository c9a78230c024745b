package mutant

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"superscalar/harness"
	"superscalar/harness/report"
	"superscalar/vectors"
	"superscalar/vectors/gen"
	"superscalar/wire/rule"
)

// Result is what became of one mutant.
type Result struct {
	Mutant   Mutant
	Killers  []string // cases or vectors that noticed, for the stated reason
	Excuse   string   // why a survivor survives, if that is stated
	Controls []string // controls that failed although they have nothing to do with the rule
	Others   []string // cases of the rule that failed for another reason
	// Blind says that no vector notices a mutant that they have to notice as
	// well (Mutant.Vectors).
	Blind bool
}

// Survived reports whether nobody noticed the mutant.
func (r Result) Survived() bool { return len(r.Killers) == 0 }

// Matrix is the outcome of a run of every mutant.
type Matrix struct {
	Results []Result
	// Idle are cases that killed no mutant: they cannot fail.
	Idle []string
	// Unguarded are requirements that are checked and have no mutant.
	Unguarded []rule.ID
	Took      time.Duration
}

// OK reports whether every mutant was killed, or its survival has a stated
// reason, every case killed one, every control passed, vectors notice what they
// have to, and every checked requirement has a mutant.
func (m Matrix) OK() bool {
	bad := slices.ContainsFunc(m.Results, func(r Result) bool {
		return r.Survived() && r.Excuse == "" || len(r.Controls) > 0 || r.Blind
	})
	return !bad && len(m.Idle) == 0 && len(m.Unguarded) == 0
}

// Controls are cases every mutant has to pass, unless it breaks one of their
// requirements.
var Controls = []string{
	"trn/init/first", "trn/ping/pong-0", "trn/messages/unknown-odd", "trn/notices/warning-unknown-channel", "trn/transport/act-one-incomplete",
}

// Options shape a run of the matrix.
type Options struct {
	Seed     uint64
	Full     bool // run every case against every mutant, not only those of its rule
	Parallel int
	Deadline time.Duration // of a built-in peer
}

// Run runs mutants against cases and vectors.
func Run(ctx context.Context, mutants []Mutant, cases []harness.Case, opts Options) (Matrix, error) {
	start := time.Now()
	files, err := vectors.Load()
	if err != nil {
		return Matrix{}, err
	}
	out := Matrix{Results: make([]Result, len(mutants))}
	slots := make(chan struct{}, max(opts.Parallel, 1))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var broken error
	for i, m := range mutants {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			r, err := runOne(ctx, m, cases, files, opts)
			mu.Lock()
			defer mu.Unlock()
			out.Results[i] = r
			if broken == nil {
				broken = err
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return out, err
	}
	out.Idle = idle(out.Results, cases)
	out.Unguarded = unguarded(mutants)
	out.Took = time.Since(start)
	return out, broken
}

func runOne(ctx context.Context, m Mutant, cases []harness.Case, files []vectors.File, opts Options) (Result, error) {
	out := Result{Mutant: m, Excuse: excuses[m.ID]}
	q, _ := rule.Embedded().Lookup(m.Rule)
	if q.Check == rule.ByVector {
		out.Killers = noticing(files, m)
		return out, nil
	}
	out.Blind = m.Vectors && len(noticing(files, m)) == 0
	target := m.Target()
	run := &harness.Runner{Target: target, Opts: harness.Options{Seed: opts.Seed, Deadline: opts.Deadline}}
	chosen := harness.Select(relevant(m, cases, opts.Full), target, run.Opts)
	for _, c := range run.RunAll(ctx, chosen, 8) {
		out.judge(m, c)
	}
	return out, run.Broken()
}

// noticing are the vectors of a mutant's rule that notice it.
func noticing(files []vectors.File, m Mutant) []string {
	var noticed []string
	for _, miss := range gen.Verify(gen.Naming(files, m.Rule), m.Rules) {
		if miss.Rule == m.Rule {
			noticed = append(noticed, "vector "+miss.Vector)
		}
	}
	return slices.Compact(noticed)
}

// relevant are the cases of the mutant's rule, and the controls.
func relevant(m Mutant, cases []harness.Case, full bool) []harness.Case {
	var out []harness.Case
	for _, c := range cases {
		if full || slices.Contains(c.Rules, m.Rule) || m.Total == "" && slices.Contains(Controls, c.Name) {
			out = append(out, c)
		}
	}
	return out
}

// judge files the result of one case.
func (r *Result) judge(m Mutant, c report.Case) {
	if c.State != report.Failed {
		return
	}
	for _, f := range c.Failures {
		if f.Rule == string(m.Rule) && slices.Contains(c.Rules, f.Rule) && m.said(f.Message+" | "+f.Received) {
			r.Killers = append(r.Killers, c.Name)
			return
		}
	}
	name := c.Name[:len(c.Name)-len(c.Role)-1]
	why := fmt.Sprintf("%s (%s: %s: %s)", c.Name, c.Failures[0].Rule, c.Failures[0].Message, c.Failures[0].Received)
	if slices.Contains(c.Rules, string(m.Rule)) {
		r.Others = append(r.Others, why)
	} else if slices.Contains(Controls, name) && m.Total == "" {
		r.Controls = append(r.Controls, why)
	}
}

// idle returns the cases that killed no mutant of their main requirement.
func idle(results []Result, cases []harness.Case) []string {
	killed := map[string]bool{}
	for _, r := range results {
		for _, k := range r.Killers {
			k = string(r.Mutant.Rule) + " " + k
			for _, role := range []string{"/lsp", "/client"} {
				if len(k) > len(role) && k[len(k)-len(role):] == role {
					killed[k[:len(k)-len(role)]] = true
				}
			}
		}
	}
	var out []string
	for _, c := range cases {
		if !killed[string(c.Rules[0])+" "+c.Name] {
			out = append(out, c.Name)
		}
	}
	return out
}

// unguarded returns the checked requirements without a mutant.
func unguarded(mutants []Mutant) []rule.ID {
	var out []rule.ID
	for _, q := range rule.Embedded().Requirements {
		if q.Check != rule.ByCase && q.Check != rule.ByVector {
			continue
		}
		if !slices.ContainsFunc(mutants, func(m Mutant) bool { return m.Rule == q.ID }) {
			out = append(out, q.ID)
		}
	}
	return out
}

// excuses say why a mutant may survive. Empty is how it should stay.
var excuses = map[string]string{}
