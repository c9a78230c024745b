package musig

import (
	"math/big"
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

// TestInvertAll compares with one inversion each.
func TestInvertAll(t *testing.T) {
	var all, want []element
	for i := range uint64(50) {
		x, inverse := small(i*i+1), element{}
		x.square(&x)
		inverse.inverse(&x)
		all, want = append(all, x), append(want, inverse)
	}
	invertAll(all, nil)
	for i := range all {
		if !all[i].equal(&want[i]) {
			t.Fatalf("inverse %d", i)
		}
	}
}
