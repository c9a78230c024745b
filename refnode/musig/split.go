package musig

import (
	"encoding/binary"
	"math/bits"
)

// The endomorphism: lambda*(x, y) = (beta*x, y), where lambda and beta are cube
// roots of 1. All (a, b) with a + b*lambda = 0 modulo n make up a lattice, with
// the short basis (shortA, -shortB), (shortA + shortB, shortA); the quotients
// 2^384*shortA/n and 2^384*shortB/n divide by it.
var (
	beta = mustElement(0x7ae96a2b657c0710, 0x6e64479eac3434e9, 0x9cf0497512f58995, 0xc1396c28719501ee)

	shortA    = wide{0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	shortB    = wide{0x6f547fa90abfe4c3, 0xe4437ed6010e8828}
	quotientA = wide{0xe893209a45dbb031, 0x3daa8a1471e8ca7f, 0xe86c90e49284eb15, 0x3086d221a7d46bcd}
	quotientB = wide{0x1571b4ae8ac47f71, 0x221208ac9df506c6, 0x6f547fa90abfe4c4, 0xe4437ed6010e8828}
)

// wide is a number of 256 bits, its lowest word first, modulo 2^256.
type wide [4]uint64

// mustElement is a constant below the field size, its highest word first.
func mustElement(a, b, c, d uint64) element { return element{d, c, b, a} }

// half is a number below 2^128 with a sign.
type half struct {
	low, high uint64
	minus     bool
}

// split returns a and b with k = a + b*lambda.
func split(k *scalar) [2]half {
	raw := k.Bytes()
	var a, b wide
	for i := range a {
		a[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}
	if a[2]|a[3] == 0 { // short already
		return [2]half{{low: a[0], high: a[1]}}
	}
	// k = (k, 0) is nearest to first*(shortA, -shortB) + second*(shortA +
	// shortB, shortA). What is left of it is short.
	first, second := highProduct(&a, &quotientA), highProduct(&a, &quotientB)
	b.addProduct(&first, &shortB)
	b.subProduct(&second, &shortA)
	a.subProduct(&first, &shortA)
	a.subProduct(&second, &shortA)
	a.subProduct(&second, &shortB)

	return [2]half{a.half(), b.half()}
}

// half takes a number between -2^128 and 2^128.
func (w *wide) half() (h half) {
	h = half{w[0], w[1], w[3]>>63 == 1}
	if h.minus {
		var c uint64
		h.low, c = bits.Sub64(0, w[0], 0)
		h.high, _ = bits.Sub64(0, w[1], c)
	}

	return h
}

// shift divides by 2^n, n up to 64.
func (h *half) shift(n int) {
	h.low = h.low>>n | h.high<<(64-n)
	h.high >>= n
}

// increment adds 1 to a number that was shifted.
func (h *half) increment() {
	var c uint64
	h.low, c = bits.Add64(h.low, 1, 0)
	h.high += c
}

// product returns x*y in full.
func (x *wide) product(y *wide) (r [8]uint64) {
	for i := range x {
		var carry uint64
		for j := range y {
			h, l := bits.Mul64(x[i], y[j])
			l, c := bits.Add64(l, carry, 0)
			h += c
			r[i+j], c = bits.Add64(r[i+j], l, 0)
			carry = h + c
		}
		r[i+4] = carry
	}

	return r
}

// highProduct returns x*y/2^384, rounded.
func highProduct(x, y *wide) wide {
	r := x.product(y)
	low, c := bits.Add64(r[6], r[5]>>63, 0)

	return wide{low, r[7] + c}
}

// addProduct adds x*y.
func (w *wide) addProduct(x, y *wide) {
	r := x.product(y)
	var c uint64
	for i := range w {
		w[i], c = bits.Add64(w[i], r[i], c)
	}
}

// subProduct takes x*y off.
func (w *wide) subProduct(x, y *wide) {
	r := x.product(y)
	var c uint64
	for i := range w {
		w[i], c = bits.Sub64(w[i], r[i], c)
	}
}
