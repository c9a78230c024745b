package policy

import (
	"slices"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// checkDustFee allows dust only where it is no use to mine the transaction alone.
func (p *Pool) checkDustFee(tx *wire.MsgTx, fee btcutil.Amount) *failure {
	if !p.rules.Has(DustZeroFee) || fee == 0 || len(dustOutputs(tx)) == 0 {
		return nil
	}
	return refuse(DustZeroFee, chain.ReasonDust, "tx with dust output must be 0-fee")
}

// checkDustSpent asks that each transaction spends the dust of every unconfirmed parent, so that dust never stays behind. It
// returns the transaction that does not.
func (p *Pool) checkDustSpent(pkg []*candidate) (*candidate, *failure) {
	if !p.rules.Has(DustSpent) {
		return nil, nil
	}
	for _, c := range pkg {
		for _, in := range c.tx.TxIn {
			parent := p.unconfirmed(in.PreviousOutPoint.Hash, pkg)
			if parent == nil || spendsAllDust(c.tx, parent, in.PreviousOutPoint.Hash) {
				continue
			}
			return c, refuse(DustSpent, chain.ReasonUnspentDust, "tx %s did not spend parent's ephemeral dust", named(c.tx))
		}
	}
	return nil, nil
}

// unconfirmed finds a transaction of the package or of the pool.
func (p *Pool) unconfirmed(txid chainhash.Hash, pkg []*candidate) *wire.MsgTx {
	for _, c := range pkg {
		if c.txid == txid {
			return c.tx
		}
	}
	if e, ok := p.entries[txid]; ok {
		return e.tx
	}
	return nil
}

func spendsAllDust(tx, parent *wire.MsgTx, txid chainhash.Hash) bool {
	for _, index := range dustOutputs(parent) {
		dust := wire.OutPoint{Hash: txid, Index: index}
		if !slices.ContainsFunc(tx.TxIn, func(in *wire.TxIn) bool { return in.PreviousOutPoint == dust }) {
			return false
		}
	}
	return true
}
