package chaintest

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// anchor is the pay-to-anchor script.
var anchor = []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}

// replaceable is a sequence number without a relative lock.
const replaceable = wire.MaxTxInSequenceNum - 2

// bench is a chain and somebody with coins on it. A method that cannot do its work ends the test.
type bench struct {
	Chain
	t     *testing.T
	owner *owner
}

// owner spends by the key path of a taproot output.
type owner struct {
	key    *btcec.PrivateKey
	script []byte
}

func newOwner(t *testing.T) *owner {
	t.Helper()
	key, public := btcec.PrivKeyFromBytes([]byte("superscalar/chaintest"))
	script, err := txscript.PayToTaprootScript(txscript.ComputeTaprootKeyNoScript(public))
	if err != nil {
		t.Fatal(err)
	}
	return &owner{key: key, script: script}
}

// coin is an output to spend; the sequence is that of the input.
type coin struct {
	outpoint wire.OutPoint
	out      *wire.TxOut
	sequence uint32
}

func coinOf(tx *wire.MsgTx, index uint32) coin {
	return coin{outpoint: wire.OutPoint{Hash: tx.TxHash(), Index: index}, out: tx.TxOut[index], sequence: replaceable}
}

func (o *owner) pays(sat btcutil.Amount) *wire.TxOut { return wire.NewTxOut(int64(sat), o.script) }

// build makes a transaction and signs the inputs that are the owner's.
func (b *bench) build(version int32, coins []coin, outs ...*wire.TxOut) *wire.MsgTx {
	b.t.Helper()
	tx := wire.NewMsgTx(version)
	previous := make(map[wire.OutPoint]*wire.TxOut)
	for _, c := range coins {
		tx.AddTxIn(&wire.TxIn{PreviousOutPoint: c.outpoint, Sequence: c.sequence})
		previous[c.outpoint] = c.out
	}
	tx.TxOut = outs
	b.sign(tx, previous)
	return tx
}

func (b *bench) sign(tx *wire.MsgTx, previous map[wire.OutPoint]*wire.TxOut) {
	b.t.Helper()
	fetcher := txscript.NewMultiPrevOutFetcher(previous)
	hashes := txscript.NewTxSigHashes(tx, fetcher)
	for i, in := range tx.TxIn {
		out := previous[in.PreviousOutPoint]
		if string(out.PkScript) != string(b.owner.script) {
			continue
		}
		signature, err := txscript.RawTxInTaprootSignature(tx, hashes, i, out.Value, out.PkScript, nil, txscript.SigHashDefault, b.owner.key)
		if err != nil {
			b.t.Fatal(err)
		}
		in.Witness = wire.TxWitness{signature}
	}
}

// coins gives the owner confirmed coins of these amounts.
func (b *bench) coins(amounts ...btcutil.Amount) []coin {
	b.t.Helper()
	tx := b.fund(amounts...)
	b.mine(1)
	var list []coin
	for i := range amounts {
		list = append(list, coinOf(tx, uint32(i)))
	}
	return list
}

// fund gives the owner coins in the mempool.
func (b *bench) fund(amounts ...btcutil.Amount) *wire.MsgTx {
	b.t.Helper()
	var outs []*wire.TxOut
	for _, sat := range amounts {
		outs = append(outs, b.owner.pays(sat))
	}
	tx, err := b.FundOutputs(outs...)
	if err != nil {
		b.t.Fatal(err)
	}
	return tx
}

func (b *bench) mine(n uint32) []chain.BlockID {
	b.t.Helper()
	blocks, err := b.Mine(n)
	if err != nil {
		b.t.Fatal(err)
	}
	return blocks
}

func (b *bench) reorg(depth uint32) {
	b.t.Helper()
	if err := b.Reorg(depth); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) tip() chain.BlockID {
	b.t.Helper()
	id, err := b.Tip(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) since(from chain.BlockID) chain.Update {
	b.t.Helper()
	update, err := b.Since(b.t.Context(), from)
	if err != nil {
		b.t.Fatal(err)
	}
	return update
}

func (b *bench) submit(txs ...*wire.MsgTx) {
	b.t.Helper()
	if err := b.Submit(b.t.Context(), txs); err != nil {
		b.t.Fatal(err)
	}
}

// output looks up; nil means that there is none.
func (b *bench) output(o wire.OutPoint) *chain.Output {
	b.t.Helper()
	out, found, err := b.Output(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	if !found {
		return nil
	}
	return &out
}

func (b *bench) spend(o wire.OutPoint) *chain.Spend {
	b.t.Helper()
	spend, found, err := b.Spend(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	if !found {
		return nil
	}
	return &spend
}

func (b *bench) transaction(txid chainhash.Hash) *chain.Transaction {
	b.t.Helper()
	tx, found, err := b.Transaction(b.t.Context(), txid)
	if err != nil {
		b.t.Fatal(err)
	}
	if !found {
		return nil
	}
	return &tx
}

// at asks that a position is that of a block; the zero block stands for the mempool.
func (b *bench) at(what string, got chain.Position, want chain.BlockID) {
	b.t.Helper()
	if got.Block != want || got.Confirmed != (want != chain.BlockID{}) {
		b.t.Errorf("%s is at %+v, want block %+v", what, got, want)
	}
}
