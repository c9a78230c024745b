package wire

import (
	"fmt"
	"slices"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/wire/rule"
)

// Reader reads fields one after the other and remembers the first error, so
// that a message reads as the list of its fields. After an error every read
// returns a zero value.
type Reader struct {
	codec Codec
	name  string // of the message
	b     []byte
	off   int
	base  int // offset of b inside the message
	// inRecord is set while the value of a TLV record is read: a short read is
	// a wrong length there, since the record says how long it is.
	inRecord bool
	err      error
}

// NewReader returns a Reader over b whose errors carry the given name.
func (c Codec) NewReader(name string, b []byte) *Reader {
	return &Reader{codec: c, name: name, b: b}
}

// Err returns the first error, a *Error, or nil.
func (r *Reader) Err() error { return r.err }

// Remaining returns the number of bytes not read yet.
func (r *Reader) Remaining() int { return len(r.b) - r.off }

func (r *Reader) fail(field string, k Kind, id rule.ID, detail string) {
	r.failAt(r.off, field, k, id, detail)
}

func (r *Reader) failAt(off int, field string, k Kind, id rule.ID, detail string) {
	if r.err == nil {
		r.err = &Error{Message: r.name, Field: field, Offset: r.base + off, Kind: k, Rule: id, Detail: detail}
	}
}

// Bytes reads n bytes. The result is a copy, so that a message does not change
// with the buffer it was read from.
func (r *Reader) Bytes(field string, n int) []byte {
	return slices.Clone(r.take(field, n))
}

// take reads n bytes without copying them.
func (r *Reader) take(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if r.Remaining() < n {
		r.short(field, n)
		out := make([]byte, n) // only a codec with the rule off gets to use it
		copy(out, r.b[r.off:])
		r.off = len(r.b)
		return out
	}
	out := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return out
}

func (r *Reader) short(field string, n int) {
	kind, id := Truncated, rule.TRN043
	if r.inRecord {
		kind, id = WrongLength, rule.TRN035
	}
	if r.codec.Rules.On(id) {
		r.fail(field, kind, id, fmt.Sprintf("%d bytes wanted, %d left", n, r.Remaining()))
	}
}

// Rest reads all remaining bytes. The result is never nil unless an error
// came before.
func (r *Reader) Rest() []byte {
	if r.err != nil {
		return nil
	}
	out := append([]byte{}, r.b[r.off:]...)
	r.off = len(r.b)
	return out
}

// Uint reads an unsigned big-endian integer of n bytes, n from 1 to 8.
func (r *Reader) Uint(field string, n int) uint64 {
	var v uint64
	for _, x := range r.take(field, n) {
		v = v<<8 | uint64(x)
	}
	return v
}

// U8 reads a byte.
func (r *Reader) U8(field string) uint8 { return uint8(r.Uint(field, 1)) }

// U16 reads a u16.
func (r *Reader) U16(field string) uint16 { return uint16(r.Uint(field, 2)) }

// U32 reads a u32.
func (r *Reader) U32(field string) uint32 { return uint32(r.Uint(field, 4)) }

// U64 reads a u64.
func (r *Reader) U64(field string) uint64 { return r.Uint(field, 8) }

// Signed reads a two's complement integer of n bytes, n from 1 to 8. BOLT 1
// appendix D, TRN-041.
func (r *Reader) Signed(field string, n int) int64 {
	shift := 64 - 8*n
	v := int64(r.Uint(field, n)<<shift) >> shift
	if !r.codec.Rules.On(rule.TRN041) && v < 0 {
		return v & (1<<(8*n-1) - 1)
	}
	return v
}

// S64 reads an s64.
func (r *Reader) S64(field string) int64 { return r.Signed(field, 8) }

// TruncatedUint reads a tu16, tu32 or tu64 (max 2, 4 or 8 bytes) that takes
// all remaining bytes of its record. It fails when there are more than max
// (TRN-035) or when there are leading zeros (TRN-036).
func (r *Reader) TruncatedUint(field string, max int) uint64 {
	n := r.Remaining()
	if n > max {
		return 0 // left over bytes make the record too long
	}
	if n > 0 && r.b[r.off] == 0 && r.codec.Rules.On(rule.TRN036) {
		r.fail(field, NotMinimal, rule.TRN036, "leading zero byte")
	}
	return r.Uint(field, n)
}

// Array32 reads 32 bytes.
func (r *Reader) Array32(field string) (out [32]byte) {
	copy(out[:], r.take(field, 32))
	return out
}

// Signature reads 64 bytes.
func (r *Reader) Signature(field string) (out Signature) {
	copy(out[:], r.take(field, 64))
	return out
}

// Point reads a compressed point and checks that it is on the curve
// (TRN-040).
func (r *Reader) Point(field string) (p Point) {
	start := r.off
	copy(p[:], r.take(field, len(p)))
	if r.err != nil || !r.codec.Rules.On(rule.TRN040) {
		return p
	}
	if err := r.codec.onCurve(p); err != nil {
		r.failAt(start, field, BadPoint, rule.TRN040, err.Error())
	}
	return p
}

func (c Codec) onCurve(p Point) error {
	if c.Point != nil {
		return c.Point(p)
	}
	_, err := secp256k1.ParsePubKey(p[:])
	return err
}
