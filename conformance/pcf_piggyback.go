package conformance

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.4, factory_piggyback.
func piggybackCases() []harness.Case {
	piggyback := form{name: "piggyback", sub: wire.SubPiggyback}
	var cases []harness.Case
	for _, s := range []struct {
		name, what string
		rule       rule.ID
		stream     func(*harness.Play) wire.Stream
	}{
		{"no-protocol-id", "a piggyback without factory_protocol_id", rule.PCF030, func(*harness.Play) wire.Stream {
			return wire.Stream{{Type: 1024, Value: []byte{0x7f, 0xff}}}
		}},
		{"no-payload", "a piggyback without factory_piggyback_payload", rule.PCF031, func(p *harness.Play) wire.Stream {
			id := p.Codec.SuperScalarID()
			return wire.Stream{{Type: 0, Value: id[:]}}
		}},
		{"unlisted-protocol", "a piggyback for a protocol the target did not list", rule.PCF032, func(*harness.Play) wire.Stream {
			id := sha256.Sum256([]byte("Unheard/1"))
			return wire.Stream{{Type: 0, Value: id[:]}, {Type: 1024, Value: []byte{0x7f, 0xff}}}
		}},
	} {
		cases = append(cases, harness.Case{
			Name: "pcf/piggyback/" + s.name, Summary: fmt.Sprintf("A node refuses %s.", s.what), Rules: []rule.ID{s.rule}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				factoryControl(p, c)
				raw, at := piggyback.encode(p, s.stream(p))
				c.Provoke(s.rule, harness.Stimulus{Raw: raw, Planted: at, What: s.what}, harness.WarnAndClose...)
				c.After()
			},
		})
	}
	return append(cases, harness.Case{
		Name: "pcf/piggyback/reply", Summary: "A node's own piggybacks have both records, with a protocol both sides listed.",
		Rules: []rule.ID{rule.PCF034}, Features: factories, Protocol: harness.Loopback,
		Body: func(p *harness.Play) {
			c := p.Connect()
			c.Send(loopbackRequest(p, []byte("hello")))
			m, ok := harness.Await[*wire.Piggyback](c, rule.PCF034, "a factory_piggyback with both records")
			if ok && m.ProtocolID != p.Codec.LoopbackID() {
				p.Fail(rule.PCF034, "the reply names another protocol", fmt.Sprintf("%x", p.Codec.LoopbackID()), fmt.Sprintf("%x", m.ProtocolID))
			}
			c.After()
		},
	}, harness.Case{
		Name: "pcf/piggyback/unchanged", Summary: "Payloads of all sizes reach their plugin unchanged, and no other.",
		Rules: []rule.ID{rule.PCF035}, Features: factories, Protocol: harness.Loopback,
		Body: func(p *harness.Play) {
			c := p.Connect()
			for _, n := range []int{0, 1, 252, 253, 4096, wire.MaxPayload - 1} {
				data := make([]byte, n)
				for i := range data {
					data[i] = byte(p.Rand.Uint32())
				}
				p.Step("a payload of %d bytes", n+1)
				c.Send(loopbackRequest(p, data))
				m, ok := harness.Await[*wire.Piggyback](c, rule.PCF035, "the payload, looped back")
				if !ok {
					return
				}
				if len(m.Payload) == 0 || !bytes.Equal(m.Payload[1:], data) {
					p.Fail(rule.PCF035, "the payload came back changed", fmt.Sprintf("%d bytes as sent", n+1), fmt.Sprintf("%d bytes: %.32x", len(m.Payload), m.Payload))
				}
			}
			c.After()
		},
	})
}

// loopbackRequest is a payload of kind 0 (section 3.6).
func loopbackRequest(p *harness.Play, data []byte) *wire.Piggyback {
	return &wire.Piggyback{ProtocolID: p.Codec.LoopbackID(), Payload: append([]byte{0}, data...)}
}

// Section 3.5, SuperScalar messages.
func superscalarCases() []harness.Case {
	var cases []harness.Case
	for _, s := range []struct {
		name, what string
		rule       rule.ID
		payload    []byte
		want       []harness.Outcome
	}{
		{"empty", "a SuperScalar payload of 0 bytes", rule.PCF041, []byte{}, harness.WarnAndClose},
		{"one-byte", "a SuperScalar payload of 1 byte", rule.PCF041, []byte{0x7f}, harness.WarnAndClose},
		{"unknown-odd", "SuperScalar message 32767, which is odd", rule.PCF042, []byte{0x7f, 0xff}, []harness.Outcome{harness.Ignored}},
		{"unknown-odd-records", "SuperScalar message 32767 with an even record", rule.PCF042, []byte{0x7f, 0xff, 0x02, 0x01, 0x00}, []harness.Outcome{harness.Ignored}},
		{"unknown-even", "SuperScalar message 32766, which is even", rule.PCF043, []byte{0x7f, 0xfe}, harness.WarnAndClose},
		{"truncated-record", "a SuperScalar message with a truncated record", rule.PCF044, []byte{0x7f, 0xff, 0x01, 0x05, 0x00}, harness.WarnAndClose},
		{"unordered-records", "a SuperScalar message with unordered records", rule.PCF044, []byte{0x7f, 0xff, 0x03, 0x00, 0x01, 0x00}, harness.WarnAndClose},
		{"non-minimal-type", "a SuperScalar message with a record type that is not minimal", rule.PCF044, []byte{0x7f, 0xff, 0xfd, 0x00, 0x03, 0x00}, harness.WarnAndClose},
	} {
		cases = append(cases, harness.Case{
			Name: "pcf/superscalar/" + s.name, Summary: fmt.Sprintf("A node reacts rightly to %s.", s.what), Rules: []rule.ID{s.rule},
			Features: factories, Protocol: harness.SuperScalar,
			Body: func(p *harness.Play) {
				c := p.Connect()
				payloadControl(p, c)
				m := &wire.Piggyback{ProtocolID: p.Codec.SuperScalarID(), Payload: s.payload}
				raw := c.Encode(m)
				c.Provoke(s.rule, harness.Stimulus{Raw: raw, Planted: len(raw) - len(s.payload), What: s.what}, s.want...)
				proveRead(p, c)
				c.After()
			},
		})
	}
	return cases
}

// Section 3.6, Loopback.
func loopbackCases() []harness.Case {
	return []harness.Case{
		{
			Name: "pcf/loopback/in-order", Summary: "Requests are answered once each, in order.", Rules: []rule.ID{rule.PCF051}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				const requests = 20
				for i := range requests {
					c.Send(loopbackRequest(p, []byte{byte(i)}))
				}
				for i := range requests {
					p.Step("request %d of %d", i+1, requests)
					m, ok := harness.Await[*wire.Piggyback](c, rule.PCF051, "the answer to a Loopback request")
					if !ok {
						return
					}
					if !bytes.Equal(m.Payload, []byte{1, byte(i)}) {
						p.Fail(rule.PCF051, "the answer is not right", fmt.Sprintf("%x", []byte{1, byte(i)}), fmt.Sprintf("%x", m.Payload))
					}
				}
				if m, more := harness.Find[*wire.Piggyback](c.Control()); more {
					p.Fail(rule.PCF051, "one answer too many", "20 answers", fmt.Sprintf("another one: %x", m.Payload))
				}
			},
		},
		{
			Name: "pcf/loopback/no-answer", Summary: "Payloads of other kinds are not answered.", Rules: []rule.ID{rule.PCF052}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				for _, kind := range []byte{1, 2, 255} {
					what := fmt.Sprintf("a Loopback payload of kind %d", kind)
					m := &wire.Piggyback{ProtocolID: p.Codec.LoopbackID(), Payload: []byte{kind, 7}}
					r := c.Provoke(rule.PCF052, harness.Stimulus{Message: m, What: what}, harness.Ignored)
					if reply, ok := harness.Find[*wire.Piggyback](r); ok {
						p.Fail(rule.PCF052, what+" was answered", "no answer", fmt.Sprintf("%x", reply.Payload))
					}
				}
				c.Send(loopbackRequest(p, []byte("and now one")))
				harness.Await[*wire.Piggyback](c, rule.PCF052, "the answer to the request that follows")
				c.After()
			},
		},
	}
}
