package chaintest

import (
	"bytes"
	"math"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// mempool is the position of what is not confirmed.
var mempool chain.BlockID

func outputAbsent(t *testing.T, b *bench) {
	waiting := b.fund(20_000)
	confirmed := b.coins(20_000)[0]
	for name, o := range map[string]wire.OutPoint{
		"unknown transaction":   {Hash: chainhash.Hash{1}, Index: 0},
		"index out of range":    {Hash: confirmed.outpoint.Hash, Index: 700},
		"index beyond 31 bits":  {Hash: confirmed.outpoint.Hash, Index: math.MaxUint32},
		"of the mempool, range": {Hash: waiting.TxHash(), Index: 700},
	} {
		if got := b.output(o); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func outputLife(t *testing.T, b *bench) {
	tx := b.fund(20_000)
	c := coinOf(tx, 0)
	same := func(when string, out *chain.Output, block chain.BlockID) {
		t.Helper()
		if out == nil || out.Value != 20_000 || !bytes.Equal(out.Script, b.owner.script) || out.Coinbase {
			t.Fatalf("%s: %+v", when, out)
		}
		b.at(when, out.Position, block)
	}
	same("in the mempool", b.output(c.outpoint), mempool)
	block := b.mine(1)[0]
	same("confirmed", b.output(c.outpoint), block)
	b.mine(2)
	same("deeper", b.output(c.outpoint), block)
	b.submit(b.build(2, []coin{c}, b.owner.pays(19_000)))
	same("spent in the mempool", b.output(c.outpoint), block)
	b.mine(1)
	if out := b.output(c.outpoint); out != nil {
		t.Errorf("spent: %+v", out)
	}
}

func outputCoinbase(t *testing.T, b *bench) {
	from := b.tip()
	block := b.mine(1)[0]
	tx := b.since(from).Connected[0].Transactions[0]
	out := b.output(wire.OutPoint{Hash: tx.TxHash(), Index: 0})
	if out == nil || !out.Coinbase || out.Block != block || int64(out.Value) != tx.TxOut[0].Value {
		t.Errorf("got %+v", out)
	}
}

func outputReorg(t *testing.T, b *bench) {
	c := b.coins(20_000)[0]
	first := b.output(c.outpoint).Block
	b.reorg(1)
	b.at("after the reorganisation", b.output(c.outpoint).Position, mempool)
	second := b.mine(1)[0]
	if second == first {
		t.Fatal("the same block twice")
	}
	b.at("confirmed again", b.output(c.outpoint).Position, second)
}

func spendAbsent(t *testing.T, b *bench) {
	waiting := b.fund(20_000)
	confirmed := b.coins(20_000)[0]
	for name, o := range map[string]wire.OutPoint{
		"unknown transaction":  {Hash: chainhash.Hash{1}, Index: 0},
		"unspent, confirmed":   confirmed.outpoint,
		"unspent, just mined":  {Hash: waiting.TxHash(), Index: 0},
		"index beyond 31 bits": {Hash: confirmed.outpoint.Hash, Index: math.MaxUint32},
	} {
		if got := b.spend(o); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	tx := b.fund(20_000)
	if got := b.spend(wire.OutPoint{Hash: tx.TxHash(), Index: 0}); got != nil {
		t.Errorf("unspent in the mempool: %+v", got)
	}
}

func spendLife(t *testing.T, b *bench) {
	coins := b.coins(20_000, 30_000)
	tx := b.build(2, coins, b.owner.pays(49_000))
	b.submit(tx)
	look := func(when string, block chain.BlockID) {
		t.Helper()
		for i, c := range coins {
			spend := b.spend(c.outpoint)
			if spend == nil || spend.Tx.TxHash() != tx.TxHash() || spend.Input != uint32(i) {
				t.Fatalf("%s, input %d: %+v", when, i, spend)
			}
			b.at(when, spend.Position, block)
		}
	}
	look("in the mempool", mempool)
	block := b.mine(1)[0]
	look("confirmed", block)
	b.mine(2)
	look("deeper", block)
	next := b.build(2, []coin{coinOf(tx, 0)}, b.owner.pays(48_000))
	b.submit(next)
	if spend := b.spend(wire.OutPoint{Hash: tx.TxHash()}); spend == nil || spend.Tx.TxHash() != next.TxHash() || spend.Confirmed {
		t.Errorf("next spend: %+v", spend)
	}
}

func spendReorg(t *testing.T, b *bench) {
	c := b.coins(20_000)[0]
	b.submit(b.build(2, []coin{c}, b.owner.pays(19_000)))
	first := b.mine(1)[0]
	b.at("confirmed", b.spend(c.outpoint).Position, first)
	b.reorg(1)
	b.at("after the reorganisation", b.spend(c.outpoint).Position, mempool)
	second := b.mine(1)[0]
	b.at("confirmed again", b.spend(c.outpoint).Position, second)
	rival := b.build(2, []coin{c}, b.owner.pays(18_000))
	if err := b.Reorg(1, []*wire.MsgTx{rival}); err != nil {
		t.Fatal(err)
	}
	if spend := b.spend(c.outpoint); spend == nil || spend.Tx.TxHash() != rival.TxHash() || !spend.Confirmed {
		t.Errorf("a rival confirmed instead: %+v", spend)
	}
}

func transactionAbsent(t *testing.T, b *bench) {
	if got := b.transaction(chainhash.Hash{1}); got != nil {
		t.Errorf("got %+v", got)
	}
	never := b.build(2, b.coins(20_000), b.owner.pays(19_000))
	if got := b.transaction(never.TxHash()); got != nil {
		t.Errorf("never submitted: %+v", got)
	}
}

func transactionLife(t *testing.T, b *bench) {
	tx := b.build(2, b.coins(20_000), b.owner.pays(19_000))
	b.submit(tx)
	look := func(when string, block chain.BlockID) {
		t.Helper()
		got := b.transaction(tx.TxHash())
		if got == nil || got.Tx.WitnessHash() != tx.WitnessHash() {
			t.Fatalf("%s: %+v", when, got)
		}
		b.at(when, got.Position, block)
	}
	look("in the mempool", mempool)
	block := b.mine(1)[0]
	look("confirmed", block)
	b.submit(b.build(2, []coin{coinOf(tx, 0)}, b.owner.pays(18_000)))
	b.mine(2)
	look("fully spent", block)
	if n := b.transaction(tx.TxHash()).Confirmations(b.tip().Height); n != 3 {
		t.Errorf("%d confirmations, want 3", n)
	}
	b.reorg(3)
	look("after the reorganisation", mempool)
}
