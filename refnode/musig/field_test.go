package musig

import (
	"math/big"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/ecc/secp256k1/fp"
)

// The border to the library: which bytes are a number, and which is odd.
func TestParseElement(t *testing.T) {
	p := fp.Modulus()
	for _, tt := range []struct {
		name   string
		number *big.Int
		ok     bool
	}{
		{"zero", big.NewInt(0), true},
		{"one", big.NewInt(1), true},
		{"the largest", new(big.Int).Sub(p, big.NewInt(1)), true},
		{"the field size", p, false},
		{"above it", new(big.Int).Add(p, big.NewInt(1)), false},
		{"all ones", new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := tt.number.FillBytes(make([]byte, 32))
			z, ok := parseElement(raw)
			if ok != tt.ok {
				t.Fatalf("%x read: %v", raw, ok)
			}
			if !ok {
				return
			}
			if back := z.bytes(); new(big.Int).SetBytes(back[:]).Cmp(tt.number) != 0 {
				t.Errorf("%x came back as %x", raw, back)
			}
			if z.isOdd() != (tt.number.Bit(0) == 1) || z.isZero() != (tt.number.Sign() == 0) {
				t.Error("zero or parity")
			}
		})
	}
	for _, n := range []int{0, 31, 33} {
		if _, ok := parseElement(make([]byte, n)); ok {
			t.Errorf("%d bytes were read", n)
		}
	}
}

// operands are numbers at which carries and corrections go wrong: around 0, the
// field size, its words and fold; and any others.
func operands(t testing.TB) []element {
	p := fp.Modulus()
	var out []element
	add := func(n *big.Int) {
		z, ok := parseElement(new(big.Int).Mod(n, p).FillBytes(make([]byte, 32)))
		if !ok {
			t.Fatalf("%x was not read", n)
		}
		out = append(out, z)
	}
	for _, bit := range []uint{0, 31, 32, 33, 63, 64, 65, 127, 128, 191, 192, 223, 255, 256} {
		for _, more := range []int64{-fold, -2, -1, 0, 1, 2, 977, fold} {
			n := new(big.Int).Lsh(big.NewInt(1), bit)
			add(n.Add(n, big.NewInt(more)))
			add(n.Sub(p, n))
		}
	}
	for i := range 100 {
		raw := number("field", i)
		add(new(big.Int).SetBytes(raw[:]))
	}

	return out
}

// TestFieldAgreesWithGnark compares every operation on pairs of operands with a
// library that shares no code.
func TestFieldAgreesWithGnark(t *testing.T) {
	theirs := func(x *element) (z fp.Element) {
		raw := x.bytes()
		z.SetBytes(raw[:])
		return z
	}
	check := func(what string, x, y *element, got element, want *fp.Element) {
		t.Helper()
		if raw := want.Bytes(); got.bytes() != raw || got.tooLarge() {
			t.Fatalf("%s of %x and %x is %x, want %x", what, *x, *y, got, raw)
		}
	}
	all := operands(t)
	for i := range all {
		x := &all[i]
		a := theirs(x)
		var got element
		var want fp.Element
		got.square(x)
		check("square", x, x, got, want.Square(&a))
		got.neg(x)
		check("opposite", x, x, got, want.Neg(&a))
		got.inverse(x)
		check("inverse", x, x, got, want.Inverse(&a))
		got.inversePublic(x)
		check("public inverse", x, x, got, &want)
		root := seven
		found := root.sqrt(x)
		if has := a.Legendre() >= 0; found != has {
			t.Fatalf("%x has a square root: %v, want %v", *x, found, has)
		}
		if found {
			got.square(&root)
			check("square of the root", x, x, got, &a)
		}
		for j := i % 7; j < len(all); j += 7 { // a seventh is enough of all
			y := &all[j]
			b := theirs(y)
			got.mul(x, y)
			check("product", x, y, got, want.Mul(&a, &b))
			got.add(x, y)
			check("sum", x, y, got, want.Add(&a, &b))
			got.sub(x, y)
			check("difference", x, y, got, want.Sub(&a, &b))
			z := *x
			z.mul(&z, &z) // the result may take the place of both
			check("product in place", x, x, z, want.Square(&a))
		}
	}
}

// TestReduce brings in eight words that no product has, and sums that need every
// correction.
func TestReduce(t *testing.T) {
	const top = 1<<64 - 1
	for _, w := range [][8]uint64{
		{}, {top, top, top, top, top, top, top, top}, {0, 0, 0, 0, top, top, top, top}, {top, top, top, top},
		{top - fold + 1, top, top, top}, {top - fold, top, top, top}, {top - fold + 2, top, top, top},
		{top, top, top, top, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, top}, {top, 0, top, 0, top, 0, top, 0},
	} {
		var got element
		got.reduce(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7])
		want := new(big.Int)
		for i := range w {
			want.Lsh(want, 64)
			want.Or(want, new(big.Int).SetUint64(w[7-i]))
		}
		want.Mod(want, fp.Modulus())
		if raw := got.bytes(); new(big.Int).SetBytes(raw[:]).Cmp(want) != 0 {
			t.Errorf("%x is %x modulo the field size, want %x", w, raw, want)
		}
	}
}

// TestInvertAll compares with one inversion each.
func TestInvertAll(t *testing.T) {
	var all, want []element
	for i := range uint64(50) {
		x, inverse := small(i*i+1), element{}
		x.square(&x)
		inverse.inverse(&x)
		all, want = append(all, x), append(want, inverse)
	}
	for _, secret := range []bool{true, false} {
		got := slices.Clone(all)
		invertAll(got, nil, secret)
		for i := range got {
			if !got[i].equal(&want[i]) {
				t.Fatalf("inverse %d, secret: %v", i, secret)
			}
		}
	}
}
