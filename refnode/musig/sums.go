package musig

import (
	"runtime"
	"slices"
	"sync"
)

// This file computes sums of products k*P for public k and P, many sums at
// once, after Straus: every product is written as a sum of small multiples of
// P times powers of two, the multiples with the same power are added first,
// and a sum has its doublings but once. Three things make it fast.
//
//   - A table of the small multiples of a point serves every sum it is in: a
//     factory aggregates each key in the root, in its leaf and in between.
//   - The endomorphism of the curve halves the number of powers (split).
//   - Additions that do not wait for each other share an inversion, which
//     makes affine ones cost half of Jacobian ones (addPairs).
//
// Points are chosen by others: additions are complete everywhere.

const (
	// window is the width of a digit in bits: odd, from -15 to 15.
	window = 5

	// tableSize is the number of multiples from 0*P on; even ones stay
	// empty but those on the way.
	tableSize = 1 << (window - 1)

	// rows is the number of powers of two: 128 bits and a carry.
	rows = 129

	// blockTerms is the number of products that are summed together, and
	// blockPoints the number of points: enough to share an inversion, few
	// enough for the cache of a core.
	blockTerms  = 256
	blockPoints = 1024
)

// term is the product k*p. Terms of the same pointer share a table.
type term struct {
	p *point
	k scalar
}

// sum returns the sum of all terms.
func sum(terms ...term) jacobian { return sums([][]term{terms})[0] }

// sums returns the sum of each set.
func sums(sets [][]term) []jacobian {
	t := newTables(sets)
	type part struct {
		set   int
		terms []term
	}
	var parts []part
	for i, terms := range sets {
		for len(terms) > blockTerms {
			parts = append(parts, part{i, terms[:blockTerms]})
			terms = terms[blockTerms:]
		}
		parts = append(parts, part{i, terms})
	}

	// Blocks of consecutive parts are independent of each other.
	var starts []int
	size := blockTerms
	for i := range parts {
		if size += len(parts[i].terms); size > blockTerms {
			starts, size = append(starts, i), len(parts[i].terms)
		}
	}
	found := make([]jacobian, len(parts))
	concurrently(len(starts), func(b int) {
		end := len(parts)
		if b+1 < len(starts) {
			end = starts[b+1]
		}
		d := blocks.Get().(*block)
		defer blocks.Put(d)
		d.digits, d.rows, d.tables = d.digits[:0], (end-starts[b])*rows, t
		for i := starts[b]; i < end; i++ {
			for j := range parts[i].terms {
				d.enter((i-starts[b])*rows, &parts[i].terms[j])
			}
		}
		d.sums(found[starts[b]:end])
	})

	out := make([]jacobian, len(sets))
	for i, part := range parts {
		if len(sets[part.set]) <= blockTerms {
			out[part.set] = found[i]
		} else {
			p := found[i].affine()
			out[part.set].add(&p)
		}
	}

	return out
}

// concurrently calls f with 0 to n-1, on all cores.
func concurrently(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	var wg sync.WaitGroup
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// tables has the multiples of points, m*P at place tableSize*index[P]+m.
type tables struct {
	index  map[*point]int
	points []point
}

func newTables(sets [][]term) *tables {
	t := &tables{index: make(map[*point]int)}
	var all []*point
	for _, terms := range sets {
		for i := range terms {
			if _, ok := t.index[terms[i].p]; !ok {
				t.index[terms[i].p] = len(all)
				all = append(all, terms[i].p)
			}
		}
	}
	t.points = make([]point, tableSize*len(all))
	for i, p := range all {
		t.points[tableSize*i+1] = *p
	}

	// Each line needs the one before, nothing within a line.
	var work adder
	for _, line := range [][][3]int32{
		{{2, 1, 1}},
		{{3, 1, 2}, {4, 2, 2}},
		{{5, 1, 4}, {7, 3, 4}, {8, 4, 4}},
		{{9, 1, 8}, {11, 3, 8}, {13, 5, 8}, {15, 7, 8}},
	} {
		pairs := make([]pair, 0, len(line)*len(all))
		for i := range all {
			for _, m := range line {
				at := int32(tableSize * i)
				pairs = append(pairs, pair{at + m[0], at + m[1], at + m[2]})
			}
		}
		work.addPairs(t.points, pairs)
	}

	return t
}

// pair says points[sum] = points[a] + points[b].
type pair struct{ sum, a, b int32 }

// adder makes many additions at once. It keeps its memory for the next ones.
type adder struct {
	slopes, products []element
	pairs            []pair
}

// addPairs makes all additions, in their order, as if at once: no pair may
// read what one before it wrote. Every case of an addition is covered.
func (w *adder) addPairs(points []point, pairs []pair) {
	slopes := w.slopes[:0] // their denominators at first
	for _, at := range pairs {
		a, b := &points[at.a], &points[at.b]
		var d element
		d.sub(&b.x, &a.x)
		if d.isZero() {
			d.add(&a.y, &b.y) // twice y, or 0 for opposites
		}
		if d.isZero() {
			d = element{1}
		}
		slopes = append(slopes, d)
	}
	w.products = invertAll(slopes, w.products)
	for i, at := range pairs {
		addWith(&slopes[i], &points[at.a], &points[at.b], &points[at.sum])
	}
	w.slopes = slopes
}

// addWith sets sum = a + b with the inverse of what addPairs says. The sum may
// take the place of a or b.
func addWith(inverse *element, a, b, sum *point) {
	var slope, t, x element
	if slope.sub(&b.x, &a.x); slope.isZero() || a.isInfinity() || b.isInfinity() {
		switch {
		case a.isInfinity():
			*sum = *b
			return
		case b.isInfinity():
			*sum = *a
			return
		case !a.y.equal(&b.y):
			*sum = point{}
			return
		}
		t.square(&a.x)
		slope.add(&t, &t)
		slope.add(&slope, &t)
	} else {
		slope.sub(&b.y, &a.y)
	}
	slope.mul(&slope, inverse)
	x.square(&slope)
	x.sub(&x, &a.x)
	x.sub(&x, &b.x)
	t.sub(&a.x, &x)
	t.mul(&slope, &t)
	sum.y.sub(&t, &a.y)
	sum.x = x
}

// block collects the multiples that make up some sums, by row: the power of
// two, counted on from sum to sum.
type block struct {
	tables *tables
	rows   int
	digits []digit
	points []point // the multiples, ordered by row
	starts []int32 // where each row starts in points
	work   adder
}

// blocks keeps the memory of blocks, a megabyte each.
var blocks = sync.Pool{New: func() any { return new(block) }}

// digit is a multiple of a point, or of its image, in a row.
type digit struct {
	row      int32
	multiple int32 // place in the tables
	minus    bool
	image    bool
}

// enter adds a product to the sum whose rows start at first.
func (d *block) enter(first int, t *term) {
	base := tableSize * d.tables.index[t.p]
	for i, half := range split(&t.k) {
		for at, carry := 0, uint64(0); at < rows; {
			if half.bits(at, 1) == carry {
				at++
				continue
			}
			value := half.bits(at, window) + carry
			carry = value >> (window - 1)
			minus := carry == 1 != half.minus
			if carry == 1 {
				value = 1<<window - value
			}
			d.digits = append(d.digits, digit{int32(first + at), int32(base) + int32(value), minus, i == 1})
			at += window
		}
	}
}

// order fills in points and starts.
func (d *block) order() {
	d.starts = slices.Grow(d.starts[:0], d.rows+1)[:d.rows+1]
	clear(d.starts)
	for i := range d.digits {
		d.starts[d.digits[i].row+1]++
	}
	for r := range d.rows {
		d.starts[r+1] += d.starts[r]
	}
	d.points = slices.Grow(d.points[:0], len(d.digits))[:len(d.digits)]
	next := slices.Clone(d.starts)
	for i := range d.digits {
		at := &d.digits[i]
		p := &d.points[next[at.row]]
		next[at.row]++
		*p = d.tables.points[at.multiple]
		if at.minus {
			p.y.neg(&p.y)
		}
		if at.image {
			p.x.mul(&p.x, &beta)
		}
	}
}

// sums fills in all the sums.
func (d *block) sums(out []jacobian) {
	d.order()
	for from := 0; from < d.rows; {
		to := from + 1
		for to < d.rows && d.starts[to+1]-d.starts[from] <= blockPoints {
			to++
		}
		d.work.addRows(d.points, d.starts[from:to+1])
		from = to
	}
	for i := range out {
		for r := (i+1)*rows - 1; r >= i*rows; r-- {
			out[i].double()
			if d.starts[r] < d.starts[r+1] {
				out[i].add(&d.points[d.starts[r]])
			}
		}
	}
}

// addRows adds the points of each row up at its start: the second half of a
// row to its first until one is left.
func (w *adder) addRows(points []point, starts []int32) {
	sizes := make([]int32, len(starts)-1)
	for r := range sizes {
		sizes[r] = starts[r+1] - starts[r]
	}
	pairs := w.pairs
	for again := true; again; {
		pairs, again = pairs[:0], false
		for r, size := range sizes {
			for i := range size / 2 {
				a := starts[r] + i
				pairs = append(pairs, pair{a, a, starts[r] + size - 1 - i})
			}
			sizes[r] = (size + 1) / 2
			again = again || sizes[r] > 1
		}
		w.addPairs(points, pairs)
	}
	w.pairs = pairs
}
