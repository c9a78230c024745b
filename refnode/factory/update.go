package factory

import (
	"slices"

	"superscalar/wire/rule"
)

// Change is what a proposal of an update says (section 5.4): the state to
// replace, its new counter, and the amounts and channels below it.
type Change struct {
	Node      NodeID
	Remaining uint8

	// Amounts are those below Node: its value stays.
	Amounts Amounts

	// Channels are those of consecutive clients from ChannelsFirst on: of all
	// that Node covers for the LSP, of its leaf for a client.
	ChannelsFirst ClientIndex
	Channels      []Channel
}

// Update is a state that replaces another, with everything below it.
type Update struct {
	Change Change

	// State is the new state, the one transaction of phase 1: it spends an
	// outpoint that exists.
	State *Tx

	nodes map[NodeID]*Node
	after *Tree // what is known below Node afterwards: amounts and channels
}

// Remaining returns the smallest counter of a state that was signed on the
// outpoint of a transaction, 0 when it is not a state in view (section 4.5).
func (t *Tree) Remaining(id NodeID) uint8 {
	n, ok := t.nodes[id]
	if !ok || n.Kind != State {
		return 0
	}
	if signed, ok := t.signed[id]; ok {
		return min(signed, n.Tx.Remaining)
	}

	return n.Tx.Remaining
}

// NextRemaining returns the counter for the next state on an outpoint, false
// when it can change no more.
func (t *Tree) NextRemaining(id NodeID) (uint8, bool) {
	r := t.Remaining(id)
	if r == 0 {
		return 0, false
	}

	return r - 1, true
}

// Lowest returns the state to replace for a change that concerns the clients
// (DELAY-010), false when none is left.
func (t *Tree) Lowest(clients []ClientIndex) (NodeID, bool) {
	return t.f.layout.LowestState(clients, t.Remaining, t.f.rules)
}

// Update computes the replacement of a state. It refuses a counter that was
// used, but for a failed attempt made again (DELAY-002), amounts that are out of bounds or do not sum to the value of
// the outpoint (CER-043), a client's capacities getting smaller (PS-005), and
// any change while replaced leaves have no poison yet (POI-006) or while an
// attempt above it has failed: its state may still be published.
func (t *Tree) Update(c Change) (*Update, error) {
	n, ok := t.nodes[c.Node]
	if !ok || n.Kind != State {
		return nil, malformed(rule.CER041, "node", "%s is no state in view", c.Node)
	}
	if err := t.settled(n.Clients, c.Node.Level); err != nil {
		return nil, err
	}
	after, err := t.enterChange(n, c)
	if err != nil {
		return nil, err
	}
	b := after.builder()
	if err := b.below(c.Node, n.Tx.Outpoint(), n, c.Remaining); err != nil {
		return nil, err
	}
	state := b.nodes[c.Node].Tx
	for _, u := range t.failed {
		if u.State.Same(state) && u.State.Remaining == t.Remaining(c.Node) {
			return u, nil // the very same transaction in a new attempt
		}
	}
	if err := check(t.f.rules, rule.DELAY002, "remaining", c.Remaining >= t.Remaining(c.Node),
		"%d for %s, %d was signed", c.Remaining, c.Node, t.Remaining(c.Node)); err != nil {
		return nil, err
	}

	return &Update{Change: c, State: state, nodes: b.nodes, after: after}, nil
}

// settled refuses changes of clients whose replaced leaves have no poison
// (POI-006) or below a failed attempt in a level above.
func (t *Tree) settled(r Range, level uint8) error {
	for _, old := range t.replaced {
		if err := check(t.f.rules, rule.POI006, "node", old.leaf.Clients.Overlaps(r),
			"leaf %s was replaced and has no poison yet", old.leaf.ID); err != nil {
			return err
		}
	}
	for _, u := range t.failed {
		above := u.nodes[u.Change.Node]
		if err := check(t.f.rules, rule.POI005, "node", above.ID.Level < level && above.Clients.Overlaps(r),
			"an attempt to replace %s has failed, which has to be replaced first", above.ID); err != nil {
			return err
		}
	}

	return nil
}

// enterChange returns a tree that knows the new amounts and channels.
func (t *Tree) enterChange(n *Node, c Change) (*Tree, error) {
	after := t.clone()
	after.ledger = t.ledger.clone()
	err := after.ledger.enter(t.f.layout, c.Node, c.Amounts, MinCapacity(t.f.terms.Chain), t.f.rules)
	if err != nil {
		return nil, err // the region may not even exist
	}
	if err := first(
		check(t.f.rules, rule.CER043, "amounts", after.ledger.at(c.Node) != n.Value,
			"%d sat below %s, which has %d", after.ledger.at(c.Node), n.ID, n.Value),
		t.checkCapacities(c.Amounts),
	); err != nil {
		return nil, err
	}
	channels := Range{c.ChannelsFirst, uint16(min(len(c.Channels), MaxClients))}
	if len(c.Channels) > MaxClients || !n.Clients.Covers(channels) {
		return nil, malformed(rule.CER013, "channel scripts", "%d from client %d on, node %s covers %s",
			len(c.Channels), c.ChannelsFirst, n.ID, n.Clients)
	}
	for i := int(n.Clients.First); i < n.Clients.End(); i++ {
		after.seen[i] = false
	}
	after.enterChannels(c.ChannelsFirst, c.Channels)

	return after, nil
}

// checkCapacities refuses a smaller sum of a client's capacities (PS-005).
func (t *Tree) checkCapacities(a Amounts) error {
	for i, v := range a.Capacities {
		c := a.Region.First + ClientIndex(i)
		if err := check(t.f.rules, rule.PS005, "capacity", v < t.capacities(c),
			"%d sat for client %d, which has %d", v, c, t.capacities(c)); err != nil {
			return err
		}
	}

	return nil
}

// Nodes returns the new transactions in view in level order, the state first.
func (u *Update) Nodes() []*Node { return inOrder(u.nodes) }

// Node returns a new transaction, false when it is not part of the update or
// not in view.
func (u *Update) Node(id NodeID) (*Node, bool) {
	n, ok := u.nodes[id]

	return n, ok
}

// Phase0 returns what client c co-signs with BIP-327 before the state: all that
// hangs below it, in the order of section 5.2.
func (u *Update) Phase0(c ClientIndex) []*Tx { return u.phase0(Range{c, 1}) }

// Phase0All returns what anybody in view co-signs before the state.
func (u *Update) Phase0All() []*Tx { return u.phase0(Range{0, MaxClients}) }

func (u *Update) phase0(r Range) []*Tx {
	var slots []*Tx
	for _, n := range u.Nodes() {
		if n.Clients.Overlaps(r) {
			slots = append(slots, n.slots(r, n.ID != u.Change.Node)...)
		}
	}

	return slots
}

// Channels returns the new channel outputs in view, by client.
func (u *Update) Channels() []ChannelOutput {
	var channels []ChannelOutput
	for _, n := range u.Nodes() {
		channels = append(channels, n.Channels...)
	}

	return channels
}

// Replace returns the tree after an update that is complete and stored. The
// leaves that were there, and those of failed attempts, wait for their poison
// (POI-001, POI-005). It refuses an update that the tree has gone beyond.
func (t *Tree) Replace(u *Update) (*Tree, error) {
	n, ok := t.nodes[u.Change.Node]
	retried := slices.Contains(t.failed, u)
	r := t.Remaining(u.Change.Node)
	if !ok || n.Tx.Outpoint() != u.State.Outpoint() || t.f != u.after.f {
		return nil, mistake("update", "it does not replace %s of this tree", u.Change.Node)
	}
	if err := check(t.f.rules, rule.DELAY002, "remaining", u.State.Remaining > r || u.State.Remaining == r && !retried,
		"%d for %s, %d was signed", u.State.Remaining, n.ID, r); err != nil {
		return nil, err
	}
	next := t.clone()
	next.retire(u, n)
	layout := t.f.layout
	for _, id := range layout.Below(n.ID) {
		delete(next.signed, id)
		delete(next.nodes, id)
		for g := range layout.Groups(id) {
			delete(next.sales, stockID{id, uint8(g)})
		}
	}
	for id, node := range u.nodes {
		next.nodes[id] = node
	}
	next.ledger = t.ledger.clone()
	next.ledger.adopt(layout, n.ID, u.after.ledger)
	for c := int(n.Clients.First); c < n.Clients.End(); c++ {
		next.channels[c], next.seen[c] = u.after.channels[c], u.after.seen[c]
	}

	return next, nil
}

// adopt takes over what another ledger says about the places below top.
func (g *ledger) adopt(l *Layout, top NodeID, other *ledger) {
	for _, id := range l.Below(top) {
		g.value[id.Level][id.Position] = other.at(id)
		if l.IsLeaf(id) {
			g.stock[id.Position] = other.stock[id.Position]
		}
	}
	r := l.Range(top)
	copy(g.capacity[r.First:r.End()], other.capacity[r.First:r.End()])
	copy(g.share[r.First:r.End()], other.share[r.First:r.End()])
}

// Fail returns the tree after an attempt that ended with partial signatures on
// its state: the counter is used up (DELAY-002), and the leaves of the attempt
// are poisoned once something replaces them (POI-005).
func (t *Tree) Fail(u *Update) (*Tree, error) {
	n, ok := t.nodes[u.Change.Node]
	if !ok || n.Tx.Outpoint() != u.State.Outpoint() || t.f != u.after.f {
		return nil, mistake("update", "it does not replace %s of this tree", u.Change.Node)
	}
	next := t.clone()
	if !slices.Contains(next.failed, u) {
		next.failed = append(next.failed, u)
	}
	next.signed[n.ID] = min(u.State.Remaining, t.Remaining(n.ID))

	return next, nil
}
