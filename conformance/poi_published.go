package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire/rule"
)

// Section 6.2 on a chain: an old leaf is published.

func poisonCases() []harness.Case {
	sold := onChain(node.Client, "replaced-sale", "A client that sees a sale of a replaced leaf confirmed publishes the poison of what was sold to it and of the stock that is left.", poisonsSales, rule.POI007)
	sold.Bare = true // an update that merges channels
	return []harness.Case{
		onChain(node.Client, "replaced-leaf", "A client that sees a replaced leaf confirmed publishes the poison of each of its outputs that pays it.", poisons, rule.POI007),
		sold,
	}
}

// poisons publishes the leaf that an update replaced, past whatever the target
// does against it: the miners of these blocks help the LSP.
func poisons(p *harness.Play) {
	for _, shape := range []string{"kickoff 1 / ps 2", "kickoff 1 / dw 2"} {
		s := p.Connect().LSPScript(harness.FactoryPlan{Shape: shape, Params: shortDelays(lasted)})
		s.Create()
		s.MustComplete()
		p.Mine(1)
		s.Update(0, 10_000)
		f := s.Factory()
		former := f.Tree().Former()
		if !p.Check(rule.POI007, len(former), gomega.Equal(1), "control: the update replaces one leaf") {
			return
		}
		p.Publish(f, f.Tree().Nodes()[0].Tx)
		p.Publish(f, former[0].Node.Tx)
		p.Step("after the replaced leaf of %q is confirmed", shape)
		paid := 0
		for _, tx := range f.Tree().SignedPoison() {
			if tx.Pays(0) == 0 {
				continue
			}
			paid++
			p.Published(rule.POI007, tx, "a replaced leaf is confirmed")
		}
		p.Check(rule.POI007, paid, gomega.Equal(2), "control: poison pays the target from its old channel and from the old stock")
	}
}

// poisonsSales publishes the leaf that an update replaced, and the sale that was
// made of it before.
func poisonsSales(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Shape: "kickoff 1 / ps 2", Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.MustChange("sale", func() { s.Sell(0, 10_000) })
	s.MustChange("update", func() { s.Update(0, 10_000) })
	f := s.Factory()
	former := f.Tree().Former()
	if !p.Check(rule.POI007, len(former) == 1 && len(former[0].Sales) > 0 && len(former[0].Sales[0]) == 1, gomega.BeTrue(), "control: the update replaces one leaf with a sale") {
		return
	}
	sale := former[0].Sales[0][0]
	p.Publish(f, f.Tree().Nodes()[0].Tx)
	p.Publish(f, former[0].Node.Tx)
	p.Publish(f, sale.Tx)
	p.Step("after the replaced leaf and its sale are confirmed")
	for _, tx := range f.Tree().SignedPoison() {
		if at := tx.Outpoint(); at == sale.NewChannel.Outpoint || sale.Change != nil && at == sale.Change.Outpoint {
			p.Published(rule.POI007, tx, "a sale of a replaced leaf is confirmed")
		}
	}
}
