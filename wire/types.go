package wire

import "encoding/hex"

// Point is a compressed secp256k1 point, 33 bytes.
type Point [33]byte

// String returns 66 hex digits.
func (p Point) String() string { return hex.EncodeToString(p[:]) }

// Signature is a 64-byte ECDSA signature in the compact form of BOLT 1. It is
// not parsed here: what it signs decides whether it is valid.
type Signature [64]byte

// ChannelID names a channel, or, all zero, all channels or none (BOLT 1).
type ChannelID [32]byte

// String returns 64 hex digits.
func (c ChannelID) String() string { return hex.EncodeToString(c[:]) }

// Txid is a transaction id in the byte order of a transaction's input.
type Txid [32]byte

// String returns 64 hex digits, in wire order.
func (t Txid) String() string { return hex.EncodeToString(t[:]) }
