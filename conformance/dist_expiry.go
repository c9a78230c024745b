package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire/rule"
)

// Section 6.1 on a chain: the LSP is out before T, a client after it.

func expiryCases() []harness.Case {
	return []harness.Case{
		onChain(node.LSP, "out-in-time", "An LSP spends every output of the tree, and every stock, before T.", outInTime, rule.DIST008),
		onChain(node.Client, "expiry", "After T a client publishes the distribution of the outpoint nearest to its leaf that is on the chain.", distributes, rule.DIST009),
	}
}

// outInTime confirms what the LSP publishes, level by level, in the blocks in
// which it can be confirmed first. What is in a channel output is the channel's.
func outInTime(p *harness.Play) {
	s := leavingLSP(p, rule.DIST008)
	nodes := s.Nodes()
	for len(nodes) > 0 {
		level := nodes[0].ID.Level
		if nodes[0].Kind == factory.State {
			p.Mine(nodes[0].Tx.Sequence() - 1)
		}
		for len(nodes) > 0 && nodes[0].ID.Level == level {
			p.Spent(rule.DIST008, nodes[0].Tx.Outpoint(), fmt.Sprintf("the output that %s %s spends", nodes[0].Kind, nodes[0].ID))
			nodes = nodes[1:]
		}
		p.Mine(1)
	}
	params := s.Held(0).Tree().Factory().Terms().Params
	p.Step("stock_csv blocks after the leaves")
	p.Mine(uint32(params.StockCSV) - 1)
	stocks := 0
	for _, n := range s.Nodes() {
		for _, stock := range n.Stocks {
			if stock != nil {
				stocks++
				p.Spent(rule.DIST008, stock.Outpoint, "the stock of leaf "+n.ID.String())
			}
		}
	}
	p.Check(rule.DIST008, stocks, gomega.Equal(2), "control: each leaf has a stock")
	p.Mine(1)
	p.Check(rule.DIST008, p.Tip(), gomega.BeNumerically("<", params.Expiry), "all is spent before T")
}

func distributes(p *harness.Play) {
	create := func() *harness.LSPScript {
		s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(soon)})
		s.Create()
		s.MustComplete()
		p.Mine(1)
		return s
	}
	s := create()
	f := s.Factory()
	p.Step("at height T, nothing published")
	p.MineTo(f.Tree().Factory().Terms().Params.Expiry)
	p.Published(rule.DIST009, f.Tree().Nodes()[0].Distribution, "T is reached, and the funding output is unspent")

	s = create()
	f = s.Factory()
	for _, n := range f.Tree().Nodes() {
		p.Publish(f, n.Tx)
	}
	expiry := f.Tree().Factory().Terms().Params.Expiry
	p.MineEmpty(int(expiry - p.Tip()))
	p.Step("at height T, the leaf published")
	p.Published(rule.DIST009, f.Tree().Channels(0)[0].Distribution, "T is reached, and its channel output is unspent")
	leaf, group, _ := f.Tree().Factory().Layout().Group(0)
	stock, ok := f.Tree().NewestStock(leaf, uint8(group))
	if p.Check(rule.DIST009, ok, gomega.BeTrue(), "control: the leaf has a stock") {
		p.Published(rule.DIST009, stock.Distribution, "T is reached, and its stock is unspent")
	}
}
