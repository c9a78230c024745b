package wire

import (
	"cmp"
	"fmt"
	"slices"

	"superscalar/wire/rule"
)

// Record is one TLV record as it stands on the wire.
type Record struct {
	Type  uint64
	Value []byte
}

// Stream is the records of a tlv_stream that their reader does not interpret.
// They are kept so that a message is encoded again byte for byte (TRN-042).
type Stream []Record

// RecordType tells ReadStream how to read one known record. Read consumes
// the whole value; bytes it leaves make the record too long.
type RecordType struct {
	Type uint64
	Name string
	Read func(*Reader)
}

// ReadStream parses b, which is a whole tlv_stream, with the known record
// types. Unknown odd records are returned. Errors are those of BOLT 1: order
// (TRN-033), lengths (TRN-034, TRN-035), minimal integers (TRN-031,
// TRN-036), unknown even types (TRN-037), truncation (TRN-032).
func (c Codec) ReadStream(name string, b []byte, known ...RecordType) (Stream, error) {
	r := c.NewReader(name, b)
	extra := r.Stream(known...)
	return extra, r.err
}

// Stream reads the rest of the message as a tlv_stream.
func (r *Reader) Stream(known ...RecordType) Stream {
	var extra Stream
	var last uint64
	for first := true; r.err == nil && r.Remaining() > 0; first = false {
		start := r.off
		typ := r.BigSize("tlv type")
		if !first && typ <= last && r.err == nil && r.codec.Rules.On(rule.TRN033) {
			r.failAt(start, recordName(typ, known), Order, rule.TRN033, fmt.Sprintf("type %d after %d", typ, last))
		}
		last = typ
		if v := r.value(recordName(typ, known)); r.err == nil {
			extra = r.record(start, typ, v, known, extra)
		}
	}
	return extra
}

// value reads length and value of a record.
func (r *Reader) value(name string) *Reader {
	n := r.BigSize("length of " + name)
	if r.err != nil {
		return nil
	}
	if n > uint64(r.Remaining()) {
		if r.codec.Rules.On(rule.TRN034) {
			r.fail(name, Truncated, rule.TRN034, fmt.Sprintf("%d bytes announced, %d left", n, r.Remaining()))
			return nil
		}
		n = uint64(r.Remaining())
	}
	v := &Reader{codec: r.codec, name: r.name, b: r.b[r.off : r.off+int(n)], base: r.base + r.off, inRecord: true}
	r.off += int(n)
	return v
}

// record hands a value to its known type, or to extra.
func (r *Reader) record(start int, typ uint64, v *Reader, known []RecordType, extra Stream) Stream {
	i := slices.IndexFunc(known, func(k RecordType) bool { return k.Type == typ })
	if i < 0 {
		if typ%2 == 0 && r.codec.Rules.On(rule.TRN037) {
			r.failAt(start, recordName(typ, known), UnknownEven, rule.TRN037, "")
		}
		if typ%2 == 1 && !r.codec.Rules.On(rule.TRN038) {
			r.failAt(start, recordName(typ, known), UnknownEven, rule.TRN038, "")
		}
		return append(extra, Record{Type: typ, Value: v.Rest()})
	}
	known[i].Read(v)
	if v.err == nil && v.Remaining() > 0 && r.codec.Rules.On(rule.TRN035) {
		v.fail(known[i].Name, WrongLength, rule.TRN035, fmt.Sprintf("%d bytes left over", v.Remaining()))
	}
	r.err = v.err
	return extra
}

func recordName(typ uint64, known []RecordType) string {
	for _, k := range known {
		if k.Type == typ {
			return k.Name
		}
	}
	return fmt.Sprintf("record %d", typ)
}

// AppendStream appends records in strictly increasing order of their types
// (TRN-039). It fails when two have the same type.
func (c Codec) AppendStream(b []byte, records Stream) ([]byte, error) {
	sorted := slices.Clone(records)
	slices.SortStableFunc(sorted, func(x, y Record) int {
		if !c.Rules.On(rule.TRN039) {
			x, y = y, x
		}
		return cmp.Compare(x.Type, y.Type)
	})
	for i, rec := range sorted {
		if i > 0 && rec.Type == sorted[i-1].Type {
			return nil, &Error{Message: "tlv_stream", Field: fmt.Sprintf("record %d", rec.Type), Offset: len(b), Kind: Order, Rule: rule.TRN039, Detail: "two records of one type"}
		}
		b = c.AppendBigSize(b, rec.Type)
		b = c.AppendBigSize(b, uint64(len(rec.Value)))
		b = append(b, rec.Value...)
	}
	return b, nil
}
