package payment

import (
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	sphinx "github.com/lightningnetwork/lightning-onion"
	"pgregory.net/rapid"
)

// counted is a key that counts how often a secret is computed with it.
type counted struct {
	Key
	n *int
}

func (c counted) ECDH(with *btcec.PublicKey) ([32]byte, error) {
	*c.n++
	return c.Key.ECDH(with)
}

// TestPeelOnce opens onions: what is known of the secret already changes nothing,
// and it is computed once.
func TestPeelOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scalar := rapid.Custom(func(t *rapid.T) *btcec.PrivateKey {
			raw := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "bytes")
			raw[0], raw[31] = raw[0]>>1, raw[31]|1 // in range, not 0
			k, _ := btcec.PrivKeyFromBytes(raw)
			return k
		})
		node, other, session := scalar.Draw(t, "node"), scalar.Draw(t, "other"), scalar.Draw(t, "session")
		n := 0
		key := counted{NewKey(node), &n}
		secret, err := NewKey(node).ECDH(session.PubKey())
		if err != nil {
			t.Fatal(err)
		}
		a := agreed{key, session.PubKey(), secret}
		for _, with := range []*btcec.PublicKey{session.PubKey(), other.PubKey()} {
			got, err := a.ECDH(with)
			want, wantErr := NewKey(node).ECDH(with)
			if got != want || (err == nil) != (wantErr == nil) {
				t.Errorf("another secret, or error %v", err)
			}
		}
		var _ sphinx.SingleKeyECDH = a
		layers := []layer{{[33]byte(node.PubKey().SerializeCompressed()), []byte{3, 2, 1, 0}}}
		hash := Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		onion, err := wrap(session, layers, hash)
		if err != nil {
			t.Fatal(err)
		}
		n = 0
		p, err := peel(key, onion, hash)
		if err != nil || n != 1 || p.secret != secret || !p.final {
			t.Errorf("%d computations, secret %x, error %v", n, p.secret, err)
		}
	})
}
