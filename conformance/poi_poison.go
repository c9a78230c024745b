package conformance

import (
	"slices"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 6.2, and what 5.4 says of changes that were interrupted.

// layered has a state above the leaf of its two clients.
const layered = "kickoff 1 / state 1 / kickoff 1 / dw 2"

// twoStates lets each state be replaced once, threeStates twice: two layers of
// four would take too long to leave (DELAY-004).
func twoStates(f *factory.Params)   { f.States = 2 }
func threeStates(f *factory.Params) { f.States = 3 }

// hidden is a sale to another client that the target signed and was never shown
// complete.
func hidden(s *harness.LSPScript) {
	in(sale(1, 20_000), func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Signatures); ok && x.Phase == 1 {
			return nil
		}
		return []wire.Ceremony{m}
	})(s)
	s.Late()
}

func poisonFaults() []changeFault {
	upper := func(d *ceremony.Draft) { d.Node = factory.NodeID{Level: 1} }
	unpoisoned := stopped(wire.TypeNonces, 2, update(0, 10_000))
	return []changeFault{
		{
			name: "below-failed", summary: "A client refuses a change below a state that a failed attempt may have made valid.", rule: rule.POI005,
			breaks: []rule.ID{rule.POI009}, plan: harness.FactoryPlan{Shape: layered, Params: threeStates},
			variants: []wrongChange{{
				"an update of the leaf below a state that an attempt was to replace",
				stopped(wire.TypePartials, 1, wrongUpdate(0, 10_000, upper)), wrongUpdate(0, 20_000, nil), resume,
			}},
		},
		{
			name: "next-before-poison", summary: "A client refuses the next change of a leaf while one that was replaced has no poison.", rule: rule.POI006,
			breaks: []rule.ID{rule.POI009},
			variants: []wrongChange{
				{"an update before the poison of the last", unpoisoned, wrongUpdate(0, 20_000, nil), resume},
				{"a sale before the poison of the last update", unpoisoned, wrongSale(1, 20_000, nil), resume},
			},
		},
		{
			name: "hidden-sale", summary: "A client refuses an update while a sale that it signed, and was never shown complete, may still come out.", rule: rule.POI009,
			variants: []wrongChange{{"an update over a sale that is hidden", hidden, wrongUpdate(0, 10_000, nil), resume}},
		},
	}
}

func poisonClientCases() []harness.Case {
	return append(refusedChanges(poisonFaults()),
		clientCase("no-poison", "A client signs the poison of the leaf that an update replaced.", func(p *harness.Play) {
			s := created(p, harness.FactoryPlan{})
			s.Update(0, 10_000)
			last, _ := harness.Last[*wire.Stored](s)
			p.Check(rule.POI001, last != nil && last.Phase == 2, gomega.BeTrue(), "the target stores the poison, phase 2 of the update")
		}, rule.POI001),
		clientCase("live-leaf", "A client does not sign poison of a leaf that stands.", liveLeaf, rule.POI002),
		clientCase("replaced-above", "A client signs poison of a leaf that was replaced with the state above it.", func(p *harness.Play) {
			s := created(p, harness.FactoryPlan{Shape: layered, Params: twoStates})
			s.MustChange("an update of the leaf", func() { s.Update(0, 10_000) })
			s.Changed(rule.POI005, "an update of the state above, with the poison of the leaf,", func() { s.Update(0, 10_000) })
		}, rule.POI005),
		clientCase("failed-attempt", "A client signs poison of the leaf of an attempt that failed.", func(p *harness.Play) {
			s := created(p, harness.FactoryPlan{Rules: rule.Without("what follows is not what Update chooses")})
			s.Interrupt(wire.TypePartials, 1, func() { s.Update(0, 10_000) })
			s.Changed(rule.POI005, "another update, with the poison of the leaf that stood and of the one that failed,", func() { s.WrongUpdate(0, 20_000, draft(nil)) })
		}, rule.POI005),
		clientCase("chained-sales", "A client signs poison of what chained sales left and sold.", func(p *harness.Play) {
			s := created(p, harness.FactoryPlan{})
			s.MustChange("a sale to the target", func() { s.Sell(0, 20_000) })
			s.MustChange("a sale to another client", func() { s.Sell(1, 20_000) })
			s.Changed(rule.POI005, "an update, with the poison of both change stocks and both channels sold,", func() { s.Update(0, 10_000) })
		}, rule.POI005),
		clientCase("kickoff-out/poison", "A client does not sign poison when the kickoff has come out meanwhile.", func(p *harness.Play) {
			s := shortLived(p)
			s.MustChange("an update with its poison", func() { s.Update(0, 10_000) })
			for _, out := range []func(*harness.LSPScript){
				func(s *harness.LSPScript) { p.Mine(1, s.Kickoff()) },
				func(s *harness.LSPScript) { p.Relay(s.Kickoff()) },
			} {
				s := shortLived(p)
				s.Got = nil
				in(update(0, 10_000), func(m wire.Ceremony) []wire.Ceremony {
					if x, ok := m.(*wire.AggregateNonces); ok && x.Phase == 2 {
						out(s)
					}
					return []wire.Ceremony{m}
				})(s)
				s.Refused(rule.POI008, "an aggregate for poison after the kickoff came out", reasonsOf(rule.POI008)...)
			}
		}, rule.POI008),
	)
}

// liveLeaf asks for poison of the leaf as it was created, then of one that an
// interrupted update has replaced.
func liveLeaf(p *harness.Play) {
	leaf := factory.NodeID{Level: 1}
	due := func() {
		s := created(p, harness.FactoryPlan{})
		s.Interrupt(wire.TypeNonces, 2, func() { s.Update(0, 10_000) })
		s.Changed(rule.POI002, "control: the poison of a leaf that was replaced, and of none that stands,", func() { s.Poison(leaf) })
	}
	due()
	s := created(p, harness.FactoryPlan{Rules: rule.Without(rule.POI002)})
	s.Got = nil
	s.WrongPoison(leaf)
	s.Refused(rule.POI002, "poison of a leaf that stands", reasonsOf(rule.POI002)...)
	due()
}

func poisonLSPCases() []harness.Case {
	return []harness.Case{
		lspCase("replaced-above", "An LSP makes the poison of a leaf that was replaced with the state above it.", func(p *harness.Play) {
			s := funded(p, harness.FactoryPlan{Shape: layered, Params: twoStates})
			s.Sell(0, 10_000, true)
			s.MustSay("the poison of the leaf that stood", completes(s, 2, 1))
			s.Sell(0, 10_000, true)
			p.Check(rule.POI005, completes(s, 2, 2), gomega.BeTrue(), "an update of the state above ends with the poison of the leaf")
		}, rule.POI005),
		lspCase("next-before-poison", "An LSP does not go on to the next change while a leaf that was replaced has no poison.", func(p *harness.Play) {
			changeInTheWay(p, rule.POI006, wire.TypeNonces, 2, 1)
		}, rule.POI006),
		lspCase("hidden-sale", "An LSP proposes no other change while a sale that it signed is not stored by everybody.", func(p *harness.Play) {
			changeInTheWay(p, rule.POI009, wire.TypeStored, 1, 1)
		}, rule.POI009),
	}
}

// completes reports whether client 0 got the signatures of a phase that often.
func completes(s *harness.ClientsScript, phase uint8, times int) bool {
	return len(signaturesOf(s.Got[0], phase)) == times
}

func signaturesOf(got []wire.Ceremony, phase uint8) []*wire.Signatures {
	var out []*wire.Signatures
	for _, m := range got {
		if x, ok := m.(*wire.Signatures); ok && x.Phase == phase {
			out = append(out, x)
		}
	}
	return out
}

// changeInTheWay stops an update when client 1 is to send nonces for the poison,
// or a sale when it is to say that it stored it, and orders others. The LSP may
// go on with the first one, which client 1 stops again; it must not pass it over.
func changeInTheWay(p *harness.Play, id rule.ID, at wire.CeremonyType, phase, signed uint8) {
	isUpdate := at == wire.TypeNonces
	control := funded(p, harness.FactoryPlan{})
	control.Sell(0, 10_000, isUpdate)
	control.MustSay("a change to its last phase", completes(control, phase, 1))
	s := funded(p, harness.FactoryPlan{})
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		poison := slices.ContainsFunc(ofType[*wire.Poison](s.Got[1]), func(x *wire.Poison) bool { return x.ID() == m.ID() })
		if i == 1 && (poison || m.Type() == at && harness.PhaseOf(m) == phase) {
			return []wire.Ceremony{&wire.Abort{Attempt: wire.Attempt{Ceremony: m.ID()}, Reason: wire.ReasonRefused}}
		}
		return []wire.Ceremony{m}
	}
	s.Sell(0, 10_000, isUpdate)
	s.MustSay("a change up to where client 1 stops it", completes(s, signed, 1))
	asked := len(s.Got[0])
	s.TrySell(1, 20_000, true)
	s.TrySell(1, 20_000, false)
	for _, m := range s.Got[0][asked:] {
		switch m := m.(type) {
		case *wire.Update:
			p.Check(id, isUpdate && m.Capacities[1] == 100_000, gomega.BeTrue(), "an update is proposed only if it is the one that was interrupted")
		case *wire.Sale:
			p.Check(id, !isUpdate && m.Buyer == 0, gomega.BeTrue(), "a sale is proposed only if it is the one that was interrupted")
		}
	}
	goodFactory(p)
}
