package embedded

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"go.uber.org/goleak"

	"superscalar/refnode/chain"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// anchor is the P2A script.
var anchor = []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}

func newChain(t testing.TB, cfg Config) *Chain {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// owner can spend a taproot output by key, or by a script leaf of its own.
type owner struct {
	key    *btcec.PrivateKey
	leaf   *txscript.TapLeaf // nil: no script path
	root   []byte
	script []byte
}

func newOwner(t testing.TB, id byte, leafScript func(*txscript.ScriptBuilder, []byte)) *owner {
	t.Helper()
	key, public := btcec.PrivKeyFromBytes([]byte{id, 0x11})
	o := &owner{key: key}
	output := txscript.ComputeTaprootKeyNoScript(public)
	if leafScript != nil {
		builder := txscript.NewScriptBuilder()
		leafScript(builder, schnorr.SerializePubKey(public))
		raw, err := builder.Script()
		if err != nil {
			t.Fatal(err)
		}
		leaf := txscript.NewBaseTapLeaf(raw)
		hash := leaf.TapHash()
		o.leaf, o.root = &leaf, hash[:]
		output = txscript.ComputeTaprootOutputKey(public, o.root)
	}
	script, err := txscript.PayToTaprootScript(output)
	if err != nil {
		t.Fatal(err)
	}
	o.script = script
	return o
}

// spent is an input with what it spends and who signs; owner nil means that nothing is signed.
type spent struct {
	outpoint   wire.OutPoint
	value      btcutil.Amount
	script     []byte
	owner      *owner
	sequence   uint32
	scriptPath bool
}

func build(t testing.TB, version int32, lockTime uint32, ins []spent, outs ...*wire.TxOut) *wire.MsgTx {
	t.Helper()
	tx := wire.NewMsgTx(version)
	tx.LockTime = lockTime
	previous := make(map[wire.OutPoint]*wire.TxOut)
	for _, in := range ins {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: in.outpoint, Sequence: in.sequence})
		previous[in.outpoint] = wire.NewTxOut(int64(in.value), in.script)
	}
	for _, out := range outs {
		tx.AddTxOut(out)
	}
	fetcher := txscript.NewMultiPrevOutFetcher(previous)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range ins {
		if in.owner == nil {
			continue
		}
		tx.TxIn[i].Witness = in.owner.witness(t, tx, hashes, i, in)
	}
	return tx
}

func (o *owner) witness(t testing.TB, tx *wire.MsgTx, hashes *txscript.TxSigHashes, i int, in spent) wire.TxWitness {
	t.Helper()
	if !in.scriptPath {
		signature, err := txscript.RawTxInTaprootSignature(tx, hashes, i, int64(in.value), in.script, o.root, txscript.SigHashDefault, o.key)
		if err != nil {
			t.Fatal(err)
		}
		return wire.TxWitness{signature}
	}
	signature, err := txscript.RawTxInTapscriptSignature(tx, hashes, i, int64(in.value), in.script, *o.leaf, txscript.SigHashDefault, o.key)
	if err != nil {
		t.Fatal(err)
	}
	tree := txscript.AssembleTaprootScriptTree(*o.leaf)
	block := tree.LeafMerkleProofs[0].ToControlBlock(o.key.PubKey())
	control, err := block.ToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return wire.TxWitness{signature, o.leaf.Script, control}
}

// confirmed gives an owner a confirmed coin.
func confirmed(t testing.TB, c *Chain, o *owner, value btcutil.Amount) spent {
	t.Helper()
	outpoint, err := c.Fund(o.script, value)
	if err != nil {
		t.Fatal(err)
	}
	mine(t, c, 1)
	return spent{outpoint: outpoint, value: value, script: o.script, owner: o, sequence: wire.MaxTxInSequenceNum - 2}
}

func mine(t testing.TB, c *Chain, n uint32) []chain.BlockID {
	t.Helper()
	blocks, err := c.Mine(n)
	if err != nil {
		t.Fatal(err)
	}
	return blocks
}

func tip(t testing.TB, c *Chain) chain.BlockID {
	t.Helper()
	id, err := c.Tip(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// output is the spendable form of an output of a transaction.
func output(tx *wire.MsgTx, index uint32, o *owner) spent {
	out := tx.TxOut[index]
	return spent{outpoint: wire.OutPoint{Hash: tx.TxHash(), Index: index}, value: btcutil.Amount(out.Value), script: out.PkScript,
		owner: o, sequence: wire.MaxTxInSequenceNum - 2}
}
