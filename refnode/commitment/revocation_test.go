package commitment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lightningnetwork/lnd/shachain"
	"pgregory.net/rapid"
)

func drawSeed(t *rapid.T) Seed {
	return Seed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
}

// receive takes the first n secrets of a seed.
func receive(t fatal, seed Seed, n uint64) Revocations {
	t.Helper()
	var r Revocations
	for i := range Number(n) {
		point, err := seed.Point(i)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = r.Add(seed.Secret(i), point); err != nil {
			t.Fatal(err)
		}
	}

	return r
}

// lnd's store takes the same secrets, and both give the same old ones.
func TestRevocationsAgreeWithLND(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := drawSeed(t)
		producer := shachain.NewRevocationProducer([32]byte(seed))
		oracle := shachain.NewRevocationStore()
		n := rapid.Uint64Range(1, 40).Draw(t, "received")
		r := receive(t, seed, n)
		for i := range n {
			secret, err := producer.AtIndex(i)
			if err != nil || Secret(*secret) != seed.Secret(Number(i)) {
				t.Fatalf("secret %d is %x, lnd's %x, %v", i, seed.Secret(Number(i)), secret, err)
			}
			if err := oracle.AddNextEntry(secret); err != nil {
				t.Fatal(err)
			}
		}
		for i := range n {
			theirs, err := oracle.LookUp(i)
			if err != nil {
				t.Fatal(err)
			}
			if ours, err := r.Secret(Number(i)); err != nil || ours != Secret(*theirs) {
				t.Fatalf("stored secret %d is %x, %v; lnd's %x", i, ours, err, *theirs)
			}
		}
		if _, err := r.Secret(Number(n)); !errors.Is(err, ErrNoSecret) {
			t.Fatalf("secret %d is known: %v", n, err)
		}
	})
}

// What is stored comes back; anything else is refused.
func TestRevocationsEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := drawSeed(t)
		r := receive(t, seed, rapid.Uint64Range(0, 40).Draw(t, "received"))
		b := r.Encode()
		back, err := DecodeRevocations(b)
		if err != nil || back != r {
			t.Fatalf("%v, %v", back.received, err)
		}
		if _, err := DecodeRevocations(append(bytes.Clone(b), 0)); !errors.Is(err, ErrRevocations) {
			t.Fatalf("one byte more: %v", err)
		}
		if _, err := DecodeRevocations(b[:len(b)-1]); !errors.Is(err, ErrRevocations) {
			t.Fatalf("one byte less: %v", err)
		}
		// After four times k secrets each of the two lowest derives from another.
		r = receive(t, seed, 4*rapid.Uint64Range(1, 8).Draw(t, "fours"))
		bad := r.Encode()
		bad[8+rapid.IntRange(0, 63).Draw(t, "byte")] ^= 1
		if _, err := DecodeRevocations(bad); !errors.Is(err, ErrRevocations) {
			t.Fatalf("with another secret: %v", err)
		}
	})
}

func TestRevocationsAreRefused(t *testing.T) {
	seed := Seed{1}
	r := receive(t, seed, 3)
	point, _ := seed.Point(3)
	other := Seed{2}
	otherPoint, _ := other.Point(3)
	for name, err := range map[string]error{
		"earlier secret":  second(r.Add(seed.Secret(2), point)),
		"other point":     second(r.Add(seed.Secret(3), otherPoint)),
		"no point":        second(r.Add(seed.Secret(3), nil)),
		"other seed":      second(r.Add(other.Secret(3), otherPoint)),
		"zero":            second(r.Add(Secret{}, point)),
		"above the order": second(r.Add(Secret(bytes.Repeat([]byte{255}, 32)), point)),
	} {
		if !errors.Is(err, ErrSecret) {
			t.Errorf("%s: %v, want %v", name, err, ErrSecret)
		}
	}
	before := r
	next, err := r.Add(seed.Secret(3), point)
	if err != nil || next.Next() != 4 || r != before {
		t.Errorf("good one: %v; %d comes next; changed in place: %v", err, next.Next(), r != before)
	}
}

// The last secrets there are: index 1, index 0, and none after.
func TestRevocationsAtTheEnd(t *testing.T) {
	seed := Seed{3}
	r := Revocations{received: uint64(MaxNumber) - 1}
	for b := range buckets {
		if r.has(b) {
			r.known[b] = seed.Secret(MaxNumber - Number(r.indexOf(b)))
		}
	}
	for n := MaxNumber - 1; n <= MaxNumber; n++ {
		point, err := seed.Point(n)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = r.Add(seed.Secret(n), point); err != nil {
			t.Fatalf("number %d: %v", n, err)
		}
	}
	if r.known[48] != Secret(seed) {
		t.Error("the last secret is not the seed")
	}
	for _, n := range []Number{0, 1, 12345, 1 << 40, MaxNumber - 1, MaxNumber} {
		if got, err := r.Secret(n); err != nil || got != seed.Secret(n) {
			t.Errorf("secret %d: %x, %v", n, got, err)
		}
	}
	if back, err := DecodeRevocations(r.Encode()); err != nil || back != r {
		t.Errorf("encoding: %v", err)
	}
	if _, err := r.Add(Secret{1}, nil); !errors.Is(err, ErrSecret) {
		t.Errorf("one more: %v", err)
	}
}

func FuzzDecodeRevocations(f *testing.F) {
	for _, n := range []uint64{0, 1, 2, 7, 40} {
		f.Add(receive(f, Seed{1}, n).Encode())
	}
	f.Add(binary.BigEndian.AppendUint64(nil, 1<<48+1))
	f.Add(bytes.Repeat([]byte{255}, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRevocations(b)
		if err != nil {
			if !errors.Is(err, ErrRevocations) {
				t.Fatal(err)
			}

			return
		}
		if !bytes.Equal(r.Encode(), b) {
			t.Fatal("not what was read")
		}
		for _, n := range []Number{0, r.Next() / 2, r.Next() - 1} {
			if _, err := r.Secret(n); (err == nil) != (n < r.Next()) {
				t.Fatalf("secret %d of %d: %v", n, r.Next(), err)
			}
		}
	})
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := exampleScene(t, Anchors, Opener)
	key := fmt.Sprintf("%x", s.Secrets[Opener].HTLC.Serialize())
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, secret := range []any{s.Secrets[Opener], s.Seeds[Opener], s.own[0]} {
			out := fmt.Sprintf(format, secret)
			if len(out) > 120 || strings.Contains(out, key) {
				t.Errorf("%s of %T prints %s", format, secret, out)
			}
		}
	}
	if out := fmt.Sprintf("%x", s.Seeds[Opener]); strings.Contains(out, fmt.Sprintf("%x", s.Seeds[Opener][:])) {
		t.Errorf("a seed prints %s", out)
	}
}
