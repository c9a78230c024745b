package conformance

import (
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// updating is a factory with channels in use, whose updates move them: that of the
// target, or those with the target where it is the LSP.
type updating struct {
	p    *harness.Play
	ch   *harness.Channel // of client 0
	last *harness.Channel // of client 1 where the target is the LSP, else ch

	lsp     *harness.LSPScript // nil where the target is the LSP
	peer    *harness.Peer      // the suite's LSP's
	clients *harness.ClientsScript
	kept    wire.Ceremony
}

// movedSat is what the update of these cases gives to client 0.
const movedSat = 10_000

func movingOfClient(p *harness.Play) *updating {
	c := p.Connect()
	s := createdOn(c, harness.FactoryPlan{Params: shortDelays(lasted)})
	s.Leaf.Use()
	ch := s.Leaf.List[0]
	ch.MustBeUp("the channel of a confirmed factory is used")
	return &updating{p: p, ch: ch, last: ch, lsp: s, peer: c}
}

func movingOfLSP(p *harness.Play) *updating {
	s := usedClients(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	return &updating{p: p, ch: s.Leaf[0].List[0], last: s.Leaf[1].List[0], clients: s}
}

// update runs the update, or the one that was interrupted.
func (m *updating) update() {
	switch {
	case m.clients != nil:
		m.clients.TrySell(0, movedSat, true)
	case m.lsp.Interrupted():
		m.lsp.Resume()
	default:
		m.lsp.Update(0, movedSat)
	}
}

// goOn plays until nobody has anything to say.
func (m *updating) goOn() {
	if m.clients != nil {
		m.clients.Play()
	} else {
		m.lsp.Continue()
	}
}

// hold keeps back what the suite says of a phase: the aggregates of its LSP, a
// message of its client 1.
func (m *updating) hold(phase uint8, of wire.CeremonyType) {
	bend := func(x wire.Ceremony) []wire.Ceremony {
		a, aggregate := x.(*wire.AggregateNonces)
		if aggregate && a.Phase == phase || x.Type() == of && harness.PhaseOf(x) == phase {
			m.kept = x
			return nil
		}
		return []wire.Ceremony{x}
	}
	if m.lsp != nil {
		m.lsp.Bend = bend
		return
	}
	m.clients.Bend = func(i int, x wire.Ceremony) []wire.Ceremony {
		if i != 1 {
			return []wire.Ceremony{x}
		}
		return bend(x)
	}
}

// unbend says everything again.
func (m *updating) unbend() {
	if m.lsp != nil {
		m.lsp.Bend = nil
	} else {
		m.clients.Bend = nil
	}
}

// release sends what was held, and plays on.
func (m *updating) release() {
	m.unbend()
	if !m.p.Check(m.p.Case.Rules[0], m.kept != nil, gomega.BeTrue(), "control: the update comes as far as what the suite holds back") {
		return
	}
	if m.lsp != nil {
		m.peer.SendCeremony(m.kept)
	} else {
		m.clients.Peers[1].SendCeremony(m.kept)
	}
	m.goOn()
}

// end lets the attempt end for want of an answer.
func (m *updating) end() {
	m.unbend()
	if m.lsp != nil {
		m.lsp.GiveUp()
		return
	}
	afterDeadline(m.p, m.clients)
}

// keep keeps back a channel's messages from the first with a name on; the function that it returns
// sends them, and plays on.
func (m *updating) keep(ch *harness.Channel, name string) (release func()) {
	var kept []wire.Message
	ch.Bend = func(x wire.Message) []wire.Message {
		if len(kept) == 0 && x.Name() != name {
			return []wire.Message{x}
		}
		kept = append(kept, x)
		return nil
	}
	return func() {
		ch.Bend = nil
		m.p.Check(m.p.Case.Rules[0], kept, gomega.Not(gomega.BeEmpty()), "control: the update comes as far as the suite's "+name)
		for _, x := range kept {
			ch.Peer.Send(x)
		}
		m.goOn()
	}
}

// ended requires that the update came to its end: the channels are on the new
// outputs alone, and what was on the old ones is revoked.
func (m *updating) ended(id rule.ID, what string) bool {
	ok := true
	for _, ch := range []*harness.Channel{m.ch, m.last} {
		ok = ok && ch.M.Settled(ch.Output())
	}
	ok = ok && m.ch.M.Value() == 100_000+movedSat
	return m.p.Check(id, ok, gomega.BeTrue(), what)
}

const endsWell = "control: the update comes to its end, and the channel is on the new outpoint alone"

// signs reports whether the target, a client, gave partial signatures of a phase.
func (m *updating) signs(phase uint8) bool {
	return slices.ContainsFunc(m.lsp.Got, func(x wire.Ceremony) bool { return x.Type() == wire.TypePartials && harness.PhaseOf(x) == phase })
}

// pays moves msat to the client.
func (m *updating) pays(msat uint64) {
	(&leaf{p: m.p, ch: m.ch}).pays(msat)
}

// tree is the factory as the suite knows it, and who has its signatures.
func (m *updating) tree() (whose completer, tree *factory.Tree) {
	if m.lsp != nil {
		return m.lsp.Factory(), m.lsp.Tree()
	}
	return m.clients.Held(0), m.clients.Held(0).Tree()
}

// completer has the signatures of a tree.
type completer interface {
	Complete(*factory.Tx) (*btcwire.MsgTx, error)
}
