package musig

import (
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
)

// secretNonceText is all that a SecretNonce ever prints.
const secretNonceText = "[secret nonce]"

// nonceScalars are the two numbers of a secret nonce.
type nonceScalars [2]scalar

// zero overwrites them.
func (s *nonceScalars) zero() {
	s[0].Zero()
	s[1].Zero()
}

// noCopy makes `go vet` (copylocks) report a copy of what contains it.
type noCopy struct{}

// Lock is what the check looks for; it does nothing.
func (*noCopy) Lock() {}

// Unlock is what the check looks for; it does nothing.
func (*noCopy) Unlock() {}

// SecretNonce is a secret nonce, good for one signature: two signatures with
// one nonce give the secret key away. It therefore exists in memory only and
// has no encoding, prints as "[secret nonce]", is reported by go vet when
// copied, shares its one use with such a copy all the same, and is
// overwritten by its use. The zero value counts as used. It may be shared by
// goroutines: one of them gets to use it.
type SecretNonce struct {
	_ noCopy

	// key is the compressed public key that the nonce was made for.
	key [PublicKeySize]byte

	// take hands out the numbers once and false ever after. They are
	// captured by a function because that is out of reach for reflection,
	// hence for everything that prints or encodes structures.
	take func() (nonceScalars, bool)
}

// newSecretNonce takes over the numbers.
func newSecretNonce(secret *nonceScalars, key [PublicKeySize]byte) *SecretNonce {
	var used atomic.Bool

	return &SecretNonce{key: key, take: func() (out nonceScalars, ok bool) {
		if !used.CompareAndSwap(false, true) {
			return nonceScalars{}, false
		}
		out = *secret
		secret.zero()

		// Zeros are what is left of a used nonce, never a nonce.
		return out, !out[0].IsZero() && !out[1].IsZero()
	}}
}

// use hands out the numbers once; ErrNonceUsed ever after.
func (n *SecretNonce) use() (nonceScalars, error) {
	if n == nil || n.take == nil {
		return nonceScalars{}, ErrNonceUsed
	}
	secret, ok := n.take()
	if !ok {
		return nonceScalars{}, ErrNonceUsed
	}

	return secret, nil
}

// Discard overwrites the nonce of an attempt that was given up. Signing with
// it is ErrNonceUsed from then on. Repeating it does no harm.
func (n *SecretNonce) Discard() {
	secret, _ := n.use()
	secret.zero()
}

// String returns "[secret nonce]".
func (n *SecretNonce) String() string { return secretNonceText }

// GoString returns "[secret nonce]".
func (n *SecretNonce) GoString() string { return secretNonceText }

// Format writes "[secret nonce]" for every verb.
func (n *SecretNonce) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, secretNonceText)
}

// LogValue gives "[secret nonce]" to structured logs.
func (n *SecretNonce) LogValue() slog.Value {
	return slog.StringValue(secretNonceText)
}

// MarshalText refuses with ErrSecret, and so does XML.
func (n *SecretNonce) MarshalText() ([]byte, error) { return nil, ErrSecret }

// MarshalJSON refuses with ErrSecret.
func (n *SecretNonce) MarshalJSON() ([]byte, error) { return nil, ErrSecret }

// MarshalBinary refuses with ErrSecret.
func (n *SecretNonce) MarshalBinary() ([]byte, error) { return nil, ErrSecret }

// GobEncode refuses with ErrSecret.
func (n *SecretNonce) GobEncode() ([]byte, error) { return nil, ErrSecret }
