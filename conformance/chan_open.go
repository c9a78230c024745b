package conformance

import (
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.1: the channels on the outputs that a creation or a sale makes, opened
// while it goes on.

// leafCase declares a case about channels in a factory.
func leafCase(role harness.Role, name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
	return harness.Case{
		Name: caseName(string(role), name, ids[0]), Summary: summary, Rules: ids, Roles: []harness.Role{role}, Tier: harness.Chain,
		Features: factories, Protocol: harness.SuperScalar, Since: "0.3", Body: body,
	}
}

func openingCases() []harness.Case {
	lsp, client := harness.Role(node.LSP), harness.Role(node.Client)
	return []harness.Case{
		leafCase(lsp, "commitment-first", "An LSP signs nothing that makes a channel output before it holds the client's signature on its first commitment there.", lspCommitmentFirst, rule.CHAN001),
		leafCase(lsp, "wrong-commitment", "An LSP does not fund a factory on a wrong signature on its first commitment.", lspWrongCommitment, rule.CHAN001),
		leafCase(client, "commitment-first", "A client says that it has stored a channel output when it has the LSP's signature on its first commitment there.", clientCommitmentFirst, rule.CHAN002),
		leafCase(client, "wrong-commitment", "A client does not say that it has stored on a wrong signature on its first commitment.", clientWrongCommitment, rule.CHAN002),
		leafCase(lsp, "funding-key", "An LSP opens channels with the funding keys of its proposal and its sale.", lspFundingKey, rule.CHAN003),
		leafCase(client, "funding-key", "A client accepts channels with the funding keys of its ceremony_join.", clientFundingKey, rule.CHAN003),
		leafCase(lsp, "other-funding-key", "An LSP fails a channel whose client answers with another funding key than that of its ceremony_join.", lspOtherFundingKey, rule.CHAN003),
		leafCase(client, "funding-value", "A client fails a channel that is not as large as its output, or that no attempt asks for.", fundingValue, rule.CHAN004),
		leafCase(client, "reserve", "A client fails a channel in which it would have to keep more than 1,062 sat.", clientReserve, rule.CHAN037),
		leafCase(lsp, "to-self-delay", "An LSP asks its clients for a to_self_delay of at most 144 blocks.", lspToSelfDelay, rule.CHAN005),
		leafCase(client, "to-self-delay", "A client asks its LSP for the to_self_delay of the factory.", clientToSelfDelay, rule.CHAN006),
		leafCase(client, "outpoint", "A client fails a channel whose outpoint is not the one of the ceremony.", otherOutpoint, rule.CHAN007),
		leafCase(lsp, "ended-attempt", "An LSP forgets the channels of an attempt that ended, and opens new ones in the next.", lspForgets, rule.CHAN008),
		leafCase(client, "ended-attempt", "A client forgets the channel of an attempt that ended.", clientForgets, rule.CHAN008),
		leafCase(client, "second-first-commitment", "A client signs one first commitment of the LSP on an output, also when the channel is opened again.", secondFirst, rule.CHAN035),
		leafCase(lsp, "ready-early", "An LSP keeps a channel_ready that comes before the factory is usable for it.", lspReadyEarly, rule.CHAN009),
		leafCase(client, "ready-early", "A client keeps a channel_ready that comes before the factory is usable for it.", clientReadyEarly, rule.CHAN009),
		leafCase(client, "funded-late", "A client does not use a factory that was funded later than promised.", fundedLate, rule.CER025),
		leafCase(lsp, "not-confirmed", "An LSP does not use a factory that is not confirmed.", lspNotConfirmed, rule.CER026),
		leafCase(client, "not-confirmed", "A client does not use a factory that is not confirmed.", clientNotConfirmed, rule.CER026),
	}
}

// spoil flips a bit in the signature of funding_created or funding_signed: it is
// the last field.
func spoil(name string) func(*harness.Channel) {
	return func(ch *harness.Channel) {
		ch.Bend = func(m wire.Message) []wire.Message {
			if b, ok := m.(*wire.Base); ok && m.Name() == name {
				bent := &wire.Base{Kind: b.Kind}
				bent.Payload = append([]byte{}, b.Payload...)
				bent.Payload[len(bent.Payload)-1] ^= 1
				return []wire.Message{bent}
			}
			return []wire.Message{m}
		}
	}
}

// ordered plays a creation as far as it goes.
func ordered(p *harness.Play, plan harness.FactoryPlan, prepare func(*harness.ClientsScript)) *harness.ClientsScript {
	s := p.ClientsScript(plan)
	if prepare != nil {
		prepare(s)
	}
	s.Order()
	s.Play()
	return s
}

// unfunded requires that the LSP has not paid for the factory.
func unfunded(p *harness.Play, id rule.ID, s *harness.ClientsScript, while string) {
	p.Check(id, p.OnChain(s.FundingTxid()), gomega.BeFalse(), "no funding transaction "+while)
	for i := range s.Peers {
		p.Check(id, s.Funded(i), gomega.BeFalse(), fmt.Sprintf("no ceremony_funded for client %d %s", i, while))
	}
}

func lspCommitmentFirst(p *harness.Play) {
	goodFactory(p)
	p.Step("a creation without funding_signed of client 0")
	var kept *harness.Withheld
	s := ordered(p, harness.FactoryPlan{}, func(s *harness.ClientsScript) { kept = s.Leaf[0].Withhold("funding_signed") })
	unfunded(p, rule.CHAN001, s, "before client 0 has signed the LSP's first commitment")
	kept.Release(s.Leaf[0])
	s.Play()
	s.Complete(rule.CHAN001)
	s.MustComplete()
	p.Step("a sale without funding_signed of its buyer")
	kept = s.Leaf[0].Withhold("funding_signed")
	s.Sell(0, 10_000, false)
	p.Check(rule.CHAN001, s.Heard(0, wire.TypeSignatures, 1), gomega.BeFalse(), "no signature on the sale before the buyer has signed the LSP's first commitment")
	kept.Release(s.Leaf[0])
	s.Play()
	p.Check(rule.CHAN001, s.Channels(0), gomega.Equal(2), "control: the sale is made once the buyer has signed")
}

func lspWrongCommitment(p *harness.Play) {
	goodFactory(p)
	p.Step("a creation with a wrong funding_signed of client 0")
	s := ordered(p, harness.FactoryPlan{}, func(s *harness.ClientsScript) { s.Leaf[0].Made = spoil("funding_signed") })
	unfunded(p, rule.CHAN001, s, "on a wrong signature of client 0")
	goodFactory(p)
}

// stored counts what the target says it has stored in a phase.
func stored(s *harness.LSPScript, phase uint8) (n int) {
	for _, m := range s.Got {
		if x, ok := m.(*wire.Stored); ok && x.Phase == phase {
			n++
		}
	}
	return n
}

func clientCommitmentFirst(p *harness.Play) {
	goodCreation(p)
	p.Step("a creation without funding_created")
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	kept := s.Leaf.Withhold("funding_created")
	s.Create()
	p.Check(rule.CHAN002, stored(s, 0), gomega.BeZero(), "no ceremony_stored before funding_created")
	kept.Release(s.Leaf)
	s.Continue()
	s.Complete(rule.CHAN002)
	s.MustComplete()
	p.Step("a sale without funding_created")
	s.Got = nil
	kept = s.Leaf.Withhold("funding_created")
	s.Sell(0, 10_000)
	p.Check(rule.CHAN002, stored(s, 1), gomega.BeZero(), "no ceremony_stored of the sale before funding_created")
	s.Changed(rule.CHAN002, "control: the sale, once the LSP has signed,", func() {
		kept.Release(s.Leaf)
		s.Continue()
	})
}

func clientWrongCommitment(p *harness.Play) {
	goodCreation(p)
	p.Step("a creation with a wrong signature in funding_created")
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Leaf.Made = spoil("funding_created")
	s.Create()
	p.Check(rule.CHAN002, stored(s, 0), gomega.BeZero(), "no ceremony_stored on a wrong signature in funding_created")
	goodCreation(p)
}

func lspFundingKey(p *harness.Play) {
	s := ordered(p, harness.FactoryPlan{}, nil)
	right := func(when string) {
		for i, l := range s.Leaf {
			p.Check(rule.CHAN003, len(l.Unmatched()), gomega.BeZero(), fmt.Sprintf("%s, the funding_pubkey for client %d is the lsp_channel_key", when, i))
		}
	}
	right("in a creation")
	s.MustComplete()
	s.Sell(1, 10_000, false)
	right("in a sale")
	p.Check(rule.CHAN003, s.Channels(1), gomega.Equal(2), "control: the sale is made")
}

// accepts are the target's accept_channels.
func accepts(s *harness.LSPScript) (out []*wire.AcceptChannel) {
	for _, m := range s.Leaf.Log {
		if a, ok := m.(*wire.AcceptChannel); ok {
			out = append(out, a)
		}
	}
	return out
}

// mustAccept ends the case unless the target accepts n channels.
func mustAccept(p *harness.Play, s *harness.LSPScript, n int) bool {
	return p.Check(p.Case.Rules[0], len(accepts(s)), gomega.Equal(n), fmt.Sprintf("control: %d channels are accepted", n))
}

func clientFundingKey(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Create()
	if !mustAccept(p, s, 1) {
		return
	}
	p.Check(rule.CHAN003, accepts(s)[0].Keys.Funding, gomega.Equal(s.Leaf.Outputs()[0].Theirs), "the funding_pubkey is the channel_key of the client's ceremony_join")
	s.MustComplete()
	s.Sell(0, 10_000)
	if mustAccept(p, s, 2) {
		p.Check(rule.CHAN003, accepts(s)[1].Keys.Funding, gomega.Equal(s.Leaf.Outputs()[1].Theirs), "the funding_pubkey is the channel_key of the buyer's ceremony_join")
	}
}

// lspOtherFundingKey has a client sign the LSP's first commitment with a key that the
// output does not have: the LSP could never publish it.
func lspOtherFundingKey(p *harness.Play) {
	goodFactory(p)
	p.Step("a creation in which client 0 answers with a fresh funding_pubkey")
	s := ordered(p, harness.FactoryPlan{}, func(s *harness.ClientsScript) { s.Leaf[0].FreshFunding = true })
	unfunded(p, rule.CHAN003, s, "whose client 0 has a channel with a key that its output does not have")
	goodFactory(p)
	p.Step("a sale in which the buyer does")
	s = ordered(p, harness.FactoryPlan{}, nil)
	s.MustComplete()
	s.Leaf[0].FreshFunding = true
	s.Sell(0, 10_000, false)
	p.Check(rule.CHAN003, s.Heard(0, wire.TypeSignatures, 1), gomega.BeFalse(), "no signature on the sale when the buyer has a channel with a key that its output does not have")
}

func clientReserve(p *harness.Play) {
	for _, reserve := range []uint64{1062, 1063, 50_000} {
		p.Step("a channel of which the client has to keep %d sat", reserve)
		s := p.Connect().LSPScript(harness.FactoryPlan{})
		s.Leaf.Open = func(o *wire.OpenChannel) { o.ChannelReserveSat = reserve }
		s.Create()
		if reserve > 1062 {
			refusedOpen(p, rule.CHAN037, s, fmt.Sprintf("a reserve of %d sat", reserve))
		} else {
			p.Check(rule.CHAN037, len(accepts(s)), gomega.Equal(1), fmt.Sprintf("control: a reserve of %d sat is taken", reserve))
		}
	}
	goodCreation(p)
}

// refusedOpen requires an error for open_channel.
func refusedOpen(p *harness.Play, id rule.ID, s *harness.LSPScript, what string) {
	for _, m := range s.Leaf.Log {
		if m.Name() == "error" {
			return
		}
	}
	p.Fail(id, what+": the target did not fail the channel", "an error with its temporary_channel_id", fmt.Sprint(s.Leaf.Names()))
}

func fundingValue(p *harness.Play) {
	goodCreation(p)
	for _, v := range []struct {
		what string
		bend func(*wire.OpenChannel)
	}{
		{"a sat less than the output has", func(o *wire.OpenChannel) { o.FundingSat-- }},
		{"a sat more than the output has", func(o *wire.OpenChannel) { o.FundingSat++ }},
		{"an instance that is no factory of the target", func(o *wire.OpenChannel) { o.ChannelInFactory.InstanceID[0] ^= 1 }},
	} {
		p.Step("a channel with %s", v.what)
		s := p.Connect().LSPScript(harness.FactoryPlan{})
		s.Leaf.Open = v.bend
		s.Create()
		refusedOpen(p, rule.CHAN004, s, v.what)
		p.Check(rule.CHAN004, len(accepts(s)), gomega.BeZero(), "no accept_channel for "+v.what)
	}
	p.Step("a channel of an attempt that ended")
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Deaf = func(m wire.Ceremony) bool { return m.Type() == wire.TypePartials }
	s.Create()
	s.Late()
	s.Leaf.Log = nil
	s.Leaf.Propose(s.Leaf.Outputs()[0])
	s.Continue()
	refusedOpen(p, rule.CHAN004, s, "a channel of an attempt that ended")
	goodCreation(p)
}

func lspToSelfDelay(p *harness.Play) {
	s := ordered(p, harness.FactoryPlan{}, nil)
	for i, l := range s.Leaf {
		opens := 0
		for _, m := range l.Log {
			if open, ok := m.(*wire.OpenChannel); ok {
				opens++
				p.Check(rule.CHAN005, open.ToSelfDelay, gomega.BeNumerically("<=", 144), fmt.Sprintf("the to_self_delay for client %d is at most 144 blocks", i))
			}
		}
		p.Check(rule.CHAN005, opens, gomega.Equal(1), "control: a channel is opened")
	}
	s.MustComplete()
}

func clientToSelfDelay(p *harness.Play) {
	for _, blocks := range []uint16{500, 600} {
		s := p.Connect().LSPScript(harness.FactoryPlan{Params: func(f *factory.Params) { f.ToSelfDelay = blocks }})
		s.Create()
		if mustAccept(p, s, 1) {
			p.Check(rule.CHAN006, accepts(s)[0].ToSelfDelay, gomega.Equal(blocks), fmt.Sprintf("a to_self_delay of %d blocks, as the factory's parameters say", blocks))
		}
		s.MustComplete()
	}
}

func otherOutpoint(p *harness.Play) {
	goodCreation(p)
	for _, v := range []struct {
		what string
		bend func(*btcwire.OutPoint)
	}{
		{"another output of the leaf", func(o *btcwire.OutPoint) { o.Index++ }},
		{"an output of another transaction", func(o *btcwire.OutPoint) { o.Hash[5] ^= 1 }},
	} {
		p.Step("funding_created names %s", v.what)
		s := p.Connect().LSPScript(harness.FactoryPlan{})
		s.Leaf.Outpoint = v.bend
		s.Create()
		if !mustAccept(p, s, 1) {
			return
		}
		ch := s.Leaf.List[0]
		ch.Want(rule.CHAN007, 0, "error", true)
		ch.Want(rule.CHAN007, 0, "funding_signed", false)
	}
	goodCreation(p)
}

// reestablished reports whether the target reestablishes a channel on a new
// connection of the same peer.
func reestablished(ch *harness.Channel) bool {
	from := len(ch.Log)
	r := ch.Drop()
	ch.Take(r)
	return ch.Count(from, "channel_reestablish") > 0
}

func lspForgets(p *harness.Play) {
	s := p.ClientsScript(lspPlan())
	s.Bend = once(1, partials(func(m *wire.Partials) { m.Partials[0][31] ^= 1 }), p, s)
	s.Create()
	s.Complete(rule.CHAN008, 1)
	if !p.Check(rule.CHAN008, len(s.Leaf[0].List), gomega.Equal(2), "a channel in each of two attempts") {
		return
	}
	first, second := s.Leaf[0].List[0], s.Leaf[0].List[1]
	p.Check(rule.CHAN008, second.Count(0, "funding_created"), gomega.Equal(1), "the channel of the second attempt is opened")
	p.Step("client 0 on a new connection")
	again := reestablished(second)
	p.Check(rule.CHAN008, again, gomega.BeTrue(), "control: the channel of the second attempt is reestablished")
	p.Check(rule.CHAN008, first.Count(0, "channel_reestablish"), gomega.BeZero(), "the channel of the attempt that ended is forgotten")
}

func clientForgets(p *harness.Play) {
	c := p.Connect()
	s := c.LSPScript(harness.FactoryPlan{})
	s.Deaf = func(m wire.Ceremony) bool { return m.Type() == wire.TypePartials }
	s.Create()
	if !p.Check(rule.CHAN008, len(s.Leaf.List), gomega.Equal(1), "control: a channel is opened") {
		return
	}
	ch := s.Leaf.List[0]
	p.Check(rule.CHAN008, ch.Count(0, "funding_signed"), gomega.Equal(1), "control: the first commitments are signed")
	p.Step("the LSP on a new connection, after it ended the attempt")
	s.Late()
	p.Check(rule.CHAN008, reestablished(ch), gomega.BeFalse(), "the channel of the attempt that ended is forgotten")
	p.Step("control: the channel of a factory, on a new connection")
	other := p.Connect().LSPScript(harness.FactoryPlan{})
	other.Create()
	other.MustComplete()
	p.Check(rule.CHAN008, reestablished(other.Leaf.List[0]), gomega.BeTrue(), "control: the channel of a factory is reestablished")
}

// early says channel_ready before the target's factory is usable, and later mines.
func early(p *harness.Play, ch *harness.Channel) {
	p.Step("channel_ready before the factory is confirmed")
	ch.M.SetUsable()
	ch.Settle()
	ch.Want(rule.CHAN009, 0, "channel_ready", false)
	p.Mine(1)
	p.Step("once it is confirmed")
	ch.Settle()
	if ch.Want(rule.CHAN009, 0, "channel_ready", true) && p.Role == node.Client { // an LSP's peer has nothing to offer yet
		ch.Works(rule.CHAN009, "the channel is used, on the one channel_ready")
	}
}

func lspReadyEarly(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{Unfunded: true})
	s.Create()
	s.MustComplete()
	early(p, s.Leaf[0].List[0])
}

func clientReadyEarly(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Unfunded: true})
	s.Create()
	s.MustComplete()
	early(p, s.Leaf.List[0])
}

func fundedLate(p *harness.Play) {
	for _, late := range []bool{false, true} {
		s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(lasted), Unfunded: true})
		s.Create()
		s.MustComplete()
		p.Step("funded too late: %t", late)
		if late {
			p.MineEmpty(int(s.Tree().Factory().Terms().Params.MaxFundingWait))
		}
		p.Mine(1)
		ch := s.Leaf.List[0]
		ch.Settle()
		ch.Want(rule.CER025, 0, "channel_ready", !late)
	}
}

// confirmed wants channel_ready once the funding transaction is in a block, not
// before.
func confirmed(p *harness.Play, ch *harness.Channel) {
	p.MineEmpty(1)
	p.Step("the funding transaction left out of a block")
	ch.Settle()
	ch.Want(rule.CER026, 0, "channel_ready", false)
	p.Mine(1)
	p.Step("the funding transaction in a block")
	ch.Settle()
	ch.Want(rule.CER026, 0, "channel_ready", true)
}

func lspNotConfirmed(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{Unfunded: true})
	s.Create()
	s.MustComplete()
	confirmed(p, s.Leaf[0].List[0])
}

func clientNotConfirmed(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Unfunded: true})
	s.Create()
	s.MustComplete()
	confirmed(p, s.Leaf.List[0])
}
