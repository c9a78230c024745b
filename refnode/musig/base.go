package musig

import "sync"

// This file multiplies the base point G, also with secrets: the numbers of
// nonces. A number is written with 64 digits of 4 bits, and a table has the 16
// multiples that a digit of each place can stand for. Digits are counted from 1,
// since a point 0*G would take another path through an addition; what that is
// too much in all is taken off at the end. What is read, and what is computed,
// then does not depend on the number: every entry of a place is looked at, and
// two equal or opposite points, of which the sum is a special case, turn up for
// none of 2^200 numbers that nobody chose.

const (
	baseDigits = 64
	baseValues = 16

	// baseBatch is how many products are computed together.
	baseBatch = 64
)

// baseTable has (m+1)*16^i*G at place 16*i+m, and at last minus the sum of all
// 16^i*G.
var baseTable = sync.OnceValue(func() []point {
	powers := make([]jacobian, baseDigits+1)
	powers[0].add(&generator)
	for i := range powers[1:] {
		powers[i+1] = powers[i]
		for range 4 {
			powers[i+1].double()
		}
	}
	affine := affineAll(powers, false)
	points := make([]point, baseDigits*baseValues+1)
	var excess jacobian
	for i := range baseDigits {
		points[baseValues*i], points[baseValues*(i+1)-1] = affine[i], affine[i+1]
		excess.add(&affine[i])
	}
	work := adders.Get().(*adder)
	defer adders.Put(work)
	for m := range int32(baseValues - 2) {
		var pairs []pair
		for at := int32(0); at < baseDigits*baseValues; at += baseValues {
			pairs = append(pairs, pair{at + m + 1, at + m, at})
		}
		work.addPairs(points, pairs)
	}
	excess.y.neg(&excess.y)
	points[baseDigits*baseValues] = excess.affine()

	return points
})

// baseMul returns k*G.
func baseMul(k *scalar) point { return baseMuls([]scalar{*k})[0] }

// baseMuls returns k*G for each k.
func baseMuls(ks []scalar) []point {
	products := make([]jacobian, len(ks))
	work := secretAdders.Get().(*adder)
	defer secretAdders.Put(work)
	points := make([]point, 0, min(len(ks), baseBatch)*(baseDigits+1))
	var starts, ends []int32
	for from := 0; from < len(ks); from += baseBatch {
		points, starts, ends = points[:0], starts[:0], ends[:0]
		batch := ks[from:min(from+baseBatch, len(ks))]
		for i := range batch {
			starts = append(starts, int32(len(points)))
			points = appendDigits(points, &batch[i])
			ends = append(ends, int32(len(points)))
		}
		work.addRows(points, 0, starts, ends)
		for i, start := range starts {
			products[from+i].addAll(points[start:ends[i]])
		}
	}
	clear(points[:cap(points)]) // they tell the digits

	return affineAll(products, true)
}

// appendDigits appends the points that add up to k*G.
func appendDigits(points []point, k *scalar) []point {
	table := baseTable()
	raw := k.Bytes()
	for i := range baseDigits {
		digit := uint64(raw[31-i/2]>>(4*(i%2))) & 15
		points = append(points, choose(table[baseValues*i:baseValues*(i+1)], digit))
	}
	clear(raw[:])

	return append(points, table[baseDigits*baseValues])
}

// choose returns a place of a table and reads all of them.
func choose(table []point, at uint64) point {
	var x0, x1, x2, x3, y0, y1, y2, y3 uint64
	for i := range table {
		differs := uint64(i) ^ at
		mask := -((differs - 1) &^ differs >> 63) // all ones for the place, else 0
		x, y := &table[i].x, &table[i].y
		x0 |= x[0] & mask
		x1 |= x[1] & mask
		x2 |= x[2] & mask
		x3 |= x[3] & mask
		y0 |= y[0] & mask
		y1 |= y[1] & mask
		y2 |= y[2] & mask
		y3 |= y[3] & mask
	}

	return point{element{x0, x1, x2, x3}, element{y0, y1, y2, y3}}
}
