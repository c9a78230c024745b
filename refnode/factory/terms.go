package factory

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// Terms is what a proposal says, complete as the LSP knows it or with the part
// that one client is told (section 5.2).
type Terms struct {
	Chain  Chain
	Params Params
	Shape  Shape

	// LSP and Keys are the factory keys, Keys of all clients in order.
	LSP  *musig.PublicKey
	Keys []*musig.PublicKey

	// Amounts are those of the tree. The LSP's region is everybody.
	Amounts Amounts

	// Payouts are the payout keys of the region's clients: x-only output
	// keys.
	Payouts [][32]byte

	// Channels are those of consecutive clients from ChannelsFirst on: all
	// of them for the LSP, those of its leaf for a client.
	ChannelsFirst ClientIndex
	Channels      []Channel
}

// Factory is a proposal whose terms hold. It caches keys, and may be used by
// many goroutines.
type Factory struct {
	terms  Terms
	rules  rule.Set
	layout *Layout
	keys   *keyring
	ledger *ledger
}

// New checks all of a proposal that does not need the funding outpoint:
// parameters, shape, keys and amounts. The size of transactions is checked by
// Build. The terms must not be changed afterwards.
func New(t Terms, rules rule.Set) (*Factory, error) {
	if err := t.Shape.Check(rules); err != nil {
		return nil, err
	}
	if err := t.Params.Check(t.Chain, len(t.Keys), t.Shape, rules); err != nil {
		return nil, err
	}
	layout, err := NewLayout(len(t.Keys), t.Shape, rules)
	if err != nil {
		return nil, err
	}
	keys, err := newKeyring(t.LSP, t.Keys, t.Params.StockCSV, rules)
	if err != nil {
		return nil, err
	}
	ledger := newLedger(layout)
	if err := ledger.enter(layout, NodeID{}, t.Amounts, MinCapacity(t.Chain), rules); err != nil {
		return nil, err
	}
	if len(t.Payouts) != int(t.Amounts.Region.Count) {
		return nil, malformed(rule.CER013, "payout keys", "%d for %d clients", len(t.Payouts), t.Amounts.Region.Count)
	}
	if end := int(t.ChannelsFirst) + len(t.Channels); end > len(t.Keys) {
		return nil, malformed(rule.CER013, "channel scripts", "up to client %d of %d", end-1, len(t.Keys))
	}

	return &Factory{terms: t, rules: rules, layout: layout, keys: keys, ledger: ledger}, nil
}

// Terms returns the terms. They must not be changed.
func (f *Factory) Terms() Terms { return f.terms }

// Layout returns the structure of the tree.
func (f *Factory) Layout() *Layout { return f.layout }

// Value returns the value of the funding output in sat.
func (f *Factory) Value() Sat { return f.ledger.at(NodeID{}) }

// Funding returns the funding output: the value of everything below it and the
// script of SCRIPT-001 over all clients.
func (f *Factory) Funding() (wire.TxOut, error) {
	key, err := f.keys.node(f.layout.Range(NodeID{}))
	if err != nil {
		return wire.TxOut{}, err
	}

	return wire.TxOut{Value: int64(f.Value()), PkScript: nodeScript(key)}, nil
}

// NodeKey returns the key of an output that is spent by a transaction over the
// clients r, with its signers: the clients in order, then the LSP (SCRIPT-001).
func (f *Factory) NodeKey(r Range) (*musig.KeyAgg, error) { return f.keys.node(r) }

// StockKey returns the key of a stock output of the group r, with its signers
// as in NodeKey (SCRIPT-002).
func (f *Factory) StockKey(r Range) (*musig.KeyAgg, error) { return f.keys.stock(r) }

// TermsFor returns what the LSP tells client c: amounts and payout keys of its
// region, sums above, and the channels of its leaf, without the funding keys of
// others. Only complete terms can be cut down.
func (f *Factory) TermsFor(c ClientIndex) (Terms, error) {
	leaf, ok := f.layout.Leaf(c)
	if !ok {
		return Terms{}, mistake("client", "no client %d", c)
	}
	if err := f.complete(); err != nil {
		return Terms{}, err
	}
	t := f.terms
	t.Amounts = f.ledger.amounts(f.layout, NodeID{}, c)
	t.Payouts = t.Payouts[t.Amounts.Region.First:t.Amounts.Region.End()]
	leafRange := f.layout.Range(leaf)
	t.ChannelsFirst = leafRange.First
	t.Channels = channelsSeenBy(c, leafRange, f.terms.Channels)

	return t, nil
}

// ChangeFor returns what the LSP tells client c of a change that it computed in
// full: amounts of the client's region below the node, channels of its leaf.
func (f *Factory) ChangeFor(c ClientIndex, change Change) (Change, error) {
	leaf, ok := f.layout.Leaf(c)
	covered := f.layout.Range(change.Node)
	if !ok || !covered.Contains(c) {
		return Change{}, mistake("client", "transaction %s does not cover client %d", change.Node, c)
	}
	if err := f.complete(); err != nil {
		return Change{}, err
	}
	if change.Amounts.Region != covered || change.ChannelsFirst != covered.First || len(change.Channels) != int(covered.Count) {
		return Change{}, mistake("change", "it is not complete")
	}
	ledger := f.ledger.clone()
	if err := ledger.enter(f.layout, change.Node, change.Amounts, MinCapacity(f.terms.Chain), f.rules); err != nil {
		return Change{}, err
	}
	leafRange := f.layout.Range(leaf)
	offset := leafRange
	offset.First -= covered.First

	return Change{
		Node: change.Node, Remaining: change.Remaining, Amounts: ledger.amounts(f.layout, change.Node, c),
		ChannelsFirst: leafRange.First,
		Channels:      channelsSeenBy(c-covered.First, offset, change.Channels),
	}, nil
}

// complete reports whether these terms say everything about everybody.
func (f *Factory) complete() error {
	n := f.layout.Clients()
	if len(f.terms.Payouts) != n || len(f.terms.Channels) != n {
		return mistake("terms", "they are one client's")
	}

	return nil
}

// channelsSeenBy copies the channels of r out of all, with the funding keys of
// client c alone.
func channelsSeenBy(c ClientIndex, r Range, all []Channel) []Channel {
	channels := slices.Clone(all[r.First:r.End()])
	for i := range channels {
		if int(r.First)+i != int(c) {
			channels[i] = channels[i].Public()
		}
	}

	return channels
}

// payout returns the payout key of a client, false when it is unknown.
func (f *Factory) payout(c ClientIndex) ([32]byte, bool) {
	i := int(c) - int(f.terms.Amounts.Region.First)
	if i < 0 || i >= len(f.terms.Payouts) {
		return [32]byte{}, false
	}

	return f.terms.Payouts[i], true
}

// View says which transactions a tree holds.
type View struct {
	all    bool
	client ClientIndex
}

// Whole is the LSP's view: everything.
func Whole() View { return View{all: true} }

// PathOf is a client's view: its path.
func PathOf(c ClientIndex) View { return View{client: c} }

// Sees reports whether something that belongs to the clients of r is in view.
func (v View) Sees(r Range) bool { return v.all || r.Contains(v.client) }
