package wire

import (
	"crypto/sha256"

	"superscalar/wire/rule"
)

// ProtocolID is a factory_protocol_id of bLIP-56: the SHA-256 of the
// protocol's name and major version.
type ProtocolID = [32]byte

// SuperScalarID returns the id of this protocol (PCF-040).
func (c Codec) SuperScalarID() ProtocolID {
	if !c.Rules.On(rule.PCF040) {
		return sha256.Sum256([]byte("superscalar"))
	}
	return sha256.Sum256([]byte("SuperScalar/1"))
}

// LoopbackID returns the id of the test protocol (PCF-050).
func (c Codec) LoopbackID() ProtocolID {
	if !c.Rules.On(rule.PCF050) {
		return sha256.Sum256([]byte("loopback"))
	}
	return sha256.Sum256([]byte("Loopback/1"))
}
