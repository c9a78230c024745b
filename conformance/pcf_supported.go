package conformance

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.3, supported_factory_protocols.
func supportedCases() []harness.Case {
	cases := []harness.Case{
		{
			Name: "pcf/supported/sent", Summary: "A node lists its protocols to a peer that offers factories.", Rules: []rule.ID{rule.PCF020}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect() // which fails when the list does not come
				proveRead(p, c)
			},
		},
		{
			Name: "pcf/supported/once-and-first", Summary: "supported_factory_protocols comes once, before any other factory message.", Rules: []rule.ID{rule.PCF021}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Dial()
				r := c.Exchange()
				var names []string
				for _, m := range r.Messages {
					if f, ok := m.(wire.FactoryMessage); ok {
						names = append(names, f.Name())
					}
				}
				first := len(names) > 0 && names[0] == "supported_factory_protocols"
				if !first || slices.Contains(names[1:], "supported_factory_protocols") {
					p.Fail(rule.PCF021, "the factory messages after init are not right", "supported_factory_protocols once, first", fmt.Sprint(names))
				}
			},
		},
		{
			Name: "pcf/supported/has-ids", Summary: "supported_factory_protocols carries its record.", Rules: []rule.ID{rule.PCF023}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect() // which fails when the list does not parse
				proveRead(p, c)
			},
		},
		{
			Name: "pcf/supported/distinct", Summary: "A node lists no protocol twice.", Rules: []rule.ID{rule.PCF027}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				seen := map[wire.ProtocolID]bool{}
				for _, id := range c.Protocols.IDs {
					if seen[id] {
						p.Fail(rule.PCF027, "a protocol id comes twice", "each id once", fmt.Sprintf("%x", id))
					}
					seen[id] = true
				}
			},
		},
		{
			Name: "pcf/supported/intersection", Summary: "A protocol that only the target listed cannot be used.", Rules: []rule.ID{rule.PCF028}, Features: factories, Protocol: harness.SuperScalar,
			Body: func(p *harness.Play) {
				payloadControl(p, p.Connect())
				c := p.Dial()
				c.ExchangeWith(nil, []wire.ProtocolID{})
				m := &wire.Piggyback{ProtocolID: p.Codec.SuperScalarID(), Payload: []byte{0x7f, 0xff}}
				c.Provoke(rule.PCF028, harness.Stimulus{Message: m, What: "a piggyback for a protocol the suite did not list"}, harness.WarnAndClose...)
				c.After()
			},
		},
	}
	cases = append(cases, harness.Case{
		Name: "pcf/supported/not-first", Summary: "A node refuses a factory message before the peer listed its protocols.", Rules: []rule.ID{rule.PCF017}, Features: factories,
		Body: func(p *harness.Play) {
			p.Connect()
			c := p.Dial()
			c.ExchangeWith(nil, nil)
			factoryControl(p, c)
			m := &wire.ChangeLocked{ChannelID: randomChannel(p)}
			c.Provoke(rule.PCF017, harness.Stimulus{Message: m, What: "factory_change_locked before supported_factory_protocols"}, harness.WarnAndClose...)
			c.After()
		},
	})
	cases = append(cases, harness.Case{
		Name: "pcf/supported/sent-when-dialling", Summary: "A node that dials lists its protocols, too.", Rules: []rule.ID{rule.PCF020}, Features: factories, Tier: harness.Driver,
		Body: func(p *harness.Play) {
			c := dialled(p)
			c.Exchange() // which fails without the list
			proveRead(p, c)
		},
	})
	for _, s := range supportedStimuli() {
		cases = append(cases, harness.Case{
			Name: "pcf/supported/" + s.name, Summary: fmt.Sprintf("A node reacts rightly to %s.", s.what), Rules: []rule.ID{s.rule}, Features: factories,
			Body: func(p *harness.Play) {
				p.Connect()
				c := p.Dial()
				c.ExchangeWith(nil, nil)
				factoryControl(p, c)
				raw, at := form{sub: wire.SubSupportedProtocols}.encode(p, s.stream(p))
				c.Provoke(s.rule, harness.Stimulus{Raw: raw, Planted: at, What: s.what}, s.want...)
				proveRead(p, c)
				c.After()
			},
		})
	}
	return append(cases, harness.Case{
		Name: "pcf/supported/second", Summary: "A node refuses a second supported_factory_protocols.", Rules: []rule.ID{rule.PCF022}, Features: factories,
		Body: func(p *harness.Play) {
			c := p.Connect()
			factoryControl(p, c)
			c.Provoke(rule.PCF022, harness.Stimulus{Message: &wire.SupportedProtocols{IDs: p.Protocols()}, What: "a second supported_factory_protocols"}, harness.WarnAndClose...)
			c.After()
		},
	})
}

// The suite's first supported_factory_protocols, in other words than usual.
type supportedStimulus struct {
	name, what string
	rule       rule.ID
	stream     func(*harness.Play) wire.Stream
	want       []harness.Outcome
}

func supportedStimuli() []supportedStimulus {
	ids := func(n int) func(*harness.Play) wire.Stream {
		return func(*harness.Play) wire.Stream { return wire.Stream{{Type: 512, Value: make([]byte, n)}} }
	}
	alive := []harness.Outcome{harness.Ignored}
	return []supportedStimulus{
		{"no-ids", "supported_factory_protocols without its record", rule.PCF024, func(*harness.Play) wire.Stream { return nil }, harness.WarnAndClose},
		{"ids-31-bytes", "factory_protocol_ids of 31 bytes", rule.PCF025, ids(31), harness.WarnAndClose},
		{"ids-33-bytes", "factory_protocol_ids of 33 bytes", rule.PCF025, ids(33), harness.WarnAndClose},
		{"ids-1-byte", "factory_protocol_ids of 1 byte", rule.PCF025, ids(1), harness.WarnAndClose},
		{"ids-empty", "empty factory_protocol_ids", rule.PCF026, ids(0), alive},
		{"ids-unknown", "factory_protocol_ids with protocols nobody knows", rule.PCF029, func(*harness.Play) wire.Stream {
			a, b := sha256.Sum256([]byte("Unheard/1")), sha256.Sum256([]byte("Unheard/2"))
			return wire.Stream{{Type: 512, Value: slices.Concat(a[:], b[:])}}
		}, alive},
		{"ids-many", "factory_protocol_ids with 2,000 protocols", rule.PCF029, func(*harness.Play) wire.Stream {
			var all []byte
			for i := range 2000 {
				id := sha256.Sum256([]byte{byte(i >> 8), byte(i)})
				all = append(all, id[:]...)
			}
			return wire.Stream{{Type: 512, Value: all}}
		}, alive},
	}
}
