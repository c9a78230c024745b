package commitment

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/musig"
	"superscalar/wire"
)

// ErrKey is the error of 33 bytes that are no point of secp256k1.
var ErrKey = errors.New("not a public key")

// Basepoints are the public keys that one side names in open_channel or
// accept_channel and that each commitment derives its keys from (BOLT 3, "Key
// Derivation").
type Basepoints struct {
	Revocation, Payment, Delayed, HTLC *btcec.PublicKey
}

// NewBasepoints reads the basepoints out of the keys of a message. The error is
// ErrKey and names the field.
func NewBasepoints(k wire.ChannelKeys) (Basepoints, error) { return (*Memo)(nil).NewBasepoints(k) }

// NewBasepoints is the function NewBasepoints.
func (m *Memo) NewBasepoints(k wire.ChannelKeys) (Basepoints, error) {
	var b Basepoints
	for _, f := range []struct {
		name string
		raw  wire.Point
		to   **btcec.PublicKey
	}{
		{"revocation_basepoint", k.Revocation, &b.Revocation},
		{"payment_basepoint", k.Payment, &b.Payment},
		{"delayed_payment_basepoint", k.DelayedPayment, &b.Delayed},
		{"htlc_basepoint", k.HTLC, &b.HTLC},
	} {
		key, err := m.ParseKey(f.raw)
		if err != nil {
			return Basepoints{}, fmt.Errorf("%s: %w", f.name, err)
		}
		*f.to = key
	}

	return b, nil
}

// ParseKey reads a compressed public key. The error is ErrKey.
func ParseKey(raw wire.Point) (*btcec.PublicKey, error) {
	key, err := musig.ParseKey(raw[:])
	if err != nil {
		return nil, fmt.Errorf("%x: %w: %w", raw[:], ErrKey, err)
	}

	return key, nil
}

// complete reports whether all four are set.
func (b Basepoints) complete() bool {
	return b.Revocation != nil && b.Payment != nil && b.Delayed != nil && b.HTLC != nil
}

// Secrets are the private keys of one side's basepoints. They print as a
// placeholder.
type Secrets struct {
	Revocation, Payment, Delayed, HTLC *btcec.PrivateKey
}

// String hides the secrets.
func (s *Secrets) String() string { return "[channel secrets]" }

// GoString hides the secrets.
func (s *Secrets) GoString() string { return s.String() }

// Basepoints returns the public keys.
func (s *Secrets) Basepoints() Basepoints { return (*Memo)(nil).Basepoints(s) }

// Basepoints is Secrets.Basepoints.
func (m *Memo) Basepoints(s *Secrets) Basepoints {
	return Basepoints{
		Revocation: m.PublicKey(s.Revocation), Payment: m.PublicKey(s.Payment),
		Delayed: m.PublicKey(s.Delayed), HTLC: m.PublicKey(s.HTLC),
	}
}

// unit is the number 1.
var unit = new(btcec.ModNScalar).SetInt(1)

// tweak is SHA256(a || b) as a scalar. BOLT 3 does not say what to do when it
// is not below the order: like everyone, it is reduced.
func tweak(a, b *btcec.PublicKey) *btcec.ModNScalar {
	sum := sha256.Sum256(append(a.SerializeCompressed(), b.SerializeCompressed()...))
	var s btcec.ModNScalar
	s.SetBytes(&sum)

	return &s
}

// DeriveKey returns the key of one commitment, basepoint +
// SHA256(point || basepoint) * G, where point is the owner's per-commitment
// point.
func DeriveKey(basepoint, point *btcec.PublicKey) *btcec.PublicKey {
	return musig.SumProducts(derivation(basepoint, point))[0]
}

// derivation are the terms of DeriveKey.
func derivation(basepoint, point *btcec.PublicKey) []musig.Product {
	return []musig.Product{{P: basepoint, K: unit}, {K: tweak(point, basepoint)}}
}

// DeriveSecret returns the private key of DeriveKey.
func DeriveSecret(base *btcec.PrivateKey, point *btcec.PublicKey) *btcec.PrivateKey {
	return deriveSecret(base, musig.PublicKeyOf(base), point)
}

func deriveSecret(base *btcec.PrivateKey, basepoint, point *btcec.PublicKey) *btcec.PrivateKey {
	t := tweak(point, basepoint)

	return &btcec.PrivateKey{Key: *t.Add(&base.Key)}
}

// RevocationKey returns the key that can take a commitment once it is revoked:
// basepoint is the other side's revocation basepoint, point the owner's
// per-commitment point.
func RevocationKey(basepoint, point *btcec.PublicKey) *btcec.PublicKey {
	return musig.SumProducts(revocation(basepoint, point))[0]
}

// revocation are the terms of RevocationKey.
func revocation(basepoint, point *btcec.PublicKey) []musig.Product {
	return []musig.Product{{P: basepoint, K: tweak(basepoint, point)}, {P: point, K: tweak(point, basepoint)}}
}

// RevocationSecret returns the private key of RevocationKey, out of the other
// side's revocation basepoint secret and the owner's per-commitment secret.
func RevocationSecret(base, secret *btcec.PrivateKey) *btcec.PrivateKey {
	basepoint, point := musig.PublicKeyOf(base), musig.PublicKeyOf(secret)
	left, right := tweak(basepoint, point), tweak(point, basepoint)
	left.Mul(&base.Key)
	right.Mul(&secret.Key)

	return &btcec.PrivateKey{Key: *left.Add(right)}
}

// keySet are the keys of one commitment transaction, by the names of BOLT 3
// with owner for local.
type keySet struct {
	revocation  *btcec.PublicKey // revocationpubkey
	delayed     *btcec.PublicKey // local_delayedpubkey
	ownerHTLC   *btcec.PublicKey // local_htlcpubkey
	otherHTLC   *btcec.PublicKey // remote_htlcpubkey
	otherRemote *btcec.PublicKey // remotepubkey: static
}

func (p *Params) keys(owner Side, point *btcec.PublicKey) keySet {
	own, other := p.Basepoints[owner], p.Basepoints[owner.Other()]

	return p.Memo.keySet(setOf{
		revocation: *other.Revocation, delayed: *own.Delayed, ownerHTLC: *own.HTLC,
		otherHTLC: *other.HTLC, otherRemote: *other.Payment, point: *point,
	})
}

// derive computes the keys out of basepoints and the per-commitment point.
func (s *setOf) derive() keySet {
	keys := musig.SumProducts(revocation(&s.revocation, &s.point), derivation(&s.delayed, &s.point),
		derivation(&s.ownerHTLC, &s.point), derivation(&s.otherHTLC, &s.point))

	return keySet{revocation: keys[0], delayed: keys[1], ownerHTLC: keys[2], otherHTLC: keys[3], otherRemote: &s.otherRemote}
}
