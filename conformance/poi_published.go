package conformance

import (
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/node"
	"superscalar/wire/rule"
)

// Section 6.2 on a chain: an old leaf is published.

func poisonCases() []harness.Case {
	return []harness.Case{
		onChain(node.Client, "replaced-leaf", "A client that sees a replaced leaf confirmed publishes the poison of each of its outputs that pays it.", poisons, rule.POI007),
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
