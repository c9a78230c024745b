package musig

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// lambda is what the endomorphism multiplies with.
var lambda = mustScalar(0x5363ad4cc05c30e0, 0xa5261c028812645a, 0x122e22ea20816678, 0xdf02967c1b23bd72)

// mustScalar is a constant below the group order, its highest word first.
func mustScalar(a, b, c, d uint64) (s scalar) {
	var raw [32]byte
	for i, w := range []uint64{a, b, c, d} {
		binary.BigEndian.PutUint64(raw[8*i:], w)
	}
	s.SetBytes(&raw)

	return s
}

// edges are the scalars at which multiplications go wrong first: at the ends
// of the range, around a digit, at the ends of a half, at lambda.
func edges() []scalar {
	var out []scalar
	add := func(s scalar) {
		out = append(out, s)
		out = append(out, *s.Negate())
	}
	for _, n := range []uint32{0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33} {
		add(*new(scalar).SetInt(n))
	}
	one := new(scalar).SetInt(1)
	power := mustScalar(0, 1, 0, 0) // 2^128
	add(power)
	add(*new(scalar).Set(one).Negate().Add(&power))
	add(mustScalar(0, 0, 1, 0))
	add(mustScalar(0, 0, 1<<63-1, 1<<64-1))
	add(*new(scalar).SetInt(2).InverseNonConst())
	add(hashScalar(number("edge", 0)))
	add(lambda)
	add(*new(scalar).Set(&lambda).Add(one))
	add(*new(scalar).Mul2(&lambda, &power))
	add(*new(scalar).Mul2(&lambda, &lambda))

	return out
}

// btcecMul is k*P in the other library.
func btcecMul(p *point, k *scalar) *btcec.JacobianPoint {
	var product btcec.JacobianPoint
	if p.isInfinity() {
		return &product
	}
	raw := p.compress()
	key, err := btcec.ParsePubKey(raw[:])
	if err != nil {
		panic(err)
	}
	var base btcec.JacobianPoint
	key.AsJacobian(&base)
	btcec.ScalarMultNonConst(k, &base, &product)

	return &product
}

// btcecSum is a sum in the other library.
func btcecSum(terms []term) *btcec.JacobianPoint {
	var sum btcec.JacobianPoint
	for i := range terms {
		before := sum
		btcec.AddNonConst(&before, btcecMul(terms[i].p, &terms[i].k), &sum)
	}

	return &sum
}

// sameAs compares a point with one of the other library.
func sameAs(j *jacobian, want *btcec.JacobianPoint) bool {
	p := j.affine()
	raw := p.compress()

	return string(raw[:]) == string(btcec.JacobianToByteSlice(*want))
}

// relatives are points whose sums degenerate: equal, opposite, images under
// the endomorphism, small multiples of each other, infinity; and one that is
// unrelated. An attacker chooses such points.
func relatives(t testing.TB) []point {
	p := secretKey(t, "curve", 0).PublicKey().point
	points := []point{p, p, {}, generator}
	for _, k := range []uint32{2, 3, 15, 16, 31} {
		j := sum(term{&p, *new(scalar).SetInt(k)})
		points = append(points, j.affine())
	}
	for _, k := range []scalar{lambda, *new(scalar).Mul2(&lambda, &lambda)} {
		j := sum(term{&p, k})
		points = append(points, j.affine())
	}
	for i := range len(points) {
		var minus point
		minus.neg(&points[i])
		points = append(points, minus)
	}

	return points
}

// TestEdgesOfArithmetic compares every pair of edge scalars on related points.
func TestEdgesOfArithmetic(t *testing.T) {
	points := relatives(t)
	p := points[0]
	var sets [][]term
	for _, k := range edges() {
		for i, l := range edges() {
			for j := range points {
				if (i+j)%3 == 0 { // a third is enough of all
					sets = append(sets, []term{{&p, k}, {&points[j], l}})
				}
			}
			sets = append(sets, []term{{&generator, k}, {&points[i%len(points)], l}})
		}
	}
	for i, got := range sums(sets) {
		if !sameAs(&got, btcecSum(sets[i])) {
			t.Fatalf("%v*%v + %v*%v", sets[i][0].k, sets[i][0].p, sets[i][1].k, sets[i][1].p)
		}
	}
}

// TestAdditions compares both additions on every pair of related points, in
// numbers below and above the field size.
func TestAdditions(t *testing.T) {
	points := relatives(t)
	one := *new(scalar).SetInt(1)
	for i := range points {
		for j := range points {
			want := btcecSum([]term{{&points[i], one}, {&points[j], one}})
			var mixed jacobian
			mixed.add(&points[i])
			if !mixed.isInfinity() { // another representation
				z := seven
				var power element
				power.square(&z)
				mixed.x.mul(&mixed.x, &power)
				power.mul(&power, &z)
				mixed.y.mul(&mixed.y, &power)
				mixed.z = z
			}
			mixed.add(&points[j])
			if !sameAs(&mixed, want) {
				t.Fatalf("%v + %v", points[i], points[j])
			}
			list := []point{points[i], points[j], {}}
			new(adder).addPairs(list, []pair{{2, 0, 1}})
			var paired jacobian
			paired.add(&list[2])
			if !sameAs(&paired, want) {
				t.Fatalf("%v + %v in a batch", points[i], points[j])
			}
		}
	}
}

// TestSums compares sums of 1 to 64 products, and some across blocks, many
// sums at once, with points and scalars repeated so that additions degenerate.
func TestSums(t *testing.T) {
	points, choice := relatives(t), edges()
	for i := range 20 {
		points = append(points, secretKey(t, "sums", i).PublicKey().point)
		choice = append(choice, hashScalar(number("sums", i)))
	}
	sizes := []int{0, blockTerms - 1, blockTerms, blockTerms + 1, 2*blockTerms + 1}
	for n := range 64 {
		sizes = append(sizes, n+1)
	}
	rapid.Check(t, func(t *rapid.T) {
		spread := rapid.IntRange(1, len(points)).Draw(t, "points")
		span := rapid.IntRange(1, len(choice)).Draw(t, "scalars")
		skip := rapid.IntRange(0, 1000).Draw(t, "skip")
		var sets [][]term
		var wants []btcec.JacobianPoint
		for _, n := range sizes {
			var terms []term
			counts := make([]scalar, len(points))
			for i := range n {
				at, k := (skip+i*i)%spread, choice[(skip+i*7+i/3)%span]
				p := &points[at]
				if *p == generator { // has its own table
					p = &generator
				}
				terms = append(terms, term{p, k})
				counts[at].Add(&k)
			}
			var together []term
			for at := range points {
				if !counts[at].IsZero() {
					together = append(together, term{&points[at], counts[at]})
				}
			}
			sets, wants = append(sets, terms), append(wants, *btcecSum(together))
		}
		for i, got := range sums(sets) {
			if !sameAs(&got, &wants[i]) {
				t.Fatalf("sum %d of %d products differs", i, len(sets[i]))
			}
		}
	})
}

// TestBaseMuls compares k*G, a few at once and across batches, at edges and for
// numbers in which digits are rare.
func TestBaseMuls(t *testing.T) {
	ks := edges()
	for i := range 2 * baseBatch {
		ks = append(ks, hashScalar(number("base", i)), *new(scalar).SetInt(uint32(i * i)))
	}
	for _, n := range []int{0, 1, 2, 7, baseBatch, baseBatch + 1, len(ks)} {
		for skip := 0; skip+n <= len(ks); skip += n + len(ks)/3 {
			for i, p := range baseMuls(ks[skip : skip+n]) {
				k := &ks[skip+i]
				var j jacobian
				if j.add(&p); !sameAs(&j, btcecMul(&generator, k)) {
					t.Fatalf("%v*G among %d from %d", k, n, skip)
				}
			}
		}
	}
}

// TestChoose reads every place of a table.
func TestChoose(t *testing.T) {
	points := relatives(t)
	for i := range points {
		if choose(points, uint64(i)) != points[i] {
			t.Errorf("place %d", i)
		}
	}
}

// TestSplit checks that the halves are short and make up the number.
func TestSplit(t *testing.T) {
	check := func(k scalar) bool {
		halves := split(&k)
		var total scalar
		for i, h := range halves {
			part := mustScalar(0, 0, h.high, h.low)
			if h.minus {
				part.Negate()
			}
			if i == 1 {
				part.Mul(&lambda)
			}
			total.Add(&part)
		}

		return total.Equals(&k)
	}
	for _, k := range edges() {
		if !check(k) {
			t.Fatalf("split of %v", k)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var raw [32]byte
		copy(raw[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "k"))
		if k := hashScalar(raw); !check(k) {
			t.Fatalf("split of %v", k)
		}
	})
}
