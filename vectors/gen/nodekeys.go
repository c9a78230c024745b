package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/vectors"
	"superscalar/wire/rule"
)

func nodeKeys() (vectors.File, error) {
	f := file("SIGN", "node_keys", "SPEC.md 5.1; BIP-327",
		"The record node_keys of a proposal of this shape to client: key_sets are its key sets, each the first client and the number of clients, to whose keys the LSP's comes; node_keys are their BIP-327 aggregates (KeySort, KeyAgg), compressed, without a tweak. In a bad vector a client that checks them has to find them wrong: kind wrong-key, or wrong-count when there are more or fewer than key sets. Nothing but shape and factory keys decides.")
	for i, c := range []struct {
		n, client int
		shape     string
	}{
		{1, 0, "kickoff 1 / dw 1"},
		{2, 1, "kickoff 1 / ps 2"},
		{3, 0, "kickoff 1 / ps 2"},
		{5, 4, "static 2 / kickoff 1 / ps 2"},
		{8, 5, "static 2 / kickoff 2 / dw 2"},
		{16, 9, "kickoff 1 / state 2 / kickoff 1 / ps 3"},
		{127, 100, "static 4 / static 8 / kickoff 1 / ps 2"},
	} {
		v := &vectors.NodeKeys{
			Head: head(fmt.Sprintf("node-keys-%d-client-%d", c.n, c.client), rule.SIGN001, rule.SIGN021), Shape: shapeOf(c.shape), Client: vectors.Uint(c.client),
			LSPKey: publicKey("node keys lsp", i), Keys: publicKeysOf(fmt.Sprintf("node keys %d", i), c.n),
		}
		if err := fillNodeKeys(v); err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, v)
		if c.n <= small {
			f.Vectors = append(f.Vectors, wrongNodeKeys(v)...)
		}
	}
	return f, nil
}

// fillNodeKeys aggregates set by set: package factory, which does it for a
// proposal, is asked for the sets alone.
func fillNodeKeys(v *vectors.NodeKeys) error {
	l, err := factory.NewLayout(len(v.Keys), factoryShape(v.Shape), rule.Set{})
	if err != nil {
		return err
	}
	lsp, err := parseKey(v.LSPKey)
	if err != nil {
		return err
	}
	keys, err := parseKeys(v.Keys)
	if err != nil {
		return err
	}
	for _, r := range l.KeySets(factory.ClientIndex(v.Client)) {
		sum, err := musig.Aggregate(append(slices.Clone(keys[r.First:r.End()]), lsp))
		if err != nil {
			return err
		}
		raw := sum.PlainKey()
		v.NodeKeys = append(v.NodeKeys, raw[:])
		v.KeySets = append(v.KeySets, []vectors.Uint{vectors.Uint(r.First), vectors.Uint(r.Count)})
	}
	return nil
}

// wrongNodeKeys are what an LSP may send instead.
func wrongNodeKeys(v *vectors.NodeKeys) []vectors.Vector {
	var out []vectors.Vector
	bad := func(name, kind string, f func(keys []vectors.Hex) []vectors.Hex) {
		c := *v
		c.Name, c.KeySets = v.Name+"-"+name, nil
		c.Rules, c.Outcome = []rule.ID{rule.CER047, rule.SIGN020}, fault(kind, "node_keys", -1, rule.CER047)
		c.NodeKeys = f(slices.Clone(v.NodeKeys))
		out = append(out, &c)
	}
	last := len(v.NodeKeys) - 1
	put := func(at int, b []byte) func([]vectors.Hex) []vectors.Hex {
		return func(keys []vectors.Hex) []vectors.Hex { keys[at] = b; return keys }
	}
	bad("foreign", "wrong-key", put(last, publicKey("node keys foreign", 0)))
	bad("opposite", "wrong-key", put(last, oppositeOf(v.NodeKeys[last])))
	bad("infinity", "wrong-key", put(0, make([]byte, 33)))
	bad("of-a-client-alone", "wrong-key", put(0, v.Keys[0]))
	bad("too-many", "wrong-count", func(keys []vectors.Hex) []vectors.Hex { return append(keys, keys[0]) })
	if last == 0 {
		return out
	}
	bad("too-few", "wrong-count", func(keys []vectors.Hex) []vectors.Hex { return keys[:last] })
	bad("swapped", "wrong-key", func(keys []vectors.Hex) []vectors.Hex {
		keys[last-1], keys[last] = keys[last], keys[last-1]
		return keys
	})
	if last == 1 {
		return out
	}
	bad("opposite-errors", "wrong-key", func(keys []vectors.Hex) []vectors.Hex {
		// One key more in one set, one less in another: the sum of all stays.
		keys[1], keys[2] = sumOf(keys[1], v.Keys[0]), sumOf(keys[2], oppositeOf(v.Keys[0]))
		return keys
	})
	return out
}

// sumOf adds two points.
func sumOf(a, b []byte) vectors.Hex {
	var points [2]btcec.JacobianPoint
	for i, raw := range [][]byte{a, b} {
		key, err := btcec.ParsePubKey(raw)
		if err != nil {
			panic(fmt.Sprintf("a key of this package: %v", err))
		}
		key.AsJacobian(&points[i])
	}
	btcec.AddNonConst(&points[0], &points[1], &points[0])
	points[0].ToAffine()
	return btcec.NewPublicKey(&points[0].X, &points[0].Y).SerializeCompressed()
}

// oppositeOf is the opposite point.
func oppositeOf(b []byte) []byte {
	out := bytes.Clone(b)
	out[0] ^= 1
	return out
}

func (r runner) nodeKeys(v *vectors.NodeKeys) error {
	shape := factoryShape(v.Shape)
	l, err := factory.NewLayout(len(v.Keys), shape, r.rules)
	if err != nil {
		return err
	}
	t := termsOf(len(v.Keys), l.GroupCount(factory.NodeID{}), shape.String())
	t.LSPKey, t.Keys = v.LSPKey, v.Keys
	terms, _, err := factoryTerms(t)
	if err != nil {
		return err
	}
	f, err := factory.New(terms, r.rules)
	if err != nil {
		return err
	}
	c := factory.ClientIndex(v.Client)
	sent := make([][33]byte, len(v.NodeKeys))
	for i, key := range v.NodeKeys {
		if copy(sent[i][:], key) != len(key) {
			return fmt.Errorf("key %d has %d bytes", i, len(key))
		}
	}
	err = f.TakeNodeKeys(c, sent, newSource("check of "+v.Name).r)
	if v.Error != nil {
		return refusedNodeKeys(v, err)
	}
	if err != nil {
		return err
	}
	var sets [][]vectors.Uint
	for _, s := range l.KeySets(c) {
		sets = append(sets, []vectors.Uint{vectors.Uint(s.First), vectors.Uint(s.Count)})
	}
	if !slices.EqualFunc(sets, v.KeySets, slices.Equal) {
		return fmt.Errorf("key sets are %v", sets)
	}
	own, err := factory.New(terms, r.rules) // which has not been told any
	if err != nil {
		return err
	}
	computed, err := own.NodeKeys(c)
	if err != nil {
		return err
	}
	if !slices.Equal(computed, sent) {
		return fmt.Errorf("node_keys are %x", computed)
	}
	return nil
}

// refusedNodeKeys compares why they were refused.
func refusedNodeKeys(v *vectors.NodeKeys, err error) error {
	id, ok := factory.RuleOf(err)
	kind := "wrong-count"
	if errors.Is(err, musig.ErrClaim) {
		kind = "wrong-key"
	}
	if !ok || id != v.Error.Rule || kind != v.Error.Kind {
		return fmt.Errorf("refused with %v, want %s by %s", err, v.Error.Kind, v.Error.Rule)
	}
	return nil
}
