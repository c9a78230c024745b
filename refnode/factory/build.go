package factory

import (
	"github.com/btcsuite/btcd/wire"

	"superscalar/wire/rule"
)

// builder makes the transactions below an outpoint.
type builder struct {
	t     *Tree // the view, and what does not change
	nodes map[NodeID]*Node
}

func (t *Tree) builder() *builder { return &builder{t: t, nodes: make(map[NodeID]*Node)} }

func (b *builder) rules() rule.Set { return b.t.f.rules }

// below builds the transaction top, which spends outpoint, and everything in
// view below it. A state that replaces another keeps the distribution of its
// outpoint, which is signed already: old is that state then, nil otherwise.
func (b *builder) below(top NodeID, outpoint wire.OutPoint, old *Node, remaining uint8) error {
	type entry struct {
		id       NodeID
		outpoint wire.OutPoint
	}
	fresh := b.t.f.topState()
	if !b.rules().On(rule.DELAY003) {
		fresh = remaining // a mutant goes on counting
	}
	queue := []entry{{top, outpoint}}
	for i := 0; i < len(queue); i++ {
		e := queue[i]
		if e.id != top {
			old, remaining = nil, fresh
		}
		n, err := b.node(e.id, e.outpoint, old, remaining)
		if err != nil {
			return err
		}
		b.nodes[e.id] = n
		for j, child := range b.t.f.layout.Children(e.id) {
			if b.t.view.Sees(b.t.f.layout.Range(child)) {
				queue = append(queue, entry{child, n.Tx.Output(j)})
			}
		}
	}

	return nil
}

// node builds one transaction with its distributions, channels and stocks.
func (b *builder) node(id NodeID, outpoint wire.OutPoint, old *Node, remaining uint8) (*Node, error) {
	l := b.t.f.layout
	key, err := b.t.f.keys.node(l.Range(id))
	if err != nil {
		return nil, err
	}
	n := &Node{ID: id, Kind: l.Kind(id), Clients: l.Range(id), Value: b.t.ledger.at(id)}
	prev := wire.TxOut{Value: int64(n.Value), PkScript: nodeScript(key)}
	n.Tx = &Tx{
		Kind: TxKind(n.Kind), Node: id, Below: id,
		Spends: SpendTree, Signers: n.Clients, PrevOut: prev, Key: key,
	}
	if n.Kind == State {
		n.Tx.Remaining = remaining
	}
	if l.IsLeaf(id) {
		err = b.leaf(n, outpoint)
	} else {
		err = b.inner(n, outpoint)
	}
	if err != nil {
		return nil, err
	}
	if old != nil {
		n.Distribution, n.Nested = old.Distribution, old.Nested

		return n, nil
	}
	head := Tx{Kind: KindDistribution, Node: id, Below: id, Spends: SpendTree, Signers: n.Clients, PrevOut: prev, Key: key}
	n.Distribution, err = b.distribution(head, outpoint)
	if err != nil {
		return nil, err
	}
	if b.rules().On(rule.DIST004) {
		n.Nested, err = b.nested(n.Distribution)
	}

	return n, err
}

// sequence is step * remaining for a state (DELAY-001).
func (b *builder) sequence(n *Node) uint32 {
	if n.Kind != State {
		return finalSequence
	}
	if !b.rules().On(rule.DELAY001) {
		return uint32(n.Tx.Remaining) // a mutant forgets the step
	}

	return uint32(b.t.f.terms.Params.Step) * uint32(n.Tx.Remaining)
}

// inner finishes a transaction that pays one output per child.
func (b *builder) inner(n *Node, outpoint wire.OutPoint) error {
	outputs, err := b.childOutputs(n.ID)
	if err != nil {
		return err
	}

	return n.Tx.finish(outpoint, b.sequence(n), 0, outputs, b.rules())
}

// childOutputs pays each child of id its value.
func (b *builder) childOutputs(id NodeID) ([]*wire.TxOut, error) {
	l := b.t.f.layout
	var outputs []*wire.TxOut
	for _, child := range l.Children(id) {
		key, err := b.t.f.keys.node(l.Range(child))
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, &wire.TxOut{Value: int64(b.t.ledger.at(child)), PkScript: nodeScript(key)})
	}

	return outputs, nil
}

// leaf finishes a leaf: its channels by client, then its stocks by group.
func (b *builder) leaf(n *Node, outpoint wire.OutPoint) error {
	var outputs []*wire.TxOut
	for i := range int(n.Clients.Count) {
		c := n.Clients.First + ClientIndex(i)
		if !b.t.seen[c] {
			return malformed(rule.CER013, "channel scripts", "none for client %d of leaf %s", c, n.ID)
		}
		channel := b.t.channels[c]
		n.Channels = append(n.Channels, ChannelOutput{
			Client: c, Value: b.t.ledger.capacity[c], Channel: channel, Leaf: n.ID,
		})
		outputs = append(outputs, &wire.TxOut{Value: int64(b.t.ledger.capacity[c]), PkScript: channel.Script[:]})
	}
	stocks := b.t.ledger.stock[n.ID.Position]
	for g, owners := range b.t.f.layout.Groups(n.ID) {
		value := stocks[g]
		if value == 0 && b.rules().On(rule.TREE023) {
			n.Stocks = append(n.Stocks, nil)

			continue
		}
		key, err := b.t.f.keys.stock(owners)
		if err != nil {
			return err
		}
		n.Stocks = append(n.Stocks, &Stock{Leaf: n.ID, Group: uint8(g), Owners: owners, Value: value})
		outputs = append(outputs, &wire.TxOut{Value: int64(value), PkScript: nodeScript(key)})
	}
	if err := n.Tx.finish(outpoint, b.sequence(n), 0, outputs, b.rules()); err != nil {
		return err
	}

	return b.leafOutputs(n)
}

// leafOutputs fills in the outpoints of a leaf and the distributions of what it
// pays.
func (b *builder) leafOutputs(n *Node) (err error) {
	for i := range n.Channels {
		n.Channels[i].Outpoint = n.Tx.Output(i)
		if n.Channels[i].Distribution, err = b.channelSpend(KindDistribution, n.Channels[i]); err != nil {
			return err
		}
	}
	next := len(n.Channels)
	for _, stock := range n.Stocks {
		if stock == nil {
			continue
		}
		stock.Outpoint = n.Tx.Output(next)
		next++
		if stock.Distribution, err = b.stockSpend(KindDistribution, stock); err != nil {
			return err
		}
	}

	return nil
}
