package cli

import (
	"os"

	"github.com/spf13/cobra"

	"superscalar/harness/interop"
	"superscalar/harness/lnd"
)

func newInteropCommand(e env) *cobra.Command {
	verbose := false
	c := &cobra.Command{
		Use:   "interop",
		Short: "Let the reference LSP and a client trade with a real lnd",
		Long: `Builds and starts lnd and btcd on this machine, opens channels between lnd and
the reference LSP from both sides, lets a client behind the LSP and one inside a
factory pay and be paid, restarts the nodes and changes the factory in between, and
closes channels by agreement and by force, with HTLCs in flight. lnd confirms each
step through its own RPC. Exit code 0 when all of it came to pass, else 1, with the
name of the step that did not.

It needs the Go toolchain and, the first time, the module proxy.`,
		Example: "  superscalar interop --verbose",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			dir, err := os.MkdirTemp("", "superscalar-interop-")
			if err != nil {
				return exit(ExitUsage, "a temporary folder: %w", err)
			}
			defer os.RemoveAll(dir)
			bin, err := lnd.BuildCached(e.Context, e.Err)
			if err != nil {
				return exit(ExitUsage, "%s", oneLine(err.Error()))
			}
			if err := interop.Run(e.Context, bin, dir, interop.Options{Out: e.Out, Verbose: verbose}); err != nil {
				return exit(ExitFailed, "%s", oneLine(err.Error()))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&verbose, "verbose", false, "also print what happens at the LSP and the client")
	return c
}
