package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"superscalar/wire/rule"
)

// specFlags are the flags of spec.
type specFlags struct {
	area, id, file, write string
	json, check           bool
}

func newSpecCommand(e env) *cobra.Command {
	var f specFlags
	c := &cobra.Command{
		Use:   "spec",
		Short: "Show the requirements of SPEC.md, and check that each is covered",
		Long: `Prints the requirements of SPEC.md: id, level, who has to act, how it is
checked, and the sentence.

With --check it prints one line per area and how many MUSTs (MUST and MUST NOT)
and SHOULDs (SHOULD and SHOULD NOT) are decided by a case, by a vector, not
testable, or planned. It exits with 1, and one line per problem, when
  - a requirement to be checked by a case (vector) is named by none;
  - a case or vector names an id that is not in SPEC.md, or only ids that are
    planned or untestable;
  - the text of SPEC.md and the registry in this program differ. The text is
    that of --spec-file; without it, that of ./SPEC.md if there is one.

With --write DIR it generates wire/rule/registry.json and wire/rule/ids.go from
DIR/SPEC.md, both or neither.`,
		Example: `  superscalar spec --area TRN
  superscalar spec --id PCF-012
  superscalar spec --json
  superscalar spec --check
  superscalar spec --write .`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return runSpec(c, e, f) },
	}
	c.Flags().StringVar(&f.area, "area", "", "only the requirements of one area, as TRN")
	c.Flags().StringVar(&f.id, "id", "", "one requirement in full, with the cases and vectors that name it")
	c.Flags().BoolVar(&f.json, "json", false, "print the registry as JSON")
	c.Flags().BoolVar(&f.check, "check", false, "check that every requirement is covered")
	c.Flags().StringVar(&f.file, "spec-file", "", "with --check: the text to compare with")
	c.Flags().StringVar(&f.write, "write", "", "generate the registry inside this `folder`")
	return c
}

func runSpec(c *cobra.Command, e env, f specFlags) error {
	set := c.Flags().Changed
	does := 0
	for _, flag := range []string{"id", "check", "write"} {
		if set(flag) {
			does++
		}
	}
	switch {
	case does > 1, does == 1 && (set("area") || set("json")):
		return usage(c, "--id, --check and --write each stand alone")
	case set("spec-file") && !f.check:
		return usage(c, "--spec-file belongs to --check")
	case set("id"):
		return printRequirement(e.Out, c, rule.ID(strings.ToUpper(f.id)))
	case f.check:
		return runSpecCheck(e, f.file)
	case set("write"):
		return writeRegistry(f.write)
	}
	r := rule.Embedded()
	if set("area") {
		var err error
		if r, err = inArea(c, r, strings.ToUpper(f.area)); err != nil {
			return err
		}
	}
	if f.json {
		_, err := e.Out.Write(r.JSON())
		return err
	}
	return printRequirements(e.Out, r)
}

func inArea(c *cobra.Command, r rule.Registry, area string) (rule.Registry, error) {
	out := rule.Registry{SpecVersion: r.SpecVersion}
	for _, q := range r.Requirements {
		if q.Area() == area {
			out.Requirements = append(out.Requirements, q)
		}
	}
	if out.Requirements == nil {
		return out, usage(c, "SPEC.md has no area %q, there is %s", area, strings.Join(areas(r), " and "))
	}
	return out, nil
}

// areas returns the areas of a registry in the order of the text.
func areas(r rule.Registry) []string {
	var out []string
	for _, q := range r.Requirements {
		if !slices.Contains(out, q.Area()) {
			out = append(out, q.Area())
		}
	}
	return out
}

func printRequirements(w io.Writer, r rule.Registry) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, q := range r.Requirements {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", q.ID, q.Level, q.Who, q.Check, q.Text)
	}
	return table.Flush()
}

func printRequirement(w io.Writer, c *cobra.Command, id rule.ID) error {
	q, ok := rule.Embedded().Lookup(id)
	if !ok {
		return usage(c, "SPEC.md has no requirement %q", id)
	}
	claims, err := allClaims()
	if err != nil {
		return err
	}
	how := string(q.Check)
	if q.Detail != "" {
		how += ": " + q.Detail
	}
	fmt.Fprintf(w, "%s  %s, %s\n%s\n\nsection  %s\nsource   %s\ncheck    %s\n", q.ID, q.Level, q.Who, q.Text, q.Section, q.Source, how)
	for _, kind := range []string{kindCase, kindVector} {
		title := kind + "s"
		for _, claim := range claims {
			if claim.kind == kind && slices.Contains(claim.rules, id) {
				fmt.Fprintf(w, "%-7s  %s\n", title, claim.name)
				title = ""
			}
		}
		if title != "" {
			fmt.Fprintf(w, "%-7s  none\n", title)
		}
	}
	return nil
}

// parseSpec reads the text of the specification.
func parseSpec(path string) (rule.Registry, error) {
	f, err := os.Open(path)
	if err != nil {
		return rule.Registry{}, exit(ExitUsage, "%w; name the text of the specification", err)
	}
	defer f.Close()
	r, err := rule.Parse(f)
	if err != nil {
		return r, exit(ExitFailed, "%s: %w", path, err)
	}
	return r, nil
}
