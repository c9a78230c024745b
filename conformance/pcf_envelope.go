package conformance

import (
	"fmt"
	"slices"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.2, the envelope.
func envelopeCases() []harness.Case {
	var cases []harness.Case
	add := func(name, what string, id rule.ID, want []harness.Outcome, build func(*harness.Play) ([]byte, int)) {
		cases = append(cases, harness.Case{
			Name: "pcf/envelope/" + name, Summary: fmt.Sprintf("A node reacts rightly to %s.", what), Rules: []rule.ID{id}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				factoryControl(p, c)
				raw, planted := build(p)
				c.Provoke(id, harness.Stimulus{Raw: raw, Planted: planted, What: what}, want...)
				proveRead(p, c)
				c.After()
			},
		})
	}
	ignored := []harness.Outcome{harness.Ignored}
	for n := range 2 {
		add(fmt.Sprintf("no-submessage-id-%d", n), fmt.Sprintf("a factory message with %d bytes of submessage id", n), rule.PCF010, harness.WarnAndClose,
			func(p *harness.Play) ([]byte, int) {
				raw, _ := form{}.raw(p, nil)
				return raw[:2+n], 2
			})
	}
	for _, sub := range []wire.SubType{1, 3, 0xffff} {
		add(fmt.Sprintf("unknown-odd-%d", sub), fmt.Sprintf("unknown odd submessage %d", sub), rule.PCF011, ignored,
			func(p *harness.Play) ([]byte, int) { return form{sub: sub}.raw(p, []byte{0xde, 0xad}) })
	}
	for _, sub := range []wire.SubType{0, 18, 0xfffe} {
		add(fmt.Sprintf("unknown-even-%d", sub), fmt.Sprintf("unknown even submessage %d", sub), rule.PCF012, harness.WarnAndClose,
			func(p *harness.Play) ([]byte, int) {
				raw, _ := form{sub: sub}.raw(p, nil)
				return raw, 2
			})
	}
	for _, f := range forms() {
		cases = append(cases, f.streamCases()...)
	}
	return cases
}

// A spoiler turns a valid stream into bytes with one fault.
type spoiler struct {
	name, what string
	rule       rule.ID
	spoil      func(*harness.Play, wire.Stream) (stream []byte, fault int)
}

func spoilers() []spoiler {
	encode := func(p *harness.Play, s wire.Stream) []byte {
		b, err := p.Codec.AppendStream(nil, s)
		if err != nil {
			panic(err)
		}
		return b
	}
	return []spoiler{
		{"unknown-even-record", "with an unknown even record", rule.PCF013, func(p *harness.Play, s wire.Stream) ([]byte, int) {
			b := encode(p, s)
			return append(b, 0xfe, 0, 1, 0, 0, 0), len(b)
		}},
		{"unordered-records", "with a record of a lower type at the end", rule.PCF013, func(p *harness.Play, s wire.Stream) ([]byte, int) {
			b := encode(p, s)
			return append(b, 0x01, 0), len(b)
		}},
		{"repeated-record", "with its last record twice", rule.PCF013, func(p *harness.Play, s wire.Stream) ([]byte, int) {
			b := encode(p, s)
			return append(b, encode(p, s[len(s)-1:])...), len(b)
		}},
		{"truncated-record", "with its last byte missing", rule.PCF013, func(p *harness.Play, s wire.Stream) ([]byte, int) {
			b := encode(p, s)
			return b[:len(b)-1], len(b) - 1
		}},
		{"non-minimal-length", "with a length that is not minimal", rule.PCF013, func(p *harness.Play, s wire.Stream) ([]byte, int) {
			b := encode(p, s)
			return append(b, 0xfe, 0, 1, 0, 1, 0xfd, 0, 0), len(b) + 5
		}},
	}
}

// streamCases are the faults every submessage has to be refused for, and the
// unknown odd record it has to be accepted with.
func (f form) streamCases() []harness.Case {
	var cases []harness.Case
	add := func(name, what string, id rule.ID, build func(*harness.Play) ([]byte, int)) {
		cases = append(cases, harness.Case{
			Name: "pcf/envelope/" + f.name + "-" + name, Summary: fmt.Sprintf("A node refuses %s %s.", f.name, what), Rules: []rule.ID{id}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				c = f.control(p, c)
				raw, planted := build(p)
				c.Provoke(id, harness.Stimulus{Raw: raw, Planted: planted, What: "factory " + f.name + " " + what}, harness.WarnAndClose...)
				c.After()
			},
		})
	}
	for _, s := range spoilers() {
		add(s.name, s.what, s.rule, func(p *harness.Play) ([]byte, int) {
			stream, fault := s.spoil(p, f.stream(p))
			raw, at := f.raw(p, stream)
			return raw, at + fault
		})
	}
	for _, change := range []struct {
		name string
		by   int
	}{{"short-record", -1}, {"long-record", 1}} {
		if f.sub == wire.SubChangeAbort && change.by > 0 {
			continue // its record may be of any length from 32
		}
		add(change.name, fmt.Sprintf("whose fixed record has %+d byte", change.by), rule.PCF015, func(p *harness.Play) ([]byte, int) {
			return f.encode(p, f.resized(f.stream(p), change.by))
		})
	}
	return append(cases, harness.Case{
		Name: "pcf/envelope/" + f.name + "-unknown-odd-record", Summary: fmt.Sprintf("A node reads %s with an unknown odd record as if it were not there.", f.name),
		Rules: []rule.ID{rule.PCF014}, Features: factories,
		Body: func(p *harness.Play) {
			c := p.Connect()
			c = f.control(p, c)
			raw, at := f.encode(p, append(f.stream(p), wire.Record{Type: 65537, Value: []byte{1}}))
			c.Provoke(rule.PCF014, harness.Stimulus{Raw: raw, Planted: at, What: "factory " + f.name + " with an unknown odd record"}, f.valid()...)
			proveRead(p, c)
			c.After()
		},
	})
}

// resized changes the length of the record whose length is fixed.
func (f form) resized(s wire.Stream, by int) wire.Stream {
	i := len(s) - 1
	if f.sub == wire.SubPiggyback {
		i = 0 // the payload may have any length
	}
	v := slices.Clone(s[i].Value)
	if f.sub == wire.SubChangeAbort {
		v = v[:32]
	}
	if by > 0 {
		v = append(v, 0)
	} else {
		v = v[:len(v)-1]
	}
	s = slices.Clone(s)
	s[i].Value = v
	return s
}

// valid is the reaction to the well-formed message: a change of a channel that
// does not exist is refused (PCF-106), a piggyback with an unknown odd
// SuperScalar message is ignored (PCF-042), or, by a node without that
// protocol, refused too.
func (f form) valid() []harness.Outcome {
	if f.sub == wire.SubPiggyback {
		return []harness.Outcome{harness.Ignored}
	}
	return harness.FailChannel
}

// control sends the well-formed message first: its reaction shows that the
// path works. It returns the connection to go on with, a new one where the
// target closes on a change of an unknown channel (PCF-106 allows that).
func (f form) control(p *harness.Play, c *harness.Peer) *harness.Peer {
	if f.sub == wire.SubPiggyback && !c.Supports(p.Codec.SuperScalarID()) {
		return c // the target would rightly refuse it
	}
	id := rule.PCF106
	if f.sub == wire.SubPiggyback {
		id = rule.PCF042
	}
	raw, _ := f.encode(p, f.stream(p))
	c.Provoke(id, harness.Stimulus{Raw: raw, Planted: -1, Control: true, What: "control: a well-formed " + f.name}, f.valid()...)
	if c.Open() {
		return c
	}
	return p.Connect()
}
