package musig

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcec/v2/schnorr/musig2"
	"pgregory.net/rapid"
)

// oracle holds the same signers for btcec's implementation.
type oracle struct {
	privates []*btcec.PrivateKey
	publics  []*btcec.PublicKey
	tweaks   []musig2.KeyTweakDesc
}

// drawn is a random set of signers in both implementations.
func drawn(t *rapid.T, n int) (*party, *oracle) {
	p, o := &party{}, &oracle{}
	label := rapid.StringN(1, 8, -1).Draw(t, "label")
	for i := range n {
		raw := number(label, i)
		private, public := btcec.PrivKeyFromBytes(raw[:])
		o.privates = append(o.privates, private)
		o.publics = append(o.publics, public)
		secret, err := NewSecretKey(private)
		if err != nil {
			t.Fatal(err)
		}
		p.secrets = append(p.secrets, secret)
		p.keys = append(p.keys, secret.PublicKey())
	}
	agg, err := Aggregate(p.keys)
	if err != nil {
		t.Fatal(err)
	}
	p.agg = agg

	return p, o
}

// tweak applies up to three random tweaks to both.
func tweak(t *rapid.T, p *party, o *oracle) {
	for i := range rapid.IntRange(0, 3).Draw(t, "tweaks") {
		raw := number("tweak", rapid.IntRange(0, 1<<20).Draw(t, "tweak"))
		xOnly := rapid.Bool().Draw(t, "x only")
		o.tweaks = append(o.tweaks, musig2.KeyTweakDesc{Tweak: raw,
			IsXOnly: xOnly})
		var err error
		if xOnly {
			p.agg, err = p.agg.TweakXOnly(raw)
		} else {
			p.agg, err = p.agg.TweakPlain(raw)
		}
		if err != nil {
			t.Fatalf("tweak %d: %v", i, err)
		}
	}
}

// compareKeys compares the aggregate keys.
func compareKeys(t *rapid.T, p *party, o *oracle) {
	want, _, _, err := musig2.AggregateKeys(o.publics, true,
		musig2.WithKeyTweaks(o.tweaks...))
	if err != nil {
		t.Fatal(err)
	}
	got := p.agg.PlainKey()
	if string(got[:]) != string(want.FinalKey.SerializeCompressed()) {
		t.Fatalf("aggregate %x, oracle %x", got,
			want.FinalKey.SerializeCompressed())
	}
	output := p.agg.OutputKey()
	if string(output[:]) != string(got[1:]) {
		t.Fatalf("output key %x of %x", output, got)
	}
}

// compareSignatures signs in both implementations with the same nonces.
func compareSignatures(t *rapid.T, p *party, o *oracle) {
	message := number("message", rapid.IntRange(0, 1<<20).Draw(t, "message"))
	var nonces []PublicNonce
	var theirs [][musig2.PubNonceSize]byte
	var secrets []*SecretNonce
	raw := make([][musig2.SecNonceSize]byte, len(p.keys))
	random := seeded(fmt.Sprintf("%x", message))
	for i, key := range p.secrets {
		scalars := &nonceScalars{}
		for j := range scalars {
			var b [32]byte
			_, _ = random.Read(b[:])
			scalars[j] = hashScalar(b)
			scalars[j].PutBytesUnchecked(raw[i][32*j:])
		}
		copy(raw[i][64:], key.public.raw[:])
		var public [PublicNonceSize]byte
		for j := range scalars {
			half := baseMul(&scalars[j])
			encoded := half.compress()
			copy(public[33*j:], encoded[:])
		}
		secrets = append(secrets, newSecretNonce(scalars, key.public.raw))
		nonce, err := ParsePublicNonce(public[:])
		if err != nil {
			t.Fatal(err)
		}
		nonces = append(nonces, nonce)
		theirs = append(theirs, public)
	}

	sum, err := AggregateNonces(nonces)
	if err != nil {
		t.Fatal(err)
	}
	want, err := musig2.AggregateNonces(theirs)
	if err != nil || want != sum.Bytes() {
		t.Fatalf("aggregate nonce %v, oracle %x, %v", sum, want, err)
	}
	session, err := NewSession(p.agg, sum, message)
	if err != nil {
		t.Fatal(err)
	}
	// The oracle aggregates all keys for every signature: one is enough.
	compared := rapid.IntRange(0, len(p.secrets)-1).Draw(t, "compared")
	var partials []PartialSignature
	for i, key := range p.secrets {
		partial, err := session.Sign(secrets[i], key)
		if err != nil {
			t.Fatal(err)
		}
		partials = append(partials, partial)
	}
	theirSig, err := musig2.Sign(raw[compared], o.privates[compared], want,
		o.publics, message, musig2.WithSortedKeys(), musig2.WithFastSign(),
		musig2.WithTweaks(o.tweaks...))
	if err != nil {
		t.Fatal(err)
	}
	if theirSig.S.Bytes() != partials[compared] {
		t.Fatalf("signer %d: %x, oracle %x", compared, partials[compared],
			theirSig.S.Bytes())
	}
	sig, err := session.Combine(partials)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Verify(sig); err != nil {
		t.Fatal(err)
	}
	parsed, err := schnorr.ParseSignature(sig[:])
	if err != nil {
		t.Fatal(err)
	}
	output := p.agg.OutputKey()
	key, err := schnorr.ParsePubKey(output[:])
	if err != nil || !parsed.Verify(message[:], key) {
		t.Fatalf("the oracle refuses the signature (%v)", err)
	}
	guilty, err := session.Blame(nonces, partials)
	if err != nil || guilty != nil {
		t.Fatalf("blamed %v, %v", guilty, err)
	}
}

func TestAgreesWithBtcec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, o := drawn(t, rapid.IntRange(1, 24).Draw(t, "n"))
		tweak(t, p, o)
		compareKeys(t, p, o)
		compareSignatures(t, p, o)
	})
}

func TestAgreesWithBtcecTaproot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, o := drawn(t, rapid.IntRange(1, 6).Draw(t, "n"))
		option := musig2.WithBIP86KeyTweak()
		var root []byte
		if rapid.Bool().Draw(t, "script") {
			hash := number("root", rapid.IntRange(0, 1<<20).Draw(t, "root"))
			root = hash[:]
			option = musig2.WithTaprootKeyTweak(root)
		}
		want, _, _, err := musig2.AggregateKeys(o.publics, true, option)
		if err != nil {
			t.Fatal(err)
		}
		agg, err := p.agg.Taproot(root)
		if err != nil {
			t.Fatal(err)
		}
		output, internal := agg.OutputKey(), agg.InternalKey()
		if string(output[:]) != string(schnorr.SerializePubKey(want.FinalKey)) ||
			string(internal[:]) != string(schnorr.SerializePubKey(
				want.PreTweakedKey)) {
			t.Fatalf("output %x, internal %x", output, internal)
		}
		if p.agg.OutputKey() != internal {
			t.Fatal("the tweak changed what it was applied to")
		}
	})
}

// TestAgreesWithBtcecLarge crosses from one block of products to several. The
// oracle aggregates again for every signature, so
// that only the aggregates and one signature are compared.
func TestAgreesWithBtcecLarge(t *testing.T) {
	for _, n := range []int{25, 128, blockTerms, blockTerms + 1, 1024} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			p := newParty(t, "large", n)
			var publics []*btcec.PublicKey
			for _, key := range p.keys {
				publics = append(publics, must(
					btcec.ParsePubKey(key.raw[:]))(t))
			}
			want, _, _, err := musig2.AggregateKeys(publics, true,
				musig2.WithBIP86KeyTweak())
			if err != nil {
				t.Fatal(err)
			}
			output := p.agg.OutputKey()
			if string(output[:]) != string(schnorr.SerializePubKey(
				want.FinalKey)) {
				t.Fatalf("output key %x", output)
			}
			for _, i := range []int{0, n / 2, n - 1} {
				if err := p.session.VerifyPartial(p.partials[i],
					p.nonces[i], p.keys[i]); err != nil {
					t.Fatal(err)
				}
			}
			sig := must(p.session.Combine(p.partials))(t)
			if err := p.session.Verify(sig); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestUnsortedAgreesWithBtcec has equal keys, which the vectors have only in
// small sets.
func TestUnsortedAgreesWithBtcec(t *testing.T) {
	for _, distinct := range []int{1, 2, 7, 300} {
		for _, n := range []int{2, 19, 20, 300} {
			t.Run(fmt.Sprintf("%d of %d", min(distinct, n), n), func(t *testing.T) {
				var keys []*PublicKey
				var publics []*btcec.PublicKey
				for i := range n {
					key := secretKey(t, "equal", i%distinct).PublicKey()
					keys = append(keys, key)
					publics = append(publics, must(
						btcec.ParsePubKey(key.raw[:]))(t))
				}
				want, _, _, err := musig2.AggregateKeys(publics, false)
				if err != nil {
					t.Fatal(err)
				}
				agg := must(AggregateUnsorted(keys))(t)
				got := agg.PlainKey()
				if string(got[:]) != string(want.FinalKey.SerializeCompressed()) {
					t.Fatalf("aggregate %x", got)
				}
			})
		}
	}
}

// TestOrderDoesNotMatter shuffles the signers.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _ := drawn(t, rapid.IntRange(1, 24).Draw(t, "n"))
		shuffled := rapid.Permutation(p.keys).Draw(t, "order")
		agg, err := Aggregate(shuffled)
		if err != nil || agg.PlainKey() != p.agg.PlainKey() {
			t.Fatalf("another aggregate (%v)", err)
		}
		for i, key := range shuffled {
			if at, ok := agg.Index(key); !ok || at != i {
				t.Fatalf("signer %d is at %d", i, at)
			}
			mine, err := agg.Coefficient(key)
			theirs, err2 := p.agg.Coefficient(key)
			if mine != theirs || err != nil || err2 != nil {
				t.Fatalf("coefficients %x and %x", mine, theirs)
			}
		}
	})
}

// spoil returns a wrong partial signature in place of a right one.
func spoil(t *rapid.T, p *party, i int) PartialSignature {
	s, err := p.partials[i].scalar()
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.IntRange(0, 3).Draw(t, "fault") {
	case 0:
		s.Negate()
	case 1:
		var one scalar
		s.Add(one.SetInt(1))
	case 2:
		return PartialSignature{} // zero
	default:
		var above PartialSignature // n and above
		for j := range above {
			above[j] = 0xff
		}
		return above
	}

	return PartialSignature(s.Bytes())
}

// TestBlameIsExact spoils a random subset of partial signatures: those signers
// are blamed and nobody else.
func TestBlameIsExact(t *testing.T) {
	parties := map[int]*party{}
	for _, n := range []int{1, 2, 3, 7, 12, 25} {
		parties[n] = newParty(t, "blame", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := parties[rapid.SampledFrom([]int{1, 2, 3, 7, 12, 25}).Draw(t, "n")]
		partials := slices.Clone(p.partials)
		var want []int
		for i := range partials {
			if rapid.Bool().Draw(t, "wrong") {
				want = append(want, i)
				partials[i] = spoil(t, p, i)
			}
		}
		guilty, err := p.session.Blame(p.nonces, partials)
		if err != nil || !slices.Equal(guilty, want) {
			t.Fatalf("blamed %v (%v), want %v", guilty, err, want)
		}
		sig, err := p.session.Combine(partials)
		if err == nil {
			err = p.session.Verify(sig)
		}
		if (err == nil) != (want == nil) {
			t.Fatalf("%d wrong, signature: %v", len(want), err)
		}
		var named *SignerError
		if errors.As(err, &named) && !slices.Contains(want, named.Signer) {
			t.Fatalf("%v, want one of %v", err, want)
		}
	})
}
