package musig

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
)

// This file has the points of the curve y^2 = x^3 + 7 and the border to btcec,
// to which scalars belong.

// scalar is a number modulo the group order n.
type scalar = btcec.ModNScalar

// point is an affine point; infinity is (0, 0), which is not on the curve.
type point struct{ x, y element }

// jacobian is the point (x/z^2, y/z^3), whose inversion is put off; infinity
// has z = 0.
type jacobian struct{ x, y, z element }

// generator is G.
var generator = point{
	mustElement(0x79be667ef9dcbbac, 0x55a06295ce870b07, 0x029bfcdb2dce28d9, 0x59f2815b16f81798),
	mustElement(0x483ada7726a3c465, 0x5da4fbfc0e1108a8, 0xfd17b448a6855419, 0x9c47d08ffb10d4b8),
}

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
func liftX(raw []byte) (p point, ok bool) {
	if p.x, ok = parseElement(raw); !ok {
		return point{}, false
	}
	var square element
	square.square(&p.x)
	square.mul(&square, &p.x)
	square.add(&square, &seven)
	if !p.y.sqrt(&square) {
		return point{}, false
	}
	if !p.hasEvenY() {
		p.y.neg(&p.y)
	}

	return p, true
}

// parsePoint reads a compressed point. Infinity has no such encoding.
func parsePoint(raw []byte) (p point, ok bool) {
	if len(raw) != PublicKeySize || raw[0] != 2 && raw[0] != 3 {
		return point{}, false
	}
	if p, ok = liftX(raw[1:]); ok && raw[0] == 3 {
		p.y.neg(&p.y)
	}

	return p, ok
}

// compress is cbytes_ext of BIP-327: 33 zero bytes for infinity.
func (p *point) compress() (raw [33]byte) {
	if p.isInfinity() {
		return raw
	}
	raw[0] = 2
	if !p.hasEvenY() {
		raw[0] = 3
	}
	x := p.x.bytes()
	copy(raw[1:], x[:])

	return raw
}

func (p *point) isInfinity() bool { return p.x.isZero() && p.y.isZero() }

// hasEvenY tells the parity of a point that is not infinity.
func (p *point) hasEvenY() bool { return !p.y.isOdd() }

// neg sets p = -q.
func (p *point) neg(q *point) {
	p.x = q.x
	p.y.neg(&q.y)
}

func (j *jacobian) isInfinity() bool { return j.z.isZero() }

// affine converts a public sum to the form in which it is encoded.
func (j *jacobian) affine() (p point) {
	if !j.isInfinity() {
		var inverse element
		inverse.inversePublic(&j.z)
		p = j.scaled(&inverse)
	}

	return p
}

// scaled converts with 1/z.
func (j *jacobian) scaled(inverse *element) (p point) {
	var power element
	power.square(inverse)
	p.x.mul(&j.x, &power)
	power.mul(&power, inverse)
	p.y.mul(&j.y, &power)

	return p
}

// double sets j = 2*j. No point is its own opposite, so that only infinity
// gives infinity.
func (j *jacobian) double() {
	var xx, yy, yyyy, s, m, t element
	xx.square(&j.x)
	yy.square(&j.y)
	yyyy.square(&yy)
	s.mul(&j.x, &yy) // x*y^2, four times
	s.add(&s, &s)
	s.add(&s, &s)
	m.add(&xx, &xx) // 3*x^2
	m.add(&m, &xx)
	j.z.mul(&j.z, &j.y)
	j.z.add(&j.z, &j.z)
	j.x.square(&m)
	j.x.sub(&j.x, &s)
	j.x.sub(&j.x, &s)
	t.sub(&s, &j.x)
	t.mul(&t, &m)
	yyyy.add(&yyyy, &yyyy)
	yyyy.add(&yyyy, &yyyy)
	yyyy.add(&yyyy, &yyyy)
	j.y.sub(&t, &yyyy)
}

// add sets j = j + p for any two points.
func (j *jacobian) add(p *point) {
	if p.isInfinity() {
		return
	}
	if j.isInfinity() {
		*j = jacobian{p.x, p.y, one}
		return
	}
	var zz, u, s, h, r element
	zz.square(&j.z)
	u.mul(&p.x, &zz)
	s.mul(&p.y, &zz)
	s.mul(&s, &j.z)
	h.sub(&u, &j.x)
	r.sub(&s, &j.y)
	if h.isZero() {
		if r.isZero() {
			j.double()
		} else {
			*j = jacobian{}
		}

		return
	}
	var hh, hhh, v element
	hh.square(&h)
	hhh.mul(&hh, &h)
	v.mul(&j.x, &hh)
	j.z.mul(&j.z, &h)
	j.x.square(&r)
	j.x.sub(&j.x, &hhh)
	j.x.sub(&j.x, &v)
	j.x.sub(&j.x, &v)
	v.sub(&v, &j.x)
	v.mul(&v, &r)
	hhh.mul(&hhh, &j.y)
	j.y.sub(&v, &hhh)
}

// addAll adds one point after the other.
func (j *jacobian) addAll(points []point) {
	for i := range points {
		j.add(&points[i])
	}
}

// affineAll converts many sums with one inversion, in constant time those that are
// secret.
func affineAll(all []jacobian, secret bool) []point {
	inverses := make([]element, len(all))
	for i := range all {
		if inverses[i] = all[i].z; all[i].isInfinity() {
			inverses[i] = one
		}
	}
	invertAll(inverses, nil, secret)
	points := make([]point, len(all))
	for i := range all {
		if !all[i].isInfinity() {
			points[i] = all[i].scaled(&inverses[i])
		}
	}

	return points
}

// fieldElement converts a coordinate. A normalised one is always in range.
func fieldElement(f *btcec.FieldVal) (e element) {
	e, _ = parseElement(f.Normalize().Bytes()[:])
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
