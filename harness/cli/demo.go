package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"superscalar/harness/picture"
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// demoFlags are the flags of demo, as typed.
type demoFlags struct {
	clients          int
	leaf, exit       string
	shape, svg       string
	seed             uint64
	json             bool
	shapeOf          factory.Shape  // from shape, or recommended
	params           factory.Params // for that shape
	leafSet, exitSet bool
}

func newDemoCommand(e env) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Build a factory, use it, and leave it, with a picture of the tree",
		Long: `Shows a whole factory in one process, in seconds, and says what it costs: a
regtest chain that checks consensus and relay rules, an LSP, and clients that
are connected to it over sockets on 127.0.0.1. They run the ceremony that builds
the tree; with up to 32 clients its channels carry payments; one client buys
liquidity, and is paid more; then comes the way out. Delays are those of mainnet;
only the blocks come faster. Nothing is left on the disk. In the end stands what
client 0 has of its channels, and of the others how large their channels are.

Leaves:
  ps  a sale spends the group's stock output into a new channel: nothing that
      exists moves, and an omission transaction pays the buyer if the LSP keeps
      the sale to itself
  dw  a sale replaces the leaf by one that is valid sooner, and poison gives the
      replaced one to the clients

Ways out:
  unilateral  the LSP is gone; the client publishes its path, and then its
              commitments
  expiry      the LSP is gone and nobody does anything: at the expiry, one
              distribution pays every client, also one without a coin
  cheat       the LSP publishes what it must not: with dw leaves the replaced
              leaf (poison answers), with ps leaves the leaf without the sale
              (the omission answers)
  none        nobody leaves

The tree has the shape that 'superscalar plan' recommends, or --shape: levels
from the root, as 'static 2 / kickoff 1 / ps 2'. The same seed gives the same
tree.`,
		Example: `  superscalar demo
  superscalar demo --leaf dw --exit cheat
  superscalar demo --shape 'static 2 / kickoff 1 / ps 2' --svg tree.svg
  superscalar demo --clients 128 --exit expiry --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			f.leafSet, f.exitSet = c.Flags().Changed("leaf"), c.Flags().Changed("exit")
			if err := f.check(c); err != nil {
				return err
			}
			return runDemo(e, f)
		},
	}
	fl := c.Flags()
	fl.IntVar(&f.clients, "clients", 8, "number of clients, 1 to 1024")
	fl.StringVar(&f.leaf, "leaf", "ps", "kind of leaf: ps or dw")
	fl.StringVar(&f.exit, "exit", "unilateral", "way out: none, unilateral, expiry or cheat")
	fl.StringVar(&f.shape, "shape", "", "shape of the tree (default: the recommended one)")
	fl.StringVar(&f.svg, "svg", "", "write a picture of the tree to this `file`")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of all randomness")
	fl.BoolVar(&f.json, "json", false, "print the steps and their cost as JSON instead")
	return c
}

// The ways out.
const (
	exitNone       = "none"
	exitUnilateral = "unilateral"
	exitExpiry     = "expiry"
	exitCheat      = "cheat"
)

// check looks at the flags and fills in shape and parameters.
func (f *demoFlags) check(c *cobra.Command) error {
	leaf, ok := leafKinds[f.leaf]
	switch {
	case f.clients < 1 || f.clients > factory.MaxClients:
		return usage(c, "--clients %d: a factory has 1 to %d", f.clients, factory.MaxClients)
	case !ok:
		return usage(c, "--leaf %q is neither ps nor dw", f.leaf)
	}
	switch f.exit {
	case exitNone, exitUnilateral, exitExpiry, exitCheat:
	default:
		return usage(c, "--exit %q is none of none, unilateral, expiry, cheat", f.exit)
	}
	if err := f.findShape(c, leaf); err != nil {
		return err
	}
	if err := f.findParams(); err != nil {
		return usage(c, "--shape: %w", err)
	}
	if c.Flags().Changed("svg") {
		return checkFile("--svg", f.svg)
	}
	return nil
}

func (f *demoFlags) findShape(c *cobra.Command, leaf factory.LeafKind) error {
	if !c.Flags().Changed("shape") {
		rows := factory.Plan(factory.Request{Clients: f.clients, Leaf: leaf, MaxBlocks: recommendedBlocks})
		if len(rows) == 0 {
			return exit(ExitBroken, "no shape for %d clients", f.clients)
		}
		f.shapeOf = rows[0].Shape
		return nil
	}
	var err error
	if f.shapeOf, err = factory.ParseShape(f.shape); err != nil {
		return usage(c, "--shape: %w", err)
	}
	if f.leafSet && f.shapeOf.Leaf != leaf {
		return usage(c, "--shape has %s leaves, --leaf says %s", f.shapeOf.Leaf, leaf)
	}
	if _, err := factory.NewLayout(f.clients, f.shapeOf, rule.Set{}); err != nil {
		return usage(c, "--shape for %s: %w", count(f.clients, "client"), err)
	}
	return nil
}

// recommendedBlocks is the early warning time that the recommended shape keeps.
const recommendedBlocks = 720

// findParams gives each node as many states as the early warning time allows.
func (f *demoFlags) findParams() error {
	p := factory.DefaultParams(f.shapeOf.Leaf)
	const fewest = 2 // section 4.1
	for p.EarlyWarningTime(f.shapeOf) > factory.MaxEarlyWarning && p.States > fewest {
		p.States--
	}
	if blocks := p.EarlyWarningTime(f.shapeOf); blocks > factory.MaxEarlyWarning {
		return fmt.Errorf("its early warning time is %d blocks, at most %d are allowed (DELAY-004)", blocks, factory.MaxEarlyWarning)
	}
	f.params = p
	return nil
}

// checkFile refuses a file that could not be written later.
func checkFile(flag, path string) error {
	info, err := os.Stat(path)
	switch {
	case path == "":
		return exit(ExitUsage, "%s: the name of the file is missing", flag)
	case err == nil && info.IsDir():
		return exit(ExitUsage, "%s: %s is a folder; name a file", flag, path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".superscalar-*")
	if err != nil {
		return exit(ExitUsage, "%s: %s cannot be written; name another file: %w", flag, path, err)
	}
	_ = tmp.Close()
	return os.Remove(tmp.Name())
}

// writeSVG writes the picture, all of it or nothing.
func writeSVG(path string, t *factory.Tree) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".superscalar-*")
	if err != nil {
		return exit(ExitUsage, "--svg: %w", err)
	}
	defer func() {
		if err != nil {
			err = exit(ExitUsage, "--svg: %w", errors.Join(err, os.Remove(tmp.Name())))
		}
	}()
	if err := errors.Join(picture.SVG(tmp, t), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
