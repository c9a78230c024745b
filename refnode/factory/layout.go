package factory

import (
	"slices"

	"superscalar/wire/rule"
)

// Layout is the structure of a tree: which transaction covers which clients.
// It follows from the number of clients and the shape alone and never changes.
type Layout struct {
	shape   Shape
	clients int
	levels  [][]place

	// groups are the groups of each leaf, groupBase the number of groups in
	// the leaves before it.
	groups    [][]Range
	groupBase []int
}

// place is a transaction in its level.
type place struct {
	Range
	parent     uint16
	firstChild uint16
	children   uint16
}

// NewLayout splits clients 0 to n-1 over the levels (TREE-012) and the leaves
// over groups (TREE-013). It refuses a shape that Check refuses, fewer than 1 or
// more than 1,024 clients, and a leaf that would cover more clients than its
// arity allows (TREE-014) or than one distribution pays.
func NewLayout(clients int, s Shape, rules rule.Set) (*Layout, error) {
	if clients < 1 || clients > MaxClients {
		return nil, malformed(rule.TREE001, "n", "%d clients, allowed 1 to %d", clients, MaxClients)
	}
	if err := s.Check(rules); err != nil {
		return nil, err
	}
	l := &Layout{shape: s, clients: clients, levels: [][]place{{{Range: Range{0, uint16(clients)}}}}}
	for _, level := range s.Levels[:len(s.Levels)-1] {
		l.descend(int(max(level.Arity, 1)), rules.On(rule.TREE012))
	}
	if err := l.checkLeaves(rules); err != nil {
		return nil, err
	}
	l.formGroups(rules)

	return l, nil
}

// descend appends the level below the last one.
func (l *Layout) descend(arity int, largerFirst bool) {
	above := l.levels[len(l.levels)-1]
	var below []place
	for i := range above {
		m := min(arity, int(above[i].Count))
		above[i].firstChild, above[i].children = uint16(len(below)), uint16(m)
		for _, r := range split(above[i].Range, m, largerFirst) {
			below = append(below, place{Range: r, parent: uint16(i)})
		}
	}
	l.levels = append(l.levels, below)
}

// split cuts a range into m parts that are as even as possible, larger ones
// first (TREE-012).
func split(r Range, m int, largerFirst bool) []Range {
	parts := make([]Range, m)
	next, small, larger := int(r.First), int(r.Count)/m, int(r.Count)%m
	for i := range parts {
		count := small
		if largerFirst && i < larger || !largerFirst && i >= m-larger {
			count++
		}
		parts[i] = Range{ClientIndex(next), uint16(count)}
		next += count
	}

	return parts
}

func (l *Layout) checkLeaves(rules rule.Set) error {
	arity := int(max(l.leafArity(), 1))
	most := arity
	if l.shape.Leaf == PS {
		most *= arity
	}
	for i, leaf := range l.levels[len(l.levels)-1] {
		if leaf.Count > MaxOwners {
			return malformed(rule.TREE014, "leaf", "leaf %d covers %d clients, one distribution pays at most %d",
				i, leaf.Count, MaxOwners)
		}
		if err := check(rules, rule.TREE014, "leaf", int(leaf.Count) > most,
			"leaf %d covers %d clients, its arity allows %d", i, leaf.Count, most); err != nil {
			return err
		}
	}

	return nil
}

func (l *Layout) leafArity() uint8 { return l.shape.Levels[len(l.shape.Levels)-1].Arity }

func (l *Layout) formGroups(rules rule.Set) {
	total := 0
	for _, leaf := range l.levels[len(l.levels)-1] {
		groups := []Range{leaf.Range}
		if l.shape.Leaf == PS {
			arity := int(max(l.leafArity(), 1))
			m := (int(leaf.Count) + arity - 1) / arity
			groups = split(leaf.Range, m, rules.On(rule.TREE013))
		}
		l.groups = append(l.groups, groups)
		l.groupBase = append(l.groupBase, total)
		total += len(groups)
	}
}

// Clients returns the number of clients, 1 to 1,024.
func (l *Layout) Clients() int { return l.clients }

// Shape returns the shape. The caller must not change its levels.
func (l *Layout) Shape() Shape { return l.shape }

// Levels returns the number of levels.
func (l *Layout) Levels() int { return len(l.levels) }

// Width returns the number of transactions in a level, 0 outside the tree.
func (l *Layout) Width(level int) int {
	if level < 0 || level >= len(l.levels) {
		return 0
	}

	return len(l.levels[level])
}

// Has reports whether the tree has the transaction.
func (l *Layout) Has(id NodeID) bool { return int(id.Position) < l.Width(int(id.Level)) }

// at returns the place of a transaction, the zero place outside the tree.
func (l *Layout) at(id NodeID) place {
	if !l.Has(id) {
		return place{}
	}

	return l.levels[id.Level][id.Position]
}

// Range returns the clients a transaction covers, none outside the tree.
func (l *Layout) Range(id NodeID) Range { return l.at(id).Range }

// Kind returns the kind of a transaction, Static outside the tree.
func (l *Layout) Kind(id NodeID) Kind {
	if !l.Has(id) {
		return Static
	}

	return l.shape.Levels[id.Level].Kind
}

// IsLeaf reports whether a transaction of the tree is a leaf.
func (l *Layout) IsLeaf(id NodeID) bool { return l.Has(id) && int(id.Level) == len(l.levels)-1 }

// Parent returns the transaction above, false for the root.
func (l *Layout) Parent(id NodeID) (NodeID, bool) {
	if !l.Has(id) || id.Level == 0 {
		return NodeID{}, false
	}

	return NodeID{id.Level - 1, l.at(id).parent}, true
}

// Children returns the transactions below, by position; none for a leaf.
func (l *Layout) Children(id NodeID) []NodeID {
	p := l.at(id)
	ids := make([]NodeID, p.children)
	for i := range ids {
		ids[i] = NodeID{id.Level + 1, p.firstChild + uint16(i)}
	}

	return ids
}

// Nodes returns every transaction in level order.
func (l *Layout) Nodes() []NodeID { return l.Below(NodeID{}) }

// Below returns id and every transaction below it in level order, none outside
// the tree.
func (l *Layout) Below(id NodeID) []NodeID {
	if !l.Has(id) {
		return nil
	}
	ids := []NodeID{id}
	for i := 0; i < len(ids); i++ {
		ids = append(ids, l.Children(ids[i])...)
	}

	return ids
}

// Path returns the transactions that cover a client, root first; none for a
// client that does not exist.
func (l *Layout) Path(c ClientIndex) []NodeID {
	if int(c) >= l.clients {
		return nil
	}
	path := make([]NodeID, 1, len(l.levels))
	for len(path) < len(l.levels) {
		path = append(path, l.childOf(path[len(path)-1], c))
	}

	return path
}

// childOf returns the child that covers client c, which the parent covers. The
// first parts of a split are one larger than the others, or the last ones in a
// mutant: a search finds it in both.
func (l *Layout) childOf(id NodeID, c ClientIndex) NodeID {
	p := l.at(id)
	level := l.levels[id.Level+1]
	low, high := int(p.firstChild), int(p.firstChild)+int(p.children)-1
	for low < high {
		middle := (low + high + 1) / 2
		if level[middle].First <= c {
			low = middle
		} else {
			high = middle - 1
		}
	}

	return NodeID{id.Level + 1, uint16(low)}
}

// Leaf returns the leaf of a client, false for one that does not exist.
func (l *Layout) Leaf(c ClientIndex) (NodeID, bool) {
	path := l.Path(c)
	if len(path) == 0 {
		return NodeID{}, false
	}

	return path[len(path)-1], true
}

// Groups returns the clients of each group of a leaf, in order; none for
// another transaction. Every group has one stock.
func (l *Layout) Groups(leaf NodeID) []Range {
	if !l.IsLeaf(leaf) {
		return nil
	}

	return l.groups[leaf.Position]
}

// Group returns the leaf of a client and the number of its group in it, false
// for a client that does not exist.
func (l *Layout) Group(c ClientIndex) (leaf NodeID, group uint8, ok bool) {
	leaf, ok = l.Leaf(c)
	for g, r := range l.Groups(leaf) {
		if ok && r.Contains(c) {
			return leaf, uint8(g), true
		}
	}

	return NodeID{}, 0, false
}

// Region returns the highest transaction on a client's path that covers at
// most 200 clients (section 5.2): what a proposal tells it in detail. False
// for a client that does not exist.
func (l *Layout) Region(c ClientIndex) (NodeID, bool) {
	for _, id := range l.Path(c) {
		if l.at(id).Count <= MaxOwners {
			return id, true
		}
	}

	return NodeID{}, false
}

// leaves returns the positions, from and to, of the leaves that cover r, where
// r is the range of a transaction.
func (l *Layout) leaves(r Range) (from, to int) {
	leaves := l.levels[len(l.levels)-1]
	for from < len(leaves) && leaves[from].End() <= int(r.First) {
		from++
	}
	to = from
	for to < len(leaves) && leaves[to].End() <= r.End() {
		to++
	}

	return from, to
}

// GroupCount returns the number of groups in the leaves below a transaction.
func (l *Layout) GroupCount(id NodeID) int {
	from, to := l.leaves(l.Range(id))
	count := 0
	for i := from; i < to; i++ {
		count += len(l.groups[i])
	}

	return count
}

// LowestState returns the lowest state that covers every one of the clients and
// has remaining over 0 (DELAY-010), false when there is none.
func (l *Layout) LowestState(clients []ClientIndex, remaining func(NodeID) uint8, rules rule.Set) (NodeID, bool) {
	if len(clients) == 0 {
		return NodeID{}, false
	}
	path := l.Path(clients[0])
	if rules.On(rule.DELAY010) {
		slices.Reverse(path)
	}
	for _, id := range path {
		if l.Kind(id) == State && remaining(id) > 0 && l.coversAll(id, clients) {
			return id, true
		}
	}

	return NodeID{}, false
}

func (l *Layout) coversAll(id NodeID, clients []ClientIndex) bool {
	for _, c := range clients {
		if !l.Range(id).Contains(c) {
			return false
		}
	}

	return true
}
