package musig

import (
	"encoding/binary"
	"math/big"
	"math/bits"
)

// element is a number modulo the field size p = 2^256 - 2^32 - 977, its lowest
// word first. There is one representation for each number, so that == compares.
//
// Time does not depend on the values but for one branch: a result between p and
// 2^256 is corrected, which happens to none of 2^200 numbers that nobody chose.
// Secret nonces go through here (see the package's comment on side channels).
//
// It is our own because the arithmetic decides what a ceremony costs: a product
// takes 20 ns, gnark-crypto's 30 ns and decred's 80 ns. Tests compare every
// operation with gnark-crypto's.
type element [4]uint64

// fold is 2^256 modulo p.
const fold = 1<<32 + 977

var one, seven = small(1), small(7)

func small(n uint64) element { return element{n} }

// parseElement reads 32 big-endian bytes; ok is false for the field size and
// above.
func parseElement(raw []byte) (z element, ok bool) {
	if len(raw) != 32 {
		return element{}, false
	}
	for i := range z {
		z[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}
	if z.tooLarge() {
		return element{}, false
	}

	return z, true
}

// bytes returns the number, 32 bytes big-endian.
func (z *element) bytes() (raw [32]byte) {
	for i := range z {
		binary.BigEndian.PutUint64(raw[24-8*i:], z[i])
	}

	return raw
}

// tooLarge reports p and above.
func (z *element) tooLarge() bool {
	return z[3] == 1<<64-1 && z[2] == 1<<64-1 && z[1] == 1<<64-1 && z[0] >= 1<<64-fold
}

func (z *element) isZero() bool { return z[0]|z[1]|z[2]|z[3] == 0 }

func (z *element) isOdd() bool { return z[0]&1 == 1 }

func (z *element) equal(x *element) bool { return *z == *x }

// add sets z = x + y.
func (z *element) add(x, y *element) {
	z0, c := bits.Add64(x[0], y[0], 0)
	z1, c := bits.Add64(x[1], y[1], c)
	z2, c := bits.Add64(x[2], y[2], c)
	z3, c := bits.Add64(x[3], y[3], c)
	z0, c = bits.Add64(z0, fold&-c, 0)
	z1, c = bits.Add64(z1, 0, c)
	z2, c = bits.Add64(z2, 0, c)
	z[0], z[1], z[2], z[3] = z0, z1, z2, z3+c
	if z.tooLarge() {
		*z = element{z0 + fold}
	}
}

// sub sets z = x - y.
func (z *element) sub(x, y *element) {
	z0, b := bits.Sub64(x[0], y[0], 0)
	z1, b := bits.Sub64(x[1], y[1], b)
	z2, b := bits.Sub64(x[2], y[2], b)
	z3, b := bits.Sub64(x[3], y[3], b)
	z0, b = bits.Sub64(z0, fold&-b, 0)
	z1, b = bits.Sub64(z1, 0, b)
	z2, b = bits.Sub64(z2, 0, b)
	z[0], z[1], z[2], z[3] = z0, z1, z2, z3-b
}

// neg sets z = -x.
func (z *element) neg(x *element) { z.sub(&element{}, x) }

// mul sets z = x * y: a row of products for each word of y. It is written out, as a
// loop costs a tenth.
func (z *element) mul(x, y *element) {
	x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
	w := y[0]
	h0, r0 := bits.Mul64(x0, w)
	h1, r1 := bits.Mul64(x1, w)
	h2, r2 := bits.Mul64(x2, w)
	h3, r3 := bits.Mul64(x3, w)
	r1, c := bits.Add64(r1, h0, 0)
	r2, c = bits.Add64(r2, h1, c)
	r3, c = bits.Add64(r3, h2, c)
	r4 := h3 + c

	w = y[1]
	h0, l0 := bits.Mul64(x0, w)
	h1, l1 := bits.Mul64(x1, w)
	h2, l2 := bits.Mul64(x2, w)
	h3, l3 := bits.Mul64(x3, w)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r1, c = bits.Add64(r1, l0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, l2, c)
	r4, c = bits.Add64(r4, l3, c)
	r5 := h3 + c

	w = y[2]
	h0, l0 = bits.Mul64(x0, w)
	h1, l1 = bits.Mul64(x1, w)
	h2, l2 = bits.Mul64(x2, w)
	h3, l3 = bits.Mul64(x3, w)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r2, c = bits.Add64(r2, l0, 0)
	r3, c = bits.Add64(r3, l1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, l3, c)
	r6 := h3 + c

	w = y[3]
	h0, l0 = bits.Mul64(x0, w)
	h1, l1 = bits.Mul64(x1, w)
	h2, l2 = bits.Mul64(x2, w)
	h3, l3 = bits.Mul64(x3, w)
	l1, c = bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r3, c = bits.Add64(r3, l0, 0)
	r4, c = bits.Add64(r4, l1, c)
	r5, c = bits.Add64(r5, l2, c)
	r6, c = bits.Add64(r6, l3, c)
	z.reduce(r0, r1, r2, r3, r4, r5, r6, h3+c)
}

// square sets z = x * x.
func (z *element) square(x *element) {
	// The products of two different words,
	h01, r1 := bits.Mul64(x[0], x[1])
	h02, r2 := bits.Mul64(x[0], x[2])
	h03, r3 := bits.Mul64(x[0], x[3])
	r2, c := bits.Add64(r2, h01, 0)
	r3, c = bits.Add64(r3, h02, c)
	r4 := h03 + c
	h12, l12 := bits.Mul64(x[1], x[2])
	h13, l13 := bits.Mul64(x[1], x[3])
	h23, r5 := bits.Mul64(x[2], x[3])
	l13, c = bits.Add64(l13, h12, 0)
	h13 += c
	r3, c = bits.Add64(r3, l12, 0)
	r4, c = bits.Add64(r4, l13, c)
	r5, c = bits.Add64(r5, h13, c)
	r6 := h23 + c

	// twice,
	r7 := r6 >> 63
	r6 = r6<<1 | r5>>63
	r5 = r5<<1 | r4>>63
	r4 = r4<<1 | r3>>63
	r3 = r3<<1 | r2>>63
	r2 = r2<<1 | r1>>63
	r1 <<= 1

	// and the squares of the words.
	h0, r0 := bits.Mul64(x[0], x[0])
	h1, l1 := bits.Mul64(x[1], x[1])
	h2, l2 := bits.Mul64(x[2], x[2])
	h3, l3 := bits.Mul64(x[3], x[3])
	r1, c = bits.Add64(r1, h0, 0)
	r2, c = bits.Add64(r2, l1, c)
	r3, c = bits.Add64(r3, h1, c)
	r4, c = bits.Add64(r4, l2, c)
	r5, c = bits.Add64(r5, h2, c)
	r6, c = bits.Add64(r6, l3, c)
	z.reduce(r0, r1, r2, r3, r4, r5, r6, r7+h3+c)
}

// reduce takes eight words: those from the fifth on are worth fold times the
// first four.
func (z *element) reduce(r0, r1, r2, r3, r4, r5, r6, r7 uint64) {
	h0, l0 := bits.Mul64(r4, fold)
	h1, l1 := bits.Mul64(r5, fold)
	h2, l2 := bits.Mul64(r6, fold)
	h3, l3 := bits.Mul64(r7, fold)
	l1, c := bits.Add64(l1, h0, 0)
	l2, c = bits.Add64(l2, h1, c)
	l3, c = bits.Add64(l3, h2, c)
	h3 += c
	r0, c = bits.Add64(r0, l0, 0)
	r1, c = bits.Add64(r1, l1, c)
	r2, c = bits.Add64(r2, l2, c)
	r3, c = bits.Add64(r3, l3, c)

	// The word above is small now, and what it leaves at most a carry.
	h0, l0 = bits.Mul64(h3+c, fold)
	r0, c = bits.Add64(r0, l0, 0)
	r1, c = bits.Add64(r1, h0, c)
	r2, c = bits.Add64(r2, 0, c)
	r3, c = bits.Add64(r3, 0, c)
	r0, c = bits.Add64(r0, fold&-c, 0)
	z[0], z[1], z[2], z[3] = r0, r1+c, r2, r3
	if z.tooLarge() {
		*z = element{r0 + fold}
	}
}

// squares squares n times.
func (z *element) squares(x *element, n int) {
	*z = *x
	for range n {
		z.square(z)
	}
}

// powers returns x to the powers 2^2-1, 2^22-1 and 2^223-1: p is a row of 223
// ones, a zero and 22 ones in binary before its last digits differ, and so is
// everything near it.
func (x *element) powers() (x2, x22, x223 element) {
	join := func(a, b *element, n int) (z element) { // append the n ones of b
		z.squares(a, n)
		z.mul(&z, b)
		return z
	}
	x2 = join(x, x, 1)
	x3 := join(&x2, x, 1)
	x6 := join(&x3, &x3, 3)
	x9 := join(&x6, &x3, 3)
	x11 := join(&x9, &x2, 2)
	x22 = join(&x11, &x11, 11)
	x44 := join(&x22, &x22, 22)
	x88 := join(&x44, &x44, 44)
	x176 := join(&x88, &x88, 88)
	x220 := join(&x176, &x44, 44)
	x223 = join(&x220, &x3, 3)

	return x2, x22, x223
}

// sqrt sets z to a square root of x, false when x has none. It raises to the
// power of (p+1)/4, which ends in 23, 6 and 2 digits.
func (z *element) sqrt(x *element) bool {
	x2, x22, r := x.powers()
	r.squares(&r, 23)
	r.mul(&r, &x22)
	r.squares(&r, 6)
	r.mul(&r, &x2)
	r.squares(&r, 2)
	var back element
	back.square(&r)
	found := back.equal(x)
	if found {
		*z = r
	}

	return found
}

// inverse sets z = 1/x, and 0 for 0. It raises to the power of p-2, which ends
// in 23, 5, 3 and 2 digits.
func (z *element) inverse(x *element) {
	x2, x22, r := x.powers()
	r.squares(&r, 23)
	r.mul(&r, &x22)
	r.squares(&r, 5)
	r.mul(&r, x)
	r.squares(&r, 3)
	r.mul(&r, &x2)
	r.squares(&r, 2)
	z.mul(&r, x)
}

// inversePublic is inverse for a public number: its time depends on the number,
// and is less than half of the other.
func (z *element) inversePublic(x *element) {
	raw := x.bytes()
	var number big.Int
	if number.ModInverse(number.SetBytes(raw[:]), fieldSize) == nil {
		*z = element{} // of zero
		return
	}
	*z, _ = parseElement(number.FillBytes(raw[:]))
}

// fieldSize is p.
var fieldSize, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)

// invertAll inverts every element, none of which is zero, with one inversion:
// that of their product, from which the factors are taken off again. It
// returns memory for the next call. What is secret takes constant time.
func invertAll(all, memory []element, secret bool) []element {
	products := memory[:0]
	product := one
	for i := range all {
		products = append(products, product)
		product.mul(&product, &all[i])
	}
	if secret {
		product.inverse(&product)
	} else {
		product.inversePublic(&product)
	}
	for i := len(all) - 1; i >= 0; i-- {
		before := all[i]
		all[i].mul(&products[i], &product)
		product.mul(&product, &before)
	}

	return products
}
