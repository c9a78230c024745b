package conformance

import (
	"slices"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 3.9: messages out of place. The whole table is played against the reference
// node where its hub is tested; here is one of each kind.
func placeCases() []harness.Case {
	return []harness.Case{
		loopbackCase("pcf/place/accept-late", "An accept_channel for an attempt that is past it ends the attempt.", func(p *harness.Play) {
			p.Connect().OpenLoopback()
			ch := p.Connect().Propose(harness.LoopbackOpen{})
			ch.Provoke(rule.PCF165, channel.NewAccept(ch.M.Open, ch.M.Open.Keys), "an accept_channel of the opener", harness.FailChannel...)
			from := len(ch.Log)
			ch.Fund()
			ch.Want(rule.PCF165, from, "funding_signed", false)
			ch.Peer.After()
		}, rule.PCF165),
		loopbackCase("pcf/place/before-ready", "A node refuses updates, commitments and stfu before channel_ready.", func(p *harness.Play) {
			p.Connect().OpenLoopback()
			for _, early := range []func(*harness.Channel) wire.Message{
				func(ch *harness.Channel) wire.Message { return &wire.Base{Kind: 128, Payload: addOn(ch)} },
				func(ch *harness.Channel) wire.Message {
					return &wire.CommitmentSigned{ChannelID: ch.M.ID, Signature: ch.M.Fundings[0].Sig}
				},
				func(ch *harness.Channel) wire.Message { return &wire.Stfu{ChannelID: ch.M.ID, Initiator: 1} },
			} {
				ch := p.Connect().OpenUnusable(refusedOutpoint)
				m := early(ch)
				if !ch.Want(rule.PCF166, 0, "funding_signed", true) {
					return
				}
				ch.Provoke(rule.PCF166, m, m.Name()+" before channel_ready", harness.WarnAndClose...)
				livesOn(rule.PCF166, ch)
			}
		}, rule.PCF166),
		moving("update-after-stfu", "A node takes no update after stfu.", rule.PCF167, func(_ *harness.Play, ch *harness.Channel) {
			quiet(ch, 0)
			ch.Provoke(rule.PCF167, &wire.Base{Kind: 128, Payload: addOn(ch)}, "update_add_htlc after stfu", harness.WarnAndClose...)
			livesOn(rule.PCF167, ch)
			ch.Works(rule.PCF167, "the channel goes on")
		}),
		moving("before-reestablish", "A node takes nothing about a channel before channel_reestablish.", rule.PCF168, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			ch.Drop()
			ch.Provoke(rule.PCF168, &wire.Base{Kind: 128, Payload: addOn(ch)}, "update_add_htlc before channel_reestablish", harness.WarnAndClose...)
			livesOn(rule.PCF168, ch)
			ch.Works(rule.PCF168, "the channel goes on")
		}),
		moving("failed-for-good", "A channel that was failed is not heard of again but by the error.", rule.PCF169, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			ch.Peer.Send(&wire.ErrorMessage{ChannelID: ch.M.ID, Data: []byte("that is all")})
			ch.Settle()
			ch.Provoke(rule.PCF169, &wire.Base{Kind: 128, Payload: addOn(ch)}, "update_add_htlc on a channel that was failed", harness.Ignored)
			from := len(ch.Log)
			ch.Take(ch.Drop())
			ch.Want(rule.PCF169, from, "error", true)
			ch.Want(rule.PCF169, from, "channel_reestablish", false)
			afterwards(ch)
		}),
		moving("revoke-unasked", "A node fails the channel on a revoke_and_ack that nothing waits for.", rule.PCF171, func(p *harness.Play, ch *harness.Channel) {
			ch.Offer()
			id, secret, next := ch.M.ID, p.Random32(), ch.M.Open.Keys.HTLC
			m := &wire.Base{Kind: 133, Payload: slices.Concat(id[:], secret[:], next[:])}
			ch.Provoke(rule.PCF171, m, "revoke_and_ack that nothing waits for", harness.FailChannel...)
			afterwards(ch)
		}),
		loopbackCase("trn/notices/error-in-batch", "An error for another channel in the middle of a batch is no part of it.", func(p *harness.Play) {
			ch := p.Connect().OpenLoopback()
			ch.Offer()
			kind := uint16(wire.TypeCommitmentSigned)
			ch.Peer.Send(&wire.StartBatch{ChannelID: ch.M.ID, BatchSize: 2, MessageType: &kind})
			ch.Provoke(rule.TRN070, &wire.ErrorMessage{ChannelID: p.Random32(), Data: []byte("no such thing")}, "an error for a channel that there is not", harness.Ignored)
			livesOn(rule.TRN070, ch)
			ch.Works(rule.TRN070, "the channel goes on")
		}, rule.TRN070),
		moving("open-in-batch", "A message that opens a channel breaks a batch off.", rule.PCF131, func(p *harness.Play, ch *harness.Channel) {
			ch.Offer()
			kind := uint16(wire.TypeCommitmentSigned)
			ch.Peer.Send(&wire.StartBatch{ChannelID: ch.M.ID, BatchSize: 2, MessageType: &kind})
			open := *ch.M.Open
			open.TemporaryChannelID = p.Random32()
			ch.Provoke(rule.PCF131, &open, "open_channel in a batch", harness.Refuse...)
			afterwards(ch)
		}),
	}
}

// livesOn requires that the channel is there on the next connection.
func livesOn(id rule.ID, ch *harness.Channel) {
	from := len(ch.Log)
	ch.Reconnect()
	ch.Want(id, from, "channel_reestablish", true)
}
