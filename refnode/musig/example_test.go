package musig_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"

	"github.com/btcsuite/btcd/btcec/v2"
	"superscalar/refnode/musig"
)

// Two signers sign a message under one taproot key. Keys and randomness are
// fixed so that the output is; a node draws them.
func Example() {
	var secrets []*musig.SecretKey
	var keys []*musig.PublicKey
	for i := range 2 {
		private, _ := btcec.PrivKeyFromBytes([]byte{byte(i + 1)})
		secret, err := musig.NewSecretKey(private)
		if err != nil {
			fmt.Println(err)
			return
		}
		secrets = append(secrets, secret)
		keys = append(keys, secret.PublicKey())
	}

	// Once per set of signers.
	agg, err := musig.Aggregate(keys)
	if err != nil {
		fmt.Println(err)
		return
	}
	output, err := agg.Taproot(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// First round: everybody sends a public nonce.
	random := rand.NewChaCha8(sha256.Sum256([]byte("example")))
	secretNonces := make([]*musig.SecretNonce, len(keys))
	nonces := make([]musig.PublicNonce, len(keys))
	for i, secret := range secrets {
		secretNonces[i], nonces[i], err = musig.NonceGen(random,
			musig.NonceInput{SecretKey: secret})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	sum, err := musig.AggregateNonces(nonces)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Second round: everybody sends a partial signature.
	session, err := musig.NewSession(output, sum,
		sha256.Sum256([]byte("message")))
	if err != nil {
		fmt.Println(err)
		return
	}
	partials := make([]musig.PartialSignature, len(keys))
	for i, secret := range secrets {
		partials[i], err = session.Sign(secretNonces[i], secret)
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	signature, err := session.Combine(partials)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("valid:", session.Verify(signature) == nil)

	// A second signature with the same nonce would reveal the key.
	_, err = session.Sign(secretNonces[0], secrets[0])
	fmt.Println(secretNonces[0], err)

	// The second signer sent something wrong.
	partials[1][0] ^= 1
	guilty, err := session.Blame(nonces, partials)
	fmt.Println("guilty:", guilty, err)

	// Output:
	// valid: true
	// [secret nonce] secret nonce already used
	// guilty: [1] <nil>
}
