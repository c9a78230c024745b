package cli

import (
	"fmt"
	"io"
	"strings"

	"superscalar/vectors"
	"superscalar/wire"
)

// dump prints a message that decodes, a line per field: the byte it begins at,
// its name, its value. It walks the layout that the vectors are made from.
type dump struct {
	codec wire.Codec
	out   io.Writer
	full  bool
}

// shortest is how many bytes of a field are shown unless full is set.
const shortest = 64

func (d *dump) line(offset int, name, format string, args ...any) {
	fmt.Fprintf(d.out, "%6d  %-34s  %s\n", offset, name, fmt.Sprintf(format, args...))
}

// message prints m, which was read from raw.
func (d *dump) message(m wire.Message, raw []byte) {
	typ, _ := wire.TypeOf(raw)
	fmt.Fprintf(d.out, "%s, %d bytes\n", m.Name(), len(raw))
	d.line(0, "type", "%d%s", typ, parity(m, int(typ)))
	layout, ok := vectors.LayoutOf(m.Name())
	if !ok { // gossip, which is not looked into
		layout = vectors.Layout{Fields: []vectors.Field{{Name: "payload", Type: "...*byte"}}, Opaque: true}
	}
	at := 2
	if layout.Sub != 0 {
		d.line(2, "factory_submessage_id", "%d", layout.Sub)
		at = 4
	}
	at += d.fields("", raw[at:], at, layout.Fields)
	if !layout.Opaque {
		d.records(raw[at:], at, layout.Records)
	}
}

// parity says what the odd/even rule makes of an unknown message.
func parity(m wire.Message, typ int) string {
	if _, unknown := m.(*wire.Unknown); !unknown {
		return ""
	}
	if typ%2 == 0 {
		return " (unknown and even: the connection is closed, TRN-021)"
	}
	return " (unknown and odd: ignored, TRN-020)"
}

// payload prints a SuperScalar payload.
func (d *dump) payload(p wire.Payload, raw []byte) {
	fmt.Fprintf(d.out, "superscalar message, %d bytes\n", len(raw))
	d.line(0, "type", "%d", p.Type)
	d.records(raw[2:], 2, nil)
}

// fields prints fields from the start of b, which stands at byte base of the
// message, and returns how many bytes they took. Their form is that of the
// message, which was read before; bytes that do not fit are left over.
func (d *dump) fields(indent string, b []byte, base int, fields []vectors.Field) int {
	r := d.codec.NewReader("", b)
	at := func() int { return base + len(b) - r.Remaining() }
	for _, f := range fields {
		d.field(r, at, indent, f)
		if r.Err() != nil {
			break
		}
	}
	return at() - base
}

func (d *dump) field(r *wire.Reader, at func() int, indent string, f vectors.Field) {
	name := indent + f.Name
	start := at()
	switch f.Type {
	case "byte", "u16", "u32", "u64":
		d.line(start, name, "%d", r.Uint(f.Name, f.Size()))
	case "s64":
		d.line(start, name, "%d", r.S64(f.Name))
	case "short_channel_id":
		v := r.U64(f.Name)
		d.line(start, name, "%dx%dx%d", v>>40, v>>16&0xffffff, v&0xffff)
	case "u16*byte":
		n := r.U16(f.Length)
		d.line(start, indent+f.Length, "%d", n)
		start = at()
		d.line(start, name, "%s", d.bytes(f.Name, r.Bytes(f.Name, int(n))))
	case "u16*signature":
		n := int(r.U16(f.Length))
		d.line(start, indent+f.Length, "%d", n)
		for i := range n {
			start = at()
			d.line(start, fmt.Sprintf("%s%s %d", indent, f.Item, i), "%x", r.Bytes(f.Item, 64))
		}
	case "...*32*byte":
		for i := 0; r.Remaining() >= 32; i++ {
			start = at()
			d.line(start, fmt.Sprintf("%s%s %d", indent, f.Item, i), "%x", r.Bytes(f.Item, 32))
		}
	case "...*byte":
		d.line(start, name, "%s", d.bytes(f.Name, r.Rest()))
	default:
		d.line(start, name, "%s", d.bytes(f.Name, r.Bytes(f.Name, f.Size())))
	}
}

// records prints b as records; what is no record is printed as it is.
func (d *dump) records(b []byte, base int, known []vectors.RecordLayout) {
	r := d.codec.NewReader("", b)
	for r.Remaining() > 0 {
		start := len(b) - r.Remaining()
		typ, n := r.BigSize("type"), r.BigSize("length")
		if r.Err() != nil || n > uint64(r.Remaining()) {
			d.line(base+start, "rest", "%s", d.bytes("rest", b[start:]))
			return
		}
		at := base + len(b) - r.Remaining()
		d.record(base+start, at, typ, r.Bytes("value", int(n)), known)
	}
}

// record prints a record that begins at byte start, its value at byte at.
func (d *dump) record(start, at int, typ uint64, value []byte, known []vectors.RecordLayout) {
	for _, l := range known {
		if l.Type == typ {
			d.line(start, l.Name, "record %d, %d bytes", typ, len(value))
			d.fields("  ", value, at, l.Fields)
			return
		}
	}
	d.line(start, fmt.Sprintf("record %d", typ), "%d bytes", len(value))
	d.line(at, "  value", "%s", d.bytes("value", value))
}

// bytes shows a byte string: as hex, and what it says where it says something.
func (d *dump) bytes(name string, b []byte) string {
	switch {
	case len(b) == 0:
		return "(empty)"
	case name == "features" || name == "globalfeatures" || name == "type":
		return fmt.Sprintf("%x  bits %s", b, strings.Trim(fmt.Sprint(wire.Features(b).Bits()), "[]"))
	}
	shown, note := b, ""
	if len(b) > shortest && !d.full {
		shown, note = b[:shortest], fmt.Sprintf("... (%d bytes, --full shows all)", len(b))
	}
	if text := string(shown); len(b) > 2 && printable(text) {
		note += fmt.Sprintf("  %q", text)
	}
	return fmt.Sprintf("%x%s", shown, note)
}

// printable reports whether text is printable ASCII.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
