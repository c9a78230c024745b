package datadir

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
)

const (
	// seedSize is the size of the seed in bytes.
	seedSize = 32

	// derivation separates these keys from any other use of the seed and
	// names the version of the rule in DeriveKey.
	derivation = "superscalar/node-keys/1"

	// nodeKeyLabel is the label of the node key, at index 0.
	nodeKeyLabel = "node-id"

	// maxLabel is the longest label in bytes.
	maxLabel = 64
)

// DeriveKey returns the private key of a label and an index. It is always the
// same for the same directory, and all of them are independent: whoever gets
// one learns nothing about the seed or the others, so a key may be handed over
// when its owner leaves a factory. That is what hardened derivation means in
// BIP 32; the rule here is shorter and needs no registry of path numbers:
//
//	key = HKDF-SHA256(ikm: seed, salt: "superscalar/node-keys/1",
//	                  info: label || 0x00 || index (u32) || try (u8),
//	                  length: 32)
//
// as a big-endian number, with the first try from 0 that gives a number from 1
// to n-1, n being the order of secp256k1.
//
// A label is 1 to 64 printable ASCII characters without blanks; the error
// wraps ErrArgument. Different uses take different labels, such as
// "factory/key" and "factory/funding".
func (d *Dir) DeriveKey(label string, index uint32) (*btcec.PrivateKey, error) {
	return deriveKey(d.seed, label, index)
}

// deriveKey is DeriveKey for a seed.
func deriveKey(seed []byte, label string, index uint32) (*btcec.PrivateKey, error) {
	if err := checkLabel(label); err != nil {
		return nil, err
	}
	info := append([]byte(label), 0)
	info = binary.BigEndian.AppendUint32(info, index)
	for try := range 256 {
		raw, err := hkdf.Key(sha256.New, seed, []byte(derivation),
			string(info)+string([]byte{byte(try)}), 32)
		if err != nil {
			return nil, fmt.Errorf("derive key %s/%d: %w", label,
				index, err)
		}
		var scalar btcec.ModNScalar
		if overflow := scalar.SetByteSlice(raw); !overflow && !scalar.IsZero() {
			return btcec.PrivKeyFromScalar(&scalar), nil
		}
	}

	return nil, fmt.Errorf("derive key %s/%d: no valid key in 256 tries",
		label, index)
}

// checkLabel refuses what could be mistaken for another label.
func checkLabel(label string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if label == "" || len(label) > maxLabel || strings.ContainsFunc(label, odd) {
		return fmt.Errorf("key label %q: %w, want 1 to %d printable "+
			"characters without blanks", label, ErrArgument, maxLabel)
	}

	return nil
}
