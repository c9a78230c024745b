package wire_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// BigSize on both sides of every border: the values of BOLT 1, appendix A.
func TestBigSizeBorders(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		value       uint64
		err         *wire.Error // none: the bytes are the value's
	}{
		{"zero", "00", 0, nil},
		{"the most of one byte", "fc", 0xfc, nil},
		{"the least of three", "fd00fd", 0xfd, nil},
		{"one less than that", "fd00fc", 0, &wire.Error{Kind: wire.NotMinimal, Rule: rule.TRN031}},
		{"the most of three", "fdffff", 0xffff, nil},
		{"the least of five", "fe00010000", 0x10000, nil},
		{"one less than that", "fe0000ffff", 0, &wire.Error{Kind: wire.NotMinimal, Rule: rule.TRN031}},
		{"the most of five", "feffffffff", 0xffffffff, nil},
		{"the least of nine", "ff0000000100000000", 0x100000000, nil},
		{"one less than that", "ff00000000ffffffff", 0, &wire.Error{Kind: wire.NotMinimal, Rule: rule.TRN031}},
		{"the most", "ffffffffffffffffff", 1<<64 - 1, nil},
		{"nothing", "", 0, &wire.Error{Kind: wire.Truncated, Rule: rule.TRN032}},
		{"three cut", "fd00", 0, &wire.Error{Kind: wire.Truncated, Rule: rule.TRN032}},
		{"five cut", "feffff", 0, &wire.Error{Kind: wire.Truncated, Rule: rule.TRN032}},
		{"nine cut", "ffffffffff", 0, &wire.Error{Kind: wire.Truncated, Rule: rule.TRN032}},
		{"nothing behind fd", "fd", 0, &wire.Error{Kind: wire.Truncated, Rule: rule.TRN032}},
	} {
		t.Run(c.bytes+" "+c.name, func(t *testing.T) {
			b := unhex(c.bytes)
			v, n, err := wire.Codec{}.ReadBigSize(b)
			if c.err != nil {
				c.err.Message, c.err.Field = "bigsize", "value"
				checkError(t, b, err, *c.err)
				return
			}
			if err != nil || v != c.value || n != len(b) {
				t.Errorf("read as %d in %d bytes, %v, want %d", v, n, err, c.value)
			}
			if got := (wire.Codec{}).AppendBigSize(nil, c.value); !bytes.Equal(got, b) {
				t.Errorf("%d written as %x, want %x", c.value, got, b)
			}
		})
	}
}

// Signed integers of every size come back as they were (TRN-041).
func TestSignedRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "bytes")
		v := rapid.Int64().Draw(t, "value") >> (64 - 8*n)
		b := wire.AppendSigned([]byte{7}, v, n)
		if len(b) != 1+n {
			t.Fatalf("%d takes %d bytes, want %d", v, len(b)-1, n)
		}
		r := wire.Codec{}.NewReader("test", b[1:])
		if got := r.Signed("value", n); got != v || r.Err() != nil || r.Remaining() != 0 {
			t.Fatalf("%x read as %d, %v, want %d", b[1:], got, r.Err(), v)
		}
	})
}

// Two's complement, by value, so that reader and writer cannot be wrong
// together.
func TestAppendSigned(t *testing.T) {
	for _, c := range []struct {
		name  string
		value int64
		size  int
		want  []byte
	}{
		{"0", 0, 1, []byte{0}},
		{"-1 in a byte", -1, 1, []byte{0xff}},
		{"-128", -128, 1, []byte{0x80}},
		{"128 takes two", 128, 2, []byte{0, 0x80}},
		{"-129 takes two", -129, 2, []byte{0xff, 0x7f}},
		{"-2 in eight", -2, 8, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}},
		{"the least", -1 << 63, 8, []byte{0x80, 0, 0, 0, 0, 0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wire.AppendSigned(nil, c.value, c.size); !bytes.Equal(got, c.want) {
				t.Errorf("written as %x, want %x", got, c.want)
			}
		})
	}
}

// Truncated integers: tu16, tu32 and tu64 are this with 2, 4 and 8 bytes.
func TestTruncatedUint(t *testing.T) {
	for _, c := range []struct {
		name  string
		value []byte // of record 1
		max   int
		want  uint64
		err   *wire.Error
	}{
		{"none is 0", nil, 2, 0, nil},
		{"one byte", []byte{1}, 2, 1, nil},
		{"the most of tu16", []byte{0xff, 0xff}, 2, 0xffff, nil},
		{"the most of tu64", bytes.Repeat([]byte{0xff}, 8), 8, 1<<64 - 1, nil},
		{"zero written out", []byte{0}, 2, 0, &wire.Error{Field: "value", Offset: 2, Kind: wire.NotMinimal, Rule: rule.TRN036}},
		{"leading zero", []byte{0, 1}, 2, 0, &wire.Error{Field: "value", Offset: 2, Kind: wire.NotMinimal, Rule: rule.TRN036}},
		{"too long", []byte{1, 2, 3}, 2, 0, &wire.Error{Field: "integer", Offset: 2, Kind: wire.WrongLength, Rule: rule.TRN035}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got uint64
			b := tlvRecord(1, c.value)
			_, err := wire.Codec{}.ReadStream("test", b, wire.RecordType{Type: 1, Name: "integer", Read: func(r *wire.Reader) {
				got = r.TruncatedUint("value", c.max)
			}})
			if c.err != nil {
				c.err.Message = "test"
				checkError(t, b, err, *c.err)
			} else if err != nil || got != c.want {
				t.Errorf("read as %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

// A reader that has failed gives zero values and keeps its first error.
func TestReaderStaysFailed(t *testing.T) {
	r := wire.Codec{}.NewReader("test", []byte{1, 2, 3})
	r.U8("first")
	r.U32("second")
	first := r.Err()
	checkError(t, []byte{1, 2, 3}, first, wire.Error{Message: "test", Field: "second", Offset: 1, Kind: wire.Truncated, Rule: rule.TRN043})
	if r.U8("third") != 0 || r.U64("fourth") != 0 || r.BigSize("fifth") != 0 || r.Rest() != nil || r.Bytes("sixth", 1) != nil ||
		r.Array32("seventh") != [32]byte{} || r.Point("eighth") != (wire.Point{}) || r.S64("ninth") != 0 {
		t.Error("a failed reader gave something")
	}
	if r.Err() != first {
		t.Errorf("error %v, want the first, %v", r.Err(), first)
	}
}
