package conformance

import (
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.4: channels that move with an update.

func movingCases() []harness.Case {
	lsp, client := harness.Role(node.LSP), harness.Role(node.Client)
	var cases []harness.Case
	both := func(name, summary string, body func(func() *updating), id rule.ID) {
		cases = append(cases,
			leafCase(lsp, name, "An LSP"+summary, func(p *harness.Play) { body(func() *updating { return movingOfLSP(p) }) }, id),
			leafCase(client, name, "A client"+summary, func(p *harness.Play) { body(func() *updating { return movingOfClient(p) }) }, id))
	}
	cases = append(cases,
		leafCase(lsp, "commitment-first", "An LSP does not begin phase 1 of an update before it has the commitment_signed of every channel below the state.", lspCommitsFirst, rule.CHG001),
		leafCase(client, "commitment-first", "A client gives no partial signature of phase 1 of an update before it has commitment_signed on the new outpoint.", clientCommitsFirst, rule.CHG002),
		leafCase(client, "htlc-signatures", "A client gives no partial signature of phase 1 of an update when an HTLC is not signed for the new outpoint.", clientChecksHTLCs, rule.CHG002))
	both("funding-key", " keeps its funding_pubkey in a change, and refuses another one of its peer.", keyStays, rule.CHG003)
	both("contribution", " contributes what the update gives, and refuses another contribution of its peer.", contributionFits, rule.CHG004)
	both("continue", " continues a channel when phase 1 is complete, and not before.", continuesInTime, rule.CHG005)
	both("lock", " locks a change when the poison of the replaced leaf is complete, and not before.", locksInTime, rule.CHG006)
	both("round", " signs once on the new outpoint alone after a change has locked.", roundFollows, rule.CHG007)
	both("ended-early", " calls a change off whose update ended before phase 1 began.", calledOff, rule.CHG009)
	both("ended-late", " does not call a change off whose update ended after phase 1 began.", notCalledOff, rule.CHG010)
	both("goes-on", " continues a channel whose update ended after phase 1 began, and payments go on on both outpoints.", goesOn, rule.CHG025)
	both("replaced-kept", " that sees a revoked commitment on a replaced output takes what the revocation gives it.", oldStatePunished, rule.PCF127)
	both("called-off-kept", " punishes what was signed for a change that was called off, when the same change is made again.", calledOffPunished, rule.CHG026)
	both("sale", " does nothing with the channels of a group when its stock is sold.", saleLeavesChannels, rule.CHG011)
	return append(cases,
		leafCase(lsp, "one-change-of-a-leaf", "An LSP makes no second update while channels of a leaf are quiet for one.", oneChangeOfALeaf, rule.CHG014),
		leafCase(lsp, "called-off-first", "An LSP makes no other update before the change that it called off is over in every channel.", calledOffFirst, rule.CHG014),
		leafCase(lsp, "one-after-the-other", "An LSP makes no update before the channels below it have done with the one before.", oneAfterTheOther, rule.CHG012),
		leafCase(lsp, "all-go-quiet", "An LSP moves the channels that its update leaves as large as they were, too.", allGoQuiet, rule.CHG013),
	)
}

func lspCommitsFirst(p *harness.Play) {
	m := movingOfLSP(p)
	release := m.keep(m.last, "commitment_signed")
	m.update()
	p.Check(rule.CHG001, m.clients.Heard(0, wire.TypeSignatures, 0), gomega.BeTrue(), "control: phase 0 is signed")
	for i := range 2 {
		p.Check(rule.CHG001, m.clients.Heard(i, wire.TypeAggregate, 1), gomega.BeFalse(), "no aggregate nonces of phase 1 before commitment_signed of every channel")
	}
	release()
	m.ended(rule.CHG001, endsWell)
}

func clientCommitsFirst(p *harness.Play) {
	m := movingOfClient(p)
	release := m.keep(m.ch, "commitment_signed")
	m.update()
	sent := slices.ContainsFunc(m.lsp.Sent, func(x wire.Ceremony) bool {
		a, ok := x.(*wire.AggregateNonces)
		return ok && a.Phase == 1
	})
	p.Check(rule.CHG002, sent, gomega.BeTrue(), "control: the aggregate nonces of phase 1 are sent")
	p.Check(rule.CHG002, m.signs(1), gomega.BeFalse(), "no partial signatures of phase 1 before commitment_signed")
	release()
	m.ended(rule.CHG002, endsWell)
}

// clientChecksHTLCs moves a channel with an HTLC of the target in it twice: signed as
// it should be, and with another signature on that HTLC.
func clientChecksHTLCs(p *harness.Play) {
	for _, right := range []bool{true, false} {
		m := movingOfClient(p)
		m.pays(20_000_000)
		m.ch.Offered(5_000_000)
		bent := false
		m.ch.Bend = func(x wire.Message) []wire.Message {
			if c, ok := x.(*wire.CommitmentSigned); ok && !right && len(c.HTLCSignatures) == 1 {
				other := *c
				other.HTLCSignatures = []wire.Signature{c.Signature}
				x, bent = &other, true
			}
			return []wire.Message{x}
		}
		m.update()
		m.ch.Bend = nil
		if right {
			m.ended(rule.CHG002, endsWell)
			continue
		}
		p.Check(rule.CHG002, bent, gomega.BeTrue(), "control: the update comes as far as a commitment with an HTLC")
		p.Check(rule.CHG002, m.signs(1), gomega.BeFalse(), "no partial signatures of phase 1 without a signature on the HTLC")
	}
}

// bent is an update in which the suite's part of the change is altered: the target
// refuses it, and takes part in the update without the fault.
func bent(m *updating, id rule.ID, alter func(*wire.Change)) {
	from := len(m.ch.Log)
	m.ch.Bend = func(x wire.Message) []wire.Message {
		switch x := x.(type) {
		case *wire.ChangeInit:
			alter(&x.Change)
		case *wire.ChangeAck:
			alter(&x.Change)
		}
		return []wire.Message{x}
	}
	m.update()
	m.ch.Bend = nil
	m.ch.Want(id, from, "factory_change_abort", true)
	m.end()
	m.update()
	m.ended(id, endsWell)
}

func keyStays(begin func() *updating) {
	m := begin()
	m.update() // the suite's side compares the target's key
	m.ended(rule.CHG003, endsWell)
	m = begin()
	bent(m, rule.CHG003, func(c *wire.Change) { c.FundingPubkey = m.p.Point("another funding key") })
}

func contributionFits(begin func() *updating) {
	m := begin()
	m.update() // the suite's side compares the target's contribution
	m.ended(rule.CHG004, endsWell)
	bent(begin(), rule.CHG004, func(c *wire.Change) { c.FundingContributionSat++ })
}

func continuesInTime(begin func() *updating) {
	inTime(begin(), rule.CHG005, 1, "factory_change_continue")
}

func locksInTime(begin func() *updating) {
	inTime(begin(), rule.CHG006, 2, "factory_change_locked")
}

// inTime requires that a message comes with a phase and not before.
func inTime(m *updating, id rule.ID, phase uint8, name string) {
	from := len(m.ch.Log)
	m.hold(phase, wire.TypePartials)
	m.update()
	m.ch.Want(id, from, "commitment_signed", true)
	m.ch.Want(id, from, name, false)
	m.release()
	m.ch.Want(id, from, name, true)
	m.ended(id, endsWell)
}

func roundFollows(begin func() *updating) {
	m := begin()
	m.update()
	locked := slices.IndexFunc(m.ch.Log, func(x wire.Message) bool { return x.Name() == "factory_change_locked" })
	if !m.p.Check(rule.CHG007, locked >= 0, gomega.BeTrue(), "control: the change locks") {
		return
	}
	if m.ch.Want(rule.CHG007, locked, "commitment_signed", true) {
		m.p.Check(rule.CHG007, m.ch.Count(locked, "commitment_signed"), gomega.Equal(1), "one commitment_signed, on the new outpoint alone")
		m.ch.Want(rule.CHG007, locked, "start_batch", false)
		m.ended(rule.CHG007, endsWell)
	}
}

// calledOff ends an update that both sides have committed to. The suite's client
// keeps its own factory_change_abort back meanwhile: the target's is no echo.
func calledOff(begin func() *updating) {
	m := begin()
	from := len(m.ch.Log)
	m.hold(1, wire.TypeNonces)
	abort := func() {}
	if m.clients != nil {
		abort = m.keep(m.ch, "factory_change_abort")
	}
	m.update()
	m.ch.Want(rule.CHG009, from, "commitment_signed", true)
	m.ch.Want(rule.CHG009, from, "factory_change_abort", false)
	m.end()
	m.ch.Want(rule.CHG009, from, "factory_change_abort", true)
	abort()
	if m.clients != nil {
		m.release() // the answer that the LSP waits for (CER-045)
	}
	m.update()
	m.ended(rule.CHG009, endsWell)
}

// stop ends an update that the target has signed, or let client 0 sign.
func (m *updating) stop() {
	if m.lsp != nil {
		m.lsp.Interrupt(wire.TypePartials, 1, m.update)
		return
	}
	m.hold(1, wire.TypePartials)
	m.update()
	m.end()
}

// goesOn has both sides use a channel whose update was stopped. An LSP does not say so
// first: it does not know whether its client has begun.
func goesOn(begin func() *updating) {
	m := begin()
	m.pays(20_000_000)
	from := len(m.ch.Log)
	answer := func() {}
	if m.clients != nil {
		answer = m.keep(m.ch, "factory_change_continue")
	}
	m.stop()
	m.ch.Want(rule.CHG025, from, "commitment_signed", true)
	if m.clients != nil {
		m.ch.Want(rule.CHG025, from, "factory_change_continue", false)
	}
	answer()
	if !m.ch.Want(rule.CHG025, from, "factory_change_continue", true) {
		return
	}
	from = len(m.ch.Log)
	m.ch.Works(rule.CHG025, "payments go on, on both outpoints")
	checkBatches(m.p, m.ch, from)
	m.pays(20_000_000)
	if m.clients != nil {
		m.release() // the answer that the LSP waits for (CER-045)
	}
	m.update()
	m.ended(rule.CHG025, "the same update, made again, comes to its end")
}

func notCalledOff(begin func() *updating) {
	m := begin()
	from := len(m.ch.Log)
	m.stop()
	m.ch.Want(rule.CHG010, from, "commitment_signed", true)
	m.ch.Want(rule.CHG010, from, "factory_change_abort", false)
	if m.clients != nil {
		m.release() // the answer that the LSP waits for (CER-045)
	}
	m.update()
	m.ended(rule.CHG010, "the change is not called off: the same update, made again, comes to its end")
}

func oneAfterTheOther(p *harness.Play) {
	for _, name := range []string{"factory_change_locked", "revoke_and_ack"} {
		m := movingOfLSP(p)
		release := m.keep(m.ch, name)
		m.update()
		m.clients.TrySell(1, movedSat, true)
		p.Check(rule.CHG012, ofType[*wire.Update](m.clients.Got[1]), gomega.HaveLen(1), "no second update before "+name)
		release()
		m.ended(rule.CHG012, endsWell)
		m.clients.TrySell(1, movedSat, true)
		p.Check(rule.CHG012, ofType[*wire.Update](m.clients.Got[1]), gomega.HaveLen(2), "control: the second update is proposed after "+name)
	}
}

func allGoQuiet(p *harness.Play) {
	m := movingOfLSP(p)
	from := len(m.last.Log)
	m.update()
	m.last.Want(rule.CHG013, from, "stfu", true)
	m.ended(rule.CHG013, endsWell)
}

// saleLeavesChannels sells to client 1 where the target is the LSP, else to the
// target, beside the channels that there are.
func saleLeavesChannels(begin func() *updating) {
	m := begin()
	before := map[*harness.Channel]int{m.ch: len(m.ch.Log), m.last: len(m.last.Log)}
	if m.clients != nil {
		m.clients.Sell(1, 20_000, false)
		m.clients.MustSay("a sale", m.clients.Channels(1) == 2)
	} else {
		m.lsp.MustChange("a sale", func() { m.lsp.Sell(0, 20_000) })
	}
	for _, ch := range []*harness.Channel{m.ch, m.last} {
		for _, name := range []string{"stfu", "factory_change_init", "commitment_signed"} {
			ch.Want(rule.CHG011, before[ch], name, false)
		}
		m.p.Check(rule.CHG011, ch.M.Link().Up, gomega.BeTrue(), "control: the channel goes on")
	}
}

// oneChangeOfALeaf orders an update for client 1 while the channels are quiet for
// one for client 0.
func oneChangeOfALeaf(p *harness.Play) {
	m := movingOfLSP(p)
	release := m.keep(m.ch, "commitment_signed")
	m.update()
	m.clients.TrySell(1, movedSat, true)
	m.last.Want(rule.CHG014, 0, "stfu", true)
	for i := range 2 {
		p.Check(rule.CHG014, ofType[*wire.Update](m.clients.Got[i]), gomega.HaveLen(1), "no second update while the channels are quiet for the first")
	}
	release()
	m.ended(rule.CHG014, endsWell)
}

// calledOffFirst keeps the echo of factory_change_abort back: what the LSP called off
// is not over in that channel.
func calledOffFirst(p *harness.Play) {
	m := movingOfLSP(p)
	m.hold(1, wire.TypeNonces)
	echo := m.keep(m.ch, "factory_change_abort")
	m.update()
	m.end()
	m.ch.Want(rule.CHG014, 0, "factory_change_abort", true)
	m.release() // the answer that the LSP waits for (CER-045)
	m.clients.TrySell(1, movedSat, true)
	p.Check(rule.CHG014, ofType[*wire.Update](m.clients.Got[1]), gomega.HaveLen(1), "no other update before the echo of factory_change_abort")
	echo()
	m.clients.TrySell(1, movedSat, true)
	p.Check(rule.CHG014, ofType[*wire.Update](m.clients.Got[1]), gomega.HaveLen(2), "control: the other update is proposed after it")
}

// oldStatePunished publishes the leaf that an update replaced, past what the target
// does against that, and a commitment of the suite that the round after the update
// has revoked.
func oldStatePunished(begin func() *updating) {
	m := begin()
	p := m.p
	m.pays(20_000_000)
	old := m.ch.Commitment()
	m.update()
	if !m.ended(rule.PCF127, endsWell) {
		return
	}
	whose, tree := m.tree()
	former := tree.Former()
	if !p.Check(rule.PCF127, len(former), gomega.Equal(1), "control: the update replaces one leaf") {
		return
	}
	p.Publish(whose, tree.Nodes()[0].Tx)
	p.Publish(whose, former[0].Node.Tx)
	m.punished(rule.PCF127, old, "on the replaced output", "the balance of who published a commitment of a replaced state")
}

// punished publishes a revoked commitment of the suite, whose funding transaction is
// confirmed.
func (m *updating) punished(id rule.ID, old *channel.SignedCommitment, where, what string) {
	m.p.Mine(0, old.Tx)
	m.p.Step("after a revoked commitment %s is confirmed", where)
	punished := 0
	for i, o := range old.Outputs {
		if o.Kind == commitment.ToLocal {
			punished++
			m.p.Spent(id, btcwire.OutPoint{Hash: old.Tx.TxHash(), Index: uint32(i)}, what)
		}
	}
	m.p.Check(id, punished, gomega.Equal(1), "control: the revoked commitment has a to_local output")
}

// calledOffPunished keeps the commitment of the suite on the output of a change that
// is called off. Money moves, so that it is revoked, and the same change is made again.
func calledOffPunished(begin func() *updating) {
	m := begin()
	p := m.p
	m.pays(20_000_000)
	m.hold(1, wire.TypeNonces)
	m.update()
	to, committed := m.ch.M.Changing()
	if !p.Check(rule.CHG026, committed, gomega.BeTrue(), "control: both sides commit to the new output") {
		return
	}
	old := m.ch.CommitmentOn(to)
	m.end()
	if m.clients != nil {
		m.release() // the answer that the LSP waits for (CER-045)
	}
	m.pays(20_000_000)
	m.update()
	if !m.ended(rule.CHG026, endsWell) {
		return
	}
	if !p.Check(rule.CHG026, m.ch.Output() == to, gomega.BeTrue(), "control: the same update has the same outpoints") {
		return
	}
	whose, tree := m.tree()
	p.Publish(whose, tree.Nodes()[0].Tx)
	p.Publish(whose, tree.Nodes()[1].Tx)
	m.punished(rule.CHG026, old, "of a change that was called off", "the balance of who published what it had signed before the change was called off")
}
