package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.4: stock of one group that grows a channel of another.

func widerCases() []harness.Case {
	return []harness.Case{
		leafCase(node.LSP, "another-group-gives", "An LSP takes what it moves between groups from the stock it was told to, by the lowest state above both.", lspMovesStock, rule.CHG015),
		leafCase(node.Client, "another-group-gets", "A client takes part in an update that gives stock of its group to a client of another.", clientLetsStockGo, rule.CHG016),
	}
}

// twoLeaves is a factory whose two clients share a state above their leaves.
func twoLeaves() harness.FactoryPlan {
	return harness.FactoryPlan{Shape: "kickoff 1 / state 2 / kickoff 1 / dw 1", Params: shortDelays(lasted)}
}

func lspMovesStock(p *harness.Play) {
	s := usedClients(p, twoLeaves())
	m := &updating{p: p, ch: s.Leaf[0].List[0], last: s.Leaf[1].List[0], clients: s}
	s.Move(0, 1, movedSat)
	for i := range 2 {
		if got := ofType[*wire.Update](s.Got[i]); p.Check(rule.CHG015, got, gomega.HaveLen(1), "an update for both clients: the stock is that of client 1") {
			p.Check(rule.CHG015, got[0].Node, gomega.Equal(wire.NodeRecord{Level: 1}), "the update replaces the lowest state above both")
			p.Check(rule.CHG015, got[0].Capacities, gomega.Equal([]uint64{100_000 + movedSat, 100_000}), "the buyer's channel grows, and no other")
			p.Check(rule.CHG015, got[0].Stocks, gomega.Equal([]uint64{50_000, 50_000 - movedSat}), "the stock that gives is the one it was told to")
		}
	}
	m.ended(rule.CHG015, endsWell)
}

func clientLetsStockGo(p *harness.Play) {
	s := createdOn(p.Connect(), twoLeaves())
	s.Leaf.Use()
	ch := s.Leaf.List[0]
	ch.MustBeUp("the channel of a confirmed factory is used")
	before := ch.Output()
	s.Move(1, 0, movedSat)
	if !p.Check(rule.CHG016, ch.Output() != before && ch.M.Settled(ch.Output()), gomega.BeTrue(), "the target takes part, and its channel is on the new output alone") {
		return
	}
	p.Check(rule.CHG016, uint64(ch.M.Value()), gomega.Equal(uint64(100_000)), "its channel keeps its size")
	p.Check(rule.CHG016, uint64(s.Tree().Capacities(1)), gomega.Equal(uint64(100_000+movedSat)), "control: the other client's grows")
}
