package chain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// scripted is a backend that knows one spend, which moves, and dies when told.
type scripted struct {
	chain.Interface
	tip   chain.Height
	spend chain.Spend
	dead  error
	asked int
}

func (s *scripted) Tip(context.Context) (chain.BlockID, error) {
	return chain.BlockID{Height: s.tip}, s.dead
}

func (s *scripted) Spend(context.Context, wire.OutPoint) (chain.Spend, bool, error) {
	s.asked++
	return s.spend, s.spend.Tx != nil, s.dead
}

func (s *scripted) Transaction(context.Context, chainhash.Hash) (chain.Transaction, bool, error) {
	s.asked++
	return s.spend.Transaction, s.spend.Tx != nil, s.dead
}

// TestSnapshotStaysTheSame: what happens on the chain after the first question
// does not change the answer to the second.
func TestSnapshotStaysTheSame(t *testing.T) {
	tx := wire.NewMsgTx(3)
	b := &scripted{tip: 7}
	s, err := chain.Look(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	var o wire.OutPoint
	if _, found := s.Spend(o); found {
		t.Fatal("found what is not there")
	}
	b.tip, b.spend.Tx = 8, tx
	if _, found := s.Spend(o); found || s.Tip() != 7 || b.asked != 1 {
		t.Errorf("the snapshot moved: tip %d, asked %d times", s.Tip(), b.asked)
	}
	if spend, found := s.Spend(wire.OutPoint{Index: 1}); !found || spend.Tx != tx {
		t.Error("another outpoint is not found")
	}
}

// TestSnapshotUnconfirmed: a transaction in the mempool is not in a block.
func TestSnapshotUnconfirmed(t *testing.T) {
	b := &scripted{tip: 7}
	b.spend.Tx = wire.NewMsgTx(3)
	s, err := chain.Look(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := s.Confirmed(chainhash.Hash{}); ok || h != 0 {
		t.Errorf("confirmed at %d", h)
	}
	b.spend.Confirmed, b.spend.Block.Height = true, 5
	if h, ok := s.Confirmed(chainhash.Hash{}); !ok || h != 5 {
		t.Errorf("confirmed: %v at %d", ok, h)
	}
}

// TestSnapshotOfADeadBackend: after an error a snapshot finds nothing, even if
// the backend comes back, and says so.
func TestSnapshotOfADeadBackend(t *testing.T) {
	dead := errors.New("no answer")
	b := &scripted{tip: 7}
	b.spend.Tx, b.spend.Confirmed = wire.NewMsgTx(3), true
	for name, ask := range map[string]func(*chain.Snapshot) bool{
		"spend":       func(s *chain.Snapshot) bool { _, found := s.Spend(wire.OutPoint{}); return found },
		"transaction": func(s *chain.Snapshot) bool { _, found := s.Confirmed(chainhash.Hash{}); return found },
	} {
		t.Run(name, func(t *testing.T) {
			b.dead = nil
			s, err := chain.Look(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			b.dead = dead
			if ask(s) || !errors.Is(s.Err(), dead) {
				t.Errorf("it answers, its error is %v", s.Err())
			}
			b.dead = nil
			if ask(s) || !errors.Is(s.Err(), dead) {
				t.Errorf("it forgot its error: %v", s.Err())
			}
		})
	}
	b.dead = dead
	if _, err := chain.Look(t.Context(), b); !errors.Is(err, dead) {
		t.Errorf("a backend that does not answer is looked at: %v", err)
	}
}
