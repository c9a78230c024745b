package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// moving is a case of section 3.8 about an open channel.
func moving(name, summary string, id rule.ID, body func(*harness.Play, *harness.Channel)) harness.Case {
	return loopbackCase("pcf/moving/"+name, summary, func(p *harness.Play) { body(p, p.Connect().OpenLoopback()) }, id)
}

// afterwards is the control behind a fault: the target is alive.
func afterwards(ch *harness.Channel) { ch.Peer.After() }

// quiet makes the channel quiescent by the suite and returns its
// factory_change_init, which is not sent.
func quiet(ch *harness.Channel, flags byte) *wire.ChangeInit {
	kept := harness.Withhold[*wire.ChangeInit](ch, func() { ch.Start(flags) })
	return kept[0].(*wire.ChangeInit)
}

// Section 3.8, the negotiation of a change.
func negotiationCases() []harness.Case {
	return []harness.Case{
		loopbackCase("pcf/moving/no-stfu-unasked", "A node sends no stfu for a change that nobody agreed to.", func(p *harness.Play) {
			ch := p.Connect().Propose(harness.LoopbackOpen{})
			ch.Fund()
			ch.Want(rule.PCF110, 0, "stfu", false)
			ch.MustBeUp("a Loopback channel opens")
			ch.Offer()
			ch.Want(rule.PCF110, 0, "stfu", false)
			ch.OrderStart(0)
			ch.Want(rule.PCF110, 0, "stfu", true)
		}, rule.PCF110),
		moving("no-init-after-shutdown", "A node begins no change of a channel that is shutting down.", rule.PCF111, func(p *harness.Play, ch *harness.Channel) {
			other := p.Connect().OpenLoopback()
			other.OrderStart(0)
			other.Want(rule.PCF111, 0, "factory_change_init", true)
			_ = ch.M.Shutdown(nil)
			ch.Settle()
			ch.OrderStart(0)
			ch.Want(rule.PCF111, 0, "stfu", false)
			ch.Want(rule.PCF111, 0, "factory_change_init", false)
		}),
		moving("init-unquiet", "A node refuses factory_change_init outside quiescence.", rule.PCF112, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			c := ch.Fresh(0)
			m := &wire.ChangeInit{Change: wire.Change{ChannelID: ch.M.ID, FundingPubkey: ch.M.Open.Keys.HTLC}, Payload: c.Payload()}
			ch.Provoke(rule.PCF112, m, "factory_change_init outside quiescence", harness.Refuse...)
			afterwards(ch)
		}),
		moving("too-large-contribution", "A node refuses a contribution of more than its sender has.", rule.PCF113, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			m := quiet(ch, 0)
			m.Change.FundingContributionSat = -600_001
			ch.Provoke(rule.PCF113, m, "a contribution of minus 600,001 sat with a balance of 600,000 sat", harness.Refuse...)
			afterwards(ch)
		}),
		moving("refused-change", "A node aborts a change that its plugin refuses.", rule.PCF114, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			from := len(ch.Log)
			ch.Start(harness.Refused)
			ch.Settle()
			ch.Want(rule.PCF114, from, "factory_change_abort", true)
			ch.Want(rule.PCF114, from, "factory_change_ack", false)
			afterwards(ch)
		}),
		moving("no-ack-unasked", "A node sends no factory_change_ack before factory_change_init.", rule.PCF115, func(_ *harness.Play, ch *harness.Channel) {
			m := quiet(ch, 0)
			ch.Want(rule.PCF115, 0, "stfu", true)
			ch.Want(rule.PCF115, 0, "factory_change_ack", false)
			ch.Peer.Send(m)
			ch.Settle()
			ch.Want(rule.PCF115, 0, "factory_change_ack", true)
		}),
		moving("ack-unasked", "A node refuses factory_change_ack without factory_change_init.", rule.PCF116, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			m := quiet(ch, 0)
			ch.Provoke(rule.PCF116, &wire.ChangeAck{Change: m.Change}, "factory_change_ack without factory_change_init", harness.Refuse...)
			afterwards(ch)
		}),
		moving("fresh-key", "A node takes a new funding_pubkey for every change.", rule.PCF117, func(p *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Change()
			seen := []wire.Point{ch.M.Accept.Keys.Funding}
			for _, m := range ch.Log {
				if ack, ok := m.(*wire.ChangeAck); ok {
					p.Check(rule.PCF117, seen, gomega.Not(gomega.ContainElement(ack.Change.FundingPubkey)), "a funding_pubkey that was not used before")
					seen = append(seen, ack.Change.FundingPubkey)
				}
			}
		}),
		moving("funding-after-ack", "A node names the outpoint after factory_change_ack.", rule.PCF118, func(p *harness.Play, ch *harness.Channel) {
			ch.Start(0)
			ch.Settle()
			names := ch.Names()
			ack, funding := slices.Index(names, "factory_change_ack"), slices.Index(names, "factory_change_funding")
			p.Check(rule.PCF118, ack >= 0 && ack < funding, gomega.BeTrue(), "factory_change_ack, and then factory_change_funding")
		}),
		moving("other-outpoint", "A node refuses an outpoint that its plugin does not name.", rule.PCF119, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			kept := harness.Withhold[*wire.ChangeFunding](ch, func() { ch.Start(0) })
			m := kept[0].(*wire.ChangeFunding)
			m.Outpoint.FundingTxid[0] ^= 1
			ch.Provoke(rule.PCF119, m, "factory_change_funding with another txid", harness.Refuse...)
			afterwards(ch)
		}),
		moving("nineteen-pending", "A node begins no twentieth pending change.", rule.PCF107, func(_ *harness.Play, ch *harness.Channel) {
			for range 18 {
				ch.Change()
			}
			from := len(ch.Log)
			ch.OrderStart(0)
			ch.Want(rule.PCF107, from, "factory_change_init", true)
			from = len(ch.Log)
			ch.OrderStart(0)
			ch.Want(rule.PCF107, from, "factory_change_init", false)
		}),
		moving("ack", "A node answers factory_change_init that its plugin accepts.", rule.PCF128, func(_ *harness.Play, ch *harness.Channel) {
			ch.Start(0)
			ch.Settle()
			ch.Want(rule.PCF128, 0, "factory_change_ack", true)
		}),
		moving("abort-unasked", "A node refuses factory_change_abort when there is no change.", rule.PCF145, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Provoke(rule.PCF145, &wire.ChangeAbort{ChannelID: ch.M.ID, Data: []byte("what?")}, "factory_change_abort without a change that can be aborted", harness.WarnAndClose...)
			afterwards(ch)
		}),
		moving("abort", "A node forgets a change that is aborted, says so, and goes on.", rule.PCF141, func(_ *harness.Play, ch *harness.Channel) {
			harness.Withhold[*wire.ChangeFunding](ch, func() { ch.Start(0) })
			_ = ch.M.AbortChange("changed my mind")
			ch.Settle()
			ch.Want(rule.PCF141, 0, "factory_change_abort", true)
			ch.Works(rule.PCF141, "quiescence is over")
		}),
	}
}

// Section 3.8, from the first signatures on a new outpoint until it is locked.
func commitmentCases() []harness.Case {
	return []harness.Case{
		moving("first-commitment", "A node signs the first commitment on a new outpoint.", rule.PCF129, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			from := len(ch.Log)
			ch.Start(0)
			ch.Settle()
			ch.Want(rule.PCF129, from, "commitment_signed", true)
		}),
		moving("first-signature", "The first commitment on a new outpoint is the right one.", rule.PCF120, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			from := len(ch.Log)
			ch.Start(0)
			ch.Settle()
			ch.Want(rule.PCF120, from, "factory_change_continue", true)
		}),
		moving("no-revocation", "The first commitment on a new outpoint is not answered with revoke_and_ack.", rule.PCF121, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			from := len(ch.Log)
			ch.Start(0)
			ch.Settle()
			ch.Want(rule.PCF121, from, "revoke_and_ack", false)
			ch.Want(rule.PCF121, from, "factory_change_continue", true)
		}),
		moving("no-batch-at-first", "The first commitment on a new outpoint comes without start_batch.", rule.PCF136, func(_ *harness.Play, ch *harness.Channel) {
			from := len(ch.Log)
			ch.Start(0)
			ch.Settle()
			ch.Want(rule.PCF136, from, "start_batch", false)
			ch.Want(rule.PCF136, from, "commitment_signed", true)
		}),
		moving("not-stored", "A node does not continue before its plugin has stored the new state.", rule.PCF122, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			from := len(ch.Log)
			ch.Start(harness.NeverStored)
			ch.Settle()
			ch.Want(rule.PCF122, from, "commitment_signed", true)
			ch.Want(rule.PCF122, from, "factory_change_continue", false)
		}),
		moving("stands", "A node takes no commitment on the output in use while a change stands on the last one.", rule.PCF138, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			signed := ch.SignsUnasked()
			from := len(ch.Log)
			committed(ch)
			ch.Want(rule.PCF138, from, "commitment_signed", true)
			ch.Provoke(rule.PCF138, signed, "a commitment_signed on the output in use", harness.WarnAndClose...)
			afterwards(ch)
		}),
		moving("stands-called-off", "A node takes no commitment on the output in use while its factory_change_abort is not answered.", rule.PCF138, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			signed := ch.SignsUnasked()
			committed(ch)
			harness.Withhold[*wire.ChangeAbort](ch, func() { ch.Order(harness.OrderAbort) })
			ch.Provoke(rule.PCF138, signed, "a commitment_signed on the output in use", harness.WarnAndClose...)
			afterwards(ch)
		}),
		moving("other-continue", "A node refuses factory_change_continue with another outpoint.", rule.PCF147, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			kept := harness.Withhold[*wire.ChangeContinue](ch, func() { ch.Start(0) })
			m := kept[0].(*wire.ChangeContinue)
			m.Outpoint.FundingOutputIndex++
			ch.Provoke(rule.PCF147, m, "factory_change_continue with another index", harness.Refuse...)
			afterwards(ch)
		}),
		moving("quiescence-ends", "Quiescence ends with factory_change_continue.", rule.PCF123, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Works(rule.PCF123, "payments go on after factory_change_continue")
		}),
		moving("continue-twice", "A second factory_change_continue is ignored.", rule.PCF157, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Change()
			m := &wire.ChangeContinue{Outpoint: wire.ChangeOutpoint{ChannelID: ch.M.ID, FundingTxid: c.Txid, FundingOutputIndex: c.Index}}
			ch.Provoke(rule.PCF157, m, "factory_change_continue once more", harness.Ignored)
			if ch.Peer.Open() {
				ch.Works(rule.PCF157, "the channel goes on")
			}
		}),
		moving("pending-not-aborted", "A node does not abort a change that is pending.", rule.PCF140, func(_ *harness.Play, ch *harness.Channel) {
			kept := harness.Withhold[*wire.ChangeContinue](ch, func() { ch.Start(0) })
			from := len(ch.Log)
			ch.Order(harness.OrderAbort)
			ch.Want(rule.PCF140, from, "factory_change_abort", false)
			ch.Peer.Send(kept[0])
			ch.Settle()
			ch.Works(rule.PCF140, "the change is continued")
		}),
		moving("pending-not-forgotten", "A node does not forget a pending change because of factory_change_abort.", rule.PCF143, func(_ *harness.Play, ch *harness.Channel) {
			kept := harness.Withhold[*wire.ChangeContinue](ch, func() { ch.Start(0) })
			from := len(ch.Log)
			ch.Peer.Send(&wire.ChangeAbort{ChannelID: ch.M.ID, Data: []byte("too late")})
			ch.Settle()
			ch.Want(rule.PCF143, from, "factory_change_abort", false)
			ch.Peer.Send(kept[0])
			ch.Settle()
			ch.Works(rule.PCF143, "the change is continued")
		}),
		moving("lock-unknown", "A node refuses factory_change_locked for what is not pending.", rule.PCF124, func(p *harness.Play, ch *harness.Channel) {
			ch.Change()
			m := &wire.ChangeLocked{ChannelID: ch.M.ID, LockedFundingTxid: p.Random32()}
			ch.Provoke(rule.PCF124, m, "factory_change_locked for an unknown txid", harness.Refuse...)
			afterwards(ch)
		}),
		moving("lock-refused", "A node refuses factory_change_locked when its plugin does not know the txid as the new state.", rule.PCF124, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Start(harness.NeverLocked)
			ch.Settle()
			ch.MustBeUp("a change of a Loopback channel")
			kept := harness.Withhold[*wire.ChangeLocked](ch, func() { _ = ch.M.Lock(c.Txid) })
			ch.Provoke(rule.PCF124, kept[0], "factory_change_locked for what the plugin never locks", harness.Refuse...)
			afterwards(ch)
		}),
		moving("no-lock-unasked", "A node locks nothing on its own.", rule.PCF148, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Change()
			ch.Works(rule.PCF148, "the channel goes on")
			ch.Want(rule.PCF148, 0, "factory_change_locked", false)
			ch.Order(harness.OrderLock, c.Txid[:])
			ch.Want(rule.PCF148, 0, "factory_change_locked", true)
		}),
		moving("lock-crosses-stfu", "A node whose stfu is not answered answers factory_change_locked.", rule.PCF172, func(_ *harness.Play, ch *harness.Channel) {
			c := ch.Change()
			from := len(ch.Log)
			kept := harness.Withhold[*wire.ChangeLocked](ch, func() {
				_ = ch.M.Lock(c.Txid)
				ch.OrderStart(0)
			})
			if !ch.Want(rule.PCF172, from, "stfu", true) || !ch.Want(rule.PCF172, from, "factory_change_locked", false) {
				return
			}
			ch.Peer.Send(kept[0])
			ch.Settle()
			ch.Want(rule.PCF172, from, "factory_change_locked", true)
			ch.Want(rule.PCF172, from, "factory_change_continue", true)
			ch.Works(rule.PCF172, "the channel goes on")
		}),
		unanswered(),
		moving("locked-alone", "After factory_change_locked the new outpoint is used alone.", rule.PCF125, func(_ *harness.Play, ch *harness.Channel) {
			from := lockNow(ch)
			ch.Works(rule.PCF125, "the channel goes on, on the new outpoint")
			ch.Want(rule.PCF125, from, "start_batch", false)
		}),
		moving("same-id", "A channel keeps its id when its outpoint changes.", rule.PCF126, func(_ *harness.Play, ch *harness.Channel) {
			lockNow(ch)
			ch.Works(rule.PCF126, "the channel goes on, under its id")
		}),
	}
}

// unanswered is a case that waits for a minute where the suite cannot set the clock of
// the target.
func unanswered() harness.Case {
	c := moving("stfu-unanswered", "A node does not wait for the answer to its stfu for ever.", rule.PCF173, func(p *harness.Play, ch *harness.Channel) {
		harness.Withhold[*wire.Stfu](ch, func() { ch.OrderStart(0) })
		ch.Peer.Control()
		p.Pass(60 * time.Second)
		p.Step("60 seconds later")
		if got := ch.Peer.ReadToEnd(); got != harness.Closed {
			p.Fail(rule.PCF173, "the target waits for ever", "a closed connection", string(got))
			return
		}
		from := len(ch.Log)
		ch.Reconnect()
		ch.Want(rule.PCF173, from, "channel_reestablish", true)
		ch.Want(rule.PCF173, from, "error", false)
		ch.Works(rule.PCF173, "the channel goes on")
	})
	c.Slow = true
	return c
}

// lockNow takes a channel through a change to its end and returns the length of
// the log then.
func lockNow(ch *harness.Channel) int {
	c := ch.Change()
	_ = ch.M.Lock(c.Txid)
	ch.Settle()
	return len(ch.Log)
}

// commitmentKind is the message_type of a batch.
func commitmentKind() *uint16 {
	kind := uint16(wire.TypeCommitmentSigned)
	return &kind
}

// Section 3.8, batches.
func batchCases() []harness.Case {
	cases := []harness.Case{
		moving("batch", "An update is signed for the current and each pending outpoint, in a batch.", rule.PCF130, func(p *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Change()
			from := len(ch.Log)
			ch.Works(rule.PCF130, "payments go on, in batches")
			checkBatches(p, ch, from)
		}),
		moving("every-outpoint", "Every update is signed for every pending outpoint.", rule.PCF144, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Works(rule.PCF144, "payments go on, on both outpoints")
			ch.Works(rule.PCF144, "and again")
		}),
		moving("one-revocation", "A complete batch is answered with one revoke_and_ack.", rule.PCF134, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Works(rule.PCF134, "payments go on, in batches")
		}),
		moving("large-batch", "A node refuses a batch of 21.", rule.PCF131, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			ch.Provoke(rule.PCF131, &wire.StartBatch{ChannelID: ch.M.ID, BatchSize: 21, MessageType: commitmentKind()}, "start_batch with a batch_size of 21", harness.Refuse...)
			afterwards(ch)
		}),
		moving("foreign-batch", "A node refuses a batch with a message for another channel.", rule.PCF131, func(p *harness.Play, ch *harness.Channel) {
			other := ch.Peer.OpenLoopback()
			ch.Offer()
			ch.Peer.Send(&wire.StartBatch{ChannelID: ch.M.ID, BatchSize: 2, MessageType: commitmentKind()})
			ch.Provoke(rule.PCF131, &wire.Stfu{ChannelID: other.M.ID, Initiator: 1}, "stfu for another channel in a batch", harness.Refuse...)
			afterwards(ch)
		}),
		moving("unbatched", "A node with a pending change fails the channel on an update that is not signed in a batch.", rule.PCF133, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Offer()
			kept := harness.Withhold[*wire.StartBatch](ch, ch.Add)
			ch.Provoke(rule.PCF133, kept[1], "a commitment_signed that is not in a batch", harness.FailChannel...)
			afterwards(ch)
		}),
		moving("incomplete-batch", "A node fails the channel on a batch that lacks a pending outpoint.", rule.PCF133, func(_ *harness.Play, ch *harness.Channel) {
			ch.Change()
			ch.Offer()
			kept := harness.Withhold[*wire.StartBatch](ch, ch.Add)
			ch.Peer.Send(kept[0])
			ch.Peer.Send(kept[1])
			ch.Provoke(rule.PCF133, kept[1], "a batch with the same funding_txid twice", harness.FailChannel...)
			afterwards(ch)
		}),
		moving("stale-batch", "A node without pending changes ignores what a batch has for other outpoints.", rule.PCF135, func(p *harness.Play, ch *harness.Channel) {
			ch.Offer()
			ch.Bend = func(m wire.Message) []wire.Message {
				c, ok := m.(*wire.CommitmentSigned)
				if !ok {
					return []wire.Message{m}
				}
				stale := *c
				txid := wire.Txid(p.Random32())
				stale.FundingTxid = &txid
				return []wire.Message{&wire.StartBatch{ChannelID: c.ChannelID, BatchSize: 2, MessageType: commitmentKind()}, c, &stale}
			}
			ch.Works(rule.PCF135, "the channel goes on")
		}),
	}
	other := uint16(133)
	for _, f := range []struct {
		name, what string
		batch      wire.StartBatch
	}{
		{"small-batch", "with a batch_size of 1", wire.StartBatch{BatchSize: 1, MessageType: commitmentKind()}},
		{"untyped-batch", "without message_type", wire.StartBatch{BatchSize: 2}},
		{"other-batch", "with message_type 133", wire.StartBatch{BatchSize: 2, MessageType: &other}},
	} {
		cases = append(cases, moving(f.name, "A node ignores a start_batch "+f.what+".", rule.PCF132, func(_ *harness.Play, ch *harness.Channel) {
			ch.Offer()
			batch := f.batch
			batch.ChannelID = ch.M.ID
			ch.Provoke(rule.PCF132, &batch, "start_batch "+f.what, harness.Ignored)
			if ch.Peer.Open() {
				ch.Works(rule.PCF132, "the channel goes on")
			}
		}))
	}
	return cases
}

// checkBatches holds the target's batches against PCF-130, for the case's first rule.
func checkBatches(p *harness.Play, ch *harness.Channel, from int) {
	id := p.Case.Rules[0]
	var want []wire.Txid
	for _, f := range ch.M.Fundings {
		want = append(want, f.Txid)
	}
	batches := 0
	for i, m := range ch.Log[from:] {
		b, ok := m.(*wire.StartBatch)
		if !ok {
			continue
		}
		batches++
		p.Check(id, b.BatchSize, gomega.BeEquivalentTo(len(want)), fmt.Sprintf("a batch_size of %d", len(want)))
		p.Check(id, b.MessageType, gomega.HaveValue(gomega.BeEquivalentTo(132)), "message_type 132")
		var got []wire.Txid
		for _, m := range ch.Log[min(from+i+1, len(ch.Log)):min(from+i+1+len(want), len(ch.Log))] {
			if c, ok := m.(*wire.CommitmentSigned); ok && c.FundingTxid != nil {
				got = append(got, *c.FundingTxid)
			}
		}
		p.Check(id, got, gomega.ConsistOf(want), "one commitment_signed for each outpoint, nothing between")
	}
	p.Check(id, batches, gomega.BeNumerically(">=", 1), "start_batch before the signatures of an update")
}
