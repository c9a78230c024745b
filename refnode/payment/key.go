package payment

import (
	"crypto/sha256"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	sphinx "github.com/lightningnetwork/lightning-onion"
)

// Key is the node's key: it opens onions and signs invoices.
type Key interface {
	sphinx.SingleKeyECDH
	// SignCompact signs SHA256(msg) with a recoverable signature of 65
	// bytes.
	SignCompact(msg []byte) ([]byte, error)
}

type nodeKey struct {
	*sphinx.PrivKeyECDH
}

// NewKey makes a Key of a private key in memory.
func NewKey(k *btcec.PrivateKey) Key { return nodeKey{&sphinx.PrivKeyECDH{PrivKey: k}} }

// SignCompact implements Key.
func (k nodeKey) SignCompact(msg []byte) ([]byte, error) {
	digest := sha256.Sum256(msg)
	return ecdsa.SignCompact(k.PrivKey, digest[:], true), nil
}

// String keeps the key out of logs.
func (k nodeKey) String() string { return "[node key]" }

// GoString keeps the key out of logs.
func (k nodeKey) GoString() string { return "[node key]" }
