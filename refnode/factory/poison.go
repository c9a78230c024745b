package factory

import (
	"slices"

	"superscalar/wire/rule"
)

// oldLeaf is a leaf that was replaced and whose poison is not signed yet.
type oldLeaf struct {
	leaf  *Node
	sales [][]*Sale // by group
}

// retire moves the leaves that an update replaces to those that need poison:
// the ones that stood there, and those of failed attempts at or below it.
func (t *Tree) retire(u *Update, n *Node) {
	t.archive(n)
	for _, old := range inOrder(t.nodes) {
		above := old.ID != n.ID && !t.f.rules.On(rule.POI005+"/above") // a mutant forgets those
		if t.f.layout.IsLeaf(old.ID) && n.Clients.Covers(old.Clients) && !above {
			t.replaced = append(t.replaced, t.oldLeaf(old))
		}
	}
	var open []*Update
	for _, failed := range t.failed {
		top := failed.nodes[failed.Change.Node]
		switch {
		case failed == u:
		case top.ID.Level < n.ID.Level || !n.Clients.Covers(top.Clients):
			open = append(open, failed)
		default:
			t.former = append(t.former, formerOf(failed)...)
			for _, old := range failed.Nodes() {
				if t.f.layout.IsLeaf(old.ID) && t.f.rules.On(rule.POI005+"/failed") {
					t.replaced = append(t.replaced, &oldLeaf{leaf: old})
				}
			}
		}
	}
	t.failed = open
}

func (t *Tree) oldLeaf(leaf *Node) *oldLeaf {
	old := &oldLeaf{leaf: leaf}
	if !t.f.rules.On(rule.POI005 + "/sales") {
		return old
	}
	for g := range leaf.Stocks {
		old.sales = append(old.sales, t.sales[stockID{leaf.ID, uint8(g)}])
	}

	return old
}

// Poisons returns the poison that is due in view below a transaction: for each
// leaf that was replaced and each failed attempt, the stocks by group, each
// with what its sales left, then the channels, those in the leaf and those sold
// (POI-001, POI-003 to POI-005). There is none for a leaf that stands (POI-002).
func (t *Tree) Poisons(node NodeID) ([]*Tx, error) {
	b := t.builder()
	var all []*Tx
	for _, old := range t.duePoison() {
		if !t.f.layout.Range(node).Covers(old.leaf.Clients) {
			continue
		}
		stocks, channels := old.outputs()
		for _, stock := range stocks {
			tx, err := b.stockSpend(KindPoison, stock)
			if err != nil {
				return nil, err
			}
			all = appendBuilt(all, tx)
		}
		for _, channel := range channels {
			tx, err := b.channelSpend(KindPoison, channel)
			if err != nil {
				return nil, err
			}
			all = appendBuilt(all, tx)
		}
	}

	return all, nil
}

// duePoison are the leaves that were replaced; a mutant that does not keep
// POI-002 takes those that stand as well.
func (t *Tree) duePoison() []*oldLeaf {
	due := t.replaced
	asked := !t.f.rules.On(rule.POI002+"/asked") && len(due) == 0 // a mutant that takes what is asked for
	if t.f.rules.On(rule.POI002) && !asked {
		return due
	}
	due = slices.Clone(due)
	for _, n := range inOrder(t.nodes) {
		if t.f.layout.IsLeaf(n.ID) {
			due = append(due, t.oldLeaf(n))
		}
	}

	return due
}

// outputs lists what a replaced leaf and its sales pay.
func (o *oldLeaf) outputs() ([]*Stock, []ChannelOutput) {
	var stocks []*Stock
	channels := slices.Clone(o.leaf.Channels)
	for g, stock := range o.leaf.Stocks {
		if stock == nil {
			continue
		}
		stocks = append(stocks, stock)
		if g >= len(o.sales) {
			continue
		}
		for _, sale := range o.sales[g] {
			if sale.Change != nil {
				stocks = append(stocks, sale.Change)
			}
			channels = append(channels, sale.NewChannel)
		}
	}

	return stocks, channels
}

func appendBuilt(all []*Tx, tx *Tx) []*Tx {
	if tx == nil {
		return all // not in view
	}

	return append(all, tx)
}

// PoisonSlots returns the poison below a transaction that client c co-signs
// with BIP-327, in the order of Poisons.
func (t *Tree) PoisonSlots(node NodeID, c ClientIndex) ([]*Tx, error) {
	all, err := t.Poisons(node)
	var slots []*Tx
	for _, tx := range all {
		if tx.Spends == SpendStock && tx.Signers.Contains(c) {
			slots = append(slots, tx)
		}
	}

	return slots, err
}

// Unpoisoned returns the leaves that were replaced and wait for poison.
func (t *Tree) Unpoisoned() []NodeID {
	var ids []NodeID
	for _, old := range t.replaced {
		if !slices.Contains(ids, old.leaf.ID) {
			ids = append(ids, old.leaf.ID)
		}
	}

	return ids
}

// Poisoned returns the tree once the poison below a transaction is complete and
// stored.
func (t *Tree) Poisoned(node NodeID) *Tree {
	next := t.clone()
	if signed, err := t.Poisons(node); err == nil { // it was computed to be signed
		next.poison = append(next.poison, signed...)
	}
	next.replaced = slices.DeleteFunc(next.replaced, func(old *oldLeaf) bool {
		return t.f.layout.Range(node).Covers(old.leaf.Clients)
	})

	return next
}
