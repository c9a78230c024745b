package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/spf13/cobra"

	"superscalar/harness/driver"
	"superscalar/refnode/transport"
)

func newDriverCommand(e env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "driver",
		Short: "Write and examine a driver for an implementation under test",
		Long: `A driver is a small program that starts a node and does as the suite says: at
most eight commands, one JSON object a line. Tier "driver" of the suite needs
one; tier "wire" does not.

Begin with 'template', adapt what is marked ADAPT, and run 'doctor' on it.`,
		Example: `  superscalar driver template python > driver.py
  superscalar driver doctor 'exec:python3 driver.py'`,
	}, newDriverTemplate(e), newDriverSchema(e), newDriverDoctor(e))
}

func newDriverTemplate(e env) *cobra.Command {
	names := strings.Join(driver.Templates(), "|")
	return &cobra.Command{
		Use:   "template " + names,
		Short: "Print a finished driver to start from",
		Long: `Prints a driver for the reference node, at most 100 lines without dependencies.
What has to change for another node is marked ADAPT.`,
		Example: `  superscalar driver template python > driver.py
  superscalar driver template javascript > driver.js`,
		Args: takes(names),
		RunE: func(c *cobra.Command, args []string) error {
			source, err := driver.Template(args[0])
			if err != nil {
				return usage(c, "%w", err)
			}
			fmt.Fprint(e.Out, source)
			return nil
		},
	}
}

func newDriverSchema(e env) *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of every line between suite and driver",
		Long:    `Prints the JSON Schema (draft 2020-12) of every line between suite and driver.`,
		Example: "  superscalar driver schema > driver.schema.json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			_, err := e.Out.Write(driver.Schema())
			return err
		},
	}
}

// doctorFlags are the flags of driver doctor.
type doctorFlags struct {
	role     string
	deadline time.Duration
	wait     time.Duration
	public   bool
}

func newDriverDoctor(e env) *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor exec:COMMAND | tcp:HOST:PORT",
		Short: "Say what is wrong with a driver, and how to mend it",
		Long: `Runs every command of the protocol against a driver and prints one line per
check: "ok", or "wrong" and how to mend it. Exits with 1 when anything is wrong.

exec:COMMAND starts the driver (no shell looks at the command line), twice; the
variable SUPERSCALAR names this program to it unless it is set. tcp:HOST:PORT
waits there for a driver to connect.`,
		Example: `  superscalar driver doctor 'exec:python3 driver.py'
  superscalar driver doctor tcp:127.0.0.1:9800`,
		Args: takes("exec:COMMAND or tcp:HOST:PORT"),
		RunE: func(c *cobra.Command, args []string) error { return runDoctor(c, e, f, args[0]) },
	}
	c.Flags().StringVar(&f.role, "role", "lsp", "start the node as `lsp|client`")
	c.Flags().DurationVar(&f.deadline, "deadline", driver.DefaultDeadline, "how long the driver has for one command")
	c.Flags().DurationVar(&f.wait, "wait", time.Minute, "how long to wait for a driver to connect")
	c.Flags().BoolVar(&f.public, "public", false, "allow tcp: beyond this machine; the protocol has no password")
	return c
}

func runDoctor(c *cobra.Command, e env, f doctorFlags, target string) error {
	if f.role != string(driver.RoleLSP) && f.role != string(driver.RoleClient) {
		return usage(c, "--role %q is neither lsp nor client", f.role)
	}
	open, err := driverOpener(c, e, f, target)
	if err != nil {
		return err
	}
	var unreachable error
	err = driver.Doctor(e.Context, e.Out, func(ctx context.Context) (*driver.Client, error) {
		client, err := open(ctx)
		if errors.Is(err, driver.ErrSpawn) || errors.Is(err, driver.ErrNoDriver) {
			unreachable = err
		}
		return client, err
	}, driver.Hooks{
		Role:  driver.Role(f.role),
		Probe: probe,
		Peer:  func(context.Context) (driver.Peer, error) { return newSuitePeer() },
	})
	switch {
	case err == nil:
		return nil
	case unreachable != nil:
		return exit(ExitUnreachable, "%w", unreachable)
	case errors.Is(err, driver.ErrUnwell):
		return exit(ExitFailed, "%w; each line above that begins with 'wrong' says how to mend it", err)
	}
	return exit(ExitBroken, "%w", err)
}

// driverOpener returns how to get at the driver that target names.
func driverOpener(c *cobra.Command, e env, f doctorFlags, target string) (func(context.Context) (*driver.Client, error), error) {
	opts := driver.Options{Deadline: f.deadline}
	kind, rest, _ := strings.Cut(target, ":")
	switch kind {
	case "exec":
		if _, err := driver.Split(rest); err != nil {
			return nil, usage(c, "%w", err)
		}
		if os.Getenv("SUPERSCALAR") == "" {
			self, err := os.Executable()
			if err != nil {
				return nil, exit(ExitBroken, "where this program is: %w", err)
			}
			opts.Env = []string{"SUPERSCALAR=" + self}
		}
		return func(ctx context.Context) (*driver.Client, error) { return driver.Spawn(ctx, rest, opts) }, nil
	case "tcp":
		if err := checkListen(rest, f.public); err != nil {
			return nil, err
		}
		opts.Listening = func(address string) { fmt.Fprintf(e.Out, "waiting for a driver at %s\n", address) }
		return func(ctx context.Context) (*driver.Client, error) {
			ctx, cancel := context.WithTimeout(ctx, f.wait)
			defer cancel()
			return driver.ListenDialBack(ctx, rest, opts)
		}, nil
	}
	return nil, usage(c, "%q is neither exec:COMMAND nor tcp:HOST:PORT", target)
}

// probe completes a BOLT 8 handshake with a node and hangs up.
func probe(ctx context.Context, nodeID, address string) error {
	to, err := transport.ParseAddress(nodeID + "@" + address)
	if err != nil {
		return err
	}
	key, err := btcec.NewPrivateKey()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := transport.Dial(ctx, to, transport.Options{Key: key})
	if err != nil {
		return err
	}
	return conn.Close()
}
