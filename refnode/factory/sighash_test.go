package factory_test

import (
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/txscript"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// TestSighashesAgainstBtcd compares every signature hash with btcd's.
func TestSighashesAgainstBtcd(t *testing.T) {
	for _, shape := range []string{"kickoff 1 / dw 20", "static 3 / kickoff 2 / ps 4"} {
		t.Run(shape, func(t *testing.T) {
			tree := build(t, terms(t, 20, shapeOf(t, shape)))
			for _, tx := range everyTx(tree) {
				compareSighash(t, tx)
			}
		})
	}
}

func compareSighash(t *testing.T, tx *factory.Tx) {
	t.Helper()
	fetcher := txscript.NewCannedPrevOutputFetcher(tx.PrevOut.PkScript, tx.PrevOut.Value)
	hashes := txscript.NewTxSigHashes(tx.Msg, fetcher)
	var want []byte
	var err error
	if tx.Spends == factory.SpendChannel {
		want, err = txscript.CalcWitnessSigHash(tx.Channel.WitnessScript(), hashes, txscript.SigHashAll, tx.Msg, 0, tx.PrevOut.Value)
	} else {
		want, err = txscript.CalcTaprootSignatureHash(hashes, txscript.SigHashDefault, tx.Msg, 0, fetcher)
	}
	if err != nil || fmt.Sprintf("%x", want) != fmt.Sprintf("%x", tx.Sighash) {
		t.Fatalf("%s %s: sighash %x, btcd has %x (%v)", tx.Kind, tx.Node, tx.Sighash, want, err)
	}
}

// TestSighashOfManyOutputs goes past 252 outputs, where their number takes
// three bytes. Only a mutant builds such transactions.
func TestSighashOfManyOutputs(t *testing.T) {
	te := terms(t, 200, shapeOf(t, "kickoff 1 / ps 15"))
	te.Shape = shapeOf(t, "kickoff 1 / ps 2")
	for len(te.Amounts.Stocks) < 100 {
		te.Amounts.Stocks = append(te.Amounts.Stocks, 50_000)
	}
	f := must(factory.New(te, rule.Without(rule.TREE014, rule.TREE015)))(t)
	tree := must(f.Build(fundingPoint, factory.Whole()))(t)
	leaf, _ := tree.Node(factory.NodeID{Level: 1})
	if got := len(leaf.Tx.Msg.TxOut); got != 301 {
		t.Fatalf("%d outputs, want 301", got)
	}
	compareSighash(t, leaf.Tx)
	for _, count := range []int{251, 252, 253, 254} { // with P2A 252 to 255
		cut := *leaf.Tx
		cut.Msg = cut.Msg.Copy()
		cut.Msg.TxOut = cut.Msg.TxOut[:count]
		cut.Sighash = factory.KeySpendHash(cut.Msg, cut.PrevOut)
		compareSighash(t, &cut)
	}
}

func TestChannelOutputAgainstBolt3(t *testing.T) {
	c := channelAt(3, 0)
	if got := c.WitnessScript(); len(got) != 71 || got[0] != txscript.OP_2 || got[70] != txscript.OP_CHECKMULTISIG {
		t.Errorf("witness script %x", got)
	}
	swapped, err := factory.NewChannel(c.Keys[1], c.Keys[0])
	if err != nil || swapped != c {
		t.Errorf("the order of the keys matters: %v", err)
	}
	if _, err := factory.NewChannel(c.Keys[0], [33]byte{5}); err == nil {
		t.Error("a key that is no point passes")
	}
	if _, err := factory.ChannelFromScript([]byte{txscript.OP_1, 32}); err == nil {
		t.Error("a script that is not P2WSH passes")
	}
	public, err := factory.ChannelFromScript(c.Script[:])
	if err != nil || public != c.Public() {
		t.Errorf("got %v, %v", public, err)
	}
}
