package harness

import (
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// Changes that an LSP under test is told to make with the suite's clients.

// Sell tells the target to move amount sat to client buyer, by a sale or by an
// update, and plays until nobody has anything to say.
func (s *ClientsScript) Sell(buyer int, amount uint64, update bool) {
	stocker, ok := s.play.Node.(Stocker)
	if !ok {
		s.play.Unsupported("the target cannot be told to sell from a stock")
	}
	s.confirm()
	s.ready(update)
	if err := stocker.Sell(s.play.ctx, [32]byte(s.factory(buyer)), uint16(buyer), amount, update); err != nil {
		s.play.controlFailed("the target sells from a stock", oneLine(err.Error()))
	}
	s.Play()
}

// ready lets the channels of every client be used: an update moves them.
func (s *ClientsScript) ready(update bool) {
	if !update || s.plan.Unfunded {
		return
	}
	for i, l := range s.Leaf {
		if !s.out[i] {
			s.settle(i)
			l.Ready()
		}
	}
}

// TrySell is Sell for a purchase that the target may refuse to start.
func (s *ClientsScript) TrySell(buyer int, amount uint64, update bool) {
	s.TrySellIn(s.factory(buyer), buyer, amount, update)
}

// TrySellIn is TrySell in one of several factories of the same clients.
func (s *ClientsScript) TrySellIn(factory wire.CeremonyID, buyer int, amount uint64, update bool) {
	if stocker, ok := s.play.Node.(Stocker); ok {
		s.confirm()
		s.ready(update)
		if err := stocker.Sell(s.play.ctx, [32]byte(factory), uint16(buyer), amount, update); err != nil {
			s.play.event("told to sell %d sat: %s", amount, oneLine(err.Error()))
		}
	}
	s.Play()
}

// Move tells the target to move amount sat of the stock of client from's group to
// client buyer, and plays until nobody has anything to say.
func (s *ClientsScript) Move(buyer, from int, amount uint64) {
	mover, ok := s.play.Node.(Mover)
	if !ok {
		s.play.Unsupported("the target cannot be told to move stock between groups")
	}
	s.confirm()
	s.ready(true)
	if err := mover.Move(s.play.ctx, [32]byte(s.factory(buyer)), uint16(buyer), uint16(from), amount); err != nil {
		s.play.controlFailed("the target moves stock between groups", oneLine(err.Error()))
	}
	s.Play()
}

// Play lets every client take what it was sent until nothing more comes.
func (s *ClientsScript) Play() {
	for moved := true; moved; {
		moved = false
		for i := range s.Peers {
			s.settle(i)
			if s.Leaf != nil && s.Leaf[i].takeMoved() {
				moved = true
			}
			if _, said := s.channelOpened(i); said {
				moved = true
			}
			for len(s.early[i]) > 0 {
				m := s.next(i)
				moved = true
				s.Got[i] = append(s.Got[i], m)
				s.answer(i, s.machines[i].Receive(scriptNow, m))
			}
		}
	}
}

// Channels counts the channels that client i has in its factory.
func (s *ClientsScript) Channels(i int) int {
	held := s.held(i)
	if held == nil {
		return 0
	}
	return len(held.Tree().Channels(held.Client()))
}

// Capacity is what client i's channels add up to, in sat.
func (s *ClientsScript) Capacity(i int) uint64 {
	held := s.held(i)
	if held == nil {
		return 0
	}
	return uint64(held.Tree().Capacities(held.Client()))
}

// Heard reports whether client i was sent a message of a type and phase.
func (s *ClientsScript) Heard(i int, t wire.CeremonyType, phase uint8) bool {
	return slices.ContainsFunc(s.Got[i], func(m wire.Ceremony) bool {
		switch m := m.(type) {
		case *wire.AggregateNonces:
			return t == wire.TypeAggregate && m.Phase == phase
		case *wire.Signatures:
			return t == wire.TypeSignatures && m.Phase == phase
		default:
			return m.Type() == t
		}
	})
}

// FundingTxid is that of the last proposal.
func (s *ClientsScript) FundingTxid() (txid wire.Txid) {
	for _, m := range s.Got[0] {
		if x, ok := m.(*wire.Proposal); ok {
			txid = x.Funding.Txid
		}
	}
	return txid
}

// factory is the one that client i heard is funded, the last of them.
func (s *ClientsScript) factory(i int) (id wire.CeremonyID) {
	for _, m := range s.Got[i] {
		if m.Type() == wire.TypeFunded {
			id = m.ID()
		}
	}
	return id
}

// held is that factory as client i stored it, nil when it did not.
func (s *ClientsScript) held(i int) *ceremony.Held { return s.machines[i].Held(s.factory(i)) }

// MustSay ends the case when the target did not do what a control asked for.
func (s *ClientsScript) MustSay(what string, said bool) {
	if !said {
		s.play.controlFailed(what+" is signed and stored to the end", s.received(0))
	}
}

// Kickoff is the transaction that starts the clock of client 0's leaf,
// complete.
func (s *ClientsScript) Kickoff() *btcwire.MsgTx {
	held := s.Held(0)
	for _, n := range held.Tree().Nodes() {
		if n.Kind != factory.Kickoff {
			continue
		}
		tx, err := held.Complete(n.Tx)
		if err != nil {
			s.play.controlFailed("client 0 has a complete kickoff", oneLine(err.Error()))
		}
		return tx
	}
	panic("the suite's factory has no kickoff")
}
