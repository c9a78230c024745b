package exit

import (
	"context"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
)

// snapshot is a View of a chain.
type snapshot struct{ *chain.Snapshot }

func look(ctx context.Context, backend chain.Interface) (snapshot, error) {
	s, err := chain.Look(ctx, backend)
	return snapshot{s}, err
}

// Height implements View.
func (s snapshot) Height() factory.Height { return factory.Height(s.Tip()) }

// Confirmed implements View.
func (s snapshot) Confirmed(txid chainhash.Hash) (factory.Height, bool) {
	h, ok := s.Snapshot.Confirmed(txid)
	return factory.Height(h), ok
}

// Spend implements View.
func (s snapshot) Spend(o wire.OutPoint) (Spend, bool) {
	spend, found := s.Snapshot.Spend(o)
	if !found {
		return Spend{}, false
	}
	return Spend{Txid: spend.Tx.TxHash(), Confirmed: spend.Confirmed, Height: factory.Height(spend.Block.Height)}, true
}
