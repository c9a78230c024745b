package ceremony

import (
	"errors"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// Draft is a change given in full, where Update and Sell choose what is right.
type Draft struct {
	Factory wire.CeremonyID
	// Node is the state that an update replaces, or the leaf of a sale.
	Node factory.NodeID
	// Of an update: the counter, and the amounts below the state in sat.
	Remaining          uint8
	Capacities, Stocks []factory.Sat
	// Of a sale: the group, the sales before it, and what is sold to whom.
	Group, Before uint8
	Buyer         factory.ClientIndex
	Amount        factory.Sat
}

// ErrRules is returned to an LSP that keeps every rule and wants to choose for
// itself what Update and Sell choose for it.
var ErrRules = errors.New("a change given in full is for an LSP that leaves rules out")

// DraftUpdate returns the update that Update would propose.
func (l *LSP) DraftUpdate(p Purchase) (Draft, error) {
	f := l.factories[p.Factory]
	if f == nil {
		return Draft{}, ErrUnknownFactory
	}
	node, ok := f.tree.Lowest([]factory.ClientIndex{p.Buyer})
	if !ok {
		return Draft{}, ErrUsedUp
	}
	d := Draft{Factory: p.Factory, Node: node, Buyer: p.Buyer, Amount: p.Amount}
	d.Remaining, _ = f.tree.NextRemaining(node)
	var err error
	d.Capacities, d.Stocks, err = p.amounts(f.tree, node, l.cfg.Rules)
	return d, err
}

// DraftSale returns the sale that Sell would propose.
func (l *LSP) DraftSale(p Purchase) (Draft, error) {
	f := l.factories[p.Factory]
	if f == nil {
		return Draft{}, ErrUnknownFactory
	}
	leaf, group, _ := f.tree.Factory().Layout().Group(p.Buyer)
	d := Draft{Factory: p.Factory, Node: leaf, Group: group, Buyer: p.Buyer, Amount: p.Amount}
	d.Before = uint8(len(f.tree.Sales(leaf, group)))
	return d, nil
}

// ProposeUpdate starts an update that is given in full, whatever was interrupted
// before it. The scripted LSP of a suite proposes with it what an LSP must not.
// It fails with ErrRules for an LSP that keeps every rule.
func (l *LSP) ProposeUpdate(now time.Time, d Draft) (wire.CeremonyID, []Out, error) {
	ch, err := l.newDraft(now, d)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	ch.record = storedChange{
		Kind: "update", Node: d.Node, Remaining: d.Remaining, Capacities: d.Capacities, Stocks: d.Stocks, Buyer: d.Buyer, Amount: d.Amount,
	}
	return l.openChange(now, ch)
}

// ProposeSale is ProposeUpdate for a sale.
func (l *LSP) ProposeSale(now time.Time, d Draft) (wire.CeremonyID, []Out, error) {
	ch, err := l.newDraft(now, d)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	ch.record = storedChange{Kind: "sale", Node: d.Node, Group: d.Group, Before: d.Before, Buyer: d.Buyer, Amount: d.Amount}
	return l.inviteBuyer(ch)
}

// ProposePoison is ProposeUpdate for the poison below d.Node.
func (l *LSP) ProposePoison(now time.Time, d Draft) (wire.CeremonyID, []Out, error) {
	ch, err := l.newDraft(now, d)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	ch.record = storedChange{Kind: "poison", Node: d.Node}
	return l.openChange(now, ch)
}

func (l *LSP) newDraft(now time.Time, d Draft) (*lspChange, error) {
	if l.cfg.Rules.Complete() {
		return nil, ErrRules
	}
	return l.newChange(now, Purchase{Factory: d.Factory, Buyer: d.Buyer, Amount: d.Amount})
}
