package musig

import (
	"math/bits"
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

	// tableSize is the number of places in a table: odd multiples m*P at m,
	// and the image of each under the endomorphism before it.
	tableSize = 1 << (window - 1)

	// rows is the number of powers of two: 128 bits and a carry.
	rows = 129

	// blockTerms is the number of products that are summed together,
	// blockPoints the number of points and batch that of additions: enough
	// to share an inversion, few enough for the cache of a core and for a
	// process that is short of memory.
	blockTerms  = 128
	blockPoints = 2048
	batch       = blockPoints / 2

	// together is how many sums that need no tables of their own are computed
	// together.
	together = 16

	// fewPairs is the number of additions from which sharing an inversion
	// is worth its price.
	fewPairs = 48
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
	rest := make([][]term, len(sets))
	for i, terms := range sets {
		rest[i] = terms
		needsNone := func(t term) bool { return t.needsNoTable() }
		if slices.ContainsFunc(terms, needsNone) {
			rest[i] = slices.DeleteFunc(slices.Clone(terms), needsNone)
		}
	}
	out := tableSums(rest)
	addOthers(out, sets)

	return out
}

// unit is the number 1.
var unit = *new(scalar).SetInt(1)

// needsNoTable reports a multiple of G, which has a table for good (baseComb), and
// a point that is taken once.
func (t *term) needsNoTable() bool { return t.p == &generator || t.k.Equals(&unit) }

// addOthers adds to each sum the terms of its set that need no table of their own,
// those of some sets together.
func addOthers(out []jacobian, sets [][]term) {
	work := adders.Get().(*adder)
	defer adders.Put(work)
	var starts, ends []int32
	for len(sets) > 0 {
		n := min(len(sets), together)
		points := work.points[:0]
		starts, ends = starts[:0], ends[:0]
		for _, terms := range sets[:n] {
			starts = append(starts, int32(len(points)))
			for i := range terms {
				switch t := &terms[i]; {
				case t.p == &generator:
					points = baseComb().appendDigits(points, &t.k)
				case t.needsNoTable():
					points = append(points, *t.p)
				}
			}
			ends = append(ends, int32(len(points)))
		}
		work.points = points
		work.addRows(points, 0, starts, ends)
		for i, start := range starts {
			out[i].addAll(points[start:ends[i]])
		}
		out, sets = out[n:], sets[n:]
	}
}

// tableSums returns the sum of each set, with tables of all its points.
func tableSums(sets [][]term) []jacobian {
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
		d.sort()
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

// fewBlocks is the number of blocks, about a millisecond each, from which other
// cores are asked to help: waking them costs more than it gives before.
const fewBlocks = 6

// concurrently calls f with 0 to n-1, on all cores.
func concurrently(n int, f func(i int)) {
	if n < fewBlocks {
		for i := range n {
			f(i)
		}
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

// tables has the multiples of points, those of P from place tableSize*index[P]
// on.
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
	if len(all) == 0 {
		return t
	}
	t.points = make([]point, tableSize*len(all))
	for i, p := range all {
		t.points[tableSize*i+1] = *p
	}

	// Each line needs the one before, nothing within a line.
	work := adders.Get().(*adder)
	defer adders.Put(work)
	for _, line := range [][][3]int32{
		{{2, 1, 1}},
		{{3, 1, 2}, {4, 2, 2}},
		{{5, 1, 4}, {7, 3, 4}, {8, 4, 4}},
		{{9, 1, 8}, {11, 3, 8}, {13, 5, 8}, {15, 7, 8}},
	} {
		pairs := slices.Grow(work.pairs[:0], len(line)*len(all))
		for i := range all {
			for _, m := range line {
				at := int32(tableSize * i)
				pairs = append(pairs, pair{at + m[0], at + m[1], at + m[2]})
			}
		}
		work.addPairs(t.points, pairs)
		work.pairs = pairs
	}
	for i := 1; i < len(t.points); i += 2 {
		t.points[i-1] = t.points[i]
		t.points[i-1].x.mul(&t.points[i].x, &beta)
	}

	return t
}

// pair says points[sum] = points[a] + points[b].
type pair struct{ sum, a, b int32 }

// adder makes many additions at once. It keeps its memory for the next ones.
type adder struct {
	slopes, products [batch]element
	pairs            []pair
	points           []point // room for what is added, for public points
	secret           bool    // what is added: the inversions take constant time
}

// adders keeps the memory of adders of public points, secretAdders of others.
var (
	adders       = sync.Pool{New: func() any { return new(adder) }}
	secretAdders = sync.Pool{New: func() any { return &adder{secret: true} }}
)

// addPairs makes all additions, in their order, as if at once: no pair may
// read what one before it wrote. Every case of an addition is covered.
func (w *adder) addPairs(points []point, pairs []pair) {
	for len(pairs) > 0 {
		n := min(len(pairs), batch)
		w.addBatch(points, pairs[:n])
		pairs = pairs[n:]
	}
}

func (w *adder) addBatch(points []point, pairs []pair) {
	slopes := w.slopes[:len(pairs)] // their denominators at first
	for i, at := range pairs {
		a, b := &points[at.a], &points[at.b]
		d := &slopes[i]
		d.sub(&b.x, &a.x)
		if d.isZero() {
			d.add(&a.y, &b.y) // twice y, or 0 for opposites
		}
		if d.isZero() {
			*d = one
		}
	}
	invertAll(slopes, w.products[:0], w.secret)
	for i, at := range pairs {
		addWith(&slopes[i], &points[at.a], &points[at.b], &points[at.sum])
	}
}

// addWith sets sum = a + b with the inverse of what addPairs says. The sum may
// take the place of a or b.
func addWith(inverse *element, a, b, sum *point) {
	var slope, t, x element
	if a.x == b.x || a.isInfinity() || b.isInfinity() {
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
	sorted []digit // by row
	starts []int32 // where each row starts in sorted
	next   []int32
	points [blockPoints]point
	work   adder
}

// blocks keeps the memory of blocks, a third of a megabyte each.
var blocks = sync.Pool{New: func() any {
	const most = 2 * blockTerms * (rows/window + 1)
	return &block{digits: make([]digit, 0, most), sorted: make([]digit, 0, most)}
}}

// digit is a multiple of a point, or of its image, in a row: its place in the
// tables, or the complement of that for the opposite.
type digit struct{ row, place int32 }

// enter adds a product to the sum whose rows start at first.
func (d *block) enter(first int, t *term) {
	base := tableSize * d.tables.index[t.p]
	for i, h := range split(&t.k) {
		for at := 0; h.low|h.high != 0; at += window {
			if h.low == 0 {
				h.shift(64)
				at += 64
			}
			zeros := bits.TrailingZeros64(h.low)
			h.shift(zeros)
			at += zeros
			value, minus := int(h.low%(1<<window)), h.minus
			h.shift(window)
			if value > tableSize {
				value, minus = 1<<window-value, !minus
				h.increment()
			}
			place := int32(base + value - i)
			if minus {
				place = ^place
			}
			d.digits = append(d.digits, digit{int32(first + at), place})
		}
	}
}

// sort fills in sorted and starts.
func (d *block) sort() {
	d.starts = slices.Grow(d.starts[:0], d.rows+1)[:d.rows+1]
	clear(d.starts)
	for _, at := range d.digits {
		d.starts[at.row+1]++
	}
	for r := range d.rows {
		d.starts[r+1] += d.starts[r]
	}
	d.next = append(d.next[:0], d.starts...)
	d.sorted = d.sorted[:len(d.digits)]
	for _, at := range d.digits {
		d.sorted[d.next[at.row]] = at
		d.next[at.row]++
	}
}

// sums fills in all the sums, from the highest row down: as many rows at a time
// as there is room for.
func (d *block) sums(out []jacobian) {
	for to := d.rows; to > 0; {
		from := to - 1
		for from > 0 && d.starts[to]-d.starts[from-1] <= blockPoints {
			from--
		}
		ends := d.fill(from, to)
		starts, first := d.starts[from:to], d.starts[from]
		d.work.addRows(d.points[:], first, starts, ends)
		for r := to - 1; r >= from; r-- {
			sum := &out[r/rows]
			sum.double()
			sum.addAll(d.points[starts[r-from]-first : ends[r-from]-first])
		}
		to = from
	}
}

// fill copies the multiples of some rows from the tables to points, and returns
// where each row ends.
func (d *block) fill(from, to int) (ends []int32) {
	for i, at := range d.sorted[d.starts[from]:d.starts[to]] {
		if at.place >= 0 {
			d.points[i] = d.tables.points[at.place]
			continue
		}
		p := &d.tables.points[^at.place]
		d.points[i].x = p.x
		d.points[i].y.neg(&p.y)
	}
	d.next = append(d.next[:0], d.starts[from+1:to+1]...)

	return d.next
}

// addRows adds the points of each row up, from where it starts to where it
// ends, both counted from first: the second half of a row to its first, as long
// as that makes enough additions at once. Ends are brought up to date.
func (w *adder) addRows(points []point, first int32, starts, ends []int32) {
	for {
		w.pairs = w.pairs[:0]
		for r, start := range starts {
			for a, b := start-first, ends[r]-1-first; a < b; a, b = a+1, b-1 {
				w.pairs = append(w.pairs, pair{a, a, b})
			}
		}
		if len(w.pairs) < fewPairs {
			return
		}
		w.addPairs(points, w.pairs)
		for r, start := range starts {
			ends[r] = start + (ends[r]-start+1)/2
		}
	}
}
