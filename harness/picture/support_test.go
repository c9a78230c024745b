package picture_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

func key(t testing.TB, role string, i int) *musig.PublicKey {
	t.Helper()
	seed := sha256.Sum256(fmt.Appendf(nil, "%s/%d", role, i))
	secret, _ := btcec.PrivKeyFromBytes(seed[:])
	public, err := musig.NewPublicKey(secret.PubKey())
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func channel(t testing.TB, i, generation int) factory.Channel {
	t.Helper()
	c, err := factory.NewChannel(key(t, "channel", i).Bytes(), key(t, "lsp channel", generation).Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newTree is the LSP's tree of a shape: 100,000 sat in each channel, 60,000 sat
// of stock for each client.
func newTree(t testing.TB, clients int, shape string, view factory.View) *factory.Tree {
	t.Helper()
	s, err := factory.ParseShape(shape)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := factory.NewLayout(clients, s, rule.Set{})
	if err != nil {
		t.Fatal(err)
	}
	terms := factory.Terms{
		Shape: s, Params: factory.DefaultParams(s.Leaf), LSP: key(t, "lsp", 0),
		Amounts: factory.Amounts{Region: factory.Range{Count: uint16(clients)}},
	}
	if s.StateLevels() > 1 {
		terms.Params.States = 3
	}
	terms.Params.TipHeight = 900_000
	if terms.Params.Expiry, err = terms.Params.ExpiryFor(s); err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		terms.Keys = append(terms.Keys, key(t, "client", i))
		terms.Amounts.Capacities = append(terms.Amounts.Capacities, 100_000)
		terms.Payouts = append(terms.Payouts, key(t, "payout", i).XOnly())
		terms.Channels = append(terms.Channels, channel(t, i, 0))
	}
	for _, id := range layout.Nodes() {
		for _, group := range layout.Groups(id) {
			terms.Amounts.Stocks = append(terms.Amounts.Stocks, 60_000*factory.Sat(group.Count))
		}
	}
	f, err := factory.New(terms, rule.Set{})
	if err != nil {
		t.Fatal(err)
	}
	tree, err := f.Build(wire.OutPoint{Hash: chainhash.Hash{1, 2, 3}, Index: 1}, view)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// sold sells to a client from the stock of its group.
func sold(t testing.TB, tree *factory.Tree, buyer factory.ClientIndex, amount factory.Sat) *factory.Tree {
	t.Helper()
	leaf, group, _ := tree.Factory().Layout().Group(buyer)
	before := len(tree.Sales(leaf, group))
	sale, err := tree.Sell(factory.Order{
		Leaf: leaf, Group: group, Before: uint8(before), Buyer: buyer, Amount: amount, Channel: channel(t, int(buyer), 1+before),
	})
	if err != nil {
		t.Fatal(err)
	}
	if tree, err = tree.Sold(sale); err != nil {
		t.Fatal(err)
	}
	return tree
}

// updated moves stock into a client's channel by replacing its leaf.
func updated(t testing.TB, tree *factory.Tree, buyer factory.ClientIndex, amount factory.Sat) *factory.Tree {
	t.Helper()
	node, _ := tree.Lowest([]factory.ClientIndex{buyer})
	remaining, _ := tree.NextRemaining(node)
	n, _ := tree.Node(node)
	change := factory.Change{
		Node: node, Remaining: remaining, ChannelsFirst: n.Clients.First,
		Amounts: factory.Amounts{Region: n.Clients, Stocks: []factory.Sat{60_000*factory.Sat(n.Clients.Count) - amount}},
	}
	for i := range int(n.Clients.Count) {
		c := n.Clients.First + factory.ClientIndex(i)
		capacity := factory.Sat(100_000)
		if c == buyer {
			capacity += amount
		}
		change.Amounts.Capacities = append(change.Amounts.Capacities, capacity)
		change.Channels = append(change.Channels, channel(t, int(c), 1))
	}
	u, err := tree.Update(change)
	if err != nil {
		t.Fatal(err)
	}
	if tree, err = tree.Replace(u); err != nil {
		t.Fatal(err)
	}
	return tree.Poisoned(node)
}
