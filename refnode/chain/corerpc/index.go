package corerpc

import (
	"context"
	"maps"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// index finds the transactions and spends of the best chain since a height. It is filled when it is first needed.
type index struct {
	gate gate
	// start is the lowest height in it, at least 1: nobody can spend the genesis block, and no node shows its transaction.
	start chain.Height
	// blocks are those from start up.
	blocks []header
	txs    map[chainhash.Hash]place
	spends map[wire.OutPoint]place
}

// place is where a transaction stands.
type place struct {
	height   chain.Height
	position uint32
}

func newIndex(birthday chain.Height) index {
	return index{gate: newGate(), start: max(1, birthday), txs: make(map[chainhash.Hash]place), spends: make(map[wire.OutPoint]place)}
}

// add puts a block on top.
func (x *index) add(h header, block chain.Block) {
	x.blocks = append(x.blocks, h)
	for i, tx := range block.Transactions {
		at := place{height: h.Height, position: uint32(i)}
		x.txs[tx.TxHash()] = at
		if i == 0 {
			continue
		}
		for _, in := range tx.TxIn {
			x.spends[in.PreviousOutPoint] = at
		}
	}
}

// cut takes off the n highest blocks. It looks at everything, but reorganisations are rare, and the node need not have the blocks.
func (x *index) cut(n int) {
	if n == 0 {
		return
	}
	x.blocks = x.blocks[:max(0, len(x.blocks)-n)]
	end := x.start + chain.Height(len(x.blocks))
	maps.DeleteFunc(x.txs, func(_ chainhash.Hash, at place) bool { return at.height >= end })
	maps.DeleteFunc(x.spends, func(_ wire.OutPoint, at place) bool { return at.height >= end })
}

// follow brings the index to a tip. The caller is inside its gate. What was read before an error stays.
func (c *Client) follow(ctx context.Context, tip header) error {
	x := &c.index
	var on []header
	var err error
	if len(x.blocks) > 0 {
		var off []header
		if off, on, err = c.path(ctx, x.blocks[len(x.blocks)-1], tip); err != nil {
			return err
		}
		x.cut(len(off))
	}
	if len(x.blocks) == 0 { // new, or reorganised away altogether
		if tip.Height < x.start {
			return nil
		}
		if on, err = c.down(ctx, tip, x.start); err != nil {
			return err
		}
	}
	for i := len(on) - 1; i >= 0; i-- {
		block, err := c.block(ctx, on[i])
		if err != nil {
			return err
		}
		x.add(on[i], block)
	}
	return nil
}

// find looks a place up with the index at a tip, and reads the transaction there.
func (c *Client) find(ctx context.Context, tip header, look func(*index) (place, bool)) (chain.Transaction, bool, error) {
	if err := c.index.gate.enter(ctx); err != nil {
		return chain.Transaction{}, false, err
	}
	defer c.index.gate.leave()
	if err := c.follow(ctx, tip); err != nil {
		return chain.Transaction{}, false, err
	}
	at, ok := look(&c.index)
	if !ok {
		return chain.Transaction{}, false, nil
	}
	block, err := c.block(ctx, c.index.blocks[at.height-c.index.start])
	if err != nil {
		return chain.Transaction{}, false, err
	}
	return confirmed(block, block.Transactions[at.position]), true, nil
}

func confirmed(block chain.Block, tx *wire.MsgTx) chain.Transaction {
	return chain.Transaction{Tx: tx, Position: chain.Position{Confirmed: true, Block: block.BlockID}}
}
