package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire/rule"
)

// Section 7 on a chain: a leaf is published after sales.

func salesOnChainCases() []harness.Case {
	poor := onChain(node.Client, "withheld-before-poor", "A buyer without coins publishes the omission of an earlier sale of its chain that is withheld.", omissionBefore, rule.PS025)
	poor.Coinless = true
	return []harness.Case{
		onChain(node.LSP, "sales-in-time", "An LSP publishes every signed sale of a stock output within omission_delay - S blocks.", publishesSales, rule.PS023),
		onChain(node.LSP, "claims", "An LSP claims unsold stock after stock_csv, and no other, even when a sale does not confirm.", claimsUnsoldOnly, rule.PS024),
		onChain(node.Client, "withheld-sale", "A buyer whose sale is withheld publishes the omission.", publishesOmission, rule.PS025),
		onChain(node.Client, "withheld-before", "A buyer with coins publishes the omission of an earlier sale of its chain that is withheld before the LSP can claim the stock.", omissionBefore, rule.PS025),
		poor,
	}
}

// soldAt creates a factory of four clients in two groups, sells, and publishes
// the leaf without the LSP.
func soldAt(p *harness.Play, sales ...int) (s *harness.ClientsScript, leaf *factory.Node) {
	s = p.ClientsScript(harness.FactoryPlan{Clients: 4, Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	for _, buyer := range sales {
		before := s.Channels(buyer)
		s.Sell(buyer, 10_000, false)
		p.Check(p.Case.Rules[0], s.Channels(buyer), gomega.Equal(before+1), "control: the sale is made")
	}
	nodes := s.Nodes()
	for _, n := range nodes {
		p.Publish(s.Held(0), n.Tx)
	}
	p.Step("after the leaf is confirmed")
	return s, nodes[len(nodes)-1]
}

func publishesSales(p *harness.Play) {
	s, leaf := soldAt(p, 0, 1)
	params := s.Held(0).Tree().Factory().Terms().Params
	for _, sale := range s.Held(0).Tree().Sales(leaf.ID, 0) {
		p.Mine(uint32(params.OmissionDelay - params.ConfirmBlocks - 1)) // it may be confirmed by now
		p.Published(rule.PS023, sale.Tx, "its stock output was confirmed omission_delay - S blocks ago")
		p.Mine(1)
	}
}

// claimsUnsoldOnly keeps the sale out of blocks until the stocks are open to
// claims.
func claimsUnsoldOnly(p *harness.Play) {
	s, leaf := soldAt(p, 0)
	tree := s.Held(0).Tree()
	p.MineEmpty(int(tree.Factory().Terms().Params.StockCSV) - 1)
	p.Step("stock_csv blocks after the leaf is confirmed, the sale left out of blocks")
	p.Spent(rule.PS024, leaf.Stocks[1].Outpoint, "the unsold stock (control)")
	sale := tree.Sales(leaf.ID, 0)[0]
	keeps := func() {
		spender, found := p.Spender(leaf.Stocks[0].Outpoint)
		p.Check(rule.PS024, found && spender.TxHash() != sale.Tx.Txid, gomega.BeFalse(), "the sold stock is not claimed")
	}
	keeps()
	p.Mine(1)
	keeps()
	p.Published(rule.PS024, sale.Tx, "it is signed")
}

// publishesOmission leaves the sale out of blocks, as miners in league with the
// LSP would.
func publishesOmission(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.Sell(0, 10_000)
	f := s.Factory()
	nodes := f.Tree().Nodes()
	leaf := nodes[len(nodes)-1]
	sales := f.Tree().Sales(leaf.ID, 0)
	if !p.Check(rule.PS025, len(sales), gomega.Equal(1), "control: the target buys") {
		return
	}
	for _, n := range nodes {
		p.Publish(f, n.Tx)
	}
	p.Step("omission_delay blocks after the leaf is confirmed, the sale withheld")
	p.MineEmpty(int(f.Tree().Factory().Terms().Params.OmissionDelay) - 1)
	p.Published(rule.PS025, sales[0].Omission, "its sale is not in a block omission_delay blocks after the stock output")
}

// omissionBefore withholds the first sale of a chain whose second one is the
// target's. If the target has coins and publishes the first sale itself, no block
// takes it.
func omissionBefore(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.Sell(1, 10_000)
	s.Sell(0, 10_000)
	f := s.Factory()
	nodes := f.Tree().Nodes()
	leaf := nodes[len(nodes)-1]
	sales := f.Tree().Sales(leaf.ID, 0)
	if !p.Check(rule.PS025, len(sales) == 2 && sales[0].Buyer == 1 && sales[1].Buyer == 0, gomega.BeTrue(), "control: the target buys after somebody else") {
		return
	}
	for _, n := range nodes {
		p.Publish(f, n.Tx)
	}
	params := f.Tree().Factory().Terms().Params
	p.Step("omission_delay blocks after the leaf is confirmed, an earlier sale withheld")
	p.MineEmpty(int(params.OmissionDelay) - 1)
	if p.Case.Coinless { // with coins, it may try the sales first
		p.Published(rule.PS025, sales[0].Omission, "the earlier sale is not in a block omission_delay blocks after the stock output")
	}
	p.Step("S blocks before the LSP can claim the stock")
	p.MineEmpty(int(params.StockCSV - params.OmissionDelay - params.ConfirmBlocks))
	p.Published(rule.PS025, sales[0].Omission, "no block took the earlier sale")
}
