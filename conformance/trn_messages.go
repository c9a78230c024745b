package conformance

import (
	"fmt"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A stimulus that one requirement names an outcome for.
type stimulus struct {
	name    string
	rule    rule.ID
	what    string // "an unknown odd message"
	raw     []byte
	planted int
	want    []harness.Outcome
}

// provoke is the body all such cases share: control, stimulus, control.
func provoke(s stimulus) func(*harness.Play) {
	return func(p *harness.Play) {
		c := p.Connect()
		messageControl(c)
		c.Provoke(s.rule, harness.Stimulus{Raw: s.raw, Planted: s.planted, What: s.what}, s.want...)
		c.After()
	}
}

// Section 2.2, messages.
func messageCases() []harness.Case {
	ignored := []harness.Outcome{harness.Ignored}
	var cases []harness.Case
	for _, s := range []stimulus{
		{"unknown-odd", rule.TRN020, "an unknown message of odd type 40001", []byte{0x9c, 0x41, 1, 2, 3}, 0, ignored},
		{"unknown-odd-bolt", rule.TRN020, "an unknown message of odd type 31", []byte{0, 31}, 0, ignored},
		{"unknown-odd-largest", rule.TRN020, "an unknown odd message of 65,535 bytes", append([]byte{0x9c, 0x41}, make([]byte, 65533)...), 0, ignored},
		{"unknown-even", rule.TRN021, "an unknown message of even type 40000", []byte{0x9c, 0x40, 1, 2, 3}, 0, harness.AnyClose},
		{"unknown-even-bolt", rule.TRN021, "an unknown message of even type 30", []byte{0, 30}, 0, harness.AnyClose},
		{"short-ping", rule.TRN022, "a ping that ends inside byteslen", []byte{0, 18, 0, 4, 0}, 4, harness.AnyClose},
		{"short-ping-ignored", rule.TRN022, "a ping whose byteslen is larger than what follows", []byte{0, 18, 0, 4, 0, 5, 0, 0}, 4, harness.AnyClose},
		{"short-error", rule.TRN022, "an error that ends inside channel_id", append([]byte{0, 17}, make([]byte, 31)...), 2, harness.AnyClose},
		{"short-warning", rule.TRN022, "a warning whose len is larger than what follows", append([]byte{0, 1}, append(make([]byte, 32), 0, 9, 'x')...), 34, harness.AnyClose},
		{"short-open-channel", rule.TRN022, "an open_channel of 100 bytes", append([]byte{0, 32}, make([]byte, 98)...), 2, harness.AnyClose},
		{"no-type-empty", rule.TRN023, "a message of 0 bytes", []byte{}, 0, harness.AnyClose},
		{"no-type-one-byte", rule.TRN023, "a message of 1 byte", []byte{0}, 0, harness.AnyClose},
	} {
		cases = append(cases, harness.Case{
			Name: "trn/messages/" + s.name, Summary: fmt.Sprintf("A node reacts rightly to %s.", s.what), Rules: []rule.ID{s.rule}, Body: provoke(s),
		})
	}
	return append(cases, harness.Case{
		Name:    "trn/messages/no-even-messages-unasked",
		Summary: "A node sends no custom even message to a peer that offers no feature for one.",
		Rules:   []rule.ID{rule.TRN024},
		Body: func(p *harness.Play) {
			c := p.Dial()
			c.ReadInit()
			init := c.InitMessage()
			init.Features = init.Features.Without(wire.FeatureFactories)
			r := c.ExchangeWith(init, nil)
			for _, raw := range r.Raw {
				typ, err := wire.TypeOf(raw)
				if err == nil && typ >= 32768 && typ%2 == 0 {
					p.Fail(rule.TRN024, "an even custom message came", "none", fmt.Sprintf("message type %d", typ))
				}
			}
		},
	})
}
