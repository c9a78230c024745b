package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 6.2, an LSP under test and a client that refuses to sign poison.

func refuserCases() []harness.Case {
	return []harness.Case{{
		Name:    caseName("lsp", "refuser", rule.POI010),
		Summary: "An LSP goes on with one leaf when a client of another one refuses the poison of an update above both.",
		Rules:   []rule.ID{rule.POI010}, Roles: []harness.Role{node.LSP}, Tier: harness.Chain,
		Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Slow: true, Body: refuser,
	}}
}

// refuser has two states for each node, so that the second update in a leaf is one
// of the state above: client 0 signs it and falls silent.
func refuser(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{
		Clients: 4, Shape: "kickoff 1 / state 2 / kickoff 1 / dw 2", Params: func(p *factory.Params) { p.States = 2 },
	})
	s.Create()
	s.MustComplete()
	s.Sell(0, 5_000, true)
	s.Bend = silentAfterTheState()
	s.Sell(0, 5_000, true)
	p.Check(rule.POI010, s.Heard(3, wire.TypeUpdate, 0), gomega.BeTrue(), "the second update is one of the state above both leaves")
	p.Pass(ceremony.DefaultDeadline)
	for range 2 { // the first time the target asks for the poison that is missing
		s.TrySell(3, 6_000, true)
		p.Pass(ceremony.DefaultDeadline)
	}
	p.Check(rule.POI010, s.Capacity(3), gomega.Equal(uint64(106_000)), "a client of the other leaf buys once its own leaf is poisoned")
}

// silentAfterTheState has client 0 say nothing more once it has stored a state.
func silentAfterTheState() func(int, wire.Ceremony) []wire.Ceremony {
	silent := false
	return func(i int, m wire.Ceremony) []wire.Ceremony {
		if i != 0 {
			return []wire.Ceremony{m}
		}
		if silent {
			return nil
		}
		x, stored := m.(*wire.Stored)
		silent = stored && x.Phase == 1
		return []wire.Ceremony{m}
	}
}
