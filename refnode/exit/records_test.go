package exit_test

import (
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
)

// checkRecords wants every signature that anybody recorded to be on a
// transaction of the list, and no two different ones on one outpoint and kind;
// states with falling nSequence.
func checkRecords(w *world, all []*factory.Tx) {
	w.t.Helper()
	listed := map[[32]byte]bool{}
	for _, tx := range all {
		listed[tx.Sighash] = true
	}
	type slot struct {
		o    btcwire.OutPoint
		kind ledger.Kind
	}
	everybody := map[slot][32]byte{}
	for i := range len(w.clients) + 1 {
		name := w.name(i, len(w.clients))
		sequence := map[slot]uint32{}
		states := map[[32]byte]bool{}
		for _, e := range w.stores[name].signed {
			if !listed[e.Sighash] {
				w.t.Fatalf("%s signed a %s of %s that the list does not have", name, e.Kind, e.Outpoint)
			}
			at := slot{e.Outpoint, e.Kind}
			if e.Kind == ledger.State {
				before, again := sequence[at]
				if again && e.Sequence >= before && !states[e.Sighash] {
					w.t.Fatalf("%s signed states with nSequence %d, then %d on %s", name, before, e.Sequence, e.Outpoint)
				}
				sequence[at], states[e.Sighash] = e.Sequence, true

				continue
			}
			if other, ok := everybody[at]; ok && other != e.Sighash {
				w.t.Fatalf("%s: two different %ss on %s", name, e.Kind, e.Outpoint)
			}
			everybody[at] = e.Sighash
		}
	}
}

// checkPoison wants poison for outputs of replaced transactions and no other.
func checkPoison(w *world) {
	w.t.Helper()
	tree := w.factory().Tree()
	former := map[chainhash.Hash]bool{}
	for _, f := range tree.Former() {
		former[f.Node.Tx.Txid] = true
		for _, s := range slices.Concat(f.Sales...) {
			former[s.Tx.Txid] = true
		}
	}
	for _, n := range tree.Nodes() {
		delete(former, n.Tx.Txid) // an attempt made again
	}
	for i := range len(w.clients) + 1 {
		for _, e := range w.stores[w.name(i, len(w.clients))].signed {
			if e.Kind == ledger.Poison && !former[e.Outpoint.Hash] {
				w.t.Fatalf("poison of output %s, which stands", e.Outpoint)
			}
		}
	}
}
