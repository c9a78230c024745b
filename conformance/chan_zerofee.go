package conformance

import (
	"encoding/binary"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// zero_fee_commitments, the extended channel type of section 3.7.

// typeUpdateFee is update_fee of BOLT 2: the channel_id and a feerate.
const typeUpdateFee wire.MsgType = 134

// zeroFees is what the cases about it need the target to offer.
var zeroFees = []wire.Feature{wire.FeatureFactories, wire.FeatureZeroFee}

func zeroFeeCases() []harness.Case {
	extended := func(c harness.Case) harness.Case {
		c.Features, c.Profile, c.Since = zeroFees, harness.Extended, "0.3"
		return c
	}
	cases := []harness.Case{
		extended(loopbackCase("pcf/open/zero-fee", "A node opens an in-factory channel whose commitments pay no fee.", zeroFeeOpens, rule.PCF065, rule.PCF098, rule.PCF073)),
		extended(loopbackCase("pcf/open/zero-fee-not-negotiated", "A node refuses commitments without a fee to a peer that does not offer them.", zeroFeeNotOffered, rule.PCF098)),
		extended(loopbackCase("chan/payment/zero-fee-update-fee", "A node ignores update_fee on a channel whose commitments pay no fee.", zeroFeeUpdate, rule.CHAN034)),
		extended(leafCase(node.Client, "zero-fee", "A client publishes a commitment that pays no fee together with a child.", func(p *harness.Play) { surfaced(leafWithoutFees(p)) }, rule.CHAN024)),
		extended(leafCase(node.Client, "zero-fee-revoked", "A client punishes a revoked commitment that pays no fee.", func(p *harness.Play) { revoked(leafWithoutFees(p)) }, rule.CHAN025)),
	}
	for _, f := range []openFault{
		{"bolt2-zero-fee-feerate", "zero_fee_commitments and a feerate of 253", rule.PCF072, func(m *wire.OpenChannel) { channel.ZeroFee(m); m.FeeratePerKw = 253 }},
		{"bolt2-zero-fee-htlcs", "zero_fee_commitments and 115 max_accepted_htlcs", rule.PCF072, func(m *wire.OpenChannel) { channel.ZeroFee(m); m.MaxAcceptedHTLCs = 115 }},
	} {
		cases = append(cases, extended(openFaultCase(f)))
	}
	return cases
}

func zeroFeeOpens(p *harness.Play) {
	c := p.Connect()
	open := openIn(p, c, p.Codec.LoopbackID())
	channel.ZeroFee(open)
	a, ok := accepted(p, c, open)
	if !ok {
		return
	}
	checkAccept(p, open, a)
	p.Check(rule.PCF073, int(a.MaxAcceptedHTLCs), gomega.BeNumerically("<=", commitment.ZeroFee.MaxHTLCs()), "at most 114 max_accepted_htlcs")
	c.After()
}

func zeroFeeNotOffered(p *harness.Play) {
	c := p.Dial()
	init := c.InitMessage()
	init.Features = init.Features.Without(wire.FeatureZeroFee + 1)
	c.ExchangeWith(init, p.Protocols())
	p.Step("control: a right open_channel")
	accepted(p, c, openIn(p, c, p.Codec.LoopbackID()))
	open := openIn(p, c, p.Codec.LoopbackID())
	channel.ZeroFee(open)
	refused(p, c, rule.PCF098, "an open_channel with zero_fee_commitments, which only the target offers", open)
	c.After()
}

// zeroFeeUpdate: BOLT 2 has the receiver ignore the message, and rather warn and
// disconnect; the channel is as it was.
func zeroFeeUpdate(p *harness.Play) {
	ch := p.Connect().OpenWith(harness.LoopbackOpen{ZeroFee: true})
	ch.Offer()
	id := ch.M.ChannelID()
	m := &wire.Base{Kind: typeUpdateFee, Payload: binary.BigEndian.AppendUint32(id[:], channel.MinFeeratePerKw)}
	ch.Provoke(rule.CHAN034, m, "update_fee on a channel whose commitments pay no fee", harness.Ignored, harness.Warned, harness.Closed, harness.WarnedClosed)
	ch.Reconnect()
	ch.Works(rule.CHAN034, "the channel goes on without a feerate")
}

// leafWithoutFees is leafOfClient with zero_fee_commitments.
func leafWithoutFees(p *harness.Play) *leaf {
	s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(lasted)})
	s.Leaf.Open = channel.ZeroFee
	ch := inUse(p, s)
	return &leaf{p, ch, s.Tree(), s.Factory(), s.Tree().Nodes()}
}
