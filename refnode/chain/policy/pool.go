// Package policy decides what a mempool accepts, as Bitcoin Core 30.99 does with its default settings: version 3 topology
// (BIP 431), ephemeral dust, pay-to-anchor, packages of a parent and its child, replacement by fee, locks, standardness, scripts.
//
// It promises the verdict of every case of testdata/core-policy.json, word for word, and a Rule for every refusal; each rule can be
// switched off, so that a test can show what it is good for. It is pure: no clock, no disk, no goroutine. The chain comes in
// through View, and the same calls always lead to the same pool. A Pool is not safe for concurrent use.
//
// SPEC.md (TREE, DELAY) relies on this policy: each level of a tree confirms before the next one relays. Not done here: limits on the
// memory of the whole pool, expiry by time, prioritisation, and Bitcoin Core's own words for a failing script.
package policy

import (
	"cmp"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// Coin is an unspent output of the best chain.
type Coin struct {
	// Value is in sat.
	Value btcutil.Amount
	// Script is the scriptPubKey.
	Script []byte
	// Height is that of the block with the transaction.
	Height chain.Height
	// Coinbase is true for an output of a coinbase transaction.
	Coinbase bool
}

// View is the best chain as the policy needs it. It must not change while a Pool works.
type View interface {
	// Coin returns an output of the best chain that no transaction of the best chain spends.
	Coin(outpoint wire.OutPoint) (Coin, bool)
	// Height is the height of the tip.
	Height() chain.Height
	// MedianTime is the median time past of the block at a height up to the tip (BIP 113).
	MedianTime(height chain.Height) time.Time
}

// entry is a transaction in the pool.
type entry struct {
	tx     *wire.MsgTx
	txid   chainhash.Hash
	wtxid  chainhash.Hash
	fee    btcutil.Amount
	vsize  int64
	weight int64
	// arrival orders entries by when they came in; a parent of an entry may have come later, after a reorganisation.
	arrival uint64
}

// Pool is a mempool. The zero value is not usable; see New.
type Pool struct {
	view     View
	rules    Rules
	entries  map[chainhash.Hash]*entry
	spenders map[wire.OutPoint]*entry
	arrivals uint64
	changes  uint64
}

// New returns an empty pool on top of a chain.
func New(view View, rules Rules) *Pool {
	return &Pool{
		view:     view,
		rules:    rules,
		entries:  make(map[chainhash.Hash]*entry),
		spenders: make(map[wire.OutPoint]*entry),
	}
}

// Changes counts entries that came and went: two equal answers mean that the pool is the same.
func (p *Pool) Changes() uint64 { return p.changes }

// Len is the number of transactions in the pool.
func (p *Pool) Len() int { return len(p.entries) }

// Transaction returns a transaction of the pool.
func (p *Pool) Transaction(txid chainhash.Hash) (*wire.MsgTx, bool) {
	e, ok := p.entries[txid]
	if !ok {
		return nil, false
	}
	return e.tx, true
}

// Spender returns the transaction of the pool that spends an outpoint.
func (p *Pool) Spender(outpoint wire.OutPoint) (*wire.MsgTx, bool) {
	e, ok := p.spenders[outpoint]
	if !ok {
		return nil, false
	}
	return e.tx, true
}

// add enters a transaction whose checks are done.
func (p *Pool) add(c *candidate) {
	p.arrivals++
	p.changes++
	e := &entry{tx: c.tx, txid: c.txid, wtxid: c.wtxid, fee: c.fee, vsize: c.vsize, weight: c.weight, arrival: p.arrivals}
	p.entries[e.txid] = e
	for _, in := range e.tx.TxIn {
		p.spenders[in.PreviousOutPoint] = e
	}
}

// remove takes out single entries; the caller sees to their descendants.
func (p *Pool) remove(entries []*entry) {
	for _, e := range entries {
		p.changes++
		delete(p.entries, e.txid)
		for _, in := range e.tx.TxIn {
			if p.spenders[in.PreviousOutPoint] == e {
				delete(p.spenders, in.PreviousOutPoint)
			}
		}
	}
}

// parentsOf lists the entries that tx spends from, each once, in input order.
func (p *Pool) parentsOf(tx *wire.MsgTx) []*entry {
	var parents []*entry
	for _, in := range tx.TxIn {
		if e, ok := p.entries[in.PreviousOutPoint.Hash]; ok && !slices.Contains(parents, e) {
			parents = append(parents, e)
		}
	}
	return parents
}

// childrenOf lists the entries that spend from e, each once, in output order.
func (p *Pool) childrenOf(e *entry) []*entry {
	var children []*entry
	for i := range e.tx.TxOut {
		child, ok := p.spenders[wire.OutPoint{Hash: e.txid, Index: uint32(i)}]
		if ok && !slices.Contains(children, child) {
			children = append(children, child)
		}
	}
	return children
}

// closure collects start and everything reachable by step, by arrival.
func closure(start []*entry, step func(*entry) []*entry) []*entry {
	seen := make(map[*entry]bool, len(start))
	var all []*entry
	queue := slices.Clone(start)
	for len(queue) > 0 {
		e := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[e] {
			continue
		}
		seen[e] = true
		all = append(all, e)
		queue = append(queue, step(e)...)
	}
	slices.SortFunc(all, byArrival)
	return all
}

func byArrival(a, b *entry) int { return cmp.Compare(a.arrival, b.arrival) }

// withDescendants adds everything that depends on the given entries.
func (p *Pool) withDescendants(start ...*entry) []*entry {
	return closure(start, p.childrenOf)
}

// withAncestors adds everything the given entries depend on.
func (p *Pool) withAncestors(start ...*entry) []*entry {
	return closure(start, func(e *entry) []*entry { return p.parentsOf(e.tx) })
}

// clusterOf collects everything connected to the given entries, up or down.
func (p *Pool) clusterOf(start ...*entry) []*entry {
	return closure(start, func(e *entry) []*entry { return append(p.parentsOf(e.tx), p.childrenOf(e)...) })
}
