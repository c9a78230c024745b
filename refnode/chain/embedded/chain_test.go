package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/policy"
)

// TestPublishLevelByLevel walks down a path of version 3 transactions as a factory exit does, and looks at everything on the way.
func TestPublishLevelByLevel(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	root, bump1, bump2 := confirmed(t, c, o, 1_000_000), confirmed(t, c, o, 50_000), confirmed(t, c, o, 50_000)
	level1 := build(t, 3, 0, []spent{root}, wire.NewTxOut(1_000_000, o.script), wire.NewTxOut(0, anchor))
	level2 := build(t, 3, 0, []spent{output(level1, 0, o)}, wire.NewTxOut(1_000_000, o.script), wire.NewTxOut(0, anchor))
	child := func(parent *wire.MsgTx, bump spent) *wire.MsgTx {
		return build(t, 3, 0, []spent{output(parent, 1, nil), bump}, wire.NewTxOut(49_000, o.script))
	}
	child1, child2 := child(level1, bump1), child(level2, bump2)

	changed := c.Changed()
	if err := c.Submit(t.Context(), chain.Package{level1, child1}); err != nil {
		t.Fatal(err)
	}
	<-changed
	if err := c.Submit(t.Context(), chain.Package{level1, child1}); err != nil {
		t.Fatalf("again: %v", err)
	}
	if err := c.Submit(t.Context(), chain.Package{child1}); err != nil {
		t.Fatalf("child again: %v", err)
	}
	err := c.Submit(t.Context(), chain.Package{level2, child2})
	if !chain.IsRejection(err, chain.ReasonTRUC) {
		t.Fatalf("second level before the first confirms: %v", err)
	}

	spend, found, err := c.Spend(t.Context(), root.outpoint)
	if err != nil || !found || spend.Confirmed || spend.Tx.TxHash() != level1.TxHash() || spend.Input != 0 {
		t.Fatalf("spend in the mempool: %+v, %v, %v", spend, found, err)
	}
	if out, found, err := c.Output(t.Context(), root.outpoint); err != nil || !found || !out.Confirmed {
		t.Fatalf("the output stays until its spend confirms: %+v, %v, %v", out, found, err)
	}
	anchorOut := wire.OutPoint{Hash: level1.TxHash(), Index: 1}
	if out, found, err := c.Output(t.Context(), anchorOut); err != nil || !found || out.Confirmed || out.Value != 0 {
		t.Fatalf("output in the mempool: %+v, %v, %v", out, found, err)
	}

	block := mine(t, c, 1)[0]
	if out, found, err := c.Output(t.Context(), root.outpoint); err != nil || found {
		t.Fatalf("spent output: %+v, %v, %v", out, found, err)
	}
	spend, found, err = c.Spend(t.Context(), anchorOut)
	if err != nil || !found || spend.Block != block || spend.Tx.TxHash() != child1.TxHash() {
		t.Fatalf("confirmed spend: %+v, %v, %v", spend, found, err)
	}
	mine(t, c, 2)
	if n := spend.Confirmations(tip(t, c).Height); n != 3 {
		t.Errorf("%d confirmations, want 3", n)
	}
	if err := c.Submit(t.Context(), chain.Package{level2, child2}); err != nil {
		t.Fatalf("second level: %v", err)
	}
	if got := c.Mempool(); len(got) != 2 || got[0].TxHash() != level2.TxHash() {
		t.Errorf("mempool has %d transactions, parent first expected", len(got))
	}
	err = c.Submit(t.Context(), chain.Package{level1})
	if !chain.IsRejection(err, chain.ReasonAlreadyKnown) && !chain.IsRejection(err, chain.ReasonMissingInputs) {
		t.Errorf("confirmed transaction: %v", err)
	}
}

// TestUnknownThings asks for what is not there.
func TestUnknownThings(t *testing.T) {
	c := newChain(t, Config{})
	nowhere := wire.OutPoint{Hash: chainhash.Hash{1}, Index: 7}
	if _, found, err := c.Output(t.Context(), nowhere); found || err != nil {
		t.Errorf("output: %v, %v", found, err)
	}
	if _, found, err := c.Spend(t.Context(), nowhere); found || err != nil {
		t.Errorf("spend: %v, %v", found, err)
	}
	if _, found, err := c.Transaction(t.Context(), nowhere.Hash); found || err != nil {
		t.Errorf("transaction: %v, %v", found, err)
	}
	if _, err := c.Since(t.Context(), chain.BlockID{Hash: nowhere.Hash}); !errors.Is(err, chain.ErrUnknownBlock) {
		t.Errorf("since: %v", err)
	}
	if err := c.Submit(t.Context(), nil); !errors.Is(err, chain.ErrPackageSize) {
		t.Errorf("submit: %v", err)
	}
	tooMuch := btcutil.Amount(btcutil.MaxSatoshi)
	if _, err := c.Fund(anchor, tooMuch); !errors.Is(err, ErrFaucetEmpty) {
		t.Errorf("fund: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Tip(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("tip: %v", err)
	}
}

// TestSinceFromTheBeginning reads the whole chain.
func TestSinceFromTheBeginning(t *testing.T) {
	c := newChain(t, Config{})
	var update chain.Update
	err := chain.Follow(t.Context(), c, chain.BlockID{}, func(u chain.Update) error {
		update.Connected, update.Tip = append(update.Connected, u.Connected...), u.Tip
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(update.Connected) != ActivationBlocks+1 || update.Tip != tip(t, c) {
		t.Fatalf("%d connected, tip %v", len(update.Connected), update.Tip)
	}
	for i, block := range update.Connected {
		if int(block.Height) != i || i > 0 && block.Previous != update.Connected[i-1].Hash {
			t.Fatalf("block %d is %v on %v", i, block.BlockID, block.Previous)
		}
	}
	again, err := c.Since(t.Context(), update.Tip)
	if err != nil || len(again.Connected) != 0 || again.Tip != update.Tip {
		t.Errorf("nothing new: %+v, %v", again, err)
	}
}

// TestSameSeedSameChain compares chains that were treated alike.
func TestSameSeedSameChain(t *testing.T) {
	o := newOwner(t, 1, nil)
	run := func(seed uint64) chain.BlockID {
		c := newChain(t, Config{Seed: seed})
		for i := range 5 {
			if _, err := c.Fund(o.script, btcutil.Amount(10_000+i)); err != nil {
				t.Fatal(err)
			}
		}
		mine(t, c, 3)
		if err := c.Reorg(2); err != nil {
			t.Fatal(err)
		}
		return mine(t, c, 1)[0]
	}
	first, second, other := run(1), run(1), run(2)
	if first != second {
		t.Errorf("same seed: %v and %v", first, second)
	}
	if first == other {
		t.Errorf("other seed: %v again", other)
	}
}

// TestMiningOrderIgnoresArrival submits the same transactions in two orders.
func TestMiningOrderIgnoresArrival(t *testing.T) {
	o := newOwner(t, 1, nil)
	run := func(reverse bool) []chainhash.Hash {
		c := newChain(t, Config{})
		var outs []*wire.TxOut
		for range 6 {
			outs = append(outs, wire.NewTxOut(100_000, o.script))
		}
		funding, err := c.FundOutputs(outs...)
		if err != nil {
			t.Fatal(err)
		}
		mine(t, c, 1)
		var txs []*wire.MsgTx
		for i, fee := range []int64{1_000, 3_000, 3_000, 2_000, 3_000, 5_000} {
			txs = append(txs, build(t, 2, 0, []spent{output(funding, uint32(i), o)}, wire.NewTxOut(100_000-fee, o.script)))
		}
		if reverse {
			slices.Reverse(txs)
		}
		for _, tx := range txs {
			if err := c.Submit(t.Context(), chain.Package{tx}); err != nil {
				t.Fatal(err)
			}
		}
		var order []chainhash.Hash
		for _, tx := range c.Mempool() {
			order = append(order, tx.TxHash())
		}
		return order
	}
	a, b := run(false), run(true)
	if len(a) != 6 || !slices.Equal(a, b) {
		t.Errorf("orders differ:\n%v\n%v", a, b)
	}
}

// TestManyUsers uses one chain from hundreds of goroutines while it is mined and reorganised; each watcher must end with the best chain.
func TestManyUsers(t *testing.T) {
	c := newChain(t, Config{})
	const users = 200
	var work, watch sync.WaitGroup
	done := make(chan struct{})
	for i := range users {
		work.Go(func() {
			o := newOwner(t, byte(i%250+1), nil)
			outpoint, err := c.Fund(o.script, btcutil.Amount(20_000+i))
			if err != nil {
				t.Error(err)
				return
			}
			if _, found, err := c.Output(t.Context(), outpoint); !found || err != nil {
				t.Errorf("output %v: %v, %v", outpoint, found, err)
			}
		})
	}
	for range 20 {
		watch.Go(func() {
			if err := follow(t.Context(), c, done); err != nil {
				t.Error(err)
			}
		})
	}
	mine(t, c, 10)
	for range 5 {
		if err := c.Reorg(3); err != nil {
			t.Error(err)
		}
	}
	work.Wait()
	close(done)
	mine(t, c, 1)
	watch.Wait()
	if left := c.Mempool(); len(left) != 0 {
		t.Errorf("%d transactions left", len(left))
	}
}

// follow applies updates until done, and compares what it has with the chain.
func follow(ctx context.Context, c *Chain, done <-chan struct{}) error {
	var have []chainhash.Hash
	var at chain.BlockID
	for last := false; ; {
		changed := c.Changed()
		update, err := c.Since(ctx, at)
		if err != nil {
			return err
		}
		for _, block := range update.Disconnected {
			if have[len(have)-1] != block.Hash {
				return fmt.Errorf("asked to undo %v on top of %v", block.Hash, have[len(have)-1])
			}
			have = have[:len(have)-1]
		}
		for _, block := range update.Connected {
			if len(have) > 0 && have[len(have)-1] != block.Previous {
				return fmt.Errorf("block %v does not follow %v", block.BlockID, have[len(have)-1])
			}
			have = append(have, block.Hash)
		}
		at = update.Tip
		if update.More {
			continue
		}
		if last {
			break
		}
		select {
		case <-changed:
		case <-done:
			last = true
		}
	}
	if int(at.Height) != len(have)-1 || have[at.Height] != at.Hash {
		return fmt.Errorf("tip %v, followed %d blocks", at, len(have))
	}
	return nil
}

// TestSeveralChains run side by side.
func TestSeveralChains(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			c := newChain(t, Config{Seed: seed})
			mine(t, c, 50)
			if height := tip(t, c).Height; height != ActivationBlocks+50 {
				t.Errorf("height %d", height)
			}
		})
	}
}

// TestClose looks at a closed chain.
func TestClose(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	changed, dir := c.Changed(), c.tempDir
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	<-changed
	<-c.Changed()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory %s: %v", dir, err)
	}
	_, tipErr := c.Tip(t.Context())
	_, mineErr := c.Mine(1)
	_, withErr := c.MineWith()
	_, fundErr := c.Fund(anchor, 1_000)
	submitErr := c.Submit(t.Context(), chain.Package{wire.NewMsgTx(2)})
	for name, err := range map[string]error{"tip": tipErr, "mine": mineErr, "mine with": withErr, "fund": fundErr,
		"submit": submitErr, "reorg": c.Reorg(1)} {
		if !errors.Is(err, chain.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReopen continues a chain from its directory.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	o := newOwner(t, 1, nil)
	first, err := New(Config{Dir: dir, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	in := confirmed(t, first, o, 100_000)
	mine(t, first, 2)
	before := tip(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := newChain(t, Config{Dir: dir, Seed: 9})
	if after := tip(t, second); after != before {
		t.Fatalf("tip %v, was %v", after, before)
	}
	out, found, err := second.Output(t.Context(), in.outpoint)
	if err != nil || !found || out.Value != 100_000 {
		t.Fatalf("output: %+v, %v, %v", out, found, err)
	}
	if _, err := second.MineWith(build(t, 2, 0, []spent{in}, wire.NewTxOut(99_000, o.script))); err != nil {
		t.Fatal(err)
	}
	if err := second.Reorg(1); err != nil {
		t.Fatal(err)
	}
}

// TestRulesReachTheMempool switches a rule off.
func TestRulesReachTheMempool(t *testing.T) {
	c := newChain(t, Config{Rules: policy.Rules{}.Without(policy.MinRelayFee)})
	o := newOwner(t, 1, nil)
	in := confirmed(t, c, o, 100_000)
	if err := c.Submit(t.Context(), chain.Package{build(t, 2, 0, []spent{in}, wire.NewTxOut(100_000, o.script))}); err != nil {
		t.Fatal(err)
	}
}

// TestFundMany pays a thousand outputs at once.
func TestFundMany(t *testing.T) {
	c := newChain(t, Config{})
	o := newOwner(t, 1, nil)
	var outs []*wire.TxOut
	for range 1_024 {
		outs = append(outs, wire.NewTxOut(100_000_000, o.script))
	}
	tx, err := c.FundOutputs(outs...)
	if err != nil {
		t.Fatal(err)
	}
	mine(t, c, 1)
	out, found, err := c.Output(t.Context(), wire.OutPoint{Hash: tx.TxHash(), Index: 1_023})
	if err != nil || !found || !out.Confirmed || out.Value != 100_000_000 {
		t.Errorf("last output: %+v, %v, %v", out, found, err)
	}
}

func ExampleNew() {
	c, err := New(Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Close() }()
	script := []byte{0x51, 0x02, 0x4e, 0x73}
	coin, err := c.Fund(script, 50_000)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := c.Mine(6); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	tip, _ := c.Tip(ctx)
	out, found, _ := c.Output(ctx, coin)
	fmt.Println(found, out.Value, out.Confirmations(tip.Height))
	// Output: true 0.00050000 BTC 6
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		c, err := New(Config{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Mine(600 - ActivationBlocks); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
