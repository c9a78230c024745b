package conformance

import (
	"fmt"
	"time"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 5.3, a client under test: the suite plays the LSP and the other
// clients.

// clientFault is one thing wrong with what a client is sent in a creation.
type clientFault struct {
	name, what string
	rule       rule.ID // the case's
	plan       harness.FactoryPlan
	bend       func(p *harness.Play, m wire.Ceremony)
	// breaks are other rules that the same fault breaks: it may be refused for
	// any of them (section 1).
	breaks []rule.ID
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

// proposal bends the proposal. It has no node_keys then, which would be a second
// fault where keys or sets of clients change.
func proposal(f func(p *harness.Play, m *wire.Proposal)) func(*harness.Play, wire.Ceremony) {
	return func(p *harness.Play, m wire.Ceremony) {
		if x, ok := m.(*wire.Proposal); ok {
			x.NodeKeys = nil
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
	breaks := func(ids ...rule.ID) []rule.ID { return ids }
	return []clientFault{
		{"parameters/margin", "a margin of 5,000 blocks", rule.TREE001, without(func(p *factory.Params) { p.Margin = 5000 }, rule.TREE001), nil, nil, nil},
		{"parameters/step-under-two-confirm-blocks", "a step of 20 blocks with confirm_blocks 12", rule.TREE002, without(func(p *factory.Params) { p.Step = 20 }, rule.TREE002), nil, nil, nil},
		{"parameters/tip", "a tip 7 blocks above the chain", rule.TREE003, harness.FactoryPlan{Rules: rule.Without(rule.TREE003)},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Parameters.TipHeight += 7; m.Parameters.Expiry += 7 }), nil, nil},
		{"parameters/expiry", "an expiry one block too early", rule.DELAY005, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Parameters.Expiry-- }), nil, nil},
		{"parameters/early-warning", "an early warning time over 864 blocks", rule.DELAY004, without(func(p *factory.Params) { p.Step = 288 }, rule.DELAY004), nil, nil, nil},
		{"shape/no-leaf", "a shape that ends in a kickoff", rule.TREE010, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) {
				l := m.Shape.Levels
				l[0].Kind, l[1].Kind = l[1].Kind, l[0].Kind
			}), nil, nil},
		{"shape/leaf-kind", "an unknown kind of leaf", rule.TREE011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Shape.Leaf = 3 }), nil, nil},
		{"shape/leaf-too-small", "a leaf of one client in a factory of two", rule.TREE014, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) {
				m.Shape.Levels[1].Arity, m.Stocks = 1, []uint64{50_000, 50_000}
			}), nil, nil},
		{"keys/duplicate", "the target's own factory key for another client, too", rule.SCRIPT006, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.FactoryKeys[1] = m.FactoryKeys[0] }), nil, nil},
		{"keys/lsp-duplicate", "the LSP's factory key for another client", rule.SCRIPT006, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.FactoryKeys[1] = m.LSPFactoryKey }), nil, nil},
		{"keys/other-factory-key", "another factory key in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { m.FactoryKeys[0] = foreignKey(p) }), nil, nil},
		{"keys/other-payout-key", "another payout key in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { k := foreignKey(p); copy(m.Owners[0].PayoutKey[:], k[1:]) }), nil, nil},
		{"keys/other-channel-script", "another channel script in the target's place", rule.CER011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts[0][20] ^= 1 }), nil, nil},
		{"keys/other-channel-key", "a channel key of the LSP that is not in the channel script", rule.CER011, harness.FactoryPlan{},
			proposal(func(p *harness.Play, m *wire.Proposal) { m.LSPChannelKey = foreignKey(p) }), nil, nil},
		{"keys/channel-script-form", "a channel script of another client that is not P2WSH", rule.SCRIPT003, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts[1][0] = 0x51 }), nil, nil},
		{"keys/index", "the index of another client", rule.CER011, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.ClientIndex = 1 }), nil, []variant{
				{"an index beyond the last client", proposal(func(_ *harness.Play, m *wire.Proposal) { m.ClientIndex = 2 })},
			}},
		{"amounts/less-capacity", "less capacity than the invitation promised", rule.CER012, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Owners[0].Capacity -= 5000; m.Owners[1].Capacity += 5000 }), nil, nil},
		{"amounts/sum", "a funding value one sat above the sum", rule.CER013, harness.FactoryPlan{},
			proposal(func(_ *harness.Play, m *wire.Proposal) { m.Funding.Value++ }), nil, []variant{
				{"one owner too few", proposal(func(_ *harness.Play, m *wire.Proposal) { m.Owners = m.Owners[:1] })},
				{"one stock too many", proposal(func(_ *harness.Play, m *wire.Proposal) { m.Stocks = append(m.Stocks, 100_000) })},
				{"one channel script too few", proposal(func(_ *harness.Play, m *wire.Proposal) { m.ChannelScripts = m.ChannelScripts[:1] })},
			}},
		{"amounts/share-under-dust", "a stock of 600 sat for two owners", rule.TREE024, harness.FactoryPlan{Stock: 300, Rules: rule.Without(rule.TREE024, rule.DIST005)}, nil, breaks(rule.DIST005), nil},
		{"aggregate/too-few", "one aggregate nonce too few", rule.CER020, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces = m.Nonces[1:] }), nil, nil},
		{"aggregate/too-many", "one aggregate nonce too many", rule.CER020, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces = append(m.Nonces, m.Nonces[0]) }), nil, nil},
		{"aggregate/no-point", "an aggregate nonce that is not a point", rule.SIGN004, harness.FactoryPlan{},
			aggregate(func(m *wire.AggregateNonces) { m.Nonces[0][0] = 5 }), nil, nil},
		{"signatures/wrong", "one signature with a bit flipped", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures[1][40] ^= 1 }), nil, nil},
		{"signatures/swapped", "two signatures in each other's place", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures[0], m.Signatures[1] = m.Signatures[1], m.Signatures[0] }), nil, nil},
		{"signatures/missing", "one signature too few", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Signatures = m.Signatures[1:] }), nil, nil},
		{"signatures/channel-wrong", "a wrong signature for its channel output", rule.SIGN007, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels[0][40] ^= 1 }), nil, nil},
		{"signatures/channel-high-s", "a signature with a high S for its channel output", rule.SIGN007, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels[0] = harness.HighS(m.Channels[0]) }), nil, nil},
		{"signatures/channel-missing", "no signature for its channel output", rule.CER022, harness.FactoryPlan{},
			signatures(func(m *wire.Signatures) { m.Channels = nil }), nil, nil},
	}
}

// clientCases are those of a client under test.
func clientCases() []harness.Case {
	one := clientCase
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
		one("id-used-twice", "A client does not join two attempts with one key, when both have the same id.", idUsedTwice, rule.CER003),
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
		s.Refused(f.rule, v.what, reasonsOf(append(f.breaks, f.rule)...)...)
		c.After()
	}
	goodCreation(p)
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

// idUsedTwice ends an attempt that the target has joined and invites it again under
// the same id. It may refuse, or join with another key.
func idUsedTwice(p *harness.Play) {
	goodCreation(p)
	c := p.Connect()
	s := c.LSPScript(harness.FactoryPlan{})
	again := 0
	s.Bend = func(m wire.Ceremony) []wire.Ceremony {
		x, ok := m.(*wire.Proposal)
		if again++; !ok || again > 2 {
			return []wire.Ceremony{m}
		}
		return []wire.Ceremony{&wire.Abort{Attempt: x.Attempt, Reason: wire.ReasonRestart}, &wire.Invite{Attempt: x.Attempt, Capacity: 100_000}}
	}
	s.Create()
	joins := ofType[*wire.Join](s.Got)
	if len(joins) > 1 {
		p.Check(rule.CER003, joins[0].FactoryKey, gomega.Not(gomega.Equal(joins[1].FactoryKey)), "the factory keys of two attempts differ")
	} else {
		s.Refused(rule.CER003, "an id that was joined before", reasonsOf(rule.CER003)...)
	}
	c.After()
	goodCreation(p)
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
	s.Refused(rule.CER021, "a second aggregate", reasonsOf(rule.CER021, rule.CER007)...)
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
