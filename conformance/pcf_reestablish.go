package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.8, reconnections.
func reestablishCases() []harness.Case {
	return []harness.Case{
		moving("next-funding-lacking", "next_funding names a change for which the peer's commitment_signed is missing.", rule.PCF150, func(p *harness.Play, ch *harness.Channel) {
			none(p, ch)
			c := ch.Fresh(0)
			harness.Withhold[*wire.CommitmentSigned](ch, func() { _ = ch.M.StartChange(0, c.Payload()) })
			nextFunding(p, ch, c.Txid, 1)
		}),
		moving("next-funding-committed", "next_funding names a change that is committed and not continued, and none that is.", rule.PCF150, func(p *harness.Play, ch *harness.Channel) {
			ch.Change()
			none(p, ch)
			c := committed(ch)
			nextFunding(p, ch, c.Txid, 0)
		}),
		moving("current-locked", "my_current_funding_locked is the outpoint that was locked last.", rule.PCF151, func(p *harness.Play, ch *harness.Channel) {
			locked(p, ch, ch.M.Fundings[0].Txid)
			lockNow(ch)
			locked(p, ch, ch.M.Fundings[0].Txid)
		}),
		moving("continue-again", "factory_change_continue is sent again on every connection.", rule.PCF152, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			for range 2 {
				from := len(ch.Log)
				ch.Reconnect()
				ch.Want(rule.PCF152, from, "factory_change_continue", true)
			}
			ch.Works(rule.PCF152, "the channel goes on")
		}),
		moving("commitment-again", "A node sends commitment_signed again that next_funding asks for.", rule.PCF153, func(_ *harness.Play, ch *harness.Channel) {
			ch.Deaf = func(m wire.Message) bool {
				_, ok := m.(*wire.CommitmentSigned)
				return ok
			}
			ch.Start(harness.NeverStored)
			ch.Settle()
			ch.Deaf = nil
			from := len(ch.Log)
			ch.Reconnect()
			ch.Want(rule.PCF153, from, "commitment_signed", true)
		}),
		moving("next-funding-in-use", "A node signs nothing again on an output in use.", rule.PCF159, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Change()
			for _, txid := range []wire.Txid{ch.M.Fundings[0].Txid, c.Txid} {
				from := len(ch.Log)
				bendReestablish(ch, func(m *wire.ChannelReestablish) { m.NextFunding = &wire.FundingState{Txid: txid, RetransmitFlags: 1} })
				ch.Want(rule.PCF159, from, "channel_reestablish", true)
				ch.Want(rule.PCF159, from, "commitment_signed", false)
			}
			ch.Works(rule.PCF159, "the channel goes on")
		}),
		moving("unknown-next-funding", "A node aborts a change that it does not know.", rule.PCF154, func(p *harness.Play, ch *harness.Channel) {
			from := len(ch.Log)
			bendReestablish(ch, func(m *wire.ChannelReestablish) { m.NextFunding = &wire.FundingState{Txid: p.Random32()} })
			ch.Want(rule.PCF154, from, "factory_change_abort", true)
		}),
		moving("two-next-fundings", "A node fails the channel when both sides name another next_funding.", rule.PCF155, func(p *harness.Play, ch *harness.Channel) {
			committed(ch)
			from := len(ch.Log)
			bendReestablish(ch, func(m *wire.ChannelReestablish) { m.NextFunding = &wire.FundingState{Txid: p.Random32()} })
			ch.Want(rule.PCF155, from, "error", true)
			ch.Peer.After()
		}),
		moving("locked-by-reestablish", "my_current_funding_locked of a pending change locks it.", rule.PCF156, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Change()
			harness.Withhold[*wire.ChangeLocked](ch, func() { _ = ch.M.Lock(c.Txid) })
			from := len(ch.Log)
			ch.Reconnect()
			ch.Want(rule.PCF156, from, "factory_change_locked", true)
		}),
	}
}

// committed takes a channel through a change as far as both first commitments are
// signed: neither side stores the new state.
func committed(ch *harness.Channel) harness.LoopbackChange {
	ch.Hold = func(a channel.Action) bool {
		_, ok := a.(channel.AskContinue)
		return ok
	}
	c := ch.Start(harness.NeverStored)
	ch.Settle()
	return c
}

// none checks that next_funding is not set when nothing is unfinished.
func none(p *harness.Play, ch *harness.Channel) {
	if m := ch.Reconnect(); m == nil || m.NextFunding != nil {
		p.Fail(rule.PCF150, "not as required: channel_reestablish without next_funding", "channel_reestablish without next_funding", "another one, or none")
	}
}

func nextFunding(p *harness.Play, ch *harness.Channel, txid wire.Txid, flags uint8) {
	m := ch.Reconnect()
	if m == nil || m.NextFunding == nil {
		p.Fail(rule.PCF150, "next_funding is missing", "next_funding", "channel_reestablish without it, or none")
		return
	}
	p.Check(rule.PCF150, m.NextFunding.Txid, gomega.Equal(txid), "the txid of the change")
	p.Check(rule.PCF150, m.NextFunding.RetransmitFlags, gomega.BeEquivalentTo(flags), "bit 0 when the peer's commitment_signed is missing, and only then")
}

func locked(p *harness.Play, ch *harness.Channel, txid wire.Txid) {
	m := ch.Reconnect()
	if m == nil || m.MyCurrentFundingLocked == nil {
		p.Fail(rule.PCF151, "my_current_funding_locked is missing", "my_current_funding_locked", "channel_reestablish without it, or none")
		return
	}
	p.Check(rule.PCF151, m.MyCurrentFundingLocked.Txid, gomega.Equal(txid), "the outpoint that was locked last")
	p.Check(rule.PCF151, m.MyCurrentFundingLocked.RetransmitFlags, gomega.BeZero(), "flags of 0")
}

// bendReestablish reconnects with another channel_reestablish. The suite's side
// does not judge the answer: it is not right itself.
func bendReestablish(ch *harness.Channel, alter func(*wire.ChannelReestablish)) {
	ch.Bend = func(m wire.Message) []wire.Message {
		if x, ok := m.(*wire.ChannelReestablish); ok {
			alter(x)
			return []wire.Message{x}
		}
		return []wire.Message{m}
	}
	ch.Reconnect()
	ch.Bend = nil
}
