package wire

import (
	"fmt"

	"superscalar/wire/rule"
)

// CeremonyType is the type of a SuperScalar payload that is a ceremony
// message; section 5.2 of SPEC.md.
type CeremonyType uint16

// The ceremony messages.
const (
	TypeInvite     CeremonyType = 2
	TypeJoin       CeremonyType = 4
	TypeProposal   CeremonyType = 6
	TypeNonces     CeremonyType = 8
	TypeAggregate  CeremonyType = 10
	TypePartials   CeremonyType = 12
	TypeSignatures CeremonyType = 14
	TypeStored     CeremonyType = 16
	TypeFunded     CeremonyType = 18
	TypeAbort      CeremonyType = 20
	TypeUpdate     CeremonyType = 22
	TypeSale       CeremonyType = 24
	TypePoison     CeremonyType = 26
)

// CeremonyID names one attempt at a ceremony; that of the attempt that created
// a factory is the factory's instance id (CER-002).
type CeremonyID [32]byte

// String returns 64 hex digits.
func (id CeremonyID) String() string { return fmt.Sprintf("%x", id[:]) }

// Ceremony is a message of a ceremony.
type Ceremony interface {
	// Name is the name in SPEC.md, "ceremony_invite".
	Name() string
	// Type is the type of the payload.
	Type() CeremonyType
	// ID names the attempt that the message belongs to.
	ID() CeremonyID

	id() *CeremonyID
	fields() []field
}

// Attempt is the record that every ceremony message starts with.
type Attempt struct{ Ceremony CeremonyID }

// ID implements Ceremony.
func (a *Attempt) ID() CeremonyID  { return a.Ceremony }
func (a *Attempt) id() *CeremonyID { return &a.Ceremony }

// field is one record of a ceremony message: how it is read and written.
type field struct {
	typ      uint64
	name     string
	optional bool
	read     func(*Reader)
	write    func(*writer) bool // false when an optional record is absent
}

// NewCeremony returns the empty message of a type, nil for an unknown one.
func NewCeremony(t CeremonyType) Ceremony {
	switch t {
	case TypeInvite:
		return &Invite{}
	case TypeJoin:
		return &Join{}
	case TypeProposal:
		return &Proposal{}
	case TypeNonces:
		return &Nonces{}
	case TypeAggregate:
		return &AggregateNonces{}
	case TypePartials:
		return &Partials{}
	case TypeSignatures:
		return &Signatures{}
	case TypeStored:
		return &Stored{}
	case TypeFunded:
		return &Funded{}
	case TypeAbort:
		return &Abort{}
	case TypeUpdate:
		return &Update{}
	case TypeSale:
		return &Sale{}
	case TypePoison:
		return &Poison{}
	default:
		return nil
	}
}

// DecodeCeremony reads a SuperScalar payload. It returns nil and no error when
// its type is not one of a ceremony. Errors are *Error: those of
// DecodePayload, those of BOLT 1 for records, and CER-001 for a record that is
// absent or has the wrong length.
func (c Codec) DecodeCeremony(b []byte) (Ceremony, error) {
	p, err := c.DecodePayload(b)
	if err != nil {
		return nil, err
	}
	m := NewCeremony(CeremonyType(p.Type))
	if m == nil {
		return nil, nil
	}
	r := c.NewReader(m.Name(), b)
	r.off = 2
	fields := append([]field{{typ: 0, name: "ceremony_id", read: func(r *Reader) { *m.id() = r.Array32("ceremony_id") }}}, m.fields()...)
	seen := make(map[uint64]bool, len(fields))
	known := make([]RecordType, len(fields))
	for i, f := range fields {
		known[i] = RecordType{f.typ, f.name, func(v *Reader) { seen[f.typ] = true; f.read(v) }}
	}
	r.Stream(known...)
	for _, f := range fields {
		if !f.optional && !seen[f.typ] && c.Rules.On(rule.CER001) {
			r.fail(f.name, Missing, rule.CER001, "")
		}
	}
	if r.err != nil {
		return nil, asCeremonyError(r.err, c.Rules)
	}
	return m, nil
}

// asCeremonyError gives a wrong length the rule of its message.
func asCeremonyError(err error, rules rule.Set) error {
	e, ok := err.(*Error)
	if ok && e.Kind == WrongLength {
		bad := *e
		bad.Rule = rule.CER001
		return &bad
	}
	return err
}

// EncodeCeremony returns the SuperScalar payload of a message. Errors are
// *Error: a list longer than MaxPayload.
func (c Codec) EncodeCeremony(m Ceremony) ([]byte, error) {
	id := *m.id()
	records := Stream{{0, id[:]}}
	for _, f := range m.fields() {
		v := &writer{codec: c, name: m.Name()}
		if f.write(v) {
			records = append(records, Record{f.typ, v.b})
		}
	}
	if !c.Rules.On(rule.CER001) {
		records = records[:len(records)-1]
	}
	b, err := c.EncodePayload(Payload{Type: uint16(m.Type()), Records: records})
	if err == nil && len(b) > MaxPayload && c.Rules.On(rule.CER027) {
		err = &Error{Message: m.Name(), Field: "factory_piggyback_payload", Offset: len(b), Kind: TooLong, Rule: rule.CER027, Detail: fmt.Sprintf("%d bytes", len(b))}
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// The fields that several messages have.

func u8Field(typ uint64, name string, v *uint8) field {
	return field{typ, name, false, func(r *Reader) { *v = r.U8(name) }, func(w *writer) bool { w.u8(*v); return true }}
}

func u16Field(typ uint64, name string, v *uint16) field {
	return field{typ, name, false, func(r *Reader) { *v = r.U16(name) }, func(w *writer) bool { w.u16(*v); return true }}
}

func u64Field(typ uint64, name string, v *uint64) field {
	return field{typ, name, false, func(r *Reader) { *v = r.U64(name) }, func(w *writer) bool { w.u64(*v); return true }}
}

func array32Field(typ uint64, name string, v *[32]byte) field {
	return field{typ, name, false, func(r *Reader) { *v = r.Array32(name) }, func(w *writer) bool { w.bytes(v[:]); return true }}
}

func pointField(typ uint64, name string, v *Point) field {
	return field{typ, name, false, func(r *Reader) { *v = r.Point(name) }, func(w *writer) bool { w.bytes(v[:]); return true }}
}

func bytesField(typ uint64, name string, v *[]byte) field {
	return field{typ, name, false, func(r *Reader) { *v = r.Rest() }, func(w *writer) bool { w.bytes(*v); return true }}
}

// listField is a list of items of a fixed size in bytes. An optional list is
// absent when it is nil: an empty one that came is written again.
func listField[T any](typ uint64, name string, size int, optional bool, v *[]T, read func(*Reader) T, write func(*writer, T)) field {
	return field{typ, name, optional,
		func(r *Reader) {
			if r.Remaining()%size != 0 {
				r.fail(name, WrongLength, rule.CER001, fmt.Sprintf("%d bytes are not a multiple of %d", r.Remaining(), size))
				return
			}
			*v = make([]T, 0, r.Remaining()/size)
			for r.err == nil && r.Remaining() > 0 {
				*v = append(*v, read(r))
			}
		},
		func(w *writer) bool {
			for _, item := range *v {
				write(w, item)
			}
			return !optional || *v != nil
		}}
}

func rawListField[T [33]byte | [34]byte | [64]byte | [66]byte | [32]byte](typ uint64, name string, optional bool, v *[]T) field {
	var zero T
	size := len(zero)
	return listField(typ, name, size, optional, v,
		func(r *Reader) (item T) {
			raw := r.take(name, size)
			for i := range raw {
				item[i] = raw[i]
			}
			return item
		},
		func(w *writer, item T) {
			for i := range size {
				w.b = append(w.b, item[i])
			}
		})
}

func u64ListField(typ uint64, name string, optional bool, v *[]uint64) field {
	return listField(typ, name, 8, optional, v, func(r *Reader) uint64 { return r.U64(name) }, func(w *writer, x uint64) { w.u64(x) })
}
