package musig

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// FuzzPublicNonce checks that the parsers agree with btcec on what a point is,
// return the bytes they were given, and fail with their own error.
func FuzzPublicNonce(f *testing.F) {
	p := newParty(f, "fuzz", 1)
	good := p.nonces[0].Bytes()
	f.Add(good[:])
	f.Add(good[:65])
	f.Add(make([]byte, 66))
	f.Add(append(bytes.Clone(good[:33]), make([]byte, 33)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		public, err := ParsePublicNonce(raw)
		if err != nil && !errors.Is(err, ErrPublicNonce) {
			t.Fatal(err)
		}
		ok := len(raw) == PublicNonceSize && isPoint(raw[:33]) &&
			isPoint(raw[33:])
		if ok != (err == nil) {
			t.Fatalf("btcec says %v, we say %v", ok, err)
		}
		aggregate, err2 := ParseAggregateNonce(raw)
		if err2 != nil && !errors.Is(err2, ErrAggregateNonce) {
			t.Fatal(err2)
		}
		if err == nil && (public.raw != [66]byte(raw) || err2 != nil) {
			t.Fatalf("parsed %v, aggregate %v", public, err2)
		}
		if err2 == nil && aggregate.raw != [66]byte(raw) {
			t.Fatalf("parsed %v", aggregate)
		}
	})
}

// isPoint asks btcec, whose parser takes longer encodings too.
func isPoint(raw []byte) bool {
	_, err := btcec.ParsePubKey(raw)
	return len(raw) == 33 && err == nil
}

// FuzzPartialSignature checks range and length against arithmetic of btcec.
func FuzzPartialSignature(f *testing.F) {
	order := above(f)
	f.Add(order[:])
	f.Add(make([]byte, 32))
	f.Add(make([]byte, 31))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sig, err := ParsePartialSignature(raw)
		ok := len(raw) == 32 && bytes.Compare(raw, order[:]) < 0
		if ok != (err == nil) || err != nil && !errors.Is(err,
			ErrPartialSignature) {
			t.Fatalf("want %v, got %v", ok, err)
		}
		if ok && !bytes.Equal(sig[:], raw) {
			t.Fatalf("parsed %x", sig)
		}
	})
}

// FuzzPublicKey compares with btcec.
func FuzzPublicKey(f *testing.F) {
	good := secretKey(f, "fuzz", 0).PublicKey().Bytes()
	f.Add(good[:])
	f.Add(good[:32])
	f.Add(make([]byte, 33))
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, err := ParsePublicKey(raw)
		if isPoint(raw) != (err == nil) {
			t.Fatalf("btcec says %v, we say %v", isPoint(raw), err)
		}
		if err == nil && !bytes.Equal(key.raw[:], raw) {
			t.Fatalf("parsed %v", key)
		}
	})
}

// FuzzSignature compares with btcec, whose parser accepts s above the group
// order and thus more than BIP-340 does.
func FuzzSignature(f *testing.F) {
	item := signed(f, "fuzz", 1)[0]
	f.Add(item.Signature[:])
	f.Add(item.Signature[:63])
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, raw []byte) {
		sig, err := ParseSignature(raw)
		if err != nil {
			if !errors.Is(err, ErrSignature) {
				t.Fatal(err)
			}
			return
		}
		err = Verify(sig, item.Key, item.Message)
		if (sig == item.Signature) != (err == nil) {
			t.Fatalf("%x: %v", sig, err)
		}
	})
}
