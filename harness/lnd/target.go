package lnd

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
)

// Target is lnd as a target of the suite: built, started and stopped by it.
// lnd offers no factories, so it is an ordinary peer; it plays the LSP's part
// of those sections that every Lightning node has to keep.
type Target struct {
	log  io.Writer
	node *Node
	addr transport.Address
}

// NewTarget returns the target; what building and starting have to say goes to
// log.
func NewTarget(log io.Writer) *Target { return &Target{log: log} }

// Kind implements harness.Target.
func (t *Target) Kind() string { return "lnd" }

// Tier implements harness.Target: lnd can be told to dial.
func (t *Target) Tier() harness.Tier { return harness.Driver }

// Roles implements harness.Target.
func (t *Target) Roles() []harness.Role { return []harness.Role{node.LSP} }

// Prepare builds lnd and btcd into the user's cache directory, where the next
// run finds them, and starts both.
func (t *Target) Prepare(ctx context.Context) error {
	bin, err := BuildCached(ctx, t.log)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.log, "starting lnd %s and btcd %s\n", LNDVersion, BTCDVersion)
	if t.node, err = Start(ctx, bin, os.TempDir()); err != nil {
		return err
	}
	t.addr, err = transport.ParseAddress(t.node.NodeID + "@" + t.node.Address)
	return err
}

// BuildCached is Build into the user's cache directory, where the next run finds
// the programs.
func BuildCached(ctx context.Context, log io.Writer) (Binaries, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Binaries{}, fmt.Errorf("no cache directory to build lnd in: %w", err)
	}
	return Build(ctx, filepath.Join(cache, "superscalar", "lnd"), log)
}

// Acquire implements harness.Target: one lnd serves all cases.
func (t *Target) Acquire(context.Context, harness.Role, [32]byte) (harness.Node, error) {
	return peer{t}, nil
}

// Release implements harness.Target.
func (t *Target) Release(harness.Node) {}

// Close stops lnd and btcd. It reports when lnd died during the run.
func (t *Target) Close() error {
	if t.node == nil {
		return nil
	}
	return t.node.Stop()
}

// peer is the running lnd as the suite sees it.
type peer struct{ t *Target }

func (p peer) Address() transport.Address { return p.t.addr }
func (p peer) Version() string            { return p.t.node.Version }

func (p peer) Connect(ctx context.Context, to transport.Address) error {
	return p.t.node.Connect(ctx, to.String())
}
