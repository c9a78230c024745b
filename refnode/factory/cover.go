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

// Cover returns the least that distribution and omission pay a client, over
// all outpoints at which publication can stop: every outpoint of its path and,
// once its leaf is on the chain, every stock output of its group, where the
// channels published so far are its own and what is not sold is the LSP's
// (section 6.1). It does not count HTLCs.
func (t *Tree) Cover(c ClientIndex) (Sat, error) {
	leaf, group, ok := t.f.layout.Group(c)
	n, inView := t.nodes[leaf]
	if !ok || !inView {
		return 0, mistake("client", "client %d is not in view", c)
	}
	cover := MaxSat
	for _, id := range t.f.layout.Path(c) {
		cover = min(cover, t.Claim(id, c))
	}
	published := n.Channels[c-n.Clients.First].Value
	for _, sale := range t.sales[stockID{leaf, group}] {
		cover = min(cover, published+sale.Omission.Pays(c))
		if sale.Buyer == c {
			published += sale.Amount
		}
	}

	return min(cover, published), nil
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
