package musig

import "github.com/consensys/gnark-crypto/ecc/secp256k1/fp"

// element is a number modulo the field size. The arithmetic is gnark-crypto's,
// which keeps one representation for each number, so that == compares.
//
// Time varies with the values: it is for what is public (see the package's
// comment on side channels).
type element fp.Element

var one, seven = small(1), small(7)

func small(n uint64) element { return element(fp.NewElement(n)) }

func (z *element) fp() *fp.Element { return (*fp.Element)(z) }

// parseElement reads 32 big-endian bytes; ok is false for the field size and
// above.
func parseElement(raw []byte) (z element, ok bool) {
	if len(raw) != fp.Bytes {
		return element{}, false
	}

	return z, z.fp().SetBytesCanonical(raw) == nil
}

// bytes returns the number, 32 bytes big-endian.
func (z *element) bytes() [32]byte { return z.fp().Bytes() }

func (z *element) isZero() bool { return z.fp().IsZero() }

func (z *element) isOdd() bool {
	raw := z.bytes()
	return raw[31]&1 == 1
}

func (z *element) equal(x *element) bool { return *z == *x }

// add sets z = x + y.
func (z *element) add(x, y *element) { z.fp().Add(x.fp(), y.fp()) }

// sub sets z = x - y.
func (z *element) sub(x, y *element) { z.fp().Sub(x.fp(), y.fp()) }

// neg sets z = -x.
func (z *element) neg(x *element) { z.fp().Neg(x.fp()) }

// mul sets z = x * y.
func (z *element) mul(x, y *element) { z.fp().Mul(x.fp(), y.fp()) }

// square sets z = x * x.
func (z *element) square(x *element) { z.fp().Square(x.fp()) }

// sqrt sets z to a square root of x, false when x has none.
func (z *element) sqrt(x *element) bool { return z.fp().Sqrt(x.fp()) != nil }

// inverse sets z = 1/x, and 0 for 0.
func (z *element) inverse(x *element) { z.fp().Inverse(x.fp()) }

// invertAll inverts every element, none of which is zero, with one inversion:
// that of their product, from which the factors are taken off again. It
// returns memory for the next call.
func invertAll(all, memory []element) []element {
	products := memory[:0]
	product := one
	for i := range all {
		products = append(products, product)
		product.mul(&product, &all[i])
	}
	product.inverse(&product)
	for i := len(all) - 1; i >= 0; i-- {
		before := all[i]
		all[i].mul(&products[i], &product)
		product.mul(&product, &before)
	}

	return products
}
