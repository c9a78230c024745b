package factory

import "superscalar/wire/rule"

// Claim returns what the distribution that is signed for an outpoint of the
// tree pays a client, in sat, through nested distributions where there are any
// (section 6.1); 0 when the transaction is not in view.
func (t *Tree) Claim(id NodeID, c ClientIndex) Sat {
	n, ok := t.nodes[id]
	if !ok {
		return 0
	}

	return n.claim(c)
}

func (n *Node) claim(c ClientIndex) Sat {
	if len(n.Distribution.Payees) > 0 {
		return n.Distribution.Pays(c)
	}
	for _, nested := range n.Nested {
		if nested.Signers.Contains(c) && len(nested.Payees) > 0 {
			return nested.Pays(c)
		}
	}

	return 0
}

// Cover returns the least that distribution, omission and poison pay a client,
// over all outpoints at which publication can stop: every outpoint of its path,
// those of replaced transactions and of failed attempts included, and, once a
// leaf is on the chain, every stock output of its group, where the channels
// published so far are its own (section 6.1). What is not sold of the leaf that
// stands is the LSP's, and so is that of a replaced one as long as its poison is
// not complete; then it is shared (POI-003). It does not count HTLCs.
func (t *Tree) Cover(c ClientIndex) (Sat, error) {
	leaf, group, ok := t.f.layout.Group(c)
	n, inView := t.nodes[leaf]
	if !ok || !inView {
		return 0, mistake("client", "client %d is not in view", c)
	}
	cover := n.stops(group, t.sales[stockID{leaf, group}], c, true)
	for _, id := range t.f.layout.Path(c) {
		cover = min(cover, t.Claim(id, c))
	}
	waits := map[*Node]bool{} // for poison
	for _, old := range t.replaced {
		waits[old.leaf] = true
	}
	for _, old := range t.Former() {
		if !old.Node.Clients.Contains(c) {
			continue
		}
		cover = min(cover, old.Node.claim(c))
		if old.Node.ID != leaf {
			continue
		}
		var sales []*Sale
		if int(group) < len(old.Sales) {
			sales = old.Sales[group]
		}
		cover = min(cover, old.Node.stops(group, sales, c, old.Failed || waits[old.Node]))
	}

	return cover, nil
}

// stops is the least that a client gets of a leaf on the chain, wherever the
// chain of its group's sales stops. A leaf without poison gives the LSP what
// nobody bought, and lets a sale be withheld until its omission.
func (n *Node) stops(group uint8, sales []*Sale, c ClientIndex, live bool) Sat {
	least := MaxSat
	published := n.Channels[c-n.Clients.First].Value
	stock := n.Stocks[group]
	for _, sale := range sales {
		least = min(least, published+stock.shareOf(c))
		if live {
			least = min(least, published+sale.Omission.Pays(c))
		}
		if sale.Buyer == c {
			published += sale.Amount
		}
		stock = sale.Change
	}
	if !live {
		published += stock.shareOf(c)
	}

	return min(least, published)
}

// shareOf is what the distribution or the poison of a stock, if there is one,
// pays an owner.
func (s *Stock) shareOf(c ClientIndex) Sat {
	if s == nil || s.Distribution == nil {
		return 0
	}

	return s.Distribution.Pays(c)
}

// Capacities returns the sum of the capacities of a client's channels in sat, 0
// when it is not in view.
func (t *Tree) Capacities(c ClientIndex) Sat {
	var sum Sat
	for _, channel := range t.Channels(c) {
		sum += channel.Value
	}

	return sum
}

// CheckCover refuses a tree that gives a client less cover than the smaller of
// its capacities and the cover it had before (DIST-010). A client that had
// nothing, at creation, passes MaxSat: it wants all its capacities covered.
func (t *Tree) CheckCover(c ClientIndex, before Sat) error {
	cover, err := t.Cover(c)
	if err != nil {
		return err
	}
	least := min(before, t.Capacities(c))

	return check(t.f.rules, rule.DIST010, "cover", cover < least, "%d sat for client %d, at least %d", cover, c, least)
}
