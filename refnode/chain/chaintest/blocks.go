package chaintest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

func tipFollows(t *testing.T, b *bench) {
	before := b.tip()
	blocks := b.mine(3)
	if got := b.tip(); got != blocks[2] || got.Height != before.Height+3 {
		t.Errorf("tip %v after %v and blocks %v", got, before, blocks)
	}
}

// linked asks that blocks stand on each other.
func linked(t *testing.T, blocks []chain.Block) {
	t.Helper()
	for i, block := range blocks {
		if len(block.Transactions) == 0 {
			t.Errorf("block %d is empty", block.Height)
		}
		if i > 0 && (block.Previous != blocks[i-1].Hash || block.Height != blocks[i-1].Height+1) {
			t.Errorf("block %d %v stands on %v, not on %v", block.Height, block.Hash, block.Previous, blocks[i-1].Hash)
		}
	}
}

func holds(block chain.Block, txid chainhash.Hash) bool {
	for _, tx := range block.Transactions {
		if tx.TxHash() == txid {
			return true
		}
	}
	return false
}

func sinceMined(t *testing.T, b *bench) {
	from := b.tip()
	if nothing := b.since(from); nothing.Tip != from || len(nothing.Connected)+len(nothing.Disconnected) != 0 {
		t.Errorf("nothing has happened: %+v", nothing)
	}
	tx := b.fund(20_000)
	blocks := b.mine(3)
	update := b.since(from)
	if len(update.Connected) != 3 || len(update.Disconnected) != 0 || update.Tip != blocks[2] {
		t.Fatalf("%d connected, %d disconnected, tip %v", len(update.Connected), len(update.Disconnected), update.Tip)
	}
	linked(t, update.Connected)
	for i, block := range update.Connected {
		if block.BlockID != blocks[i] {
			t.Errorf("block %d is %v, want %v", i, block.BlockID, blocks[i])
		}
	}
	if update.Connected[0].Previous != from.Hash || !holds(update.Connected[0], tx.TxHash()) || holds(update.Connected[1], tx.TxHash()) {
		t.Error("the first block should stand on the old tip and hold the transaction")
	}
}

func sinceBeginning(t *testing.T, b *bench) {
	tip := b.tip()
	var all []chain.Block
	at := chain.BlockID{}
	err := chain.Follow(t.Context(), b, at, func(u chain.Update) error {
		all, at = append(all, u.Connected...), u.Tip
		if len(u.Connected) > chain.MaxUpdate || len(u.Disconnected) != 0 || u.Tip != u.Connected[len(u.Connected)-1].BlockID || u.More != (u.Tip != tip) {
			t.Errorf("%d connected, %d disconnected, tip %v, more %v", len(u.Connected), len(u.Disconnected), u.Tip, u.More)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != int(tip.Height)+1 || all[0].Height != 0 || at != tip {
		t.Fatalf("%d connected, tip %v, want %v", len(all), at, tip)
	}
	linked(t, all)
}

// sinceMany wants as many blocks as an update has in one, and one more in two, over a reorganisation too.
func sinceMany(t *testing.T, b *bench) {
	start := b.tip()
	old := b.mine(1)
	b.since(start)
	b.reorg(1) // two blocks on start
	blocks := b.mine(chain.MaxUpdate - 1)
	first := b.since(old[0])
	if len(first.Disconnected) != 1 || len(first.Connected) != chain.MaxUpdate || !first.More || first.Connected[0].Previous != start.Hash {
		t.Fatalf("%d disconnected, %d connected, more %v", len(first.Disconnected), len(first.Connected), first.More)
	}
	if want := blocks[chain.MaxUpdate-3]; first.Tip != want || first.Connected[chain.MaxUpdate-1].BlockID != want {
		t.Errorf("it ends at %v, want %v", first.Tip, want)
	}
	linked(t, first.Connected)
	rest := b.since(first.Tip)
	if len(rest.Disconnected) != 0 || len(rest.Connected) != 1 || rest.More || rest.Tip != b.tip() || rest.Connected[0].Previous != first.Tip.Hash {
		t.Errorf("the rest: %d disconnected, %d connected, more %v", len(rest.Disconnected), len(rest.Connected), rest.More)
	}
	if whole := b.since(first.Connected[0].BlockID); len(whole.Connected) != chain.MaxUpdate || whole.More || whole.Tip != b.tip() {
		t.Errorf("an update that is full: %d connected, more %v", len(whole.Connected), whole.More)
	}
}

func sinceUnknown(t *testing.T, b *bench) {
	_, err := b.Since(t.Context(), chain.BlockID{Height: 3, Hash: chainhash.Hash{1}})
	if !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("got %v", err)
	}
}

func sinceReorg(t *testing.T, b *bench) {
	start := b.tip()
	tx := b.fund(20_000)
	old := b.mine(2)
	b.since(start)
	b.reorg(2)
	update := b.since(old[1])
	if len(update.Disconnected) != 2 || len(update.Connected) != 3 {
		t.Fatalf("%d disconnected, %d connected", len(update.Disconnected), len(update.Connected))
	}
	if update.Disconnected[0].BlockID != old[1] || update.Disconnected[1].BlockID != old[0] || !holds(update.Disconnected[1], tx.TxHash()) {
		t.Errorf("disconnected %v and %v", update.Disconnected[0].BlockID, update.Disconnected[1].BlockID)
	}
	linked(t, update.Connected)
	if update.Connected[0].Previous != start.Hash || update.Tip != b.tip() || update.Tip != update.Connected[2].BlockID {
		t.Errorf("new branch stands on %v and ends at %v", update.Connected[0].Previous, update.Tip)
	}
	if from := b.since(old[0]); len(from.Disconnected) != 1 || len(from.Connected) != 3 {
		t.Errorf("from the lower block: %d disconnected, %d connected", len(from.Disconnected), len(from.Connected))
	}
	if from := b.since(start); len(from.Disconnected) != 0 || len(from.Connected) != 3 {
		t.Errorf("from below: %d disconnected, %d connected", len(from.Disconnected), len(from.Connected))
	}
}

func changes(t *testing.T, b *bench) {
	for name, change := range map[string]func(){
		"a block":     func() { b.mine(1) },
		"the mempool": func() { b.fund(20_000) },
	} {
		before := b.Changed()
		change()
		select {
		case <-before:
		case <-t.Context().Done():
			t.Errorf("not told of %s", name)
		}
	}
}

func contextDone(t *testing.T, b *bench) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls := map[string]func() error{
		"tip":         func() error { _, err := b.Tip(ctx); return err },
		"since":       func() error { _, err := b.Since(ctx, chain.BlockID{}); return err },
		"output":      func() error { _, _, err := b.Output(ctx, wire.OutPoint{}); return err },
		"spend":       func() error { _, _, err := b.Spend(ctx, wire.OutPoint{}); return err },
		"transaction": func() error { _, _, err := b.Transaction(ctx, chainhash.Hash{}); return err },
		"submit":      func() error { return b.Submit(ctx, chain.Package{wire.NewMsgTx(2)}) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// manyWatchers lets each of several users keep a copy of the chain while it is reorganised; all must end with the best one.
func manyWatchers(t *testing.T, b *bench) {
	const watchers, rounds = 4, 6
	tx := b.fund(20_000)
	outpoint := wire.OutPoint{Hash: tx.TxHash()}
	start := b.tip()
	done := make(chan struct{})
	var all sync.WaitGroup
	for range watchers {
		all.Go(func() { watch(t, b, start, outpoint, done) })
	}
	for range rounds {
		b.mine(2)
		b.reorg(1)
	}
	close(done)
	all.Wait()
}

// watch follows the chain until done, and once more after that.
func watch(t *testing.T, b *bench, at chain.BlockID, outpoint wire.OutPoint, done <-chan struct{}) {
	branch := []chain.BlockID{at}
	for last := false; ; {
		changed := b.Changed()
		select {
		case <-done:
			last = true
		default:
		}
		update, err := b.Since(t.Context(), branch[len(branch)-1])
		if err != nil {
			t.Error(err)
			return
		}
		for _, block := range update.Disconnected {
			if branch[len(branch)-1] != block.BlockID {
				t.Errorf("told to undo %v on top of %v", block.BlockID, branch[len(branch)-1])
				return
			}
			branch = branch[:len(branch)-1]
		}
		for _, block := range update.Connected {
			if block.Previous != branch[len(branch)-1].Hash {
				t.Errorf("told to put %v on top of %v", block.BlockID, branch[len(branch)-1])
				return
			}
			branch = append(branch, block.BlockID)
		}
		out, found, err := b.Output(t.Context(), outpoint)
		if err != nil || !found || out.Value != 20_000 {
			t.Errorf("output: %+v, %v, %v", out, found, err)
			return
		}
		if last {
			if tip := b.tip(); branch[len(branch)-1] != tip {
				t.Errorf("ended at %v, tip is %v", branch[len(branch)-1], tip)
			}
			return
		}
		select {
		case <-changed:
		case <-done:
		}
	}
}
