package exit_test

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
)

func (v chainView) Height() factory.Height { return v.tip }

func (v chainView) Confirmed(txid chainhash.Hash) (factory.Height, bool) {
	v.w.t.Helper()
	tx, found, err := v.w.chain.Transaction(v.w.ctx, txid)
	if err != nil {
		v.w.t.Fatal(err)
	}

	return factory.Height(tx.Block.Height), found && tx.Confirmed
}

func (v chainView) Spend(o btcwire.OutPoint) (exit.Spend, bool) {
	v.w.t.Helper()
	s, found, err := v.w.chain.Spend(v.w.ctx, o)
	if err != nil {
		v.w.t.Fatal(err)
	}
	if !found {
		return exit.Spend{}, false
	}

	return exit.Spend{Txid: s.Tx.TxHash(), Confirmed: s.Confirmed, Height: factory.Height(s.Block.Height)}, true
}
