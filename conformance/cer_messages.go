package conformance

import (
	"fmt"
	"strings"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.2: messages that are wrong in themselves, and those of attempts
// that are not going on.

// toClient and toLSP are one message of each type that a role receives.
func toClient(p *harness.Play) []wire.Ceremony {
	a := wire.Attempt{Ceremony: p.Seed("no attempt")}
	key := p.Point("a key")
	return []wire.Ceremony{
		&wire.Invite{Attempt: a, Capacity: 100_000},
		&wire.Proposal{Attempt: a, LSPFactoryKey: key, LSPChannelKey: key, Shape: wire.ShapeRecord{Leaf: 2, Levels: []wire.ShapeLevel{{Kind: 1, Arity: 1}, {Kind: 2, Arity: 2}}}, FactoryKeys: [][33]byte{key}},
		&wire.AggregateNonces{Attempt: a, Nonces: make([][66]byte, 1)},
		&wire.Signatures{Attempt: a, Signatures: make([][64]byte, 1), Channels: make([][64]byte, 1)},
		&wire.Funded{Attempt: a, Transaction: []byte{2}},
		&wire.Update{Attempt: a, Capacities: []uint64{1}, Stocks: []uint64{1}, ChannelScripts: make([][34]byte, 1)},
		&wire.Sale{Attempt: a, ChannelScript: make([]byte, 34), LSPChannelKey: key},
		&wire.Poison{Attempt: a},
	}
}

func toLSP(p *harness.Play) []wire.Ceremony {
	a := wire.Attempt{Ceremony: p.Seed("no attempt")}
	key := p.Point("a key")
	return []wire.Ceremony{
		&wire.Join{Attempt: a, FactoryKey: key, ChannelKey: key},
		&wire.Nonces{Attempt: a, Nonces: make([][66]byte, 1)},
		&wire.Partials{Attempt: a, Partials: make([][32]byte, 1)},
		&wire.Stored{Attempt: a},
	}
}

// unknownToClient are the messages that CER-004 is about.
func unknownToClient(p *harness.Play) []wire.Ceremony {
	var out []wire.Ceremony
	for _, m := range toClient(p) {
		switch m.(type) {
		case *wire.Invite, *wire.Update, *wire.Sale, *wire.Poison:
		default:
			out = append(out, m)
		}
	}
	return out
}

// unknownAttempt sends messages of an attempt that nobody started.
func unknownAttempt(p *harness.Play, messages []wire.Ceremony) {
	c := p.Connect()
	for _, m := range messages {
		c.RefusedCeremony(rule.CER004, m, m.Name()+" of an attempt that is not going on", wire.ReasonUnknownCeremony)
	}
	c.After()
}

// unknownAbort sends an abort of an attempt that nobody started.
func unknownAbort(p *harness.Play) {
	c := p.Connect()
	abort := &wire.Abort{Attempt: wire.Attempt{Ceremony: p.Seed("no attempt")}, Reason: wire.ReasonRefused, Text: "never mind"}
	r := c.Provoke(rule.CER005, harness.Stimulus{Message: c.Ceremony(abort), What: "an abort of an attempt that is not going on"}, harness.Ignored)
	for _, m := range r.Messages {
		if x := harness.CeremonyOf(p.Codec, m); x != nil {
			p.Fail(rule.CER005, "an abort of an attempt that is not going on was answered", "nothing", x.Name())
		}
	}
	c.After()
}

// caseName puts a case with the area of its main requirement.
func caseName(role, name string, id rule.ID) string {
	return fmt.Sprintf("%s/%s/%s", strings.ToLower(id.Area()), role, strings.ReplaceAll(name, "/", "-"))
}

// ceremonyMessageCases are the malformed messages of both roles, and the
// messages that only the other role sends.
func ceremonyMessageCases() []harness.Case {
	var cases []harness.Case
	for _, role := range []harness.Role{node.Client, node.LSP} {
		own, others := toClient, toLSP
		if role == node.LSP {
			own, others = toLSP, toClient
		}
		one := func(name, summary string, id rule.ID, body func(*harness.Play)) {
			cases = append(cases, harness.Case{
				Name: caseName(string(role), "message/"+name, id), Summary: summary, Rules: []rule.ID{id}, Roles: []harness.Role{role},
				Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Body: body,
			})
		}
		one("missing-record", "A node refuses a ceremony message without one of its records.", rule.CER001, func(p *harness.Play) {
			for i, m := range append(own(p), &wire.Abort{Attempt: wire.Attempt{Ceremony: p.Seed("x")}}) {
				malformedCeremony(p, i, m, "without its last record", func(s wire.Stream) wire.Stream { return s[:len(s)-1] })
			}
		})
		one("missing-id", "A node refuses a ceremony message without ceremony_id.", rule.CER001, func(p *harness.Play) {
			for i, m := range own(p) {
				malformedCeremony(p, i, m, "without ceremony_id", func(s wire.Stream) wire.Stream { return s[1:] })
			}
		})
		one("wrong-length", "A node refuses a ceremony message with a record of the wrong length.", rule.CER001, func(p *harness.Play) {
			for i, m := range own(p) {
				malformedCeremony(p, i, m, "with a ceremony_id of 31 bytes", func(s wire.Stream) wire.Stream {
					s[0].Value = s[0].Value[:31]
					return s
				})
			}
		})
		one("other-role", "A node treats messages that only the other role sends as unknown even ones.", rule.CER008, func(p *harness.Play) {
			for _, m := range others(p) {
				c := p.Connect()
				c.Provoke(rule.CER008, harness.Stimulus{Message: c.Ceremony(m), What: m.Name() + " for the wrong role"}, harness.WarnAndClose...)
				c.After()
			}
		})
	}
	return cases
}

// malformedCeremony sends one message with its records changed.
func malformedCeremony(p *harness.Play, _ int, m wire.Ceremony, what string, f func(wire.Stream) wire.Stream) {
	c := p.Connect()
	raw, err := p.Codec.EncodeCeremony(m)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot encode its %s: %v", m.Name(), err))
	}
	payload, err := p.Codec.DecodePayload(raw)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot decode its %s: %v", m.Name(), err))
	}
	payload.Records = f(payload.Records)
	bent, err := p.Codec.EncodePayload(payload)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot encode its %s: %v", m.Name(), err))
	}
	c.Provoke(rule.CER001, harness.Stimulus{Message: c.Payload(bent), What: m.Name() + " " + what}, harness.WarnAndClose...)
	c.After()
}
