package cli

import (
	"errors"
	"runtime/debug"

	"github.com/spf13/cobra"

	"superscalar/vectors/gen"
)

// verifyGCPercent is how much the memory of 'vectors verify' grows between two
// collections, in percent of what is in use.
const verifyGCPercent = 400

func newVectorsCommand(e env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "vectors",
		Short: "List, verify, generate and export the test vectors",
		Long: `The test vectors of SPEC.md: what has to be computed, read and refused, as JSON
for any language. This program holds them; 'export' writes them to a folder,
together with a JSON Schema per kind and their licence (CC0-1.0).`,
		Example: `  superscalar vectors list
  superscalar vectors verify
  superscalar vectors export /tmp/vectors`,
	},
		&cobra.Command{
			Use:   "list",
			Short: "Print one line per vector",
			Long: `Prints one line per vector: its file, its name, "good" or the class of its
error, and the requirements it decides.`,
			Example: "  superscalar vectors list",
			Args:    takes(),
			RunE:    func(*cobra.Command, []string) error { return vectorsExit(gen.List(e.Out)) },
		},
		&cobra.Command{
			Use:   "verify",
			Short: "Check the reference implementation against every vector",
			Long: `Checks the reference implementation against every vector and prints how many
there are of each kind. Exits with 1 when one does not match.`,
			Example: "  superscalar vectors verify",
			Args:    takes(),
			RunE: func(*cobra.Command, []string) error {
				// It ends within a second: memory is cheaper than collecting it meanwhile.
				defer debug.SetGCPercent(debug.SetGCPercent(verifyGCPercent))
				return vectorsExit(gen.VerifyAll(e.Out))
			},
		},
		writeVectors("generate", "Compute every vector again and write it into a folder",
			`Computes every vector and schema again and writes them into the folder DIR,
which is made when missing. The same program writes the same bytes.`, gen.GenerateTo),
		writeVectors("export", "Write the vectors of this program into a folder",
			`Writes the vectors, schemas and licence that this program holds into the folder
DIR, which is made when missing.`, gen.Export),
	)
}

func writeVectors(name, short, long string, write func(dir string) error) *cobra.Command {
	return &cobra.Command{
		Use:     name + " DIR",
		Short:   short,
		Long:    long,
		Example: "  superscalar vectors " + name + " /tmp/vectors",
		Args:    takes("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := write(args[0]); err != nil {
				return exit(ExitUsage, "%w; name another folder", err)
			}
			return nil
		},
	}
}

// vectorsExit tells a vector that does not match from a suite without vectors.
func vectorsExit(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gen.ErrMismatch):
		return exit(ExitFailed, "%w", err)
	}
	return exit(ExitBroken, "%w", err)
}
