package musig

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
)

// bip327 is the layout of testdata/bip327.json.
type bip327 struct {
	Source  string `json:"source"`
	KeySort []struct {
		Name   string   `json:"name"`
		Keys   []string `json:"keys"`
		Sorted []string `json:"sorted"`
	} `json:"key_sort"`
	KeyAgg   []vector `json:"key_agg"`
	NonceGen []struct {
		Name         string  `json:"name"`
		Random       string  `json:"random"`
		SecretKey    *string `json:"secret_key"`
		PublicKey    string  `json:"public_key"`
		AggregateKey string  `json:"aggregate_key"`
		Message      *string `json:"message"`
		Extra        string  `json:"extra"`
		SecretNonce  string  `json:"secret_nonce"`
		PublicNonce  string  `json:"public_nonce"`
	} `json:"nonce_gen"`
	NonceAgg      []vector `json:"nonce_agg"`
	Sign          []vector `json:"sign"`
	VerifyPartial []vector `json:"verify_partial"`
	Combine       []vector `json:"combine"`
}

// vector is one case: what is given, then either a result or a fault.
type vector struct {
	Name           string   `json:"name"`
	SecretKey      string   `json:"secret_key"`
	SecretNonce    string   `json:"secret_nonce"`
	Keys           []string `json:"keys"`
	Nonces         []string `json:"nonces"`
	AggregateNonce string   `json:"aggregate_nonce"`
	Tweaks         []struct {
		Tweak string `json:"tweak"`
		XOnly bool   `json:"x_only"`
	} `json:"tweaks"`
	Message  string   `json:"message"`
	Signer   int      `json:"signer"`
	Partials []string `json:"partials"`

	Key       string `json:"key"`
	Aggregate string `json:"aggregate"`
	Partial   string `json:"partial"`
	Signature string `json:"signature"`
	Fault     *fault `json:"fault"`
}

// fault is what must go wrong, and whose fault it is unless nobody's.
type fault struct {
	Kind   string `json:"kind"`
	Signer *int   `json:"signer"`
}

// kinds are the errors behind the words of the vectors.
var kinds = map[string]error{
	"public key":        ErrPublicKey,
	"public nonce":      ErrPublicNonce,
	"partial signature": ErrPartialSignature,
	"aggregate nonce":   ErrAggregateNonce,
	"tweak":             ErrTweak,
	"infinity":          ErrInfinity,
	"not a signer":      ErrNotSigner,
	"nonce used":        ErrNonceUsed,
}

// check compares an error with what must go wrong.
func (f *fault) check(t *testing.T, err error) {
	t.Helper()
	if f == nil {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, known := kinds[f.Kind]; !known || !errors.Is(err, want) {
		t.Fatalf("got %v, want %s", err, f.Kind)
	}
	var guilty *SignerError
	named := errors.As(err, &guilty)
	switch {
	case named != (f.Signer != nil):
		t.Fatalf("got %v, want a signer named: %v", err, f.Signer != nil)
	case named && guilty.Signer != *f.Signer:
		t.Fatalf("got %v, want signer %d", err, *f.Signer)
	case named && string(guilty.Contribution) != f.Kind:
		t.Fatalf("got %v, want contribution %s", err, f.Kind)
	}
}

// fixed copies decoded bytes into an array.
func fixed(t *testing.T, to []byte, figure string) {
	t.Helper()
	raw := unhex(t, figure)
	if len(raw) != len(to) {
		t.Fatalf("%s has %d bytes, want %d", figure, len(raw), len(to))
	}
	copy(to, raw)
}

// aggregate aggregates and tweaks as the case says.
func (v *vector) aggregate(t *testing.T) (*KeyAgg, error) {
	t.Helper()
	raw := make([][PublicKeySize]byte, len(v.Keys))
	for i, key := range v.Keys {
		fixed(t, raw[i][:], key)
	}
	keys, err := ParsePublicKeys(raw)
	if err != nil {
		return nil, err
	}
	agg, err := AggregateUnsorted(keys)
	for _, tweak := range v.Tweaks {
		if err != nil {
			return nil, err
		}
		var raw [32]byte
		fixed(t, raw[:], tweak.Tweak)
		if tweak.XOnly {
			agg, err = agg.TweakXOnly(raw)
		} else {
			agg, err = agg.TweakPlain(raw)
		}
	}

	return agg, err
}

// nonces parses and aggregates the public nonces of the case.
func (v *vector) nonces(t *testing.T) ([]PublicNonce, AggregateNonce, error) {
	t.Helper()
	raw := make([][PublicNonceSize]byte, len(v.Nonces))
	for i, nonce := range v.Nonces {
		fixed(t, raw[i][:], nonce)
	}
	nonces, err := ParsePublicNonces(raw)
	if err != nil {
		return nil, AggregateNonce{}, err
	}
	sum, err := AggregateNonces(nonces)

	return nonces, sum, err
}

// newSession is the session of the case, with the aggregate nonce that it
// gives or, without one, the sum of its nonces.
func (v *vector) newSession(t *testing.T) (*Session, []PublicNonce, error) {
	t.Helper()
	agg, err := v.aggregate(t)
	if err != nil {
		return nil, nil, err
	}
	var nonces []PublicNonce
	var sum AggregateNonce
	if v.Nonces != nil {
		if nonces, sum, err = v.nonces(t); err != nil {
			return nil, nil, err
		}
	}
	if v.AggregateNonce != "" {
		given, err := ParseAggregateNonce(unhex(t, v.AggregateNonce))
		if err != nil {
			return nil, nil, err
		}
		if v.Nonces != nil && given != sum {
			t.Fatalf("nonces add up to %v, want %v", sum, given)
		}
		sum = given
	}
	session, err := newSession(agg, sum, unhex(t, v.Message))

	return session, nonces, err
}

// sign signs as the case says.
func (v *vector) sign(t *testing.T) (PartialSignature, error) {
	t.Helper()
	session, nonces, err := v.newSession(t)
	if err != nil {
		return PartialSignature{}, err
	}
	private, _ := btcec.PrivKeyFromBytes(unhex(t, v.SecretKey))
	secret := must(NewSecretKey(private))(t)
	var raw [64]byte
	fixed(t, raw[:], v.SecretNonce)
	scalars := &nonceScalars{hashScalar([32]byte(raw[:32])),
		hashScalar([32]byte(raw[32:]))}
	partial, err := session.Sign(newSecretNonce(scalars,
		secret.PublicKey().raw), secret)
	if err == nil {
		if err := session.VerifyPartial(partial, nonces[v.Signer],
			secret.PublicKey()); err != nil {
			t.Fatal(err)
		}
	}

	return partial, err
}

func TestVectorsBIP327(t *testing.T) {
	var vectors bip327
	readJSON(t, "testdata/bip327.json", &vectors)

	each(t, "key aggregation", vectors.KeyAgg, func(t *testing.T, v *vector) {
		agg, err := v.aggregate(t)
		v.Fault.check(t, err)
		if v.Fault == nil {
			key := agg.OutputKey()
			equal(t, key[:], v.Key)
		}
	})
	each(t, "nonce aggregation", vectors.NonceAgg, func(t *testing.T, v *vector) {
		_, sum, err := v.nonces(t)
		v.Fault.check(t, err)
		if v.Fault == nil {
			equal(t, sum.raw[:], v.Aggregate)
			back := must(ParseAggregateNonce(sum.raw[:]))(t)
			if back != sum {
				t.Fatal("the aggregate nonce does not parse back")
			}
		}
	})
	each(t, "sign", vectors.Sign, func(t *testing.T, v *vector) {
		partial, err := v.sign(t)
		v.Fault.check(t, err)
		if v.Fault == nil {
			equal(t, partial[:], v.Partial)
		}
	})
	each(t, "verify partial", vectors.VerifyPartial, func(t *testing.T, v *vector) {
		session, nonces, err := v.newSession(t)
		if err == nil {
			err = session.VerifyPartial(PartialSignature(
				unhex(t, v.Partial)), nonces[v.Signer],
				session.agg.signers.keys[v.Signer])
		}
		v.Fault.check(t, err)
	})
	each(t, "combine", vectors.Combine, testCombineVector)
}

// testCombineVector combines, verifies and asks for blame.
func testCombineVector(t *testing.T, v *vector) {
	session, nonces, err := v.newSession(t)
	if err != nil {
		t.Fatal(err)
	}
	partials := make([]PartialSignature, len(v.Partials))
	for i, partial := range v.Partials {
		fixed(t, partials[i][:], partial)
	}
	sig, err := session.Combine(partials)
	v.Fault.check(t, err)
	guilty := must(session.Blame(nonces, partials))(t)
	if v.Fault != nil {
		// The other partial signature belongs to another session and is
		// wrong too, which combining does not see.
		if len(guilty) != 2 {
			t.Fatalf("blamed %v, want both", guilty)
		}
		return
	}
	equal(t, sig[:], v.Signature)
	if err := session.Verify(sig); err != nil || guilty != nil {
		t.Fatalf("verify: %v, blamed %v", err, guilty)
	}
}

// each runs a list of vectors, of which there must be some.
func each(t *testing.T, name string, vectors []vector, run func(*testing.T, *vector)) {
	if len(vectors) == 0 {
		t.Fatalf("no vectors for %s", name)
	}
	for i := range vectors {
		t.Run(name+"/"+vectors[i].Name, func(t *testing.T) {
			run(t, &vectors[i])
		})
	}
}

// equal compares bytes with a figure.
func equal(t *testing.T, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Fatalf("got %x\nwant %s", got, want)
	}
}

func TestVectorsKeySort(t *testing.T) {
	var vectors bip327
	readJSON(t, "testdata/bip327.json", &vectors)
	for _, v := range vectors.KeySort {
		t.Run(v.Name, func(t *testing.T) {
			// Some of the keys are no points: only bytes are sorted.
			keys := make([]*PublicKey, len(v.Keys))
			for i, key := range v.Keys {
				keys[i] = &PublicKey{raw: [33]byte(unhex(t, key))}
			}
			for i, key := range Sort(keys) {
				equal(t, key.raw[:], v.Sorted[i])
			}
			equal(t, keys[0].raw[:], v.Keys[0])
		})
	}
}

func TestVectorsNonceGen(t *testing.T) {
	var vectors bip327
	readJSON(t, "testdata/bip327.json", &vectors)
	if len(vectors.NonceGen) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors.NonceGen {
		t.Run(v.Name, func(t *testing.T) {
			in := NonceInput{
				PublicKey:    must(ParsePublicKey(unhex(t, v.PublicKey)))(t),
				AggregateKey: unhex(t, v.AggregateKey),
				Extra:        unhex(t, v.Extra),
			}
			if v.SecretKey != nil {
				private, _ := btcec.PrivKeyFromBytes(unhex(t, *v.SecretKey))
				in.SecretKey = must(NewSecretKey(private))(t)
			}
			if v.Message != nil {
				in.Message = append([]byte{}, unhex(t, *v.Message)...)
			}
			secret, public, err := NonceGen(
				bytes.NewReader(unhex(t, v.Random)), in)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, public.raw[:], v.PublicNonce)
			scalars := must(secret.use())(t)
			first, second := scalars[0].Bytes(), scalars[1].Bytes()
			equal(t, append(first[:], second[:]...), v.SecretNonce)
		})
	}
}
