package musig

import (
	"math/bits"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
)

// This file verifies ECDSA, many signatures under one key: what a commitment_signed
// with many HTLCs brings, and most of what a payment costs. It handles public
// numbers only; whoever signs does that with btcec.

// ECDSASignature is a signature as BOLT 1 sends it: r and s, 32 bytes each,
// big-endian.
type ECDSASignature [64]byte

// ECDSAItem is a signature of a hash.
type ECDSAItem struct {
	Hash      [32]byte
	Signature ECDSASignature
}

const (
	// fewSignatures is the number from which a table for the key is worth its
	// price.
	fewSignatures = 6

	// keyWidth and baseWidth are the bits of a digit in the tables of a key and
	// of G, which is made once.
	keyWidth, baseWidth = 5, 8
)

// VerifyECDSA checks signatures under one key and says of each whether it is
// valid. s may be in the upper half.
func VerifyECDSA(key *btcec.PublicKey, items []ECDSAItem) []bool {
	valid := make([]bool, len(items))
	equations := make([]equation, 0, len(items))
	for i := range items {
		r, ok := parseScalar((*[32]byte)(items[i].Signature[:32]))
		s, below := parseScalar((*[32]byte)(items[i].Signature[32:]))
		if ok && below && !r.IsZero() && !s.IsZero() {
			equations = append(equations, equation{at: i, r: r, ofKey: s})
		}
	}
	// With w = 1/s the point is e*w*G + r*w*P.
	inverses := make([]scalar, len(equations))
	for i := range equations {
		inverses[i] = equations[i].ofKey
	}
	invertScalars(inverses)
	for i := range equations {
		q, e := &equations[i], hashScalar(items[equations[i].at].Hash)
		q.ofBase, q.ofKey = *e.Mul(&inverses[i]), *inverses[i].Mul(&q.r)
	}
	p := pointOf(key)
	for i, sum := range solve(&p, equations) {
		valid[equations[i].at] = sum.hasX(&equations[i].r)
	}

	return valid
}

// equation is a signature to verify: the x of ofBase*G + ofKey*P is r modulo n.
type equation struct {
	at               int
	r, ofBase, ofKey scalar
}

// solve returns the points of the equations.
func solve(key *point, equations []equation) []jacobian {
	if len(equations) < fewSignatures {
		sets := make([][]term, len(equations))
		for i := range equations {
			sets[i] = []term{{key, equations[i].ofKey}, {&generator, equations[i].ofBase}}
		}
		return sums(sets)
	}
	ofBase, ofKey := baseComb(), newComb(key, keyWidth)
	found := make([]jacobian, len(equations))
	concurrently((len(equations)+together-1)/together, func(b int) {
		from := b * together
		to := min(from+together, len(equations))
		work := adders.Get().(*adder)
		defer adders.Put(work)
		points := work.points[:0]
		var starts, ends []int32
		for i := from; i < to; i++ {
			starts = append(starts, int32(len(points)))
			points = ofKey.appendDigits(points, &equations[i].ofKey)
			points = ofBase.appendDigits(points, &equations[i].ofBase)
			ends = append(ends, int32(len(points)))
		}
		work.points = points
		work.addRows(points, 0, starts, ends)
		for i, start := range starts {
			found[from+i].addAll(points[start:ends[i]])
		}
	})

	return found
}

// order is n as an element: the few x from n on are those of r = x - n too.
var order = mustElement(0xffffffffffffffff, 0xfffffffffffffffe, 0xbaaedce6af48a03b, 0xbfd25e8cd0364141)

// hasX reports whether x modulo n is r; infinity has no x.
func (j *jacobian) hasX(r *scalar) bool {
	if j.isInfinity() {
		return false
	}
	raw := r.Bytes()
	x, _ := parseElement(raw[:])
	var zz, scaled, above element
	zz.square(&j.z)
	scaled.mul(&x, &zz)
	if scaled.equal(&j.x) {
		return true
	}
	above.add(&x, &order)
	if above.below(&x) { // r + n is not below p
		return false
	}
	scaled.mul(&above, &zz)

	return scaled.equal(&j.x)
}

// below reports z < x, as whole numbers.
func (z *element) below(x *element) bool {
	var borrow uint64
	for i := range z {
		_, borrow = bits.Sub64(z[i], x[i], borrow)
	}

	return borrow == 1
}

// comb has the multiples of a point P that digits stand for: m*2^(width*i)*P at
// place size*i+m-1, for m from 1 to size. A sum of them needs no doublings. It
// covers half a number: the other half is that of the image under the
// endomorphism.
type comb struct {
	width, size int
	points      []point
}

// baseComb is that of G, 139 kB.
var baseComb = sync.OnceValue(func() *comb { return newComb(&generator, baseWidth) })

// newComb makes the table of a public point.
func newComb(p *point, width int) *comb {
	c := &comb{width: width, size: 1 << (width - 1)}
	places := 128/width + 1
	powers := make([]jacobian, places)
	powers[0].add(p)
	for i := range powers[1:] {
		powers[i+1] = powers[i]
		for range width {
			powers[i+1].double()
		}
	}
	c.points = make([]point, c.size*places)
	for i, power := range affineAll(powers, false) {
		c.points[c.size*i] = power
	}
	work := adders.Get().(*adder)
	defer adders.Put(work)
	for known := 1; known < c.size; known *= 2 { // those up to known make those up to twice that
		pairs := work.pairs[:0]
		for at := 0; at < len(c.points); at += c.size {
			for m := range known {
				pairs = append(pairs, pair{int32(at + known + m), int32(at + known - 1), int32(at + m)})
			}
		}
		work.addPairs(c.points, pairs)
		work.pairs = pairs
	}

	return c
}

// appendDigits appends the points that add up to k*P, for public k.
func (c *comb) appendDigits(points []point, k *scalar) []point {
	for image, h := range split(k) {
		carry := 0
		for at := 0; h.low|h.high != 0 || carry != 0; at += c.size {
			value, minus := int(h.low%(2*uint64(c.size)))+carry, h.minus
			h.shift(c.width)
			if carry = 0; value > c.size {
				value, minus, carry = 2*c.size-value, !minus, 1
			}
			if value == 0 {
				continue
			}
			p := c.points[at+value-1]
			if image == 1 {
				p.x.mul(&p.x, &beta)
			}
			if minus {
				p.y.neg(&p.y)
			}
			points = append(points, p)
		}
	}

	return points
}

// invertScalars inverts every number, public and none of them zero, with one
// inversion.
func invertScalars(all []scalar) {
	products := make([]scalar, len(all))
	var product scalar
	product.SetInt(1)
	for i := range all {
		products[i] = product
		product.Mul(&all[i])
	}
	product.InverseNonConst()
	for i := len(all) - 1; i >= 0; i-- {
		before := all[i]
		all[i].Mul2(&products[i], &product)
		product.Mul(&before)
	}
	clear(products)
}
