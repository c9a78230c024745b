// Package cli is the command tree of the program superscalar.
//
// It promises stable exit codes (see the Exit constants); that every error is
// one line on the error output, beginning "superscalar: ", that says what is
// wrong and what to do; that a command which fails leaves nothing behind; and
// that the help text of each command is its documentation. What commands do is
// decided in the packages they call: here are flags, their checks, and text.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"superscalar/harness"
	"superscalar/wire/rule"
)

// env is what a command may use of the process it runs in.
type env struct {
	In       io.Reader
	Out, Err io.Writer
	Context  context.Context // ends on SIGINT and SIGTERM
}

// Main runs the program with args, its own name left out, and returns its exit
// code. A second SIGINT or SIGTERM ends the process at once.
func Main(args []string, in io.Reader, out, errOut io.Writer) (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(errOut, "superscalar: internal error, please report it with this command line: %v\n%s", v, debug.Stack())
			code = ExitBroken
		}
	}()
	root := newRoot(env{In: in, Out: out, Err: errOut, Context: ctx})
	root.SetArgs(append([]string{}, args...))
	return exitCode(root.ExecuteContext(ctx), errOut)
}

func newRoot(e env) *cobra.Command {
	root := group(&cobra.Command{
		Use:     "superscalar",
		Short:   "Specification, vectors, reference node and conformance suite of SuperScalar",
		Version: harness.Version + " (SPEC.md " + rule.Embedded().SpecVersion + ")",
		Long: `SuperScalar lets a Lightning Service Provider and many self-custodial clients
share one Bitcoin output. This program tests implementations of it, rule by
rule, and holds what they are tested against.

Exit codes of every command:
  0  done; the target conforms
  1  a check failed; the target does not conform
  2  the command line, a file or a folder has to be changed
  3  the suite itself is broken
  4  the target cannot be reached

Every error is one line on the error output.`,
		Example: `  superscalar demo
  superscalar plan --clients 128
  superscalar conform
  superscalar conform --target NODEID@127.0.0.1:9735 --role lsp
  superscalar spec --id PCF-012
  superscalar node lsp --datadir /tmp/lsp`,
	},
		newConformCommand(e),
		newMutantsCommand(e),
		newSpecCommand(e),
		newVectorsCommand(e),
		newDecodeCommand(e),
		newReportCommand(e),
		newDriverCommand(e),
		newInteropCommand(e),
		newPlanCommand(e), newBenchCommand(e),
		newDemoCommand(e),
		newNodeCommand(e), newCLICommand(e),
	)
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.Err)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usage(c, "%w", err) })
	root.SetHelpCommand(newHelpCommand(root))
	return root
}

// newHelpCommand is the other spelling of --help. Cobra's own takes a command
// that does not exist for a success.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usage(root, "there is no command %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

// group makes c a command that only holds others.
func group(c *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	c.AddCommand(commands...)
	c.Use += " COMMAND"
	c.DisableFlagsInUseLine = true
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage(c, "unknown command %q", args[0])
		}
		return usage(c, "no command given")
	}
	return c
}

// takes is the argument check of a command that wants exactly the named
// arguments.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(c, "%s is missing", names[len(args)])
		case len(args) > len(names):
			return usage(c, "one argument too many: %q", args[len(names)])
		}
		return nil
	}
}

const usageTemplate = `Usage:
  {{.UseLine}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}`
