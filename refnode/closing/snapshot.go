package closing

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
)

// snapshot is a View of a chain backend. It asks each question once. After an
// error it answers nothing, and what was decided with it must not be used.
type snapshot struct {
	ctx     context.Context
	backend chain.Interface
	tip     commitment.Height
	spends  map[btcwire.OutPoint]answer
	err     error
}

type answer struct {
	spend Spend
	found bool
}

// look takes the height of a backend.
func look(ctx context.Context, backend chain.Interface) (*snapshot, error) {
	tip, err := backend.Tip(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the chain: %w", err)
	}

	return &snapshot{ctx: ctx, backend: backend, tip: commitment.Height(tip.Height), spends: map[btcwire.OutPoint]answer{}}, nil
}

// Height implements View.
func (s *snapshot) Height() commitment.Height { return s.tip }

// Confirmed implements View.
func (s *snapshot) Confirmed(txid chainhash.Hash) (commitment.Height, bool) {
	if s.err != nil {
		return 0, false
	}
	tx, found, err := s.backend.Transaction(s.ctx, txid)
	if err != nil {
		s.err = fmt.Errorf("look for transaction %s: %w", txid, err)
	}

	return commitment.Height(tx.Block.Height), found && tx.Confirmed && err == nil
}

// Spend implements View.
func (s *snapshot) Spend(o btcwire.OutPoint) (Spend, bool) {
	if a, asked := s.spends[o]; asked {
		return a.spend, a.found
	}
	if s.err != nil {
		return Spend{}, false
	}
	spend, found, err := s.backend.Spend(s.ctx, o)
	if err != nil {
		s.err = fmt.Errorf("look for the spend of %s: %w", o, err)

		return Spend{}, false
	}
	a := answer{found: found}
	if found {
		a.spend = Spend{Tx: spend.Tx, Input: spend.Input, Confirmed: spend.Confirmed, Height: commitment.Height(spend.Block.Height)}
	}
	s.spends[o] = a

	return a.spend, a.found
}
