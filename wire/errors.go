package wire

import (
	"fmt"

	"superscalar/wire/rule"
)

// Kind is the class of a decoding or encoding error. Vectors name it.
type Kind string

// The classes of errors.
const (
	Truncated   Kind = "truncated"    // the bytes end before the field does
	NotMinimal  Kind = "not-minimal"  // an integer could be encoded in fewer bytes
	Order       Kind = "order"        // record types do not strictly increase
	UnknownEven Kind = "unknown-even" // a record type that has to be understood, and is not
	WrongLength Kind = "wrong-length" // a known record with bytes missing or left over
	BadPoint    Kind = "bad-point"    // not a compressed secp256k1 point
	BadValue    Kind = "bad-value"    // a value its field does not allow
	Missing     Kind = "missing"      // a required record is absent
	TooLong     Kind = "too-long"     // more than 65,535 bytes, or a length that does not fit its field
)

// Error says what is wrong with a message: where, what kind, and which
// requirement of SPEC.md it breaks. Match it with errors.As.
type Error struct {
	Message string  // name of the message or stream, "factory_change_init"
	Field   string  // name of the field or record
	Offset  int     // bytes from the start of the message where the field begins
	Kind    Kind    // class
	Rule    rule.ID // requirement that asks for the failure
	Detail  string  // what was found, optional
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s at byte %d: %s", e.Message, e.Field, e.Offset, e.Kind)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}
