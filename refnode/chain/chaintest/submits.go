package chaintest

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

func submitTwice(t *testing.T, b *bench) {
	tx := b.build(2, b.coins(20_000), b.owner.pays(19_000))
	b.submit(tx)
	b.submit(tx)
	if got := b.transaction(tx.TxHash()); got == nil || got.Confirmed {
		t.Errorf("got %+v", got)
	}
}

func submitConfirmed(t *testing.T, b *bench) {
	tx := b.build(2, b.coins(20_000), b.owner.pays(19_000))
	b.submit(tx)
	b.mine(1)
	refused(t, "unspent", b.Submit(t.Context(), chain.Package{tx}), chain.ReasonAlreadyKnown, 0, tx)
	b.submit(b.build(2, []coin{coinOf(tx, 0)}, b.owner.pays(18_000)))
	b.mine(1)
	refused(t, "spent", b.Submit(t.Context(), chain.Package{tx}), chain.ReasonMissingInputs, 0, tx)
}

func submitSizes(t *testing.T, b *bench) {
	tx := wire.NewMsgTx(2)
	for name, pkg := range map[string]chain.Package{"none": nil, "three": {tx, tx, tx}} {
		if err := b.Submit(t.Context(), pkg); !errors.Is(err, chain.ErrPackageSize) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refused asks for a refusal with this reason of this transaction.
func refused(t *testing.T, name string, err error, reason string, index int, tx *wire.MsgTx) {
	t.Helper()
	var r *chain.Rejection
	if !errors.As(err, &r) {
		t.Errorf("%s: got %v, want a refusal: %s", name, err, reason)
		return
	}
	if r.Reason != reason || r.Index != index || r.Txid != tx.TxHash() {
		t.Errorf("%s: got %+v, want %s of transaction %d %v", name, r, reason, index, tx.TxHash())
	}
}

func singleRefusals(t *testing.T, b *bench) {
	c := b.coins(100_000)[0]
	b.mine(1)
	one := []coin{c}
	locked := c
	locked.sequence = 10
	wrongSignature := b.build(2, one, b.owner.pays(90_000))
	wrongSignature.TxIn[0].Witness[0][5] ^= 1
	tomorrow := b.build(2, one, b.owner.pays(90_000))
	tomorrow.LockTime = uint32(b.tip().Height) + 5
	b.sign(tomorrow, map[wire.OutPoint]*wire.TxOut{c.outpoint: c.out})
	rows := []struct {
		name, reason string
		tx           *wire.MsgTx
	}{
		{"no fee", chain.ReasonMinRelayFee, b.build(2, one, b.owner.pays(100_000))},
		{"dust", chain.ReasonDust, b.build(2, one, b.owner.pays(90_000), b.owner.pays(100))},
		{"absolute lock", chain.ReasonNonFinal, tomorrow},
		{"relative lock", chain.ReasonNonBIP68Final, b.build(2, []coin{locked}, b.owner.pays(90_000))},
		{"no such coin", chain.ReasonMissingInputs, b.build(2, []coin{{outpoint: wire.OutPoint{Hash: chainhash.Hash{9}}, out: c.out}}, b.owner.pays(90_000))},
		{"wrong signature", chain.ReasonScript, wrongSignature},
	}
	for _, row := range rows {
		refused(t, row.name, b.Submit(t.Context(), chain.Package{row.tx}), row.reason, 0, row.tx)
	}
	b.submit(b.build(2, one, b.owner.pays(90_000)))
	cheaper := b.build(2, one, b.owner.pays(95_000))
	refused(t, "cheaper replacement", b.Submit(t.Context(), chain.Package{cheaper}), chain.ReasonInsufficientFee, 0, cheaper)
}

// level is a version-3 transaction without a fee, with an ephemeral anchor.
func (b *bench) level(from coin) *wire.MsgTx {
	b.t.Helper()
	return b.build(3, []coin{from}, wire.NewTxOut(from.out.Value, b.owner.script), wire.NewTxOut(0, anchor))
}

// bump pays for a level.
func (b *bench) bump(level *wire.MsgTx, with coin, fee btcutil.Amount) *wire.MsgTx {
	b.t.Helper()
	return b.build(3, []coin{coinOf(level, 1), with}, b.owner.pays(btcutil.Amount(with.out.Value)-fee))
}

func packageLevels(t *testing.T, b *bench) {
	coins := b.coins(1_000_000, 50_000, 50_000)
	level1 := b.level(coins[0])
	level2 := b.level(coinOf(level1, 0))
	child1, child2 := b.bump(level1, coins[1], 1_000), b.bump(level2, coins[2], 1_000)
	refused(t, "parent alone", b.Submit(t.Context(), chain.Package{level1}), chain.ReasonMinRelayFee, 0, level1)
	b.submit(level1, child1)
	b.submit(level1, child1)
	b.submit(child1)
	if spend := b.spend(coins[0].outpoint); spend == nil || spend.Tx.TxHash() != level1.TxHash() || spend.Confirmed {
		t.Errorf("spend in the mempool: %+v", spend)
	}
	if out := b.output(wire.OutPoint{Hash: level1.TxHash(), Index: 1}); out == nil || out.Value != 0 {
		t.Errorf("anchor in the mempool: %+v", out)
	}
	refused(t, "next level before the first confirms", b.Submit(t.Context(), chain.Package{level2, child2}), chain.ReasonTRUC, 0, level2)
	block := b.mine(1)[0]
	if spend := b.spend(wire.OutPoint{Hash: level1.TxHash(), Index: 1}); spend == nil || spend.Block != block {
		t.Errorf("confirmed spend of the anchor: %+v", spend)
	}
	b.submit(level2, child2)
}

func packageRefusals(t *testing.T, b *bench) {
	coins := b.coins(1_000_000, 50_000, 50_000)
	level := b.level(coins[0])
	dustLeft := b.build(3, []coin{coinOf(level, 0), coins[1]}, b.owner.pays(1_040_000))
	cheap := b.bump(level, coins[1], 1)
	oldChild := b.build(2, []coin{coinOf(level, 1), coins[1]}, b.owner.pays(40_000))
	oldParent := b.build(2, []coin{coins[0]}, b.owner.pays(1_000_000))
	missing := b.build(3, []coin{coinOf(level, 1), {outpoint: wire.OutPoint{Hash: chainhash.Hash{9}}, out: coins[1].out}}, b.owner.pays(40_000))
	unrelated := b.build(3, []coin{coins[2]}, b.owner.pays(40_000))
	rows := []struct {
		name, reason  string
		parent, child *wire.MsgTx
		index         int
	}{
		{"child leaves the dust", chain.ReasonUnspentDust, level, dustLeft, 1},
		{"child pays too little", chain.ReasonMinRelayFee, level, cheap, 1},
		{"child of version 2", chain.ReasonTRUC, level, oldChild, 1},
		{"parent of version 2 without a fee", chain.ReasonMinRelayFee, oldParent, b.build(2, []coin{coinOf(oldParent, 0)}, b.owner.pays(990_000)), 0},
		{"child lacks a coin", chain.ReasonMissingInputs, level, missing, 1},
		{"not a child", "package topology disallowed. not child-with-parents or parents depend on each other.", level, unrelated, 1},
		{"child first", "package topology disallowed. not child-with-parents or parents depend on each other.", b.bump(level, coins[1], 1_000), level, 1},
	}
	for _, row := range rows {
		tx := row.parent
		if row.index == 1 {
			tx = row.child
		}
		refused(t, row.name, b.Submit(t.Context(), chain.Package{row.parent, row.child}), row.reason, row.index, tx)
	}
}

func packageReplaces(t *testing.T, b *bench) {
	coins := b.coins(1_000_000, 50_000, 50_000, 50_000)
	build := func(value int64, with coin, fee btcutil.Amount) (level, child *wire.MsgTx) {
		level = b.build(3, []coin{coins[0]}, wire.NewTxOut(value, b.owner.script), b.owner.pays(btcutil.Amount(1_000_000-value)), wire.NewTxOut(0, anchor))
		return level, b.build(3, []coin{coinOf(level, 2), with}, b.owner.pays(btcutil.Amount(with.out.Value)-fee))
	}
	first, child1 := build(500_000, coins[1], 2_000)
	cheaper, child2 := build(600_000, coins[2], 1_000)
	better, child3 := build(700_000, coins[3], 9_000)
	b.submit(first, child1)
	refused(t, "cheaper", b.Submit(t.Context(), chain.Package{cheaper, child2}), chain.ReasonPackageRBF, 1, child2)
	b.submit(better, child3)
	if got := b.transaction(first.TxHash()); got != nil {
		t.Errorf("replaced parent is still there: %+v", got)
	}
	if spend := b.spend(coins[0].outpoint); spend == nil || spend.Tx.TxHash() != better.TxHash() {
		t.Errorf("spend: %+v", spend)
	}
}
