package embedded

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// ErrReorgDepth is returned for a reorganisation that would reach below the blocks New mined.
var ErrReorgDepth = errors.New("reorganisation too deep")

// Reorg replaces the top depth blocks (1 or more) by a longer branch, as a network would: block i of the branch has exactly the transactions
// branch[i], parents first, and empty blocks follow until the branch is one block longer than what it replaces. Transactions that
// lost their block return to the mempool where they are still valid. When consensus refuses a block of the branch before it is the
// longer one, everything is as before; a later one leaves the chain at the block below. Both give ErrBlockRefused.
func (c *Chain) Reorg(depth uint32, branch ...[]*wire.MsgTx) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fmt.Errorf("reorganise %d blocks: %w", depth, chain.ErrClosed)
	}
	if height := c.ledger.Height(); depth == 0 || chain.Height(depth)+ActivationBlocks > height {
		return fmt.Errorf("reorganise %d blocks at height %d: %w", depth, height, ErrReorgDepth)
	}
	err := c.reorganise(int(depth), branch)
	c.announce()
	if err != nil {
		return fmt.Errorf("reorganise %d blocks: %w", depth, err)
	}
	return nil
}

func (c *Chain) reorganise(depth int, branch [][]*wire.MsgTx) error {
	var old []*ledgerBlock // lowest first
	for range depth {
		old = append(old, c.ledger.disconnect())
	}
	slices.Reverse(old)
	var mined []*ledgerBlock
	var failed error
	for i := 0; i < max(depth+1, len(branch)) && failed == nil; i++ {
		var txs []*wire.MsgTx
		if i < len(branch) {
			txs = copies(branch[i])
		}
		block, err := c.mineOn(txs)
		if err != nil {
			failed = fmt.Errorf("block %d of the branch: %w", i, err)
			break
		}
		mined = append(mined, block)
	}
	if c.engine.BestSnapshot().Hash == old[len(old)-1].Hash {
		for range mined {
			c.ledger.disconnect()
		}
		for _, block := range old {
			c.ledger.connect(block)
		}
		return failed
	}
	c.moveMempool(old, mined)
	return failed
}

// moveMempool tells the mempool which blocks came and what lost its block.
func (c *Chain) moveMempool(old, mined []*ledgerBlock) {
	kept := make(map[chainhash.Hash]bool)
	for _, block := range mined {
		c.pool.Connected(block.Transactions)
		for _, tx := range block.Transactions {
			kept[tx.TxHash()] = true
		}
	}
	var returned []*wire.MsgTx
	for _, block := range old {
		for _, tx := range block.Transactions[1:] {
			if !kept[tx.TxHash()] {
				returned = append(returned, tx)
			}
		}
	}
	c.pool.Returned(returned)
}
