package wire_test

import (
	"fmt"
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// fault is a damaged message and what has to come of it: a message (when the
// damage left a whole one), ErrNoType, or an *Error (Detail is not compared).
type fault struct {
	name    string
	bytes   []byte
	message wire.Message
	noType  bool
	err     wire.Error
}

// faults are all single faults of a sample. build makes it anew, since
// dropping a record changes the message.
func faults(build func() sample) []fault {
	out := truncations(build)
	out = append(out, orderFaults(build())...)
	out = append(out, sizeFaults(build())...)
	out = append(out, lengthFaults(build())...)
	out = append(out, pointFaults(build())...)
	return append(out, missingRecords(build)...)
}

// truncations are all proper prefixes of a message. A cut between two records
// leaves a whole message, unless a required record is behind the cut: the
// decoder has to return exactly the message without the records cut off.
func truncations(build func() sample) (out []fault) {
	s := build()
	whole := s.bytes()
	for cut := range whole {
		f := truncation(build, cut)
		f.name = fmt.Sprintf("cut at %d of %d", cut, len(whole))
		f.bytes = whole[:cut:cut]
		out = append(out, f)
	}
	return out
}

func truncation(build func() sample, cut int) fault {
	s := build()
	if cut < 2 {
		return fault{noType: true}
	}
	if cut < len(s.head) {
		return fault{err: wire.Error{Message: "factory_message", Field: "factory_submessage_id", Offset: 2, Kind: wire.Truncated, Rule: rule.PCF010}}
	}
	at := len(s.head)
	for _, f := range s.fixed {
		if cut < at+len(f.bytes) {
			return s.fault(f.name, at, wire.Truncated, rule.TRN043)
		}
		at += len(f.bytes)
	}
	for i, r := range s.records {
		if cut == s.offset(i) {
			return withFirst(build, i)
		}
		if cut < s.offset(i+1) {
			return s.cutInRecord(r, s.offset(i), cut)
		}
	}
	panic("a cut is before the end")
}

// withFirst is what the message with its first n records has to give.
func withFirst(build func() sample, n int) fault {
	s := build()
	end := s.offset(n)
	for _, r := range s.records[n:] {
		if r.required != "" {
			return s.fault(r.name, end, wire.Missing, r.required)
		}
		r.drop()
	}
	return fault{message: s.message}
}

func (s sample) cutInRecord(r record, start, cut int) fault {
	length := start + len(bigSize(r.typ))
	value := start + len(r.bytes()) - len(r.value())
	switch {
	case cut < length:
		return s.fault("tlv type", start, wire.Truncated, rule.TRN032)
	case cut < value:
		return s.fault("length of "+r.name, length, wire.Truncated, rule.TRN032)
	default:
		return s.fault(r.name, value, wire.Truncated, rule.TRN034)
	}
}

func (s sample) fault(field string, offset int, kind wire.Kind, id rule.ID) fault {
	return fault{err: wire.Error{Message: s.message.Name(), Field: field, Offset: offset, Kind: kind, Rule: id}}
}

// named gives a fault its name and bytes.
func (f fault) named(b []byte, format string, args ...any) fault {
	f.name, f.bytes = fmt.Sprintf(format, args...), b
	return f
}

// orderFaults swap neighbours, repeat a record, and plant a record of an
// unknown even type.
func orderFaults(s sample) (out []fault) {
	recs := s.encodedRecords()
	for i, r := range s.records {
		twice := slices.Insert(slices.Clone(recs), i, recs[i])
		out = append(out, s.fault(r.name, s.offset(i+1), wire.Order, rule.TRN033).named(s.with(twice...), "%s twice", r.name))
		if i > 0 {
			swapped := slices.Clone(recs)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			// The later type comes first, so the one before it is at fault.
			at := s.offset(i-1) + len(recs[i])
			before := s.records[i-1].name
			out = append(out, s.fault(before, at, wire.Order, rule.TRN033).named(s.with(swapped...), "%s before %s", r.name, before))
		}
	}
	for _, even := range []uint64{65602, 1<<64 - 2} {
		planted := append(slices.Clone(recs), slices.Concat(bigSize(even), []byte{1, 0xff}))
		name := fmt.Sprintf("record %d", even)
		out = append(out, s.fault(name, len(s.bytes()), wire.UnknownEven, rule.TRN037).named(s.with(planted...), "unknown %s at the end", name))
	}
	// The smallest even type that the message does not know, in its place.
	even := uint64(0)
	place := 0
	for place < len(s.records) && s.records[place].typ <= even {
		if s.records[place].typ == even {
			even += 2
		}
		place++
	}
	planted := slices.Insert(slices.Clone(recs), place, slices.Concat(bigSize(even), []byte{0}))
	name := fmt.Sprintf("record %d", even)
	return append(out, s.fault(name, s.offset(place), wire.UnknownEven, rule.TRN037).named(s.with(planted...), "unknown %s in its place", name))
}

// wider is v in the next wider form of a BigSize than it needs.
func wider(v uint64) []byte {
	switch len(bigSize(v)) {
	case 1:
		return append([]byte{0xfd}, be(v, 2)...)
	case 3:
		return append([]byte{0xfe}, be(v, 4)...)
	default:
		return append([]byte{0xff}, be(v, 8)...)
	}
}

// sizeFaults write the type or the length of a record in more bytes than it
// needs.
func sizeFaults(s sample) (out []fault) {
	recs := s.encodedRecords()
	for i, r := range s.records {
		at, n := s.offset(i), uint64(len(r.value()))
		wideType, wideLength := slices.Clone(recs), slices.Clone(recs)
		wideType[i] = slices.Concat(wider(r.typ), bigSize(n), r.value())
		wideLength[i] = slices.Concat(bigSize(r.typ), wider(n), r.value())
		out = append(out,
			s.fault("tlv type", at, wire.NotMinimal, rule.TRN031).named(s.with(wideType...), "type of %s not minimal", r.name),
			s.fault("length of "+r.name, at+len(bigSize(r.typ)), wire.NotMinimal, rule.TRN031).named(s.with(wideLength...), "length of %s not minimal", r.name))
	}
	return out
}

// lengthFaults make a record one byte longer or shorter: the value with its
// length, and the length alone with the record at the end, so that no second
// fault hides behind it.
func lengthFaults(s sample) (out []fault) {
	for i, r := range s.records {
		recs, v := s.encodedRecords(), r.value()
		value := s.offset(i+1) - len(v)
		alone := func(n int, v []byte) []byte {
			return s.with(append(slices.Clone(recs[:i]), slices.Concat(bigSize(r.typ), bigSize(uint64(n)), v))...)
		}
		among := func(v []byte) []byte {
			recs := slices.Clone(recs)
			recs[i] = slices.Concat(bigSize(r.typ), bigSize(uint64(len(v))), v)
			return s.with(recs...)
		}
		out = append(out, s.fault(r.name, value, wire.Truncated, rule.TRN034).named(alone(len(v)+1, v), "length of %s one more than there is", r.name))
		if r.free {
			continue // see TestFreeRecordsTakeAnyLength
		}
		longer, shorter := s.badLength(r, value)
		out = append(out,
			longer.named(among(append(slices.Clone(v), 0)), "%s one byte longer", r.name),
			shorter.named(among(v[:len(v)-1]), "%s one byte shorter", r.name),
			shorter.named(alone(len(v)-1, v), "length of %s one less than there is", r.name))
	}
	return out
}

// badLength says where a record of one byte more, or less, fails. One byte
// more is left over at the end; for one byte less the last field is short.
func (s sample) badLength(r record, value int) (longer, shorter fault) {
	n := len(r.value())
	last := r.fields[len(r.fields)-1]
	more := lengthFault{r.name, n, rule.TRN035}
	less := lengthFault{last.name, n - len(last.bytes), rule.TRN035}
	if r.longer != nil {
		more = *r.longer
	}
	if r.shorter != nil {
		less = *r.shorter
	}
	return s.fault(more.field, value+more.offset, wire.WrongLength, more.rule),
		s.fault(less.field, value+less.offset, wire.WrongLength, less.rule)
}

// pointFaults spoil each point in three ways: a prefix byte that no
// compressed point has, the prefix of an uncompressed one, and an x that is
// not on the curve.
func pointFaults(s sample) (out []fault) {
	spoil := func(f field, at int) {
		for _, bad := range badPoints {
			b := s.bytes()
			bad.spoil(b[at : at+33])
			out = append(out, s.fault(f.name, at, wire.BadPoint, rule.TRN040).named(b, "%s with %s", f.name, bad.name))
		}
	}
	at := len(s.head)
	for _, f := range s.fixed {
		if f.isPoint() {
			spoil(f, at)
		}
		at += len(f.bytes)
	}
	for i, r := range s.records {
		at := s.offset(i+1) - len(r.value())
		for _, f := range r.fields {
			if f.isPoint() {
				spoil(f, at)
			}
			at += len(f.bytes)
		}
	}
	return out
}

var badPoints = []struct {
	name  string
	spoil func(p []byte)
}{
	{"prefix 5", func(p []byte) { p[0] = 5 }},
	{"prefix 4", func(p []byte) { p[0] = 4 }},
	{"all zero", func(p []byte) { clear(p) }},
	// 5^3+7 = 132 is not a square modulo the field's prime.
	{"x off the curve", func(p []byte) { clear(p[1:]); p[32] = 5 }},
	{"x of the field's prime", func(p []byte) { copy(p[1:], fieldPrime) }},
}

// fieldPrime is 2^256 - 2^32 - 977, one more than the largest x.
var fieldPrime = slices.Concat(slices.Repeat([]byte{0xff}, 27), []byte{0xfe, 0xff, 0xff, 0xfc, 0x2f})

// missingRecords leave out one required record each.
func missingRecords(build func() sample) (out []fault) {
	for i, r := range build().records {
		if r.required == "" {
			continue
		}
		s := build()
		b := s.with(slices.Delete(s.encodedRecords(), i, i+1)...)
		out = append(out, s.fault(r.name, len(b), wire.Missing, r.required).named(b, "without %s", r.name))
	}
	return out
}
