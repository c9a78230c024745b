package musig

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
)

// PublicKeySize is a compressed public key in bytes.
const PublicKeySize = 33

// PublicKey is the plain public key of one signer, parsed once for all the
// sets it is aggregated in. It never changes; pass it by pointer.
type PublicKey struct {
	raw   [PublicKeySize]byte
	point point
}

// ParsePublicKey reads a 33-byte compressed point. The error wraps
// ErrPublicKey for another length, a first byte that is not 2 or 3, an x not
// below the field size, and an x that no point has.
func ParsePublicKey(raw []byte) (*PublicKey, error) {
	p, ok := parsePoint(raw)
	if !ok {
		return nil, fmt.Errorf("%w: %x", ErrPublicKey, raw)
	}

	return &PublicKey{raw: [PublicKeySize]byte(raw), point: p}, nil
}

// ParsePublicKeys reads a list of keys. The error is a *SignerError for the
// first that ParsePublicKey refuses.
func ParsePublicKeys(raw [][PublicKeySize]byte) ([]*PublicKey, error) {
	keys := make([]*PublicKey, len(raw))
	for i := range raw {
		key, err := ParsePublicKey(raw[i][:])
		if err != nil {
			return nil, &SignerError{i, ContributionKey, err}
		}
		keys[i] = key
	}

	return keys, nil
}

// NewPublicKey converts a key that btcec parsed. The error is ErrPublicKey
// for nil or a point that is not on the curve.
func NewPublicKey(key *btcec.PublicKey) (*PublicKey, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: none given", ErrPublicKey)
	}

	return ParsePublicKey(key.SerializeCompressed())
}

// Bytes returns the compressed encoding.
func (p *PublicKey) Bytes() [PublicKeySize]byte { return p.raw }

// XOnly returns the x coordinate, 32 bytes big-endian (BIP-340).
func (p *PublicKey) XOnly() [32]byte { return [32]byte(p.raw[1:]) }

// Equal reports whether both are the same point.
func (p *PublicKey) Equal(other *PublicKey) bool {
	return other != nil && p.raw == other.raw
}

// missing reports nil and the zero value, neither of which is a key.
func (p *PublicKey) missing() bool { return p == nil || p.raw[0] == 0 }

// String returns the compressed encoding in hex.
func (p *PublicKey) String() string { return fmt.Sprintf("%x", p.raw) }

// SecretKey is the secret key of a signer together with its public key, whose
// computation costs more than a signature. It prints as "[secret key]" and
// refuses to be encoded.
type SecretKey struct {
	public *PublicKey

	// scalar hands out the number. What a function has captured is out of
	// reach for reflection, hence for everything that prints structures.
	scalar func() scalar
}

// NewSecretKey takes a copy of a secret key. The error is ErrSecretKey for
// nil or zero.
func NewSecretKey(key *btcec.PrivateKey) (*SecretKey, error) {
	if key == nil || key.Key.IsZero() {
		return nil, ErrSecretKey
	}
	number := key.Key
	p := publicPoint(&number)

	return &SecretKey{&PublicKey{raw: p.compress(), point: p}, func() scalar { return number }}, nil
}

// missing reports nil and the zero value, neither of which is a key.
func (s *SecretKey) missing() bool { return s == nil || s.public == nil }

// PublicKey returns the public key.
func (s *SecretKey) PublicKey() *PublicKey { return s.public }

// Format writes "[secret key]" for every verb.
func (s *SecretKey) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "[secret key]")
}

// MarshalText refuses with ErrSecret, and so do JSON and XML.
func (s *SecretKey) MarshalText() ([]byte, error) { return nil, ErrSecret }

// MarshalBinary refuses with ErrSecret, and so does gob.
func (s *SecretKey) MarshalBinary() ([]byte, error) { return nil, ErrSecret }

// Sort returns the keys in the order of BIP-327's KeySort, in a new list.
// Aggregate does it by itself.
func Sort(keys []*PublicKey) []*PublicKey {
	sorted := slices.Clone(keys)
	slices.SortStableFunc(sorted, func(a, b *PublicKey) int {
		return bytes.Compare(a.raw[:], b.raw[:])
	})

	return sorted
}
