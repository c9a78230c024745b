package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.4, and 4.5 where it is about changes, a client under test: the suite
// plays the LSP and the other clients.

// wrongChange is one way to ask a client for a change that it must refuse.
type wrongChange struct {
	what string
	// before prepares the factory; nil leaves it as it was created.
	before func(*harness.LSPScript)
	wrong  func(*harness.LSPScript)
	// right is a change that the client takes part in, in place of the wrong
	// one and after it.
	right func(*harness.LSPScript)
}

// changeFault is a rule about changes, and what breaks it.
type changeFault struct {
	name, summary string
	rule          rule.ID
	breaks        []rule.ID // other rules that the same fault breaks
	// off are rules besides the broken one that the suite's side leaves out to
	// be able to propose it.
	off      []rule.ID
	plan     harness.FactoryPlan
	variants []wrongChange
}

// clientCase declares a case of a client under test about ceremonies.
func clientCase(name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
	return harness.Case{
		Name: caseName("client", name, ids[0]), Summary: summary, Rules: ids, Roles: []harness.Role{node.Client}, Tier: harness.Chain,
		Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Slow: name == "patience", Body: body,
	}
}

// refusedChanges are the cases of a table of faults.
func refusedChanges(faults []changeFault) []harness.Case {
	var cases []harness.Case
	for _, f := range faults {
		cases = append(cases, clientCase(f.name, f.summary, func(p *harness.Play) { refusedChange(p, f) }, f.rule))
	}
	return cases
}

// refusedChange plants each variant in a factory of its own. The change without
// the fault is the control: before, in another factory that is prepared the
// same way, and after, in the same.
func refusedChange(p *harness.Play, f changeFault) {
	f.plan.Rules = rule.Without(append(f.off, f.rule)...)
	prepared := func(v wrongChange) *harness.LSPScript {
		s := created(p, f.plan)
		if v.before != nil {
			v.before(s)
		}
		return s
	}
	for _, v := range f.variants {
		control := prepared(v)
		control.MustChange("the change without the fault", func() { v.right(control) })
		s := prepared(v)
		s.Got = nil
		v.wrong(s)
		if s.Refused(f.rule, v.what, reasonsOf(append(f.breaks, f.rule)...)...) {
			s.Changed(f.rule, "control: the change without the fault, after the refusal,", func() { v.right(s) })
		}
	}
}

// created is a factory that the suite's LSP has created with the target.
func created(p *harness.Play, plan harness.FactoryPlan) *harness.LSPScript {
	return createdOn(p.Connect(), plan)
}

func createdOn(c *harness.Peer, plan harness.FactoryPlan) *harness.LSPScript {
	s := c.LSPScript(plan)
	s.Create()
	s.MustComplete()
	return s
}

// update and sale are changes as they should be; resume goes on with the one
// that was interrupted.
func update(buyer int, amount uint64) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) { s.Update(buyer, amount) }
}

func sale(buyer int, amount uint64) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) { s.Sell(buyer, amount) }
}

func resume(s *harness.LSPScript) { s.Resume() }

// wrongUpdate and wrongSale alter one that would be right. Nil alters nothing:
// then it is the moment that is wrong.
func wrongUpdate(buyer int, amount uint64, f func(*ceremony.Draft)) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) { s.WrongUpdate(buyer, amount, draft(f)) }
}

func wrongSale(buyer int, amount uint64, f func(*ceremony.Draft)) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) { s.WrongSale(buyer, amount, draft(f)) }
}

func draft(f func(*ceremony.Draft)) func(*ceremony.Draft) {
	if f == nil {
		return func(*ceremony.Draft) {}
	}
	return f
}

// stopped interrupts a change after the target has said something.
func stopped(t wire.CeremonyType, phase uint8, change func(*harness.LSPScript)) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) { s.Interrupt(t, phase, func() { change(s) }) }
}

// in has the suite's side bend what it sends while a change runs.
func in(change func(*harness.LSPScript), bend func(wire.Ceremony) []wire.Ceremony) func(*harness.LSPScript) {
	return func(s *harness.LSPScript) {
		s.Bend = bend
		change(s)
		s.Bend = nil
	}
}

// spoiled flips a bit in the last signature of a phase.
func spoiled(phase uint8) func(wire.Ceremony) []wire.Ceremony {
	return func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Signatures); ok && x.Phase == phase {
			x.Signatures[len(x.Signatures)-1][40] ^= 1
		}
		return []wire.Ceremony{m}
	}
}

func changeFaults() []changeFault {
	counter := func(up uint8) func(*ceremony.Draft) { return func(d *ceremony.Draft) { d.Remaining += up } }
	return []changeFault{
		{
			name: "counter", summary: "A client refuses a state whose counter is not smaller than every one that it signed.", rule: rule.DELAY002,
			variants: []wrongChange{
				{"the counter of the state that stands", nil, wrongUpdate(0, 10_000, counter(1)), update(0, 10_000)},
				{"a counter of two states ago", update(0, 10_000), wrongUpdate(0, 10_000, counter(2)), update(0, 10_000)},
				{
					"the counter of an attempt that failed, for another state", stopped(wire.TypePartials, 1, update(0, 10_000)),
					wrongUpdate(0, 20_000, counter(1)), resume,
				},
			},
		},
		{
			name: "update/sum", summary: "A client refuses an update whose amounts do not sum to the value of the output it spends.", rule: rule.CER043,
			variants: []wrongChange{
				{"5,000 sat more than the output has", nil, wrongUpdate(0, 10_000, func(d *ceremony.Draft) { d.Capacities[0] += 5_000 }), update(0, 10_000)},
				{"a stock 5,000 sat too small", nil, wrongUpdate(0, 10_000, func(d *ceremony.Draft) { d.Stocks[0] -= 5_000 }), update(0, 10_000)},
			},
		},
		{
			name: "change/signatures", summary: "A client ends a change, and does not store the phase, when a signature is wrong.", rule: rule.CER022,
			variants: []wrongChange{
				{"a wrong signature below the new state", nil, in(update(0, 10_000), spoiled(0)), update(0, 10_000)},
				{"a wrong signature on the new state", nil, in(update(0, 10_000), spoiled(1)), update(0, 10_000)},
				{"a wrong signature on poison", nil, in(update(0, 10_000), spoiled(2)), func(s *harness.LSPScript) { finish(s, update(0, 10_000)) }},
				{"a wrong signature below a sale", nil, in(sale(1, 20_000), spoiled(0)), sale(1, 20_000)},
				{"a wrong signature on a sale", nil, in(sale(1, 20_000), spoiled(1)), sale(1, 20_000)},
			},
		},
	}
}

// finish resumes what was interrupted, or runs the change when nothing was.
func finish(s *harness.LSPScript, change func(*harness.LSPScript)) {
	if s.Interrupted() {
		s.Resume()
		return
	}
	change(s)
}

// sixBlocks is the life of a factory that is left six blocks after its creation.
func sixBlocks(f *factory.Params) { f.MaxFundingWait, f.Active, f.Dying = 2, 2, 2 }

// shortLived creates one.
func shortLived(p *harness.Play) *harness.LSPScript {
	return created(p, harness.FactoryPlan{Params: sixBlocks})
}

// changeRefused makes something happen on the chain before a change.
func changeRefused(p *harness.Play, id rule.ID, happens, change func(*harness.LSPScript)) {
	control := shortLived(p)
	control.MustChange("a change that nothing forbids", func() { change(control) })
	s := shortLived(p)
	happens(s)
	s.Got = nil
	change(s)
	s.Refused(id, "a change that the chain forbids", reasonsOf(id)...)
	goodCreation(p)
}

// changeCases are those of a client under test about changes.
func changeClientCases() []harness.Case {
	mined := func(p *harness.Play) func(*harness.LSPScript) {
		return func(s *harness.LSPScript) { p.Mine(1, s.Kickoff()) }
	}
	published := func(p *harness.Play) func(*harness.LSPScript) {
		return func(s *harness.LSPScript) { p.Relay(s.Kickoff()) }
	}
	return append(refusedChanges(changeFaults()),
		clientCase("changes", "A client takes part in an update with its poison, a sale to it, and a sale to another client.", clientChanges, rule.CER010, rule.POI001),
		clientCase("kickoff-out/update", "A client refuses an update on a kickoff that is on the chain.", func(p *harness.Play) {
			changeRefused(p, rule.DELAY006, mined(p), update(0, 10_000))
		}, rule.DELAY006),
		clientCase("kickoff-mempool/update", "A client refuses an update on a kickoff that is in a mempool.", func(p *harness.Play) {
			changeRefused(p, rule.DELAY006, published(p), update(0, 10_000))
		}, rule.DELAY006),
		clientCase("change-at-exit-height", "A client refuses a change once the factory is being left.", func(p *harness.Play) {
			changeRefused(p, rule.DELAY007, func(*harness.LSPScript) { p.Mine(6) }, update(0, 10_000))
		}, rule.DELAY007),
		clientCase("kickoff-out/sale", "A client refuses a sale on a leaf whose kickoff is on the chain.", func(p *harness.Play) {
			changeRefused(p, rule.PS004, mined(p), sale(1, 20_000))
		}, rule.PS004),
		clientCase("kickoff-mempool/sale", "A client refuses a sale on a leaf whose kickoff is in a mempool.", func(p *harness.Play) {
			changeRefused(p, rule.PS004, published(p), sale(1, 20_000))
		}, rule.PS004),
		clientCase("same-change-again", "A client that signs the same transactions again does so with fresh nonces.", sameChangeAgain, rule.PS012),
		clientCase("unknown-factory", "A client refuses a change of a factory it does not have.", unknownFactory, rule.CER041),
		clientCase("foreign-node", "A client refuses a change of a transaction that it does not sign.", foreignNode, rule.CER041),
		clientCase("foreign-lsp", "A client refuses a change by an LSP that is not the factory's.", foreignLSP, rule.CER041),
	)
}

// changeOf are an update, a sale and poison of a transaction, otherwise right.
func changeOf(p *harness.Play, id wire.CeremonyID, at wire.NodeRecord, buyer uint16, scripts [][34]byte) []wire.Ceremony {
	a := wire.Attempt{Ceremony: p.Seed("change")}
	script := p2wsh(p, "sold")
	return []wire.Ceremony{
		&wire.Update{Attempt: a, Factory: id, Node: at, Remaining: 2, Capacities: []uint64{110_000, 100_000}, Stocks: []uint64{90_000}, ChannelScripts: scripts},
		&wire.Sale{Attempt: a, Factory: id, Leaf: at, Buyer: buyer, Amount: 20_000, ChannelScript: script[:], LSPChannelKey: p.Point("sold")},
		&wire.Poison{Attempt: a, Factory: id, Node: at},
	}
}

// p2wsh is the script of a channel that somebody else may have.
func p2wsh(p *harness.Play, label string) (out [34]byte) {
	hash := p.Seed("script " + label)
	out[0], out[1] = 0, 32
	copy(out[2:], hash[:])
	return out
}

func unknownFactory(p *harness.Play) {
	goodCreation(p)
	c := p.Connect()
	scripts := [][34]byte{p2wsh(p, "0"), p2wsh(p, "1")}
	for _, m := range changeOf(p, p.Seed("no factory"), wire.NodeRecord{Level: 1}, 1, scripts) {
		c.RefusedCeremony(rule.CER041, m, m.Name()+" for an unknown factory", reasonsOf(rule.CER041)...)
	}
	c.After()
}

// foreignNode asks the target, client 0, for changes of the second leaf.
func foreignNode(p *harness.Play) {
	c := p.Connect()
	s := createdOn(c, harness.FactoryPlan{Clients: 4, Shape: "static 2 / kickoff 1 / ps 2"})
	s.MustChange("an update of its leaf", func() { s.Update(0, 10_000) })
	scripts := [][34]byte{p2wsh(p, "2"), p2wsh(p, "3")}
	for _, m := range changeOf(p, s.Funded, wire.NodeRecord{Level: 2, Position: 1}, 2, scripts) {
		c.RefusedCeremony(rule.CER041, m, m.Name()+" for a leaf that is not the target's", reasonsOf(rule.CER041)...)
	}
	s.Changed(rule.CER041, "control: an update of its leaf, afterwards,", func() { s.Update(0, 10_000) })
}

// foreignLSP asks on another connection, as another node.
func foreignLSP(p *harness.Play) {
	s := created(p, harness.FactoryPlan{})
	var scripts [][34]byte
	for _, m := range s.Sent {
		if x, ok := m.(*wire.Proposal); ok {
			scripts = x.ChannelScripts
		}
	}
	c := p.Connect()
	id := [32]byte(s.Funded)
	messages := append(changeOf(p, s.Funded, wire.NodeRecord{Level: 1}, 1, scripts),
		&wire.Invite{Attempt: wire.Attempt{Ceremony: p.Seed("sale")}, Capacity: 20_000, Factory: &id})
	for _, m := range messages {
		c.RefusedCeremony(rule.CER041, m, fmt.Sprintf("%s by a node that is not the factory's LSP", m.Name()), reasonsOf(rule.CER041)...)
	}
	c.After()
	s.Changed(rule.CER041, "control: an update by its LSP, afterwards,", func() { s.Update(0, 10_000) })
}

// sameChangeAgain interrupts an update and asks for it again.
func sameChangeAgain(p *harness.Play) {
	s := created(p, harness.FactoryPlan{})
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.AggregateNonces); ok && x.Phase == 1 {
			return nil
		}
		return []wire.Ceremony{m}
	}
	before := len(s.Got)
	s.Update(0, 10_000)
	s.Late()
	s.Bend = nil
	s.Update(0, 10_000)
	seen := map[[66]byte]bool{}
	again := 0
	for _, m := range s.Got[before:] {
		x, ok := m.(*wire.Nonces)
		if !ok {
			continue
		}
		if x.Phase == 0 {
			again++
		}
		for _, n := range x.Nonces {
			p.Check(rule.PS012, seen[n], gomega.BeFalse(), "each nonce is fresh")
			seen[n] = true
		}
	}
	p.Check(rule.PS012, again, gomega.Equal(2), "the target takes part in the same update twice")
}

// clientChanges runs every kind of change with the target.
func clientChanges(p *harness.Play) {
	s := created(p, harness.FactoryPlan{})
	for _, change := range []struct {
		what   string
		run    func()
		phases int
	}{
		{"an update", func() { s.Update(0, 10_000) }, 3},
		{"a sale to the target", func() { s.Sell(0, 20_000) }, 2},
		{"a sale to another client", func() { s.Sell(1, 20_000) }, 2},
	} {
		p.Step("%s", change.what)
		before := len(s.Got)
		change.run()
		stored := 0
		for _, m := range s.Got[before:] {
			if m.Type() == wire.TypeStored {
				stored++
			}
		}
		p.Check(rule.CER010, stored, gomega.Equal(change.phases), change.what+": the target stores every phase")
	}
}
