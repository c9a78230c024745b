package conformance

import (
	"fmt"
	"slices"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.3, an LSP under test: the suite plays all clients. Client 1 is the
// one that does something wrong, once.

// lspFault is one thing a client does wrong in a creation.
type lspFault struct {
	name, what string
	rule       rule.ID
	bend       func(p *harness.Play, s *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony
	slow       bool
}

// nonces bends the nonces of a client.
func nonces(f func(m *wire.Nonces)) func(*harness.Play, *harness.ClientsScript, wire.Ceremony) []wire.Ceremony {
	return func(_ *harness.Play, _ *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Nonces); ok {
			f(x)
		}
		return []wire.Ceremony{m}
	}
}

func partials(f func(m *wire.Partials)) func(*harness.Play, *harness.ClientsScript, wire.Ceremony) []wire.Ceremony {
	return func(_ *harness.Play, _ *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Partials); ok {
			f(x)
		}
		return []wire.Ceremony{m}
	}
}

// withheld keeps back messages of one type.
func withheld(t wire.CeremonyType) func(*harness.Play, *harness.ClientsScript, wire.Ceremony) []wire.Ceremony {
	return func(_ *harness.Play, _ *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony {
		if m.Type() == t {
			return nil
		}
		return []wire.Ceremony{m}
	}
}

// replaced sends something else in place of messages of one type.
func replaced(t wire.CeremonyType, f func(id wire.Attempt) wire.Ceremony) func(*harness.Play, *harness.ClientsScript, wire.Ceremony) []wire.Ceremony {
	return func(_ *harness.Play, _ *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony {
		if m.Type() == t {
			return []wire.Ceremony{f(wire.Attempt{Ceremony: m.ID()})}
		}
		return []wire.Ceremony{m}
	}
}

func lspFaults() []lspFault {
	return []lspFault{
		{"silent/join", "keeps silent at the invitation", rule.CER017, withheld(wire.TypeJoin), true},
		{"silent/nonces", "keeps silent after the proposal", rule.CER017, withheld(wire.TypeNonces), true},
		{"silent/partials", "keeps silent after the aggregate", rule.CER017, withheld(wire.TypePartials), true},
		{"silent/stored", "keeps silent after the signatures", rule.CER017, withheld(wire.TypeStored), true},
		{"join/key-of-another", "joins with the factory key of another client", rule.CER014, copiedKey, false},
		{"nonces/too-few", "sends one nonce too few", rule.CER015, nonces(func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] }), false},
		{"nonces/too-many", "sends one nonce too many", rule.CER015, nonces(func(m *wire.Nonces) { m.Nonces = append(m.Nonces, m.Nonces[0]) }), false},
		{"nonces/no-point", "sends a nonce that is not a point", rule.SIGN004, nonces(func(m *wire.Nonces) { m.Nonces[0][0] = 7 }), false},
		{"nonces/infinity", "sends a nonce of zeros", rule.SIGN004, nonces(func(m *wire.Nonces) { m.Nonces[0] = [66]byte{} }), false},
		{"nonces/repeated", "sends one nonce for two transactions", rule.SIGN006, nonces(func(m *wire.Nonces) { m.Nonces[1] = m.Nonces[0] }), false},
		{"partials/wrong", "sends a wrong partial signature", rule.CER016, partials(func(m *wire.Partials) { m.Partials[1][31] ^= 1 }), false},
		{"partials/wrong-twice", "sends two wrong partial signatures", rule.SIGN008, partials(func(m *wire.Partials) { m.Partials[0][31] ^= 1; m.Partials[1][31] ^= 1 }), false},
		{"partials/out-of-range", "sends a partial signature above the order", rule.SIGN005, partials(func(m *wire.Partials) {
			for i := range m.Partials[0] {
				m.Partials[0][i] = 0xff
			}
		}), false},
		{"partials/too-few", "sends one partial signature too few", rule.CER016, partials(func(m *wire.Partials) { m.Partials = m.Partials[1:] }), false},
		{"unexpected", "sends ceremony_stored in place of nonces", rule.CER007, replaced(wire.TypeNonces, func(a wire.Attempt) wire.Ceremony { return &wire.Stored{Attempt: a} }), false},
		{"abort", "ends the attempt", rule.CER018, replaced(wire.TypeNonces, func(a wire.Attempt) wire.Ceremony {
			return &wire.Abort{Attempt: a, Reason: wire.ReasonRefused}
		}), false},
	}
}

// copiedKey joins with the factory key of client 0.
func copiedKey(_ *harness.Play, s *harness.ClientsScript, m wire.Ceremony) []wire.Ceremony {
	if x, ok := m.(*wire.Join); ok {
		if first := s.Joined(0); first != nil && first.Ceremony == x.Ceremony {
			x.FactoryKey = first.FactoryKey
		}
	}
	return []wire.Ceremony{m}
}

// lspPlan is a factory of three.
func lspPlan() harness.FactoryPlan { return harness.FactoryPlan{Clients: 3} }

// lspCase declares a case of an LSP under test about ceremonies.
func lspCase(name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
	return harness.Case{
		Name: caseName("lsp", name, ids[0]), Summary: summary, Rules: ids, Roles: []harness.Role{node.LSP}, Tier: harness.Chain,
		Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Body: body,
	}
}

// lspCases are those of an LSP under test about creation.
func lspCases() []harness.Case {
	var cases []harness.Case
	one := func(name, summary string, slow bool, body func(*harness.Play), ids ...rule.ID) {
		c := lspCase(name, summary, body, ids...)
		c.Slow = slow
		cases = append(cases, c)
	}
	for _, f := range lspFaults() {
		one(f.name, fmt.Sprintf("An LSP drops a client that %s, and creates the factory without it.", f.what), f.slow,
			func(p *harness.Play) { droppedFromCreation(p, f) }, f.rule)
	}
	one("creation", "An LSP creates a factory with clients that do their part; it funds last, and what it hands out is complete.", false, func(p *harness.Play) {
		for _, shape := range []string{"kickoff 1 / ps 2", "static 2 / kickoff 1 / dw 2"} {
			s := p.ClientsScript(harness.FactoryPlan{Clients: 4, Shape: shape})
			s.Create()
			s.Complete(rule.CER010)
			s.Complete(rule.DIST001)
			s.Complete(rule.DIST007)
		}
	}, rule.CER010, rule.DIST001, rule.DIST007)
	one("funding-last", "An LSP does not hand out the funding transaction before every client has stored its path.", false, fundingLast, rule.CER023)
	one("nonces/repeated-attempt", "An LSP drops a client that uses a nonce of an earlier attempt.", false, nonceOfAttempt, rule.SIGN006)
	one("new-attempt", "An attempt that starts again has a new id, and the LSP a new factory key.", false, newAttempt, rule.CER002, rule.CER003)
	one("blame", "An LSP tells everybody the index of the client it drops.", false, blamed, rule.CER019)
	one("restart", "A dropped client does not stop the creation for the others.", false, func(p *harness.Play) {
		s := p.ClientsScript(lspPlan())
		s.Bend = once(1, nonces(func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] }), p, s)
		s.Create()
		s.Complete(rule.CER018, 1)
	}, rule.CER018)
	one("disconnect", "An LSP drops a client whose connection ends in the middle, and goes on with the others.", false, disconnected, rule.CER031)
	one("unknown-ceremony", "An LSP refuses a message of an attempt that is not going on.", false, func(p *harness.Play) { unknownAttempt(p, toLSP(p)) }, rule.CER004)
	one("unknown-abort", "An LSP ignores an abort of an attempt that is not going on.", false, unknownAbort, rule.CER005)
	return cases
}

// once applies a fault to the first message of client i that it changes.
func once(i int, f func(*harness.Play, *harness.ClientsScript, wire.Ceremony) []wire.Ceremony, p *harness.Play, s *harness.ClientsScript) func(int, wire.Ceremony) []wire.Ceremony {
	return func(client int, m wire.Ceremony) []wire.Ceremony {
		if client != i {
			return []wire.Ceremony{m}
		}
		return f(p, s, m)
	}
}

// goodFactory is the positive control around every fault.
func goodFactory(p *harness.Play) {
	p.Step("control: a creation without a fault")
	s := p.ClientsScript(harness.FactoryPlan{})
	s.Create()
	s.MustComplete()
}

// droppedFromCreation plants one client's fault in a creation.
func droppedFromCreation(p *harness.Play, f lspFault) {
	goodFactory(p)
	s := p.ClientsScript(lspPlan())
	s.Bend = once(1, f.bend, p, s)
	s.Create()
	if f.name != "abort" { // nothing is to be said to one who leaves
		s.Dropped(f.rule, 1, reasonsOf(f.rule)...)
	}
	s.Complete(f.rule, 1)
}

// fundingLast looks, before each ceremony_stored, whether anybody got the
// funding transaction already.
func fundingLast(p *harness.Play) {
	goodFactory(p)
	s := p.ClientsScript(lspPlan())
	stored := 0
	s.Bend = func(_ int, m wire.Ceremony) []wire.Ceremony {
		if m.Type() != wire.TypeStored {
			return []wire.Ceremony{m}
		}
		for k := range s.Peers {
			p.Check(rule.CER023, s.FundedYet(k), gomega.BeFalse(), fmt.Sprintf("client %d has no ceremony_funded while %d of 3 clients have stored", k, stored))
		}
		p.Check(rule.CER023, p.OnChain(s.FundingTxid()), gomega.BeFalse(), fmt.Sprintf("the funding transaction is not out while %d of 3 clients have stored", stored))
		stored++
		return []wire.Ceremony{m}
	}
	s.Create()
	p.Check(rule.CER023, p.OnChain(s.FundingTxid()), gomega.BeTrue(), "the funding transaction is out once all have stored")
	p.Check(rule.CER023, stored, gomega.Equal(3), "every client is asked to store")
	s.Complete(rule.CER023)
}

// newAttempt makes the LSP start again and compares both attempts.
func newAttempt(p *harness.Play) {
	plan := lspPlan()
	plan.Rules = rule.Without(rule.CER003 + "/again") // the suite's clients join whatever id comes
	s := p.ClientsScript(plan)
	s.Bend = once(1, nonces(func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] }), p, s)
	s.Create()
	s.Complete(rule.CER002, 1)
	var proposals []*wire.Proposal
	for _, m := range s.Got[0] {
		if x, ok := m.(*wire.Proposal); ok {
			proposals = append(proposals, x)
		}
	}
	if p.Check(rule.CER002, len(proposals), gomega.Equal(2), "client 0 gets a proposal in each of two attempts") {
		p.Check(rule.CER002, proposals[0].Ceremony, gomega.Not(gomega.Equal(proposals[1].Ceremony)), "the attempts have different ids")
		p.Check(rule.CER003, proposals[0].LSPFactoryKey, gomega.Not(gomega.Equal(proposals[1].LSPFactoryKey)), "the LSP's factory keys of two attempts differ")
	}
}

// blamed wants the index of the client that stopped an attempt in every abort.
func blamed(p *harness.Play) {
	s := p.ClientsScript(lspPlan())
	s.Bend = once(1, partials(func(m *wire.Partials) { m.Partials[0][31] ^= 1 }), p, s)
	s.Create()
	s.Complete(rule.CER019, 1)
	for i := range s.Peers {
		found := false
		for _, m := range s.Got[i] {
			if a, ok := m.(*wire.Abort); ok {
				found = true
				named := a.Guilty != nil && *a.Guilty == 1
				p.Check(rule.CER019, named, gomega.BeTrue(), fmt.Sprintf("the ceremony_abort to client %d names client 1", i))
			}
		}
		p.Check(rule.CER019, found, gomega.BeTrue(), fmt.Sprintf("client %d hears that the attempt ended", i))
	}
}

// disconnected closes a client's connection in place of its nonces.
func disconnected(p *harness.Play) {
	goodFactory(p)
	s := p.ClientsScript(lspPlan())
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		if i == 2 && m.Type() == wire.TypeNonces {
			s.Leave(2) // the last: nobody else has anything to say meanwhile
			return nil
		}
		return []wire.Ceremony{m}
	}
	s.CreateWithout(rule.CER031, 2)
}

// nonceOfAttempt has client 2 stop an attempt, and client 1 use a nonce of it in
// the next.
func nonceOfAttempt(p *harness.Play) {
	goodFactory(p)
	s := p.ClientsScript(lspPlan())
	var used [][66]byte
	stopped := false
	s.Bend = func(i int, m wire.Ceremony) []wire.Ceremony {
		x, ok := m.(*wire.Nonces)
		switch {
		case ok && i == 1 && used == nil:
			used = slices.Clone(x.Nonces)
		case ok && i == 1:
			x.Nonces[0] = used[0]
		case ok && i == 2 && !stopped:
			stopped = true
			x.Nonces = x.Nonces[1:]
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	s.Dropped(rule.SIGN006, 1, reasonsOf(rule.SIGN006)...)
	s.Complete(rule.SIGN006, 1, 2)
}
