package cli

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"superscalar/conformance"
	"superscalar/harness"
	"superscalar/harness/lnd"
	"superscalar/harness/mutant"
	"superscalar/harness/report"
	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire/rule"
)

// How the built-in peers that are there to fail are run.
const (
	nullDeadline   = 500 * time.Millisecond
	nullParallel   = 32
	nullTimeLimit  = 60 * time.Second
	mutantDeadline = 10 * time.Second // a mutant that hangs is rare and costs this
)

// open returns the target that the flags name, and completes opts with what
// follows from it.
func (f *conformFlags) open(c *cobra.Command, e env, opts *harness.Options) (harness.Target, error) {
	switch {
	case f.null != "":
		opts.Settle = 0
		if f.deadline == 0 {
			opts.Deadline = nullDeadline
		}
		t, err := harness.NewNull(f.null)
		if err != nil {
			return nil, usage(c, "--null: %w", err)
		}
		return t, nil
	case f.mutant != "":
		return f.openMutant(c, opts)
	case f.target == "refnode":
		opts.Settle = 0
		return harness.NewRefnode(harness.RefnodeOptions{Envelope: opts.Envelope}), nil
	case f.target == "lnd":
		f.acceptUnsupported = true
		var err error
		if opts.Expect == nil {
			opts.Expect, err = harness.ParseExpectations(lnd.ExpectedJSON)
		}
		return lnd.NewTarget(e.Err), err
	case strings.HasPrefix(f.target, "exec:"):
		return f.openExec(c, opts)
	case strings.HasPrefix(f.target, "tcp:"):
		return f.openDialBack(c, e, opts)
	}
	return f.openRemote(c, opts)
}

func (f *conformFlags) openMutant(c *cobra.Command, opts *harness.Options) (harness.Target, error) {
	found, err := mutant.Find(f.mutant)
	if err != nil {
		return nil, usage(c, "--mutant: %w", err)
	}
	if q, _ := rule.Embedded().Lookup(found[0].Rule); q.Check == rule.ByVector {
		return nil, usage(c, "--mutant %s computes something wrong: vectors notice it, see 'superscalar mutants --matrix'", f.mutant)
	}
	opts.Settle = 0
	return found[0].Target(), nil
}

func (f *conformFlags) openExec(c *cobra.Command, opts *harness.Options) (harness.Target, error) {
	command := strings.TrimPrefix(f.target, "exec:")
	if strings.TrimSpace(command) == "" {
		return nil, usage(c, "--target exec: names no command; write exec:COMMAND")
	}
	roles := opts.Roles
	if len(roles) == 0 {
		roles = []harness.Role{node.LSP, node.Client}
	}
	return harness.NewExec(command, roles, opts.Deadline, opts.Seed), nil
}

func (f *conformFlags) openDialBack(c *cobra.Command, e env, opts *harness.Options) (harness.Target, error) {
	hostport := strings.TrimPrefix(f.target, "tcp:")
	host, _, err := net.SplitHostPort(hostport)
	if ip, ipErr := netip.ParseAddr(host); err != nil || ipErr != nil || !ip.IsLoopback() {
		return nil, usage(c, "--target %q: a driver dials back over loopback, write tcp:127.0.0.1:PORT", f.target)
	}
	if f.role == "both" {
		return nil, usage(c, "--role both: a driver that dials back drives one node, name its role")
	}
	return harness.NewDialBack(hostport, f.oneRole(opts), opts.Deadline, func(addr string) {
		fmt.Fprintf(e.Err, "waiting for the driver to connect to %s\n", addr)
	}), nil
}

// oneRole is the role of a target that can play only one: LSP unless said.
func (f *conformFlags) oneRole(opts *harness.Options) harness.Role {
	if len(opts.Roles) == 1 {
		return opts.Roles[0]
	}
	return node.LSP
}

func (f *conformFlags) openRemote(c *cobra.Command, opts *harness.Options) (harness.Target, error) {
	addr, err := transport.ParseAddress(f.target)
	if err != nil {
		return nil, usage(c, "--target %q is none of refnode, lnd, exec:COMMAND, tcp:HOST:PORT, NODEID@HOST:PORT: %w", f.target, err)
	}
	if f.role == "both" {
		return nil, usage(c, "--role both: a running node plays one role, name it")
	}
	return harness.NewRemote(addr, f.oneRole(opts), opts.Deadline), nil
}

// runNulls runs every null peer and prints what it scored, which must be
// nothing.
func runNulls(e env, opts harness.Options) error {
	opts.Settle = 0
	reference := harness.NewRefnode(harness.RefnodeOptions{})
	want := len(harness.Select(conformance.Cases(), reference, opts))
	fmt.Fprintf(e.Out, "%-16s %8s %8s %8s\n", "null peer", "passed", "of", "time")
	bad := 0
	for _, kind := range harness.Nulls {
		target, err := harness.NewNull(kind)
		if err != nil {
			return err
		}
		start := time.Now()
		run := &harness.Runner{Target: target, Opts: opts}
		results := run.RunAll(e.Context, harness.Select(conformance.Cases(), target, opts), nullParallel)
		if e.Context.Err() != nil {
			return exit(ExitFailed, "interrupted while null peer %s was tested", kind)
		}
		if err := run.Broken(); err != nil {
			return exit(ExitBroken, "the suite broke: %w", err)
		}
		took := time.Since(start)
		counts := report.Tally(results)
		fmt.Fprintf(e.Out, "%-16s %8d %8d %7.1fs\n", kind, counts.Passed, counts.Total, took.Seconds())
		if counts.Failed != want || counts.Total != want || took > nullTimeLimit {
			bad++
			showPasses(e, results)
		}
	}
	if bad > 0 {
		fmt.Fprintf(e.Out, "%d null peers did not fail all of %d cases within %s\n", bad, want, nullTimeLimit)
		return &ExitError{ExitFailed, nil}
	}
	fmt.Fprintf(e.Out, "every null peer passed 0 of %d\n", want)
	return nil
}

func showPasses(e env, results []report.Case) {
	for _, c := range results {
		if c.State != report.Failed {
			fmt.Fprintf(e.Out, "  %s: %s %s\n", c.Name, c.State, c.Reason)
		}
	}
}

// progress shows a person at a terminal how far a run is.
type progress struct {
	w           *os.File
	total, done int
	failed      int
}

func newProgress(w any, total int) *progress {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return &progress{w: f, total: total}
	}
	return &progress{}
}

func (p *progress) step(c report.Case) {
	p.done++
	if c.State == report.Failed {
		p.failed++
	}
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%d of %d, %d failed  %s", p.done, p.total, p.failed, c.Name)
	}
}

func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// isTerminal reports whether w is a terminal, where colour and progress help.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
