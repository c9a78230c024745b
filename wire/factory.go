package wire

import (
	"fmt"

	"superscalar/wire/rule"
)

// SubType is the factory_submessage_id of bLIP-56.
type SubType uint16

// The submessages; section 3.2 of SPEC.md.
const (
	SubSupportedProtocols SubType = 2
	SubPiggyback          SubType = 4
	SubChangeInit         SubType = 6
	SubChangeAck          SubType = 8
	SubChangeFunding      SubType = 10
	SubChangeContinue     SubType = 12
	SubChangeLocked       SubType = 14
	SubChangeAbort        SubType = 16
)

// The record types of the submessages; section 3.2 of SPEC.md.
const (
	recordProtocolID     = 0
	recordProtocolIDs    = 512
	recordPayload        = 1024
	recordChange         = 1536
	recordChangeFunding  = 2560
	recordChangeContinue = 3072
	recordChangeLocked   = 3584
	recordChangeAbort    = 4096
)

// FactoryMessage is a message inside the bLIP-56 envelope.
type FactoryMessage interface {
	Message
	Submessage() SubType
}

// inEnvelope is the part all factory messages share.
type inEnvelope struct{}

func (inEnvelope) msgType(c Codec) MsgType { return c.envelope() }

// emptyFactory reads the submessage id and returns the message for it.
func emptyFactory(r *Reader) Message {
	r.name = "factory_message"
	if r.Remaining() < 2 {
		r.fail("factory_submessage_id", Truncated, rule.PCF010, fmt.Sprintf("2 bytes wanted, %d left", r.Remaining()))
		return &UnknownFactory{}
	}
	switch sub := SubType(r.U16("factory_submessage_id")); sub {
	case SubSupportedProtocols:
		return &SupportedProtocols{}
	case SubPiggyback:
		return &Piggyback{}
	case SubChangeInit:
		return &ChangeInit{}
	case SubChangeAck:
		return &ChangeAck{}
	case SubChangeFunding:
		return &ChangeFunding{}
	case SubChangeContinue:
		return &ChangeContinue{}
	case SubChangeLocked:
		return &ChangeLocked{}
	case SubChangeAbort:
		return &ChangeAbort{}
	default:
		return &UnknownFactory{Sub: sub}
	}
}

// sub writes the submessage id. The codec of a mutant that does not keep
// PCF-016 writes the next one.
func (w *writer) sub(id SubType) {
	if !w.codec.Rules.On(rule.PCF016) {
		id += 2
	}
	w.u16(uint16(id))
}

// require fails when a record that has to be there is not.
func (r *Reader) require(present bool, record string, id rule.ID) {
	if !present {
		r.fail(record, Missing, id, "")
	}
}

// UnknownFactory is a factory message of an unknown submessage id.
type UnknownFactory struct {
	inEnvelope
	Sub  SubType
	Rest []byte // everything after the submessage id
}

// Name implements Message.
func (*UnknownFactory) Name() string          { return "factory_message" }
func (m *UnknownFactory) Submessage() SubType { return m.Sub }
func (m *UnknownFactory) read(r *Reader)      { m.Rest = r.Rest() }
func (m *UnknownFactory) write(w *writer) {
	w.sub(m.Sub)
	w.bytes(m.Rest)
}

// SupportedProtocols lists the factory protocols its sender speaks. Section
// 3.3 of SPEC.md.
type SupportedProtocols struct {
	inEnvelope
	IDs   [][32]byte // in the order sent; may be empty
	Extra Stream
}

// Name implements Message.
func (*SupportedProtocols) Name() string        { return "supported_factory_protocols" }
func (*SupportedProtocols) Submessage() SubType { return SubSupportedProtocols }

func (m *SupportedProtocols) read(r *Reader) {
	m.Extra = r.Stream(RecordType{recordProtocolIDs, "factory_protocol_ids", func(v *Reader) {
		m.IDs = [][32]byte{}
		if v.Remaining()%32 != 0 {
			v.fail("factory_protocol_ids", WrongLength, rule.PCF025, fmt.Sprintf("%d bytes", v.Remaining()))
		}
		for v.err == nil && v.Remaining() > 0 {
			m.IDs = append(m.IDs, v.Array32("factory_protocol_id"))
		}
	}})
	r.require(m.IDs != nil, "factory_protocol_ids", rule.PCF024)
}

func (m *SupportedProtocols) write(w *writer) {
	w.sub(SubSupportedProtocols)
	w.stream(Stream{{recordProtocolIDs, concat(m.IDs)}}, m.Extra)
}

// Piggyback carries a message between the factory plugins of both sides.
// Section 3.4 of SPEC.md.
type Piggyback struct {
	inEnvelope
	ProtocolID [32]byte
	Payload    []byte // at most MaxPayload bytes
	Extra      Stream
}

// MaxPayload is the largest piggyback payload, in bytes (section 3.4).
const MaxPayload = 65491

// Name implements Message.
func (*Piggyback) Name() string        { return "factory_piggyback" }
func (*Piggyback) Submessage() SubType { return SubPiggyback }

func (m *Piggyback) read(r *Reader) {
	var hasID bool
	m.Extra = r.Stream(
		RecordType{recordProtocolID, "factory_protocol_id", func(v *Reader) {
			m.ProtocolID, hasID = v.Array32("factory_protocol_id"), true
		}},
		payloadRecord(&m.Payload),
	)
	r.require(hasID, "factory_protocol_id", rule.PCF030)
	r.require(m.Payload != nil, "factory_piggyback_payload", rule.PCF031)
}

func (m *Piggyback) write(w *writer) {
	w.sub(SubPiggyback)
	w.stream(Stream{{recordProtocolID, m.ProtocolID[:]}, {recordPayload, m.Payload}}, m.Extra)
}

func payloadRecord(into *[]byte) RecordType {
	return RecordType{recordPayload, "factory_piggyback_payload", func(v *Reader) { *into = v.Rest() }}
}

// Payload is one SuperScalar message as it stands in a piggyback: section 3.5
// of SPEC.md. Its records are interpreted by the ceremonies.
type Payload struct {
	Type    uint16
	Records Stream // in strictly increasing order
}

// DecodePayload reads a SuperScalar payload. Errors are *Error with PCF-041
// (too short) or PCF-044 (records malformed or out of order).
func (c Codec) DecodePayload(b []byte) (Payload, error) {
	if len(b) < 2 {
		return Payload{}, &Error{Message: "superscalar message", Field: "type", Kind: Truncated, Rule: rule.PCF041}
	}
	p := Payload{Type: uint16(b[0])<<8 | uint16(b[1])}
	r := c.NewReader("superscalar message", b)
	r.off = 2
	if p.Records = r.records(); r.err != nil {
		e := *r.err.(*Error)
		e.Rule = rule.PCF044
		return Payload{}, &e
	}
	return p, nil
}

// records reads the rest as well-formed, ordered records of any type.
func (r *Reader) records() Stream {
	var out Stream
	for last := uint64(0); r.err == nil && r.Remaining() > 0; {
		start := r.off
		typ := r.BigSize("tlv type")
		if len(out) > 0 && typ <= last {
			r.failAt(start, recordName(typ, nil), Order, rule.TRN033, "")
		}
		last = typ
		if v := r.value(recordName(typ, nil)); r.err == nil {
			out = append(out, Record{Type: typ, Value: v.Rest()})
		}
	}
	return out
}

// EncodePayload writes a SuperScalar payload (PCF-045).
func (c Codec) EncodePayload(p Payload) ([]byte, error) {
	head := []byte{byte(p.Type >> 8), byte(p.Type)}
	if !c.Rules.On(rule.PCF045) {
		head[0], head[1] = head[1], head[0]
	}
	return c.AppendStream(head, p.Records)
}
