package factory_test

import (
	"testing"

	"superscalar/refnode/factory"
)

// TestFormer wants every transaction that was signed and does not stand, and
// the poison of each leaf among them.
func TestFormer(t *testing.T) {
	shape := shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")
	tree := build(t, terms(t, 4, shape))
	top, leaf := factory.NodeID{Level: 1}, factory.NodeID{Level: 3}
	if len(tree.Former()) != 0 || len(tree.SignedPoison()) != 0 {
		t.Fatal("a new factory has a past")
	}
	sold := must(tree.Sell(factory.Order{Leaf: leaf, Buyer: 1, Amount: 20_000, Channel: channelAt(1, 3)}))(t)
	tree = must(tree.Sold(sold))(t)
	change := func(id factory.NodeID) *factory.Update {
		remaining, _ := tree.NextRemaining(id)
		r := tree.Factory().Layout().Range(id)
		c := factory.Change{Node: id, Remaining: remaining, ChannelsFirst: r.First, Amounts: factory.Amounts{Region: r}}
		for i := r.First; int(i) < r.End(); i++ {
			c.Amounts.Capacities = append(c.Amounts.Capacities, tree.Capacities(i))
			c.Channels = append(c.Channels, tree.Channels(i)[0].Channel)
		}
		for _, below := range tree.Factory().Layout().Below(id) {
			for g := range tree.Factory().Layout().Groups(below) {
				stock, _ := tree.NewestStock(below, uint8(g))
				c.Amounts.Stocks = append(c.Amounts.Stocks, stock.Value)
			}
		}

		return must(tree.Update(c))(t)
	}
	failed := change(leaf)
	tree = must(tree.Fail(failed))(t)
	if got := tree.Former(); len(got) != 1 || !got[0].Failed || got[0].Node.Tx != failed.State {
		t.Fatalf("after a failed attempt: %v", got)
	}
	old, _ := tree.Node(leaf)
	tree = must(tree.Replace(change(leaf)))(t)
	got := tree.Former()
	if len(got) != 2 || got[0].Node != old || len(got[0].Sales[0]) != 1 || !got[1].Failed {
		t.Fatalf("after a replacement: %v", got)
	}
	tree = tree.Poisoned(leaf)
	if got := len(tree.SignedPoison()); got != 8 {
		t.Errorf("%d poison transactions, want 5 of the leaf with its sale and 3 of the attempt", got)
	}
	tree = must(tree.Replace(change(top)))(t).Poisoned(top)
	if got := len(tree.Former()); got != 2+1+4 {
		t.Errorf("%d former transactions, want 7", got)
	}
	stand := map[factory.NodeID]bool{}
	for _, n := range tree.Nodes() {
		stand[n.ID] = true
		for _, f := range tree.Former() {
			if f.Node.Tx.Same(n.Tx) {
				t.Errorf("%s stands and is called former", n.ID)
			}
		}
	}
	byOutpoint := map[string]bool{}
	for _, tx := range tree.SignedPoison() {
		byOutpoint[tx.Outpoint().String()] = true
	}
	for _, f := range tree.Former() {
		for _, channel := range f.Node.Channels {
			if !byOutpoint[channel.Outpoint.String()] {
				t.Errorf("channel of client %d in former leaf %s has no poison", channel.Client, f.Node.ID)
			}
		}
	}
}
