package conformance

import (
	"bytes"
	"fmt"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 2.5, error and warning. TRN-074 is in pcf_open.go, where channels
// are refused.
func noticeCases() []harness.Case {
	var cases []harness.Case
	for _, n := range []struct {
		name, what string
		rule       rule.ID
		message    func(wire.ChannelID) wire.Message
	}{
		{"error-unknown-channel", "an error for an unknown channel", rule.TRN070, func(id wire.ChannelID) wire.Message {
			return &wire.ErrorMessage{ChannelID: id, Data: []byte("no such channel")}
		}},
		{"error-unprintable", "an error with unprintable data for an unknown channel", rule.TRN070, func(id wire.ChannelID) wire.Message {
			return &wire.ErrorMessage{ChannelID: id, Data: []byte("\x1b[2J\x00\xff")}
		}},
		{"warning-unknown-channel", "a warning for an unknown channel", rule.TRN071, func(id wire.ChannelID) wire.Message {
			return &wire.Warning{ChannelID: id, Data: []byte("no such channel")}
		}},
		{"warning-empty", "a warning without data for an unknown channel", rule.TRN071, func(id wire.ChannelID) wire.Message {
			return &wire.Warning{ChannelID: id}
		}},
	} {
		cases = append(cases, harness.Case{
			Name: "trn/notices/" + n.name, Summary: fmt.Sprintf("A node ignores %s.", n.what), Rules: []rule.ID{n.rule},
			Body: func(p *harness.Play) {
				c := p.Connect()
				c.Provoke(n.rule, harness.Stimulus{Message: n.message(randomChannel(p)), What: n.what}, harness.Ignored)
				c.After()
			},
		})
	}
	for _, n := range []struct {
		name    string
		message func(*harness.Play, wire.ChannelID) wire.Message
	}{
		{"commitment-signed", func(_ *harness.Play, id wire.ChannelID) wire.Message { return &wire.CommitmentSigned{ChannelID: id} }},
		{"channel-reestablish", func(p *harness.Play, id wire.ChannelID) wire.Message {
			return &wire.ChannelReestablish{ChannelID: id, NextCommitmentNumber: 1, MyCurrentPerCommitmentPoint: points(p, 1)[0]}
		}},
	} {
		cases = append(cases, harness.Case{
			Name: "trn/notices/unknown-" + n.name, Summary: "A node answers a message about an unknown channel with an error for it.",
			Rules: []rule.ID{rule.TRN072},
			Body: func(p *harness.Play) {
				c := p.Connect()
				id := randomChannel(p)
				r := c.Provoke(rule.TRN072, harness.Stimulus{Message: n.message(p, id), What: "a message about an unknown channel"}, harness.FailChannel...)
				sameChannel(p, rule.TRN072, r, id)
				c.After()
			},
		})
	}
	return cases
}

// sameChannel checks that the error of a reaction names channel id.
func sameChannel(p *harness.Play, id rule.ID, r harness.Reaction, want wire.ChannelID) {
	if e, ok := harness.Find[*wire.ErrorMessage](r); ok && e.ChannelID != want {
		p.Fail(id, "the error names another channel", want.String(), e.ChannelID.String())
	}
}

func randomChannel(p *harness.Play) (id wire.ChannelID) {
	for i := range id {
		id[i] = byte(p.Rand.Uint32())
	}
	return id
}

// Section 2.6, ping and pong.
func pingCases() []harness.Case {
	var cases []harness.Case
	for _, n := range []uint16{0, 1, 65531} {
		cases = append(cases, harness.Case{
			Name: fmt.Sprintf("trn/ping/pong-%d", n), Summary: fmt.Sprintf("A ping for %d bytes gets a pong of %d bytes.", n, n),
			Rules: []rule.ID{rule.TRN080},
			Body: func(p *harness.Play) {
				c := p.Connect()
				p.Step("a ping for %d bytes", n)
				c.Send(&wire.Ping{NumPongBytes: n, Ignored: make([]byte, 7)})
				if m, ok := harness.Await[*wire.Pong](c, rule.TRN080, "a pong"); ok && len(m.Ignored) != int(n) {
					p.Fail(rule.TRN080, "the pong has the wrong length", fmt.Sprintf("%d bytes", n), fmt.Sprintf("%d bytes", len(m.Ignored)))
				}
				c.After()
			},
		})
	}
	for _, n := range []uint16{65532, 65535} {
		what := fmt.Sprintf("a ping for %d bytes", n)
		cases = append(cases, harness.Case{
			Name: fmt.Sprintf("trn/ping/no-pong-%d", n), Summary: fmt.Sprintf("A ping for %d bytes gets no pong.", n), Rules: []rule.ID{rule.TRN081},
			Body: func(p *harness.Play) {
				c := p.Connect()
				r := c.Provoke(rule.TRN081, harness.Stimulus{Message: &wire.Ping{NumPongBytes: n}, What: what}, harness.Ignored)
				if m, ok := harness.Find[*wire.Pong](r); ok {
					p.Fail(rule.TRN081, what+" was answered", "no pong", fmt.Sprintf("a pong of %d bytes", len(m.Ignored)))
				}
				c.After()
			},
		})
	}
	return append(cases, harness.Case{
		Name: "trn/ping/zeros", Summary: "The bytes of a pong are zeros.", Rules: []rule.ID{rule.TRN082},
		Body: func(p *harness.Play) {
			c := p.Connect()
			p.Step("a ping for 1000 bytes")
			c.Send(&wire.Ping{NumPongBytes: 1000})
			if m, ok := harness.Await[*wire.Pong](c, rule.TRN082, "a pong"); ok && !bytes.Equal(m.Ignored, make([]byte, len(m.Ignored))) {
				p.Fail(rule.TRN082, "the pong's bytes are not all zero", "zeros", fmt.Sprintf("%x", m.Ignored[:min(16, len(m.Ignored))]))
			}
			c.After()
		},
	})
}
