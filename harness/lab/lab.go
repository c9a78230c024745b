// Package lab puts a whole SuperScalar world into one process: a regtest chain
// that validates, an LSP, its clients, each with a data directory, a store and
// a socket of its own. The demonstration and the benchmarks run in it.
//
// Parties share nothing but the chain and the sockets between them.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
)

// Options shape a lab.
type Options struct {
	Clients int
	Seed    uint64
	// Coins is what the LSP's wallet starts with, in sat, in one coin for the
	// factory; 0 gives it none.
	Coins factory.Sat
	// Bumps is the number of coins of BumpCoin sat that each client starts
	// with, to pay for its own way out.
	Bumps int
	// Dir holds the data directories; a temporary folder, removed by Close,
	// when empty.
	Dir string
	// Report hears of the LSP's ceremonies; nil is silence.
	Report func(ceremony.Event)
	// Heard hears what each client was sent, after it was handled.
	Heard func(client int, m wire.Ceremony)
	// Deadline of ceremonies; a minute when 0.
	Deadline time.Duration
	// Channels gives everybody channels: those of the factories carry payments
	// after Look, and move with updates.
	Channels bool
}

// BumpCoin is the value of a coin that pays for one transaction of a way out,
// in sat.
const BumpCoin = 100_000

// Lab is the world.
type Lab struct {
	Chain   *embedded.Chain
	LSP     *Party
	Clients []*Party

	dir    string
	remove bool
}

// New builds the world and connects every client to the LSP.
func New(ctx context.Context, o Options) (_ *Lab, err error) {
	l := &Lab{dir: o.Dir}
	if o.Dir == "" {
		if l.dir, err = os.MkdirTemp("", "superscalar-lab-"); err != nil {
			return nil, err
		}
		l.remove = true
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.Chain, err = embedded.New(embedded.Config{Seed: o.Seed}); err != nil {
		return nil, err
	}
	if o.Deadline == 0 {
		o.Deadline = time.Minute
	}
	if err := l.build(ctx, o); err != nil {
		return nil, err
	}
	return l, l.fill(ctx, o)
}

// build starts every party and connects them.
func (l *Lab) build(ctx context.Context, o Options) (err error) {
	if l.LSP, err = l.start(o, "lsp", -1); err != nil {
		return err
	}
	for i := range o.Clients {
		p, err := l.start(o, fmt.Sprintf("client-%d", i), i)
		if err != nil {
			return err
		}
		l.Clients = append(l.Clients, p)
	}
	return l.connect(ctx)
}

// connect dials the LSP from every client, several at a time, and waits until
// the LSP knows all of them.
func (l *Lab) connect(ctx context.Context) error {
	errs := make([]error, len(l.Clients))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, c := range l.Clients {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			errs[i] = c.Node.Connect(ctx, l.LSP.Node.Address())
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, c := range l.Clients {
		if err := l.LSP.LSP.Await(ctx, c.ID()); err != nil {
			return err
		}
	}
	return nil
}

// start runs one party; index -1 is the LSP.
func (l *Lab) start(o Options, name string, index int) (*Party, error) {
	p := PartyOptions{Name: name, Role: node.Client, Dir: filepath.Join(l.dir, name), Seed: o.Seed, Chain: l.Chain, Deadline: o.Deadline, Report: o.Report, Channels: o.Channels}
	if index < 0 {
		p.Role = node.LSP
	} else if o.Heard != nil {
		p.Heard = func(m wire.Ceremony) { o.Heard(index, m) }
	}
	return StartParty(p)
}

// fill gives out coins and confirms them.
func (l *Lab) fill(ctx context.Context, o Options) error {
	var outs []*btcwire.TxOut
	pay := func(p *Party, value factory.Sat) error {
		script, err := p.Wallet.NewScript()
		outs = append(outs, &btcwire.TxOut{Value: int64(value), PkScript: script})
		return err
	}
	if o.Coins > 0 {
		if err := pay(l.LSP, o.Coins); err != nil {
			return err
		}
		for range 32 {
			if err := pay(l.LSP, BumpCoin); err != nil {
				return err
			}
		}
	}
	for _, c := range l.Clients {
		for range o.Bumps {
			if err := pay(c, BumpCoin); err != nil {
				return err
			}
		}
	}
	if _, err := l.Chain.Mine(embedded.ActivationBlocks + 120); err != nil {
		return err
	}
	if len(outs) > 0 {
		if _, err := l.Chain.FundOutputs(outs...); err != nil {
			return err
		}
		if _, err := l.Chain.Mine(1); err != nil {
			return err
		}
	}
	if err := l.LSP.Wallet.Sync(ctx, l.Chain); err != nil {
		return err
	}
	for _, c := range l.Clients {
		if o.Bumps == 0 {
			break
		}
		if err := c.Wallet.Sync(ctx, l.Chain); err != nil {
			return err
		}
	}
	return nil
}

// Tip is the height of the chain.
func (l *Lab) Tip() chain.Height {
	tip, err := l.Chain.Tip(context.Background())
	if err != nil {
		return 0 // closed
	}
	return tip.Height
}

// Dir is the data directory of a party.
func (l *Lab) Dir(p *Party) string { return filepath.Join(l.dir, p.Name) }

// Close stops every party, then the chain.
func (l *Lab) Close() error {
	var errs []error
	for _, c := range l.Clients {
		errs = append(errs, c.Close())
	}
	if l.LSP != nil {
		errs = append(errs, l.LSP.Close())
	}
	if l.Chain != nil {
		errs = append(errs, l.Chain.Close())
	}
	if l.remove {
		errs = append(errs, os.RemoveAll(l.dir))
	}
	return errors.Join(errs...)
}
