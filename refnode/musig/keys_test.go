package musig

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

func TestPublicKeyParsing(t *testing.T) {
	good := secretKey(t, "key", 0).PublicKey().Bytes()
	edit := func(at int, value byte) []byte {
		raw := bytes.Clone(good[:])
		raw[at] = value
		return raw
	}
	uncompressed := must(btcec.ParsePubKey(good[:]))(t).SerializeUncompressed()
	rows := []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"good", good[:], true},
		{"the negative point", edit(0, good[0]^1), true},
		{"nothing", nil, false},
		{"32 bytes", good[1:], false},
		{"34 bytes", append(bytes.Clone(good[:]), 0), false},
		{"uncompressed", uncompressed, false},
		{"infinity", make([]byte, 33), false},
		{"tag 0", edit(0, 0), false},
		{"tag 4", edit(0, 4), false},
		{"tag 6", edit(0, 6), false},
		{"field size", append([]byte{2}, unhex(t, "ffffffffffffffffffffffffffff"+
			"fffffffffffffffffffffffffffffffefffffc2f")...), false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			key, err := ParsePublicKey(row.raw)
			if row.ok != (err == nil) || err != nil &&
				!errors.Is(err, ErrPublicKey) {
				t.Fatal(err)
			}
			if !row.ok {
				return
			}
			raw, x := key.Bytes(), key.XOnly()
			if !bytes.Equal(raw[:], row.raw) || !bytes.Equal(x[:], row.raw[1:]) {
				t.Fatalf("parsed %x", raw)
			}
			if _, err := btcec.ParsePubKey(raw[:]); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := NewPublicKey(nil); !errors.Is(err, ErrPublicKey) {
		t.Fatal(err)
	}
	for _, none := range []*btcec.PrivateKey{nil, {}} {
		if _, err := NewSecretKey(none); !errors.Is(err, ErrSecretKey) {
			t.Fatal(err)
		}
	}
}

// negative returns -P.
func negative(t testing.TB, key *PublicKey) *PublicKey {
	t.Helper()
	raw := key.Bytes()
	raw[0] ^= 1

	return must(ParsePublicKey(raw[:]))(t)
}

func TestAggregateRefuses(t *testing.T) {
	a, b := secretKey(t, "a", 0).PublicKey(), secretKey(t, "a", 1).PublicKey()
	t.Run("no keys", func(t *testing.T) {
		for _, aggregate := range []func([]*PublicKey) (*KeyAgg, error){
			Aggregate, AggregateUnsorted} {

			if _, err := aggregate(nil); !errors.Is(err, ErrNoKeys) {
				t.Fatal(err)
			}
			_, err := aggregate([]*PublicKey{a, nil})
			wantSigner(t, err, 1, ContributionKey, ErrPublicKey)
			_, err = aggregate([]*PublicKey{a, b, {}})
			wantSigner(t, err, 2, ContributionKey, ErrPublicKey)
		}
	})
	t.Run("duplicate, the second is named", func(t *testing.T) {
		_, err := Aggregate([]*PublicKey{a, b, b, a})
		wantSigner(t, err, 2, ContributionKey, ErrDuplicateKey)
		_, err = Aggregate([]*PublicKey{b, a, negative(t, b), b})
		wantSigner(t, err, 3, ContributionKey, ErrDuplicateKey)
	})
	t.Run("the negative of a key is another key", func(t *testing.T) {
		must(Aggregate([]*PublicKey{a, negative(t, a)}))(t)
	})
	t.Run("tweaks", func(t *testing.T) {
		agg := must(Aggregate([]*PublicKey{a, b}))(t)
		for _, size := range []int{1, 31, 33, 64} {
			if _, err := agg.Taproot(make([]byte, size)); !errors.Is(err,
				ErrMerkleRoot) {
				t.Fatal(err)
			}
		}
	})
	t.Run("lookups of a stranger", func(t *testing.T) {
		agg := must(Aggregate([]*PublicKey{a, b}))(t)
		stranger := negative(t, a)
		for _, key := range []*PublicKey{nil, {}, stranger} {
			if _, found := agg.Index(key); found {
				t.Fatal("found")
			}
			if _, err := agg.Coefficient(key); !errors.Is(err, ErrNotSigner) {
				t.Fatal(err)
			}
		}
		for _, i := range []int{-1, 2} {
			if _, ok := agg.Signer(i); ok {
				t.Fatal("found")
			}
		}
		if key, ok := agg.Signer(1); !ok || !key.Equal(b) || agg.Size() != 2 {
			t.Fatal("signer 1 is not the second key")
		}
	})
}

// TestEqualAndString covers what logs and comparisons use.
func TestEqualAndString(t *testing.T) {
	p := newParty(t, "equal", 2)
	key, raw := p.keys[0], p.keys[0].Bytes()
	same := must(NewPublicKey(must(btcec.ParsePubKey(raw[:]))(t)))(t)
	if !key.Equal(same) || key.Equal(p.keys[1]) || key.Equal(nil) ||
		key.Equal(negative(t, key)) {
		t.Fatal("wrong equality of keys")
	}
	equal(t, raw[:], key.String())
	nonce, bytes := p.nonces[0], p.nonces[0].Bytes()
	if !nonce.Equal(must(ParsePublicNonce(bytes[:]))(t)) ||
		nonce.Equal(p.nonces[1]) || nonce.Equal(PublicNonce{}) {
		t.Fatal("wrong equality of nonces")
	}
	equal(t, bytes[:], nonce.String())
	sum := p.session.nonce.Bytes()
	equal(t, sum[:], p.session.nonce.String())
	if text := (&BatchError{[]int{1, 4}}).Error(); text !=
		"invalid signature: 2 in the batch, at [1 4]" {
		t.Fatal(text)
	}
}

// TestAggregateKeepsItsKeys changes the list after aggregating.
func TestAggregateKeepsItsKeys(t *testing.T) {
	a, b := secretKey(t, "a", 0).PublicKey(), secretKey(t, "a", 1).PublicKey()
	keys := []*PublicKey{a, b}
	agg := must(Aggregate(keys))(t)
	keys[0] = b
	if key, _ := agg.Signer(0); !key.Equal(a) {
		t.Fatal("the aggregate shares the caller's list")
	}
}

// TestInternalKey applies tweaks before and after Taproot: the internal key is
// the one right before it.
func TestInternalKey(t *testing.T) {
	p := newParty(t, "internal", 2)
	plain := must(Aggregate(p.keys))(t)
	tweaked := must(plain.TweakPlain(number("internal", 9)))(t)
	taproot := must(tweaked.Taproot(nil))(t)
	later := must(taproot.TweakXOnly(number("internal", 10)))(t)
	for name, row := range map[string]struct{ agg, internal *KeyAgg }{
		"no tweak":       {plain, plain},
		"plain tweak":    {tweaked, plain},
		"taproot":        {taproot, tweaked},
		"taproot, tweak": {later, tweaked},
	} {
		if row.agg.InternalKey() != row.internal.OutputKey() {
			t.Errorf("%s: internal key %x", name, row.agg.InternalKey())
		}
	}
}

// TestOneKey aggregates a single key, which BIP-327 does not leave as it is.
func TestOneKey(t *testing.T) {
	p := newParty(t, "one", 1)
	if p.agg.InternalKey() == p.keys[0].XOnly() {
		t.Fatal("one key has the coefficient 1")
	}
	sig := must(p.session.Combine(p.partials))(t)
	if err := p.session.Verify(sig); err != nil {
		t.Fatal(err)
	}
}

// TestAggregateAll compares with sets aggregated one by one that share keys,
// and asks which set is refused.
func TestAggregateAll(t *testing.T) {
	keys := newParty(t, "sets", 40).keys
	var sets [][]*PublicKey
	for i := range keys {
		sets = append(sets, keys[i/2:i+1], keys[:i+1])
	}
	for i, got := range must(AggregateAll(sets))(t) {
		want := must(Aggregate(sets[i]))(t)
		if got.PlainKey() != want.PlainKey() || got.Size() != len(sets[i]) {
			t.Fatalf("set %d differs", i)
		}
	}
	if got := must(AggregateAll(nil))(t); len(got) != 0 {
		t.Fatalf("%d aggregates of no set", len(got))
	}
	var signer *SignerError
	sets[7] = []*PublicKey{keys[0], keys[1], keys[0]}
	if _, err := AggregateAll(sets); !errors.Is(err, ErrDuplicateKey) ||
		!errors.As(err, &signer) || signer.Signer != 2 {

		t.Fatalf("equal keys: %v", err)
	}
	sets[3] = nil
	if _, err := AggregateAll(sets); !errors.Is(err, ErrNoKeys) {
		t.Fatalf("an empty set: %v", err)
	}
}

// TestTaprootAll compares with one key after the other, with and without a
// script path.
func TestTaprootAll(t *testing.T) {
	root := number("root", 0)
	for _, merkle := range [][]byte{nil, root[:]} {
		for _, n := range []int{0, 1, 5, baseBatch + 1} {
			var keys []*KeyAgg
			for i := range n {
				pair := []*PublicKey{secretKey(t, "tap", i).PublicKey(), secretKey(t, "tap", i+1).PublicKey()}
				keys = append(keys, must(Aggregate(pair))(t))
			}
			all := must(TaprootAll(keys, merkle))(t)
			for i, key := range keys {
				want := must(key.Taproot(merkle))(t)
				if got := all[i]; got.q != want.q || got.tweak != want.tweak || got.negated != want.negated || got.internal != want.internal {
					t.Errorf("key %d of %d is not the one tweaked alone", i, n)
				}
			}
		}
	}
	if _, err := TaprootAll(nil, make([]byte, 31)); !errors.Is(err, ErrMerkleRoot) {
		t.Errorf("a root of 31 bytes: %v", err)
	}
}
