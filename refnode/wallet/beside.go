package wallet

import (
	"fmt"

	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// SignBeside signs the inputs of tx that spend coins reserved for id. What its
// other inputs spend is in others; their witnesses stay as they are.
//
// Errors: ErrArgument (tx spends no coin of id, or something that is neither a
// coin of id nor in others), ErrCoinGone.
func (w *Wallet) SignBeside(id string, tx *wire.MsgTx, others map[wire.OutPoint]*wire.TxOut) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	coins := map[int]Coin{}
	previous := txscript.NewMultiPrevOutFetcher(nil)
	for i, in := range tx.TxIn {
		if out := others[in.PreviousOutPoint]; out != nil {
			previous.AddPrevOut(in.PreviousOutPoint, out)
			continue
		}
		coin, err := w.reserved(id, in.PreviousOutPoint)
		if err != nil {
			return fmt.Errorf("%w: input %d: %w", ErrArgument, i, err)
		}
		coins[i] = coin
		previous.AddPrevOut(coin.Outpoint, wire.NewTxOut(int64(coin.Value), coin.Script))
	}
	if len(coins) == 0 {
		return fmt.Errorf("%w: no coin of %s among %d inputs", ErrArgument, id, len(tx.TxIn))
	}
	hashes := txscript.NewTxSigHashes(tx, previous)
	for i := range tx.TxIn {
		coin, ours := coins[i]
		if !ours {
			continue
		}
		if err := w.signInput(tx, i, coin, hashes); err != nil {
			return err
		}
	}
	return nil
}
