package harness

import (
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// The child that brings a transaction of a factory into a mempool: its value
// and its fee, in sat.
const (
	childSat = 20_000
	childFee = 5_000
)

// Relay puts a complete transaction of a factory into the mempool, with a
// child that pays for it. One block is mined before, for the coin.
func (p *Play) Relay(tx *btcwire.MsgTx) {
	child, err := p.child(tx)
	if err == nil {
		err = p.Chain().Submit(p.ctx, chain.Package{tx, child})
	}
	if err != nil {
		p.controlFailed("the suite's transaction enters the mempool", oneLine(err.Error()))
	}
	p.event("handed %s to the mempool", tx.TxHash())
}

// child spends the P2A of a parent and a coin of the suite's own.
func (p *Play) child(parent *btcwire.MsgTx) (*btcwire.MsgTx, error) {
	key := txscript.TweakTaprootPrivKey(*deriveKey(p.seed, "child"), nil)
	script, err := txscript.PayToTaprootScript(key.PubKey())
	if err != nil {
		return nil, err
	}
	backend := p.Chain()
	coin := btcwire.NewTxOut(childSat, script)
	funding, err := backend.FundOutputs(coin)
	if err != nil {
		return nil, err
	}
	if _, err := backend.Mine(1); err != nil {
		return nil, err
	}
	index := uint32(0)
	for i, out := range funding.TxOut {
		if out.Value == childSat && string(out.PkScript) == string(script) {
			index = uint32(i)
		}
	}
	anchor := len(parent.TxOut) - 1
	tx := btcwire.NewMsgTx(parent.Version)
	tx.AddTxIn(&btcwire.TxIn{PreviousOutPoint: btcwire.OutPoint{Hash: parent.TxHash(), Index: uint32(anchor)}})
	tx.AddTxIn(&btcwire.TxIn{PreviousOutPoint: btcwire.OutPoint{Hash: funding.TxHash(), Index: index}})
	tx.AddTxOut(btcwire.NewTxOut(childSat-childFee, script))
	return tx, signChild(tx, key, map[btcwire.OutPoint]*btcwire.TxOut{
		tx.TxIn[0].PreviousOutPoint: parent.TxOut[anchor], tx.TxIn[1].PreviousOutPoint: coin,
	})
}

// signChild signs input 1, the coin.
func signChild(tx *btcwire.MsgTx, key *btcec.PrivateKey, prevouts map[btcwire.OutPoint]*btcwire.TxOut) error {
	fetcher := txscript.NewMultiPrevOutFetcher(prevouts)
	hash, err := txscript.CalcTaprootSignatureHash(txscript.NewTxSigHashes(tx, fetcher), txscript.SigHashDefault, tx, 1, fetcher)
	if err != nil {
		return err
	}
	signature, err := schnorr.Sign(key, hash)
	if err != nil {
		return err
	}
	tx.TxIn[1].Witness = btcwire.TxWitness{signature.Serialize()}
	return nil
}
