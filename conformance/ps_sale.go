package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 7, a client under test.

func oneSale(f *factory.Params) { f.MaxChain = 1 }

func saleFaults() []changeFault {
	before := func(n uint8) func(*ceremony.Draft) { return func(d *ceremony.Draft) { d.Before = n } }
	return []changeFault{
		{
			name: "newest-stock", summary: "A client refuses a sale that does not spend the newest stock output.", rule: rule.PS001, breaks: []rule.ID{rule.PS011},
			variants: []wrongChange{
				{"a sale of a stock that is sold", sale(1, 20_000), wrongSale(1, 30_000, before(0)), sale(1, 30_000)},
				{"a sale of a stock to come", nil, wrongSale(1, 30_000, before(1)), sale(1, 30_000)},
			},
		},
		{
			name: "max-chain", summary: "A client refuses one sale more than max_chain.", rule: rule.PS002, plan: harness.FactoryPlan{Params: oneSale},
			variants: []wrongChange{{"a second sale under a max_chain of 1", sale(1, 20_000), wrongSale(1, 20_000, nil), update(0, 10_000)}},
		},
		{
			name: "least-amounts", summary: "A client refuses a sale of too little, or that leaves too little.", rule: rule.PS003,
			breaks: []rule.ID{rule.TREE024, rule.DIST005}, off: []rule.ID{rule.TREE001, rule.DIST005},
			variants: []wrongChange{
				{"a channel of 999 sat", nil, wrongSale(1, 999, nil), sale(1, 1_000)},
				{"a change of 659 sat for two owners", nil, wrongSale(1, 99_341, nil), sale(1, 99_340)},
				{"a change of 659 sat after a sale to the target", nil, wrongSale(0, 99_341, nil), sale(0, 99_340)},
			},
		},
		{
			name: "capacities-kept", summary: "A client refuses an update that makes a client's capacities smaller.", rule: rule.PS005,
			variants: []wrongChange{
				{"less capacity for the target", nil, wrongUpdate(1, 10_000, moves(0, 1, 5_000)), update(1, 10_000)},
				{"less capacity for another client", nil, wrongUpdate(0, 10_000, moves(1, 0, 5_000)), update(0, 10_000)},
				{"a capacity without what was sold", sale(0, 20_000), wrongUpdate(1, 10_000, moves(0, 1, 20_000)), update(1, 10_000)},
			},
		},
		{
			name: "second-sale", summary: "A client does not sign a second sale of one stock output.", rule: rule.PS011,
			breaks: []rule.ID{rule.POI009}, off: []rule.ID{rule.POI009},
			variants: []wrongChange{
				{"another sale of a stock on which the target signed one", stopped(wire.TypePartials, 1, sale(1, 20_000)), wrongSale(1, 30_000, nil), resume},
			},
		},
	}
}

// moves takes capacity from one client of an update for another.
func moves(from, to int, amount factory.Sat) func(*ceremony.Draft) {
	return func(d *ceremony.Draft) {
		d.Capacities[from] -= amount
		d.Capacities[to] += amount
	}
}

func saleClientCases() []harness.Case {
	return append(refusedChanges(saleFaults()),
		clientCase("second-creation", "A client does not sign a second tree on one funding output.", secondCreation, rule.PS011),
		clientCase("omission-signed", "A client signs the omission with the sale, in one phase.", func(p *harness.Play) {
			for _, buyer := range []int{0, 1} {
				s := created(p, harness.FactoryPlan{})
				s.MustChange("an update", func() { s.Update(0, 10_000) })
				s.Got = nil
				s.Changed(rule.PS020, "a sale with its omission", func() { s.Sell(buyer, 20_000) })
				for _, m := range s.Got {
					switch m := m.(type) {
					case *wire.Nonces:
						p.Check(rule.PS020, m.Phase == 0 || len(m.Nonces) == 2, gomega.BeTrue(), "two nonces in phase 1: for the omission and the sale")
					case *wire.Partials:
						p.Check(rule.PS020, m.Phase == 0 || len(m.Partials) == 2, gomega.BeTrue(), "two partial signatures in phase 1: on the omission and the sale")
					}
				}
			}
		}, rule.PS020),
	)
}

// secondCreation proposes a factory on the funding output of another one.
func secondCreation(p *harness.Play) {
	c := p.Connect()
	first := c.LSPScript(harness.FactoryPlan{})
	first.Create()
	first.MustComplete()
	var funding wire.FundingRecord
	for _, m := range first.Sent {
		if x, ok := m.(*wire.Proposal); ok {
			funding = x.Funding
		}
	}
	s := c.LSPScript(harness.FactoryPlan{})
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Proposal); ok {
			x.Funding = funding
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	s.Refused(rule.PS011, "a factory on the funding output of one that the target signed", reasonsOf(rule.PS011)...)
	c.After()
	goodCreation(p)
}
