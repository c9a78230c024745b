package factory

import "slices"

// Former is a transaction in view that does not stand: an update replaced it,
// or an attempt that failed made it. Whoever has all signatures can still
// publish it, so the watch on the chain knows it.
type Former struct {
	// Node is the transaction with what hangs on it directly. For the state
	// at the top of a change, its outpoint is the one that stands as well.
	Node *Node

	// Sales are those of its stocks by group, when it is a leaf.
	Sales [][]*Sale

	// Failed is true for what only a failed attempt made: its state may lack
	// signatures, or somebody else may have them.
	Failed bool
}

// Former returns all transactions that do not stand, in the order in which they
// were replaced, then those of failed attempts that nothing has replaced yet.
func (t *Tree) Former() []Former {
	all := slices.Clone(t.former)
	for _, u := range t.failed {
		all = append(all, formerOf(u)...)
	}

	return all
}

// SignedPoison returns the poison that is complete and stored (POI-001), oldest
// first. Each spends an output of a Former leaf or of a sale on one.
func (t *Tree) SignedPoison() []*Tx { return slices.Clone(t.poison) }

// formerOf are the transactions of a failed attempt.
func formerOf(u *Update) []Former {
	var all []Former
	for _, n := range u.Nodes() {
		all = append(all, Former{Node: n, Failed: true})
	}

	return all
}

// archive remembers what an update replaces: n and everything below it.
func (t *Tree) archive(n *Node) {
	for _, old := range inOrder(t.nodes) {
		if old.ID.Level < n.ID.Level || !n.Clients.Covers(old.Clients) {
			continue
		}
		f := Former{Node: old}
		if t.f.layout.IsLeaf(old.ID) {
			f.Sales = t.oldLeaf(old).sales
		}
		t.former = append(t.former, f)
	}
}
