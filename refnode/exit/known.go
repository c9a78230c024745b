package exit

import (
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
)

// spot is an outpoint of the tree and everything in view that was signed to
// spend it.
type spot struct {
	id           factory.NodeID
	kind         factory.Kind
	versions     []version
	distribution *factory.Tx
	nested       []*factory.Tx
}

// version is a transaction of the tree that may appear on the chain.
type version struct {
	node  *factory.Node
	sales [][]*factory.Sale
}

// known is all that can appear on the chain, by outpoint.
type known struct {
	tree   *factory.Tree
	spots  map[wire.OutPoint]*spot
	poison map[wire.OutPoint]*factory.Tx
}

// knowledge reads a tree.
func knowledge(t *factory.Tree) *known {
	k := &known{tree: t, spots: map[wire.OutPoint]*spot{}, poison: map[wire.OutPoint]*factory.Tx{}}
	layout := t.Factory().Layout()
	for _, n := range t.Nodes() {
		v := version{node: n}
		for g := range layout.Groups(n.ID) {
			v.sales = append(v.sales, t.Sales(n.ID, uint8(g)))
		}
		k.add(v)
	}
	for _, f := range t.Former() {
		k.add(version{node: f.Node, sales: f.Sales})
	}
	for _, tx := range t.SignedPoison() {
		k.poison[tx.Outpoint()] = tx
	}

	return k
}

func (k *known) add(v version) {
	o := v.node.Tx.Outpoint()
	s := k.spots[o]
	if s == nil {
		s = &spot{id: v.node.ID, kind: v.node.Kind, distribution: v.node.Distribution, nested: v.node.Nested}
		k.spots[o] = s
	}
	if _, ok := s.version(v.node.Tx.Txid); !ok { // a failed attempt that was made again stands
		s.versions = append(s.versions, v)
	}
}

// version finds one by its txid.
func (s *spot) version(txid chainhash.Hash) (version, bool) {
	for _, v := range s.versions {
		if v.node.Tx.Txid == txid {
			return v, true
		}
	}

	return version{}, false
}

// latest is the version with the smallest counter that the holder has completely
// signed. The state of a failed attempt may not be; what hangs below it is.
func (s *spot) latest(h Holder) (version, bool) {
	var best version
	for _, v := range s.versions {
		if best.node != nil && v.node.Tx.Remaining >= best.node.Tx.Remaining {
			continue
		}
		if _, err := h.Complete(v.node.Tx); err == nil {
			best = v
		}
	}

	return best, best.node != nil
}

// rivalAfter is the smallest delay over that of v with which another state can
// spend the spot; false when there is none.
func (s *spot) rivalAfter(v version) (delay factory.Height, ok bool) {
	own := factory.Height(v.node.Tx.Sequence())
	for _, other := range s.versions {
		d := factory.Height(other.node.Tx.Sequence())
		if d > own && (!ok || d < delay) {
			delay, ok = d, true
		}
	}

	return delay, ok
}

// salesOf returns the sales of a group of a leaf.
func (v version) salesOf(group int) []*factory.Sale {
	if group >= len(v.sales) {
		return nil
	}

	return v.sales[group]
}
