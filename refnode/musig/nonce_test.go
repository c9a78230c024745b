package musig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestNonceGenRefuses(t *testing.T) {
	key, other := secretKey(t, "gen", 0), secretKey(t, "gen", 1)
	broken := errors.New("broken")
	rows := []struct {
		name string
		rand io.Reader
		in   NonceInput
		want error
	}{
		{"no key", seeded("x"), NonceInput{}, ErrNonceInput},
		{"zero values", seeded("x"), NonceInput{PublicKey: &PublicKey{},
			SecretKey: &SecretKey{}}, ErrNonceInput},
		{"two keys", seeded("x"), NonceInput{PublicKey: other.public,
			SecretKey: key}, ErrNonceInput},
		{"aggregate key of 33 bytes", seeded("x"), NonceInput{SecretKey: key,
			AggregateKey: make([]byte, 33)}, ErrNonceInput},
		{"no source", nil, NonceInput{SecretKey: key}, ErrRandom},
		{"31 bytes", bytes.NewReader(make([]byte, 31)),
			NonceInput{SecretKey: key}, io.ErrUnexpectedEOF},
		{"broken source", iotest.ErrReader(broken),
			NonceInput{SecretKey: key}, broken},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			secret, public, err := NonceGen(row.rand, row.in)
			if !errors.Is(err, row.want) || secret != nil || !public.IsZero() {
				t.Fatalf("%v, %v, %v", secret, public, err)
			}
			if row.want != ErrNonceInput && !errors.Is(err, ErrRandom) {
				t.Fatal(err)
			}
		})
	}
}

// TestNonceGenBindsItsInput changes one input at a time under the same
// randomness.
func TestNonceGenBindsItsInput(t *testing.T) {
	key := secretKey(t, "bind", 0)
	inputs := []NonceInput{
		{PublicKey: key.public},
		{SecretKey: key},
		{SecretKey: secretKey(t, "bind", 1)},
		{SecretKey: key, AggregateKey: make([]byte, 32)},
		{SecretKey: key, Message: []byte{}},
		{SecretKey: key, Message: []byte{0}},
		{SecretKey: key, Extra: []byte{0}},
		{SecretKey: key, Extra: []byte{1}},
	}
	seen := map[[PublicNonceSize]byte]int{}
	for i, in := range inputs {
		_, public, err := NonceGen(seeded("bind"), in)
		if err != nil {
			t.Fatal(err)
		}
		if j, repeated := seen[public.Bytes()]; repeated {
			t.Fatalf("inputs %d and %d give the same nonce", i, j)
		}
		seen[public.Bytes()] = i
	}
	_, public, _ := NonceGen(seeded("bind"), NonceInput{SecretKey: key,
		PublicKey: key.public})
	if seen[public.Bytes()] != 1 {
		t.Fatal("naming the public key changes the nonce")
	}
}

func TestNonceParsing(t *testing.T) {
	p := newParty(t, "parse", 1)
	good := p.nonces[0].Bytes()
	edit := func(change func(raw []byte) []byte) []byte {
		return change(bytes.Clone(good[:]))
	}
	zeroHalf := func(half int) []byte {
		return edit(func(raw []byte) []byte {
			clear(raw[33*half : 33*half+33])
			return raw
		})
	}
	rows := []struct {
		name              string
		raw               []byte
		public, aggregate bool
	}{
		{"good", good[:], true, true},
		{"empty", nil, false, false},
		{"short", good[:65], false, false},
		{"long", append(bytes.Clone(good[:]), 0), false, false},
		{"first half infinity", zeroHalf(0), false, true},
		{"second half infinity", zeroHalf(1), false, true},
		{"both infinity", make([]byte, 66), false, true},
		{"first byte 0 and an x", edit(func(raw []byte) []byte {
			raw[0] = 0
			return raw
		}), false, false},
		{"second tag 4", edit(func(raw []byte) []byte {
			raw[33] = 4
			return raw
		}), false, false},
		{"second tag hybrid", edit(func(raw []byte) []byte {
			raw[33] = 6
			return raw
		}), false, false},
		{"x of zero", edit(func(raw []byte) []byte {
			clear(raw[1:33])
			return raw
		}), false, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			public, err := ParsePublicNonce(row.raw)
			if row.public != (err == nil) || err != nil &&
				(!errors.Is(err, ErrPublicNonce) || !public.IsZero()) {
				t.Errorf("public: %v, %v", public, err)
			}
			aggregate, err := ParseAggregateNonce(row.raw)
			if row.aggregate != (err == nil) || err != nil &&
				(!errors.Is(err, ErrAggregateNonce) || aggregate.set) {
				t.Errorf("aggregate: %v, %v", aggregate, err)
			}
		})
	}
	t.Run("list names the signer", func(t *testing.T) {
		_, err := ParsePublicNonces([][66]byte{good, good, {}})
		wantSigner(t, err, 2, ContributionNonce, ErrPublicNonce)
		_, err = AggregateNonces([]PublicNonce{p.nonces[0], {}})
		wantSigner(t, err, 1, ContributionNonce, ErrPublicNonce)
		if _, err = AggregateNonces(nil); !errors.Is(err, ErrNoKeys) {
			t.Error(err)
		}
	})
}

// wantSigner checks who is blamed for what.
func wantSigner(t testing.TB, err error, signer int, what Contribution, why error) {
	t.Helper()
	var named *SignerError
	if !errors.As(err, &named) || named.Signer != signer ||
		named.Contribution != what || !errors.Is(err, why) {
		t.Fatalf("got %v, want signer %d: %s: %v", err, signer, what, why)
	}
	if text := err.Error(); strings.Contains(text, "\n") ||
		!strings.Contains(text, fmt.Sprintf("signer %d", signer)) {
		t.Fatal(text)
	}
}

// TestNonceGenAll compares with one nonce after the other from the same source,
// in numbers below and above a batch, and wants nothing when one of them fails.
func TestNonceGenAll(t *testing.T) {
	var inputs []NonceInput
	for i := range baseBatch + 1 {
		key, message := secretKey(t, "together", i%3), number("together", i)
		inputs = append(inputs, NonceInput{SecretKey: key, Message: message[:]})
	}
	for _, n := range []int{0, 1, 9, len(inputs)} {
		secrets, publics, err := NonceGenAll(seeded("together"), inputs[:n])
		if err != nil || len(secrets) != n || len(publics) != n {
			t.Fatalf("%d nonces: %d and %d, %v", n, len(secrets), len(publics), err)
		}
		source := seeded("together")
		for i := range n {
			secret, public, err := NonceGen(source, inputs[i])
			if err != nil {
				t.Fatal(err)
			}
			want, got := must(secret.use())(t), must(secrets[i].use())(t)
			if got != want || secrets[i].key != secret.key || publics[i] != public {
				t.Errorf("nonce %d of %d is not the one made alone", i, n)
			}
		}
	}
	inputs[2].SecretKey = nil
	if secrets, publics, err := NonceGenAll(seeded("together"), inputs); !errors.Is(err, ErrNonceInput) || secrets != nil || publics != nil {
		t.Errorf("without a key: %v, %v, %v", secrets, publics, err)
	}
}
