package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/mining"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

const (
	// blockVersion signals for CSV, segwit and taproot.
	blockVersion = 0x20000000 | 1<<0 | 1<<1 | 1<<2
	// blockWeight is what Mine fills, in weight units; the rest is room for the coinbase.
	blockWeight   = blockchain.MaxBlockWeight - 4_000
	maxPoolWeight = math.MaxInt64
)

// ErrBlockRefused is wrapped, together with btcd's blockchain.RuleError, when consensus refuses a block.
var ErrBlockRefused = errors.New("block refused by consensus")

// Mine mines n blocks, each with as much of the mempool as fits, and returns them, lowest first.
func (c *Chain) Mine(n uint32) ([]chain.BlockID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fmt.Errorf("mine %d blocks: %w", n, chain.ErrClosed)
	}
	var mined []chain.BlockID
	for range n {
		block, err := c.mineOn(c.pool.Template(blockWeight))
		if err != nil {
			return mined, fmt.Errorf("mine block %d of %d: %w", len(mined)+1, n, err)
		}
		c.pool.Connected(block.Transactions)
		mined = append(mined, block.BlockID)
	}
	if n > 0 {
		c.announce()
	}
	return mined, nil
}

// MineWith mines one block with exactly these transactions, parents first, past the mempool's policy: miners may do so. It fails with
// ErrBlockRefused where consensus says no; the chain is as before then.
func (c *Chain) MineWith(txs ...*wire.MsgTx) (chain.BlockID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return chain.BlockID{}, fmt.Errorf("mine a block with %d transactions: %w", len(txs), chain.ErrClosed)
	}
	block, err := c.mineOn(copies(txs))
	if err != nil {
		return chain.BlockID{}, fmt.Errorf("mine a block with %d transactions: %w", len(txs), err)
	}
	c.pool.Connected(block.Transactions)
	c.announce()
	return block.BlockID, nil
}

func copies(txs []*wire.MsgTx) []*wire.MsgTx {
	list := make([]*wire.MsgTx, 0, len(txs))
	for _, tx := range txs {
		list = append(list, tx.Copy())
	}
	return list
}

// mineOn puts a block on top of the ledger, and into the engine. The caller holds the lock and tells the mempool.
func (c *Chain) mineOn(txs []*wire.MsgTx) (*ledgerBlock, error) {
	for {
		msg, err := c.build(txs)
		if err != nil {
			return nil, err
		}
		c.clock.set(msg.Header.Timestamp)
		height := c.ledger.Height() + 1
		_, orphan, err := c.engine.ProcessBlock(btcutil.NewBlock(msg), blockchain.BFNone)
		if isDuplicate(err) {
			continue // a reopened directory has seen this block; the next one carries another number
		}
		if err != nil {
			return nil, fmt.Errorf("%w at height %d: %w", ErrBlockRefused, height, err)
		}
		if orphan {
			return nil, fmt.Errorf("%w at height %d: its parent is unknown", ErrBlockRefused, height)
		}
		block := asLedgerBlock(msg, height)
		c.connect(block)
		return block, nil
	}
}

func isDuplicate(err error) bool {
	var rule blockchain.RuleError
	return errors.As(err, &rule) && rule.ErrorCode == blockchain.ErrDuplicateBlock
}

// connect enters a block that the engine has accepted.
func (c *Chain) connect(block *ledgerBlock) {
	c.ledger.connect(block)
	c.faucet.collect(block)
}

// build makes and solves a block on top of the ledger.
func (c *Chain) build(txs []*wire.MsgTx) (*wire.MsgBlock, error) {
	tip := c.ledger.tip()
	coinbase, err := c.coinbase(tip.Height+1, c.fees(txs))
	if err != nil {
		return nil, err
	}
	all := []*btcutil.Tx{btcutil.NewTx(coinbase)}
	for _, tx := range txs {
		all = append(all, btcutil.NewTx(tx))
	}
	mining.AddWitnessCommitment(all[0], all)
	// The coinbase has changed since its hash may have been taken: start over with a fresh wrapper.
	all[0] = btcutil.NewTx(coinbase)
	msg := &wire.MsgBlock{Header: wire.BlockHeader{
		Version:    blockVersion,
		PrevBlock:  tip.Hash,
		MerkleRoot: blockchain.CalcMerkleRoot(all, false),
		Timestamp:  blockTime(tip.Height + 1),
		Bits:       c.params.PowLimitBits,
	}}
	for _, tx := range all {
		msg.Transactions = append(msg.Transactions, tx.MsgTx())
	}
	return msg, c.solve(&msg.Header)
}

// solve finds a nonce; every second one is good.
func (c *Chain) solve(header *wire.BlockHeader) error {
	target := blockchain.CompactToBig(header.Bits) // a little under the limit of the network
	for nonce := uint32(0); nonce < math.MaxUint32; nonce++ {
		header.Nonce = nonce
		hash := header.BlockHash()
		if blockchain.HashToBig(&hash).Cmp(target) <= 0 {
			return nil
		}
	}
	return errors.New("no nonce solves the block")
}

// coinbase pays the subsidy and the fees to the faucet. The seed and a running number keep blocks apart.
func (c *Chain) coinbase(height chain.Height, fees btcutil.Amount) (*wire.MsgTx, error) {
	c.nonce++
	var mark [12]byte
	binary.BigEndian.PutUint64(mark[:8], c.seed)
	binary.BigEndian.PutUint32(mark[8:], c.nonce)
	script, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddData(mark[:]).Script()
	if err != nil {
		return nil, fmt.Errorf("make the coinbase of block %d: %w", height, err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: *wire.NewOutPoint(&chainhash.Hash{}, math.MaxUint32),
		SignatureScript:  script,
		Sequence:         wire.MaxTxInSequenceNum,
	})
	subsidy := blockchain.CalcBlockSubsidy(int32(height), c.params)
	tx.AddTxOut(wire.NewTxOut(subsidy+int64(fees), c.faucet.script))
	return tx, nil
}

// fees sums what the transactions pay. Where a coin is missing the sum is too low, but then consensus refuses the block anyway.
func (c *Chain) fees(txs []*wire.MsgTx) btcutil.Amount {
	inBlock := make(map[chainhash.Hash]*wire.MsgTx, len(txs))
	sum := int64(0)
	for _, tx := range txs {
		for _, in := range tx.TxIn {
			outpoint := in.PreviousOutPoint
			if parent, ok := inBlock[outpoint.Hash]; ok && outpoint.Index < uint32(len(parent.TxOut)) {
				sum += parent.TxOut[outpoint.Index].Value
			} else if out, _, ok := c.ledger.output(outpoint); ok {
				sum += out.Value
			}
		}
		for _, out := range tx.TxOut {
			sum -= out.Value
		}
		inBlock[tx.TxHash()] = tx
	}
	return btcutil.Amount(max(0, sum))
}
