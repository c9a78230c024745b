package policy

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Connected tells the pool that a block joined the best chain: its transactions leave, and so does everything that conflicts with
// them, with its descendants. The coinbase may be among txs.
func (p *Pool) Connected(txs []*wire.MsgTx) {
	for _, tx := range txs {
		if e, ok := p.entries[tx.TxHash()]; ok {
			p.remove([]*entry{e})
		}
		for _, in := range tx.TxIn {
			if e, ok := p.spenders[in.PreviousOutPoint]; ok {
				p.remove(p.withDescendants(e))
			}
		}
	}
}

// Returned tells the pool that transactions left the best chain and are not in the new one, lowest block first, without coinbases.
// Call it after View has moved to the new tip and after Connected for each new block. What is still valid comes back, whatever it
// pays; then everything in the pool that the new chain makes invalid (locks, immature or missing coins) leaves.
func (p *Pool) Returned(txs []*wire.MsgTx) {
	for _, tx := range txs {
		if _, f := p.acceptSingle(tx, circumstances{returning: true}); f != nil {
			p.dropSpendersOf(tx)
		}
	}
	for _, c := range p.clusterChunks() {
		for _, n := range c.nodes {
			if e, ok := p.entries[n.txid]; ok && !p.stillValid(e) {
				p.remove(p.withDescendants(e))
			}
		}
	}
}

// dropSpendersOf removes what depends on a transaction that did not come back.
func (p *Pool) dropSpendersOf(tx *wire.MsgTx) {
	txid := tx.TxHash()
	if _, ok := p.entries[txid]; ok {
		return
	}
	for i := range tx.TxOut {
		outpoint := wire.OutPoint{Hash: txid, Index: uint32(i)}
		if _, inChain := p.view.Coin(outpoint); inChain {
			continue
		}
		if e, ok := p.spenders[outpoint]; ok {
			p.remove(p.withDescendants(e))
		}
	}
}

// stillValid repeats the checks that a reorganisation can change.
func (p *Pool) stillValid(e *entry) bool {
	c := &candidate{tx: e.tx, txid: e.txid}
	if p.checkLockTime(e.tx) != nil || p.findCoins(c, nil) != nil || p.checkRelativeLocks(e.tx, c.coins) != nil {
		return false
	}
	_, f := p.feeOf(e.tx, c.coins)
	return f == nil
}

// sorted lists the entries by arrival.
func (p *Pool) sorted() []*entry {
	all := make([]*entry, 0, len(p.entries))
	for _, e := range p.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, byArrival)
	return all
}

// Template lists the transactions for the next block in the order a miner takes them: groups of a transaction and its unconfirmed
// ancestors by fee rate, ancestors first, ties by txid. It stops before the group that would exceed maxWeight weight units. The
// order depends on what is in the pool, not on how it came in.
func (p *Pool) Template(maxWeight int64) []*wire.MsgTx {
	list := p.clusterChunks()
	var txs []*wire.MsgTx
	weight := int64(0)
	for _, c := range list {
		for _, n := range c.nodes {
			weight += n.weight
		}
		if weight > maxWeight {
			break
		}
		for _, n := range c.nodes {
			txs = append(txs, n.tx)
		}
	}
	return txs
}

// clusterChunks orders every cluster by itself and merges the results by fee rate. Clusters with the same rate follow the lowest
// txid in them; the chunks of one cluster, whose rates never rise, stay in their order.
func (p *Pool) clusterChunks() []chunk {
	type ranked struct {
		chunk
		cluster chainhash.Hash
		place   int
	}
	done := make(map[chainhash.Hash]bool, len(p.entries))
	var list []ranked
	for _, e := range p.sorted() {
		if done[e.txid] {
			continue
		}
		cluster := p.clusterOf(e)
		lowest := e.txid
		for _, member := range cluster {
			done[member.txid] = true
			if bytes.Compare(member.txid[:], lowest[:]) < 0 {
				lowest = member.txid
			}
		}
		for i, c := range chunks(nodesOf(cluster)) {
			list = append(list, ranked{chunk: c, cluster: lowest, place: i})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(compareRates(b.fee, b.vsize, a.fee, a.vsize), bytes.Compare(a.cluster[:], b.cluster[:]),
			cmp.Compare(a.place, b.place))
	})
	merged := make([]chunk, 0, len(list))
	for _, r := range list {
		merged = append(merged, r.chunk)
	}
	return merged
}
