package conformance

import (
	"fmt"
	"time"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.3, a client under test: the suite plays the LSP and the other
// clients.

// clientFault is one thing wrong with what a client is sent in a creation.
type clientFault struct {
	name, what string
	rule       rule.ID
	plan       harness.FactoryPlan
	bend       func(p *harness.Play, m wire.Ceremony)
	reasons    []wire.Reason
	// also are other ways to break the same rule.
	also []variant
}

// variant is one of them.
type variant struct {
	what string
	bend func(p *harness.Play, m wire.Ceremony)
}

// without is the plan of an LSP that does not keep some rules itself.
func without(change func(*factory.Params), ids ...rule.ID) harness.FactoryPlan {
	return harness.FactoryPlan{Params: change, Rules: rule.Without(ids...)}
}

// proposal bends the proposal.
func proposal(f func(p *harness.Play, m *wire.Proposal)) func(*harness.Play, wire.Ceremony) {
	return func(p *harness.Play, m wire.Ceremony) {
		if x, ok := m.(*wire.Proposal); ok {
			f(p, x)
		}
	}
}

func aggregate(f func(m *wire.AggregateNonces)) func(*harness.Play, wire.Ceremony) {
	return func(_ *harness.Play, m wire.Ceremony) {
		if x, ok := m.(*wire.AggregateNonces); ok {
			f(x)
		}
	}
}

func signatures(f func(m *wire.Signatures)) func(*harness.Play, wire.Ceremony) {
	return func(_ *harness.Play, m wire.Ceremony) {
		if x, ok := m.(*wire.Signatures); ok {
			f(x)
		}
	}
}

// foreignKey is a point that no participant has.
func foreignKey(p *harness.Play) wire.Point { return p.Point("a foreign key") }

func clientFaults() []clientFault {
	reasons := func(r ...wire.Reason) []wire.Reason { return r }
	parameters, shape, keys, amounts := reasons(wire.ReasonParameters), reasons(wire.ReasonShape), reasons(wire.ReasonKeys), reasons(wire.ReasonAmounts)
	return []clientFault{
		{"parameters/margin", "a margin of 5,000 blocks", rule.TREE001, without(func(p *factory.Params) { p.Margin = 5000 }, rule.TREE001), nil, parameters, nil},
		{"parameters/step-under-two-confirm-blocks", "a step of 20 blocks with confirm_blocks 12", rule.TREE002, without(func(p *factory.Params) { p.Step = 20 }, rule.TREE002), nil, parameters, nil},
		{"parameters/tip", "a tip 7 blocks above the chain", rule.TREE003, harness.FactoryPlan{Rules: rule.Without(rule.TREE003)},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Parameters.TipHeight += 7; m.Parameters.Expiry += 7 }), parameters, nil},
		{"parameters/expiry", "an expiry one block too early", rule.DELAY005, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Parameters.Expiry-- }), parameters, nil},
		{"parameters/early-warning", "an early warning time over 864 blocks", rule.DELAY004, without(func(p *factory.Params) { p.Step = 288 }, rule.DELAY004), nil, parameters, nil},
		{"shape/no-leaf", "a shape that ends in a kickoff", rule.TREE010, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Shape.Levels = m.Shape.Levels[:1] }), shape, nil},
		{"shape/leaf-kind", "an unknown kind of leaf", rule.TREE011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Shape.Leaf = 3 }), shape, nil},
		{"shape/leaf-too-small", "a leaf of one client in a factory of two", rule.TREE014, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Shape.Levels[1].Arity = 1 }), shape, nil},
		{"keys/duplicate", "the target's own factory key for another client, too", rule.SCRIPT006, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.FactoryKeys[1] = m.FactoryKeys[0] }), keys, nil},
		{"keys/lsp-duplicate", "the LSP's factory key for another client", rule.SCRIPT006, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.FactoryKeys[1] = m.LSPFactoryKey }), keys, nil},
		{"keys/other-factory-key", "another factory key in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { m.FactoryKeys[0] = foreignKey(p) }), keys, nil},
		{"keys/other-payout-key", "another payout key in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { k := foreignKey(p); copy(m.Owners[0].PayoutKey[:], k[1:]) }), keys, nil},
		{"keys/other-channel-script", "another channel script in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts[0][20] ^= 1 }), keys, nil},
		{"keys/other-channel-key", "a channel key of the LSP that is not in the channel script", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { m.LSPChannelKey = foreignKey(p) }), keys, nil},
		{"keys/channel-script-form", "a channel script of another client that is not P2WSH", rule.SCRIPT003, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts[1][0] = 0x51 }), keys, nil},
		{"keys/index", "the index of another client", rule.CER011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ClientIndex = 1 }), keys, []variant{
				{"an index beyond the last client", proposal(func(_ *harness.Play, m *wire.Proposal) { m.ClientIndex = 2 })},
			}},
		{"amounts/less-capacity", "less capacity than the invitation promised", rule.CER012, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Owners[0].Capacity -= 5000; m.Owners[1].Capacity += 5000 }), amounts, nil},
		{"amounts/sum", "a funding value one sat above the sum", rule.CER013, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Funding.Value++ }), amounts, []variant{
				{"one owner too few", proposal(func(_ *harness.Play, m *wire.Proposal) { m.Owners = m.Owners[:1] })},
				{"one stock too many", proposal(func(_ *harness.Play, m *wire.Proposal) { m.Stocks = append(m.Stocks, 100_000) })},
				{"one channel script too few", proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts = m.ChannelScripts[:1] })},
			}},
		{"amounts/share-under-dust", "a stock of 600 sat for two owners", rule.TREE024, harness.FactoryPlan{Stock: 300, Rules: rule.Without(rule.TREE024, rule.DIST005)}, nil, amounts, nil},
		{"aggregate/too-few", "one aggregate nonce too few", rule.CER020, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces = m.Nonces[1:] }), reasons(wire.ReasonNonces), nil},
		{"aggregate/too-many", "one aggregate nonce too many", rule.CER020, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces = append(m.Nonces, m.Nonces[0]) }), reasons(wire.ReasonNonces), nil},
		{"aggregate/no-point", "an aggregate nonce that is not a point", rule.SIGN004, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces[0][0] = 5 }), reasons(wire.ReasonNonces), nil},
		{"signatures/wrong", "one signature with a bit flipped", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures[1][40] ^= 1 }), reasons(wire.ReasonSignature), nil},
		{"signatures/swapped", "two signatures in each other's place", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures[0], m.Signatures[1] = m.Signatures[1], m.Signatures[0] }), reasons(wire.ReasonSignature), nil},
		{"signatures/missing", "one signature too few", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures = m.Signatures[1:] }), reasons(wire.ReasonSignature), nil},
		{"signatures/channel-wrong", "a wrong signature for its channel output", rule.SIGN007, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels[0][40] ^= 1 }), reasons(wire.ReasonSignature), nil},
		{"signatures/channel-high-s", "a signature with a high S for its channel output", rule.SIGN007, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels[0] = harness.HighS(m.Channels[0]) }), reasons(wire.ReasonSignature), nil},
		{"signatures/channel-missing", "no signature for its channel output", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels = nil }), reasons(wire.ReasonSignature), nil},
	}
}

// clientCases are those of a client under test.
func clientCases() []harness.Case {
	client := []harness.Role{node.Client}
	one := func(name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
		return harness.Case{
			Name: caseName("client", name, ids[0]), Summary: summary, Rules: ids, Roles: client, Tier: harness.Chain,
			Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Slow: name == "patience", Body: body,
		}
	}
	var cases []harness.Case
	for _, f := range clientFaults() {
		cases = append(cases, one(f.name, fmt.Sprintf("A client refuses %s.", f.what), func(p *harness.Play) { refusedCreation(p, f) }, f.rule))
	}
	return append(cases,
		one("creation", "A client takes part in the creation of a factory: its nonces and partial signatures are right, and it says what it stored.",
			func(p *harness.Play) {
				for _, shape := range []string{"kickoff 1 / ps 2", "static 2 / kickoff 1 / dw 2"} {
					s := p.Connect().LSPScript(harness.FactoryPlan{Clients: 4, Shape: shape})
					s.Create()
					s.Complete(rule.CER010)
					s.Complete(rule.DIST001)
				}
			}, rule.CER010, rule.DIST001),
		one("fresh-keys", "A client uses a new factory key for each attempt.", freshKeys, rule.CER003),
		one("changes", "A client takes part in a sale to it, a sale to another client, and an update with its poison.", clientChanges, rule.CER010, rule.POI001),
		one("no-poison", "A client signs the poison of the leaf that an update replaced.", func(p *harness.Play) {
			s := p.Connect().LSPScript(harness.FactoryPlan{})
			s.Create()
			s.MustComplete()
			s.Update(0, 10_000)
			last, _ := harness.Last[*wire.Stored](s)
			p.Check(rule.POI001, last != nil && last.Phase == 2, gomega.BeTrue(), "the target stores the poison, phase 2 of the update")
		}, rule.POI001),
		one("kickoff-out/update", "A client refuses an update on a kickoff that is on the chain.", func(p *harness.Play) {
			changeRefused(p, rule.DELAY006, func(s *harness.LSPScript) { p.Mine(1, s.Kickoff()) }, func(s *harness.LSPScript) { s.Update(0, 10_000) })
		}, rule.DELAY006),
		one("kickoff-out/sale", "A client refuses a sale on a leaf whose kickoff is on the chain.", func(p *harness.Play) {
			changeRefused(p, rule.PS004, func(s *harness.LSPScript) { p.Mine(1, s.Kickoff()) }, func(s *harness.LSPScript) { s.Sell(1, 20_000) })
		}, rule.PS004),
		one("exit-height", "A client refuses a change once the factory is being left.", func(p *harness.Play) {
			changeRefused(p, rule.DELAY007, func(*harness.LSPScript) { p.Mine(6) }, func(s *harness.LSPScript) { s.Update(0, 10_000) })
		}, rule.DELAY007),
		one("kickoff-out/poison", "A client does not sign poison when the kickoff has come out meanwhile.", func(p *harness.Play) {
			s := shortLived(p)
			s.Bend = func(m wire.Ceremony) []wire.Ceremony {
				if x, ok := m.(*wire.AggregateNonces); ok && x.Phase == 2 {
					p.Mine(1, s.Kickoff())
				}
				return []wire.Ceremony{m}
			}
			s.Update(0, 10_000)
			s.Refused(rule.POI008, "an aggregate for poison after the kickoff came out", wire.ReasonChain)
		}, rule.POI008),
		one("id-of-a-factory", "A client refuses an invitation with the id of a factory it has, whoever sends it.", func(p *harness.Play) {
			s := p.Connect().LSPScript(harness.FactoryPlan{})
			s.Create()
			s.MustComplete()
			c := p.Connect()
			invite := &wire.Invite{Attempt: wire.Attempt{Ceremony: s.Funded}, Capacity: 100_000}
			c.RefusedCeremony(rule.CER032, invite, "an invitation with the id of another LSP's factory", wire.ReasonRefused)
			c.After()
		}, rule.CER032),
		one("patience", "A client waits two minutes for its LSP.", func(p *harness.Play) {
			s := p.Connect().LSPScript(harness.FactoryPlan{})
			s.Bend = func(m wire.Ceremony) []wire.Ceremony {
				if m.Type() == wire.TypeProposal {
					p.Pass(115 * time.Second)
				}
				return []wire.Ceremony{m}
			}
			s.Create()
			s.Complete(rule.CER033)
		}, rule.CER033),
		one("same-change-again", "A client that signs the same transactions again does so with fresh nonces.", sameChangeAgain, rule.PS012),
		one("hidden-sale", "A client refuses an update while a sale that it signed, and was never shown complete, may still come out.", func(p *harness.Play) {
			s := p.Connect().LSPScript(harness.FactoryPlan{})
			s.Create()
			s.MustComplete()
			s.Bend = func(m wire.Ceremony) []wire.Ceremony {
				if x, ok := m.(*wire.Signatures); ok && x.Phase == 1 {
					return nil
				}
				return []wire.Ceremony{m}
			}
			s.Sell(1, 20_000)
			s.Late()
			s.Bend = nil
			before := len(s.Got)
			s.Update(0, 10_000)
			s.Got = s.Got[before:]
			s.Refused(rule.POI009, "an update over a sale that is hidden", wire.ReasonRecorded)
		}, rule.POI009),
		one("unknown-factory", "A client refuses a change of a factory it does not have.", func(p *harness.Play) {
			goodCreation(p)
			c := p.Connect()
			a := wire.Attempt{Ceremony: p.Seed("change")}
			update := &wire.Update{Attempt: a, Factory: p.Seed("no factory"), Capacities: []uint64{1, 1}, Stocks: []uint64{1}, ChannelScripts: make([][34]byte, 2)}
			c.RefusedCeremony(rule.CER041, update, "an update of an unknown factory", wire.ReasonRefused)
			c.After()
		}, rule.CER041),
		one("unknown-ceremony", "A client refuses a message of an attempt that is not going on.", func(p *harness.Play) { unknownAttempt(p, unknownToClient(p)) }, rule.CER004),
		one("unknown-abort", "A client ignores an abort of an attempt that is not going on.", func(p *harness.Play) { unknownAbort(p) }, rule.CER005),
		one("busy", "A client refuses a second invitation while an attempt goes on, and goes on with the first.", busyClient, rule.CER006),
		one("unexpected", "A client ends an attempt on a message it does not wait for.", unexpectedAtClient, rule.CER007),
		one("second-aggregate", "A client never signs twice with one nonce.", secondAggregate, rule.CER021),
		one("reconnect", "A client ends an attempt with its connection.", reconnectClient, rule.CER031),
	)
}

// goodCreation is the positive control around every fault.
func goodCreation(p *harness.Play) {
	p.Step("control: a creation without a fault")
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Create()
	s.MustComplete()
}

// refusedCreation plants one fault in a creation.
func refusedCreation(p *harness.Play, f clientFault) {
	goodCreation(p)
	for _, v := range append([]variant{{f.what, f.bend}}, f.also...) {
		c := p.Connect()
		s := c.LSPScript(f.plan)
		s.Bend = func(m wire.Ceremony) []wire.Ceremony {
			if v.bend != nil {
				v.bend(p, m)
			}
			return []wire.Ceremony{m}
		}
		s.Create()
		s.Refused(f.rule, v.what, f.reasons...)
		c.After()
	}
	goodCreation(p)
}

// shortLived creates a factory that is left five blocks after its creation.
func shortLived(p *harness.Play) *harness.LSPScript {
	s := p.Connect().LSPScript(harness.FactoryPlan{Params: func(f *factory.Params) { f.MaxFundingWait, f.Active, f.Dying = 2, 2, 2 }})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	return s
}

// changeRefused makes something happen on the chain before a change.
func changeRefused(p *harness.Play, id rule.ID, happens, change func(*harness.LSPScript)) {
	control := shortLived(p)
	change(control)
	if stored, ok := harness.Last[*wire.Stored](control); !ok || stored.Phase == 0 {
		p.Fail(id, "control: the change is not made when nothing forbids it", "ceremony_stored of every phase", "none of the last phase")
	}
	s := shortLived(p)
	happens(s)
	before := len(s.Got)
	change(s)
	s.Got = s.Got[before:]
	s.Refused(id, "a change that the chain forbids", wire.ReasonChain)
}

// sameChangeAgain interrupts an update and asks for it again.
func sameChangeAgain(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Create()
	s.MustComplete()
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
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Create()
	s.MustComplete()
	for _, change := range []struct {
		what   string
		run    func()
		phases int
	}{
		{"a sale to the target", func() { s.Sell(0, 20_000) }, 2},
		{"a sale to another client", func() { s.Sell(1, 20_000) }, 2},
		{"an update", func() { s.Update(0, 10_000) }, 3},
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

func freshKeys(p *harness.Play) {
	c := p.Connect()
	var keys []wire.Point
	for range 2 {
		s := c.LSPScript(harness.FactoryPlan{})
		s.Create()
		s.MustComplete()
		if join, ok := harness.Last[*wire.Join](s); ok {
			keys = append(keys, join.FactoryKey, join.ChannelKey)
		}
	}
	if p.Check(rule.CER003, len(keys), gomega.Equal(4), "the target joins both attempts") {
		p.Check(rule.CER003, keys[0], gomega.Not(gomega.Equal(keys[2])), "the factory keys of two attempts differ")
	}
}

// busyClient invites twice and wants the first attempt to be completed.
func busyClient(p *harness.Play) {
	c := p.Connect()
	s := c.LSPScript(harness.FactoryPlan{})
	second := wire.Attempt{Ceremony: p.Seed("second attempt")}
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if _, ok := m.(*wire.Proposal); ok {
			return []wire.Ceremony{&wire.Invite{Attempt: second, Capacity: 100_000}, m}
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	s.Refused(rule.CER006, "a second invitation", wire.ReasonBusy)
	s.Complete(rule.CER006)
}

// unexpectedAtClient sends the aggregate before the proposal.
func unexpectedAtClient(p *harness.Play) {
	goodCreation(p)
	c := p.Connect()
	s := c.LSPScript(harness.FactoryPlan{})
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.Proposal); ok {
			return []wire.Ceremony{&wire.AggregateNonces{Attempt: x.Attempt}}
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	s.Refused(rule.CER007, "an aggregate before the proposal", wire.ReasonUnexpected)
	c.After()
	goodCreation(p)
}

// secondAggregate asks for partial signatures twice.
func secondAggregate(p *harness.Play) {
	goodCreation(p)
	c := p.Connect()
	s := c.LSPScript(harness.FactoryPlan{})
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.AggregateNonces); ok {
			again := *x
			again.Nonces = append([][66]byte{x.Nonces[1], x.Nonces[0]}, x.Nonces[2:]...)
			return []wire.Ceremony{m, &again}
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	partials := 0
	for _, m := range s.Got {
		if _, ok := m.(*wire.Partials); ok {
			partials++
		}
	}
	p.Check(rule.CER021, partials, gomega.Equal(1), "partial signatures for one set of nonces are sent once")
	s.Refused(rule.CER021, "a second aggregate", wire.ReasonUnexpected, wire.ReasonNonces)
	c.After()
	goodCreation(p)
}

// reconnectClient goes on with an attempt on a new connection of the same LSP.
func reconnectClient(p *harness.Play) {
	goodCreation(p)
	first := p.DialAs(90)
	first.Exchange()
	s := first.LSPScript(harness.FactoryPlan{})
	var held wire.Ceremony
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		if x, ok := m.(*wire.AggregateNonces); ok {
			held = x
			return nil
		}
		return []wire.Ceremony{m}
	}
	s.Create()
	if held == nil {
		p.Fail(rule.CER031, "the attempt did not come to the aggregate", "ceremony_nonces", "nothing")
		return
	}
	first.Close()
	again := p.DialAs(90)
	again.Exchange()
	again.RefusedCeremony(rule.CER031, held, "an aggregate for nonces of an earlier connection", wire.ReasonUnknownCeremony)
	goodCreation(p)
}
