package musig

import (
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"pgregory.net/rapid"
)

// btcecValid is what the other library says of a signature.
func btcecValid(key *btcec.PublicKey, item *ECDSAItem) bool {
	var r, s scalar
	if r.SetByteSlice(item.Signature[:32]) || s.SetByteSlice(item.Signature[32:]) || r.IsZero() || s.IsZero() {
		return false
	}

	return ecdsa.NewSignature(&r, &s).Verify(item.Hash[:], key)
}

// ecdsaSigned is a signature of the other library.
func ecdsaSigned(key *btcec.PrivateKey, hash [32]byte) ECDSAItem {
	signature := ecdsa.Sign(key, hash[:])
	r, s := signature.R(), signature.S()

	return ECDSAItem{hash, compact(&r, &s)}
}

func compact(r, s *scalar) (out ECDSASignature) {
	r.PutBytesUnchecked(out[:32])
	s.PutBytesUnchecked(out[32:])

	return out
}

// drawScalar draws a number that is not 0, often one with few digits.
func drawScalar(t *rapid.T, label string) scalar {
	size := rapid.IntRange(1, 32).Draw(t, label+" size")
	raw := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, label)
	var s scalar
	s.SetByteSlice(raw)
	if s.IsZero() {
		s.SetInt(1)
	}

	return s
}

// drawHash draws a hash: any, all zeros, or all ones, which is above the order.
func drawHash(t *rapid.T) [32]byte {
	switch rapid.IntRange(0, 5).Draw(t, "hash") {
	case 0:
		return [32]byte{}
	case 1:
		return [32]byte(slices.Repeat([]byte{0xff}, 32))
	default:
		return number("drawn", int(rapid.Uint32().Draw(t, "number")))
	}
}

// Each verdict is that of btcec, with and without a table for the key, whatever
// else is in the list.
func TestVerifyECDSA(t *testing.T) {
	accepted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		key := &btcec.PrivateKey{Key: drawScalar(t, "key")}
		items := make([]ECDSAItem, rapid.IntRange(0, 3*together).Draw(t, "items"))
		for i := range items {
			items[i] = ecdsaSigned(key, drawHash(t))
			forge(t, &items[i])
		}
		for i, got := range VerifyECDSA(key.PubKey(), items) {
			if want := btcecValid(key.PubKey(), &items[i]); got != want {
				t.Fatalf("item %d of %d, %x: %v, want %v", i, len(items), items[i], got, want)
			}
			if got {
				accepted++
			} else {
				refused++
			}
		}
	})
	if accepted == 0 || refused == 0 {
		t.Errorf("%d signatures were accepted and %d refused", accepted, refused)
	}
}

// forge changes an item, or leaves it.
func forge(t *rapid.T, item *ECDSAItem) {
	sig := &item.Signature
	switch rapid.IntRange(0, 9).Draw(t, "forge") {
	case 0:
		item.Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
	case 1:
		sig[rapid.IntRange(0, 63).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	case 2:
		clear(sig[:32])
	case 3:
		clear(sig[32:])
	case 4: // r + n or s + n, which may be above 2^256
		n := order.bytes()
		copy(sig[32*rapid.IntRange(0, 1).Draw(t, "half"):], n[:])
	case 5: // the upper s is as good
		var s scalar
		s.SetByteSlice(sig[32:])
		s.Negate()
		s.PutBytesUnchecked(sig[32:])
	}
}

// A point whose x is n or more has r = x - n, and one that is infinity has none.
// No chance finds either: keys are made for them.
func TestVerifyECDSASpecialPoints(t *testing.T) {
	nonce, n := point{}, order
	for found := false; !found; {
		n.add(&n, &one)
		raw := n.bytes()
		nonce, found = liftX(raw[:])
	}
	x := nonce.x.bytes()
	r, s := hashScalar(x), hashScalar(number("s", 0)) // reduced
	hash := number("hash", 0)
	e := hashScalar(hash)
	// s*R = e*G + r*P, so P = (s*R - e*G)/r.
	inverse := new(scalar).InverseValNonConst(&r)
	ofNonce := new(scalar).Mul2(&s, inverse)
	ofBase := new(scalar).NegateVal(&e).Mul(inverse)
	key := sum(term{&nonce, *ofNonce}, term{&generator, *ofBase})
	affine := key.affine()
	raw := affine.compress()
	above := must(btcec.ParsePubKey(raw[:]))(t)

	// With key -e/r the two products cancel out.
	secret := new(scalar).NegateVal(&e).Mul(inverse)
	infinite := (&btcec.PrivateKey{Key: *secret}).PubKey()

	item := ECDSAItem{hash, compact(&r, &s)}
	for _, n := range []int{1, fewSignatures, together + 1} {
		items := slices.Repeat([]ECDSAItem{item}, n)
		for _, c := range []struct {
			name string
			key  *btcec.PublicKey
			want bool
		}{{"x of n or more", above, true}, {"infinity", infinite, false}, {"the base point", btcec.Generator(), false}} {
			t.Run(fmt.Sprintf("%s/n=%d", c.name, n), func(t *testing.T) {
				if btcecValid(c.key, &item) != c.want {
					t.Fatal("btcec thinks otherwise")
				}
				if got := VerifyECDSA(c.key, items); slices.Contains(got, !c.want) {
					t.Errorf("%v, want %v", got, c.want)
				}
			})
		}
	}
}

// A table has the multiples that it promises, and digits of it add up to k*P.
func TestComb(t *testing.T) {
	p := baseMul(new(scalar).SetInt(7))
	for _, width := range []int{keyWidth, baseWidth} {
		c := newComb(&p, width)
		for _, k := range edges() {
			var got jacobian
			got.addAll(c.appendDigits(nil, &k))
			want := btcecMul(&p, &k)
			want.ToAffine()
			if a := got.affine(); a.x != fieldElement(&want.X) || a.y != fieldElement(&want.Y) {
				t.Errorf("width %d: a wrong multiple for %v", width, k)
			}
		}
	}
}

// Numbers that are inverted together are inverted.
func TestInvertScalars(t *testing.T) {
	var all []scalar
	for _, edge := range edges() {
		if !edge.IsZero() {
			all = append(all, edge)
		}
	}
	inverses := slices.Clone(all)
	invertScalars(inverses)
	for i := range all {
		if one := new(scalar).Mul2(&all[i], &inverses[i]); !one.Equals(new(scalar).SetInt(1)) {
			t.Errorf("%v times its inverse is %v", all[i], one)
		}
	}
}
