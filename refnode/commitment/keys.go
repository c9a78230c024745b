package commitment

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

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
	key, err := btcec.ParsePubKey(raw[:])
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
	var base, add, sum btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(tweak(point, basepoint), &add)
	basepoint.AsJacobian(&base)
	btcec.AddNonConst(&base, &add, &sum)

	return affine(&sum)
}

// DeriveSecret returns the private key of DeriveKey.
func DeriveSecret(base *btcec.PrivateKey, point *btcec.PublicKey) *btcec.PrivateKey {
	return deriveSecret(base, base.PubKey(), point)
}

func deriveSecret(base *btcec.PrivateKey, basepoint, point *btcec.PublicKey) *btcec.PrivateKey {
	t := tweak(point, basepoint)

	return &btcec.PrivateKey{Key: *t.Add(&base.Key)}
}

// RevocationKey returns the key that can take a commitment once it is revoked:
// basepoint is the other side's revocation basepoint, point the owner's
// per-commitment point.
func RevocationKey(basepoint, point *btcec.PublicKey) *btcec.PublicKey {
	var base, per, left, right, sum btcec.JacobianPoint
	basepoint.AsJacobian(&base)
	point.AsJacobian(&per)
	btcec.ScalarMultNonConst(tweak(basepoint, point), &base, &left)
	btcec.ScalarMultNonConst(tweak(point, basepoint), &per, &right)
	btcec.AddNonConst(&left, &right, &sum)

	return affine(&sum)
}

// RevocationSecret returns the private key of RevocationKey, out of the other
// side's revocation basepoint secret and the owner's per-commitment secret.
func RevocationSecret(base, secret *btcec.PrivateKey) *btcec.PrivateKey {
	basepoint, point := base.PubKey(), secret.PubKey()
	left, right := tweak(basepoint, point), tweak(point, basepoint)
	left.Mul(&base.Key)
	right.Mul(&secret.Key)

	return &btcec.PrivateKey{Key: *left.Add(right)}
}

func affine(p *btcec.JacobianPoint) *btcec.PublicKey {
	p.ToAffine()

	return btcec.NewPublicKey(&p.X, &p.Y)
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
	return keySet{
		revocation:  RevocationKey(&s.revocation, &s.point),
		delayed:     DeriveKey(&s.delayed, &s.point),
		ownerHTLC:   DeriveKey(&s.ownerHTLC, &s.point),
		otherHTLC:   DeriveKey(&s.otherHTLC, &s.point),
		otherRemote: &s.otherRemote,
	}
}
