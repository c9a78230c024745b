// Package lnd runs a real lnd for the suite to test.
//
// It promises: Build compiles lnd, lncli and a btcd from pinned, checksummed
// modules with nothing but the Go toolchain; Start runs one lnd on a fresh
// regtest chain, on 127.0.0.1 only, and returns once it answers; Stop ends
// everything that Start began and removes its files. Expectations lists where
// this lnd is known to differ from SPEC.md, so that a run can tell a known
// deviation from a new one.
//
// It implements no part of SPEC.md and judges nothing: a Node is only a target,
// reached like any other over its node id and address. It opens no channels
// and gives lnd no coins.
package lnd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	// startLimit bounds one start. Measured: 6 to 8 s on two shared cores.
	startLimit = 90 * time.Second
	// stopGrace is what a program gets to end by itself. Measured for lnd: under
	// half a second when idle, 3 s while it still opens its wallet.
	stopGrace = 20 * time.Second
	// startTries is how often Start begins again when somebody else took a
	// port between its choice and its use.
	startTries = 3
)

// errSlow is the cause when startLimit ran out.
var errSlow = fmt.Errorf("not within %v", startLimit)

// Node is a running lnd and its btcd. Its methods may be called at the same
// time from several goroutines.
type Node struct {
	// NodeID is the public key of the node: 33 bytes, compressed, in 66
	// lower-case hex digits.
	NodeID string
	// Address is where it accepts BOLT 8 connections, as 127.0.0.1:port.
	Address string
	// Version is what lnd calls itself, for example "0.21.2-beta commit=".
	Version string

	dir   string // removed by Stop
	rest  string // host:port of its REST server; empty: it has none
	guest bool   // its btcd is another node's
	cli   cli
	btcd  *btcd
	lnd   *process
	once  sync.Once
	ended error
}

// Start runs btcd and lnd in a new folder inside dir (which is created when
// missing) and returns when lnd is synced, answers RPC and accepts peers.
//
// ctx bounds the start only; afterwards the node runs until Stop, or until
// this process dies (on Linux the kernel then kills both programs). When Start
// fails nothing is left running. A program that ended by itself is reported as
// *DiedError with the last lines of its log.
func Start(ctx context.Context, bin Binaries, dir string) (*Node, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errSlow)
	defer cancel()
	for try := 1; ; try++ {
		n, err := startOnce(ctx, bin, dir)
		var died *DiedError
		if err == nil || try == startTries || !errors.As(err, &died) || !died.says("address already in use") {
			return n, err
		}
	}
}

func startOnce(ctx context.Context, bin Binaries, parent string) (*Node, error) {
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, fmt.Errorf("lnd: scratch folder: %w", err)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, fmt.Errorf("lnd: scratch folder: %w", err)
	}
	dir, err := os.MkdirTemp(parent, "lnd-")
	if err != nil {
		return nil, fmt.Errorf("lnd: scratch folder: %w", err)
	}
	n := &Node{dir: dir}
	if err := n.start(ctx, bin); err != nil {
		n.once.Do(func() { n.end(false) })
		return nil, both(err, n.ended)
	}
	return n, nil
}

// start brings both programs up. Whatever it started is in n, for Stop.
func (n *Node) start(ctx context.Context, bin Binaries) error {
	chainDir, lndDir := filepath.Join(n.dir, "btcd"), filepath.Join(n.dir, "lnd")
	for _, d := range []string{chainDir, lndDir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return fmt.Errorf("lnd: scratch folder: %w", err)
		}
	}
	chain, err := launchBTCD(bin.BTCD, chainDir)
	if err != nil {
		return err
	}
	n.btcd = chain
	if err := chain.mine(ctx, startBlocks); err != nil {
		return err
	}
	if err := n.launchLND(bin, lndDir); err != nil {
		return err
	}
	return n.ready(ctx)
}

// launchLND starts lnd in dir, which must exist and be empty.
func (n *Node) launchLND(bin Binaries, dir string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	n.Address = ports[0]
	if n.rest != "" {
		n.rest = ports[2]
	}
	n.cli = cli{program: bin.Lncli, dir: dir, server: ports[1]}

	config := fmt.Sprintf("[Application Options]\n[btcd]\nbtcd.rpcuser=%s\nbtcd.rpcpass=%s\n",
		n.btcd.user, n.btcd.password)
	if err := os.WriteFile(filepath.Join(dir, "lnd.conf"), []byte(config), 0o600); err != nil {
		return fmt.Errorf("lnd: config of lnd: %w", err)
	}
	cmd := exec.Command(bin.LND,
		"--lnddir="+dir,
		"--noseedbackup",
		"--bitcoin.regtest",
		"--bitcoin.node=btcd",
		"--btcd.rpchost="+n.btcd.host,
		"--btcd.rpccert="+n.btcd.certPath,
		"--listen="+n.Address,
		"--rpclisten="+n.cli.server,
		"--nobootstrap",
		"--trickledelay=50",
		// These end lnd when the machine is short of disk or busy; what
		// they say is not about the protocol.
		"--healthcheck.diskspace.attempts=0",
		"--healthcheck.chainbackend.attempts=0",
	)
	cmd.Args = append(cmd.Args, n.restFlags()...)
	cmd.Env = childEnv(dir)
	n.lnd, err = launch("lnd", cmd, filepath.Join(dir, "lnd.out"))
	return err
}

// errNotSynced says that lnd answers but has not caught up with its chain.
var errNotSynced = errors.New("not synced to its chain")

// ready waits until a peer can use the node, and learns who it is. lnd opens
// its peer port last, so that is looked at first: it costs nothing, while every
// lncli takes time from the start that it waits for.
func (n *Node) ready(ctx context.Context) error {
	return await(ctx, "lnd is ready", []*process{n.btcd.process, n.lnd}, func() error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", n.Address)
		if err != nil {
			return fmt.Errorf("peer port: %w", err)
		}
		conn.Close()
		info, err := n.cli.info(ctx)
		if err != nil {
			return err
		}
		if !info.Synced {
			return errNotSynced
		}
		n.NodeID, n.Version = info.NodeID, info.Version
		return nil
	})
}

// Stop ends lnd, then btcd, and removes their files. Unless a program hangs it
// takes a few seconds at most. It needs no context, and may be called more
// than once: every call returns what the first one did. A program that had
// already ended by itself, as after a crash, is reported as *DiedError; any
// other error names a program that could not be ended or files that could not
// be removed.
func (n *Node) Stop() error {
	n.once.Do(func() { n.end(true) })
	return n.ended
}

// end does the work of Stop. A start that failed because a program died has
// said so already; it passes tellDeaths false.
func (n *Node) end(tellDeaths bool) {
	var chain *process
	if n.btcd != nil {
		chain = n.btcd.process
	}
	for _, p := range []*process{n.lnd, chain} {
		if p == nil || n.guest && p == chain {
			continue
		}
		err := p.stop(stopGrace)
		var died *DiedError
		if tellDeaths || !errors.As(err, &died) {
			n.ended = both(n.ended, err)
		}
	}
	if err := os.RemoveAll(n.dir); err != nil {
		n.ended = both(n.ended, fmt.Errorf("lnd: scratch folder: %w", err))
	}
}

// both joins two errors, each of which may be nil, on one line.
func both(a, b error) error {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	return fmt.Errorf("%w; %w", a, b)
}
