package gen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func ceremonyMessages() (vectors.File, error) {
	f := file("CER", "ceremony_message", "SPEC.md 5.2; values random",
		"bytes is a whole factory_piggyback_payload: a u16 type and records, the layout of which is in the schema under x-layouts. decode: a good one gives the records and, written again, the same bytes; unknown records of odd types are skipped. encode: the records are to be written. field of an error is the record at fault; offset is where a point or an unknown record begins, counted from the first byte.")
	for _, l := range vectors.CeremonyLayouts {
		s := newSource("ceremony " + l.Name)
		full := newDraft(s, l, 0, every).readable()
		bare := newDraft(s, l, 0, required)
		drafts := []draft{full}
		if len(bare.tlvs) < len(full.tlvs) {
			drafts = append(drafts, bare)
		}
		for i, d := range drafts {
			name := []string{"all-records", "needed-records"}[i]
			f.Vectors = append(f.Vectors, goodCeremony(l, name, d.bytes(), nil, rule.CER001, rule.PCF045))
		}
		for _, p := range ceremonyFaults(full) {
			f.Vectors = append(f.Vectors, &vectors.CeremonyMessage{
				Head: head(slug(l.Name, p.name), append([]rule.ID{p.Error.Rule}, p.also...)...),
				Op:   "decode", Message: l.Name, Bytes: p.bytes, Outcome: p.Outcome})
		}
	}
	join, _ := vectors.CeremonyLayoutOf("ceremony_join")
	d := newDraft(newSource("ceremony odd"), join, 0, every)
	odd := []vectors.Record{{Type: 3, Value: []byte{1}}, {Type: 7, Value: []byte{}}, {Type: 1<<32 + 1, Value: []byte{2, 3}}}
	for _, r := range odd {
		d = d.with(uint64(r.Type), r.Value)
	}
	f.Vectors = append(f.Vectors, goodCeremony(join, "unknown-odd", d.bytes(), odd, rule.CER001, rule.TRN038))
	f.Vectors = append(f.Vectors, largestCeremonies()...)
	return f, nil
}

// goodCeremony describes bytes by the layout: the codec is not asked.
func goodCeremony(l vectors.Layout, name string, b []byte, unknown []vectors.Record, rules ...rule.ID) *vectors.CeremonyMessage {
	d, err := l.Read(wire.Codec{}.NewReader(l.Name, b[2:]))
	if err != nil {
		panic(fmt.Sprintf("%s was drawn wrong: %v", l.Name, err))
	}
	d.Unknown = unknown
	return &vectors.CeremonyMessage{Head: head(slug(l.Name, name), rules...), Op: "decode", Message: l.Name, Bytes: b, Decoded: d}
}

// readable makes text out of the one value that has to be text.
func (d draft) readable() draft { return d.set("text", []byte("no coins today")) }

// ceremonyFaults plants one fault in each of its copies of d.
func ceremonyFaults(d draft) []planted {
	out := badPoints(d)
	for i, p := range d.tlvs {
		if p.layout.Required != "" {
			out = append(out, planted{"missing-" + p.name, d.without(i).bytes(), fault("missing", p.name, -1, rule.CER001), nil})
		}
		if p.value[0].typ == "...*byte" {
			continue // any length is one
		}
		resized := func(f func([]byte) []byte) []byte {
			e := d
			e.tlvs = slices.Clone(d.tlvs)
			e.tlvs[i].value = []piece{{b: f(p.join())}}
			return e.bytes()
		}
		wrong := fault("wrong-length", p.name, -1, rule.CER001)
		out = append(out,
			planted{"short-" + p.name, resized(func(b []byte) []byte { return b[:len(b)-1] }), wrong, nil},
			planted{"long-" + p.name, resized(func(b []byte) []byte { return append(b, 0) }), wrong, nil})
	}
	even := unknownEven(d)
	return append(append(out, even), framingFaults(d)...)
}

// framingFaults break what every payload has: PCF-044 asks for the refusal
// before anybody knows the records.
func framingFaults(d draft) []planted {
	last := len(d.tlvs) - 1
	name := fmt.Sprintf("record %d", d.tlvs[last].typ)
	end := d.bytes()
	cut := planted{"cut", end[:len(end)-1], fault("truncated", name, -1, rule.PCF044), nil}
	twice := planted{"twice", slices.Concat(end, d.tlvs[last].bytes()), fault("order", name, -1, rule.PCF044), nil}
	long := d.longForms(last)[0]
	return []planted{cut, twice, {"type-not-minimal", long.bytes, fault("not-minimal", "tlv type", -1, rule.PCF044), nil},
		{"no-type", d.head[:1], fault("truncated", "type", -1, rule.PCF041), nil}}
}

// largestCeremonies are a proposal of 1,024 clients and messages at and above
// the largest payload.
func largestCeremonies() []vectors.Vector {
	s := newSource("ceremony largest")
	l, _ := vectors.CeremonyLayoutOf("ceremony_proposal")
	d := newDraft(s, l, 0, every)
	var keys, owners, scripts []byte
	for range 1024 {
		keys = append(keys, s.point()...)
	}
	for range 200 {
		owners = append(owners, s.bytes(40)...)
		scripts = append(scripts, s.bytes(34)...)
	}
	for i := range d.tlvs {
		switch d.tlvs[i].name {
		case "factory_keys":
			d.tlvs[i].value = []piece{{b: keys}}
		case "owners":
			d.tlvs[i].value = []piece{{b: owners}}
		case "channel_scripts":
			d.tlvs[i].value = []piece{{b: scripts}}
		}
	}
	out := []vectors.Vector{goodCeremony(l, "1024-clients", d.bytes(), nil, rule.CER001, rule.CER027)}

	l, _ = vectors.CeremonyLayoutOf("ceremony_funded")
	d = newDraft(s, l, 0, every)
	room := wire.MaxPayload - len(d.start(1)) - 1 - 3 // type and length of the record
	d = d.set("funding_tx", make([]byte, room))
	largest := goodCeremony(l, "largest", d.bytes(), nil, rule.CER027)
	d = d.set("funding_tx", make([]byte, room+1))
	over := goodCeremony(l, "over-largest", d.bytes(), nil, rule.CER027)
	over.Op, over.Bytes, over.Outcome = "encode", nil, fault("too-long", "factory_piggyback_payload", -1, rule.CER027)
	return append(out, largest, over)
}

func (r runner) ceremonyMessage(v *vectors.CeremonyMessage) error {
	if v.Op == "encode" {
		m, err := fundedOf(v)
		if err != nil {
			return err
		}
		b, err := r.codec.EncodeCeremony(m)
		if good, mismatch := outcome(v, err); !good {
			return mismatch
		}
		return sameBytes("encoding", b, v.Bytes)
	}
	m, err := r.codec.DecodeCeremony(v.Bytes)
	if err != nil {
		err = atRecord(err, v.Bytes)
	}
	good, mismatch := outcome(v, err)
	if !good {
		return mismatch
	}
	if m == nil || m.Name() != v.Message {
		return fmt.Errorf("read as %v, want %s", m, v.Message)
	}
	got, ok := vectors.DecodeCeremony(m)
	if !ok {
		return fmt.Errorf("no form for %s", m.Name())
	}
	if !got.Records.Equal(v.Records) {
		return fmt.Errorf("records are %s, want %s", show(got.Records), show(v.Records))
	}
	if len(v.Unknown) > 0 {
		return nil // they are not kept
	}
	b, err := r.codec.EncodeCeremony(m)
	if err != nil {
		return fmt.Errorf("does not encode: %w", err)
	}
	return sameBytes("encoding", b, v.Bytes)
}

// fundedOf builds the message of a vector that is to be written.
func fundedOf(v *vectors.CeremonyMessage) (*wire.Funded, error) {
	var records struct {
		ID struct {
			ID vectors.Hex `json:"ceremony_id"`
		} `json:"ceremony_id"`
		Tx struct {
			Tx vectors.Hex `json:"funding_tx"`
		} `json:"funding_tx"`
	}
	b, err := v.Records.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(b, &records)
	}
	if err != nil || v.Message != "ceremony_funded" || len(records.ID.ID) != 32 {
		return nil, fmt.Errorf("no way to write %s: %w", v.Message, err)
	}
	m := &wire.Funded{Transaction: bytes.Clone(records.Tx.Tx)}
	m.Ceremony = wire.CeremonyID(records.ID.ID)
	return m, nil
}

// atRecord gives a wrong length the name of the record in which it is: which
// of its fields a reader misses is its own affair.
func atRecord(err error, payload []byte) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.WrongLength {
		return err
	}
	l, ok := vectors.CeremonyLayoutOf(e.Message)
	r := wire.Codec{}.NewReader("", payload)
	_ = r.Bytes("type", 2)
	for ok && r.Err() == nil && r.Remaining() > 0 {
		typ, n := r.BigSize("type"), int(r.BigSize("length"))
		start := len(payload) - r.Remaining()
		_ = r.Bytes("value", n)
		if e.Offset >= start && e.Offset <= start+n {
			at := *e
			at.Field = l.RecordName(typ)
			return &at
		}
	}
	return err
}
