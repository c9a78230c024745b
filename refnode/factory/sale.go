package factory

import (
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/wire/rule"
)

// Order is what a proposal of a sale says (section 5.4).
type Order struct {
	Leaf  NodeID
	Group uint8

	// Before is the number of sales the group has signed already.
	Before uint8

	// Buyer is a client of the group; Amount is the capacity of its new
	// channel in sat.
	Buyer   ClientIndex
	Amount  Sat
	Channel Channel
}

// Sale spends the newest stock output of a group into a channel for the buyer
// and what is left of the stock (section 7.1).
type Sale struct {
	Order

	// Stock is the output that is spent.
	Stock *Stock

	// Tx is the sale, Omission what pays the buyer when the sale is
	// withheld (section 7.3).
	Tx, Omission *Tx

	// NewChannel is the channel sold, Change what is left of the stock, nil
	// when it is sold out.
	NewChannel ChannelOutput
	Change     *Stock
}

// Phase0 returns what the group co-signs before the sale: the distribution of
// the change stock, if there is one.
func (s *Sale) Phase0() []*Tx {
	if s.Change == nil {
		return nil
	}

	return []*Tx{s.Change.Distribution}
}

// Phase1 returns what the group co-signs then, both or neither: the omission,
// which would give stock away if it were complete alone (PS-020), and the sale.
func (s *Sale) Phase1() []*Tx { return []*Tx{s.Omission, s.Tx} }

// Sales returns the sales of a group that were signed, oldest first.
func (t *Tree) Sales(leaf NodeID, group uint8) []*Sale {
	return slices.Clone(t.sales[stockID{leaf, group}])
}

// NewestStock returns the stock output that the next sale of a group spends,
// false when nothing is for sale.
func (t *Tree) NewestStock(leaf NodeID, group uint8) (*Stock, bool) {
	n, ok := t.nodes[leaf]
	if !ok || int(group) >= len(n.Stocks) {
		return nil, false
	}
	stock := n.Stocks[group]
	if sales := t.sales[stockID{leaf, group}]; len(sales) > 0 {
		stock = sales[len(sales)-1].Change
	}

	return stock, stock != nil
}

// Sell computes a sale. It refuses one that does not spend the newest stock
// output or whose buyer is not of the group (PS-001), one too many (PS-002), and
// amounts that are too small (PS-003).
func (t *Tree) Sell(o Order) (*Sale, error) {
	stock, err := t.forSale(o)
	if err != nil {
		return nil, err
	}
	s := &Sale{Order: o, Stock: stock}
	b := t.builder()
	for _, build := range []func(*Sale) error{b.sale, b.omission} {
		if err := build(s); err != nil {
			return nil, err
		}
	}

	return s, nil
}

func (t *Tree) forSale(o Order) (*Stock, error) {
	rules, sales := t.f.rules, t.sales[stockID{o.Leaf, o.Group}]
	groups := t.f.layout.Groups(o.Leaf)
	if int(o.Group) >= len(groups) || !t.view.Sees(groups[o.Group]) {
		return nil, malformed(rule.CER041, "stock", "leaf %s has no group %d in view", o.Leaf, o.Group)
	}
	owners := groups[o.Group]
	stock, ok := t.NewestStock(o.Leaf, o.Group)
	if !ok {
		return nil, malformed(rule.PS001, "stock", "group %d of leaf %s has none", o.Group, o.Leaf)
	}
	if !owners.Contains(o.Buyer) {
		return nil, malformed(rule.PS001, "buyer", "client %d is not of the group of clients %s", o.Buyer, owners)
	}
	if err := inRange("amount", o.Amount); err != nil {
		return nil, err
	}
	if o.Amount > stock.Value {
		return nil, malformed(rule.PS001, "amount", "%d sat of a stock of %d", o.Amount, stock.Value)
	}
	least, change := MinCapacity(t.f.terms.Chain), stock.Value-o.Amount

	return stock, first(
		t.settled(owners, hardLevels),
		check(rules, rule.PS001, "sales before", int(o.Before) != len(sales), "%d, there are %d", o.Before, len(sales)),
		check(rules, rule.PS002, "sales before", len(sales) >= int(t.f.terms.Params.MaxChain),
			"%d sales, max_chain is %d", len(sales), t.f.terms.Params.MaxChain),
		check(rules, rule.PS003, "amount", o.Amount < least, "%d sat, at least %d", o.Amount, least),
		check(rules, rule.PS003, "change", change != 0 && change < MinShare*Sat(owners.Count),
			"%d sat for clients %s, at least %d", change, owners, MinShare*Sat(owners.Count)),
	)
}

// sale builds the sale, the outputs it makes, and their distributions.
func (b *builder) sale(s *Sale) (err error) {
	if s.Tx, err = b.stockHead(KindSale, s.Stock); err != nil {
		return err
	}
	outputs := []*wire.TxOut{{Value: int64(s.Amount), PkScript: s.Order.Channel.Script[:]}}
	change := s.Stock.Value - s.Amount
	if change > 0 {
		outputs = append(outputs, &wire.TxOut{Value: int64(change), PkScript: s.Tx.PrevOut.PkScript})
	}
	if err := s.Tx.finish(s.Stock.Outpoint, finalSequence, 0, outputs, b.rules()); err != nil {
		return err
	}
	s.NewChannel = ChannelOutput{
		Client: s.Buyer, Outpoint: s.Tx.Output(0), Value: s.Amount, Channel: s.Order.Channel,
		Leaf: s.Leaf, Group: s.Group, Sales: s.Stock.Sales + 1,
	}
	if s.NewChannel.Distribution, err = b.channelSpend(KindDistribution, s.NewChannel); err != nil {
		return err
	}
	if change == 0 {
		return nil
	}
	s.Change = &Stock{
		Leaf: s.Leaf, Group: s.Group, Owners: s.Stock.Owners,
		Outpoint: s.Tx.Output(1), Value: change, Sales: s.Stock.Sales + 1,
	}
	s.Change.Distribution, err = b.stockSpend(KindDistribution, s.Change)

	return err
}

// omission pays the sold amount to the buyer and the rest in shares (PS-021). A
// client that gets nothing of a stock that was sold out has no output.
func (b *builder) omission(s *Sale) (err error) {
	if s.Omission, err = b.stockHead(KindOmission, s.Stock); err != nil {
		return err
	}
	sold := s.Amount
	if !b.rules().On(rule.PS021) {
		sold = 0 // a mutant shares all of it
	}
	parts := shares(s.Stock.Value-sold, s.Stock.Owners)
	parts[s.Buyer-s.Stock.Owners.First] += sold
	outputs, payees, err := b.payouts(KindOmission, s.Stock.Owners, parts)
	if err != nil {
		return err
	}
	s.Omission.Payees = payees
	sequence := uint32(b.t.f.terms.Params.OmissionDelay)
	if !b.rules().On(rule.PS022) {
		sequence = finalSequence
	}

	outpoint := s.Stock.Outpoint
	if !b.rules().On(rule.PS020) {
		outpoint.Index++ // a mutant takes another output
	}

	return s.Omission.finish(outpoint, sequence, 0, outputs, b.rules())
}

// Sold returns the tree after a sale that is complete and stored. It refuses a
// sale of an output that is not the newest any more.
func (t *Tree) Sold(s *Sale) (*Tree, error) {
	stock, ok := t.NewestStock(s.Leaf, s.Group)
	if !ok || stock.Outpoint != s.Stock.Outpoint {
		return nil, malformed(rule.PS001, "stock", "it is not the newest of group %d of leaf %s", s.Group, s.Leaf)
	}
	next := t.clone()
	id := stockID{s.Leaf, s.Group}
	next.sales[id] = append(slices.Clone(t.sales[id]), s)

	return next, nil
}
