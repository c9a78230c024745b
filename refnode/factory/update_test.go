package factory_test

import (
	"testing"

	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// changeOf proposes the next state of a node: in every leaf, every client gets
// amount more, out of the first group with enough, and new channels.
func changeOf(t fataler, tree *factory.Tree, node factory.NodeID, capacity func(c int) factory.Sat, stock func(leaf factory.NodeID, group int) factory.Sat) factory.Change {
	t.Helper()
	remaining, ok := tree.NextRemaining(node)
	if !ok {
		t.Fatal("no state left in ", node)
	}
	l := tree.Factory().Layout()
	change := factory.Change{Node: node, Remaining: remaining, ChannelsFirst: l.Range(node).First}
	change.Amounts.Region = l.Range(node)
	for c := int(l.Range(node).First); c < l.Range(node).End(); c++ {
		change.Amounts.Capacities = append(change.Amounts.Capacities, capacity(c))
		change.Channels = append(change.Channels, channelAt(c, int(remaining)+1))
	}
	for _, id := range l.Below(node) {
		for g := range l.Groups(id) {
			change.Amounts.Stocks = append(change.Amounts.Stocks, stock(id, g))
		}
	}

	return change
}

// sellAll moves amount from the stock of each group to its first client.
func sellAll(t fataler, tree *factory.Tree, node factory.NodeID, amount factory.Sat) factory.Change {
	t.Helper()
	l := tree.Factory().Layout()

	return changeOf(t, tree, node, func(c int) factory.Sat {
		client := factory.ClientIndex(c)
		leaf, group, _ := l.Group(client)
		if _, sold := tree.NewestStock(leaf, group); sold && l.Groups(leaf)[group].First == client {
			return tree.Capacities(client) + amount
		}

		return tree.Capacities(client)
	}, func(leaf factory.NodeID, group int) factory.Sat {
		stock, ok := tree.NewestStock(leaf, uint8(group))
		if !ok {
			return 0
		}

		return stock.Value - amount
	})
}

// replace makes an update complete, poisons what it replaced and checks all
// transactions.
func replace(t fataler, tree *factory.Tree, change factory.Change) *factory.Tree {
	t.Helper()
	u := must(tree.Update(change))(t)
	for _, tx := range append(u.Phase0All(), u.State) {
		checkTx(t, tree, tx)
	}
	next := must(tree.Replace(u))(t)
	for _, tx := range must(next.Poisons(change.Node))(t) {
		checkTx(t, tree, tx)
	}

	return next.Poisoned(change.Node)
}

var leafOf8 = factory.NodeID{Level: 3, Position: 1}

func TestUpdateOfALeaf(t *testing.T) {
	tree := build(t, terms(t, 8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")))
	old, _ := tree.Node(leafOf8)
	u := must(tree.Update(sellAll(t, tree, leafOf8, 5_000)))(t)
	if u.State.Outpoint() != old.Tx.Outpoint() || u.State.Sequence() != 96 || u.State.Txid == old.Tx.Txid {
		t.Errorf("the new state has nSequence %d", u.State.Sequence())
	}
	if got := len(u.Phase0(5)); got != 1 {
		t.Errorf("%d slots before the state, want the distribution of one stock", got)
	}
	next := must(tree.Replace(u))(t)
	now, _ := next.Node(leafOf8)
	if now.Distribution != old.Distribution || now.Tx != u.State {
		t.Error("the distribution of the outpoint changed")
	}
	poisons := must(next.Poisons(leafOf8))(t)
	if len(poisons) != 2+4 {
		t.Fatalf("%d poison transactions, want 2 stocks and 4 channels", len(poisons))
	}
	for _, tx := range append(poisons, u.State) {
		checkSigned(t, tx)
	}
	for i, stock := range old.Stocks {
		if poisons[i].Outpoint() != stock.Outpoint || poisons[i].Pays(4) != stock.Distribution.Pays(4) {
			t.Errorf("poison %d does not pay what the distribution of its stock pays", i)
		}
	}
	_, err := next.Update(sellAll(t, next, leafOf8, 5_000))
	wantRule(t, err, rule.POI006)
	replace(t, next.Poisoned(leafOf8), sellAll(t, next, leafOf8, 5_000))
}

func TestCountersRunOutAndFallBack(t *testing.T) {
	tree := build(t, terms(t, 8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")))
	for range 2 {
		tree = replace(t, tree, sellAll(t, tree, leafOf8, 1_000))
	}
	if _, ok := tree.NextRemaining(leafOf8); ok {
		t.Fatal("a third update of K=3 states is possible")
	}
	id, ok := tree.Lowest([]factory.ClientIndex{5})
	if !ok || id != (factory.NodeID{Level: 1}) {
		t.Fatalf("fell back to %s, want 1/0", id)
	}
	tree = replace(t, tree, sellAll(t, tree, id, 1_000))
	if got := tree.Remaining(leafOf8); got != 2 {
		t.Errorf("the leaf below starts at %d, want 2", got)
	}
	for c := range factory.ClientIndex(8) {
		checkCover(t, tree, c)
	}
}

func TestUpdateRefuses(t *testing.T) {
	tree := build(t, terms(t, 8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")))
	tests := []struct {
		name  string
		spoil func(*factory.Change)
		want  rule.ID
	}{
		{"counter not smaller", func(c *factory.Change) { c.Remaining = 2 }, rule.DELAY002},
		{"a sat too much", func(c *factory.Change) { c.Amounts.Capacities[0]++ }, rule.CER043},
		{"a client gets less", func(c *factory.Change) {
			c.Amounts.Capacities[1]--
			c.Amounts.Capacities[0]++
		}, rule.PS005},
		{"a kickoff", func(c *factory.Change) { c.Node = factory.NodeID{Level: 2} }, rule.CER041},
		{"no node", func(c *factory.Change) { c.Node = factory.NodeID{Level: 9, Position: 9} }, rule.CER041},
		{"a channel too few", func(c *factory.Change) { c.Channels = c.Channels[1:] }, rule.CER013},
		{"channels of others", func(c *factory.Change) { c.ChannelsFirst = 0 }, rule.CER013},
		{"other clients", func(c *factory.Change) { c.Amounts.Region.First = 0 }, rule.CER013},
		{"clients beyond the last", func(c *factory.Change) { c.Amounts.Region.First = 65_000 }, rule.CER013},
		{"channels beyond the last client", func(c *factory.Change) { c.ChannelsFirst = 65_000 }, rule.CER013},
		{"a stock too few", func(c *factory.Change) { c.Amounts.Stocks = c.Amounts.Stocks[1:] }, rule.CER013},
		{"a stock too small", func(c *factory.Change) {
			c.Amounts.Capacities[0] += c.Amounts.Stocks[0] - 659
			c.Amounts.Stocks[0] = 659
		}, rule.TREE024},
		{"a negative stock", func(c *factory.Change) { c.Amounts.Stocks[0] = -1 }, rule.TREE022},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change := sellAll(t, tree, leafOf8, 1_000)
			tt.spoil(&change)
			_, err := tree.Update(change)
			wantRule(t, err, tt.want)
		})
	}
}

func TestFailedAttempts(t *testing.T) {
	tree := build(t, terms(t, 8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")))
	change := sellAll(t, tree, leafOf8, 1_000)
	failed := must(tree.Update(change))(t)
	after := must(tree.Fail(failed))(t)
	if r, ok := after.NextRemaining(leafOf8); !ok || r != 0 {
		t.Fatalf("the next counter is %d %v, want 0", r, ok)
	}
	if again := must(after.Update(change))(t); again != failed {
		t.Error("the same attempt again is another update")
	}
	other := change
	other.Channels = append([]factory.Channel{channelAt(4, 9)}, change.Channels[1:]...)
	_, err := after.Update(other)
	wantRule(t, err, rule.DELAY002)

	retried := must(after.Replace(failed))(t)
	if got := len(must(retried.Poisons(leafOf8))(t)); got != 6 {
		t.Errorf("%d poison transactions after the attempt was made again, want those of 1 leaf", got)
	}
	second := must(after.Update(sellAll(t, after, leafOf8, 2_000)))(t)
	done := must(after.Replace(second))(t)
	if got := len(must(done.Poisons(leafOf8))(t)); got != 12 {
		t.Errorf("%d poison transactions, want those of the old leaf and of the failed one", got)
	}
	if _, err := done.Replace(failed); err == nil {
		t.Error("a state older than the live one replaces it")
	}

	top := factory.NodeID{Level: 1}
	above := must(tree.Fail(must(tree.Update(sellAll(t, tree, top, 1_000)))(t)))(t)
	_, err = above.Update(sellAll(t, above, leafOf8, 1_000))
	wantRule(t, err, rule.POI005)
}

// TestUpdateViewsAgree compares updates as the LSP and a client compute them.
func TestUpdateViewsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		whole := build(t, terms(t, n, drawShape(t, n)))
		c := factory.ClientIndex(rapid.IntRange(0, n-1).Draw(t, "client"))
		own := buildFor(t, whole, c)
		for range rapid.IntRange(1, 3).Draw(t, "updates") {
			node, ok := whole.Lowest([]factory.ClientIndex{c, factory.ClientIndex(rapid.IntRange(0, n-1).Draw(t, "other"))})
			if !ok {
				return
			}
			change := sellAll(t, whole, node, factory.Sat(rapid.IntRange(0, 9_000).Draw(t, "amount")))
			u := must(whole.Update(change))(t)
			mine := must(own.Update(must(whole.Factory().ChangeFor(c, change))(t)))(t)
			sameTx(t, u.State, mine.State)
			sameSlots(t, u.Phase0(c), mine.Phase0(c))
			sameSlots(t, mine.Phase0(c), mine.Phase0All())
			whole, own = must(whole.Replace(u))(t), must(own.Replace(mine))(t)
			sameSlots(t, must(whole.PoisonSlots(node, c))(t), must(own.PoisonSlots(node, c))(t))
			whole, own = whole.Poisoned(node), own.Poisoned(node)
			if a, b := must(whole.Cover(c))(t), must(own.Cover(c))(t); a != b {
				t.Fatalf("cover %d and %d", a, b)
			}
		}
	})
}

func TestUpdateViewsAgreeAbove200(t *testing.T) {
	whole := build(t, terms(t, 420, shapeOf(t, "kickoff 1 / state 3 / kickoff 2 / ps 12")))
	node := factory.NodeID{Level: 1}
	for _, c := range []factory.ClientIndex{0, 200, 419} {
		own := buildFor(t, whole, c)
		change := sellAll(t, whole, node, 3_000)
		u := must(whole.Update(change))(t)
		mine := must(own.Update(must(whole.Factory().ChangeFor(c, change))(t)))(t)
		sameTx(t, u.State, mine.State)
		sameSlots(t, u.Phase0(c), mine.Phase0(c))
	}
}

// TestAnythingMayBeChanged proposes nonsense: an error, never a panic.
func TestAnythingMayBeChanged(t *testing.T) {
	tree := build(t, terms(t, 8, shapeOf(t, "kickoff 1 / state 2 / kickoff 1 / ps 2")))
	rapid.Check(t, func(t *rapid.T) {
		change := sellAll(t, tree, leafOf8, 1_000)
		node := rapid.Custom(func(t *rapid.T) factory.NodeID {
			return factory.NodeID{Level: rapid.Uint8().Draw(t, "level"), Position: rapid.Uint16Range(0, 3).Draw(t, "position")}
		})
		index := rapid.Custom(func(t *rapid.T) factory.ClientIndex { return factory.ClientIndex(rapid.Uint16().Draw(t, "index")) })
		amount := rapid.Custom(func(t *rapid.T) factory.Sat { return factory.Sat(rapid.Int64().Draw(t, "amount")) })
		change.Node = rapid.OneOf(rapid.Just(change.Node), rapid.Just(factory.NodeID{Level: 1}), node).Draw(t, "node")
		change.Remaining = rapid.Uint8().Draw(t, "remaining")
		change.Amounts.Region.First = rapid.OneOf(rapid.Just(factory.ClientIndex(4)), index).Draw(t, "first")
		change.Amounts.Region.Count = rapid.OneOf(rapid.Just(uint16(4)), rapid.Uint16()).Draw(t, "count")
		change.Amounts.Capacities = rapid.SliceOfN(amount, 0, 8).Draw(t, "capacities")
		change.Amounts.Stocks = rapid.SliceOfN(amount, 0, 4).Draw(t, "stocks")
		change.Amounts.Sums = rapid.SliceOfN(rapid.SliceOfN(amount, 0, 2), 0, 3).Draw(t, "sums")
		change.ChannelsFirst = rapid.OneOf(rapid.Just(factory.ClientIndex(4)), index).Draw(t, "channels")
		if u, err := tree.Update(change); err == nil {
			_ = must(tree.Replace(u))(t)
		}
		o := order(tree, leafOf8, 0, 4, 10_000)
		o.Leaf = rapid.OneOf(rapid.Just(leafOf8), node).Draw(t, "leaf")
		o.Group, o.Before = rapid.Uint8().Draw(t, "group"), rapid.Uint8Range(0, 1).Draw(t, "before")
		o.Buyer, o.Amount = index.Draw(t, "buyer"), amount.Draw(t, "amount")
		if s, err := tree.Sell(o); err == nil {
			_ = must(tree.Sold(s))(t)
		}
	})
}
