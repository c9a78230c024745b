package wallet

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// TakeBack spends the coins of a transaction back to the wallet, so that the transaction can never confirm. It pays the rate, and at
// least what nodes ask of a replacement for tx. For the same arguments it makes the same transaction: only one of all that are made for
// one tx confirms, so they share their script.
//
// Every input of tx must be a coin reserved for id. Errors: ErrArgument (a rate out of bounds, tx has no inputs), ErrUnknownReservation,
// ErrCoinGone, *ShortError when the coins do not pay for it.
func (w *Wallet) TakeBack(id string, tx *wire.MsgTx, rate FeeRate) (*wire.MsgTx, error) {
	if err := rate.check(); err != nil {
		return nil, err
	}
	if len(tx.TxIn) == 0 {
		return nil, fmt.Errorf("%w: a transaction without inputs", ErrArgument)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	coins := make([]Coin, len(tx.TxIn))
	for i, in := range tx.TxIn {
		coin, err := w.reserved(id, in.PreviousOutPoint)
		if err != nil {
			return nil, err
		}
		coins[i] = coin
	}
	back, err := w.backTo(w.ownScript(tx, coins), tx, coins, rate)
	if err != nil {
		return nil, err
	}
	previous := txscript.NewMultiPrevOutFetcher(nil)
	for _, coin := range coins {
		previous.AddPrevOut(coin.Outpoint, wire.NewTxOut(int64(coin.Value), coin.Script))
	}
	hashes := txscript.NewTxSigHashes(back, previous)
	for i, coin := range coins {
		if err := w.signInput(back, i, coin, hashes); err != nil {
			return nil, err
		}
	}
	return back, nil
}

// backTo builds it: all coins into one output.
func (w *Wallet) backTo(script []byte, tx *wire.MsgTx, coins []Coin, rate FeeRate) (*wire.MsgTx, error) {
	back := wire.NewMsgTx(fundingVersion)
	sum := btcutil.Amount(0)
	for _, coin := range coins {
		in := wire.NewTxIn(&coin.Outpoint, nil, nil)
		in.Sequence = replaceable
		back.AddTxIn(in)
		sum += coin.Value
	}
	paid := sum
	for _, out := range tx.TxOut {
		paid -= btcutil.Amount(out.Value)
	}
	back.AddTxOut(wire.NewTxOut(0, script))
	size := signedVSize(back)
	fee := max(rate.Fee(size), paid+IncrementalRelay.Fee(size))
	if rest := sum - fee; rest < dustLimit {
		return nil, &ShortError{Missing: dustLimit - rest, Available: sum, Needed: fee + dustLimit}
	}
	back.TxOut[0].Value = int64(sum - fee)
	return back, nil
}

// ownScript is the script of the change of tx, which confirms no more, or that of its first coin.
func (w *Wallet) ownScript(tx *wire.MsgTx, coins []Coin) []byte {
	for _, out := range tx.TxOut {
		if _, ours := w.indexes[string(out.PkScript)]; ours {
			return out.PkScript
		}
	}
	return coins[0].Script
}
