package conformance

import (
	"crypto/sha256"
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.2, and PCF-057: payments through channels of a factory.

const htlcMsat = 40_000_000

func leafPaymentCases() []harness.Case {
	lsp, client := harness.Role(node.LSP), harness.Role(node.Client)
	payer := func(name, summary string, least channel.Height, ids ...rule.ID) harness.Case {
		c := loopbackCase(name, summary, func(p *harness.Play) { payerAdds(p, least) }, ids...)
		c.Tier, c.Since = harness.Chain, "0.3"
		return c
	}
	poor := leafCase(client, "exposure", "A client without coins takes no more HTLCs at a time than its max_exposure.", littleAtATime, rule.CHAN012)
	poor.Coinless = true
	relay := loopbackCase("chan/payment/relays-errors", "An LSP relays the error of a client under its own layer.", relaysErrors, rule.CHAN017)
	relay.Roles, relay.Tier, relay.Since = []harness.Role{lsp}, harness.Chain, "0.3"
	stuck := loopbackCase("chan/payment/gives-up", "An LSP fails an HTLC whose outgoing one has no end before its sender leaves for the chain.", givesUp, rule.CHAN040)
	stuck.Roles, stuck.Tier, stuck.Since = []harness.Role{lsp}, harness.Chain, "0.3"
	trimmed := loopbackCase("chan/payment/keeps-trimmed", "An LSP does not fail an HTLC whose outgoing one is on no commitment, and hands its preimage on.", keepsTrimmed, rule.CHAN040)
	trimmed.Roles, trimmed.Tier, trimmed.Since = []harness.Role{lsp}, harness.Chain, "0.3"
	return []harness.Case{
		leafCase(lsp, "warned", "An LSP that offered an HTLC which nobody resolves leaves the factory in time.", lspWarned, rule.CHAN010),
		leafCase(client, "warned", "A client that has a preimage which its LSP does not take leaves the factory in time.", clientWarned, rule.CHAN010),
		leafCase(lsp, "no-htlc-at-exit", "An LSP offers no HTLC from height T - exit_time on.", noHTLCAtExit, rule.CHAN011),
		poor,
		payer("pcf/payment/payer-adds-warning", "A payer adds the early warning time of its own channel.", 0, rule.PCF057),
		payer("chan/payment/payer-adds-block", "A payer adds a block to the sum of deltas.", 1, rule.CHAN016),
		relay,
		stuck,
		trimmed,
	}
}

// payerAdds has the target pay the suite's side of a Loopback channel.
func payerAdds(p *harness.Play, least channel.Height) {
	p.Chain()
	height := channel.Height(p.Tip())
	ch := p.Connect().OpenLoopback()
	ch.M.Block(height)
	h := ch.Offered(htlcMsat)
	p.Check(p.Case.Rules[0], h.Expiry-height, gomega.BeNumerically(">=", harness.InvoiceDelta+earlyWarning+least),
		fmt.Sprintf("an expiry of at least %d + %d + %d blocks from here", harness.InvoiceDelta, earlyWarning, least))
}

func relaysErrors(p *harness.Play) {
	const incorrectDetails, temporaryNode = 0x400f, 0x2002
	w := newPair(p)
	for i, code := range []uint16{incorrectDetails, temporaryNode} {
		h := w.send(w.height+wayAhead+600, w.height+wayAhead)
		got := w.to.Received()
		if !p.Check(rule.CHAN017, len(got), gomega.Equal(i+1), "control: the HTLC is forwarded") {
			return
		}
		w.to.Refuse(got[i], code)
		w.from.Settle()
		p.Check(rule.CHAN017, h.Code(), gomega.Equal(code), fmt.Sprintf("the payer reads the client's failure code 0x%x", code))
	}
}

// givesUp has the target forward an HTLC to a peer that lets it lie.
func givesUp(p *harness.Play) {
	w := newPair(p)
	if h := w.leftLying(p.Random32(), forwardMsat); h != nil {
		p.Check(rule.CHAN040, h.Code(), gomega.Not(gomega.BeZero()), gaveUp)
	}
}

const gaveUp = "the HTLC is failed, with an error that the payer can read"

// leftLying has the target forward an HTLC that nobody resolves, until the last block before
// its sender would leave for the chain; nil when the target does not forward it.
func (w *pair) leftLying(hash [32]byte, msat uint64) *harness.HTLC {
	p := w.p
	height := channel.Height(p.Tip())
	out := height + earlyWarning + claimMargin + 10
	in := out + earlyWarning + 80
	from := len(w.to.Log)
	h := w.sendOver(hash, msat, in, out)
	if h.Code() == amountBelowMinimum {
		p.Unsupported(fmt.Sprintf("the target forwards no HTLC of %d msat", msat))
	}
	if !w.to.Want(rule.CHAN040, from, "update_add_htlc", true) {
		return nil
	}
	leaves := in - earlyWarning
	p.MineTo(factory.Height(leaves - 8))
	w.from.Settle()
	p.Check(rule.CHAN040, h.Code(), gomega.BeZero(), "nothing is failed before")
	p.Step("the sender of the HTLC is about to leave for the chain")
	for height := leaves - 7; height < leaves; height++ {
		p.MineTo(factory.Height(height))
		w.from.Settle()
	}
	return h
}

// keepsTrimmed has a peer let HTLCs lie of which nobody is warned, and then one of the least
// amount that has an output.
func keepsTrimmed(p *harness.Play) {
	w := newPair(p)
	least := uint64(w.to.M.Link().Untrimmed)
	preimage := p.Random32()
	p.Step("an HTLC of %d msat, on neither commitment of the outgoing channel", least-1)
	h := w.leftLying(sha256.Sum256(preimage[:]), least-1)
	if h == nil || !p.Check(rule.CHAN040, h.Code(), gomega.BeZero(), "an HTLC whose outgoing one is trimmed stays") {
		return
	}
	p.Step("its preimage comes after all")
	_ = w.to.M.Fulfil(w.to.Received()[0].ID, preimage, false)
	w.to.Settle()
	w.from.Settle()
	p.Check(rule.CHAN040, h.Fulfilled(), gomega.BeTrue(), "the preimage is handed on to its sender")
	p.Step("an HTLC of %d msat, which has an output", least)
	w.from.M.Block(channel.Height(p.Tip()))
	w.to.M.Block(channel.Height(p.Tip()))
	if h := w.leftLying(p.Random32(), least); h != nil {
		p.Check(rule.CHAN040, h.Code(), gomega.Not(gomega.BeZero()), gaveUp)
	}
}

// usedClients is a factory of an LSP under test with channels in use.
func usedClients(p *harness.Play, plan harness.FactoryPlan) *harness.ClientsScript {
	s := p.ClientsScript(plan)
	s.Create()
	s.MustComplete()
	p.Mine(1)
	for _, l := range s.Leaf {
		l.Use()
	}
	s.Leaf[0].List[0].MustBeUp("the channel of a confirmed factory is used")
	return s
}

// usedLSP is a factory of a client under test with its channel in use.
func usedLSP(p *harness.Play, plan harness.FactoryPlan) (*harness.LSPScript, *harness.Channel) {
	s := p.Connect().LSPScript(plan)
	return s, inUse(p, s)
}

// inUse creates the factory and returns the target's channel in it.
func inUse(p *harness.Play, s *harness.LSPScript) *harness.Channel {
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.Leaf.Use()
	ch := s.Leaf.List[0]
	ch.MustBeUp("the channel of a confirmed factory is used")
	return ch
}

// earlyWarningOf is the early warning time of a factory, in blocks.
func earlyWarningOf(f *factory.Factory) factory.Height {
	t := f.Terms()
	return factory.Height(t.Params.EarlyWarningTime(t.Shape))
}

// quietUntil mines up to a height and requires that nothing of the tree is
// published until the block before.
func quietUntil(p *harness.Play, id rule.ID, tree *factory.Tree, height factory.Height) {
	p.MineTo(height - 1)
	_, spent := p.Spender(tree.Funding())
	p.Check(id, spent, gomega.BeFalse(), "nothing is published before the warning")
	p.MineTo(height)
	p.Mine(1)
}

func lspWarned(p *harness.Play) {
	s := usedClients(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	tree := s.Held(0).Tree()
	h := s.Leaf[0].List[0].Offered(htlcMsat)
	p.Step("the HTLC comes near its expiry")
	quietUntil(p, rule.CHAN010, tree, factory.Height(h.Expiry)-earlyWarningOf(tree.Factory()))
	p.Published(rule.CHAN010, s.Nodes()[0].Tx, "an HTLC that it offered is still there, one early warning time before its expiry")
}

func clientWarned(p *harness.Play) {
	s, ch := usedLSP(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	tree := s.Tree()
	inv := invoice(p)
	expiry := channel.Height(p.Tip()) + 100
	deaf(ch, func() { pay(p, ch, inv, expiry, forwardMsat) })
	if !ch.Want(rule.CHAN010, 0, "update_fulfill_htlc", true) {
		return
	}
	p.Step("the HTLC whose preimage the LSP does not take comes near its expiry")
	quietUntil(p, rule.CHAN010, tree, factory.Height(expiry)-earlyWarningOf(tree.Factory())-claimMargin)
	p.Published(rule.CHAN010, tree.Nodes()[0].Tx, "its preimage is out, and the HTLC is still there")
}

// deaf does something while the suite's side hears nothing of a channel from the
// first fulfilment on.
func deaf(ch *harness.Channel, do func()) {
	over := false
	ch.Deaf = func(m wire.Message) bool {
		over = over || m.Name() == "update_fulfill_htlc"
		return over
	}
	do()
}

func noHTLCAtExit(p *harness.Play) {
	s := usedClients(p, harness.FactoryPlan{Params: shortDelays(50)})
	height := exitHeight(s.Held(0).Tree().Factory())
	ch := s.Leaf[0].List[0]
	p.MineTo(height - 1)
	ch.M.Block(channel.Height(height - 1))
	ch.Settle()
	ch.Offered(1_000_000)
	p.MineTo(height)
	ch.Settle()
	p.Step("at height T - exit_time")
	from := len(ch.Log)
	p.Pay(ch.Invoice(1_000_000))
	ch.Settle()
	ch.Want(rule.CHAN011, from, "update_add_htlc", false)
}

func littleAtATime(p *harness.Play) {
	_, ch := usedLSP(p, harness.FactoryPlan{})
	expiry := channel.Height(p.Tip()) + 1500
	little := payFor(p, ch, 2_000_000, expiry)
	p.Check(rule.CHAN012, little.Fulfilled(), gomega.BeTrue(), "control: an HTLC of 2,000 sat is fulfilled")
	p.Step("half of the channel at a time")
	much := payFor(p, ch, 50_000_000, expiry)
	p.Check(rule.CHAN012, much.Fulfilled(), gomega.BeFalse(), "an HTLC above a tenth of the cover is failed")
	p.Check(rule.CHAN012, much.Code(), gomega.Not(gomega.BeZero()), "an error that the payer can read")
}

// payFor pays an invoice of the target over an amount in msat.
func payFor(p *harness.Play, ch *harness.Channel, msat uint64, expiry channel.Height) *harness.HTLC {
	inv := invoiceOver(p, msat)
	records := wire.Stream{
		{Type: 2, Value: harness.Truncated(msat)}, {Type: 4, Value: harness.Truncated(uint64(expiry))},
		{Type: 8, Value: append(inv.Secret[:], harness.Truncated(msat)...)},
	}
	if inv.Metadata != nil {
		records = append(records, wire.Record{Type: 16, Value: inv.Metadata})
	}
	h := ch.OfferOnion(inv.Hash, msat, expiry, harness.Hop{Node: p.TargetID(), Payload: records})
	ch.Settle()
	return h
}
