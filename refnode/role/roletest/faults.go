// Package roletest is for tests of the roles: a chain and a disk that fail on
// demand, and an LSP with clients that exchange messages without sockets.
package roletest

import (
	"context"
	"sync"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
)

// Faults say what is wrong with a chain. The zero value is a good one.
type Faults struct {
	Err  error          // the answer to everything
	Hang bool           // questions wait for the end of their context
	Lag  chain.Height   // blocks by which the tip is behind
	Out  bool           // every outpoint is said to be spent
	Lie  *btcwire.TxOut // every output is said to be this one
	Mute error          // the answer to Submit alone
}

// Chain is a chain.Interface with faults.
type Chain struct {
	chain.Interface
	mu     sync.Mutex
	faults Faults
}

// Set makes the chain fail, or heals it.
func (c *Chain) Set(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = f
}

func (c *Chain) ask(ctx context.Context) (Faults, error) {
	c.mu.Lock()
	f := c.faults
	c.mu.Unlock()
	if f.Hang {
		<-ctx.Done()
		return f, ctx.Err()
	}
	return f, f.Err
}

// Tip implements chain.Interface.
func (c *Chain) Tip(ctx context.Context) (chain.BlockID, error) {
	f, err := c.ask(ctx)
	if err != nil {
		return chain.BlockID{}, err
	}
	tip, err := c.Interface.Tip(ctx)
	tip.Height -= min(tip.Height, f.Lag)
	return tip, err
}

// Submit implements chain.Interface.
func (c *Chain) Submit(ctx context.Context, p chain.Package) error {
	f, err := c.ask(ctx)
	if err == nil {
		err = f.Mute
	}
	if err != nil {
		return err
	}
	return c.Interface.Submit(ctx, p)
}

// Output implements chain.Interface.
func (c *Chain) Output(ctx context.Context, o btcwire.OutPoint) (chain.Output, bool, error) {
	f, err := c.ask(ctx)
	if err != nil {
		return chain.Output{}, false, err
	}
	out, found, err := c.Interface.Output(ctx, o)
	if f.Lie != nil {
		out.Script = f.Lie.PkScript
	}
	return out, found, err
}

// Spend implements chain.Interface.
func (c *Chain) Spend(ctx context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	f, err := c.ask(ctx)
	if err != nil || f.Out {
		return chain.Spend{}, f.Out, err
	}
	return c.Interface.Spend(ctx, o)
}

// Transaction implements chain.Interface.
func (c *Chain) Transaction(ctx context.Context, txid chainhash.Hash) (chain.Transaction, bool, error) {
	if _, err := c.ask(ctx); err != nil {
		return chain.Transaction{}, false, err
	}
	return c.Interface.Transaction(ctx, txid)
}

// Since implements chain.Interface.
func (c *Chain) Since(ctx context.Context, from chain.BlockID) (chain.Update, error) {
	if _, err := c.ask(ctx); err != nil {
		return chain.Update{}, err
	}
	return c.Interface.Since(ctx, from)
}

// Disk is a store that fails from some write on.
type Disk struct {
	role.Store
	mu     sync.Mutex
	left   int // writes that still work; negative for all
	failed int
}

// ErrFull is what a full disk answers.
var ErrFull error = &store.Error{Path: "superscalar.db", Reason: store.ErrFull}

// FailAfter lets n writes work, then none; a negative n heals the disk.
func (d *Disk) FailAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left, d.failed = n, 0
}

// Failed counts the writes that failed since.
func (d *Disk) Failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *Disk) full() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.left < 0:
		return nil
	case d.left == 0:
		d.failed++
		return ErrFull
	}
	d.left--
	return nil
}

// Sign implements role.Store.
func (d *Disk) Sign(factory [32]byte, entries []ledger.Entry) error {
	if err := d.full(); err != nil {
		return err
	}
	return d.Store.Sign(factory, entries)
}

// PutFactory implements role.Store.
func (d *Disk) PutFactory(id [32]byte, part string, data []byte) error {
	if err := d.full(); err != nil {
		return err
	}
	return d.Store.PutFactory(id, part, data)
}

// Update implements role.Store.
func (d *Disk) Update(fn func(tx *store.Tx) error) error {
	if err := d.full(); err != nil {
		return err
	}
	return d.Store.Update(fn)
}
