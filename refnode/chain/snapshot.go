package chain

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Snapshot is what a pure decision sees of a backend: the height it was taken at, and answers that stay the same however often a
// question is asked. It is for one goroutine.
//
// Methods return no error, so that a decision reads like its rule. After an error a snapshot finds nothing any more, and what was
// decided with it must not be used: look at Err before.
type Snapshot struct {
	ctx     context.Context
	backend Interface
	tip     Height
	spends  map[wire.OutPoint]foundSpend
	err     error
}

type foundSpend struct {
	spend Spend
	found bool
}

// Look takes a snapshot. The error is the backend's.
func Look(ctx context.Context, backend Interface) (*Snapshot, error) {
	tip, err := backend.Tip(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the chain: %w", err)
	}
	return &Snapshot{ctx: ctx, backend: backend, tip: tip.Height, spends: map[wire.OutPoint]foundSpend{}}, nil
}

// Err is the first error of the backend, nil while there is none.
func (s *Snapshot) Err() error { return s.err }

// Tip is the height the snapshot was taken at.
func (s *Snapshot) Tip() Height { return s.tip }

// Confirmed returns the height of the block that holds a transaction; ok is false for one that is in none.
func (s *Snapshot) Confirmed(txid chainhash.Hash) (h Height, ok bool) {
	if s.err != nil {
		return 0, false
	}
	tx, found, err := s.backend.Transaction(s.ctx, txid)
	if err != nil {
		s.err = fmt.Errorf("look for transaction %s: %w", txid, err)
		return 0, false
	}
	if !found || !tx.Confirmed {
		return 0, false
	}
	return tx.Block.Height, true
}

// Spend finds the transaction in the best chain or in the mempool that spends an outpoint.
func (s *Snapshot) Spend(o wire.OutPoint) (spend Spend, found bool) {
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
	s.spends[o] = foundSpend{spend, found}
	return spend, found
}

// Submit is Interface.Submit of the backend the snapshot was taken of. What it changes does not show in the snapshot.
func (s *Snapshot) Submit(pkg Package) error { return s.backend.Submit(s.ctx, pkg) }
