package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/database"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain/policy"
)

// RawBlock returns a block in its serialised form, whether it is in the best chain or was reorganised away. It is there for those who
// show this chain to others.
func (c *Chain) RawBlock(ctx context.Context, hash chainhash.Hash) (raw []byte, found bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return nil, false, fmt.Errorf("read block %v: %w", hash, err)
	}
	err = c.db.View(func(tx database.Tx) error {
		stored, err := tx.FetchBlock(&hash)
		raw = slices.Clone(stored) // the database takes its memory back when the view ends
		return err
	})
	var failed database.Error
	if errors.As(err, &failed) && failed.ErrorCode == database.ErrBlockNotFound {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read block %v: %w", hash, err)
	}
	return raw, true, nil
}

// SubmitVerdict is Submit with the answer of the policy in full, for any number of transactions.
func (c *Chain) SubmitVerdict(ctx context.Context, txs ...*wire.MsgTx) (policy.Verdict, error) {
	offered := copies(txs)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.enter(ctx); err != nil {
		return policy.Verdict{}, fmt.Errorf("submit %d transactions: %w", len(txs), err)
	}
	before := c.pool.Changes()
	verdict := c.pool.Submit(offered...)
	if c.pool.Changes() != before {
		c.announce()
	}
	return verdict, nil
}
