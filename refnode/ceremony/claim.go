package ceremony

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
)

// Claim returns the transaction with which the LSP takes an unsold stock after
// stock_csv blocks, by its script path (SCRIPT-002): to a script of its own,
// less a fee in sat. It does not ask whether the stock was sold (PS-024): the
// machine that decides to publish does.
func (f *Factory) Claim(stock *factory.Stock, script []byte, fee factory.Sat) (*btcwire.MsgTx, error) {
	out, err := f.tree.Factory().StockOutput(stock)
	if err != nil {
		return nil, err
	}
	if fee < 0 || fee > stock.Value-factory.MinShare {
		return nil, fmt.Errorf("a fee of %d sat leaves too little of a stock of %d", fee, stock.Value)
	}
	leaf, control, err := f.tree.Factory().StockClaim(stock.Owners)
	if err != nil {
		return nil, err
	}
	key, err := f.keys.Factory(f.ID())
	if err != nil {
		return nil, err
	}
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(&btcwire.TxIn{PreviousOutPoint: stock.Outpoint, Sequence: uint32(f.Params.StockCSV)})
	tx.AddTxOut(&btcwire.TxOut{Value: int64(stock.Value - fee), PkScript: script})
	fetcher := txscript.NewCannedPrevOutputFetcher(out.PkScript, out.Value)
	hash, err := txscript.CalcTapscriptSignaturehash(txscript.NewTxSigHashes(tx, fetcher), txscript.SigHashDefault, tx, 0,
		fetcher, txscript.NewBaseTapLeaf(leaf))
	if err != nil {
		return nil, err
	}
	signature, err := schnorr.Sign(key, hash)
	if err != nil {
		return nil, err
	}
	tx.TxIn[0].Witness = btcwire.TxWitness{signature.Serialize(), leaf, control}
	return tx, nil
}
