package musig

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fr"
	"pgregory.net/rapid"
)

// edges are the scalars at which multiplications go wrong first.
func edges() []scalar {
	var out []scalar
	for _, n := range []uint32{0, 1, 2, 3, 4, 15, 16} {
		var s scalar
		s.SetInt(n)
		out = append(out, s)
		s.Negate()
		out = append(out, s)
	}
	half := scalar{}
	half.SetInt(2)
	half.InverseNonConst()

	return append(out, half, hashScalar(number("edge", 0)))
}

// btcecMul is k*P in the other library.
func btcecMul(p *point, k *scalar) *btcec.JacobianPoint {
	raw := compress(p)
	key, err := btcec.ParsePubKey(raw[:])
	if err != nil {
		panic(err)
	}
	var base, product btcec.JacobianPoint
	key.AsJacobian(&base)
	btcec.ScalarMultNonConst(k, &base, &product)

	return &product
}

// sameAs compares a point with one of the other library.
func sameAs(j *jacobian, want *btcec.JacobianPoint) bool {
	p := affine(j)
	raw := compress(&p)

	return string(raw[:]) == string(btcec.JacobianToByteSlice(*want))
}

// TestEdgesOfArithmetic compares every pair of edge scalars on points that are
// equal, opposite, related by the curve's endomorphism, or unrelated: an
// attacker chooses points that make additions degenerate.
func TestEdgesOfArithmetic(t *testing.T) {
	p := secretKey(t, "curve", 0).PublicKey().point
	lambda := hashScalar([32]byte(unhex(t,
		"5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72")))
	minus, two := generator, mul(&p, new(scalar).SetInt(2))
	minus.Neg(&p)
	image := mul(&p, &lambda)
	others := []point{p, minus, affine(&two), affine(&image), generator}
	for _, k := range edges() {
		base, want := baseMul(&k), btcecMul(&generator, &k)
		if !sameAs(&base, want) {
			t.Fatalf("%v*G", k)
		}
		single := mul(&p, &k)
		if !sameAs(&single, btcecMul(&p, &k)) {
			t.Fatalf("%v*P", k)
		}
		for _, l := range edges() {
			for i := range others {
				sum := mulTwo(&p, &k, &others[i], &l)
				var want btcec.JacobianPoint
				btcec.AddNonConst(btcecMul(&p, &k),
					btcecMul(&others[i], &l), &want)
				if !sameAs(&sum, &want) {
					t.Fatalf("%v*P + %v*Q, Q the %d. point", k, l, i)
				}
			}
		}
	}
	var infinity point
	if j := mul(&infinity, &lambda); !j.Z.IsZero() {
		t.Fatal("a multiple of infinity")
	}
}

// TestMultiExp compares with single multiplications, with points and scalars
// repeated so that additions degenerate.
func TestMultiExp(t *testing.T) {
	choice := edges()
	points := make([]point, 6)
	for i := range points {
		points[i] = secretKey(t, "multi", i/2).PublicKey().point
		if i%2 == 1 {
			points[i].Neg(&points[i])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 20, 64, 300, 700}).Draw(t, "n")
		span := rapid.IntRange(1, len(choice)).Draw(t, "span")
		var ps []point
		var ks []fr.Element
		var want jacobian
		counts := make([]scalar, len(points))
		for i := range n {
			at := i * i % len(points)
			k := choice[(i*7+i/3)%span]
			ps, ks = append(ps, points[at]), append(ks, element(&k))
			counts[at].Add(&k)
		}
		for at := range points {
			product := mul(&points[at], &counts[at])
			want.AddAssign(&product)
		}
		got, err := multiExp(ps, ks)
		if err != nil {
			t.Fatal(err)
		}
		if affine(&got) != affine(&want) {
			t.Fatalf("sum of %d products differs", n)
		}
	})
}
