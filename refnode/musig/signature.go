package musig

import "fmt"

// SignatureSize is a complete signature in bytes: x of R, then s (BIP-340).
const SignatureSize = 64

// Signature is a complete signature. Bytes from the wire may be converted:
// Verify and VerifyBatch check everything about it.
type Signature [SignatureSize]byte

// ParseSignature reads 64 bytes of which the first half is below the field
// size and the second below the group order. The error wraps ErrSignature.
func ParseSignature(raw []byte) (Signature, error) {
	if len(raw) != SignatureSize {
		return Signature{}, fmt.Errorf("%w: %d bytes, want %d",
			ErrSignature, len(raw), SignatureSize)
	}
	sig := Signature(raw)
	if _, _, err := sig.parts(); err != nil {
		return Signature{}, err
	}

	return sig, nil
}

// parts returns r and s, ErrSignature where one is out of range.
func (sig *Signature) parts() (r element, s scalar, err error) {
	r, ok := parseElement(sig[:32])
	if !ok {
		return r, s, fmt.Errorf("%w: r not below the field size",
			ErrSignature)
	}
	s, ok = parseScalar((*[32]byte)(sig[32:]))
	if !ok {
		return r, s, fmt.Errorf("%w: s not below the group order",
			ErrSignature)
	}

	return r, s, nil
}

// challenge returns e of BIP-340.
func (sig *Signature) challenge(key *[32]byte, message []byte) scalar {
	return hashScalar(tagChallenge.hash(sig[:32], key[:], message))
}

// Verify checks a signature under an x-only key, exactly as BIP-340 says. The
// error wraps ErrSignature and says what failed.
func Verify(sig Signature, key, message [32]byte) error {
	return verify(&sig, key, message[:])
}

// verify takes a message of any length.
func verify(sig *Signature, key [32]byte, message []byte) error {
	p, ok := liftX(key[:])
	if !ok {
		return fmt.Errorf("%w: key %x is no x of a point", ErrSignature, key)
	}
	r, s, err := sig.parts()
	if err != nil {
		return err
	}

	// R = s*G - e*P
	e := sig.challenge(&key, message)
	e.Negate()
	found := sum(term{&p, e}, term{&generator, s})
	nonce := found.affine()
	if nonce.isInfinity() || !nonce.x.equal(&r) || !nonce.hasEvenY() {
		return fmt.Errorf("%w: it does not verify", ErrSignature)
	}

	return nil
}
