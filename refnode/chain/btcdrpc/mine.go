package btcdrpc

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/mining"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// blockVersion is the version of blocks that signal nothing (BIP 9).
const blockVersion = 0x20000000

// errNotRegtest is returned for blocks that would need real work.
var errNotRegtest = errors.New("blocks are made on regtest only")

// MineOn puts a block with exactly these transactions, parents first, on a block that need not be the tip, and returns it. Regtest only.
// It fails with ErrBlockRefused where btcd's consensus rules say no.
func (c *Client) MineOn(ctx context.Context, parent chain.BlockID, txs ...*wire.MsgTx) (chain.BlockID, error) {
	id, err := c.mineOn(ctx, parent, txs)
	if err != nil {
		return chain.BlockID{}, fmt.Errorf("mine a block with %d transactions on %v: %w", len(txs), parent.Hash, err)
	}
	return id, nil
}

func (c *Client) mineOn(ctx context.Context, parent chain.BlockID, txs []*wire.MsgTx) (chain.BlockID, error) {
	params := c.options.Params
	if params == nil || params.Net != chaincfg.RegressionNetParams.Net {
		return chain.BlockID{}, errNotRegtest
	}
	below, err := c.Header(ctx, parent.Hash)
	if err != nil {
		return chain.BlockID{}, err
	}
	id := chain.BlockID{Height: parent.Height + 1}
	block, err := build(id.Height, below, c.options.Reward, params, txs)
	if err != nil {
		return chain.BlockID{}, err
	}
	id.Hash = block.BlockHash()
	raw, err := rawBlock(block)
	if err != nil {
		return chain.BlockID{}, err
	}
	var refused *string
	if err := c.Call(ctx, "submitblock", &refused, raw); err != nil {
		return chain.BlockID{}, err
	}
	if refused != nil {
		return chain.BlockID{}, &blockRefusal{*refused}
	}
	return id, nil
}

// build makes and solves a block. Fees are left to nobody.
func build(height chain.Height, below wire.BlockHeader, reward []byte, params *chaincfg.Params, txs []*wire.MsgTx) (*wire.MsgBlock, error) {
	previous := below.BlockHash()
	coinbase, err := coinbase(height, previous, reward, params)
	if err != nil {
		return nil, err
	}
	all := []*btcutil.Tx{btcutil.NewTx(coinbase)}
	for _, tx := range txs {
		all = append(all, btcutil.NewTx(tx))
	}
	mining.AddWitnessCommitment(all[0], all)
	all[0] = btcutil.NewTx(coinbase) // its hash has changed
	block := &wire.MsgBlock{Header: wire.BlockHeader{
		Version:    blockVersion,
		PrevBlock:  previous,
		MerkleRoot: blockchain.CalcMerkleRoot(all, false),
		Timestamp:  below.Timestamp.Add(time.Second),
		Bits:       params.PowLimitBits,
	}}
	for _, tx := range all {
		block.Transactions = append(block.Transactions, tx.MsgTx())
	}
	for nonce := uint32(0); nonce < math.MaxUint32; nonce++ {
		block.Header.Nonce = nonce
		hash := block.BlockHash()
		if blockchain.HashToBig(&hash).Cmp(params.PowLimit) <= 0 {
			return block, nil
		}
	}
	return nil, errors.New("no nonce solves the block")
}

// coinbase pays the subsidy. The hash of the block below keeps coinbases of different branches apart.
func coinbase(height chain.Height, previous chainhash.Hash, reward []byte, params *chaincfg.Params) (*wire.MsgTx, error) {
	script, err := txscript.NewScriptBuilder().AddInt64(int64(height)).AddData(previous[:]).Script()
	if err != nil {
		return nil, fmt.Errorf("make the coinbase of block %d: %w", height, err)
	}
	if len(reward) == 0 {
		reward = []byte{txscript.OP_TRUE}
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(&wire.TxIn{
		PreviousOutPoint: *wire.NewOutPoint(&chainhash.Hash{}, math.MaxUint32),
		SignatureScript:  script,
		Sequence:         wire.MaxTxInSequenceNum,
	})
	tx.AddTxOut(wire.NewTxOut(blockchain.CalcBlockSubsidy(int32(height), params), reward))
	return tx, nil
}
