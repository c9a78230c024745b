package conformance

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.7, opening a channel inside a factory: the target is asked.
func openCases() []harness.Case {
	var cases []harness.Case
	for _, f := range openFaults() {
		cases = append(cases, openFaultCase(f))
	}
	return append(cases,
		harness.Case{
			Name: "pcf/open/accepted", Summary: "A right open_channel inside a factory is accepted, rightly.",
			Rules: []rule.ID{rule.PCF065, rule.PCF073, rule.PCF096}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				open := openIn(p, c, p.Codec.LoopbackID())
				if a, ok := accepted(p, c, open); ok {
					checkAccept(p, open, a)
				}
				c.After()
			},
		},
		harness.Case{
			Name: "pcf/open/superscalar-unknown-instance", Summary: "A channel in a factory the target is not part of is refused.",
			Rules: []rule.ID{rule.PCF061}, Features: factories, Protocol: harness.SuperScalar,
			Body: func(p *harness.Play) {
				c := p.Connect()
				refused(p, c, rule.PCF061, "an open_channel in an unknown SuperScalar instance", openIn(p, c, p.Codec.SuperScalarID()))
				c.After()
			},
		},
		harness.Case{
			Name: "pcf/open/not-in-the-suites-list", Summary: "A channel under a protocol that only the target listed is refused.",
			Rules: []rule.ID{rule.PCF060}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				acceptedControl(p)
				c := p.Dial()
				c.ExchangeWith(nil, []wire.ProtocolID{p.Codec.SuperScalarID()})
				refused(p, c, rule.PCF060, "an open_channel under a protocol the suite did not list", openIn(p, c, p.Codec.LoopbackID()))
				c.After()
			},
		},
		harness.Case{
			Name: "pcf/open/early-warning-time-largest", Summary: "An early warning time of 1,997 blocks is accepted.",
			Rules: []rule.ID{rule.PCF065}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				open := openIn(p, c, p.Codec.LoopbackID())
				open.ChannelInFactory.EarlyWarningTime = 1997
				accepted(p, c, open)
				c.After()
			},
		},
		harness.Case{
			Name: "pcf/open/same-temporary-id", Summary: "A second open_channel with a temporary_channel_id in use is refused.",
			Rules: []rule.ID{rule.PCF075}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				open := openIn(p, c, p.Codec.LoopbackID())
				if _, ok := accepted(p, c, open); !ok {
					return
				}
				refused(p, c, rule.PCF075, "a second open_channel with the same temporary_channel_id", open)
				if c.Open() {
					c.Send(open)
					p.Step("the same open_channel once more, after both attempts were failed")
					harness.Await[*wire.AcceptChannel](c, rule.PCF075, "accept_channel, since the id is free again")
				}
				c.After()
			},
		},
		harness.Case{
			Name: "pcf/open/error-forgets", Summary: "An error for the temporary_channel_id frees it.",
			Rules: []rule.ID{rule.PCF076}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := p.Connect()
				open := openIn(p, c, p.Codec.LoopbackID())
				if _, ok := accepted(p, c, open); !ok {
					return
				}
				c.Send(&wire.ErrorMessage{ChannelID: open.TemporaryChannelID, Data: []byte("changed my mind")})
				p.Step("after an error for the temporary_channel_id")
				c.Send(open)
				harness.Await[*wire.AcceptChannel](c, rule.PCF076, "accept_channel for the id that is free again")
				c.After()
			},
		},
		recordLengthCase(-1), recordLengthCase(+1),
		harness.Case{
			Name: "pcf/open/unknown-even-record", Summary: "A node closes on an open_channel with an unknown even record.",
			Rules: []rule.ID{rule.PCF058}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c := acceptedControl(p)
				open := openIn(p, c, p.Codec.LoopbackID())
				open.Extra = wire.Stream{{Type: 65602, Value: []byte{1}}}
				c.Provoke(rule.PCF058, harness.Stimulus{Message: open, What: "an open_channel with unknown even record 65602"}, harness.AnyClose...)
				c.After()
			},
		},
	)
}

// attemptCases are about what becomes of attempts.
func attemptCases() []harness.Case {
	open := func(name, summary string, id rule.ID, body func(*harness.Play)) harness.Case {
		return harness.Case{Name: "pcf/attempts/" + name, Summary: summary, Rules: []rule.ID{id}, Features: factories, Protocol: harness.Loopback, Body: body}
	}
	again := func(c *harness.Peer, id rule.ID, m *wire.OpenChannel) {
		c.Send(m)
		harness.Await[*wire.AcceptChannel](c, id, "accept_channel")
	}
	return []harness.Case{
		open("reconnect", "A new connection may repeat the open_channel of the one before.", rule.PCF077, func(p *harness.Play) {
			c := p.Connect()
			m := openIn(p, c, p.Codec.LoopbackID())
			accepted(p, c, m)
			c.Close()
			c = p.DialAs(0)
			c.Exchange()
			p.Step("the same open_channel on a new connection")
			again(c, rule.PCF077, m)
			c.After()
		}),
		open("two-peers", "Two peers may use one temporary_channel_id.", rule.PCF078, func(p *harness.Play) {
			first := p.Connect()
			m := openIn(p, first, p.Codec.LoopbackID())
			accepted(p, first, m)
			second := p.Connect()
			p.Step("the same temporary_channel_id from another peer")
			again(second, rule.PCF078, m)
			second.After()
		}),
		{
			Name: "trn/notices/error-for-all", Summary: "An error with an all-zero channel_id ends the sender's attempts, and no others.",
			Rules: []rule.ID{rule.TRN075}, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				sender, other := p.Connect(), p.Connect()
				m, theirs := openIn(p, sender, p.Codec.LoopbackID()), openIn(p, other, p.Codec.LoopbackID())
				accepted(p, sender, m)
				accepted(p, other, theirs)
				sender.Send(&wire.ErrorMessage{Data: []byte("all of them")})
				if sender.Fence(); !sender.Open() { // closing is a node's right after an error for all
					sender = p.DialAs(0)
					sender.Exchange()
				}
				p.Step("after an error with an all-zero channel_id")
				again(sender, rule.TRN075, m)
				refused(p, other, rule.TRN075, "the open_channel of another peer once more, which is still open", theirs)
			},
		},
	}
}

// recordLengthCase: channel_in_factory of 65 or 67 bytes (PCF-068).
func recordLengthCase(by int) harness.Case {
	what := fmt.Sprintf("channel_in_factory of %d bytes", 66+by)
	return harness.Case{
		Name: fmt.Sprintf("pcf/open/record-%d-bytes", 66+by), Summary: "A node closes on " + what + ".", Rules: []rule.ID{rule.PCF068}, Features: factories, Protocol: harness.Loopback,
		Body: func(p *harness.Play) {
			c := acceptedControl(p)
			open := openIn(p, c, p.Codec.LoopbackID())
			raw := c.Encode(open)
			at := len(raw) - 66 - 1 // the record's length byte: the record is the last
			raw[at] = byte(66 + by)
			if by < 0 {
				raw = raw[:len(raw)-1]
			} else {
				raw = append(raw, 0)
			}
			c.Provoke(rule.PCF068, harness.Stimulus{Raw: raw, Planted: at, What: what}, harness.AnyClose...)
			c.After()
		},
	}
}

// One thing wrong with an open_channel.
type openFault struct {
	name, what string
	rule       rule.ID
	spoil      func(*wire.OpenChannel)
}

func openFaults() []openFault {
	bolt2 := func(name, what string, spoil func(*wire.OpenChannel)) openFault {
		return openFault{"bolt2-" + name, what, rule.PCF072, spoil}
	}
	return []openFault{
		{"unlisted-protocol", "a protocol nobody listed", rule.PCF060, func(m *wire.OpenChannel) {
			m.ChannelInFactory.ProtocolID = sha256.Sum256([]byte("Unheard/1"))
		}},
		{"zero-instance", "an instance the plugin does not know", rule.PCF061, func(m *wire.OpenChannel) { m.ChannelInFactory.InstanceID = [32]byte{} }},
		{"no-zeroconf", "a channel_type without option_zeroconf", rule.PCF062, func(m *wire.OpenChannel) {
			m.ChannelType = m.ChannelType.Without(wire.FeatureZeroConf)
		}},
		{"no-scid-alias", "a channel_type without option_scid_alias", rule.PCF063, func(m *wire.OpenChannel) {
			m.ChannelType = m.ChannelType.Without(wire.FeatureScidAlias)
		}},
		{"announced", "announce_channel set", rule.PCF064, func(m *wire.OpenChannel) { m.ChannelFlags = 1 }},
		{"early-warning-time-1998", "an early warning time of 1,998 blocks", rule.PCF069, func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = 1998 }},
		{"early-warning-time-65535", "an early warning time of 65,535 blocks", rule.PCF069, func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = 65535 }},
		{"unknown-channel-type", "a channel_type with unknown bit 1000", rule.PCF098, func(m *wire.OpenChannel) { m.ChannelType = m.ChannelType.With(1000) }},
		{"static-remotekey-type", "a channel_type without option_anchors", rule.PCF098, func(m *wire.OpenChannel) {
			m.ChannelType = m.ChannelType.Without(wire.FeatureAnchors)
		}},
		bolt2("chain-hash", "another chain", func(m *wire.OpenChannel) { m.ChainHash[0] ^= 1 }),
		bolt2("push-msat", "a push_msat above the funding", func(m *wire.OpenChannel) { m.PushMsat = 1000*m.FundingSat + 1 }),
		bolt2("max-accepted-htlcs", "484 max_accepted_htlcs", func(m *wire.OpenChannel) { m.MaxAcceptedHTLCs = 484 }),
		bolt2("dust-above-reserve", "a dust limit above the reserve", func(m *wire.OpenChannel) { m.DustLimitSat = m.ChannelReserveSat + 1 }),
		bolt2("dust-353", "a dust limit of 353 sat", func(m *wire.OpenChannel) { m.DustLimitSat = 353 }),
		bolt2("no-channel-type", "no channel_type", func(m *wire.OpenChannel) { m.ChannelType = nil }),
		bolt2("to-self-delay", "a to_self_delay of 65,535 blocks", func(m *wire.OpenChannel) { m.ToSelfDelay = 65535 }),
		bolt2("feerate-0", "a feerate of 0", func(m *wire.OpenChannel) { m.FeeratePerKw = 0 }),
		bolt2("feerate-huge", "a feerate of 10,000,000 that the funder could pay", func(m *wire.OpenChannel) { m.FeeratePerKw, m.FundingSat = 10_000_000, 16_000_000 }),
		bolt2("large-channel", "2^24 sat without option_support_large_channel", func(m *wire.OpenChannel) { m.FundingSat = 1 << 24 }),
		bolt2("all-pushed", "all funds pushed, so that nobody pays the fee", func(m *wire.OpenChannel) { m.PushMsat = 1000 * m.FundingSat }),
		bolt2("all-in-reserve", "both sides under the reserve", func(m *wire.OpenChannel) { m.ChannelReserveSat = m.FundingSat }),
		{"dust-1063", "a dust limit of 1,063 sat and a reserve that is not under it", rule.CHAN036, func(m *wire.OpenChannel) {
			m.DustLimitSat, m.ChannelReserveSat = 1063, max(m.ChannelReserveSat, 1063)
		}},
		bolt2("bad-point", "a funding_pubkey that is no point", func(m *wire.OpenChannel) { m.Keys.Funding[0] = 4 }),
	}
}

// openFaultCase: the right message is accepted first, then the same with one
// fault is refused, with its temporary_channel_id in the error (TRN-074).
func openFaultCase(f openFault) harness.Case {
	return harness.Case{
		Name: strings.ToLower(f.rule.Area()) + "/open/" + f.name, Summary: fmt.Sprintf("A node refuses an in-factory channel with %s.", f.what),
		Rules: []rule.ID{f.rule, rule.TRN074}, Features: factories, Protocol: harness.Loopback,
		Body: func(p *harness.Play) {
			c := acceptedControl(p)
			open := openIn(p, c, p.Codec.LoopbackID())
			f.spoil(open)
			f.refused(p, c, open)
			c.After()
		},
	}
}

// refused is the reaction to the fault. A point that is none makes a message
// that does not parse (TRN-040), so closing the connection is right as well.
func (f openFault) refused(p *harness.Play, c *harness.Peer, open *wire.OpenChannel) {
	if f.name != "bolt2-bad-point" {
		refused(p, c, f.rule, "an open_channel with "+f.what, open)
		return
	}
	c.Provoke(f.rule, harness.Stimulus{Message: open, What: "an open_channel with " + f.what}, slices.Concat(harness.FailChannel, harness.AnyClose)...)
}

// acceptedControl is the positive control: the same kind of open_channel,
// without a fault, is accepted. The fault is planted on a new connection,
// since a node may take one channel at a time.
func acceptedControl(p *harness.Play) *harness.Peer {
	c := p.Connect()
	p.Step("control: a right open_channel")
	accepted(p, c, openIn(p, c, p.Codec.LoopbackID()))
	return p.Connect()
}

// accepted sends an open_channel and waits for accept_channel.
func accepted(p *harness.Play, c *harness.Peer, open *wire.OpenChannel) (*wire.AcceptChannel, bool) {
	p.Step("a right open_channel was sent")
	c.Send(open)
	return harness.Await[*wire.AcceptChannel](c, rule.PCF065, "accept_channel")
}

// refused sends an open_channel and wants an error with its id.
func refused(p *harness.Play, c *harness.Peer, id rule.ID, what string, open *wire.OpenChannel) {
	r := c.Provoke(id, harness.Stimulus{Message: open, What: what}, harness.FailChannel...)
	sameChannel(p, rule.TRN074, r, open.TemporaryChannelID)
}

// checkAccept holds an accept_channel against PCF-073.
func checkAccept(p *harness.Play, o *wire.OpenChannel, a *wire.AcceptChannel) {
	p.Step("accept_channel")
	p.Check(rule.PCF073, a.TemporaryChannelID, gomega.Equal(o.TemporaryChannelID), "the temporary_channel_id of open_channel")
	p.Check(rule.PCF073, bytes.Equal(a.ChannelType, o.ChannelType), gomega.BeTrue(), "the channel_type of open_channel")
	p.Check(rule.PCF073, a.MinimumDepth, gomega.BeZero(), "a minimum_depth of 0")
	p.Check(rule.PCF073, a.ChannelReserveSat, gomega.BeNumerically(">=", o.DustLimitSat), "a reserve not under the opener's dust limit")
	p.Check(rule.PCF073, a.DustLimitSat, gomega.BeNumerically("<=", o.ChannelReserveSat), "a dust limit not above the opener's reserve")
	p.Check(rule.PCF073, a.DustLimitSat, gomega.BeNumerically("<=", a.ChannelReserveSat), "a dust limit not above its own reserve")
	p.Check(rule.PCF096, a.ChannelReserveSat, gomega.BeNumerically(">=", (o.FundingSat+99)/100), "a reserve of at least 1 % of the funding")
}

// Section 3.7 again: the target asks. Only an LSP opens channels.
func acceptCases() []harness.Case {
	lsp := []harness.Role{node.LSP}
	cases := []harness.Case{
		{
			Name: "pcf/accept/no-common-protocol", Summary: "An LSP opens no channel inside a factory to a peer without a common protocol.",
			Rules: []rule.ID{rule.PCF066}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				sold(p)
				c := p.Dial()
				c.ExchangeWith(nil, []wire.ProtocolID{})
				c.Sell(fundingSat)
				p.Step("told to sell, without a common protocol")
				if m, ok := harness.Find[*wire.OpenChannel](c.Control()); ok && m.ChannelInFactory != nil {
					p.Fail(rule.PCF066, "channel_in_factory names a protocol the suite did not list", "no such open_channel", fmt.Sprintf("%x", m.ChannelInFactory.ProtocolID))
				}
			},
		},
		{
			Name: "pcf/accept/open-flags", Summary: "An LSP's open_channel inside a factory has the right channel type and flags.",
			Rules: []rule.ID{rule.PCF067, rule.PCF097}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				_, open := sold(p)
				p.Step("the target's open_channel")
				p.Check(rule.PCF067, open.ChannelType.Bit(wire.FeatureZeroConf), gomega.BeTrue(), "option_zeroconf in channel_type")
				p.Check(rule.PCF067, open.ChannelType.Bit(wire.FeatureScidAlias), gomega.BeTrue(), "option_scid_alias in channel_type")
				p.Check(rule.PCF067, open.ChannelFlags&1, gomega.BeZero(), "announce_channel clear")
				p.Check(rule.PCF097, open.ChannelReserveSat, gomega.Equal(open.DustLimitSat), "a reserve that is the dust limit")
			},
		},
		{
			Name: "pcf/accept/after-refusal", Summary: "An accept_channel for an attempt that was failed is answered with an error.",
			Rules: []rule.ID{rule.PCF079}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c, open := sold(p)
				bad := rightAccept(p, open)
				bad.ChannelType = nil
				c.Provoke(rule.PCF074, harness.Stimulus{Message: bad, What: "an accept_channel without channel_type"}, harness.FailChannel...)
				if !c.Open() {
					return // the attempt ended with its connection
				}
				r := c.Provoke(rule.PCF079, harness.Stimulus{Message: rightAccept(p, open), What: "a right accept_channel, too late"}, harness.FailChannel...)
				sameChannel(p, rule.PCF079, r, open.TemporaryChannelID)
				c.After()
			},
		},
		{
			Name: "pcf/accept/unknown-even-record", Summary: "A node closes on an accept_channel with an unknown even record.",
			Rules: []rule.ID{rule.PCF058}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c, open := sold(p)
				a := rightAccept(p, open)
				a.Extra = wire.Stream{{Type: 65602, Value: []byte{1}}}
				c.Provoke(rule.PCF058, harness.Stimulus{Message: a, What: "an accept_channel with unknown even record 65602"}, harness.AnyClose...)
				c.After()
			},
		},
		{
			Name: "pcf/accept/right", Summary: "A right accept_channel is not refused.",
			Rules: []rule.ID{rule.PCF074}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c, open := sold(p)
				c.Provoke(rule.PCF074, harness.Stimulus{Message: rightAccept(p, open), What: "a right accept_channel"}, harness.Ignored)
			},
		},
	}
	for _, f := range []struct {
		name, what string
		spoil      func(*wire.OpenChannel, *wire.AcceptChannel)
	}{
		{"other-channel-type", "another channel_type", func(_ *wire.OpenChannel, a *wire.AcceptChannel) {
			a.ChannelType = a.ChannelType.Without(wire.FeatureScidAlias)
		}},
		{"no-channel-type", "no channel_type", func(_ *wire.OpenChannel, a *wire.AcceptChannel) { a.ChannelType = nil }},
		{"dust-above-reserve", "a dust limit above the reserve the target imposed", func(o *wire.OpenChannel, a *wire.AcceptChannel) {
			a.DustLimitSat = o.ChannelReserveSat + 1
			a.ChannelReserveSat = max(a.ChannelReserveSat, a.DustLimitSat)
		}},
		{"reserve-under-dust", "a reserve under the target's dust limit", func(o *wire.OpenChannel, a *wire.AcceptChannel) { a.ChannelReserveSat = o.DustLimitSat - 1 }},
		{"max-accepted-htlcs", "484 max_accepted_htlcs", func(_ *wire.OpenChannel, a *wire.AcceptChannel) { a.MaxAcceptedHTLCs = 484 }},
	} {
		cases = append(cases, harness.Case{
			Name: "pcf/accept/" + f.name, Summary: fmt.Sprintf("An LSP refuses an accept_channel with %s.", f.what),
			Rules: []rule.ID{rule.PCF074}, Roles: lsp, Tier: harness.Driver, Features: factories, Protocol: harness.Loopback,
			Body: func(p *harness.Play) {
				c, open := sold(p)
				a := rightAccept(p, open)
				f.spoil(open, a)
				r := c.Provoke(rule.PCF074, harness.Stimulus{Message: a, What: "an accept_channel with " + f.what}, harness.FailChannel...)
				sameChannel(p, rule.PCF074, r, open.TemporaryChannelID)
				c.After()
			},
		})
	}
	return cases
}

// sold has the target open a channel to the suite. That it does is the
// positive control of every case about it.
func sold(p *harness.Play) (*harness.Peer, *wire.OpenChannel) {
	c := p.Connect()
	p.Step("told to sell %d sat", fundingSat)
	c.Sell(fundingSat)
	return c, harness.MustAwait[*wire.OpenChannel](c, "open_channel after being told to sell")
}
