package musig

import "github.com/btcsuite/btcd/btcec/v2"

// This file is the border to keys of btcec for those who derive keys and do not
// sign with several: channels (BOLT 3). Like [VerifyECDSA] it is here because the
// arithmetic is.

// PublicKeyOf returns the public key of a private one, as key.PubKey does and for
// a third of the price. Like that it does not take constant time.
func PublicKeyOf(key *btcec.PrivateKey) *btcec.PublicKey {
	p := publicPoint(&key.Key)

	return p.publicKey()
}

// publicPoint returns k*G, not in constant time.
func publicPoint(k *scalar) point {
	var places [2 * (128/baseWidth + 1)]point
	var sum jacobian
	sum.addAll(baseComb().appendDigits(places[:0], k))

	return sum.affine()
}

// Product is a public number times a public key.
type Product struct {
	P *btcec.PublicKey // nil: the base point G
	K *btcec.ModNScalar
}

// SumProducts returns the sum of each list of products. A sum that is infinity,
// which nobody finds numbers for, is the key (0, 0), as with btcec.
func SumProducts(lists ...[]Product) []*btcec.PublicKey {
	known := map[*btcec.PublicKey]*point{nil: &generator}
	sets := make([][]term, len(lists))
	for i, list := range lists {
		for _, product := range list {
			p, ok := known[product.P]
			if !ok {
				q := pointOf(product.P)
				p = &q
				known[product.P] = p
			}
			sets[i] = append(sets[i], term{p, *product.K})
		}
	}
	keys := make([]*btcec.PublicKey, len(sets))
	for i, p := range affineAll(sums(sets), false) {
		keys[i] = p.publicKey()
	}

	return keys
}

// ParseKey reads a compressed public key. The error is ErrPublicKey.
func ParseKey(raw []byte) (*btcec.PublicKey, error) {
	p, ok := parsePoint(raw)
	if !ok {
		return nil, ErrPublicKey
	}

	return p.publicKey(), nil
}

// pointOf converts a key of btcec.
func pointOf(key *btcec.PublicKey) point {
	var p btcec.JacobianPoint
	key.AsJacobian(&p)

	return point{fieldElement(&p.X), fieldElement(&p.Y)}
}

// publicKey converts to a key of btcec.
func (p *point) publicKey() *btcec.PublicKey {
	x, y := p.x.bytes(), p.y.bytes()
	var fieldX, fieldY btcec.FieldVal
	fieldX.SetBytes(&x)
	fieldY.SetBytes(&y)

	return btcec.NewPublicKey(&fieldX, &fieldY)
}
