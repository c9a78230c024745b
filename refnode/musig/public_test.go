package musig

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"pgregory.net/rapid"
)

// sameKey compares two keys, (0, 0) among them.
func sameKey(a, b *btcec.PublicKey) bool {
	return a.IsEqual(b) && bytes.Equal(a.SerializeCompressed(), b.SerializeCompressed())
}

// TestPublicKeyOf compares with btcec, at the edges of the range too.
func TestPublicKeyOf(t *testing.T) {
	ks := edges()
	for i := range 200 {
		ks = append(ks, hashScalar(number("public", i)))
	}
	for _, k := range ks {
		key := &btcec.PrivateKey{Key: k}
		want := key.PubKey()
		if got := PublicKeyOf(key); !sameKey(got, want) {
			t.Fatalf("public key of %v is %x, want %x", k, got.SerializeCompressed(), want.SerializeCompressed())
		}
		secret, err := NewSecretKey(key)
		if k.IsZero() {
			if !errors.Is(err, ErrSecretKey) {
				t.Fatalf("zero is a secret key: %v", err)
			}
			continue
		}
		parsed, parseErr := NewPublicKey(want)
		if err != nil || parseErr != nil || *secret.PublicKey() != *parsed {
			t.Fatalf("secret key %v: %v, %v", k, err, parseErr)
		}
	}
}

// TestParseKey compares with btcec what is read and what is refused.
func TestParseKey(t *testing.T) {
	good, bad := 0, 0
	check := func(t interface{ Fatalf(string, ...any) }, raw []byte) {
		got, err := ParseKey(raw)
		want, wantErr := btcec.ParsePubKey(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%x: %v, btcec says %v", raw, err, wantErr)
		}
		if err != nil {
			if bad++; !errors.Is(err, ErrPublicKey) {
				t.Fatalf("%x: %v", raw, err)
			}
			return
		}
		if good++; !sameKey(got, want) {
			t.Fatalf("%x is read as %x", raw, got.SerializeCompressed())
		}
	}
	for _, x := range operands(t) {
		raw := x.bytes()
		for first := range byte(8) {
			check(t, append([]byte{first}, raw[:]...))
		}
	}
	size := order // the field size minus 1, then sizes and above
	for i := range size {
		size[i] = 1<<64 - 1
	}
	for low := range uint64(20) {
		raw := [33]byte{2}
		size[0] = 1<<64 - fold - 10 + low
		x := size.bytes()
		copy(raw[1:], x[:])
		check(t, raw[:])
	}
	valid := (&btcec.PrivateKey{Key: unit}).PubKey().SerializeCompressed()
	for n := range valid {
		check(t, valid[:n])
	}
	check(t, append(valid, 0)) // no length but 33 is read, btcec's 65 is not of this kind
	rapid.Check(t, func(t *rapid.T) {
		check(t, append([]byte{rapid.SampledFrom([]byte{2, 3}).Draw(t, "first")}, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "x")...))
	})
	if good == 0 || bad == 0 {
		t.Errorf("%d good, %d bad", good, bad)
	}
}

// TestSumProducts compares with btcec sums in which additions degenerate: of
// points that are related, in every order, and of none.
func TestSumProducts(t *testing.T) {
	base := (&btcec.PrivateKey{Key: hashScalar(number("sum", 0))}).PubKey()
	keys := []*btcec.PublicKey{nil, (&btcec.PrivateKey{Key: unit}).PubKey(), base, base}
	for i := range 3 {
		keys = append(keys, (&btcec.PrivateKey{Key: hashScalar(number("sum", i))}).PubKey())
	}
	numbers := edges()
	rapid.Check(t, func(t *rapid.T) {
		lists := make([][]Product, rapid.IntRange(0, 2*together+1).Draw(t, "lists"))
		wants := make([]btcec.JacobianPoint, len(lists))
		for i := range lists {
			for range rapid.IntRange(0, 4).Draw(t, "products") {
				number := rapid.SampledFrom(numbers).Draw(t, "number")
				p := Product{rapid.SampledFrom(keys).Draw(t, "key"), &number}
				lists[i] = append(lists[i], p)
				var product btcec.JacobianPoint
				if p.P == nil {
					btcec.ScalarBaseMultNonConst(p.K, &product)
				} else {
					var of btcec.JacobianPoint
					p.P.AsJacobian(&of)
					btcec.ScalarMultNonConst(p.K, &of, &product)
				}
				before := wants[i]
				btcec.AddNonConst(&before, &product, &wants[i])
			}
		}
		for i, got := range SumProducts(lists...) {
			wants[i].ToAffine()
			if want := btcec.NewPublicKey(&wants[i].X, &wants[i].Y); !sameKey(got, want) {
				t.Fatalf("sum %d is %x, want %x", i, got.SerializeCompressed(), want.SerializeCompressed())
			}
		}
	})
}
