package musig

import (
	"errors"
	"fmt"
)

var (
	// ErrPublicKey says that a public key is not the 33-byte compressed
	// encoding of a point of secp256k1.
	ErrPublicKey = errors.New("invalid public key")

	// ErrSecretKey says that a secret key is missing or zero.
	ErrSecretKey = errors.New("invalid secret key")

	// ErrNoKeys says that there is nothing to aggregate.
	ErrNoKeys = errors.New("no keys or nonces to aggregate")

	// ErrDuplicateKey says that a key stands in the list already. BIP-327
	// allows it; a factory does not, since one owner would count as two.
	ErrDuplicateKey = errors.New("duplicate public key")

	// ErrInfinity says that keys, or a key and its tweak, cancel out. It
	// happens by design of an attacker or not at all.
	ErrInfinity = errors.New("aggregate key is the point at infinity")

	// ErrClaimCount says that there are more or fewer claimed aggregates than
	// sets of keys.
	ErrClaimCount = errors.New("wrong number of aggregate keys")

	// ErrClaim says that something is not the aggregate of a set of keys.
	ErrClaim = errors.New("not the aggregate of its keys")

	// ErrTweak says that a tweak is not below the group order.
	ErrTweak = errors.New("tweak not below the group order")

	// ErrMerkleRoot says that a taproot merkle root is not 32 bytes.
	ErrMerkleRoot = errors.New("merkle root is not 32 bytes")

	// ErrRandom says that the source of randomness is missing or failed.
	// Nothing was generated.
	ErrRandom = errors.New("no randomness")

	// ErrNonceInput says that NonceInput contradicts itself or lacks the
	// key: the caller's mistake.
	ErrNonceInput = errors.New("invalid input to nonce generation")

	// ErrPublicNonce says that a public nonce is not 66 bytes of two
	// points, or is a zero value that was never parsed.
	ErrPublicNonce = errors.New("invalid public nonce")

	// ErrAggregateNonce says that an aggregate nonce does not parse, or is
	// not the sum of the public nonces. Whoever aggregated is guilty, not
	// a signer.
	ErrAggregateNonce = errors.New("invalid aggregate nonce")

	// ErrNonceUsed says that a secret nonce was used or discarded before.
	// A second signature with it would give the secret key away.
	ErrNonceUsed = errors.New("secret nonce already used")

	// ErrNonceKey says that a secret nonce was made for another key.
	ErrNonceKey = errors.New("secret nonce belongs to another key")

	// ErrSecret says that something secret was to be encoded.
	ErrSecret = errors.New("a secret is never encoded")

	// ErrNotSigner says that a key is not in the aggregated set.
	ErrNotSigner = errors.New("key is not one of the signers")

	// ErrSignerCount says that there are more or fewer nonces or partial
	// signatures than signers.
	ErrSignerCount = errors.New("wrong number of contributions")

	// ErrPartialSignature says that a partial signature is not below the
	// group order, or does not verify.
	ErrPartialSignature = errors.New("invalid partial signature")

	// ErrSignature says that a complete signature is invalid under BIP-340.
	ErrSignature = errors.New("invalid signature")

	// ErrNoSession says that a session is built on no key aggregation.
	ErrNoSession = errors.New("no aggregated keys given")
)

// Contribution is what a signer contributes and can get wrong. The words are
// those of BIP-327's vectors, spelt out.
type Contribution string

// The contributions of a signer, in the order of the protocol.
const (
	ContributionKey     Contribution = "public key"
	ContributionNonce   Contribution = "public nonce"
	ContributionPartial Contribution = "partial signature"
)

// SignerError names the signer whose contribution is wrong.
type SignerError struct {
	// Signer is the position in the list that the caller gave, from 0.
	Signer int

	// Contribution is what is wrong.
	Contribution Contribution

	// Err says why; it wraps one of the errors of this package.
	Err error
}

// Error returns who, what and why on one line.
func (e *SignerError) Error() string {
	return fmt.Sprintf("signer %d: %s: %v", e.Signer, e.Contribution, e.Err)
}

// Unwrap returns Err.
func (e *SignerError) Unwrap() error { return e.Err }

// BatchError names the invalid signatures of a batch. It wraps ErrSignature.
type BatchError struct {
	// Bad holds the positions in the batch, ascending, at least one.
	Bad []int
}

// Error returns how many are invalid and where.
func (e *BatchError) Error() string {
	return fmt.Sprintf("%v: %d in the batch, at %v", ErrSignature,
		len(e.Bad), e.Bad)
}

// Unwrap returns ErrSignature.
func (e *BatchError) Unwrap() error { return ErrSignature }

// ClaimError names the claimed aggregates that are wrong. It wraps ErrClaim.
type ClaimError struct {
	// Bad holds the positions in the list of claims, ascending, at least one.
	Bad []int
}

// Error returns how many are wrong and where.
func (e *ClaimError) Error() string {
	return fmt.Sprintf("%v: %d of the claimed keys, at %v", ErrClaim,
		len(e.Bad), e.Bad)
}

// Unwrap returns ErrClaim.
func (e *ClaimError) Unwrap() error { return ErrClaim }
