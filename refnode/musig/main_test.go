package musig

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"go.uber.org/goleak"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated; -rapid.seed sets another. Sums start goroutines: none may be left
// at the end.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("327"); err != nil {
			panic(err)
		}
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// number returns the n-th 32 pseudo-random bytes.
func number(label string, n int) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte(label), uint64(n)))
}

// seeded is a random source that repeats.
func seeded(label string) *rand.ChaCha8 { return rand.NewChaCha8(number(label, 0)) }

// must unwraps a result that cannot fail in a test: must(f(x))(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}

		return value
	}
}

// unhex decodes a figure of a vector.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	return must(hex.DecodeString(s))(t)
}

// readJSON decodes a file of testdata and refuses what the struct lacks.
func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// secretKey returns the n-th secret key of a label.
func secretKey(t testing.TB, label string, n int) *SecretKey {
	t.Helper()
	raw := number(label, n)
	private, _ := btcec.PrivKeyFromBytes(raw[:])

	return must(NewSecretKey(private))(t)
}

// party is a set of signers with everything one signature takes.
type party struct {
	secrets []*SecretKey
	keys    []*PublicKey
	agg     *KeyAgg

	secretNonces []*SecretNonce
	nonces       []PublicNonce
	session      *Session
	partials     []PartialSignature
}

// newParty makes n signers of a BIP-86 key who have all signed a message.
func newParty(t testing.TB, label string, n int) *party {
	t.Helper()
	p := &party{}
	for i := range n {
		secret := secretKey(t, label, i)
		p.secrets = append(p.secrets, secret)
		p.keys = append(p.keys, secret.PublicKey())
	}
	plain := must(Aggregate(p.keys))(t)
	p.agg = must(plain.Taproot(nil))(t)
	p.sign(t, label)

	return p
}

// sign has everybody sign a message made from the label.
func (p *party) sign(t testing.TB, label string) {
	t.Helper()
	random := seeded(label)
	p.secretNonces, p.nonces, p.partials = nil, nil, nil
	for _, secret := range p.secrets {
		nonce, public, err := NonceGen(random, NonceInput{SecretKey: secret})
		if err != nil {
			t.Fatal(err)
		}
		p.secretNonces = append(p.secretNonces, nonce)
		p.nonces = append(p.nonces, public)
	}
	sum := must(AggregateNonces(p.nonces))(t)
	p.session = must(NewSession(p.agg, sum, number(label, 1<<20)))(t)
	for i, secret := range p.secrets {
		p.partials = append(p.partials, must(
			p.session.Sign(p.secretNonces[i], secret))(t))
	}
}
