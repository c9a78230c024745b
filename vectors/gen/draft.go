package gen

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"superscalar/vectors"
	"superscalar/wire"
)

// draft is a message in parts, so that a fault can be planted in any of them
// and its place is known. It is put together without the codec's writers.
type draft struct {
	layout vectors.Layout
	head   []byte // type and, in the envelope, submessage id
	fixed  []piece
	tlvs   []part
}

// piece is a field, or a length or an element that belongs to one.
type piece struct {
	name string
	typ  string // "u16", "point", ...
	b    []byte
}

// part is a record.
type part struct {
	typ    uint64
	name   string
	layout vectors.RecordLayout // zero for an unknown record
	value  []piece
}

// newDraft fills a layout with random values: all fixed fields, and the
// records that pick chooses.
func newDraft(s *source, l vectors.Layout, envelope uint16, pick func(vectors.RecordLayout) bool) draft {
	d := draft{layout: l, head: binary.BigEndian.AppendUint16(nil, l.Type)}
	if l.Sub != 0 {
		d.head = binary.BigEndian.AppendUint16(nil, envelope)
		d.head = binary.BigEndian.AppendUint16(d.head, l.Sub)
	}
	for _, f := range l.Fields {
		d.fixed = append(d.fixed, s.pieces(f)...)
	}
	for _, rec := range l.Records {
		if !pick(rec) {
			continue
		}
		p := part{typ: rec.Type, name: rec.Name, layout: rec}
		for _, f := range rec.Fields {
			p.value = append(p.value, s.pieces(f)...)
		}
		d.tlvs = append(d.tlvs, p)
	}
	return d
}

func required(r vectors.RecordLayout) bool { return r.Required != "" }
func every(vectors.RecordLayout) bool      { return true }

// pieces draws a value for a field.
func (s *source) pieces(f vectors.Field) []piece {
	count := func(n int) piece { return piece{f.Length, "u16", []byte{0, byte(n)}} }
	switch f.Type {
	case "point":
		return []piece{{f.Name, f.Type, s.point()}}
	case "u16*byte":
		b := s.bytes(s.between(2, 20))
		return []piece{count(len(b)), {f.Name, f.Type, b}}
	case "u16*signature":
		return []piece{count(2), {f.Item, "signature", s.bytes(64)}, {f.Item, "signature", s.bytes(64)}}
	case "...*33*byte":
		return []piece{{f.Item, "33*byte", s.point()}, {f.Item, "33*byte", s.point()}}
	case "...*byte":
		return []piece{{f.Name, f.Type, s.bytes(s.between(2, 20))}}
	}
	if n := f.ItemSize(); n > 0 {
		typ := strings.TrimPrefix(f.Type, "...*")
		return []piece{{f.Item, typ, s.bytes(n)}, {f.Item, typ, s.bytes(n)}}
	}
	return []piece{{f.Name, f.Type, s.bytes(f.Size())}}
}

// set replaces the value of a field, wherever it is.
func (d draft) set(name string, b []byte) draft {
	d.fixed = setPiece(d.fixed, name, b)
	d.tlvs = slices.Clone(d.tlvs)
	for i := range d.tlvs {
		d.tlvs[i].value = setPiece(d.tlvs[i].value, name, b)
	}
	return d
}

func setPiece(list []piece, name string, b []byte) []piece {
	list = slices.Clone(list)
	for i := range list {
		if list[i].name == name {
			list[i].b = b
		}
	}
	return list
}

// with returns the draft with one more record, in its place.
func (d draft) with(typ uint64, value []byte) draft {
	i := 0
	for i < len(d.tlvs) && d.tlvs[i].typ < typ {
		i++
	}
	d.tlvs = slices.Insert(slices.Clone(d.tlvs), i, part{
		typ: typ, name: "record " + strconv.FormatUint(typ, 10), value: []piece{{"value", "...*byte", value}}})
	return d
}

// without returns the draft without record i.
func (d draft) without(i int) draft {
	d.tlvs = slices.Delete(slices.Clone(d.tlvs), i, i+1)
	return d
}

// bytes puts the message together.
func (d draft) bytes() []byte { return d.start(len(d.tlvs)) }

// start returns the message up to record i.
func (d draft) start(i int) []byte {
	b := slices.Clone(d.head)
	for _, p := range d.fixed {
		b = append(b, p.b...)
	}
	for _, p := range d.tlvs[:i] {
		b = append(b, p.bytes()...)
	}
	return b
}

func (p part) join() []byte {
	var b []byte
	for _, v := range p.value {
		b = append(b, v.b...)
	}
	return b
}

func (p part) bytes() []byte {
	v := p.join()
	return append(minimal(minimal(nil, p.typ), uint64(len(v))), v...)
}

// minimal appends a bigsize in the form a writer has to use.
func minimal(b []byte, v uint64) []byte { return wire.Codec{}.AppendBigSize(b, v) }

// longer appends a bigsize in the next longer form.
func longer(b []byte, v uint64) []byte {
	switch {
	case v < 0xfd:
		return binary.BigEndian.AppendUint16(append(b, 0xfd), uint16(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint32(append(b, 0xfe), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xff), v)
}

// plainStream writes records in the order given.
func plainStream(list []vectors.Record) []byte {
	var b []byte
	for _, r := range list {
		b = minimal(minimal(b, uint64(r.Type)), uint64(len(r.Value)))
		b = append(b, r.Value...)
	}
	return b
}

// has reports whether a field of this type stands in the draft.
func (d draft) has(typ string) bool {
	for _, p := range d.allPieces() {
		if p.typ == typ {
			return true
		}
	}
	return false
}

func (d draft) allPieces() []piece {
	out := slices.Clone(d.fixed)
	for _, p := range d.tlvs {
		out = append(out, p.value...)
	}
	return out
}

// isSized reports whether the value of a record has one length only.
func (p part) isSized() bool {
	for _, v := range p.value {
		if strings.HasPrefix(v.typ, "...") {
			return false
		}
	}
	return len(p.layout.Fields) > 0 && !strings.HasPrefix(p.layout.Fields[0].Type, "...")
}
