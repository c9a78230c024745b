package closing

import (
	"context"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
)

// snapshot is a View of a chain.
type snapshot struct{ *chain.Snapshot }

func look(ctx context.Context, backend chain.Interface) (snapshot, error) {
	s, err := chain.Look(ctx, backend)

	return snapshot{s}, err
}

// Height implements View.
func (s snapshot) Height() commitment.Height { return commitment.Height(s.Tip()) }

// Confirmed implements View.
func (s snapshot) Confirmed(txid chainhash.Hash) (commitment.Height, bool) {
	h, ok := s.Snapshot.Confirmed(txid)

	return commitment.Height(h), ok
}

// Spend implements View.
func (s snapshot) Spend(o btcwire.OutPoint) (Spend, bool) {
	spend, found := s.Snapshot.Spend(o)
	if !found {
		return Spend{}, false
	}

	return Spend{Tx: spend.Tx, Input: spend.Input, Confirmed: spend.Confirmed, Height: commitment.Height(spend.Block.Height)}, true
}
