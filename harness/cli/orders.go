package cli

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"superscalar/refnode/control"
)

// newCLICommand gives a node that runs the commands of its console, from another
// process.
func newCLICommand(e env) *cobra.Command {
	var datadir string
	var asJSON bool
	c := &cobra.Command{
		Use:   "cli",
		Short: "Give orders to a node that runs: pay, invoice, channels, status",
		Long: `Gives an order to the node that runs with this data directory, and prints what it
answers. The orders are those that can be typed at the node itself, and --json
prints the answer as the node gives it (see 'superscalar node client --help').

The node listens at the socket ` + control.SocketName + ` in its data directory, which nobody but
its user can open. pay ends when the payment is over, or after a minute; when that
comes first, or it is interrupted, the payment goes on and can still succeed, and
the same order again tells how it ended or waits for it.

Exit codes: 0 done; 1 the node refused, or the payment failed; 2 usage; 4 no node
runs there; 5 the payment is in flight still: not to be paid in another way.`,
		Example: `  superscalar cli status --datadir /tmp/client
  superscalar cli invoice 5000 two coffees --datadir /tmp/client
  superscalar cli pay lnbcrt50u1... --datadir /tmp/client
  superscalar cli channels --json --datadir /tmp/client`,
	}
	c.PersistentFlags().StringVar(&datadir, "datadir", "", "`folder` of the node (required)")
	c.PersistentFlags().BoolVar(&asJSON, "json", false, "print the answer as one line of JSON")
	var orders []*cobra.Command
	for _, order := range consoleCommands {
		orders = append(orders, &cobra.Command{
			Use:     strings.TrimSpace(order.name + " " + order.takes),
			Short:   strings.ToUpper(order.does[:1]) + order.does[1:],
			Long:    order.more,
			Example: "  superscalar cli " + order.example + " --datadir /tmp/node",
			Args:    cobra.ArbitraryArgs,
			RunE: func(c *cobra.Command, words []string) error {
				if datadir == "" {
					return usage(c, "--datadir is missing")
				}
				request, err := order.read(words)
				if err != nil {
					return usage(c, "%w", err)
				}
				return give(e, datadir, order, request, asJSON)
			},
		})
	}
	return group(c, orders...)
}

// give has the node of a data directory obey a request, and prints the reply.
func give(e env, datadir string, order consoleCommand, request map[string]any, asJSON bool) error {
	line, err := control.Ask(e.Context, filepath.Join(datadir, control.SocketName), request)
	if errors.Is(err, control.ErrNoNode) {
		return exit(ExitUnreachable, "no node runs with data directory %s: %w", datadir, err)
	}
	if err != nil {
		return exit(ExitFailed, "%w", err)
	}
	reply, err := readReply(line)
	switch {
	case asJSON:
		if _, wrote := e.Out.Write(line); wrote != nil {
			return exit(ExitUsage, "writing to the standard output: %w", wrote)
		}
		if err != nil {
			return &ExitError{Code: failed(reply)}
		}
	case err != nil:
		return exit(failed(reply), "%w", err)
	default:
		order.show(e.Out, reply)
	}
	return nil
}

// failed is the exit code for an order that was not done.
func failed(reply consoleReply) int {
	if reply.InFlight {
		return ExitInFlight
	}
	return ExitFailed
}

// obeySocket lets a node obey a socket, too. The context of the env that it returns
// also ends when somebody there says stop; hang ends the socket. A node that cannot
// have one says so in its log, and goes on.
func obeySocket(e env, path string, n control.Node, log *slog.Logger) (out env, hang func()) {
	s, err := control.Listen(path)
	if err != nil {
		log.Warn("no orders from other terminals", "error", oneLine(err.Error()))
		return e, func() {}
	}
	ctx, cancel := context.WithCancel(e.Context)
	e.Context = ctx
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if s.Serve(ctx, n) {
			cancel()
		}
	}()
	return e, func() {
		cancel()
		<-ended
	}
}
