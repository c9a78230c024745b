package vectors

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// Layout says how a message or a namespace of records stands on the wire. The
// schemas of kinds message and tlv carry all layouts under "x-layouts", so
// that a reader in any language can be driven by them.
type Layout struct {
	Name    string         `json:"name"`
	Area    string         `json:"area,omitempty"`       // whose file has its vectors
	Type    uint16         `json:"type,omitempty"`       // of the message; 0: any other
	Sub     uint16         `json:"submessage,omitempty"` // of a message in the envelope
	Fields  []Field        `json:"fields,omitempty"`
	Records []RecordLayout `json:"records,omitempty"`
	// Opaque is set when what follows the fields is not read as records.
	Opaque bool `json:"opaque,omitempty"`
}

// Field is one field. Type is a type of BOLT 1, "N*byte" (N bytes),
// "u16*byte" or "u16*signature" (as many as the u16 before them says),
// "...*byte", "...*N*byte", "...*u64" or "...*struct" (all that is left; the
// elements of a struct have Fields).
type Field struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Length string  `json:"length,omitempty"` // name of the u16 before it
	Item   string  `json:"item,omitempty"`   // name of one element of a list
	Fields []Field `json:"fields,omitempty"` // of one element of a struct list
}

// RecordLayout is one record of a stream.
type RecordLayout struct {
	Type     uint64  `json:"type"`
	Name     string  `json:"name"`
	Required rule.ID `json:"required,omitempty"` // the rule that asks for it
	// Multiple is the rule by which the length has to be a multiple of the
	// size of an element, where a requirement of its own says so.
	Multiple rule.ID `json:"multiple,omitempty"`
	Fields   []Field `json:"fields"`
}

// LayoutOf returns the layout of a message by its name.
func LayoutOf(name string) (Layout, bool) {
	for _, l := range Layouts {
		if l.Name == name {
			return l, true
		}
	}
	return Layout{}, false
}

// Read reads a message or stream after this layout, r standing behind type
// and submessage id. It does not ask for required records: those who read a
// message for its meaning do. The error is that of r.
func (l Layout) Read(r *wire.Reader) (Decoded, error) {
	var d Decoded
	for _, f := range l.Fields {
		d.Fields = append(d.Fields, Member{f.Name, f.read(r)})
	}
	if !l.Opaque {
		d.Unknown = recordsOf(r.Stream(l.types(&d)...))
	}
	if r.Err() != nil {
		return Decoded{}, r.Err()
	}
	return d, nil
}

// types are the records as wire.Reader wants them; it adds those it reads to d.
func (l Layout) types(d *Decoded) []wire.RecordType {
	var out []wire.RecordType
	for _, rec := range l.Records {
		out = append(out, wire.RecordType{Type: rec.Type, Name: rec.Name, Read: func(r *wire.Reader) {
			var o Object
			for _, f := range rec.Fields {
				o = append(o, Member{f.Name, f.read(r)})
			}
			d.Records = append(d.Records, Member{rec.Name, o})
		}})
	}
	return out
}

// read reads one field in the form it has in JSON.
func (f Field) read(r *wire.Reader) any {
	switch f.Type {
	case "byte":
		return Uint(r.U8(f.Name))
	case "u16":
		return Uint(r.U16(f.Name))
	case "u32":
		return Uint(r.U32(f.Name))
	case "u64":
		return Uint(r.U64(f.Name))
	case "s64":
		return Int(r.S64(f.Name))
	case "tu32":
		return Uint(r.TruncatedUint(f.Name, 4))
	case "tu64":
		return Uint(r.TruncatedUint(f.Name, 8))
	case "short_channel_id":
		return scid(r.U64(f.Name))
	case "point":
		p := r.Point(f.Name)
		return Hex(p[:])
	case "u16*byte":
		return Hex(r.Bytes(f.Name, int(r.U16(f.Length))))
	case "...*byte":
		return Hex(r.Rest())
	case "u16*signature":
		n := int(r.U16(f.Length))
		return readList(r, func(i int) bool { return i < n }, func() Hex {
			s := r.Signature(f.Item)
			return Hex(s[:])
		})
	case "...*u64":
		return readList(r, more(r), func() Uint { return Uint(r.U64(f.Item)) })
	case "...*struct":
		return readList(r, more(r), func() Object {
			var o Object
			for _, part := range f.Fields {
				o = append(o, Member{part.Name, part.read(r)})
			}
			return o
		})
	}
	if n := f.ItemSize(); n > 0 {
		return readList(r, more(r), func() Hex { return Hex(r.Bytes(f.Item, n)) })
	}
	return Hex(r.Bytes(f.Name, f.Size()))
}

// more says that elements follow as long as there are bytes.
func more(r *wire.Reader) func(int) bool {
	return func(int) bool { return r.Remaining() > 0 }
}

// ItemSize returns the bytes of one element of a list that takes all that is
// left, 0 for any other field.
func (f Field) ItemSize() int {
	item, ok := strings.CutPrefix(f.Type, "...*")
	switch {
	case !ok || item == "byte":
		return 0
	case item == "struct":
		n := 0
		for _, part := range f.Fields {
			n += part.Size()
		}
		return n
	}
	return Field{Type: item}.Size()
}

// readList reads elements while more says so and r has not failed.
func readList[T any](r *wire.Reader, more func(i int) bool, one func() T) []T {
	out := []T{}
	for i := 0; r.Err() == nil && more(i); i++ {
		out = append(out, one())
	}
	return out
}

// Size returns the bytes of a field of fixed size, 0 for any other.
func (f Field) Size() int {
	switch f.Type {
	case "byte":
		return 1
	case "u16":
		return 2
	case "u32":
		return 4
	case "u64", "s64", "short_channel_id":
		return 8
	case "channel_id", "sha256", "chain_hash":
		return 32
	case "point":
		return 33
	case "signature":
		return 64
	}
	n, err := strconv.Atoi(strings.TrimSuffix(f.Type, "*byte"))
	if err != nil {
		return 0
	}
	return n
}

// scid writes a short_channel_id as block x transaction x output.
func scid(v uint64) string {
	return fmt.Sprintf("%dx%dx%d", v>>40, v>>16&0xffffff, v&0xffff)
}

func recordsOf(s wire.Stream) []Record {
	var out []Record
	for _, r := range s {
		out = append(out, Record{Uint(r.Type), Hex(r.Value)})
	}
	return out
}

// checkNames refuses fields and records that are not in the layout.
func (l Layout) checkNames(d Decoded) error {
	if err := known(d.Fields, l.Fields); err != nil {
		return err
	}
	for _, m := range d.Records {
		rec, ok := l.record(m.Name)
		if !ok {
			return fmt.Errorf("%s has no record %q", l.Name, m.Name)
		}
		var o Object
		if raw, ok := m.Value.(json.RawMessage); ok {
			if err := o.UnmarshalJSON(raw); err != nil {
				return fmt.Errorf("record %q: %w", m.Name, err)
			}
		}
		if err := known(o, rec.Fields); err != nil {
			return err
		}
	}
	return nil
}

func (l Layout) record(name string) (RecordLayout, bool) {
	for _, rec := range l.Records {
		if rec.Name == name {
			return rec, true
		}
	}
	return RecordLayout{}, false
}

func known(o Object, fields []Field) error {
	for _, f := range fields {
		if _, ok := o.Get(f.Name); !ok && len(o) > 0 {
			return fmt.Errorf("field %q is absent", f.Name)
		}
	}
	if len(o) > len(fields) {
		return fmt.Errorf("%d fields, the layout has %d", len(o), len(fields))
	}
	return nil
}

// RecordName returns the name of a record by its type, "record N" for one that
// the layout does not have.
func (l Layout) RecordName(typ uint64) string {
	for _, rec := range l.Records {
		if rec.Type == typ {
			return rec.Name
		}
	}
	return fmt.Sprintf("record %d", typ)
}
