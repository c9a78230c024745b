package conformance

import (
	"fmt"
	"slices"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/ceremony"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.4, and 4.5 where it is about changes, an LSP under test: the suite
// orders, as the LSP's operator does, and plays all clients.

func changeLSPCases() []harness.Case {
	return []harness.Case{
		lspCase("sale", "An LSP sells from a stock: every client of the group gets complete signatures, the buyer a second channel.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			s.Sell(0, 30_000, true)
			p.Check(rule.CER010, s.Capacity(0), gomega.Equal(uint64(130_000)), "an update moves stock into a channel")
			s.Sell(1, 20_000, false)
			p.Check(rule.CER010, s.Channels(1), gomega.Equal(2), "the buyer has a second channel")
		}, rule.CER010),
		lspCase("buyer-first", "In a sale an LSP lets the buyer sign before the others of the group.", buyerFirst, rule.PS014),
		lspCase("buyer-does-not-sign", "An LSP sells to others when a buyer does not sign, and goes back to its sale when it did.", buyerPassed, rule.PS014),
		lspCase("late-answer", "An LSP does not go on with a sale before a client has answered the attempt before.", lateAnswer, rule.CER045),
		lspCase("one-change-in-all-factories", "An LSP does not start a change of clients that a change of another factory concerns.", busyElsewhere, rule.CER042),
		lspCase("one-change-at-a-time", "An LSP does not start a change of clients that another change concerns.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			s.Bend = func(_ int, m wire.Ceremony) []wire.Ceremony {
				if m.Type() == wire.TypeNonces {
					return nil // the sale waits
				}
				return []wire.Ceremony{m}
			}
			s.Sell(1, 20_000, false)
			p.Check(rule.CER042, s.Heard(0, wire.TypeSale, 0), gomega.BeTrue(), "the sale is proposed to the group")
			s.TrySell(0, 10_000, true)
			p.Check(rule.CER042, s.Heard(0, wire.TypeUpdate, 0), gomega.BeFalse(), "no update is proposed to a client of the group meanwhile")
		}, rule.CER042),
		lspCase("phase-by-phase", "An LSP does not go on to the state before everybody has stored what hangs below it.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
				if x, ok := m.(*wire.Stored); ok && i == 1 && x.Phase == 0 {
					return nil
				}
				return []wire.Ceremony{m}
			}
			s.Sell(1, 10_000, true)
			p.Check(rule.CER040, s.Heard(0, wire.TypeSignatures, 0), gomega.BeTrue(), "phase 0 is signed")
			p.Check(rule.CER040, s.Heard(0, wire.TypeAggregate, 1), gomega.BeFalse(), "no aggregate for the state while a client has not stored phase 0")
		}, rule.CER040),
		lspCase("counter", "An LSP proposes states whose counters fall, a failed attempt's counted.", fallingCounters, rule.DELAY002),
		lspCase("kickoff-out/update", "An LSP makes no update on a kickoff that is on the chain or in a mempool.", func(p *harness.Play) {
			forbiddenByChain(p, rule.DELAY006, true)
		}, rule.DELAY006),
		lspCase("change-at-exit-height", "An LSP makes no change once the factory is being left.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{Params: sixBlocks})
			s.Sell(1, 20_000, true)
			s.MustSay("an update in time", completes(s, 2, 1))
			p.Mine(6)
			signedNothing(p, rule.DELAY007, s, func() { s.TrySell(1, 20_000, true) })
			goodFactory(p)
		}, rule.DELAY007),
		lspCase("nonces/repeated-change", "An LSP ends a change with a client that uses a nonce of the creation, or of the phase before.", nonceOfCreation, rule.SIGN006),
	}
}

// fallingCounters updates, then lets an attempt fail after partial signatures,
// then orders something else.
func fallingCounters(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	s.Sell(0, 10_000, true)
	s.MustSay("the first update", completes(s, 2, 1))
	s.Sell(0, 10_000, true)
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Partials); ok && x.Phase == 1 && i == 1 {
			return []wire.Ceremony{m, &wire.Abort{Attempt: x.Attempt, Reason: wire.ReasonRefused}}
		}
		return []wire.Ceremony{m}
	}
	s.Sell(0, 10_000, true)
	s.Bend = nil
	s.TrySell(1, 10_000, true)
	var last *wire.Update
	for _, m := range ofType[*wire.Update](s.Got[0]) {
		same := last != nil && slices.Equal(m.Capacities, last.Capacities) && m.Remaining == last.Remaining
		p.Check(rule.DELAY002, last == nil || same || m.Remaining < last.Remaining, gomega.BeTrue(), "the counter of each state is smaller than all before, but for the same state in a new attempt")
		last = m
	}
	p.Check(rule.DELAY002, s.Capacity(0) >= 120_000, gomega.BeTrue(), "control: both updates without a fault are made")
}

// buyerFirst withholds the buyer's partial signature on the sale.
func buyerFirst(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Partials); ok && x.Phase == 1 && i == 1 {
			return nil
		}
		return []wire.Ceremony{m}
	}
	s.Sell(1, 20_000, false)
	p.Check(rule.PS014, s.Heard(1, wire.TypeAggregate, 1), gomega.BeTrue(), "the buyer is asked to sign the sale")
	p.Check(rule.PS014, s.Heard(0, wire.TypeAggregate, 1), gomega.BeFalse(), "the other client is not asked before the buyer has signed")
}

// heldBack keeps back what client i says of the sale in phase 1, and the first such
// message for later.
func heldBack(s *harness.ClientsScript, client int, late *wire.Ceremony) {
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Partials); ok && x.Phase == 1 && i == client {
			*late = m
			return nil
		}
		return []wire.Ceremony{m}
	}
}

// afterDeadline lets the target give up a change, and the clients hear that.
func afterDeadline(p *harness.Play, s *harness.ClientsScript) {
	s.Bend = nil
	p.Pass(ceremony.DefaultDeadline)
	s.Play()
}

// buyerPassed interrupts a sale that only the buyer was asked to sign, and orders
// another one. The buyer's record refuses that: it did sign, unheard.
func buyerPassed(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	var late wire.Ceremony
	heldBack(s, 1, &late)
	s.Sell(1, 20_000, false)
	s.MustSay("the buyer's part of a sale", late != nil)
	afterDeadline(p, s)
	s.TrySell(0, 30_000, false)
	sales := ofType[*wire.Sale](s.Got[1])
	p.Check(rule.PS014, sales[len(sales)-1].Buyer, gomega.BeZero(), "another sale of the group is proposed while only its buyer was asked to sign the first")
	s.Peers[1].SendCeremony(late)
	s.Play()
	if s.Channels(1) == 1 {
		s.TrySell(1, 20_000, false)
	}
	p.Check(rule.PS014, s.Channels(1), gomega.Equal(2), "the buyer that signed gets what it bought")
}

// lateAnswer has client 0 answer when the target has given up, and order the sale
// again before that.
func lateAnswer(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	var late wire.Ceremony
	heldBack(s, 0, &late)
	s.Sell(1, 20_000, false)
	s.MustSay("the other client's part of a sale", late != nil)
	afterDeadline(p, s)
	invited := len(ofType[*wire.Invite](s.Got[1]))
	s.TrySell(1, 20_000, false)
	p.Check(rule.CER045, ofType[*wire.Invite](s.Got[1]), gomega.HaveLen(invited), "the buyer is not invited again while client 0's answer is on its way")
	s.Peers[0].SendCeremony(late)
	s.Play()
	if s.Channels(1) == 1 {
		s.TrySell(1, 20_000, false)
	}
	p.Check(rule.CER045, s.Channels(1), gomega.Equal(2), "control: the sale goes on when the answer has come")
}

// busyElsewhere orders a change in a factory while one of another factory of the
// same clients waits for an answer.
func busyElsewhere(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	s.Order()
	s.Play()
	factories := ofType[*wire.Funded](s.Got[0])
	s.MustSay("a second factory", len(factories) == 2)
	s.Bend = func(_ int, m wire.Ceremony) []wire.Ceremony {
		if m.Type() == wire.TypeNonces {
			return nil // the sale waits
		}
		return []wire.Ceremony{m}
	}
	s.TrySellIn(factories[0].Ceremony, 1, 20_000, false)
	p.Check(rule.CER042, s.Heard(0, wire.TypeSale, 0), gomega.BeTrue(), "the sale in the first factory is proposed to the group")
	invited := len(ofType[*wire.Invite](s.Got[0]))
	s.TrySellIn(factories[1].Ceremony, 0, 30_000, false)
	p.Check(rule.CER042, ofType[*wire.Invite](s.Got[0]), gomega.HaveLen(invited), "no sale of the second factory begins with a client of the group meanwhile")
	afterDeadline(p, s)
	s.TrySellIn(factories[1].Ceremony, 0, 30_000, false)
	p.Check(rule.CER042, s.Channels(0), gomega.Equal(2), "control: the sale is made afterwards")
}

// nonceOfCreation has client 1 use a nonce again in a change.
func nonceOfCreation(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{})
	var creation, last [66]byte
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Nonces); ok && i == 1 {
			creation = x.Nonces[0]
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	s.MustComplete()
	for phase, old := range []*[66]byte{&creation, &last} {
		s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
			x, ok := m.(*wire.Nonces)
			switch {
			case !ok || i != 1:
			case int(x.Phase) == phase:
				x.Nonces[0] = *old
			case x.Phase == 0:
				last = x.Nonces[0]
			}
			return []wire.Ceremony{m}
		}
		s.Sell(0, 10_000, true)
		refused := 0
		for _, m := range ofType[*wire.Abort](s.Got[1]) {
			if slices.Contains(reasonsOf(rule.SIGN006), m.Reason) {
				refused++
			}
		}
		p.Check(rule.SIGN006, refused, gomega.Equal(phase+1), fmt.Sprintf("a used nonce in phase %d ends the change", phase))
	}
	s.Bend = nil
	s.TrySell(0, 10_000, true)
	p.Check(rule.SIGN006, s.Capacity(0), gomega.Equal(uint64(110_000)), "control: with fresh nonces the update is made")
}
