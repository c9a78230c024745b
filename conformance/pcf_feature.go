package conformance

import (
	"fmt"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// factories is what most cases of section 3 need the target to offer.
var factories = []wire.Feature{wire.FeatureFactories}

// Section 3.1, the feature.
func featureCases() []harness.Case {
	cases := []harness.Case{
		{
			Name: "pcf/feature/one-bit", Summary: "A node sets one bit of pluggable_channel_factories.", Rules: []rule.ID{rule.PCF001}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				f := c.Init.All()
				if f.Bit(wire.FeatureFactories) && f.Bit(wire.FeatureFactories+1) {
					p.Fail(rule.PCF001, "both bits are set", "270 or 271", "270 and 271")
				}
			},
		},
		{
			Name: "pcf/feature/own-dependencies", Summary: "A node that offers factories offers what they depend on.", Rules: []rule.ID{rule.PCF002}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				for _, f := range []wire.Feature{wire.FeatureQuiesce, wire.FeatureZeroConf} {
					if !c.Init.All().Offers(f) {
						p.Fail(rule.PCF002, "a dependency is missing", fmt.Sprintf("feature %d/%d", f, f+1), fmt.Sprint(c.Init.All().Bits()))
					}
				}
			},
		},
		{
			Name: "pcf/feature/not-to-others", Summary: "A node sends no factory message to a peer that does not offer factories.", Rules: []rule.ID{rule.PCF004}, Features: factories,
			Body: func(p *harness.Play) {
				p.Connect()
				c := p.Dial()
				c.ReadInit()
				r := c.ExchangeWith(withoutFactories(c), nil)
				if m, ok := harness.Find[wire.FactoryMessage](r); ok {
					p.Fail(rule.PCF004, "a factory message came", "none", m.Name())
				}
			},
		},
		{
			Name: "pcf/feature/from-others", Summary: "A factory message from a peer that does not offer factories is an unknown even message.",
			Rules: []rule.ID{rule.PCF005}, Features: factories,
			Body: func(p *harness.Play) {
				factoryControl(p, p.Connect())
				c := p.Dial()
				c.ReadInit()
				c.ExchangeWith(withoutFactories(c), nil)
				c.Provoke(rule.PCF005, harness.Stimulus{Message: &wire.SupportedProtocols{IDs: p.Protocols()}, What: "supported_factory_protocols without the feature"}, closeEven(p)...)
				c.After()
			},
		},
		{
			Name: "pcf/feature/message-type", Summary: "Factory messages have type 32800.", Rules: []rule.ID{rule.PCF006}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect() // which fails when the list comes with another type
				proveRead(p, c)
			},
		},
	}
	cases = append(cases, harness.Case{
		Name: "pcf/feature/other-form", Summary: "The message type of the form a node does not use is an unknown type.", Rules: []rule.ID{rule.PCF009}, Features: factories,
		Body: func(p *harness.Play) {
			c := p.Connect()
			factoryControl(p, c)
			other, want := wire.TypeFactoryCompat, []harness.Outcome{harness.Ignored}
			if p.Codec.Envelope == wire.TypeFactoryCompat {
				other, want = wire.TypeFactory, harness.AnyClose
			}
			raw := []byte{byte(other >> 8), byte(other), 0, 18} // an unknown even submessage in the wrong envelope
			c.Provoke(rule.PCF009, harness.Stimulus{Raw: raw, What: fmt.Sprintf("message type %d", other)}, want...)
			proveRead(p, c)
			c.After()
		},
	})
	for _, missing := range []struct {
		name    string
		feature wire.Feature
	}{{"quiesce", wire.FeatureQuiesce}, {"zeroconf", wire.FeatureZeroConf}} {
		cases = append(cases, harness.Case{
			Name: "pcf/feature/without-" + missing.name, Summary: "A node closes the connection of a peer that offers factories without what they depend on.",
			Rules: []rule.ID{rule.PCF003}, Features: factories,
			Body: func(p *harness.Play) {
				p.Connect()
				c := p.Dial()
				c.ReadInit()
				m := c.InitMessage()
				m.Features = m.Features.Without(missing.feature)
				c.Provoke(rule.PCF003, harness.Stimulus{Message: m, What: "init with factories and without " + missing.name}, harness.AnyClose...)
				c.After()
			},
		})
	}
	return cases
}

func withoutFactories(c *harness.Peer) *wire.Init {
	m := c.InitMessage()
	m.Features = m.Features.Without(wire.FeatureFactories)
	return m
}

// closeEven is the reaction to an unknown message of the envelope's type: the
// compatibility form is odd and so ignored.
func closeEven(p *harness.Play) []harness.Outcome {
	if p.Codec.Envelope == wire.TypeFactoryCompat {
		return []harness.Outcome{harness.Ignored}
	}
	return harness.AnyClose
}
