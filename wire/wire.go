// Package wire is what travels between SuperScalar nodes: the base messages of
// Lightning that a factory needs, the bLIP-56 envelope with its submessages,
// and the framing of SuperScalar's own messages inside it.
//
// It promises that a message read and written again is the same bytes, that
// every malformed input is refused with an *Error that names message, field,
// offset and requirement, and that nothing panics on input. It implements
// sections 2.2, 2.3, 3.2 and 3.5 of SPEC.md. It has no state and does no I/O;
// what a node does about an error is decided in refnode/peer.
//
// Messages of Lightning that a factory does not change are read with lnd's
// lnwire and kept as they arrived (Base). The messages a factory extends have
// codecs of their own here, since lnwire drops records it does not know and
// does not refuse unknown even ones.
package wire

import (
	"errors"
	"fmt"

	"superscalar/wire/rule"
)

// MaxMessage is the largest Lightning message, in bytes (BOLT 8).
const MaxMessage = 65535

// MsgType is the type of a Lightning message.
type MsgType uint16

// The types of messages this package has codecs for.
const (
	TypeWarning            MsgType = 1
	TypeStfu               MsgType = 2
	TypeInit               MsgType = 16
	TypeError              MsgType = 17
	TypePing               MsgType = 18
	TypePong               MsgType = 19
	TypeOpenChannel        MsgType = 32
	TypeAcceptChannel      MsgType = 33
	TypeStartBatch         MsgType = 127
	TypeCommitmentSigned   MsgType = 132
	TypeChannelReestablish MsgType = 136
	// TypeFactory is the normative envelope of bLIP-56 (PCF-006).
	TypeFactory MsgType = 32800
	// TypeFactoryCompat is the envelope of the CLN fork (PCF-007).
	TypeFactoryCompat MsgType = 33001
)

// Message is a Lightning message: one of the exported message types of this
// package, always as a pointer.
type Message interface {
	// Name is the name the message has in its specification.
	Name() string
	// msgType is the type as codec c writes it.
	msgType(c Codec) MsgType
	// read takes the payload; the type is read already.
	read(*Reader)
	// write appends the payload.
	write(*writer)
}

// Codec reads and writes messages. The zero Codec is the normative one.
type Codec struct {
	// Envelope is the type of factory messages: TypeFactory (the same as 0)
	// or TypeFactoryCompat.
	Envelope MsgType
	// Rules are the checks the codec keeps: all of them, except in mutants.
	Rules rule.Set
	// Point returns an error for 33 bytes that are no point of the curve. Nil: they are
	// parsed. It is there for a reader that remembers which ones it has parsed.
	Point func(Point) error
}

func (c Codec) envelope() MsgType {
	if c.Envelope == 0 || !c.Rules.On(rule.PCF007) {
		return TypeFactory
	}
	return c.Envelope
}

// ErrNoType is the error for a message of fewer than two bytes (TRN-023).
var ErrNoType = errors.New("message has no type: fewer than 2 bytes")

// TypeOf returns the type of an encoded message, or ErrNoType.
func TypeOf(b []byte) (MsgType, error) {
	if len(b) < 2 {
		return 0, ErrNoType
	}
	return MsgType(b[0])<<8 | MsgType(b[1]), nil
}

// Decode reads one whole message. A type this package does not know gives an
// *Unknown and no error: whether it may be ignored is the node's to decide
// (TRN-020, TRN-021). Errors are ErrNoType or *Error.
func (c Codec) Decode(b []byte) (Message, error) {
	typ, err := TypeOf(b)
	if err != nil {
		return nil, err
	}
	if len(b) > MaxMessage {
		return nil, &Error{Message: fmt.Sprintf("message %d", typ), Field: "length", Kind: TooLong, Rule: rule.TRN025}
	}
	r := c.NewReader("", b)
	r.off = 2
	m := c.empty(typ, r)
	r.name = m.Name()
	m.read(r)
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// empty returns the message that type typ is read into.
func (c Codec) empty(typ MsgType, r *Reader) Message {
	switch {
	case typ == c.envelope() || isEnvelope(typ) && !c.Rules.On(rule.PCF009):
		return emptyFactory(r)
	case isBase(typ):
		return &Base{Kind: typ}
	}
	if m := emptyOwn(typ); m != nil {
		return m
	}
	return &Unknown{Kind: typ}
}

func isEnvelope(typ MsgType) bool { return typ == TypeFactory || typ == TypeFactoryCompat }

func emptyOwn(typ MsgType) Message {
	switch typ {
	case TypeWarning:
		return &Warning{}
	case TypeStfu:
		return &Stfu{}
	case TypeInit:
		return &Init{}
	case TypeError:
		return &ErrorMessage{}
	case TypePing:
		return &Ping{}
	case TypePong:
		return &Pong{}
	case TypeOpenChannel:
		return &OpenChannel{}
	case TypeAcceptChannel:
		return &AcceptChannel{}
	case TypeStartBatch:
		return &StartBatch{}
	case TypeCommitmentSigned:
		return &CommitmentSigned{}
	case TypeChannelReestablish:
		return &ChannelReestablish{}
	}
	return nil
}

// Encode writes one whole message. It fails with an *Error when the message
// would exceed 65,535 bytes, a length does not fit its field, or two records
// have the same type.
func (c Codec) Encode(m Message) ([]byte, error) {
	w := &writer{codec: c, name: m.Name()}
	w.u16(uint16(m.msgType(c)))
	m.write(w)
	if w.err == nil && len(w.b) > MaxMessage {
		w.fail("message", TooLong, fmt.Sprintf("%d bytes", len(w.b)))
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}
