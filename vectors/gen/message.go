package gen

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// messages makes the vectors of all messages of an area: from each layout of
// package vectors come drafts with random values, as they are and with every
// fault that faults.go knows.
func messages(area string) (vectors.File, error) {
	f := file(area, "message", map[string]string{
		"TRN": "BOLT 1 and BOLT 2, values random; vectors named appendix-c-* have the bytes of BOLT 1 appendix C",
		"PCF": "SPEC.md 3.2, 3.3, 3.4, 3.7 and 3.8, BOLT 2; values random",
	}[area], "Decode bytes, which are one whole message; a good one has to give fields, records and unknown_records, and, encoded again, the same bytes. An absent record has no member; members stand in the order of the wire. With an envelope the reader is in the compatibility form. An offset is counted from the first byte of the message, its type included.")
	for _, l := range vectors.Layouts {
		if l.Area != area || l.Opaque {
			continue
		}
		if err := addMessage(&f, l, 0); err != nil {
			return f, err
		}
		if l.Sub == 0 {
			continue
		}
		if err := addMessage(&f, l, uint16(wire.TypeFactoryCompat)); err != nil {
			return f, err
		}
	}
	special := map[string]func(*vectors.File) error{"TRN": specialBase, "PCF": specialFactory}[area]
	return f, special(&f)
}

// addMessage adds the vectors of one layout in one form of the envelope.
func addMessage(f *vectors.File, l vectors.Layout, envelope uint16) error {
	prefix, typ := "", uint16(wire.TypeFactory)
	if envelope != 0 {
		prefix, typ = "compat", envelope
	}
	s := newSource(slug("message", prefix, l.Name))
	drafts := []struct {
		variant string
		draft
	}{
		{"minimal", newDraft(s, l, typ, required)},
		{"all-records", newDraft(s, l, typ, every)},
		{"unknown-odd", newDraft(s, l, typ, every).with(201, s.bytes(1)).with(100001, s.bytes(5)).with(1<<33+1, nil)},
	}
	full := drafts[1].draft
	if len(full.tlvs) == len(drafts[0].tlvs) {
		drafts = slices.Delete(drafts, 1, 2)
	}
	for _, d := range drafts {
		name := slug(l.Name, d.variant)
		if prefix != "" {
			name = slug(prefix, name)
		}
		if err := addGood(f, name, envelope, d.draft); err != nil {
			return err
		}
	}
	for _, p := range faultsOf(full, envelope != 0) {
		addBad(f, slug(l.Name, p.name), envelope, l, p)
	}
	return nil
}

// faultsOf returns the faults to plant. The compatibility form differs in two
// bytes only, so a few suffice there.
func faultsOf(d draft, compat bool) []planted {
	all := append(truncations(d), badPoints(d)...)
	if !leftToLnwire(d.layout.Type) {
		all = append(all, streamFaults(d)...)
	}
	if !compat {
		return all
	}
	return slices.DeleteFunc(all, func(p planted) bool {
		switch p.Error.Kind {
		case "missing", "wrong-length", "bad-point":
			return false
		}
		return p.Error.Rule != rule.PCF010
	})
}

// leftToLnwire reports whether package wire has lnwire parse a message. Of
// these the fixed fields are checked only.
func leftToLnwire(typ uint16) bool {
	return typ >= 34 && typ <= 39 || typ >= 128 && typ != 132 && typ <= 135
}

func addGood(f *vectors.File, name string, envelope uint16, d draft) error {
	v, err := goodMessage(name, envelope, d.bytes())
	if err != nil {
		return err
	}
	v.Rules = goodRules(d, envelope)
	f.Vectors = append(f.Vectors, v)
	return nil
}

// goodMessage fills in what a message says.
func goodMessage(name string, envelope uint16, b []byte) (*vectors.Message, error) {
	m, err := wire.Codec{Envelope: wire.MsgType(envelope)}.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	message, d, err := vectors.Decode(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &vectors.Message{Head: head(name), Message: message, Envelope: envelope, Bytes: b, Decoded: d}, nil
}

// goodRules are the requirements a good message decides.
func goodRules(d draft, envelope uint16) []rule.ID {
	ids := envelopeRules(d.layout, envelope)
	ids = append(ids, rule.TRN042)
	if len(d.fixed) > 0 {
		ids = append(ids, rule.TRN043)
	}
	if len(d.tlvs) > 0 {
		ids = append(ids, rule.TRN035)
	}
	if d.has("point") {
		ids = append(ids, rule.TRN040)
	}
	if d.has("s64") {
		ids = append(ids, rule.TRN041)
	}
	if slices.ContainsFunc(d.tlvs, func(p part) bool { return len(p.layout.Fields) == 0 }) {
		ids = append(ids, rule.TRN038)
	}
	return ids
}

// layoutRules are the requirements on the layout of messages outside the
// envelope.
var layoutRules = map[string][]rule.ID{
	"open_channel":        {rule.PCF059},
	"stfu":                {rule.PCF137},
	"start_batch":         {rule.PCF137},
	"commitment_signed":   {rule.PCF137},
	"channel_reestablish": {rule.PCF158},
}

func envelopeRules(l vectors.Layout, envelope uint16) []rule.ID {
	switch {
	case l.Sub == 0:
		return layoutRules[l.Name]
	case envelope != 0:
		return []rule.ID{rule.PCF007, rule.PCF016}
	}
	return []rule.ID{rule.PCF016}
}

func addBad(f *vectors.File, name string, envelope uint16, l vectors.Layout, p planted) {
	if envelope != 0 {
		name = slug("compat", name)
	}
	ids := append([]rule.ID{p.Error.Rule}, p.also...)
	ids = append(ids, envelopeRules(l, envelope)...)
	ids = append(ids, reactions(l, p)...)
	message := l.Name
	if p.Error.Rule == rule.PCF010 {
		message = "factory_message" // which one it is cannot be known
	}
	f.Vectors = append(f.Vectors, &vectors.Message{Head: head(name, ids...), Message: message, Envelope: envelope, Bytes: p.bytes, Outcome: p.Outcome})
}

// reactions are the requirements on what a node does about a fault in the
// stream of this message.
func reactions(l vectors.Layout, p planted) []rule.ID {
	switch {
	case p.Error.Kind == "missing" || p.Error.Rule == rule.TRN043 || p.Error.Rule == rule.PCF010 || p.Error.Rule == rule.PCF025:
		return nil
	case l.Sub != 0 && p.Error.Kind == "wrong-length":
		return []rule.ID{rule.PCF015}
	case l.Sub != 0:
		return []rule.ID{rule.PCF013}
	case l.Name == "init":
		return []rule.ID{rule.TRN065}
	case l.Name == "open_channel" && p.Error.Kind == "wrong-length":
		return []rule.ID{rule.PCF068}
	}
	return nil
}

func (r runner) message(v *vectors.Message) error {
	c := wire.Codec{Envelope: wire.MsgType(v.Envelope), Rules: r.rules}
	m, err := c.Decode(v.Bytes)
	err = r.locate(v, err)
	good, mismatch := outcome(v, err)
	if !good {
		var e *wire.Error
		if mismatch == nil && errors.As(err, &e) && e.Message != v.Message {
			return fmt.Errorf("refused as %s, want %s", e.Message, v.Message)
		}
		return mismatch
	}
	name, got, err := vectors.Decode(m)
	if err != nil {
		return err
	}
	if name != v.Message {
		return fmt.Errorf("read as %s, want %s", name, v.Message)
	}
	if err := sameDecoded(got, v.Decoded); err != nil {
		return err
	}
	b, err := c.Encode(m)
	if err != nil {
		return fmt.Errorf("does not encode again: %w", err)
	}
	return sameBytes("encoded again, it", b, v.Bytes)
}

// locate finds the place of a fault in a message that the codec leaves to
// lnwire, which says that there is one but not where.
func (r runner) locate(v *vectors.Message, err error) error {
	var e *wire.Error
	if !errors.As(err, &e) || e.Field != "payload" || e.Rule != rule.TRN022 {
		return err
	}
	l, _ := vectors.LayoutOf(v.Message)
	const typeSize = 2
	_, err = l.Read(r.codec.NewReader(l.Name, v.Bytes[typeSize:]))
	if errors.As(err, &e) {
		moved := *e
		moved.Offset += typeSize
		return &moved
	}
	return e
}

// specialBase adds what the layouts of area TRN do not lead to.
func specialBase(f *vectors.File) error {
	for _, c := range []struct{ name, bytes string }{
		{"appendix-c-no-extension", "0010 0000 0000"},
		{"appendix-c-two-unknown-odd", "0010 0000 0000 c9012a cb0104"},
	} {
		v, err := goodMessage(c.name, 0, unhex(c.bytes))
		if err != nil {
			return err
		}
		v.Rules = []rule.ID{rule.TRN042, rule.TRN038}
		f.Vectors = append(f.Vectors, v)
	}
	l, _ := vectors.LayoutOf("init")
	for _, p := range []planted{
		{"appendix-c-truncated", unhex("0010 0000 0000 01"), fault("truncated", "length of networks", -1, rule.TRN032), nil},
		{"appendix-c-unknown-even", unhex("0010 0000 0000 ca012a"), fault("unknown-even", "record 202", 6, rule.TRN037), nil},
		{"appendix-c-twice", unhex("0010 0000 0000 c90101 c90102"), fault("order", "record 201", 9, rule.TRN033), nil},
	} {
		addBad(f, p.name, 0, l, p)
	}
	s := newSource("message special base")
	for _, c := range []struct {
		name  string
		bytes []byte
		rule  rule.ID
	}{
		{"gossip-passed-over", append([]byte{1, 2}, s.bytes(30)...), rule.TRN042},
		{"unknown-odd-type", append([]byte{0x9c, 0x41}, s.bytes(9)...), rule.TRN020},
		{"unknown-odd-type-empty", []byte{0xff, 0xff}, rule.TRN020},
		{"unknown-even-type", append([]byte{0x9c, 0x40}, s.bytes(9)...), rule.TRN021},
		{"init-empty-networks", unhex("0010 0000 0000 0100"), rule.TRN042},
	} {
		v, err := goodMessage(c.name, 0, c.bytes)
		if err != nil {
			return err
		}
		v.Rules = []rule.ID{c.rule}
		f.Vectors = append(f.Vectors, v)
	}
	unknown, _ := vectors.LayoutOf("unknown")
	for _, p := range []planted{
		{"no-bytes", nil, fault("truncated", "type", 0, rule.TRN023), nil},
		{"one-byte", []byte{0x80}, fault("truncated", "type", 0, rule.TRN023), nil},
	} {
		addBad(f, "message-of-"+p.name, 0, unknown, p)
	}
	return nil
}

// specialFactory adds what the layouts of area PCF do not lead to.
func specialFactory(f *vectors.File) error {
	s := newSource("message special factory")
	ids, _ := vectors.LayoutOf("supported_factory_protocols")
	change, _ := vectors.LayoutOf("factory_change_init")
	piggyback, _ := vectors.LayoutOf("factory_piggyback")
	commitment, _ := vectors.LayoutOf("commitment_signed")
	none := newDraft(s, ids, 32800, every)
	none.tlvs[0].value = nil
	noHTLCs := newDraft(s, commitment, 0, every)
	noHTLCs.fixed = noHTLCs.fixed[:3]
	noHTLCs = noHTLCs.set("num_htlcs", []byte{0, 0})
	contribution := func(v int64) draft {
		b := wire.AppendSigned(nil, v, 8)
		return newDraft(s, change, 32800, required).set("funding_contribution_satoshis", b)
	}
	for _, c := range []struct {
		name  string
		draft draft
		also  []rule.ID
	}{
		{"supported-factory-protocols-empty", none, []rule.ID{rule.PCF026}},
		{"factory-piggyback-empty-payload", newDraft(s, piggyback, 32800, every).set("factory_piggyback_payload", nil).set("payload", nil), nil},
		{"commitment-signed-no-htlcs", noHTLCs, nil},
		{"factory-change-init-contribution-minus-1", contribution(-1), nil},
		{"factory-change-init-contribution-lowest", contribution(math.MinInt64), nil},
		{"factory-change-init-contribution-highest", contribution(math.MaxInt64), nil},
	} {
		if err := addGood(f, c.name, 0, c.draft); err != nil {
			return err
		}
		h := &f.Vectors[len(f.Vectors)-1].(*vectors.Message).Head
		h.Rules = append(h.Rules, c.also...)
	}
	for _, c := range []struct {
		name     string
		envelope uint16
		bytes    []byte
		rules    []rule.ID
	}{
		{"factory-message-unknown-odd-submessage", 0, append([]byte{0x80, 0x20, 0x00, 0x07}, s.bytes(6)...), []rule.ID{rule.PCF011, rule.PCF016}},
		{"factory-message-unknown-even-submessage", 0, append([]byte{0x80, 0x20, 0x00, 0x12}, s.bytes(6)...), []rule.ID{rule.PCF012, rule.PCF016}},
		{"compat-type-is-unknown-to-a-normative-reader", 0, newDraft(s, piggyback, 33001, every).bytes(), []rule.ID{rule.PCF007, rule.PCF006}},
		{"normative-type-is-unknown-to-a-compat-reader", 33001, newDraft(s, piggyback, 32800, every).bytes(), []rule.ID{rule.PCF007}},
	} {
		v, err := goodMessage(c.name, c.envelope, c.bytes)
		if err != nil {
			return err
		}
		v.Rules = c.rules
		f.Vectors = append(f.Vectors, v)
	}
	return nil
}
