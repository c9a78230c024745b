package conformance

import (
	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// rightAccept answers the target's open_channel as a client would.
func rightAccept(p *harness.Play, open *wire.OpenChannel) *wire.AcceptChannel {
	return channel.NewAccept(open, channelKeys(p))
}

// Section 3.8, changing a factory, as far as no channel is open.
func changeCases() []harness.Case {
	missing := map[wire.SubType]rule.ID{
		wire.SubChangeInit: rule.PCF100, wire.SubChangeAck: rule.PCF101, wire.SubChangeFunding: rule.PCF102,
		wire.SubChangeContinue: rule.PCF103, wire.SubChangeLocked: rule.PCF104, wire.SubChangeAbort: rule.PCF105,
	}
	var cases []harness.Case
	for _, f := range forms() {
		id, isChange := missing[f.sub]
		if !isChange {
			continue
		}
		cases = append(cases, harness.Case{
			Name: "pcf/change/" + f.name + "-without-record", Summary: "A node refuses " + f.name + " without its record.", Rules: []rule.ID{id}, Features: factories,
			Body: func(p *harness.Play) {
				c := f.control(p, p.Connect())
				raw, at := f.raw(p, nil)
				c.Provoke(id, harness.Stimulus{Raw: raw, Planted: at, What: "factory " + f.name + " without its record"}, harness.WarnAndClose...)
				c.After()
			},
		}, harness.Case{
			Name: "pcf/change/" + f.name + "-unknown-channel", Summary: "A node refuses " + f.name + " for a channel that is in no factory.", Rules: []rule.ID{rule.PCF106}, Features: factories,
			Body: func(p *harness.Play) {
				c := p.Connect()
				stream := f.stream(p)
				raw, at := f.encode(p, stream)
				r := c.Provoke(rule.PCF106, harness.Stimulus{Raw: raw, Planted: at, What: "factory " + f.name + " for an unknown channel"}, f.valid()...)
				sameChannel(p, rule.PCF106, r, wire.ChannelID(stream[len(stream)-1].Value[:32]))
				c.After()
			},
		})
	}
	return cases
}
