package harness

import (
	"errors"
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Changes that the suite's LSP runs with a client under test (section 5.4).

// Update runs an update that moves amount sat to a client.
func (s *LSPScript) Update(buyer int, amount uint64) {
	s.Leaf.Ready()
	_, out, err := s.lsp.Update(scriptNow, s.purchase(buyer, amount))
	s.must("update", err)
	s.run(out)
}

// Move runs an update that moves amount sat of the stock of client from's group to a
// client.
func (s *LSPScript) Move(buyer, from int, amount uint64) {
	s.Leaf.Ready()
	p := s.purchase(buyer, amount)
	p.Wider, p.From = true, factory.ClientIndex(from)
	_, out, err := s.lsp.Update(scriptNow, p)
	s.must("update", err)
	s.run(out)
}

// Sell runs a sale of amount sat to a client.
func (s *LSPScript) Sell(buyer int, amount uint64) {
	_, out, err := s.lsp.Sell(scriptNow, s.purchase(buyer, amount))
	s.must("sale", err)
	s.run(out)
}

// Resume goes on with the change that was interrupted last.
func (s *LSPScript) Resume() {
	s.Leaf.Ready()
	s.heardAll()
	_, out, err := s.lsp.Resume(scriptNow, s.Funded)
	s.must("interrupted change", err)
	s.run(out)
}

// Interrupted reports whether a change of the factory waits to be completed.
func (s *LSPScript) Interrupted() bool { return s.lsp.Factory(s.Funded).Interrupted() != "" }

// Poison asks for the poison below a transaction.
func (s *LSPScript) Poison(node factory.NodeID) {
	_, out, err := s.lsp.Poison(scriptNow, s.Funded, node)
	s.must("poison", err)
	s.run(out)
}

// WrongUpdate runs the update that Update would, altered by f. Everybody but
// the target takes it for right, as far as the rules that the plan leaves out
// allow, so that the target may refuse it as late as it signs.
func (s *LSPScript) WrongUpdate(buyer int, amount uint64, f func(*ceremony.Draft)) {
	s.Leaf.Ready()
	draft, err := s.lsp.DraftUpdate(s.purchase(buyer, amount))
	s.must("wrong update", err)
	f(&draft)
	_, out, err := s.lsp.ProposeUpdate(scriptNow, draft)
	s.must("wrong update", err)
	s.run(out)
}

// WrongSale is WrongUpdate for a sale.
func (s *LSPScript) WrongSale(buyer int, amount uint64, f func(*ceremony.Draft)) {
	draft, err := s.lsp.DraftSale(s.purchase(buyer, amount))
	s.must("wrong sale", err)
	f(&draft)
	_, out, err := s.lsp.ProposeSale(scriptNow, draft)
	s.must("wrong sale", err)
	s.run(out)
}

// WrongPoison asks for poison that is not due.
func (s *LSPScript) WrongPoison(node factory.NodeID) {
	_, out, err := s.lsp.ProposePoison(scriptNow, ceremony.Draft{Factory: s.Funded, Node: node})
	s.must("wrong poison", err)
	s.run(out)
}

// heardAll tells the suite's LSP, between two changes, that nothing of the target's
// is on its way: what it did not want to hear has come (CER-045).
func (s *LSPScript) heardAll() { s.post(s.lsp.Disconnected(scriptNow, scriptPeer(0))) }

// Late lets the suite's LSP give up what it waits for.
func (s *LSPScript) Late() { s.run(s.lsp.Tick(scriptNow.Add(ceremony.DefaultDeadline))) }

// GiveUp is Late, after which nothing of the target's is on its way.
func (s *LSPScript) GiveUp() {
	s.Late()
	s.heardAll()
}

// Interrupt runs a change and stops it: the suite's LSP does not hear what the
// target says of a type in a phase, which it did say, and gives up.
func (s *LSPScript) Interrupt(t wire.CeremonyType, phase uint8, change func()) {
	said := false
	s.Deaf = func(m wire.Ceremony) bool {
		deaf := m.Type() == t && PhaseOf(m) == phase
		said = said || deaf
		return deaf
	}
	change()
	s.Deaf = nil
	if !said {
		s.play.controlFailed(fmt.Sprintf("the target sends a message of type %d in phase %d", t, phase), s.received())
	}
	s.Late()
	s.heardAll()
}

// PhaseOf is the phase that a client's message names, 0 when it names none.
func PhaseOf(m wire.Ceremony) uint8 {
	switch m := m.(type) {
	case *wire.Nonces:
		return m.Phase
	case *wire.Partials:
		return m.Phase
	case *wire.Stored:
		return m.Phase
	default:
		return 0
	}
}

// MustChange ends the case when a change does not come to its end: the positive
// control of every case about changes.
func (s *LSPScript) MustChange(what string, change func()) {
	before, heard := s.done, len(s.Got)
	change()
	if s.done == before {
		s.Got = s.Got[heard:]
		s.play.controlFailed(what+" is signed and stored to the end", s.received())
	}
}

// Changed requires that a change comes to its end.
func (s *LSPScript) Changed(id rule.ID, what string, change func()) bool {
	before, heard := s.done, len(s.Got)
	change()
	if s.done > before {
		return true
	}
	s.Got = s.Got[heard:]
	s.play.fail(id, mismatch{
		message: what + " did not come to its end", planted: -1, expected: []string{"ceremony_stored of every phase"},
		received: s.received(), frame: lastFrame(s.play.frames),
	})
	return false
}

func (s *LSPScript) purchase(buyer int, amount uint64) ceremony.Purchase {
	return ceremony.Purchase{Factory: s.Funded, Buyer: factory.ClientIndex(buyer), Amount: factory.Sat(amount)}
}

// must ends the case when the target has not let the change before come to its
// end; any other error is the suite's.
func (s *LSPScript) must(what string, err error) {
	switch {
	case errors.Is(err, ceremony.ErrBusy), errors.Is(err, ceremony.ErrInterrupted), errors.Is(err, ceremony.ErrNoChannel), errors.Is(err, ceremony.ErrHTLCs), errors.Is(err, ceremony.ErrStillMoving):
		s.play.controlFailed("the change before comes to its end", s.received())
	case err != nil:
		panic(fmt.Sprintf("the suite cannot start its %s: %v", what, err))
	}
}

// Tree is the tree of the target's factory, as the suite's LSP has it.
func (s *LSPScript) Tree() *factory.Tree { return s.lsp.Factory(s.Funded).Tree() }

// Kickoff is the transaction that starts the clock of the target's leaf,
// complete.
func (s *LSPScript) Kickoff() *btcwire.MsgTx {
	f := s.lsp.Factory(s.Funded)
	for _, n := range f.Tree().Nodes() {
		if n.Kind != factory.Kickoff {
			continue
		}
		tx, err := f.Complete(n.Tx)
		s.must("kickoff", err)
		return tx
	}
	panic("the suite's factory has no kickoff")
}
