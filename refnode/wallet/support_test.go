package wallet

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
	"go.uber.org/goleak"

	"superscalar/refnode/chain"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// testKeys are keys of one owner.
func testKeys(owner byte) KeyFunc {
	return func(index uint32) (*btcec.PrivateKey, error) {
		raw := [32]byte{owner, 1}
		binary.BigEndian.PutUint32(raw[28:], index)
		key, _ := btcec.PrivKeyFromBytes(raw[:])
		return key, nil
	}
}

func newWallet(t testing.TB, o Options) *Wallet {
	t.Helper()
	if o.Keys == nil {
		o.Keys = testKeys(1)
	}
	w, err := New(o)
	must(t, err)
	return w
}

// blocks is a best chain without proof of work or rules.
type blocks struct {
	list   []chain.Block
	serial uint32
}

func (b *blocks) tip() chain.BlockID {
	if len(b.list) == 0 {
		return chain.BlockID{}
	}
	return b.list[len(b.list)-1].BlockID
}

// mine adds a block with a coinbase that pays nobody and the given transactions.
func (b *blocks) mine(txs ...*wire.MsgTx) chain.Update {
	return b.mineTo([]byte{txscript.OP_TRUE}, txs...)
}

func (b *blocks) mineTo(script []byte, txs ...*wire.MsgTx) chain.Update {
	b.serial++
	coinbase := wire.NewMsgTx(2)
	coinbase.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: wire.MaxPrevOutIndex}, binary.BigEndian.AppendUint32(nil, b.serial), nil))
	coinbase.AddTxOut(wire.NewTxOut(50e8, script))
	block := chain.Block{BlockID: chain.BlockID{Height: chain.Height(len(b.list)), Hash: coinbase.TxHash()}, Previous: b.tip().Hash,
		Transactions: append([]*wire.MsgTx{coinbase}, txs...)}
	b.list = append(b.list, block)
	return chain.Update{Connected: []chain.Block{block}, Tip: block.BlockID}
}

// undo takes the top block off.
func (b *blocks) undo() chain.Update {
	last := b.list[len(b.list)-1]
	b.list = b.list[:len(b.list)-1]
	return chain.Update{Disconnected: []chain.Block{last}, Tip: b.tip()}
}

// pay is a foreign transaction with one output per value.
func (b *blocks) pay(t testing.TB, w *Wallet, values ...btcutil.Amount) *wire.MsgTx {
	t.Helper()
	tx := b.foreign()
	for _, value := range values {
		script, err := w.NewScript()
		must(t, err)
		tx.AddTxOut(wire.NewTxOut(int64(value), script))
	}
	return tx
}

func (b *blocks) foreign() *wire.MsgTx {
	b.serial++
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{0xf0}, Index: b.serial}, nil, nil))
	return tx
}

// funded is a wallet with confirmed coins.
func funded(t testing.TB, values ...btcutil.Amount) (*Wallet, *blocks) {
	t.Helper()
	w, b := newWallet(t, Options{}), &blocks{}
	must(t, w.Process(b.mine())) // the genesis block
	must(t, w.Process(b.mine(b.pay(t, w, values...))))
	return w, b
}

// out pays somebody else.
func out(value btcutil.Amount) *wire.TxOut {
	return wire.NewTxOut(int64(value), append([]byte{txscript.OP_1, txscript.OP_DATA_32}, make([]byte, 32)...))
}

// checkScripts runs every input that spends one of the coins.
func checkScripts(t interface{ Fatalf(string, ...any) }, tx *wire.MsgTx, coins []Coin, more map[wire.OutPoint]*wire.TxOut) {
	previous := txscript.NewMultiPrevOutFetcher(more)
	for _, coin := range coins {
		previous.AddPrevOut(coin.Outpoint, wire.NewTxOut(int64(coin.Value), coin.Script))
	}
	hashes := txscript.NewTxSigHashes(tx, previous)
	for i, in := range tx.TxIn {
		if more[in.PreviousOutPoint] != nil { // P2A: this engine does not know it
			continue
		}
		spent := previous.FetchPrevOutput(in.PreviousOutPoint)
		vm, err := txscript.NewEngine(spent.PkScript, tx, i, txscript.StandardVerifyFlags, nil, hashes, spent.Value, previous)
		if err == nil {
			err = vm.Execute()
		}
		if err != nil {
			t.Fatalf("input %d: %v", i, err)
		}
	}
}

// truc is a parent of version 3 with an anchor of 0 sat after one output.
func (b *blocks) truc(value btcutil.Amount) *wire.MsgTx {
	tx := b.foreign()
	tx.Version = 3
	tx.TxIn[0].Witness = wire.TxWitness{make([]byte, 64)}
	tx.AddTxOut(out(value))
	tx.AddTxOut(wire.NewTxOut(0, anchorScript))
	return tx
}
