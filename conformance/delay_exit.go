package conformance

import (
	"fmt"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire/rule"
)

// Section 4.5 on a chain: who publishes what, and when. The suite mines; what
// the target does shows in the mempool.

// shortDelays are parameters for a factory that is left within a hundred blocks;
// active is how long it is in use.
func shortDelays(active uint16) func(*factory.Params) {
	return func(f *factory.Params) {
		f.Step, f.States, f.ConfirmBlocks = 4, 3, 2
		f.MaxChain = min(f.MaxChain, 2)
		f.StockCSV, f.OmissionDelay, f.ToSelfDelay = 10, 5, 4
		f.Margin, f.MaxFundingWait, f.Active, f.Dying = 2, 2, active, 2
	}
}

// Times in use, in blocks: in one the factory is to be left soon, in the other it
// is not while a case runs.
const (
	soon   = 2
	lasted = 500
)

// onChain declares a case about what a target publishes.
func onChain(role harness.Role, name, summary string, body func(*harness.Play), ids ...rule.ID) harness.Case {
	return harness.Case{
		Name: caseName(string(role), name, ids[0]), Summary: summary, Rules: ids, Roles: []harness.Role{role}, Tier: harness.Chain,
		Features: factories, Protocol: harness.SuperScalar, Since: "0.2", Body: body,
	}
}

func delayExitCases() []harness.Case {
	return []harness.Case{
		onChain(node.LSP, "leaves-in-time", "An LSP begins to publish the path of every client at height T - exit_time, not before.", leavesInTime, rule.DELAY008),
		onChain(node.LSP, "latest-states", "An LSP that sees a kickoff confirmed publishes the latest state of each of its outputs.", lspFollowsKickoff, rule.DELAY009),
		onChain(node.Client, "latest-state", "A client that sees a kickoff confirmed publishes the latest state that it signed on it.", clientFollowsKickoff, rule.DELAY009),
		onChain(node.LSP, "older-state-waits", "An LSP that finds an older state in the mempool replaces it by the latest one.", lspReplacesState, rule.DELAY009),
		onChain(node.Client, "older-state-waits", "A client that finds an older state in the mempool replaces it by the latest one.", clientReplacesState, rule.DELAY009),
	}
}

// exitHeight is T - exit_time of a factory.
func exitHeight(f *factory.Factory) factory.Height {
	t := f.Terms()
	return t.Params.ExitHeight(t.Shape)
}

// leavingLSP is a factory of four whose LSP has just come to T - exit_time.
func leavingLSP(p *harness.Play, id rule.ID) *harness.ClientsScript {
	s := p.ClientsScript(harness.FactoryPlan{Clients: 4, Shape: "static 2 / kickoff 1 / ps 2", Params: shortDelays(soon)})
	s.Create()
	s.MustComplete()
	height := exitHeight(s.Held(0).Tree().Factory())
	p.MineTo(height - 1)
	s.Peers[0].Fence()
	_, spent := p.Spender(s.Held(0).Tree().Funding())
	p.Check(id, spent, gomega.BeFalse(), "nothing is published before height T - exit_time")
	p.Step("at height T - exit_time")
	p.MineTo(height)
	return s
}

func leavesInTime(p *harness.Play) {
	s := leavingLSP(p, rule.DELAY008)
	for _, n := range s.Nodes() {
		if n.Kind == factory.State {
			return // DELAY-009
		}
		p.Published(rule.DELAY008, n.Tx, "height T - exit_time is reached, and what it spends is confirmed")
		if n.Kind == factory.Static {
			p.Mine(1)
		}
	}
}

func lspFollowsKickoff(p *harness.Play) {
	s := p.ClientsScript(harness.FactoryPlan{Clients: 4, Shape: "kickoff 2 / dw 2", Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.Sell(0, 10_000, true)
	p.Check(rule.DELAY009, s.Capacity(0), gomega.Equal(uint64(110_000)), "control: the update is made")
	nodes := s.Nodes()
	p.Publish(s.Held(0), nodes[0].Tx)
	p.Step("after the kickoff is confirmed")
	leaves := nodes[1:]
	p.MineEmpty(int(leaves[0].Tx.Sequence()) - 1)
	p.Published(rule.DELAY009, leaves[0].Tx, "its kickoff is confirmed, and its delay is over")
	p.MineEmpty(int(leaves[1].Tx.Sequence() - leaves[0].Tx.Sequence()))
	p.Published(rule.DELAY009, leaves[1].Tx, "its kickoff is confirmed, and its delay is over")
}

func clientFollowsKickoff(p *harness.Play) {
	for _, updates := range []int{0, 1} {
		s := p.Connect().LSPScript(harness.FactoryPlan{Clients: 4, Shape: "kickoff 2 / dw 2", Params: shortDelays(lasted)})
		s.Create()
		s.MustComplete()
		p.Mine(1)
		for range updates {
			s.Update(0, 10_000)
		}
		f := s.Factory()
		p.Publish(f, f.Tree().Nodes()[0].Tx)
		p.Step("after the kickoff is confirmed, %d updates made before", updates)
		leaf, _ := f.Tree().Factory().Layout().Leaf(0)
		state, _ := f.Tree().Node(leaf)
		p.MineEmpty(int(state.Tx.Sequence()) - 1)
		p.Published(rule.DELAY009, state.Tx, fmt.Sprintf("its kickoff is confirmed, and the delay of state %d is over", state.Tx.Remaining))
	}
}

func lspReplacesState(p *harness.Play) {
	s := usedClients(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	s.TrySell(0, 10_000, true)
	p.Check(rule.DELAY009, s.Capacity(0), gomega.Equal(uint64(110_000)), "control: the update is made")
	replacesState(p, s.Held(0), s.Held(0).Tree())
}

func clientReplacesState(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{Params: shortDelays(lasted)})
	s.Create()
	s.MustComplete()
	p.Mine(1)
	s.MustChange("update", func() { s.Update(0, 10_000) })
	replacesState(p, s.Factory(), s.Factory().Tree())
}

// replacesState puts the kickoff into a block and the state that an update replaced into the
// mempool, while the target is not there: it comes back before a block has the older state.
func replacesState(p *harness.Play, whose completer, tree *factory.Tree) {
	former, latest := tree.Former(), tree.Nodes()[1].Tx
	if !p.Check(rule.DELAY009, former, gomega.HaveLen(1), "control: the update replaces one state") {
		return
	}
	older := former[0].Node.Tx
	signed, err := whose.Complete(older)
	if !p.Check(rule.DELAY009, err, gomega.BeNil(), "control: the older state is signed") {
		return
	}
	p.Away(func() {
		p.Publish(whose, tree.Nodes()[0].Tx)
		p.MineEmpty(int(older.Sequence()) - 1)
		p.Relay(signed)
		spender, found := p.Spender(older.Outpoint())
		p.Check(rule.DELAY009, found && spender.TxHash() == older.Txid, gomega.BeTrue(), "control: the older state waits in the mempool")
	})
	p.Step("after a block without the older state")
	p.MineEmpty(1)
	p.Published(rule.DELAY009, latest, "its kickoff is confirmed, and only the mempool has an older state")
}
