package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.4: what an LSP gains when a balance moves between two attempts at an update,
// or within one. Both are played against a client, whose money it is.

func onceCases() []harness.Case {
	client := harness.Role(node.Client)
	return []harness.Case{
		leafCase(client, "signed-once", "A client signs no second commitment of the same number on an outpoint, when what it bought meanwhile is absorbed.", signedOnce, rule.CHG027),
		leafCase(client, "absorbed-as-committed", "A client does not sign the new state when an absorbed channel was called off alone and gives something else now.", absorbedAsCommitted, rule.CHG028),
		leafCase(client, "beyond-cover", "A client that has more than its cover leaves after T - exit_time when its LSP does not.", beyondCover, rule.CHG029),
		leafCase(client, "paid-too-late", "A client takes no HTLC from height T - exit_time on.", paidTooLate, rule.CHG030),
	}
}

// signedOnce has the LSP call off an update that gives the client stock, sell it as much
// instead, pay it there, and cut the chain through: the new state is the same.
func signedOnce(p *harness.Play) {
	c := p.Connect()
	s := createdOn(c, harness.FactoryPlan{Params: shortDelays(lasted), Rules: rule.Without(rule.CHG027)})
	s.Leaf.Use()
	ch := s.Leaf.List[0]
	ch.MustBeUp("the channel of a confirmed factory is used")
	m := &updating{p: p, ch: ch, last: ch, lsp: s, peer: c}
	m.pays(20_000_000)
	s.Deaf = func(x wire.Ceremony) bool { return x.Type() == wire.TypeStored || harness.PhaseOf(x) == 1 } // phase 1 does not begin
	m.update()
	s.Deaf = nil
	to, committed := ch.M.Changing()
	if !p.Check(rule.CHG027, committed, gomega.BeTrue(), "control: both sides commit to the new output") {
		return
	}
	m.end()
	s.MustChange("a sale", func() { s.Sell(0, movedSat) })
	s.Leaf.Use()
	sold := s.Leaf.List[1]
	sold.MustBeUp("the channel of a sale is used")
	(&leaf{p: p, ch: sold}).pays(5_000_000)

	from := len(ch.Log)
	s.Update(0, 0)
	again := false
	for _, x := range ch.Log[from:] {
		if signed, ok := x.(*wire.CommitmentSigned); ok {
			again = signed.FundingTxid != nil && *signed.FundingTxid == to
			break // the first one revokes what was signed before
		}
	}
	if !p.Check(rule.CHG027, again, gomega.BeFalse(), "no second commitment of one number on one outpoint") {
		return
	}
	if ch.Output() != to { // the target refused it, and revokes first
		m.end()
		ch.Want(rule.CHG027, from, "commitment_signed", true)
		s.MustChange("the update, once the commitment of before is revoked", func() { s.Update(0, 0) })
	}
	p.Check(rule.CHG027, ch.Output() == to, gomega.BeTrue(), "control: it is the same update")
}

// absorbedAsCommitted has the LSP call an absorbed channel off alone, pay the client there
// and begin its change again.
func absorbedAsCommitted(p *harness.Play) {
	a := absorbingOfClient(p, soldMsat)
	a.hold(1, wire.TypeNonces)
	a.update()
	if !p.Check(rule.CHG028, a.kept != nil, gomega.BeTrue(), "control: both channels are committed") {
		return
	}
	if err := a.sold.M.AbortChange("alone"); err != nil {
		p.Check(rule.CHG028, err, gomega.BeNil(), "control: the absorbed channel is committed")
		return
	}
	a.sold.Settle()
	(&leaf{p: p, ch: a.sold}).pays(3_000_000)
	whole, _ := a.sold.M.Whole()
	err := a.sold.M.StartChange(-whole[commitment.Opener], nil)
	if !p.Check(rule.CHG028, err, gomega.BeNil(), "control: the absorbed channel can change again") {
		return
	}
	a.sold.Settle()
	a.lsp.Got = nil
	a.release()
	p.Check(rule.CHG028, a.signs(1), gomega.BeFalse(), "no partial signature of phase 1 while the channel that stays takes less than the absorbed one gives")
}

// beyondCover pays a client that bought from the stock more than the funding output's
// distribution would, and does nothing at T - exit_time.
func beyondCover(p *harness.Play) {
	c := p.Connect()
	s := createdOn(c, harness.FactoryPlan{Params: shortDelays(200)})
	s.Leaf.Use()
	s.MustChange("a sale", func() { s.Sell(0, 90_000) })
	s.Leaf.Use()
	for i, msat := range []uint64{90_000_000, 75_000_000} {
		ch := s.Leaf.List[i]
		ch.MustBeUp("a channel of a confirmed factory is used")
		(&leaf{p: p, ch: ch}).pays(msat)
	}
	tree := s.Tree()
	cover, err := tree.Cover(0)
	if !p.Check(rule.CHG029, err == nil && cover < 165_000, gomega.BeTrue(), "control: the client has more than its cover") {
		return
	}
	from := exitHeight(tree.Factory()) + factory.Height(tree.Factory().Terms().Params.ConfirmBlocks)
	p.MineTo(from - 5)
	c.Fence()
	_, spent := p.Spender(tree.Funding())
	p.Check(rule.CHG029, spent, gomega.BeFalse(), "control: nobody leaves before T - exit_time")
	p.Step("confirm_blocks after T - exit_time, and the LSP has not left")
	p.MineTo(from)
	p.Published(rule.CHG029, tree.Nodes()[0].Tx, "it has more than its cover")
}

// paidTooLate offers what the client asked for, a block before T - exit_time and at it.
func paidTooLate(p *harness.Play) {
	s, ch := usedLSP(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	height := exitHeight(s.Tree().Factory())
	for _, at := range []factory.Height{height - 1, height} {
		p.Step("at %d blocks to T - exit_time", height-at)
		p.MineTo(at)
		ch.M.Block(channel.Height(at))
		ch.Settle()
		h := payFor(p, ch, 2_000_000, channel.Height(at)+1000)
		p.Check(rule.CHG030, h.Fulfilled(), gomega.Equal(at < height), "an HTLC is taken before T - exit_time, and not from then on")
	}
	ch.MustBeUp("the channel goes on")
}
