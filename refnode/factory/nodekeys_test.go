package factory_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire/rule"
)

// clientFactory is what client c makes of a proposal.
func clientFactory(tb fataler, whole *factory.Tree, c factory.ClientIndex, rules rule.Set) *factory.Factory {
	tb.Helper()

	return must(factory.New(must(whole.Factory().TermsFor(c))(tb), rules))(tb)
}

// TestKeySets counts the sets of some trees by hand.
func TestKeySets(t *testing.T) {
	for _, tt := range []struct {
		shape   string
		clients int
		client  factory.ClientIndex
		want    []factory.Range
	}{
		{"kickoff 1 / dw 2", 2, 1, []factory.Range{{First: 0, Count: 2}}},
		{"kickoff 1 / ps 2", 1, 0, []factory.Range{{First: 0, Count: 1}}},
		{"kickoff 1 / ps 2", 3, 0, []factory.Range{{First: 0, Count: 3}, {First: 0, Count: 2}, {First: 2, Count: 1}}},
		{"static 2 / kickoff 1 / ps 2", 5, 4, []factory.Range{{First: 0, Count: 5}, {First: 0, Count: 3}, {First: 3, Count: 2}}},
		{"static 2 / kickoff 1 / ps 2", 5, 0, []factory.Range{{First: 0, Count: 5}, {First: 0, Count: 3}, {First: 3, Count: 2}, {First: 0, Count: 2}, {First: 2, Count: 1}}},
		{"static 2 / kickoff 2 / dw 2", 8, 5, []factory.Range{{First: 0, Count: 8}, {First: 0, Count: 4}, {First: 4, Count: 4}, {First: 4, Count: 2}, {First: 6, Count: 2}}},
	} {
		l := must(factory.NewLayout(tt.clients, shapeOf(t, tt.shape), rule.Set{}))(t)
		if got := l.KeySets(tt.client); !slices.Equal(got, tt.want) {
			t.Errorf("client %d of %d, %s: %v, want %v", tt.client, tt.clients, tt.shape, got, tt.want)
		}
		if got := l.KeySets(factory.ClientIndex(tt.clients)); got != nil {
			t.Errorf("%v for a client that does not exist", got)
		}
	}
	// What section 5.1 says of 127 clients.
	l := must(factory.NewLayout(127, factory.DefaultShape(127), rule.Set{}))(t)
	sets, terms := l.KeySets(0), 0
	for _, r := range sets {
		terms += int(r.Count) + 1
	}
	if len(sets) != 15 || terms != 305 {
		t.Errorf("%d sets with %d keys", len(sets), terms)
	}
}

// TestNodeKeys wants the tree of a client that takes the LSP's aggregates to be
// the tree of one that computes them, below 200 clients and above.
func TestNodeKeys(t *testing.T) {
	for _, n := range []int{1, 2, 7, 127, 402} {
		whole := build(t, terms(t, n, factory.DefaultShape(n)))
		for _, c := range []factory.ClientIndex{0, factory.ClientIndex(n / 2), factory.ClientIndex(n - 1)} {
			keys := must(whole.Factory().NodeKeys(c))(t)
			f := clientFactory(t, whole, c, rule.Set{})
			if err := f.TakeNodeKeys(c, keys, rand.Reader); err != nil {
				t.Fatalf("client %d of %d: %v", c, n, err)
			}
			took := must(f.Build(fundingPoint, factory.PathOf(c)))(t)
			sameSlots(t, whole.Slots(c), took.Slots(c))
			if own := must(clientFactory(t, whole, c, rule.Set{}).NodeKeys(c))(t); !slices.Equal(own, keys) {
				t.Fatalf("client %d of %d computes other keys", c, n)
			}
		}
	}
}

// TestNodeKeysSpareTheWork shows that Build uses the keys that were taken, which
// nothing but its price tells: a client that believes everything builds on a
// wrong one.
func TestNodeKeysSpareTheWork(t *testing.T) {
	whole := build(t, terms(t, 8, shapeOf(t, "static 2 / kickoff 1 / ps 2")))
	keys := must(whole.Factory().NodeKeys(0))(t)
	for i := range keys {
		wrong := slices.Clone(keys)
		wrong[i] = publicAt("foreign", i).Bytes()
		f := clientFactory(t, whole, 0, rule.Without(rule.SIGN020))
		if err := f.TakeNodeKeys(0, wrong, rand.Reader); err != nil {
			t.Fatal(err)
		}
		tree := must(f.Build(fundingPoint, factory.PathOf(0)))(t)
		same := true
		for k, tx := range tree.Slots(0) {
			right := whole.Slots(0)[k]
			same = same && tx.Sighash == right.Sighash
		}
		if same {
			t.Errorf("key %d of %d is not used", i, len(keys))
		}
	}
}

// TestNodeKeysRefused bends the keys in every way that an LSP may.
func TestNodeKeysRefused(t *testing.T) {
	whole := build(t, terms(t, 8, shapeOf(t, "static 2 / kickoff 1 / ps 2")))
	right := must(whole.Factory().NodeKeys(3))(t)
	refused := func(name string, keys [][33]byte) {
		t.Helper()
		f := clientFactory(t, whole, 3, rule.Set{})
		err := f.TakeNodeKeys(3, keys, rand.Reader)
		if err == nil {
			t.Errorf("%s: taken", name)
			return
		}
		wantRule(t, err, rule.CER047)
		sameSlots(t, whole.Slots(3), must(f.Build(fundingPoint, factory.PathOf(3)))(t).Slots(3)) // nothing is kept
	}
	for i := range right {
		for what, key := range map[string][33]byte{"a foreign key": publicAt("foreign", 0).Bytes(), "no point": {}, "another key of it": right[(i+1)%len(right)]} {
			wrong := slices.Clone(right)
			wrong[i] = key
			refused(fmt.Sprintf("%s at %d", what, i), wrong)
		}
		wrong := slices.Clone(right)
		wrong[i][0] ^= 1
		refused(fmt.Sprintf("the opposite of %d", i), wrong)
	}
	turned := slices.Clone(right)
	slices.Reverse(turned)
	refused("the other way round", turned)
	refused("too few", right[1:])
	refused("too many", append(slices.Clone(right), right[0]))
	refused("none", nil)
	refused("those of another client", must(whole.Factory().NodeKeys(7))(t))

	f := clientFactory(t, whole, 3, rule.Set{})
	if err := f.TakeNodeKeys(3, right, nil); !errors.Is(err, musig.ErrRandom) {
		t.Errorf("without randomness: %v", err)
	}
	if err := f.TakeNodeKeys(8, right, rand.Reader); err == nil {
		t.Error("client 8 of 8 has keys")
	}
	if _, err := f.NodeKeys(8); err == nil {
		t.Error("client 8 of 8 has keys")
	}
}

// TestNodeKeysOfRandomTrees checks the order against the layout alone, and that
// both sides agree.
func TestNodeKeysOfRandomTrees(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "clients")
		shape := shapeOf(t, rapid.SampledFrom([]string{
			"static 3 / static 5 / kickoff 1 / ps 2", "static 7 / kickoff 2 / dw 4", "kickoff 3 / state 4 / kickoff 2 / ps 3",
		}).Draw(rt, "shape"))
		whole := build(rt, terms(rt, n, shape))
		c := factory.ClientIndex(rapid.IntRange(0, n-1).Draw(rt, "client"))
		l := whole.Factory().Layout()
		want := []factory.Range{{Count: uint16(n)}}
		add := func(r factory.Range) {
			if !slices.Contains(want, r) {
				want = append(want, r)
			}
		}
		path := l.Path(c)
		for _, id := range path {
			for _, child := range l.Children(id) {
				add(l.Range(child))
			}
		}
		for _, g := range l.Groups(path[len(path)-1]) {
			add(g)
		}
		if got := l.KeySets(c); !slices.Equal(got, want) {
			rt.Fatalf("%v, want %v", got, want)
		}
		keys := must(whole.Factory().NodeKeys(c))(rt)
		if err := clientFactory(rt, whole, c, rule.Set{}).TakeNodeKeys(c, keys, rand.Reader); err != nil {
			rt.Fatal(err)
		}
	})
}
