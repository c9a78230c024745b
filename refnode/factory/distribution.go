package factory

import (
	"github.com/btcsuite/btcd/wire"

	"superscalar/wire/rule"
)

// distribution finishes the distribution of an outpoint of the tree, or of an
// output of another distribution: to its owners (DIST-002), or to the children
// when there are more than 200 of them (DIST-003).
func (b *builder) distribution(head Tx, outpoint wire.OutPoint) (*Tx, error) {
	var outputs []*wire.TxOut
	var err error
	if l := b.t.f.layout; l.nests(head.Below, b.rules()) {
		if outputs, err = b.childOutputs(l.nestingPoint(head.Below)); err == nil {
			err = checkPayouts(head.Kind, outputs, b.rules())
		}
	} else {
		claims := make([]Sat, head.Signers.Count)
		for i := range claims {
			c := head.Signers.First + ClientIndex(i)
			if b.t.ledger.capacity[c] == unknown {
				return nil, malformed(rule.CER013, "capacities", "none for client %d, which %s pays", c, head.Below)
			}
			claims[i] = b.t.ledger.claim(c)
			if !b.rules().On(rule.DIST002) {
				claims[i] = 0 // a mutant pays the first of them everything
			}
		}
		if !b.rules().On(rule.DIST002) {
			claims[0] = Sat(head.PrevOut.Value)
		}
		outputs, head.Payees, err = b.payouts(head.Kind, head.Signers, claims)
	}
	if err != nil {
		return nil, err
	}

	return &head, head.finish(outpoint, lockTimeSequence, uint32(b.t.f.terms.Params.Expiry), outputs, b.rules())
}

// payouts pays clients of owners their amounts, in client order.
func (b *builder) payouts(kind TxKind, owners Range, amounts []Sat) ([]*wire.TxOut, []ClientIndex, error) {
	outputs := make([]*wire.TxOut, 0, len(amounts)+1)
	payees := make([]ClientIndex, 0, len(amounts))
	for i, v := range amounts {
		c := owners.First + ClientIndex(i)
		key, ok := b.t.f.payout(c)
		if !ok {
			return nil, nil, malformed(rule.CER013, "payout keys", "none for client %d", c)
		}
		if v == 0 && (kind != KindDistribution || !b.rules().On(rule.DIST002)) {
			continue // an omission of a stock that was sold out pays its buyer alone
		}
		outputs = append(outputs, &wire.TxOut{Value: int64(v), PkScript: payoutScript(key, b.rules())})
		payees = append(payees, c)
	}

	return outputs, payees, checkPayouts(kind, outputs, b.rules())
}

// checkPayouts refuses outputs that would not relay (DIST-005).
func checkPayouts(kind TxKind, outputs []*wire.TxOut, rules rule.Set) error {
	for i, out := range outputs {
		if err := check(rules, rule.DIST005, kind.String(), Sat(out.Value) < MinShare,
			"output %d is %d sat, at least %d", i, out.Value, MinShare); err != nil {
			return err
		}
	}

	return nil
}

// nested returns the distributions of the outputs in view of one that pays
// children, and of theirs (DIST-004), each before those that spend it.
func (b *builder) nested(parent *Tx) ([]*Tx, error) {
	l := b.t.f.layout
	if !l.nests(parent.Below, b.rules()) {
		return nil, nil
	}
	var all []*Tx
	for i, child := range l.Children(l.nestingPoint(parent.Below)) {
		r := l.Range(child)
		if !b.t.view.Sees(r) {
			continue
		}
		key, err := b.t.f.keys.node(r)
		if err != nil {
			return nil, err
		}
		head := Tx{
			Kind: KindDistribution, Node: parent.Node, Below: child,
			Spends: SpendTree, Signers: r, PrevOut: *parent.Msg.TxOut[i], Key: key,
		}
		tx, err := b.distribution(head, parent.Output(i))
		if err != nil {
			return nil, err
		}
		deeper, err := b.nested(tx)
		if err != nil {
			return nil, err
		}
		all = append(append(all, tx), deeper...)
	}

	return all, nil
}

// stockSpend makes the distribution or the poison of a stock output: shares to
// its owners, at T or at once (DIST-002, POI-003). It is nil when it is not in
// view.
func (b *builder) stockSpend(kind TxKind, stock *Stock) (*Tx, error) {
	if !b.t.view.Sees(stock.Owners) || stock.Value == 0 {
		return nil, nil // only a mutant has a stock of 0 sat
	}
	tx, err := b.stockHead(kind, stock)
	if err != nil {
		return nil, err
	}
	parts := shares(stock.Value, stock.Owners)
	if kind == KindPoison && !b.rules().On(rule.POI003) {
		parts = make([]Sat, stock.Owners.Count)
		parts[0] = stock.Value // a mutant pays one of them everything
	}
	outputs, payees, err := b.payouts(kind, stock.Owners, parts)
	if err != nil {
		return nil, err
	}
	if kind == KindDistribution && !b.rules().On(rule.DIST006) || kind == KindPoison && !b.rules().On(rule.POI004) {
		outputs[0].PkScript = taprootScript(b.t.f.terms.LSP.XOnly()) // a mutant pays the LSP
	}
	tx.Payees = payees
	sequence, lockTime := b.timing(kind)

	return tx, tx.finish(stock.Outpoint, sequence, lockTime, outputs, b.rules())
}

// stockHead starts a transaction that spends a stock output by key path.
func (b *builder) stockHead(kind TxKind, stock *Stock) (*Tx, error) {
	key, err := b.t.f.keys.stock(stock.Owners)
	if err != nil {
		return nil, err
	}

	return &Tx{
		Kind: kind, Node: stock.Leaf, Below: stock.Leaf, Group: stock.Group, Sales: stock.Sales,
		Spends: SpendStock, Signers: stock.Owners, Key: key,
		PrevOut: wire.TxOut{Value: int64(stock.Value), PkScript: nodeScript(key)},
	}, nil
}

// channelSpend makes the distribution or the poison of a channel output: all to
// its client (DIST-006, POI-004). It is nil for those who do not know the
// funding keys.
func (b *builder) channelSpend(kind TxKind, out ChannelOutput) (*Tx, error) {
	if !out.Channel.Known || !b.t.view.Sees(Range{out.Client, 1}) {
		return nil, nil
	}
	tx := &Tx{
		Kind: kind, Node: out.Leaf, Below: out.Leaf, Group: out.Group, Sales: out.Sales,
		Spends: SpendChannel, Signers: Range{out.Client, 1}, Channel: out.Channel,
		PrevOut: wire.TxOut{Value: int64(out.Value), PkScript: out.Channel.Script[:]},
	}
	outputs, payees, err := b.payouts(kind, tx.Signers, []Sat{out.Value})
	if err != nil {
		return nil, err
	}
	if kind == KindDistribution && !b.rules().On(rule.DIST006) || kind == KindPoison && !b.rules().On(rule.POI004) {
		outputs[0].PkScript = taprootScript(b.t.f.terms.LSP.XOnly()) // a mutant pays the LSP
	}
	tx.Payees = payees
	sequence, lockTime := b.timing(kind)

	return tx, tx.finish(out.Outpoint, sequence, lockTime, outputs, b.rules())
}

// timing returns nSequence and nLockTime of a distribution or of poison.
func (b *builder) timing(kind TxKind) (sequence, lockTime uint32) {
	if kind == KindDistribution {
		return lockTimeSequence, uint32(b.t.f.terms.Params.Expiry)
	}

	return finalSequence, 0
}
