package musig

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// PublicNonceSize is a public or aggregate nonce in bytes: two points.
const PublicNonceSize = 2 * PublicKeySize

// NonceInput is what a nonce is bound to, beside the randomness (the arguments
// of BIP-327's NonceGen). More of it means that less depends on the randomness
// alone.
type NonceInput struct {
	// PublicKey is the signer's key. It may be nil with a SecretKey.
	PublicKey *PublicKey

	// SecretKey is optional; it protects against weak randomness.
	SecretKey *SecretKey

	// AggregateKey is the 32-byte output key, nil when not known yet.
	AggregateKey []byte

	// Message is the message to sign, nil when not known yet. An empty
	// message that is not nil is a message.
	Message []byte

	// Extra is anything else that differs between uses, such as the
	// attempt and the position in the tree. At most 2^32-1 bytes.
	Extra []byte
}

// NonceGen draws 32 bytes and derives a secret nonce and the public nonce to
// send. Errors: ErrRandom when rand is nil or fails, ErrNonceInput when no key
// or two different keys are given, or AggregateKey has another size.
func NonceGen(rand io.Reader, in NonceInput) (*SecretNonce, PublicNonce, error) {
	secret, public, err := NonceGenAll(rand, []NonceInput{in})
	if err != nil {
		return nil, PublicNonce{}, err
	}

	return secret[0], public[0], nil
}

// NonceGenAll is NonceGen for many, drawing 32 bytes for each in turn, at a
// fraction of the cost. With an error there are no nonces.
func NonceGenAll(rand io.Reader, inputs []NonceInput) ([]*SecretNonce,
	[]PublicNonce, error) {

	numbers := make([]scalar, 0, 2*len(inputs))
	defer func() { clear(numbers) }()
	secret := make([]*SecretNonce, len(inputs))
	for i := range inputs {
		pair, key, err := inputs[i].draw(rand)
		if err != nil {
			return nil, nil, err
		}
		numbers = append(numbers, pair[0], pair[1])
		secret[i] = newSecretNonce(pair, key.raw)
	}
	public := make([]PublicNonce, len(inputs))
	for i, p := range baseMuls(numbers) {
		n := &public[i/2]
		n.points[i%2] = p
		half := p.compress()
		copy(n.raw[i%2*PublicKeySize:], half[:])
	}

	return secret, public, nil
}

// draw returns the numbers of one nonce and the key that they are for.
func (in *NonceInput) draw(rand io.Reader) (*nonceScalars, *PublicKey, error) {
	key, err := in.check()
	if err != nil {
		return nil, nil, err
	}
	if rand == nil {
		return nil, nil, fmt.Errorf("%w: no source", ErrRandom)
	}
	var seed [32]byte
	defer clear(seed[:])
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRandom, err)
	}
	pair, err := in.derive(key, &seed)

	return pair, key, err
}

// check returns the signer's public key.
func (in *NonceInput) check() (*PublicKey, error) {
	key := in.PublicKey
	switch {
	case key.missing() && in.SecretKey.missing():
		return nil, fmt.Errorf("%w: no key", ErrNonceInput)
	case key.missing():
		key = in.SecretKey.public
	case !in.SecretKey.missing() && !key.Equal(in.SecretKey.public):
		return nil, fmt.Errorf("%w: the public key is not that of the "+
			"secret key", ErrNonceInput)
	}
	if size := len(in.AggregateKey); size != 0 && size != 32 {
		return nil, fmt.Errorf("%w: aggregate key of %d bytes",
			ErrNonceInput, size)
	}
	if uint64(len(in.Extra)) > math.MaxUint32 {
		return nil, fmt.Errorf("%w: extra input too long", ErrNonceInput)
	}

	return key, nil
}

// derive computes both numbers from 32 random bytes, which it overwrites.
func (in *NonceInput) derive(key *PublicKey, seed *[32]byte) (*nonceScalars, error) {
	if !in.SecretKey.missing() {
		in.maskSecret(seed)
	}
	secret := &nonceScalars{}
	for i := range secret {
		hash := tagNonce.hash(seed[:], in.bound(key), []byte{byte(i)})
		secret[i] = hashScalar(hash)
		clear(hash[:])
		if secret[i].IsZero() {
			return nil, fmt.Errorf("%w: nonce of zero", ErrRandom)
		}
	}

	return secret, nil
}

// maskSecret replaces the seed by its hash xored with the secret key, so that
// neither alone determines the nonce.
func (in *NonceInput) maskSecret(seed *[32]byte) {
	number := in.SecretKey.scalar()
	secret := number.Bytes()
	*seed = tagNonceAux.hash(seed[:])
	for i := range seed {
		seed[i] ^= secret[i]
	}
	number.Zero()
	clear(secret[:])
}

// bound encodes everything but the seed and the number of the nonce.
func (in *NonceInput) bound(key *PublicKey) []byte {
	var b bytes.Buffer
	b.WriteByte(PublicKeySize)
	b.Write(key.raw[:])
	b.WriteByte(byte(len(in.AggregateKey)))
	b.Write(in.AggregateKey)
	if in.Message == nil {
		b.WriteByte(0)
	} else {
		b.WriteByte(1)
		b.Write(binary.BigEndian.AppendUint64(nil,
			uint64(len(in.Message))))
		b.Write(in.Message)
	}
	b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(in.Extra))))
	b.Write(in.Extra)

	return b.Bytes()
}

// PublicNonce is what a signer sends before it signs: two points. The zero
// value is none and is refused wherever a nonce is used.
type PublicNonce struct {
	raw    [PublicNonceSize]byte
	points [2]point
}

// ParsePublicNonce reads 66 bytes, two compressed points of which none is
// infinity. The error wraps ErrPublicNonce.
func ParsePublicNonce(raw []byte) (n PublicNonce, err error) {
	if len(raw) != PublicNonceSize {
		return PublicNonce{}, fmt.Errorf("%w: %d bytes, want %d",
			ErrPublicNonce, len(raw), PublicNonceSize)
	}
	n.raw = [PublicNonceSize]byte(raw)
	for i := range n.points {
		half := raw[i*PublicKeySize : (i+1)*PublicKeySize]
		var ok bool
		if n.points[i], ok = parsePoint(half); !ok {
			return PublicNonce{}, fmt.Errorf("%w: half %d is no point",
				ErrPublicNonce, i+1)
		}
	}

	return n, nil
}

// ParsePublicNonces reads the nonces of all signers. The error is a
// *SignerError for the first that ParsePublicNonce refuses.
func ParsePublicNonces(raw [][PublicNonceSize]byte) ([]PublicNonce, error) {
	nonces := make([]PublicNonce, len(raw))
	for i := range raw {
		nonce, err := ParsePublicNonce(raw[i][:])
		if err != nil {
			return nil, &SignerError{i, ContributionNonce, err}
		}
		nonces[i] = nonce
	}

	return nonces, nil
}

// Bytes returns the encoding.
func (n PublicNonce) Bytes() [PublicNonceSize]byte { return n.raw }

// Equal reports whether both are the same nonce.
func (n PublicNonce) Equal(other PublicNonce) bool { return n.raw == other.raw }

// IsZero reports whether n is the zero value.
func (n PublicNonce) IsZero() bool { return n.raw[0] == 0 }

// String returns the encoding in hex.
func (n PublicNonce) String() string { return fmt.Sprintf("%x", n.raw) }

// AggregateNonce is the sum of the public nonces of all signers. A half of it
// may be infinity, which dishonest signers can bring about and BIP-327 allows
// for. The zero value is none.
type AggregateNonce struct {
	raw    [PublicNonceSize]byte
	points [2]point
	set    bool
}

// ParseAggregateNonce reads 66 bytes, each half a compressed point or 33 zero
// bytes for infinity. The error wraps ErrAggregateNonce.
func ParseAggregateNonce(raw []byte) (n AggregateNonce, err error) {
	if len(raw) != PublicNonceSize {
		return AggregateNonce{}, fmt.Errorf("%w: %d bytes, want %d",
			ErrAggregateNonce, len(raw), PublicNonceSize)
	}
	n.raw, n.set = [PublicNonceSize]byte(raw), true
	for i := range n.points {
		half := raw[i*PublicKeySize : (i+1)*PublicKeySize]
		if [PublicKeySize]byte(half) == [PublicKeySize]byte{} {
			continue
		}
		var ok bool
		if n.points[i], ok = parsePoint(half); !ok {
			return AggregateNonce{}, fmt.Errorf("%w: half %d is no "+
				"point", ErrAggregateNonce, i+1)
		}
	}

	return n, nil
}

// AggregateNonces adds the nonces of all signers (BIP-327 NonceAgg); their
// order does not matter. Errors: ErrNoKeys for none, a *SignerError with
// ErrPublicNonce for a zero value.
func AggregateNonces(nonces []PublicNonce) (AggregateNonce, error) {
	if len(nonces) == 0 {
		return AggregateNonce{}, ErrNoKeys
	}
	var totals [2]jacobian
	for i := range nonces {
		if nonces[i].IsZero() {
			return AggregateNonce{}, &SignerError{i, ContributionNonce,
				ErrPublicNonce}
		}
		for j := range totals {
			totals[j].add(&nonces[i].points[j])
		}
	}
	n := AggregateNonce{set: true}
	for j := range totals {
		n.points[j] = totals[j].affine()
		half := n.points[j].compress()
		copy(n.raw[j*PublicKeySize:], half[:])
	}

	return n, nil
}

// Bytes returns the encoding.
func (n AggregateNonce) Bytes() [PublicNonceSize]byte { return n.raw }

// String returns the encoding in hex.
func (n AggregateNonce) String() string { return fmt.Sprintf("%x", n.raw) }
