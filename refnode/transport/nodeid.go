package transport

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
)

// ErrNodeID is wrapped by every error about a text or byte string that is not
// a node id.
var ErrNodeID = errors.New("not a node id")

// NodeID is the public key of a node: a point of secp256k1 in its 33 byte
// compressed form (BOLT 8). The zero value is no valid id.
type NodeID [33]byte

// NodeIDOf returns the node id that belongs to a public key.
func NodeIDOf(key *btcec.PublicKey) NodeID {
	return NodeID(key.SerializeCompressed())
}

// ParseNodeID reads a node id from 66 hexadecimal digits of either case. The
// error wraps ErrNodeID and says what is wrong.
func ParseNodeID(s string) (NodeID, error) {
	if len(s) != 66 {
		return NodeID{}, fmt.Errorf("%w: %d characters long, want 66 "+
			"hexadecimal digits", ErrNodeID, len(s))
	}
	raw, err := hex.DecodeString(s)
	if err != nil {
		return NodeID{}, fmt.Errorf("%w: %q holds something other than "+
			"hexadecimal digits", ErrNodeID, s)
	}
	id := NodeID(raw)
	if _, err := id.PublicKey(); err != nil {
		return NodeID{}, err
	}

	return id, nil
}

// PublicKey returns the point. The error wraps ErrNodeID.
func (id NodeID) PublicKey() (*btcec.PublicKey, error) {
	if id[0] != 2 && id[0] != 3 {
		return nil, fmt.Errorf("%w: starts with %02x, a compressed key "+
			"starts with 02 or 03", ErrNodeID, id[0])
	}
	key, err := btcec.ParsePubKey(id[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not a point of secp256k1",
			ErrNodeID, id)
	}

	return key, nil
}

// String returns 66 lower-case hexadecimal digits.
func (id NodeID) String() string {
	return hex.EncodeToString(id[:])
}
