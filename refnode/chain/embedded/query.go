package embedded

import (
	"context"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// Tip implements chain.Interface.
func (c *Chain) Tip(ctx context.Context) (chain.BlockID, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return chain.BlockID{}, fmt.Errorf("look up the tip: %w", err)
	}
	return c.ledger.tip().BlockID, nil
}

// Output implements chain.Interface.
func (c *Chain) Output(ctx context.Context, outpoint wire.OutPoint) (chain.Output, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return chain.Output{}, false, fmt.Errorf("look up output %v: %w", outpoint, err)
	}
	if out, placed, ok := c.ledger.output(outpoint); ok {
		return chain.Output{
			Value:    btcutil.Amount(out.Value),
			Script:   out.PkScript,
			Coinbase: placed.coinbase,
			Position: chain.Position{Confirmed: true, Block: placed.block},
		}, true, nil
	}
	tx, ok := c.pool.Transaction(outpoint.Hash)
	if !ok || outpoint.Index >= uint32(len(tx.TxOut)) {
		return chain.Output{}, false, nil
	}
	out := tx.TxOut[outpoint.Index]
	return chain.Output{Value: btcutil.Amount(out.Value), Script: out.PkScript}, true, nil
}

// Spend implements chain.Interface.
func (c *Chain) Spend(ctx context.Context, outpoint wire.OutPoint) (chain.Spend, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return chain.Spend{}, false, fmt.Errorf("look up the spend of %v: %w", outpoint, err)
	}
	if by, ok := c.ledger.spends[outpoint]; ok {
		tx, _ := c.transaction(by.txid)
		return chain.Spend{Transaction: tx, Input: by.input}, true, nil
	}
	tx, ok := c.pool.Spender(outpoint)
	if !ok {
		return chain.Spend{}, false, nil
	}
	spend := chain.Spend{Transaction: chain.Transaction{Tx: tx}}
	for i, in := range tx.TxIn {
		if in.PreviousOutPoint == outpoint {
			spend.Input = uint32(i)
		}
	}
	return spend, true, nil
}

// Transaction implements chain.Interface.
func (c *Chain) Transaction(ctx context.Context, txid chainhash.Hash) (chain.Transaction, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return chain.Transaction{}, false, fmt.Errorf("look up transaction %v: %w", txid, err)
	}
	tx, ok := c.transaction(txid)
	return tx, ok, nil
}

func (c *Chain) transaction(txid chainhash.Hash) (chain.Transaction, bool) {
	if placed, ok := c.ledger.txs[txid]; ok {
		return chain.Transaction{Tx: placed.tx, Position: chain.Position{Confirmed: true, Block: placed.block}}, true
	}
	tx, ok := c.pool.Transaction(txid)
	return chain.Transaction{Tx: tx}, ok
}

// Since implements chain.Interface.
func (c *Chain) Since(ctx context.Context, from chain.BlockID) (chain.Update, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if err := c.enter(ctx); err != nil {
		return chain.Update{}, fmt.Errorf("look up blocks since %v: %w", from.Hash, err)
	}
	update, ok := c.ledger.since(from.Hash)
	if !ok {
		return chain.Update{}, fmt.Errorf("look up blocks since %v: %w", from.Hash, chain.ErrUnknownBlock)
	}
	return update, nil
}
