package vectors

import (
	"strings"

	"superscalar/wire/rule"
)

// The words in which layouts.go is written.

func message(area string, typ uint16, name string, fields ...string) Layout {
	return Layout{Name: name, Area: area, Type: typ, Fields: parseFields(fields)}
}

func factory(sub uint16, name string, records ...RecordLayout) Layout {
	return Layout{Name: name, Area: "PCF", Type: 32800, Sub: sub, Records: records}
}

func (l Layout) with(records ...RecordLayout) Layout {
	l.Records = records
	return l
}

func (l Layout) opaque() Layout {
	l.Opaque = true
	return l
}

func record(typ uint64, name string, fields ...string) RecordLayout {
	return RecordLayout{Type: typ, Name: name, Fields: parseFields(fields)}
}

func (r RecordLayout) required(by rule.ID) RecordLayout {
	r.Required = by
	return r
}

func (r RecordLayout) multiple(by rule.ID) RecordLayout {
	r.Multiple = by
	return r
}

// parseFields reads "name type", then the name of the length of a type that
// has one, then the name of one element of a list.
func parseFields(list []string) []Field {
	var out []Field
	for _, s := range list {
		w := strings.Fields(s)
		f := Field{Name: w[0], Type: w[1]}
		if w = w[2:]; strings.HasPrefix(f.Type, "u16*") {
			f.Length, w = w[0], w[1:]
		}
		if len(w) > 0 {
			f.Item = w[0]
		}
		out = append(out, f)
	}
	return out
}
