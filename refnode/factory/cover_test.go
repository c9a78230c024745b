package factory_test

import (
	"testing"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// TestCoverCountsWhatWasReplaced: what a client is sure of is bounded by the
// poison of every replaced leaf, and by a stock's distribution when a sale of
// it can be withheld.
func TestCoverCountsWhatWasReplaced(t *testing.T) {
	start := func(t *testing.T, shape string) *factory.Tree {
		te := terms(t, 2, shapeOf(t, shape))
		te.Chain = factory.Other
		te.Amounts.Capacities = []factory.Sat{100_000, 100_000}
		te.Amounts.Stocks = []factory.Sat{120_000}

		return must(must(factory.New(te, rule.Set{}))(t).Build(fundingPoint, factory.Whole()))(t)
	}
	leaf := factory.NodeID{Level: 1}
	// move gives amounts to both clients out of the stock.
	move := func(t *testing.T, tree *factory.Tree, first, second factory.Sat) *factory.Tree {
		more := []factory.Sat{first, second}
		u := must(tree.Update(changeOf(t, tree, leaf,
			func(c int) factory.Sat { return tree.Capacities(factory.ClientIndex(c)) + more[c] },
			func(id factory.NodeID, g int) factory.Sat {
				stock, _ := tree.NewestStock(id, uint8(g))

				return stock.Value - first - second
			})))(t)

		return must(tree.Replace(u))(t).Poisoned(leaf)
	}
	for _, tt := range []struct {
		name, shape string
		change      func(*testing.T, *factory.Tree) *factory.Tree
		want        factory.Sat
	}{
		{"new", "kickoff 1 / dw 2", func(_ *testing.T, tree *factory.Tree) *factory.Tree { return tree }, 100_000},
		{
			"one update", "kickoff 1 / dw 2",
			func(t *testing.T, tree *factory.Tree) *factory.Tree { return move(t, tree, 10_000, 0) }, 110_000,
		},
		{
			// The state in the middle gives it 100,000 and half of 10,000.
			"a state in the middle has less", "kickoff 1 / dw 2",
			func(t *testing.T, tree *factory.Tree) *factory.Tree {
				return move(t, move(t, tree, 0, 110_000), 9_000, 0)
			}, 105_000,
		},
		{
			// At T the stock of 20,000 can be shared before the sale is out.
			"a sale of more than its share", "kickoff 1 / ps 2",
			func(t *testing.T, tree *factory.Tree) *factory.Tree {
				tree = move(t, tree, 0, 100_000)
				sale := must(tree.Sell(factory.Order{Leaf: leaf, Buyer: 0, Amount: 18_000, Channel: channelAt(0, 5)}))(t)

				return must(tree.Sold(sale))(t)
			}, 110_000,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := tt.change(t, start(t, tt.shape))
			if got := must(tree.Cover(0))(t); got != tt.want {
				t.Errorf("cover %d sat, want %d", got, tt.want)
			}
		})
	}
}
