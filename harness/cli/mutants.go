package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"superscalar/conformance"
	"superscalar/harness/mutant"
)

func newMutantsCommand(e env) *cobra.Command {
	var list, matrix, full bool
	var seed uint64
	c := &cobra.Command{
		Use:   "mutants",
		Short: "Prove that the suite can fail",
		Long: `Mutants are reference nodes with one rule broken each. Each has to be noticed
by a case (over a socket) or a vector that names the rule, for the reason the
mutant states; a crash or a time-out does not count unless silence is what the
mutant was made for. Every case has to notice at least one mutant.

--list shows the catalogue. --matrix runs it and shows who killed whom; it
exits 1 when a mutant survives without a stated reason, when a case kills none,
when a control fails, when no vector notices a mutant that vectors have to notice
beside the case, or when a checked requirement has no mutant. --full runs every
case against every mutant, not only those of its requirement.`,
		Example: `  superscalar mutants --list
  superscalar mutants --matrix
  superscalar conform --mutant PCF-012`,
		Args: takes(),
	}
	c.Flags().BoolVar(&list, "list", false, "list the mutants")
	c.Flags().BoolVar(&matrix, "matrix", false, "run them and show what killed each")
	c.Flags().BoolVar(&full, "full", false, "with --matrix: run every case against every mutant")
	c.Flags().Uint64Var(&seed, "seed", 1, "seed of all randomness")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case list == matrix:
			return usage(c, "say either --list or --matrix")
		case full && !matrix:
			return usage(c, "--full goes with --matrix")
		case list:
			listMutants(e)
			return nil
		}
		return runMatrix(e, mutant.Options{Seed: seed, Full: full, Parallel: 8, Deadline: mutantDeadline})
	}
	return c
}

func listMutants(e env) {
	all := mutant.Catalogue()
	for _, m := range all {
		fmt.Fprintf(e.Out, "%-28s %s\n", m.ID, m.Breaks)
	}
	fmt.Fprintf(e.Out, "%d mutants\n", len(all))
}

func runMatrix(e env, opts mutant.Options) error {
	m, err := mutant.Run(e.Context, mutant.Catalogue(), conformance.Cases(), opts)
	if e.Context.Err() != nil {
		return exit(ExitFailed, "interrupted: the matrix is not complete")
	}
	if err != nil {
		return exit(ExitBroken, "the suite broke: %w", err)
	}
	killed := 0
	for _, r := range m.Results {
		fmt.Fprintf(e.Out, "%-28s %s\n", r.Mutant.ID, fate(r))
		if !r.Survived() {
			killed++
		}
		for _, c := range r.Controls {
			fmt.Fprintf(e.Out, "%-28s   control failed: %s\n", "", c)
		}
	}
	for _, r := range m.Results {
		if r.Blind {
			fmt.Fprintf(e.Out, "%s: no vector of %s notices it\n", r.Mutant.ID, r.Mutant.Rule)
		}
	}
	for _, name := range m.Idle {
		fmt.Fprintf(e.Out, "case %s killed no mutant: it may not be able to fail\n", name)
	}
	for _, id := range m.Unguarded {
		fmt.Fprintf(e.Out, "%s is checked and has no mutant\n", id)
	}
	fmt.Fprintf(e.Out, "%d of %d mutants killed, %d cases killed none, %d requirements without a mutant, %.1fs\n",
		killed, len(m.Results), len(m.Idle), len(m.Unguarded), m.Took.Seconds())
	if !m.OK() {
		return &ExitError{ExitFailed, nil}
	}
	return nil
}

// fate is one line on what became of a mutant.
func fate(r mutant.Result) string {
	const most = 3
	switch {
	case r.Survived() && r.Excuse != "":
		return "survived, as stated: " + r.Excuse
	case r.Survived():
		text := "SURVIVED: " + r.Mutant.Breaks
		if len(r.Others) > 0 {
			text += "; for another reason failed " + r.Others[0]
		}
		return text
	}
	shown := r.Killers[:min(most, len(r.Killers))]
	text := fmt.Sprintf("killed by %d: %s", len(r.Killers), strings.Join(shown, ", "))
	if len(r.Killers) > most {
		text += ", ..."
	}
	return text
}
