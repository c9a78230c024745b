package gen

import (
	"fmt"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func payloads() (vectors.File, error) {
	f := file("PCF", "payload", "SPEC.md 3.5; values random",
		"bytes is a whole factory_piggyback_payload of the SuperScalar protocol. A good one gives type and records (of any type, in order) and, written again, the same bytes. An offset is counted from the first byte of the payload.")
	s := newSource("payload")
	for _, c := range []struct {
		name  string
		typ   vectors.Uint
		types []vectors.Uint
	}{
		{"type-0", 0, nil},
		{"type-1", 1, nil},
		{"type-256", 256, nil}, // both bytes of the type matter
		{"type-65535", 65535, []vectors.Uint{1}},
		{"one-record", 2, []vectors.Uint{0}},
		{"records-of-all-sizes-of-type", 3, []vectors.Uint{0, 252, 253, 65535, 65536, 1<<32 - 1, 1 << 32, 1<<64 - 1}},
		{"even-records-in-odd-type", 32769, []vectors.Uint{2, 4, 6}},
	} {
		var list []vectors.Record
		for _, t := range c.types {
			list = append(list, vectors.Record{Type: t, Value: s.bytes(s.between(0, 12))})
		}
		b := append([]byte{byte(c.typ >> 8), byte(c.typ)}, plainStream(list)...)
		f.Vectors = append(f.Vectors, &vectors.Payload{Head: head("payload-"+c.name, rule.PCF045, rule.TRN042), Bytes: b, Type: &c.typ, Records: list})
	}
	for _, c := range []struct {
		name, bytes string
		kind, field string
		offset      int
		rule        rule.ID
	}{
		{"empty", "", "truncated", "type", 0, rule.PCF041},
		{"one-byte", "00", "truncated", "type", 0, rule.PCF041},
		{"record-type-cut", "0003 fd01", "truncated", "tlv type", -1, rule.PCF044},
		{"record-type-not-minimal", "0003 fd0001 00", "not-minimal", "tlv type", 2, rule.PCF044},
		{"record-length-missing", "0003 07", "truncated", "length of record 7", -1, rule.PCF044},
		{"record-length-cut", "0003 07 fd01", "truncated", "length of record 7", -1, rule.PCF044},
		{"record-length-not-minimal", "0003 07 fd0001 2a", "not-minimal", "length of record 7", 3, rule.PCF044},
		{"record-value-cut", "0003 07 03 0102", "truncated", "record 7", 4, rule.PCF044},
		{"record-length-of-everything", "0003 07 ffffffffffffffffff", "truncated", "record 7", 12, rule.PCF044},
		{"records-out-of-order", "0003 07 00 05 01 2a", "order", "record 5", 4, rule.PCF044},
		{"record-twice", "0003 07 00 07 01 2a", "order", "record 7", 4, rule.PCF044},
		{"records-out-of-order-after-highest", "0004 ffffffffffffffffff 00 00 00", "order", "record 0", 12, rule.PCF044},
	} {
		f.Vectors = append(f.Vectors, &vectors.Payload{Head: head("payload-"+c.name, c.rule, rule.PCF045),
			Bytes: unhex(c.bytes), Outcome: fault(c.kind, c.field, c.offset, c.rule)})
	}
	return f, nil
}

func (r runner) payload(v *vectors.Payload) error {
	got, err := r.codec.DecodePayload(v.Bytes)
	good, mismatch := outcome(v, err)
	if !good {
		return mismatch
	}
	if uint64(got.Type) != uint64(*v.Type) {
		return fmt.Errorf("type %d, want %d", got.Type, *v.Type)
	}
	if err := sameRecords(records(got.Records), v.Records); err != nil {
		return err
	}
	b, err := r.codec.EncodePayload(wire.Payload{Type: uint16(*v.Type), Records: stream(v.Records)})
	if err != nil {
		return fmt.Errorf("does not encode: %w", err)
	}
	return sameBytes("encoding", b, v.Bytes)
}
