package conformance

import (
	"bytes"
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// loopbackCase is a case about a Loopback channel: it needs no ceremony.
func loopbackCase(name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
	return harness.Case{Name: name, Summary: summary, Rules: ids, Features: factories, Protocol: harness.Loopback, Since: "0.3", Body: body}
}

// refusedOutpoint is the txid that Loopback does not confirm, and the instance
// that is never usable (PCF-160).
var refusedOutpoint = [32]byte(bytes.Repeat([]byte{0xff}, 32))

// Section 3.6, Loopback, as far as channels go.
func loopbackChannelCases() []harness.Case {
	return []harness.Case{
		loopbackCase("pcf/loopback/channel", "A Loopback channel opens with any outpoint.", func(p *harness.Play) {
			ch := p.Connect().Propose(harness.LoopbackOpen{})
			ch.Fund()
			ch.Want(rule.PCF160, 0, "funding_signed", true)
			ch.Want(rule.PCF160, 0, "channel_ready", true)
		}, rule.PCF160),
		loopbackCase("pcf/loopback/change", "A Loopback change is agreed to, continued and locked.", func(p *harness.Play) {
			ch := p.Connect().OpenLoopback()
			c := ch.Start(0)
			ch.Settle()
			if ch.Want(rule.PCF161, 0, "factory_change_continue", true) {
				_ = ch.M.Lock(c.Txid)
				ch.Settle()
				ch.Want(rule.PCF161, 0, "factory_change_locked", true)
			}
		}, rule.PCF161),
		loopbackCase("pcf/loopback/order", "A node begins a Loopback change when it is told to.", func(p *harness.Play) {
			ch := p.Connect().OpenLoopback()
			ch.OrderStart(0)
			ch.Want(rule.PCF162, 0, "factory_change_init", true)
			ch.Want(rule.PCF162, 0, "factory_change_continue", true)
		}, rule.PCF162),
	}
}

// Section 3.7, from funding_created on.
func fundingChannelCases() []harness.Case {
	return []harness.Case{
		loopbackCase("pcf/channel/refused-outpoint", "A node refuses a funding_created whose outpoint its plugin does not confirm.", func(p *harness.Play) {
			p.Connect().OpenLoopback()
			ch := p.Connect().Propose(harness.LoopbackOpen{Txid: refusedOutpoint})
			created := harness.Withhold[*wire.Base](ch, func() { _ = ch.M.Outpoint(refusedOutpoint, 0) })
			r := ch.Provoke(rule.PCF081, created[0], "a funding_created with an outpoint that the plugin refuses", harness.FailChannel...)
			sameChannel(p, rule.PCF081, r, ch.M.TemporaryID())
			ch.Peer.After()
		}, rule.PCF081),
		loopbackCase("pcf/channel/same-outpoint", "A node refuses a second channel on one outpoint.", func(p *harness.Play) {
			txid := p.Random32()
			first := p.Connect().OpenWith(harness.LoopbackOpen{Txid: txid})
			ch := p.Connect().Propose(harness.LoopbackOpen{Txid: txid})
			created := harness.Withhold[*wire.Base](ch, func() { _ = ch.M.Outpoint(txid, 0) })
			ch.Provoke(rule.PCF046, created[0], "a funding_created with the outpoint of another channel", harness.FailChannel...)
			first.Works(rule.PCF046, "the first channel goes on")
			ch.Peer.After()
		}, rule.PCF046),
		loopbackCase("pcf/channel/not-usable", "A node sends no channel_ready while its factory is not usable.", func(p *harness.Play) {
			p.Connect().OpenLoopback()
			ch := p.Connect().Propose(harness.LoopbackOpen{Instance: refusedOutpoint})
			ch.Fund()
			if len(ch.M.Fundings) == 0 || !ch.M.GotSigned {
				p.Fail(rule.PCF082, "positive control failed: funding_signed did not come", "funding_signed", fmt.Sprint(ch.Names()))
				return
			}
			ch.Want(rule.PCF082, 0, "channel_ready", false)
			ch.Peer.After()
		}, rule.PCF082),
		{
			Name: "pcf/channel/named-outpoint", Summary: "An opener uses the outpoint that its plugin names.", Rules: []rule.ID{rule.PCF080}, Roles: []harness.Role{node.LSP},
			Tier: harness.Driver, Features: factories, Protocol: harness.Loopback, Since: "0.3",
			Body: func(p *harness.Play) {
				ch := opened(p)
				f := ch.M.Fundings[0]
				p.Check(rule.PCF080, f.Txid, gomega.Equal(wire.Txid(ch.M.Open.ChannelInFactory.InstanceID)), "the txid that Loopback names")
				p.Check(rule.PCF080, f.Index, gomega.BeZero(), "the index that Loopback names")
			},
		},
		{
			Name: "pcf/channel/opener-remembers", Summary: "An opener knows its channel after a disconnection.", Rules: []rule.ID{rule.PCF095}, Roles: []harness.Role{node.LSP},
			Tier: harness.Driver, Features: factories, Protocol: harness.Loopback, Since: "0.3",
			Body: func(p *harness.Play) {
				ch := opened(p)
				from := len(ch.Log)
				ch.Reconnect()
				ch.Want(rule.PCF095, from, "channel_reestablish", true)
				ch.Peer.After()
			},
		},
	}
}

// opened has the target open a channel to the suite.
func opened(p *harness.Play) *harness.Channel {
	c, open := sold(p)
	ch := c.AcceptLoopback(open)
	ch.M.SetUsable()
	ch.Settle()
	ch.MustBeUp("the target opens a Loopback channel")
	return ch
}

// Section 8, as far as one channel shows it.
func channelEndCases() []harness.Case {
	return []harness.Case{
		loopbackCase("chan/closing/no-closing-signed", "A channel in a factory is shut down without a closing transaction.", func(p *harness.Play) {
			ch := p.Connect().OpenWith(harness.LoopbackOpen{Rules: rule.Without(rule.CHAN020)})
			ch.Offer()
			_ = ch.M.Shutdown(nil)
			ch.Settle()
			ch.Want(rule.CHAN020, 0, "shutdown", true)
			ch.Want(rule.CHAN020, 0, "closing_signed", false)
			ch.Peer.After()
		}, rule.CHAN020),
		loopbackCase("chan/closing/error-for-all", "An error with a channel_id of zeros fails every channel of its sender.", func(p *harness.Play) {
			c := p.Connect()
			first, second := c.OpenLoopback(), c.OpenLoopback()
			other := p.Connect().OpenLoopback()
			c.Send(&wire.ErrorMessage{Data: []byte("all of them")})
			c.Fence()
			p.Step("reconnected after an error with a channel_id of zeros")
			r := first.Drop()
			for _, m := range r.Messages {
				if x, ok := m.(*wire.ChannelReestablish); ok {
					p.Fail(rule.CHAN022, "the target goes on with a channel that was failed", "no channel_reestablish", fmt.Sprintf("channel_reestablish for %x", x.ChannelID))
				}
			}
			_ = second
			other.Works(rule.CHAN022, "the channel of another peer goes on")
		}, rule.CHAN022),
	}
}
