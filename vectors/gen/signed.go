package gen

import (
	"fmt"
	"math"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func signeds() (vectors.File, error) {
	f := file("TRN", "signed", "BOLT 1 appendix D; vectors named own-* are this project's",
		"bytes is the whole value of a record that holds one signed integer of width bytes: read it, and write it again. An offset is counted from the first byte of the value.")
	for _, c := range []struct {
		name  string
		value int64
		bytes string
	}{
		{"zero", 0, "00"}, {"42", 42, "2a"}, {"minus-42", -42, "d6"},
		{"s8-high", math.MaxInt8, "7f"}, {"s8-low", math.MinInt8, "80"},
		{"128", 128, "0080"}, {"minus-129", -129, "ff7f"},
		{"15000", 15000, "3a98"}, {"minus-15000", -15000, "c568"},
		{"s16-high", math.MaxInt16, "7fff"}, {"s16-low", math.MinInt16, "8000"},
		{"32768", 32768, "00008000"}, {"minus-32769", -32769, "ffff7fff"},
		{"21000000", 21000000, "01406f40"}, {"minus-21000000", -21000000, "febf90c0"},
		{"s32-high", math.MaxInt32, "7fffffff"}, {"s32-low", math.MinInt32, "80000000"},
		{"2147483648", 2147483648, "0000000080000000"}, {"minus-2147483649", -2147483649, "ffffffff7fffffff"},
		{"500000000000", 500000000000, "000000746a528800"}, {"minus-500000000000", -500000000000, "ffffff8b95ad7800"},
		{"s64-high", math.MaxInt64, "7fffffffffffffff"}, {"s64-low", math.MinInt64, "8000000000000000"},
		{"own-minus-1", -1, "ffffffffffffffff"},
	} {
		value := vectors.Int(c.value)
		f.Vectors = append(f.Vectors, &vectors.Signed{Head: head("signed-"+c.name, rule.TRN041),
			Width: len(unhex(c.bytes)), Bytes: unhex(c.bytes), Value: &value})
	}
	s := newSource("signed")
	for _, width := range []int{1, 2, 4, 8} {
		for n := range width {
			f.Vectors = append(f.Vectors, badSigned(width, s.bytes(n), "value", 0))
		}
		for n := width + 1; n <= width+3; n++ {
			f.Vectors = append(f.Vectors, badSigned(width, s.bytes(n), "record", width))
		}
	}
	return f, nil
}

// badSigned is a value of the wrong length. What is short lacks its field,
// what is long has bytes left over, which belong to the record.
func badSigned(width int, b []byte, field string, offset int) vectors.Vector {
	name := fmt.Sprintf("signed-s%d-in-%d-bytes", 8*width, len(b))
	return &vectors.Signed{Head: head(name, rule.TRN035, rule.TRN041), Width: width, Bytes: b,
		Outcome: fault("wrong-length", field, offset, rule.TRN035)}
}

// signedHeader is the type and length before the value in the record that the
// check wraps around it.
const signedHeader = 2

func (r runner) signed(v *vectors.Signed) error {
	record := append([]byte{1, byte(len(v.Bytes))}, v.Bytes...)
	var got int64
	_, err := r.codec.ReadStream("signed", record, wire.RecordType{Type: 1, Name: "record", Read: func(r *wire.Reader) {
		got = r.Signed("value", v.Width)
	}})
	if e, ok := err.(*wire.Error); ok {
		moved := *e
		moved.Offset -= signedHeader
		err = &moved
	}
	good, mismatch := outcome(v, err)
	if !good {
		return mismatch
	}
	if got != int64(*v.Value) {
		return fmt.Errorf("value %d, want %d", got, *v.Value)
	}
	return sameBytes("encoding", wire.AppendSigned(nil, got, v.Width), v.Bytes)
}
