package embedded

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// TestReorg moves a transaction out of its block, into the mempool, and back.
func TestReorg(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	in := confirmed(t, c, o, 100_000)
	fork := tip(t, c)
	tx := build(t, 2, 0, []spent{in}, wire.NewTxOut(99_000, o.script))
	if err := c.Submit(t.Context(), chain.Package{tx}); err != nil {
		t.Fatal(err)
	}
	old := mine(t, c, 2)
	if err := c.Reorg(2); err != nil {
		t.Fatal(err)
	}
	update, err := c.Since(t.Context(), old[1])
	if err != nil {
		t.Fatal(err)
	}
	if len(update.Disconnected) != 2 || update.Disconnected[0].BlockID != old[1] || update.Disconnected[1].BlockID != old[0] ||
		len(update.Connected) != 3 || update.Connected[0].Previous != fork.Hash {
		t.Fatalf("update %+v", update)
	}
	found, ok, err := c.Transaction(t.Context(), tx.TxHash())
	if err != nil || !ok || found.Confirmed {
		t.Fatalf("after the reorganisation: %+v, %v, %v", found, ok, err)
	}
	mine(t, c, 1)
	found, ok, err = c.Transaction(t.Context(), tx.TxHash())
	if err != nil || !ok || found.Block != tip(t, c) {
		t.Fatalf("mined again: %+v, %v, %v", found, ok, err)
	}
}

// TestReorgDoubleSpend lets the new branch spend the coin otherwise: the old transaction and its child must be gone.
func TestReorgDoubleSpend(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	in := confirmed(t, c, o, 100_000)
	tx := build(t, 2, 0, []spent{in}, wire.NewTxOut(99_000, o.script))
	rival := build(t, 2, 0, []spent{in}, wire.NewTxOut(98_000, o.script))
	if _, err := c.MineWith(tx); err != nil {
		t.Fatal(err)
	}
	child := build(t, 2, 0, []spent{output(tx, 0, o)}, wire.NewTxOut(97_000, o.script))
	if err := c.Submit(t.Context(), chain.Package{child}); err != nil {
		t.Fatal(err)
	}
	if err := c.Reorg(1, []*wire.MsgTx{rival}); err != nil {
		t.Fatal(err)
	}
	if left := c.Mempool(); len(left) != 0 {
		t.Errorf("%d transactions left in the mempool", len(left))
	}
	spend, found, err := c.Spend(t.Context(), in.outpoint)
	if err != nil || !found || spend.Tx.TxHash() != rival.TxHash() {
		t.Errorf("spend: %+v, %v, %v", spend, found, err)
	}
}

// TestReorgReturnsInvalidLocks drops what the shorter confirmation no longer allows.
func TestReorgReturnsInvalidLocks(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	outpoint, err := c.Fund(o.script, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	mine(t, c, 3)
	in := spent{outpoint: outpoint, value: 100_000, script: o.script, owner: o, sequence: 3}
	tx := build(t, 2, 0, []spent{in}, wire.NewTxOut(99_000, o.script))
	if err := c.Submit(t.Context(), chain.Package{tx}); err != nil {
		t.Fatal(err)
	}
	funding, _, err := c.Transaction(t.Context(), outpoint.Hash)
	if err != nil {
		t.Fatal(err)
	}
	// The coin confirms in the last block of the new branch instead of three blocks deeper.
	if err := c.Reorg(3, nil, nil, nil, []*wire.MsgTx{funding.Tx}); err != nil {
		t.Fatal(err)
	}
	if left := c.Mempool(); len(left) != 0 {
		t.Errorf("%d transactions left in the mempool", len(left))
	}
}

// TestReorgRefused keeps everything when the branch is invalid before it wins, and the valid part when it wins first.
func TestReorgRefused(t *testing.T) {
	o := newOwner(t, 1, nil)
	for _, test := range []struct {
		name string
		bad  int
		wins bool
	}{{"first block", 0, false}, {"the block that would win", 2, false}, {"a later block", 3, true}} {
		t.Run(test.name, func(t *testing.T) {
			c := newChain(t, Config{})
			in := confirmed(t, c, o, 100_000)
			fork := tip(t, c)
			tx := build(t, 2, 0, []spent{in}, wire.NewTxOut(99_000, o.script))
			if _, err := c.MineWith(tx); err != nil {
				t.Fatal(err)
			}
			before := mine(t, c, 1)[0]
			in.owner = nil
			branch := make([][]*wire.MsgTx, 5)
			branch[test.bad] = []*wire.MsgTx{build(t, 2, 0, []spent{in}, wire.NewTxOut(1, o.script))}
			if err := c.Reorg(2, branch...); !errors.Is(err, ErrBlockRefused) {
				t.Fatalf("reorganisation: %v", err)
			}
			found, ok, err := c.Transaction(t.Context(), tx.TxHash())
			if err != nil || !ok || found.Confirmed == test.wins {
				t.Errorf("transaction: %+v, %v, %v", found, ok, err)
			}
			after := tip(t, c)
			if !test.wins && after != before || test.wins && after.Height != fork.Height+3 {
				t.Errorf("tip %v, was %v", after, before)
			}
			mine(t, c, 1)
		})
	}
	c := newChain(t, Config{})
	for _, depth := range []uint32{0, 1, 1_000} {
		if err := c.Reorg(depth); !errors.Is(err, ErrReorgDepth) {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}
