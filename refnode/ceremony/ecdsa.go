package ceremony

import (
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// signChannel is the LSP's ECDSA signature on the distribution or poison of a
// channel output, in the 64-byte form of BOLT 2 (DIST-007). RFC 6979 makes it
// deterministic and low S.
func signChannel(key *btcec.PrivateKey, t *factory.Tx) (out [64]byte) {
	compact := ecdsa.SignCompact(key, t.Sighash[:], true)
	copy(out[:], compact[1:])
	return out
}

// checkChannel checks such a signature: in range, low S, by the key
// (SIGN-007).
func checkChannel(key wire.Point, t *factory.Tx, raw [64]byte) error {
	if _, err := parseCompact(raw); err != nil {
		return err
	}
	pub, err := musig.ParseKey(key[:])
	if err != nil {
		return fail(wire.ReasonKeys, rule.SIGN007, "channel key: %w", err)
	}
	if !musig.VerifyECDSA(pub, []musig.ECDSAItem{{Hash: t.Sighash, Signature: raw}})[0] {
		return fail(wire.ReasonSignature, rule.SIGN007, "ECDSA signature on the %s of a channel output is wrong", t.Kind)
	}
	return nil
}

// parseCompact reads r and s.
func parseCompact(raw [64]byte) (*ecdsa.Signature, error) {
	var r, s btcec.ModNScalar
	if r.SetByteSlice(raw[:32]) || s.SetByteSlice(raw[32:]) || r.IsZero() || s.IsZero() {
		return nil, fail(wire.ReasonSignature, rule.SIGN007, "ECDSA signature out of range")
	}
	if s.IsOverHalfOrder() {
		return nil, fail(wire.ReasonSignature, rule.SIGN007, "ECDSA signature with a high S")
	}
	return ecdsa.NewSignature(&r, &s), nil
}

// WitnessSignature is the form that a channel output's witness wants: DER and
// the sighash type.
func WitnessSignature(raw [64]byte) ([]byte, error) {
	sig, err := parseCompact(raw)
	if err != nil {
		return nil, err
	}
	return append(sig.Serialize(), 1), nil
}

// ownWitness signs a channel transaction as its client does when it needs it.
func ownWitness(key *btcec.PrivateKey, t *factory.Tx) []byte {
	return append(ecdsa.Sign(key, t.Sighash[:]).Serialize(), 1)
}

// checkChannels checks the LSP's signatures for channel outpoints, each by the
// LSP's key of that channel.
func checkChannels(txs []*factory.Tx, keys []wire.Point, raw [][64]byte) error {
	if len(raw) != len(txs) {
		return fail(wire.ReasonSignature, rule.CER022, "%d channel signatures, %d channel outpoints", len(raw), len(txs))
	}
	for i, t := range txs {
		if err := checkChannel(keys[i], t, raw[i]); err != nil {
			return err
		}
	}
	return nil
}

func keysOf(n int, key wire.Point) []wire.Point { return slices.Repeat([]wire.Point{key}, n) }
