package hub

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/musig"
	"superscalar/wire"
)

// Derive returns the secret of a label, hardened: nobody who learns one of them
// learns another.
type Derive func(label string) (*btcec.PrivateKey, error)

// Salt is what the keys of one channel are derived from. It is drawn at random
// and stored with the channel.
type Salt [32]byte

// String returns 64 hex digits.
func (s Salt) String() string { return hex.EncodeToString(s[:]) }

// label names a key of the channel in at most 64 characters.
func (s Salt) label(name string) string {
	sum := sha256.Sum256(append(slices.Clone(s[:]), name...))
	return "channel/" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// Keys derives the secrets of a channel. first is the funding key of a channel
// whose output a ceremony has fixed (CHAN-003) and which keeps it when that
// moves (CHG-003), nil otherwise.
func Keys(derive Derive, salt Salt, first *btcec.PrivateKey) (channel.Keys, error) {
	var failed error
	key := func(name string) *btcec.PrivateKey {
		k, err := derive(salt.label(name))
		if err != nil && failed == nil {
			failed = fmt.Errorf("deriving the %s key of a channel: %w", name, err)
		}
		return k
	}
	secrets := &commitment.Secrets{Revocation: key("revocation"), Payment: key("payment"), Delayed: key("delayed-payment"), HTLC: key("htlc")}
	seed := key("per-commitment")
	fixed := first != nil
	if first == nil {
		first = key("funding/0")
	}
	if failed != nil {
		return channel.Keys{}, failed
	}
	return channel.Keys{
		Fixed:   fixed,
		Secrets: secrets,
		Seed:    commitment.Seed(seed.Serialize()),
		Funding: func(i uint32) *btcec.PrivateKey {
			if i == 0 {
				return first
			}
			k, err := derive(salt.label(fmt.Sprintf("funding/%d", i)))
			if err != nil {
				return nil
			}
			return k
		},
	}, nil
}

// Points are the points that open_channel and accept_channel carry.
func Points(k channel.Keys) wire.ChannelKeys {
	b := k.Secrets.Basepoints()
	first, err := k.Seed.Point(0)
	if err != nil {
		return wire.ChannelKeys{} // of one seed in 2^128: the peer refuses the points
	}
	return wire.ChannelKeys{
		Funding: point(musig.PublicKeyOf(k.Funding(0))), Revocation: point(b.Revocation), Payment: point(b.Payment),
		DelayedPayment: point(b.Delayed), HTLC: point(b.HTLC), FirstPerCommitment: point(first),
	}
}

func point(k *btcec.PublicKey) wire.Point { return wire.Point(k.SerializeCompressed()) }
