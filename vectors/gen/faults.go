package gen

import (
	"fmt"
	"slices"

	"superscalar/vectors"
	"superscalar/wire/rule"
)

// planted is a message with one fault.
type planted struct {
	name  string // what is wrong, for the vector's name
	bytes []byte
	vectors.Outcome
	also []rule.ID // rules beside the one of the fault
}

// truncations cut the message inside each of its fixed fields. With the last
// byte of a field goes everything behind it.
func truncations(d draft) []planted {
	var out []planted
	seen := map[string]int{}
	at := len(d.head)
	for _, p := range d.fixed {
		name := p.name
		if seen[p.name]++; seen[p.name] > 1 {
			name = fmt.Sprintf("%s-%d", p.name, seen[p.name])
		}
		if end := at + len(p.b); len(p.b) > 0 {
			out = append(out, planted{"short-" + name, d.bytes()[:end-1], fault("truncated", p.name, at, rule.TRN043), []rule.ID{rule.TRN022}})
			at = end
		}
	}
	if d.layout.Sub != 0 {
		out = append(out, planted{"short-submessage-id", d.head[:3], fault("truncated", "factory_submessage_id", 2, rule.PCF010), nil})
	}
	return out
}

// badPoints break each point in two ways: a prefix that is none, and an x that
// is on no point of the curve.
func badPoints(d draft) []planted {
	notOnCurve := append(slices.Repeat([]byte{0}, 31), 5)
	var out []planted
	for i, p := range d.allPieces() {
		if p.typ != "point" {
			continue
		}
		b := append([]byte{4}, p.b[1:]...)
		if i%2 == 1 {
			b = append([]byte{p.b[0]}, notOnCurve...)
		}
		out = append(out, planted{"bad-point-" + p.name, d.set(p.name, b).bytes(),
			fault("bad-point", p.name, d.offsetOf(p.name), rule.TRN040), nil})
	}
	return out
}

// offsetOf returns where a field begins.
func (d draft) offsetOf(name string) int {
	at := len(d.head)
	for _, p := range d.fixed {
		if p.name == name {
			return at
		}
		at += len(p.b)
	}
	for i, part := range d.tlvs {
		at := d.valueAt(i)
		for _, p := range part.value {
			if p.name == name {
				return at
			}
			at += len(p.b)
		}
	}
	return -1
}

// valueAt returns where the value of record i begins.
func (d draft) valueAt(i int) int { return len(d.start(i+1)) - len(d.tlvs[i].join()) }

// streamFaults break the tlv_stream of a draft.
func streamFaults(d draft) []planted {
	var out []planted
	for i := range d.tlvs {
		out = append(out, d.longForms(i)...)
		out = append(out, d.cuts(i)...)
		out = append(out, d.wrongLengths(i)...)
		out = append(out, d.order(i)...)
		if by := d.tlvs[i].layout.Required; by != "" {
			out = append(out, planted{"missing-" + d.tlvs[i].name, d.without(i).bytes(), fault("missing", d.tlvs[i].name, -1, by), nil})
		}
	}
	return append(out, unknownEven(d), dangling(d))
}

// longForms write type and length of record i in more bytes than needed.
func (d draft) longForms(i int) []planted {
	p, v := d.tlvs[i], d.tlvs[i].join()
	start, rest := d.start(i), d.bytes()[len(d.start(i+1)):]
	typ := slices.Concat(start, minimal(longer(nil, p.typ), uint64(len(v))), v, rest)
	length := slices.Concat(start, longer(minimal(nil, p.typ), uint64(len(v))), v, rest)
	return []planted{
		{"type-not-minimal-" + p.name, typ, fault("not-minimal", "tlv type", len(start), rule.TRN031), nil},
		{"length-not-minimal-" + p.name, length, fault("not-minimal", "length of "+p.name, len(start)+len(minimal(nil, p.typ)), rule.TRN031), nil},
	}
}

// cuts end the message inside record i.
func (d draft) cuts(i int) []planted {
	p, end := d.tlvs[i], d.start(i+1)
	noLength := minimal(d.start(i), p.typ)
	return []planted{
		{"short-value-" + p.name, end[:len(end)-1], fault("truncated", p.name, d.valueAt(i), rule.TRN034), nil},
		{"no-length-" + p.name, noLength, fault("truncated", "length of "+p.name, -1, rule.TRN032), nil},
	}
}

// wrongLengths shorten and lengthen the value of record i. A record that ends
// in any number of bytes can only be too short.
func (d draft) wrongLengths(i int) []planted {
	p := d.tlvs[i]
	resized := func(f func([]byte) []byte) []byte {
		c := d.tlvs[i]
		c.value = []piece{{b: f(p.join())}}
		e := d
		e.tlvs = slices.Clone(d.tlvs)
		e.tlvs[i] = c
		return e.bytes()
	}
	at := d.valueAt(i)
	if item := p.value[0]; item.typ == "32*byte" && !p.isSized() {
		bytes := resized(func(b []byte) []byte { return b[:33] })
		if by := p.layout.Multiple; by != "" {
			return []planted{{"length-33-" + p.name, bytes, fault("wrong-length", p.name, at, by), nil}}
		}
		return []planted{{"length-33-" + p.name, bytes, fault("wrong-length", item.name, at+32, rule.TRN035), nil}}
	}
	var out []planted
	if first := p.value[0]; first.typ != "...*byte" {
		n, last := len(p.join()), p.value[len(p.value)-1]
		if !p.isSized() { // what is cut is the fixed part
			n, last = len(first.b), first
		}
		out = append(out, planted{"too-short-" + p.name, resized(func(b []byte) []byte { return b[:n-1] }),
			fault("wrong-length", last.name, at+n-len(last.b), rule.TRN035), nil})
	}
	if p.isSized() {
		out = append(out, planted{"too-long-" + p.name, resized(func(b []byte) []byte { return append(b, 0) }),
			fault("wrong-length", p.name, at+len(p.join()), rule.TRN035), nil})
	}
	return out
}

// order repeats record i, and swaps it with the one before.
func (d draft) order(i int) []planted {
	p, rest := d.tlvs[i], d.bytes()[len(d.start(i+1)):]
	twice := slices.Concat(d.start(i+1), p.bytes(), rest)
	out := []planted{{"twice-" + p.name, twice, fault("order", p.name, len(d.start(i+1)), rule.TRN033), []rule.ID{rule.TRN039}}}
	if i > 0 {
		before := d.tlvs[i-1]
		swapped := slices.Concat(d.start(i-1), p.bytes(), before.bytes(), rest)
		out = append(out, planted{"order-" + before.name, swapped,
			fault("order", before.name, len(d.start(i-1))+len(p.bytes()), rule.TRN033), []rule.ID{rule.TRN039}})
	}
	return out
}

// unknownEven appends a record of an even type that nobody knows.
func unknownEven(d draft) planted {
	typ := uint64(200)
	if n := len(d.tlvs); n > 0 && d.tlvs[n-1].typ >= typ {
		typ = d.tlvs[n-1].typ&^1 + 2
	}
	b := append(minimal(minimal(d.bytes(), typ), 1), 0x2a)
	return planted{"unknown-even", b, fault("unknown-even", fmt.Sprintf("record %d", typ), len(d.bytes()), rule.TRN037), nil}
}

// dangling appends one byte that begins a type of three.
func dangling(d draft) planted {
	return planted{"type-cut", append(d.bytes(), 0xfd), fault("truncated", "tlv type", -1, rule.TRN032), nil}
}
