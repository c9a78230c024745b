package wire

import (
	"encoding/binary"

	"superscalar/wire/rule"
)

// AppendBigSize appends v to b as a BigSize: 1, 3, 5 or 9 bytes, the fewest
// that hold it. BOLT 1 appendix A, TRN-030.
func (c Codec) AppendBigSize(b []byte, v uint64) []byte {
	switch {
	case v < 0xfd && c.Rules.On(rule.TRN030):
		return append(b, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 0xfd), uint16(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, 0xfe), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(b, 0xff), v)
	}
}

// ReadBigSize reads one BigSize from the start of b and returns it with the
// number of bytes it took. It fails with Truncated (TRN-032) or NotMinimal
// (TRN-031). BOLT 1 appendix A.
func (c Codec) ReadBigSize(b []byte) (v uint64, n int, err error) {
	r := c.NewReader("bigsize", b)
	v = r.BigSize("value")
	return v, r.off, r.err
}

// BigSize reads a BigSize field.
func (r *Reader) BigSize(field string) uint64 {
	start := r.off
	first, _ := r.size(start, field, 1)
	var v, least uint64
	var whole bool
	switch first {
	case 0xfd:
		v, whole = r.size(start, field, 2)
		least = 0xfd
	case 0xfe:
		v, whole = r.size(start, field, 4)
		least = 0x10000
	case 0xff:
		v, whole = r.size(start, field, 8)
		least = 0x100000000
	default:
		return first
	}
	if whole && v < least && r.codec.Rules.On(rule.TRN031) {
		r.failAt(start, field, NotMinimal, rule.TRN031, "")
	}
	return v
}

// size reads n bytes of the BigSize that begins at start as an integer, and
// says whether they were there. A short read breaks TRN-032 here, not the rule
// for fixed fields; a codec without that rule takes the integer for 0.
func (r *Reader) size(start int, field string, n int) (v uint64, whole bool) {
	if r.err != nil {
		return 0, false
	}
	if r.Remaining() < n {
		if r.codec.Rules.On(rule.TRN032) {
			r.failAt(start, field, Truncated, rule.TRN032, "")
		}
		r.off = len(r.b)
		return 0, false
	}
	for _, x := range r.b[r.off : r.off+n] {
		v = v<<8 | uint64(x)
	}
	r.off += n
	return v, true
}
