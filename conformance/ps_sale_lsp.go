package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 7, an LSP under test: the suite orders, as the LSP's operator does,
// and plays all clients.

// ofType are the messages of one type.
func ofType[M wire.Ceremony](got []wire.Ceremony) []M {
	var out []M
	for _, m := range got {
		if x, ok := m.(M); ok {
			out = append(out, x)
		}
	}
	return out
}

// funded is a factory that the target has created with the suite's clients.
func funded(p *harness.Play, plan harness.FactoryPlan) *harness.ClientsScript {
	s := p.ClientsScript(plan)
	s.Create()
	s.MustComplete()
	return s
}

func saleLSPCases() []harness.Case {
	return []harness.Case{
		lspCase("newest-stock", "An LSP sells from the newest stock output.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			for n := range 3 {
				s.Sell(n%2, 20_000, false)
				sales := ofType[*wire.Sale](s.Got[0])
				if p.Check(rule.PS001, len(sales), gomega.Equal(n+1), "each order brings one sale") {
					p.Check(rule.PS001, int(sales[n].Before), gomega.Equal(n), fmt.Sprintf("sale %d names the number of sales before it", n))
				}
				p.Check(rule.PS001, completes(s, 1, n+1), gomega.BeTrue(), "the sale spends the newest stock: all clients compute the same")
			}
		}, rule.PS001),
		lspCase("max-chain", "An LSP does not make one sale more than max_chain.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{Params: oneSale})
			s.Sell(1, 20_000, false)
			s.MustSay("the first sale", completes(s, 1, 1))
			s.TrySell(1, 20_000, false)
			p.Check(rule.PS002, len(ofType[*wire.Sale](s.Got[0])), gomega.Equal(1), "no second sale is proposed under a max_chain of 1")
			sellsStill(p, rule.PS002, s)
		}, rule.PS002),
		lspCase("least-amounts", "An LSP does not sell too little, or leave too little.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{Rules: rule.Without(rule.TREE001)})
			for _, amount := range []uint64{999, 99_341} {
				s.TrySell(1, amount, false)
				p.Check(rule.PS003, len(ofType[*wire.Sale](s.Got[0])), gomega.BeZero(), fmt.Sprintf("no sale of %d sat of a stock of 100,000 is proposed", amount))
			}
			s.TrySell(1, 99_340, false)
			p.Check(rule.PS003, completes(s, 1, 1), gomega.BeTrue(), "control: a sale that leaves 330 sat for each owner, afterwards")
		}, rule.PS003),
		lspCase("capacities-kept", "An LSP counts what it has sold among a client's capacities.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			s.Sell(1, 20_000, false)
			s.MustSay("a sale", completes(s, 1, 1))
			s.Sell(0, 10_000, true)
			updates := ofType[*wire.Update](s.Got[0])
			if p.Check(rule.PS005, len(updates), gomega.Equal(1), "an update is proposed") {
				p.Check(rule.PS005, updates[0].Capacities, gomega.Equal([]uint64{110_000, 120_000}), "no client's capacities get smaller: 110,000 and 120,000 sat")
			}
		}, rule.PS005),
		lspCase("other-channel-key", "An LSP that goes on with a sale it has signed does not sign another one in its place.", otherChannelKey, rule.PS011),
		lspCase("omission-signed", "An LSP completes the omission with the sale, in one phase.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{})
			s.Sell(0, 10_000, true)
			s.MustSay("an update", completes(s, 2, 1))
			asked := len(s.Got[0])
			s.Sell(1, 20_000, false)
			signed := signaturesOf(s.Got[0][asked:], 1)
			if p.Check(rule.PS020, len(signed), gomega.Equal(1), "the sale and its omission are signed, by clients that compute both") {
				p.Check(rule.PS020, len(signed[0].Signatures), gomega.Equal(2), "phase 1 brings two signatures: of the omission and the sale")
			}
			p.Check(rule.PS020, s.Channels(1), gomega.Equal(2), "the buyer has both, and with them a second channel")
		}, rule.PS020),
		lspCase("kickoff-out/sale", "An LSP makes no sale on a leaf whose kickoff is on the chain or in a mempool.", func(p *harness.Play) {
			forbiddenByChain(p, rule.PS004, false)
		}, rule.PS004),
	}
}

// sellsStill is the control after an order that was refused: an update goes
// through.
func sellsStill(p *harness.Play, id rule.ID, s *harness.ClientsScript) {
	before := s.Capacity(0)
	s.TrySell(0, 10_000, true)
	p.Check(id, s.Capacity(0), gomega.Equal(before+10_000), "control: an update afterwards")
}

// otherChannelKey stops a sale that the LSP has signed; when it goes on, the
// buyer joins with another channel key.
func otherChannelKey(p *harness.Play) {
	s := funded(p, harness.FactoryPlan{})
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Stored); ok && x.Phase == 1 && i == 1 {
			return []wire.Ceremony{&wire.Abort{Attempt: x.Attempt, Reason: wire.ReasonRefused}}
		}
		return []wire.Ceremony{m}
	}
	s.Sell(1, 20_000, false)
	s.MustSay("the signatures on the sale", completes(s, 1, 1))
	s.Bend = func(_ int, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Join); ok {
			x.ChannelKey = p.Point("another channel key")
		}
		return []wire.Ceremony{m}
	}
	s.TrySell(1, 20_000, false)
	s.Dropped(rule.PS011, 1, reasonsOf(rule.PS011)...)
	p.Check(rule.PS011, completes(s, 1, 1), gomega.BeTrue(), "no second sale of the stock is signed")
	s.Bend = nil
	s.TrySell(1, 20_000, false)
	p.Check(rule.PS011, s.Channels(1), gomega.Equal(2), "control: with the key that it had, the sale goes on")
}

// forbiddenByChain orders a change after the kickoff of the leaf has come out:
// into a block, or into a mempool.
func forbiddenByChain(p *harness.Play, id rule.ID, isUpdate bool) {
	last := uint8(1)
	if isUpdate {
		last = 2
	}
	plan := harness.FactoryPlan{Params: sixBlocks}
	for _, out := range []func(*harness.ClientsScript){
		func(s *harness.ClientsScript) { p.Mine(1, s.Kickoff()) },
		func(s *harness.ClientsScript) { p.Relay(s.Kickoff()) },
	} {
		control := funded(p, plan)
		control.Sell(1, 20_000, isUpdate)
		control.MustSay("a change that nothing forbids", completes(control, last, 1))
		s := funded(p, plan)
		p.Mine(1)
		out(s)
		signedNothing(p, id, s, func() { s.TrySell(1, 20_000, isUpdate) })
	}
	goodFactory(p)
}

// signedNothing requires that an order does not end in a signature.
func signedNothing(p *harness.Play, id rule.ID, s *harness.ClientsScript, order func()) {
	asked := len(s.Got[0])
	order()
	p.Check(id, len(ofType[*wire.Signatures](s.Got[0][asked:])), gomega.BeZero(), "the target signs nothing of a change that the chain forbids")
}
