package musig

import (
	"encoding/binary"
	"math/bits"
)

// The endomorphism: lambda*(x, y) = (beta*x, y). Both are cube roots of 1.
var (
	beta   = mustElement(0x7ae96a2b657c0710, 0x6e64479eac3434e9, 0x9cf0497512f58995, 0xc1396c28719501ee)
	lambda = mustScalar(0x5363ad4cc05c30e0, 0xa5261c028812645a, 0x122e22ea20816678, 0xdf02967c1b23bd72)

	// The lattice of all (a, b) with a + b*lambda = 0 modulo n has a short
	// basis; minusB are the second coordinates, negated, and quotients
	// the numbers 2^384*b/n that divide by it.
	minusB = [2]scalar{
		mustScalar(0, 0, 0xe4437ed6010e8828, 0x6f547fa90abfe4c3),
		mustScalar(0xffffffffffffffff, 0xfffffffffffffffe, 0x8a280ac50774346d, 0xd765cda83db1562c),
	}
	quotients = [2]wide{
		wideOf(0x3086d221a7d46bcd, 0xe86c90e49284eb15, 0x3daa8a1471e8ca7f, 0xe893209a45dbb031),
		wideOf(0xe4437ed6010e8828, 0x6f547fa90abfe4c4, 0x221208ac9df506c6, 0x1571b4ae8ac47f71),
	}
)

// wide is a number of 256 bits, its lowest word first.
type wide [4]uint64

// wideOf is a constant, its highest word first.
func wideOf(a, b, c, d uint64) wide { return wide{d, c, b, a} }

// bytes returns it big-endian.
func (w *wide) bytes() (out [32]byte) {
	for i := range w {
		binary.BigEndian.PutUint64(out[24-8*i:], w[i])
	}

	return out
}

// mustElement is a constant below the field size.
func mustElement(a, b, c, d uint64) element {
	w := wideOf(a, b, c, d)
	raw := w.bytes()
	z, _ := parseElement(raw[:])

	return z
}

func mustScalar(a, b, c, d uint64) (s scalar) {
	raw := (&wide{d, c, b, a}).bytes()
	s.SetBytes(&raw)

	return s
}

// half is a number below 2^128 with a sign.
type half struct {
	words [2]uint64
	minus bool
}

// bits returns n bits from position at on.
func (h *half) bits(at, n int) uint64 {
	if at >= 128 {
		return 0
	}
	value := h.words[at/64] >> (at % 64)
	if at < 64 && at%64+n > 64 {
		value |= h.words[1] << (64 - at)
	}

	return value & (1<<n - 1)
}

// split returns a and b with k = a + b*lambda. A number that is short already
// stays whole.
func split(k *scalar) [2]half {
	words := wordsOf(k)
	if words[2] == 0 && words[3] == 0 {
		return [2]half{{words: [2]uint64{words[0], words[1]}}}
	}
	var b scalar
	for i := range quotients {
		c := highProduct(&words, &quotients[i])
		raw := c.bytes()
		var part scalar
		part.SetBytes(&raw)
		b.Add(part.Mul(&minusB[i]))
	}
	a := new(scalar).Mul2(&b, &lambda).Negate().Add(k)

	return [2]half{newHalf(a), newHalf(&b)}
}

func newHalf(s *scalar) (h half) {
	small := *s
	if h.minus = s.IsOverHalfOrder(); h.minus {
		small.Negate()
	}
	words := wordsOf(&small)
	h.words = [2]uint64{words[0], words[1]}

	return h
}

// wordsOf returns the words of a scalar, the lowest first.
func wordsOf(s *scalar) (words wide) {
	raw := s.Bytes()
	for i := range words {
		words[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}

	return words
}

// highProduct returns x*y/2^384, rounded.
func highProduct(x, y *wide) wide {
	var r [8]uint64
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
	low, c := bits.Add64(r[6], r[5]>>63, 0)

	return wide{low, r[7] + c}
}
