package harness

import (
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// NodeKeysOf computes what the node_keys of a proposal have to be (SIGN-021), set
// by set. Errors: a shape that cannot be laid out, a key that is not a point.
func NodeKeysOf(m *wire.Proposal) ([][33]byte, error) {
	shape := factory.Shape{Leaf: factory.LeafKind(m.Shape.Leaf)}
	for _, l := range m.Shape.Levels {
		shape.Levels = append(shape.Levels, factory.Level{Kind: factory.Kind(l.Kind), Arity: l.Arity})
	}
	l, err := factory.NewLayout(len(m.FactoryKeys), shape, rule.Set{})
	if err != nil {
		return nil, err
	}
	keys, err := musig.ParsePublicKeys(append(slices.Clone(m.FactoryKeys), m.LSPFactoryKey))
	if err != nil {
		return nil, err
	}
	lsp := keys[len(keys)-1]
	var out [][33]byte
	for _, r := range l.KeySets(factory.ClientIndex(m.ClientIndex)) {
		sum, err := musig.Aggregate(append(slices.Clone(keys[r.First:r.End()]), lsp))
		if err != nil {
			return nil, err
		}
		out = append(out, sum.PlainKey())
	}
	return out, nil
}

// SumOf adds two points of the suite's own, which are no opposites.
func SumOf(a, b wire.Point) (out wire.Point) {
	var points [2]btcec.JacobianPoint
	for i, raw := range []wire.Point{a, b} {
		key, err := btcec.ParsePubKey(raw[:])
		if err != nil {
			panic("the suite adds what is not a point: " + err.Error())
		}
		key.AsJacobian(&points[i])
	}
	btcec.AddNonConst(&points[0], &points[1], &points[0])
	points[0].ToAffine()
	copy(out[:], btcec.NewPublicKey(&points[0].X, &points[0].Y).SerializeCompressed())
	return out
}
