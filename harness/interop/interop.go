// Package interop lets the reference LSP trade with a real lnd.
//
// It promises that what it prints as done was confirmed by lnd itself, through
// its own RPC: channels that lnd opens and that it accepts, payments in both
// directions, to and from a client behind the LSP and one whose channel is inside
// a factory, a restart in between, a change in that factory with an HTLC in flight,
// channels that close by agreement, and channels that either side closes by force
// with HTLCs in flight in both directions.
// Everything runs on 127.0.0.1, on one btcd. It implements no part of SPEC.md; it
// shows that sections 3.7 and 8 sit on top of the BOLTs as somebody else reads
// them.
package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/harness/cable"
	"superscalar/harness/lnd"
	"superscalar/refnode/chain"
	"superscalar/refnode/chain/btcdrpc"
	"superscalar/refnode/control"
	"superscalar/refnode/datadir"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// When a step that does not come to pass is given up.
const (
	limit      = 60 * time.Second
	limitChain = 4 * time.Minute // what waits for hundreds of blocks
)

// Run runs the whole script and prints a line for each step. The error is that of
// the first step that did not come to pass.
func Run(ctx context.Context, bin lnd.Binaries, dir string, o Options) (err error) {
	out := o.Out
	s := &script{ctx: ctx, Options: o, dir: dir}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.lnd, err = lnd.Start(ctx, bin, dir); err != nil {
		return err
	}
	if err = s.setUp(); err != nil {
		return err
	}
	for _, step := range steps {
		text, err := step.run(s)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		s.done++
		fmt.Fprintf(out, "ok  %-52s %s\n", step.name, text)
	}
	fmt.Fprintf(out, "lnd %s was paid %d sat in %d payments and paid %d sat in %d.\n", s.lnd.Version, s.toLND.sat, s.toLND.payments, s.byLND.sat, s.byLND.payments)
	fmt.Fprintf(out, "%d of %d steps done.\n", s.done, len(steps))
	return nil
}

// Options shape a run.
type Options struct {
	Out     io.Writer
	Verbose bool // also say what happens at the LSP and the client
}

// script is a run: lnd, an LSP, and clients behind it.
type script struct {
	Options
	ctx    context.Context
	dir    string
	lnd    *lnd.Node
	faucet *lnd.Faucet
	lsp    *party
	client *party // with a channel outside of factories
	// members are the clients of a factory; the first one trades with lnd, over
	// cable, which can keep it from answering.
	members []*party
	cable   *cable.Cable
	done    int
	toLND   sum
	byLND   sum
	// birthday is the best block when everything began: nobody owns anything below.
	birthday chain.BlockID
}

// sum counts what reached its payee.
type sum struct{ payments, sat int }

func (p *sum) count(sat int) {
	p.payments++
	p.sat += sat
}

// party is a reference node with a store, a wallet and sockets of its own.
type party struct {
	role  node.Role
	dir   string
	chain *btcdrpc.Client
	id    *datadir.Dir
	side  *participant.Participant
	node  *node.Node
}

func (s *script) setUp() error {
	c, err := s.lnd.Chain(s.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if s.faucet, err = lnd.NewFaucet(s.ctx, c); err != nil {
		return err
	}
	if s.birthday, err = c.Tip(s.ctx); err != nil {
		return err
	}
	s.lsp = &party{role: node.LSP, dir: filepath.Join(s.dir, "lsp")}
	s.client = &party{role: node.Client, dir: filepath.Join(s.dir, "client")}
	for i := range members {
		s.members = append(s.members, &party{role: node.Client, dir: filepath.Join(s.dir, fmt.Sprint("member-", i))})
	}
	for _, p := range s.parties() {
		if err := s.start(p); err != nil {
			return err
		}
	}
	if s.cable, err = cable.Lay(s.lsp.node.Address().HostPort); err != nil {
		return err
	}
	return s.pay()
}

// parties are all reference nodes, the LSP first.
func (s *script) parties() []*party { return append([]*party{s.lsp, s.client}, s.members...) }

// pay gives coins to the LSP and to lnd.
func (s *script) pay() error {
	c, err := s.lnd.Chain(s.ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s.faucet = s.faucet.On(c)
	var to struct {
		Address string `json:"address"`
	}
	if err := s.lnd.Lncli(s.ctx, &to, "newaddress", "p2wkh"); err != nil {
		return err
	}
	if err := s.faucet.Pay(s.ctx, to.Address, 10_000_000); err != nil {
		return err
	}
	address, err := s.lsp.side.Address()
	if err != nil {
		return err
	}
	// Channels, the factory, and coins that pay for what ends on the chain.
	for _, sat := range []int64{10_000_000, 5_000_000, 200_000, 200_000, 200_000, 200_000} {
		if err := s.faucet.Pay(s.ctx, address, sat); err != nil {
			return err
		}
	}
	return s.mine(6)
}

// start starts a party, or starts it again after stop.
func (s *script) start(p *party) (err error) {
	if p.id, err = datadir.Open(p.dir, string(p.role), datadir.Options{}); err != nil {
		return err
	}
	if p.chain, err = s.lnd.Chain(s.ctx); err != nil {
		return errors.Join(err, p.id.Close())
	}
	p.side, err = participant.Open(participant.Config{
		Role: p.role, Path: p.id.Path(), Derive: p.id.DeriveKey, Rand: rand.Reader, Chain: p.chain, NodeKey: p.id.NodeKey(), Tell: s.tell(p),
		Birthday: s.birthday,
	})
	if err != nil {
		return errors.Join(err, p.chain.Close(), p.id.Close())
	}
	p.node, err = node.Start(node.Config{
		Role: p.role, Key: p.id.NodeKey(), Listen: "127.0.0.1:0", Rand: rand.Reader, Ceremonies: p.side.Ceremonies(),
		Channels: p.side.Hub(), Outside: true,
		Derive: func(label string) (*btcec.PrivateKey, error) { return p.id.DeriveKey("interop/"+label, 0) },
	})
	if err != nil {
		return errors.Join(err, p.stop())
	}
	p.side.AttachOpener(p.node.OpenInFactory)
	p.side.Attach(func(id wire.Point) { p.node.Wake(transport.NodeID(id)) })
	return nil
}

func (p *party) stop() (err error) {
	if p == nil || p.id == nil {
		return nil
	}
	if p.node != nil {
		err = p.node.Close()
	}
	if p.side != nil {
		err = errors.Join(err, p.side.Close())
	}
	err = errors.Join(err, p.chain.Close(), p.id.Close())
	p.node, p.side, p.id = nil, nil, nil
	return err
}

// tell writes what happens at a party to the log of the run.
func (s *script) tell(p *party) func(string) {
	return func(line string) {
		if s.Verbose {
			fmt.Fprintf(s.Out, "    %s: %s\n", filepath.Base(p.dir), line)
		}
	}
}

func (s *script) close() error {
	var err error
	if s.cable != nil {
		err = s.cable.Close()
	}
	for _, p := range s.parties() {
		err = errors.Join(err, p.stop())
	}
	if s.lnd != nil {
		err = errors.Join(err, s.lnd.Stop())
	}
	return err
}

// mine mines blocks and waits until everybody has seen them.
func (s *script) mine(n int) error {
	if err := s.lnd.Mine(s.ctx, n); err != nil {
		return err
	}
	return s.until("everybody has seen the new blocks", func() (bool, error) {
		tip, err := s.lsp.chain.Tip(s.ctx)
		if err != nil {
			return false, err
		}
		for _, p := range s.parties() {
			if p.side == nil {
				continue
			}
			if at, err := p.side.Hub().Height(); err != nil || chain.Height(at) < tip.Height {
				return false, err
			}
		}
		var info struct {
			Height uint32 `json:"block_height"`
			Synced bool   `json:"synced_to_chain"`
		}
		err = s.lnd.Lncli(s.ctx, &info, "getinfo")
		return info.Synced && chain.Height(info.Height) >= tip.Height, err
	})
}

// until looks again and again until something has happened.
func (s *script) until(what string, happened func() (bool, error)) error {
	return s.within(limit, what, happened)
}

func (s *script) within(limit time.Duration, what string, happened func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		ok, err := happened()
		if ok || err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("it did not come to pass within %s that %s", limit, what)
		}
	}
}

// channelsWith are a party's channels with a peer that are ready for HTLCs.
func (p *party) channelsWith(peer string, up bool) (out []control.ChannelStatus) {
	for _, c := range p.side.Channels() {
		if c.Peer == peer && (!up || c.State == control.ChannelReady && c.SendMsat+c.ReceiveMsat > 0) {
			out = append(out, c)
		}
	}
	return out
}
