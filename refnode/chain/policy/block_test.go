package policy

import (
	"math"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"
)

// confirm moves transactions from nowhere or the pool into the chain.
func (w *world) confirm(txs ...*wire.MsgTx) {
	w.view.tip++
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			delete(w.view.coins, in.PreviousOutPoint)
		}
		for i, out := range tx.TxOut {
			w.view.coins[of(tx, uint32(i))] = Coin{Value: btcutil.Amount(out.Value), Script: out.PkScript, Height: w.view.tip}
		}
	}
	w.pool.Connected(txs)
}

// unconfirm takes a block with one transaction off the chain; restored are the coins it had spent.
func (w *world) unconfirm(tx *wire.MsgTx, restored map[wire.OutPoint]Coin) {
	w.view.tip--
	for i := range tx.TxOut {
		delete(w.view.coins, of(tx, uint32(i)))
	}
	for outpoint, coin := range restored {
		w.view.coins[outpoint] = coin
	}
}

func (w *world) holds(txs ...*wire.MsgTx) {
	w.t.Helper()
	if w.pool.Len() != len(txs) {
		w.t.Errorf("pool has %d transactions, want %d", w.pool.Len(), len(txs))
	}
	for i, tx := range txs {
		if _, ok := w.pool.Transaction(tx.TxHash()); !ok {
			w.t.Errorf("transaction %d is not in the pool", i)
		}
	}
}

// TestConnected removes what a block confirms or contradicts, and keeps children of what it confirms.
func TestConnected(t *testing.T) {
	w := newWorld(t)
	shared := w.coin(10_000, open)
	mined := pay(2, from(w.coin(10_000, open)), to(9_000))
	child := pay(2, from(of(mined, 0)), to(8_000))
	loser := pay(2, from(shared), to(9_000))
	orphaned := pay(2, from(of(loser, 0)), to(8_000))
	rival := pay(2, from(shared), to(7_000))
	w.enter(mined, child, loser, orphaned)
	w.confirm(mined, rival)
	w.holds(child)
	if _, ok := w.pool.Spender(shared); ok {
		t.Error("the shared coin still has a spender in the pool")
	}
	if spender, ok := w.pool.Spender(of(mined, 0)); !ok || spender != child {
		t.Error("the child lost its input")
	}
}

// TestReturned brings a transaction back under a child that came meanwhile, whatever it pays.
func TestReturned(t *testing.T) {
	w := newWorld(t)
	coin := w.coin(10_000, open)
	was := w.view.coins[coin]
	tx := pay(3, from(coin), to(10_000), wire.NewTxOut(0, anchor))
	w.confirm(tx)
	childOfOutput := pay(2, from(of(tx, 0)), to(9_000))
	w.enter(childOfOutput)
	w.unconfirm(tx, map[wire.OutPoint]Coin{coin: was})
	w.pool.Returned([]*wire.MsgTx{tx})
	// Version 3 with a version 2 child and unspent dust: only a reorganisation leads there, and Bitcoin Core lets it be.
	w.holds(tx, childOfOutput)
	order := w.pool.Template(math.MaxInt64)
	if len(order) != 2 || order[0] != tx {
		t.Error("the parent does not come first")
	}
}

// TestReturnedInvalid drops what cannot come back, with everything that depends on it.
func TestReturnedInvalid(t *testing.T) {
	w := newWorld(t)
	gone := pay(2, from(w.coin(10_000, open)), to(9_000))
	w.confirm(gone)
	child := pay(2, from(of(gone, 0)), to(8_000))
	grandchild := pay(2, from(of(child, 0)), to(7_000))
	late := pay(2, from(w.coin(10_000, open)), to(9_000))
	late.LockTime, late.TxIn[0].Sequence = uint32(w.view.tip), 0
	w.enter(child, grandchild, late)
	w.holds(child, grandchild, late)
	w.unconfirm(gone, nil) // the coin it spent does not exist in the other branch
	w.pool.Returned([]*wire.MsgTx{gone})
	w.holds()
}

// TestTemplateStopsAtWeight leaves the rest for the next block.
func TestTemplateStopsAtWeight(t *testing.T) {
	w := newWorld(t)
	cheap := pay(2, from(w.coin(10_000, open)), to(9_000))
	parent := pay(3, from(w.coin(10_000, open)), to(10_000), wire.NewTxOut(0, anchor))
	child := pay(3, from(of(parent, 0), of(parent, 1)), to(5_000))
	child.TxIn[1].Witness = nil
	w.enter(cheap)
	if v := w.pool.Submit(parent, child); !v.Accepted {
		t.Fatal(v.Err())
	}
	all := w.pool.Template(math.MaxInt64)
	if !slices.Equal(all, []*wire.MsgTx{parent, child, cheap}) {
		t.Errorf("order is wrong: %d transactions", len(all))
	}
	if some := w.pool.Template(1_100); !slices.Equal(some, all[:2]) {
		t.Errorf("%d transactions fit, want parent and child", len(some))
	}
	if none := w.pool.Template(500); len(none) != 0 {
		t.Errorf("%d transactions fit, a parent without its child?", len(none))
	}
}

// TestTemplateProperties builds random families: every order is topological, complete, and independent of arrival.
func TestTemplateProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		var txs []*wire.MsgTx
		n := rapid.IntRange(1, 20).Draw(r, "transactions")
		for i := range n {
			in := w.coin(1_000_000, open)
			ins := from(in)
			value := int64(1_000_000)
			if i > 0 && rapid.Bool().Draw(r, "child") {
				parent := txs[rapid.IntRange(0, i-1).Draw(r, "parent")]
				index := uint32(rapid.IntRange(0, 1).Draw(r, "output"))
				if _, spent := w.pool.Spender(of(parent, index)); !spent {
					ins = append(ins, of(parent, index))
					value += parent.TxOut[index].Value
				}
			}
			fee := rapid.Int64Range(100, 50_000).Draw(r, "fee")
			tx := pay(2, ins, to((value-fee)/2), to((value-fee)/2))
			w.enter(tx)
			txs = append(txs, tx)
		}
		order := w.pool.Template(math.MaxInt64)
		if len(order) != n {
			r.Fatalf("%d of %d transactions", len(order), n)
		}
		place := make(map[chainhash.Hash]int)
		for i, tx := range order {
			place[tx.TxHash()] = i
		}
		for i, tx := range order {
			for _, in := range tx.TxIn {
				if p, ok := place[in.PreviousOutPoint.Hash]; ok && p > i {
					r.Fatalf("transaction %d comes before its parent", i)
				}
			}
		}
		again := New(w.view, Rules{})
		var left = rapid.Permutation(txs).Draw(r, "arrival")
		for len(left) > 0 {
			left = slices.DeleteFunc(left, func(tx *wire.MsgTx) bool { return again.Submit(tx).Accepted })
		}
		if !slices.Equal(again.Template(math.MaxInt64), order) {
			r.Fatal("the order depends on arrival")
		}
	})
}

// TestChangesCounts sees every entry that comes and goes, and nothing else.
func TestChangesCounts(t *testing.T) {
	w := newWorld(t)
	coin := w.coin(10_000, open)
	start := w.pool.Changes()
	w.enter(pay(2, from(coin), to(9_000)))
	w.pool.Submit(pay(2, from(coin), to(9_500)))
	if got := w.pool.Changes() - start; got != 1 {
		t.Errorf("%d changes after one entry and one refusal", got)
	}
	w.enter(pay(2, from(coin), to(8_000)))
	if got := w.pool.Changes() - start; got != 3 {
		t.Errorf("%d changes after a replacement, want 3", got)
	}
}

// TestDustLimit compares the usual limits.
func TestDustLimit(t *testing.T) {
	for _, test := range []struct {
		name   string
		script []byte
		want   btcutil.Amount
	}{
		{"P2A", anchor, 240},
		{"P2TR and P2WSH", open, 330},
		{"P2WPKH", make22(), 294},
		{"P2PKH", make25(), 546},
		{"OP_RETURN", []byte{0x6a}, 0},
	} {
		if got := DustLimit(test.script); got != test.want {
			t.Errorf("%s: %d sat, want %d", test.name, got, test.want)
		}
	}
}

func make22() []byte { return append([]byte{0x00, 0x14}, make([]byte, 20)...) }

func make25() []byte {
	return append(append([]byte{0x76, 0xa9, 0x14}, make([]byte, 20)...), 0x88, 0xac)
}

// TestMoney writes amounts as Bitcoin Core does.
func TestMoney(t *testing.T) {
	for amount, want := range map[btcutil.Amount]string{
		0: "0.00", 41: "0.00000041", 40_000: "0.0004", 100_000_000: "1.00", 110_000_000: "1.10", -5: "-0.00000005",
	} {
		if got := money(amount); got != want {
			t.Errorf("%d: %q, want %q", amount, got, want)
		}
	}
}
