package factory_test

import (
	"testing"

	"pgregory.net/rapid"

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

// TestCoverIsNeverLess: no update and no sale gives a client less cover than the
// smaller of its capacities afterwards and the cover it had before (DIST-010),
// even one that takes capacity away (PS-005). It follows from what the
// transactions pay: nothing that was signed pays less later, and what is new
// pays every client its capacities.
func TestCoverIsNeverLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		te := terms(t, n, drawShape(t, n))
		for i := range te.Amounts.Stocks {
			te.Amounts.Stocks[i] = factory.Sat(rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(330*200, 200_000)).Draw(t, "stock"))
		}
		tree := must(must(factory.New(te, rule.Without(rule.PS005)))(t).Build(fundingPoint, factory.Whole()))(t)
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			next := anyChange(t, tree, factory.ClientIndex(rapid.IntRange(0, n-1).Draw(t, "client")))
			for c := range factory.ClientIndex(n) {
				if err := next.CheckCover(c, must(tree.Cover(c))(t)); err != nil {
					t.Fatal(err)
				}
			}
			tree = next
		}
	})
}

// anyChange is a sale to a client, or an update that moves amounts between the
// clients and stocks below a state; the same tree when it is refused.
func anyChange(t *rapid.T, tree *factory.Tree, c factory.ClientIndex) *factory.Tree {
	layout := tree.Factory().Layout()
	if rapid.Bool().Draw(t, "sale") {
		leaf, group, _ := layout.Group(c)
		s, err := tree.Sell(order(tree, leaf, group, c, factory.Sat(rapid.IntRange(10_000, 200_000).Draw(t, "amount"))))
		if err != nil {
			return tree
		}

		return must(tree.Sold(s))(t)
	}
	node, ok := tree.Lowest([]factory.ClientIndex{c})
	if !ok {
		return tree
	}
	change := changeOf(t, tree, node,
		func(c int) factory.Sat { return tree.Capacities(factory.ClientIndex(c)) },
		func(id factory.NodeID, g int) factory.Sat {
			stock, ok := tree.NewestStock(id, uint8(g))
			if !ok {
				return 0
			}

			return stock.Value
		})
	parts := len(change.Amounts.Capacities) + len(change.Amounts.Stocks)
	at := func(i int) *factory.Sat {
		if clients := len(change.Amounts.Capacities); i >= clients {
			return &change.Amounts.Stocks[i-clients]
		}

		return &change.Amounts.Capacities[i]
	}
	for range rapid.IntRange(1, 3).Draw(t, "moves") {
		from, to := at(rapid.IntRange(0, parts-1).Draw(t, "from")), at(rapid.IntRange(0, parts-1).Draw(t, "to"))
		moved := factory.Sat(rapid.Int64Range(0, int64(*from)).Draw(t, "moved"))
		*from, *to = *from-moved, *to+moved
	}
	u, err := tree.Update(change)
	if err != nil {
		return tree
	}

	return must(tree.Replace(u))(t).Poisoned(node)
}
