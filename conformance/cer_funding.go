package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Sections 5.3 and 5.4: the height until which an LSP promised to fund a factory,
// tip_height + max_funding_wait, and changes of one that is not funded.

// fundingWait is that of the factories here, in blocks.
const fundingWait = 4

func fundingCases() []harness.Case {
	one := func(role harness.Role, name, summary string, body func(*harness.Play), id rule.ID) harness.Case {
		return harness.Case{
			Name: caseName(string(role), name, id), Summary: summary, Rules: []rule.ID{id}, Roles: []harness.Role{role}, Tier: harness.Chain,
			Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Body: body,
		}
	}
	return []harness.Case{
		one(node.LSP, "funding-too-late", "An LSP does not fund a factory once the height until which it promised to has come.", fundingTooLate, rule.CER034),
		one(node.LSP, "funding-taken-back", "An LSP spends the coins of a funding transaction that did not confirm in time.", fundingTakenBack, rule.CER035),
		one(node.LSP, "unfunded-change", "An LSP makes no change in a factory whose funding transaction is not confirmed.", unfundedChangeOfLSP, rule.CER044),
		one(node.Client, "unfunded-change", "A client refuses a change of a factory whose funding transaction is not confirmed.", unfundedChangeOfClient, rule.CER044),
	}
}

func shortWait() harness.FactoryPlan {
	return harness.FactoryPlan{Params: func(p *factory.Params) { p.MaxFundingWait = fundingWait }}
}

// fundingTooLate mines until that height before a client stores.
func fundingTooLate(p *harness.Play) {
	goodFactory(p)
	s := p.ClientsScript(shortWait())
	mined := false
	s.Bend = func(_ int, m wire.Ceremony) []wire.Ceremony {
		if m.Type() == wire.TypeStored && !mined {
			mined = true
			p.MineEmpty(fundingWait)
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	p.Check(rule.CER034, mined, gomega.BeTrue(), "the clients are asked to store")
	for i := range s.Peers {
		p.Check(rule.CER034, s.FundedYet(i), gomega.BeFalse(), fmt.Sprintf("client %d gets no ceremony_funded at the height of tip_height + max_funding_wait", i))
	}
	p.Check(rule.CER034, p.OnChain(s.FundingTxid()), gomega.BeFalse(), "the funding transaction is not broadcast at that height")
}

// fundingTakenBack lets a funding transaction wait in the mempool.
func fundingTakenBack(p *harness.Play) {
	s := p.ClientsScript(shortWait())
	s.Create()
	s.MustComplete()
	funding := s.Funding()
	p.Check(rule.CER035, p.OnChain(s.FundingTxid()), gomega.BeTrue(), "the funding transaction is out")
	p.MineEmpty(fundingWait - 1)
	_, other := p.Conflict(funding)
	p.Check(rule.CER035, other, gomega.BeFalse(), "its coins are not spent otherwise while the next block is in time")
	p.MineEmpty(1)
	taken := p.Eventually(func() bool { _, other := p.Conflict(funding); return other })
	p.Check(rule.CER035, taken, gomega.BeTrue(), "one of its coins is spent otherwise once the next block is too late")
	p.Mine(1)
	p.Check(rule.CER035, p.OnChain(s.FundingTxid()), gomega.BeFalse(), "the funding transaction is gone after the next block")
}

// unfundedChangeOfLSP orders a sale while the funding transaction waits.
func unfundedChangeOfLSP(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{Unfunded: true})
	s.Create()
	s.MustComplete()
	s.TrySell(1, 20_000, false)
	p.Check(rule.CER044, s.Heard(0, wire.TypeSale, 0), gomega.BeFalse(), "no sale is proposed while the funding transaction is in the mempool")
	p.Mine(1)
	s.Sell(1, 20_000, false)
	p.Check(rule.CER044, s.Channels(1), gomega.Equal(2), "control: the sale is made once it is confirmed")
}

// unfundedChangeOfClient proposes a sale and an update then.
func unfundedChangeOfClient(p *harness.Play) {
	for _, change := range []func(*harness.LSPScript){sale(1, 20_000), update(0, 10_000)} {
		s := created(p, harness.FactoryPlan{Unfunded: true})
		s.Got = nil
		change(s)
		s.Refused(rule.CER044, "a change before the funding transaction is confirmed", reasonsOf(rule.CER044)...)
		p.Mine(1)
		s.MustChange("the same change once it is confirmed", func() { change(s) })
	}
}
