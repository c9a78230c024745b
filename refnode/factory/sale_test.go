package factory_test

import (
	"testing"

	"github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// order proposes the next sale of a group.
func order(tree *factory.Tree, leaf factory.NodeID, group uint8, buyer factory.ClientIndex, amount factory.Sat) factory.Order {
	before := len(tree.Sales(leaf, group))

	return factory.Order{
		Leaf: leaf, Group: group, Before: uint8(before), Buyer: buyer, Amount: amount,
		Channel: channelAt(int(buyer), 100+before),
	}
}

func sell(t fataler, tree *factory.Tree, o factory.Order) *factory.Tree {
	t.Helper()
	s := must(tree.Sell(o))(t)
	for _, tx := range append(s.Phase0(), s.Phase1()...) {
		checkTx(t, tree, tx)
	}

	return must(tree.Sold(s))(t)
}

var leafOf4 = factory.NodeID{Level: 1}

func TestSaleChain(t *testing.T) {
	tree := build(t, terms(t, 4, shapeOf(t, "kickoff 1 / ps 2")))
	node, _ := tree.Node(leafOf4)
	stock := node.Stocks[1] // 100,013 sat of clients 2 and 3
	for i, amount := range []factory.Sat{40_000, 10_000, 50_013} {
		buyer := factory.ClientIndex(2 + i%2)
		s := must(tree.Sell(order(tree, leafOf4, 1, buyer, amount)))(t)
		if s.Tx.Outpoint() != stock.Outpoint || s.Omission.Outpoint() != stock.Outpoint || s.Omission.Sequence() != 72 {
			t.Fatalf("sale %d does not spend the newest stock", i)
		}
		rest := stock.Value - amount
		for c := factory.ClientIndex(2); c < 4; c++ {
			want := rest / 2
			if c == 2 {
				want += rest % 2
			}
			if c == buyer {
				want += amount
			}
			if got := s.Omission.Pays(c); got != want {
				t.Errorf("the omission of sale %d pays client %d %d sat, want %d", i, c, got, want)
			}
		}
		for _, tx := range append(append(s.Phase0(), s.Phase1()...), s.NewChannel.Distribution) {
			checkTx(t, tree, tx)
			checkSigned(t, tx)
		}
		own := buildFor(t, tree, buyer)
		for _, before := range tree.Sales(leafOf4, 1) {
			own = must(own.Sold(must(own.Sell(before.Order))(t)))(t)
		}
		mine := must(own.Sell(s.Order))(t)
		sameTx(t, s.Tx, mine.Tx)
		sameSlots(t, s.Phase0(), mine.Phase0())
		sameSlots(t, s.Phase1(), mine.Phase1())
		tree, stock = must(tree.Sold(s))(t), s.Change
	}
	if stock != nil {
		t.Errorf("sold out, but %d sat are left", stock.Value)
	}
	_, err := tree.Sell(order(tree, leafOf4, 1, 2, 10_000))
	wantRule(t, err, rule.PS001)
	if got := len(tree.Channels(2)); got != 3 {
		t.Errorf("client 2 has %d channels, want 3", got)
	}
	if other, _ := tree.NewestStock(leafOf4, 0); other != node.Stocks[0] {
		t.Error("the stock of the other group changed")
	}

	// The update merges the channels, and poison covers the whole chain.
	u := must(tree.Update(sellAll(t, tree, leafOf4, 0)))(t)
	next := must(tree.Replace(u))(t)
	poisons := must(next.Poisons(leafOf4))(t)
	if got := len(poisons); got != 2+2+4+3 {
		t.Errorf("%d poison transactions, want 2 stocks, 2 changes, 4 channels and 3 sold ones", got)
	}
	for _, tx := range poisons {
		checkSigned(t, tx)
	}
	if len(next.Sales(leafOf4, 1)) != 0 {
		t.Error("the new leaf has sales")
	}
}

func TestSellRefuses(t *testing.T) {
	te := terms(t, 4, shapeOf(t, "kickoff 1 / ps 2"))
	tree := build(t, te)
	full := tree
	for range te.Params.MaxChain {
		full = sell(t, full, order(full, leafOf4, 0, 0, 10_000))
	}
	tests := []struct {
		name  string
		tree  *factory.Tree
		spoil func(*factory.Order)
		want  rule.ID
	}{
		{"one sale too many", full, func(*factory.Order) {}, rule.PS002},
		{"an older stock", full, func(o *factory.Order) { o.Before = 1 }, rule.PS001},
		{"a later stock", tree, func(o *factory.Order) { o.Before = 1 }, rule.PS001},
		{"under the smallest capacity", tree, func(o *factory.Order) { o.Amount = 9_999 }, rule.PS003},
		{"change under the dust limit", tree, func(o *factory.Order) { o.Amount = 100_000 - 659 }, rule.PS003},
		{"more than there is", tree, func(o *factory.Order) { o.Amount = 100_001 }, rule.PS001},
		{"nothing", tree, func(o *factory.Order) { o.Amount = 0 }, rule.PS003},
		{"a negative amount", tree, func(o *factory.Order) { o.Amount = -5 }, rule.TREE022},
		{"a buyer of another group", tree, func(o *factory.Order) { o.Buyer = 2 }, rule.PS001},
		{"no such group", tree, func(o *factory.Order) { o.Group = 9 }, rule.CER041},
		{"no leaf", tree, func(o *factory.Order) { o.Leaf = factory.NodeID{} }, rule.CER041},
		{"another group's stock in a client's view", buildFor(t, tree, 3), func(*factory.Order) {}, rule.CER041},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := order(tt.tree, leafOf4, 0, 0, 10_000)
			tt.spoil(&o)
			_, err := tt.tree.Sell(o)
			wantRule(t, err, tt.want)
		})
	}
}

func TestSoldOnce(t *testing.T) {
	tree := build(t, terms(t, 4, shapeOf(t, "kickoff 1 / ps 2")))
	a := must(tree.Sell(order(tree, leafOf4, 0, 0, 10_000)))(t)
	b := must(tree.Sell(order(tree, leafOf4, 0, 1, 10_000)))(t)
	next := must(tree.Sold(a))(t)
	_, err := next.Sold(b)
	wantRule(t, err, rule.PS001)
}

func TestSaleWaitsForPoison(t *testing.T) {
	tree := build(t, terms(t, 4, shapeOf(t, "kickoff 1 / ps 2")))
	next := must(tree.Replace(must(tree.Update(sellAll(t, tree, leafOf4, 1_000)))(t)))(t)
	_, err := next.Sell(order(next, leafOf4, 0, 0, 10_000))
	wantRule(t, err, rule.POI006)
	sell(t, next.Poisoned(leafOf4), order(next, leafOf4, 0, 0, 10_000))

	failed := must(tree.Fail(must(tree.Update(sellAll(t, tree, leafOf4, 1_000)))(t)))(t)
	_, err = failed.Sell(order(failed, leafOf4, 0, 0, 10_000))
	wantRule(t, err, rule.POI005)
}

// checkCover compares the cover with the minimum over every set of published
// transactions that ends somewhere, and the way out with its bound.
func checkCover(t fataler, tree *factory.Tree, c factory.ClientIndex) {
	t.Helper()
	f := tree.Factory()
	leaf, group, _ := f.Layout().Group(c)
	least := factory.MaxSat
	for _, id := range f.Layout().Path(c) {
		node, _ := tree.Node(id)
		paid := node.Distribution.Pays(c)
		for _, nested := range node.Nested {
			paid = max(paid, nested.Pays(c))
		}
		least = min(least, paid)
	}
	sales := tree.Sales(leaf, group)
	for published := 0; published <= len(sales); published++ {
		node, _ := tree.Node(leaf)
		paid := node.Channels[c-node.Clients.First].Value
		for i, sale := range sales {
			switch {
			case i < published && sale.Buyer == c:
				paid += sale.NewChannel.Value
			case i == published:
				paid += sale.Omission.Pays(c)
			}
		}
		least = min(least, paid)
	}
	least = min(least, leastOfReplaced(t, tree, c))
	if got := must(tree.Cover(c))(t); got != least {
		t.Fatal("cover ", got, ", want ", least)
	}
	exit := must(tree.ExitPath(c, 150))(t)
	p := f.Terms().Params
	if bound := p.EarlyWarningTime(f.Terms().Shape); exit.Blocks > bound {
		t.Fatal("a way out of ", exit.Blocks, " blocks, early warning time ", bound)
	}
	var vbytes int64
	for i, step := range exit.Steps {
		if i > 0 && step.Tx.Outpoint().Hash != exit.Steps[i-1].Tx.Txid {
			t.Fatal("step ", i, " does not spend the one before")
		}
		vbytes += step.Tx.VSize() + 150
	}
	if vbytes != exit.VBytes {
		t.Fatal(exit.VBytes, " vB, want ", vbytes)
	}
}

// leastOfReplaced is what a client is left with in the worst of the states that
// updates replaced: at each outpoint its distribution, on the leaf its channels
// and, wherever the chain of sales stops, the poison of the stock left there.
func leastOfReplaced(t fataler, tree *factory.Tree, c factory.ClientIndex) factory.Sat {
	t.Helper()
	poison := map[wire.OutPoint]*factory.Tx{}
	for _, tx := range append(must(tree.Poisons(factory.NodeID{}))(t), tree.SignedPoison()...) {
		poison[tx.Outpoint()] = tx
	}
	least := factory.MaxSat
	leaf, group, _ := tree.Factory().Layout().Group(c)
	for _, old := range tree.Former() {
		if !old.Node.Clients.Contains(c) {
			continue
		}
		paid := old.Node.Distribution.Pays(c)
		for _, nested := range old.Node.Nested {
			paid = max(paid, nested.Pays(c))
		}
		least = min(least, paid)
		if old.Node.ID != leaf {
			continue
		}
		channels, stock := old.Node.Channels[c-old.Node.Clients.First].Value, old.Node.Stocks[group]
		for _, sale := range old.Sales[group] {
			least = min(least, channels+poison[stock.Outpoint].Pays(c))
			if sale.Buyer == c {
				channels += sale.NewChannel.Value
			}
			stock = sale.Change
		}
		if stock != nil {
			channels += poison[stock.Outpoint].Pays(c)
		}
		least = min(least, channels)
	}

	return least
}

// TestRandomLives sells and updates at random and checks what always holds.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		tree := drawTree(t, n, drawShape(t, n))
		f := tree.Factory()
		for range rapid.IntRange(0, 8).Draw(t, "changes") {
			c := factory.ClientIndex(rapid.IntRange(0, n-1).Draw(t, "client"))
			if rapid.Bool().Draw(t, "update") {
				if id, ok := tree.Lowest([]factory.ClientIndex{c}); ok {
					tree = replace(t, tree, sellAll(t, tree, id, 0))
				}

				continue
			}
			leaf, group, _ := f.Layout().Group(c)
			amount := factory.Sat(rapid.IntRange(10_000, 60_000).Draw(t, "amount"))
			if s, err := tree.Sell(order(tree, leaf, group, c, amount)); err == nil {
				tree = must(tree.Sold(s))(t)
			}
		}
		for c := range n {
			checkCover(t, tree, factory.ClientIndex(c))
		}
	})
}
