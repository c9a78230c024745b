package gen

import (
	"fmt"
	"math"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

func bigsizes() (vectors.File, error) {
	f := file("TRN", "bigsize", "BOLT 1 appendix A; vectors named own-* are this project's",
		"decode: read the whole of bytes as one bigsize. encode: write value. An offset is counted from the first byte.")
	for _, c := range []struct {
		name  string
		value uint64
		bytes string
	}{
		{"zero", 0, "00"},
		{"one-byte-high", 252, "fc"},
		{"two-byte-low", 253, "fd00fd"},
		{"two-byte-high", math.MaxUint16, "fdffff"},
		{"four-byte-low", math.MaxUint16 + 1, "fe00010000"},
		{"four-byte-high", math.MaxUint32, "feffffffff"},
		{"eight-byte-low", math.MaxUint32 + 1, "ff0000000100000000"},
		{"eight-byte-high", math.MaxUint64, "ffffffffffffffffff"},
		{"own-one-beyond-doubles", 1<<53 + 1, "ff0020000000000001"},
	} {
		value := vectors.Uint(c.value)
		f.Vectors = append(f.Vectors,
			&vectors.BigSize{Head: head("bigsize-decode-"+c.name, rule.TRN030), Op: "decode", Bytes: unhex(c.bytes), Value: &value},
			&vectors.BigSize{Head: head("bigsize-encode-"+c.name, rule.TRN030), Op: "encode", Bytes: unhex(c.bytes), Value: &value})
	}
	for _, c := range []struct{ name, bytes string }{
		{"two-byte-not-minimal", "fd00fc"},
		{"four-byte-not-minimal", "fe0000ffff"},
		{"eight-byte-not-minimal", "ff00000000ffffffff"},
		{"own-zero-in-three-bytes", "fd0000"},
		{"own-zero-in-five-bytes", "fe00000000"},
		{"own-zero-in-nine-bytes", "ff0000000000000000"},
	} {
		f.Vectors = append(f.Vectors, &vectors.BigSize{Head: head("bigsize-"+c.name, rule.TRN031, rule.TRN030),
			Op: "decode", Bytes: unhex(c.bytes), Outcome: fault("not-minimal", "value", 0, rule.TRN031)})
	}
	for _, c := range []struct{ name, bytes string }{
		{"two-byte-short", "fd00"},
		{"four-byte-short", "feffff"},
		{"eight-byte-short", "ffffffffff"},
		{"nothing", ""},
		{"two-byte-nothing", "fd"},
		{"four-byte-nothing", "fe"},
		{"eight-byte-nothing", "ff"},
		{"own-four-byte-one-short", "fe010000"},
		{"own-eight-byte-one-short", "ff01000000000000"},
	} {
		f.Vectors = append(f.Vectors, &vectors.BigSize{Head: head("bigsize-"+c.name, rule.TRN032),
			Op: "decode", Bytes: unhex(c.bytes), Outcome: fault("truncated", "value", -1, rule.TRN032)})
	}
	return f, nil
}

func (r runner) bigsize(v *vectors.BigSize) error {
	if v.Op == "encode" {
		return sameBytes("encoding", r.codec.AppendBigSize(nil, uint64(*v.Value)), v.Bytes)
	}
	got, n, err := r.codec.ReadBigSize(v.Bytes)
	good, mismatch := outcome(v, err)
	if !good {
		return mismatch
	}
	if got != uint64(*v.Value) || n != len(v.Bytes) {
		return fmt.Errorf("value %d in %d bytes, want %d in %d", got, n, *v.Value, len(v.Bytes))
	}
	// A writer that is right gives the bytes back (TRN-030).
	return sameBytes("encoding", r.codec.AppendBigSize(nil, got), v.Bytes)
}
