package musig

import (
	"crypto/sha256"
	"math/big"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/consensys/gnark-crypto/ecc"
	curve "github.com/consensys/gnark-crypto/ecc/secp256k1"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fp"
	"github.com/consensys/gnark-crypto/ecc/secp256k1/fr"
)

// This file is the border between the two libraries: scalars belong to btcec,
// points to gnark-crypto. gnark's affine infinity is (0, 0).

// scalar is a number modulo the group order n.
type scalar = btcec.ModNScalar

// point is an affine point, jacobian one whose inversion is put off.
type (
	point    = curve.G1Affine
	jacobian = curve.G1Jac
)

// generator is G.
var generator = func() point {
	_, affine := curve.Generators()
	return affine
}()

// parseScalar reads 32 big-endian bytes; ok is false for n and above.
func parseScalar(raw *[32]byte) (s scalar, ok bool) {
	overflow := s.SetBytes(raw)
	return s, overflow == 0
}

// hashScalar is a hash as a number modulo n, as BIP-327 reduces all of them.
func hashScalar(hash [32]byte) (s scalar) {
	s.SetBytes(&hash)
	return s
}

// liftX returns the point with even y whose x is given by 32 bytes. It fails
// for the field size and above, and where the curve has no such point.
func liftX(x []byte) (p point, ok bool) {
	if err := p.X.SetBytesCanonical(x); err != nil {
		return point{}, false
	}
	var square, seven fp.Element
	square.Square(&p.X).Mul(&square, &p.X)
	square.Add(&square, seven.SetUint64(7))
	if p.Y.Sqrt(&square) == nil {
		return point{}, false
	}
	if !hasEvenY(&p) {
		p.Y.Neg(&p.Y)
	}

	return p, true
}

// parsePoint reads a compressed point. Infinity has no such encoding.
func parsePoint(raw []byte) (p point, ok bool) {
	if len(raw) != PublicKeySize || raw[0] != 2 && raw[0] != 3 {
		return point{}, false
	}
	if p, ok = liftX(raw[1:]); ok && raw[0] == 3 {
		p.Y.Neg(&p.Y)
	}

	return p, ok
}

// compress is cbytes_ext of BIP-327: 33 zero bytes for infinity.
func compress(p *point) (raw [33]byte) {
	if p.IsInfinity() {
		return raw
	}
	raw[0] = 2
	if !hasEvenY(p) {
		raw[0] = 3
	}
	x := p.X.Bytes()
	copy(raw[1:], x[:])

	return raw
}

// hasEvenY tells the parity of a point that is not infinity.
func hasEvenY(p *point) bool { return p.Y.Bits()[0]&1 == 0 }

// affine converts a sum to the form in which it is encoded.
func affine(j *jacobian) (p point) {
	p.FromJacobian(j)
	return p
}

// baseMul returns k*G. btcec has tables for it, gnark-crypto does not; the
// coordinates mean the same in both.
func baseMul(k *scalar) (j jacobian) {
	var product btcec.JacobianPoint
	btcec.ScalarBaseMultNonConst(k, &product)
	j.X = fieldElement(&product.X)
	j.Y = fieldElement(&product.Y)
	j.Z = fieldElement(&product.Z)

	return j
}

// fieldElement converts a coordinate. A normalised one is always in range.
func fieldElement(f *btcec.FieldVal) (e fp.Element) {
	_ = e.SetBytesCanonical(f.Normalize().Bytes()[:])
	return e
}

// mul returns k*P, in variable time.
func mul(p *point, k *scalar) (j jacobian) {
	j.FromAffine(p)
	j.ScalarMultiplication(&j, integer(k))

	return j
}

// mulTwo returns k*P + l*Q for points that are not infinity. Sharing the
// doublings makes it a quarter faster than two multiplications.
func mulTwo(p *point, k *scalar, q *point, l *scalar) (j jacobian) {
	j.JointScalarMultiplication(p, q, integer(k), integer(l))
	return j
}

// multiExp returns the sum of scalars[i]*points[i]. It runs in one task: the
// caller has other work for the other cores.
func multiExp(points []point, scalars []fr.Element) (j jacobian, err error) {
	_, err = j.MultiExp(points, scalars, ecc.MultiExpConfig{NbTasks: 1})
	return j, err
}

// integer converts a public scalar for gnark's multiplications.
func integer(s *scalar) *big.Int {
	raw := s.Bytes()
	return new(big.Int).SetBytes(raw[:])
}

// element converts a public scalar for gnark's multi-exponentiation.
func element(s *scalar) (e fr.Element) {
	raw := s.Bytes()
	_ = e.SetBytesCanonical(raw[:])

	return e
}

// tag is the prefix of a tagged hash of BIP-340, the hash of its name twice.
type tag [2 * sha256.Size]byte

// The tags of BIP-327, BIP-340 and BIP-341.
var (
	tagKeyList     = newTag("KeyAgg list")
	tagCoefficient = newTag("KeyAgg coefficient")
	tagTapTweak    = newTag("TapTweak")
	tagNonceAux    = newTag("MuSig/aux")
	tagNonce       = newTag("MuSig/nonce")
	tagNonceCoef   = newTag("MuSig/noncecoef")
	tagChallenge   = newTag("BIP0340/challenge")
)

// newTag hashes a name.
func newTag(name string) (t tag) {
	hash := sha256.Sum256([]byte(name))
	copy(t[:], hash[:])
	copy(t[sha256.Size:], hash[:])

	return t
}

// hash is the tagged hash of the parts, one after the other.
func (t *tag) hash(parts ...[]byte) (sum [32]byte) {
	h := sha256.New()
	h.Write(t[:])
	for _, part := range parts {
		h.Write(part)
	}
	h.Sum(sum[:0])

	return sum
}
