package gen

import (
	"crypto/sha256"
	"fmt"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

func protocolIDs() (vectors.File, error) {
	f := file("PCF", "protocol_id", "SPEC.md 3.5 and 3.6", "protocol_id is the SHA-256 of the ASCII bytes of protocol, without a terminator.")
	for _, c := range []struct {
		protocol string
		rule     rule.ID
	}{{"SuperScalar/1", rule.PCF040}, {"Loopback/1", rule.PCF050}} {
		id := sha256.Sum256([]byte(c.protocol))
		f.Vectors = append(f.Vectors, &vectors.ProtocolID{Head: head(slug("protocol-id", c.protocol[:len(c.protocol)-2]), c.rule), Protocol: c.protocol, ProtocolID: id[:]})
	}
	return f, nil
}

func (r runner) protocolID(v *vectors.ProtocolID) error {
	ids := map[string]func() [32]byte{"SuperScalar/1": r.codec.SuperScalarID, "Loopback/1": r.codec.LoopbackID}
	id, known := ids[v.Protocol]
	if !known {
		return fmt.Errorf("the implementation knows no protocol %q", v.Protocol)
	}
	got := id()
	return sameBytes("protocol id", got[:], v.ProtocolID)
}
