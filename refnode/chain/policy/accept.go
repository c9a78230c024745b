package policy

import (
	"slices"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// candidate is a transaction on its way into the pool.
type candidate struct {
	tx        *wire.MsgTx
	txid      chainhash.Hash
	wtxid     chainhash.Hash
	coins     []Coin
	fee       btcutil.Amount
	weight    int64
	vsize     int64
	parents   []*entry // in the pool
	conflicts []*entry // in the pool, direct ones
	sibling   bool     // conflicts holds a sibling that spends another coin
}

// circumstances tell under what conditions a transaction is looked at.
type circumstances struct {
	// pkg holds the transactions before this one in the same package, when the package is looked at as a whole.
	pkg []*candidate
	// packageFee leaves the fee to a later look at the package as a whole.
	packageFee bool
	// supplant allows to evict a sibling.
	supplant bool
	// returning is a transaction from a block that left the chain: fees and version 3 rules do not matter.
	returning bool
}

// acceptSingle takes one transaction into the pool or says why not.
func (p *Pool) acceptSingle(tx *wire.MsgTx, in circumstances) (evicted []*entry, f *failure) {
	c, f := p.precheck(tx, in)
	if f != nil {
		return nil, f
	}
	if _, f := p.checkDustSpent([]*candidate{c}); f != nil {
		return nil, f
	}
	if len(c.conflicts) > 0 {
		if evicted, f = p.checkReplacement(c); f != nil {
			return nil, f
		}
	} else if f := p.checkCluster([]*candidate{c}, nil); f != nil {
		return nil, f
	}
	if f := p.checkScripts(tx, c.coins); f != nil {
		return nil, f
	}
	p.remove(evicted)
	p.add(c)
	return evicted, nil
}

// precheck holds every rule that needs neither scripts nor the fees of others.
func (p *Pool) precheck(tx *wire.MsgTx, in circumstances) (*candidate, *failure) {
	c := &candidate{tx: tx, txid: tx.TxHash(), wtxid: tx.WitnessHash()}
	if f := p.checkSanity(tx); f != nil {
		return nil, f
	}
	c.weight = blockchain.GetTransactionWeight(btcutil.NewTx(tx))
	if f := p.checkStandard(tx, c.weight); f != nil {
		return nil, f
	}
	if f := p.checkLockTime(tx); f != nil {
		return nil, f
	}
	if f := p.checkDuplicate(c); f != nil {
		return nil, f
	}
	if f := p.findConflicts(c); f != nil {
		return nil, f
	}
	if f := p.findCoins(c, in.pkg); f != nil {
		return nil, f
	}
	if f := p.checkRelativeLocks(tx, c.coins); f != nil {
		return nil, f
	}
	fee, f := p.feeOf(tx, c.coins)
	if f != nil {
		return nil, f
	}
	c.fee = fee
	if f := p.checkInputScripts(tx, c.coins); f != nil {
		return nil, f
	}
	if f := p.checkDustFee(tx, c.fee); f != nil {
		return nil, f
	}
	if f := p.checkSize(c); f != nil {
		return nil, f
	}
	return c, p.checkFamilyAndFee(c, in)
}

// checkFamilyAndFee looks at the parents in the pool and at the fee. Version 3 comes before the fee: a child of the wrong kind is
// named as such even when it pays nothing.
func (p *Pool) checkFamilyAndFee(c *candidate, in circumstances) *failure {
	c.parents = p.parentsOf(c.tx)
	if !in.returning {
		sibling, f := p.checkTRUC(c, in.supplant)
		if f != nil {
			return f
		}
		if sibling != nil {
			c.conflicts = append(c.conflicts, sibling)
			c.sibling = true
		}
		if f := p.checkFee(c, in.packageFee); f != nil {
			return f
		}
	}
	if !p.rules.Has(SpendsConflict) {
		return nil
	}
	for _, ancestor := range p.withAncestors(c.parents...) {
		if slices.Contains(c.conflicts, ancestor) {
			return refuse(SpendsConflict, "bad-txns-spends-conflicting-tx", "%v spends conflicting transaction %v", c.txid, ancestor.txid)
		}
	}
	return nil
}

// checkDuplicate asks whether the transaction is there already.
func (p *Pool) checkDuplicate(c *candidate) *failure {
	if !p.rules.Has(Duplicate) {
		return nil
	}
	e, ok := p.entries[c.txid]
	switch {
	case ok && e.wtxid == c.wtxid:
		return refuse(Duplicate, chain.ReasonInMempool, "")
	case ok:
		return refuse(Duplicate, "txn-same-nonwitness-data-in-mempool", "")
	default:
		return nil
	}
}

// findConflicts lists what spends the same coins.
func (p *Pool) findConflicts(c *candidate) *failure {
	for _, in := range c.tx.TxIn {
		e, ok := p.spenders[in.PreviousOutPoint]
		if !ok || slices.Contains(c.conflicts, e) {
			continue
		}
		if !p.rules.Has(Replacement) {
			return refuse(Replacement, "txn-mempool-conflict", "")
		}
		c.conflicts = append(c.conflicts, e)
	}
	return nil
}

// findCoins looks every input up: in the package, in the pool, in the chain.
func (p *Pool) findCoins(c *candidate, pkg []*candidate) *failure {
	for _, in := range c.tx.TxIn {
		coin, ok := p.coin(in.PreviousOutPoint, pkg)
		if !ok && p.rules.Has(MissingInputs) {
			if p.confirmed(c) {
				return refuse(Duplicate, chain.ReasonAlreadyKnown, "")
			}
			return refuse(MissingInputs, chain.ReasonMissingInputs, "").as(orphan)
		}
		c.coins = append(c.coins, coin)
	}
	return nil
}

func (p *Pool) coin(outpoint wire.OutPoint, pkg []*candidate) (Coin, bool) {
	if tx := p.unconfirmed(outpoint.Hash, pkg); tx != nil {
		if outpoint.Index >= uint32(len(tx.TxOut)) {
			return Coin{}, false
		}
		out := tx.TxOut[outpoint.Index]
		return Coin{Value: btcutil.Amount(out.Value), Script: out.PkScript, Height: p.view.Height() + 1}, true
	}
	return p.view.Coin(outpoint)
}

// confirmed tells whether the chain still has an unspent output of the transaction.
func (p *Pool) confirmed(c *candidate) bool {
	if !p.rules.Has(Duplicate) {
		return false
	}
	for i := range c.tx.TxOut {
		if _, ok := p.view.Coin(wire.OutPoint{Hash: c.txid, Index: uint32(i)}); ok {
			return true
		}
	}
	return false
}

// checkSize bounds signature operations and works out the virtual size, in which they count as at least 20 weight units each.
func (p *Pool) checkSize(c *candidate) *failure {
	cost := sigOpCost(c.tx, c.coins)
	c.vsize = (max(c.weight, cost*sigOpWeight) + 3) / 4
	if p.rules.Has(SigOps) && cost > maxSigOpCost {
		return refuse(SigOps, "bad-txns-too-many-sigops", "%d", cost)
	}
	return nil
}

// checkFee holds the minimum relay fee. Only a version 3 transaction may leave it to its child: the pool can be sure that such a
// child does not go away alone.
func (p *Pool) checkFee(c *candidate, packageFee bool) *failure {
	if packageFee && c.tx.Version == trucVersion {
		return nil
	}
	f := p.checkRate(c.fee, c.vsize)
	if f != nil && c.tx.Version == trucVersion {
		return f.as(reconsider)
	}
	return f
}

func (p *Pool) checkRate(fee btcutil.Amount, vsize int64) *failure {
	if least := minRelayRate.fee(vsize); p.rules.Has(MinRelayFee) && fee < least {
		return refuse(MinRelayFee, chain.ReasonMinRelayFee, "%d < %d", fee, least)
	}
	return nil
}
