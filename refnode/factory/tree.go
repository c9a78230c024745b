package factory

import (
	"cmp"
	"maps"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/wire/rule"
)

// Tree holds the transactions of a factory that are in view, as they stand. It
// never changes: a change gives another Tree.
type Tree struct {
	f       *Factory
	view    View
	funding wire.OutPoint
	ledger  *ledger
	nodes   map[NodeID]*Node

	// channels are those of all clients in this view; seen says which are
	// known.
	channels []Channel
	seen     []bool

	sales    map[stockID][]*Sale
	signed   map[NodeID]uint8
	failed   []*Update
	replaced []*oldLeaf

	// former and poison are what can still appear on the chain.
	former []Former
	poison []*Tx
}

// stockID names a chain of stock outputs.
type stockID struct {
	leaf  NodeID
	group uint8
}

// Node is a transaction of the tree with what hangs on it directly.
type Node struct {
	ID      NodeID
	Kind    Kind
	Clients Range

	// Value is that of the output it spends, in sat.
	Value Sat

	// Tx is the transaction. Distribution and Nested spend, in the end, the
	// same output: Nested holds the distributions of what Distribution pays
	// to more than 200 owners (DIST-004), each after the one it spends.
	Tx           *Tx
	Distribution *Tx
	Nested       []*Tx

	// Channels and Stocks are a leaf's. The entry of a group without stock
	// is nil.
	Channels []ChannelOutput
	Stocks   []*Stock
}

// ChannelOutput is the funding output of a channel.
type ChannelOutput struct {
	Client   ClientIndex
	Outpoint wire.OutPoint
	Value    Sat
	Channel  Channel

	// Leaf, Group and Sales say where it is: Sales is 0 in a leaf and counts
	// from 1 in a chain of sales, in which it is the channel of that sale.
	Leaf  NodeID
	Group uint8
	Sales uint8

	// Distribution pays it to its client (DIST-006); nil when the funding
	// keys are not known.
	Distribution *Tx
}

// Stock is a stock output, in a leaf or left over by a sale.
type Stock struct {
	Leaf     NodeID
	Group    uint8
	Owners   Range
	Outpoint wire.OutPoint
	Value    Sat

	// Sales is the number of sales before it.
	Sales uint8

	// Distribution pays it to its owners; nil when it is not in view.
	Distribution *Tx
}

// Build makes the transactions in view that are signed when a factory is
// created, all states at K-1, on the funding outpoint (section 4.4).
func (f *Factory) Build(funding wire.OutPoint, view View) (*Tree, error) {
	if !view.all && int(view.client) >= f.layout.Clients() {
		return nil, mistake("client", "no client %d", view.client)
	}
	n := f.layout.Clients()
	t := &Tree{
		f: f, view: view, funding: funding, ledger: f.ledger,
		nodes:    make(map[NodeID]*Node),
		channels: make([]Channel, n), seen: make([]bool, n),
		sales:  make(map[stockID][]*Sale),
		signed: make(map[NodeID]uint8),
	}
	t.enterChannels(f.terms.ChannelsFirst, f.terms.Channels)
	f.keys.prepare(f.layout, view)
	b := t.builder()
	if err := b.below(NodeID{}, funding, nil, f.topState()); err != nil {
		return nil, err
	}
	t.nodes = b.nodes

	return t, nil
}

// topState is the counter of a fresh state, K-1.
func (f *Factory) topState() uint8 { return max(f.terms.Params.States, 1) - 1 }

func (t *Tree) enterChannels(start ClientIndex, channels []Channel) {
	for i, channel := range channels {
		t.channels[int(start)+i], t.seen[int(start)+i] = channel, true
	}
}

// clone copies what changes may write to.
func (t *Tree) clone() *Tree {
	c := *t
	c.nodes = maps.Clone(t.nodes)
	c.channels, c.seen = slices.Clone(t.channels), slices.Clone(t.seen)
	c.sales = maps.Clone(t.sales)
	c.signed = maps.Clone(t.signed)
	c.failed, c.replaced = slices.Clone(t.failed), slices.Clone(t.replaced)
	c.former, c.poison = slices.Clone(t.former), slices.Clone(t.poison)

	return &c
}

// Factory returns what the tree was built from.
func (t *Tree) Factory() *Factory { return t.f }

// View returns the view it was built for.
func (t *Tree) View() View { return t.view }

// Funding returns the funding outpoint.
func (t *Tree) Funding() wire.OutPoint { return t.funding }

// Node returns a transaction of the tree, false when it is not in view.
func (t *Tree) Node(id NodeID) (*Node, bool) {
	n, ok := t.nodes[id]

	return n, ok
}

// Nodes returns the transactions in view in level order.
func (t *Tree) Nodes() []*Node { return inOrder(t.nodes) }

func inOrder(nodes map[NodeID]*Node) []*Node {
	return slices.SortedFunc(maps.Values(nodes), func(a, b *Node) int {
		return cmp.Or(cmp.Compare(a.ID.Level, b.ID.Level), cmp.Compare(a.ID.Position, b.ID.Position))
	})
}

// Slots returns what client c co-signs with BIP-327 when the factory is
// created, in the order of section 5.2; none when c is not in view.
func (t *Tree) Slots(c ClientIndex) []*Tx {
	var slots []*Tx
	for _, id := range t.f.layout.Path(c) {
		if n, ok := t.nodes[id]; ok {
			slots = append(slots, n.slots(Range{c, 1}, true)...)
		}
	}

	return t.keepDistributions(slots)
}

// AllSlots returns everything in view that is signed with BIP-327, in level
// order. The slots of a client are those that it signs, in the same order.
func (t *Tree) AllSlots() []*Tx {
	var slots []*Tx
	for _, n := range t.Nodes() {
		slots = append(slots, n.slots(Range{0, MaxClients}, true)...)
	}

	return t.keepDistributions(slots)
}

// keepDistributions leaves them out in a mutant that does not keep DIST-001.
func (t *Tree) keepDistributions(slots []*Tx) []*Tx {
	if t.f.rules.On(rule.DIST001) {
		return slots
	}

	return slices.DeleteFunc(slots, func(tx *Tx) bool { return tx.Kind == KindDistribution })
}

// slots returns what the clients of r sign at a node, with its own transaction
// and its distributions or only with what hangs below.
func (n *Node) slots(r Range, own bool) []*Tx {
	var slots []*Tx
	if own {
		slots = append(slots, n.Tx, n.Distribution)
		for _, nested := range n.Nested {
			if nested.Signers.Overlaps(r) {
				slots = append(slots, nested)
			}
		}
	}
	for _, stock := range n.Stocks {
		if stock != nil && stock.Distribution != nil && stock.Owners.Overlaps(r) {
			slots = append(slots, stock.Distribution)
		}
	}

	return slots
}

// Channels returns the channels of a client that are in view: the one in its
// leaf, then those it bought, oldest first.
func (t *Tree) Channels(c ClientIndex) []ChannelOutput {
	leaf, group, ok := t.f.layout.Group(c)
	n, inView := t.nodes[leaf]
	if !ok || !inView {
		return nil
	}
	channels := []ChannelOutput{n.Channels[c-n.Clients.First]}
	for _, sale := range t.sales[stockID{leaf, group}] {
		if sale.Buyer == c {
			channels = append(channels, sale.NewChannel)
		}
	}

	return channels
}

// capacities returns what the channels of a client hold in all, as far as this
// view knows. Capacities only grow (PS-005), so it is never too much.
func (t *Tree) capacities(c ClientIndex) Sat {
	sum := t.ledger.capacity[c]
	leaf, group, _ := t.f.layout.Group(c)
	for _, sale := range t.sales[stockID{leaf, group}] {
		if sale.Buyer == c {
			sum += sale.Amount
		}
	}

	return sum
}

// nestingPoint is the transaction whose children a distribution of id pays
// when it has too many owners: the first one at or below it that has more than
// one child (DIST-003).
func (l *Layout) nestingPoint(id NodeID) NodeID {
	for len(l.Children(id)) == 1 {
		id = l.Children(id)[0]
	}

	return id
}

// nests reports whether the distribution of id pays children (DIST-003).
func (l *Layout) nests(id NodeID, rules rule.Set) bool {
	return l.Range(id).Count > MaxOwners && rules.On(rule.DIST003)
}
