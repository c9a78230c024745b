package exit

import (
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// leaf looks at the outputs of a leaf that is confirmed.
func (w *walk) leaf(v version, at factory.Height) {
	for _, channel := range v.node.Channels {
		w.channel(channel, at)
	}
	for g, stock := range v.node.Stocks {
		if stock != nil {
			w.stock(stock, v.salesOf(g), at)
		}
	}
}

// channel looks at a channel output on the chain. Only its client does: the
// LSP's side of it is the channel's.
func (w *walk) channel(c factory.ChannelOutput, at factory.Height) {
	if w.m.who.LSP || c.Client != w.m.who.Client {
		return
	}
	poison := w.k.poison[c.Outpoint]
	if w.spent(c.Outpoint, poison, c.Distribution) {
		return
	}
	w.plan.Channels = append(w.plan.Channels, Standing{Channel: c, Height: at, Replaced: poison != nil})
	switch {
	case poison != nil && w.m.rules.On(rule.POI007):
		w.publish(poison, at+w.confirm(), rule.POI007, "a replaced leaf is confirmed")
	case w.expired() && w.m.rules.On(rule.DIST009):
		w.publish(c.Distribution, w.tip+w.confirm(), rule.DIST009, "the factory has expired")
	}
}

// spent reports whether a block holds a spend of an output, and counts what it
// pays when it is one of those given.
func (w *walk) spent(o wire.OutPoint, ends ...*factory.Tx) bool {
	spend, ok := w.view.Spend(o)
	if !ok || !spend.Confirmed {
		return false
	}
	for _, tx := range ends {
		if tx != nil && tx.Txid == spend.Txid {
			w.done(tx, spend.Height)
			w.paid(tx)
		}
	}

	return true
}

// stock looks at a stock output on the chain, with the sales that were made
// of it: the first spends it.
func (w *walk) stock(s *factory.Stock, sales []*factory.Sale, at factory.Height) {
	if spend, ok := w.view.Spend(s.Outpoint); ok && spend.Confirmed && len(sales) > 0 && spend.Txid == sales[0].Tx.Txid {
		w.done(sales[0].Tx, spend.Height)
		if w.k.poison[s.Outpoint] != nil && !w.m.rules.On(rule.POI007+"/sales") {
			return // a mutant looks at the leaf alone
		}
		w.channel(sales[0].NewChannel, spend.Height)
		if sales[0].Change != nil {
			w.stock(sales[0].Change, sales[1:], spend.Height)
		}

		return
	}
	poison := w.k.poison[s.Outpoint]
	ends := []*factory.Tx{poison, s.Distribution}
	if len(sales) > 0 {
		ends = append(ends, sales[0].Omission)
	}
	if w.spent(s.Outpoint, ends...) {
		return
	}
	if w.m.who.LSP {
		w.plan.Open++
		w.lspStock(s, sales, at)
	} else if s.Owners.Contains(w.m.who.Client) {
		w.plan.Open++
		w.clientStock(s, sales, at)
	}
}

// lspStock publishes what was sold and claims what was not.
func (w *walk) lspStock(s *factory.Stock, sales []*factory.Sale, at factory.Height) {
	csv := factory.Height(w.params.StockCSV)
	if w.k.poison[s.Outpoint] != nil {
		return // it goes to the clients, sold or not
	}
	if len(sales) > 0 && w.m.rules.On(rule.PS024) {
		if w.m.rules.On(rule.PS023) {
			deadline := at + factory.Height(w.params.OmissionDelay) - w.confirm()
			w.publish(sales[0].Tx, deadline, rule.PS023, "its stock output is confirmed")
		}

		return
	}
	if w.m.rules.On(rule.DIST008) && w.matured(at, csv) {
		w.add(Action{
			Stock: s, Outpoint: s.Outpoint, Deadline: max(w.params.Expiry, w.tip+1), Rule: rule.DIST008,
			Reason: "nobody bought it",
		})
	}
}

// clientStock publishes what pays the client most of those transactions that it
// can publish: poison, then its omission or the sales up to its own, then the
// distribution.
func (w *walk) clientStock(s *factory.Stock, sales []*factory.Sale, at factory.Height) {
	if poison := w.k.poison[s.Outpoint]; poison != nil {
		if w.m.rules.On(rule.POI007) {
			w.publish(poison, at+w.confirm(), rule.POI007, "a replaced leaf is confirmed")
		}

		return
	}
	if w.bought(sales) && (w.omission(sales, at) || w.ownSale(sales, at)) {
		return
	}
	if w.expired() && w.m.rules.On(rule.DIST009) {
		w.publish(s.Distribution, w.tip+w.confirm(), rule.DIST009, "the factory has expired")
	}
}

// bought reports whether one of the sales is the client's.
func (w *walk) bought(sales []*factory.Sale) bool {
	for _, sale := range sales {
		if sale.Buyer == w.m.who.Client {
			return true
		}
	}

	return false
}

// omission publishes the omission of a sale that its buyer has waited for. So
// does who bought later in the chain: without this sale there is no later one,
// the omission still pays it a share, and the LSP's claim would pay it nothing.
// If it has coins that count, the sales give it more: it leaves them the time
// until the omission needs its own, confirm_blocks, before the LSP's claim.
func (w *walk) omission(sales []*factory.Sale, at factory.Height) bool {
	claim := at + factory.Height(w.params.StockCSV) // from here on the LSP may take it
	counts := w.intent.Coins && !w.intent.Scant
	early := w.tip+1+w.confirm() < claim || !w.m.rules.On(rule.PS025+"/in-time")
	later := sales[0].Buyer != w.m.who.Client && !w.m.rules.On(rule.PS025+"/later") // a mutant forgets who bought later
	if !w.m.rules.On(rule.PS025) || later || counts && w.bought(sales[1:]) && early {
		return false
	}
	if !w.matured(at, factory.Height(w.params.OmissionDelay)) {
		return false
	}
	deadline := at + factory.Height(w.params.StockCSV) - 1
	w.publish(sales[0].Omission, deadline, rule.PS025, "the sale was withheld")

	return true
}

// ownSale publishes a sale, the client's own or one that comes before it: at
// once on its way out, otherwise when the LSP is late (PS-023).
func (w *walk) ownSale(sales []*factory.Sale, at factory.Height) bool {
	if !w.intent.Coins {
		return false
	}
	delay := factory.Height(w.params.OmissionDelay)
	if !w.leaving && !w.matured(at, delay-w.confirm()) {
		return false
	}
	before := len(w.plan.Publish)
	w.publish(sales[0].Tx, max(at+delay-1, w.tip+1), rule.PS023, "its channel hangs on it")
	if len(w.plan.Publish) > before {
		w.plan.Publish[before].Interim = true // the omission comes after it
	}

	return true
}
