package corerpc

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
)

// attempts is how often a look-up is tried when the chain or the mempool changes under it.
const attempts = 10

// errMoved makes a look-up start again: two answers of the node belong to different moments.
var errMoved = errors.New("the chain or the mempool changed during the look-up")

// settled makes a look-up of several calls as good as one: it counts only if the tip is the same before and after.
func settled[T any](ctx context.Context, c *Client, look func(tip header) (T, bool, error)) (value T, found bool, err error) {
	var none T
	if err := c.enter(ctx); err != nil {
		return none, false, err
	}
	tip, err := c.tip(ctx)
	if err != nil {
		return none, false, err
	}
	for range attempts {
		value, found, err := look(tip)
		after, failed := c.tip(ctx)
		switch {
		case failed != nil:
			return none, false, failed
		case after.Hash != tip.Hash || errors.Is(err, errMoved):
			tip = after
		case err != nil:
			return none, false, err
		default:
			return value, found, nil
		}
	}
	return none, false, ErrUnsettled
}

// Tip implements chain.Interface.
func (c *Client) Tip(ctx context.Context) (chain.BlockID, error) {
	err := c.enter(ctx)
	var tip header
	if err == nil {
		tip, err = c.tip(ctx)
	}
	if err != nil {
		return chain.BlockID{}, fmt.Errorf("look up the tip: %w", err)
	}
	return tip.BlockID, nil
}

// Output implements chain.Interface.
func (c *Client) Output(ctx context.Context, outpoint wire.OutPoint) (chain.Output, bool, error) {
	out, found, err := settled(ctx, c, func(tip header) (chain.Output, bool, error) {
		out, found, err := c.coin(ctx, tip, outpoint)
		if err != nil || found {
			return out, found, err
		}
		tx, block, found, err := c.rawTransaction(ctx, outpoint.Hash)
		if err != nil || !found || block != nil || outpoint.Index >= uint32(len(tx.TxOut)) {
			return chain.Output{}, false, err
		}
		txOut := tx.TxOut[outpoint.Index]
		return chain.Output{Value: btcutil.Amount(txOut.Value), Script: txOut.PkScript}, true, nil
	})
	if err != nil {
		return chain.Output{}, false, fmt.Errorf("look up output %v: %w", outpoint, err)
	}
	return out, found, nil
}

// coin asks for an output that the best chain has and does not spend, and finds it again in its block.
func (c *Client) coin(ctx context.Context, tip header, outpoint wire.OutPoint) (chain.Output, bool, error) {
	const method = "gettxout"
	if outpoint.Index > math.MaxInt32 {
		return chain.Output{}, false, nil // no transaction has that many outputs, and the node would not read the number
	}
	var a *struct {
		BestBlock     string       `json:"bestblock"`
		Confirmations *int64       `json:"confirmations"`
		Value         *json.Number `json:"value"`
		Script        struct {
			Hex string `json:"hex"`
		} `json:"scriptPubKey"`
		Coinbase bool `json:"coinbase"`
	}
	if err := c.call(ctx, method, &a, outpoint.Hash.String(), outpoint.Index, false); err != nil || a == nil {
		return chain.Output{}, false, err
	}
	best, err := parseHash(method, "bestblock", a.BestBlock)
	if err != nil {
		return chain.Output{}, false, err
	}
	if best != tip.Hash {
		return chain.Output{}, false, fmt.Errorf("%w: %s is of block %v", errMoved, method, best)
	}
	if a.Confirmations == nil || a.Value == nil {
		return chain.Output{}, false, malformed(method, "no value or no confirmations")
	}
	value, err := parseAmount(method, "value", *a.Value)
	if err != nil {
		return chain.Output{}, false, err
	}
	script, err := hex.DecodeString(a.Script.Hex)
	if err != nil {
		return chain.Output{}, false, malformed(method, "script is not hex")
	}
	if *a.Confirmations < 1 || *a.Confirmations > int64(tip.Height)+1 {
		return chain.Output{}, false, contradiction(method, "%d confirmations at height %d", *a.Confirmations, tip.Height)
	}
	hash, err := c.hashAt(ctx, tip.Height+1-chain.Height(*a.Confirmations))
	if err != nil {
		return chain.Output{}, false, err
	}
	tx, position, err := c.inBlock(ctx, hash, outpoint.Hash)
	if err != nil {
		return chain.Output{}, false, err
	}
	if outpoint.Index >= uint32(len(tx.Tx.TxOut)) {
		return chain.Output{}, false, contradiction(method, "output %v of a transaction with %d", outpoint, len(tx.Tx.TxOut))
	}
	txOut := tx.Tx.TxOut[outpoint.Index]
	if btcutil.Amount(txOut.Value) != value || !bytes.Equal(txOut.PkScript, script) || a.Coinbase != (position == 0) {
		return chain.Output{}, false, contradiction(method, "output %v is not what its transaction says", outpoint)
	}
	return chain.Output{Value: value, Script: txOut.PkScript, Coinbase: a.Coinbase, Position: tx.Position}, true, nil
}

// inBlock reads a transaction from the block that is said to hold it. The block must be in the best chain.
func (c *Client) inBlock(ctx context.Context, hash, txid chainhash.Hash) (chain.Transaction, int, error) {
	h, err := c.header(ctx, hash)
	if err != nil {
		return chain.Transaction{}, 0, err
	}
	best, err := c.hashAt(ctx, h.Height)
	if err != nil {
		return chain.Transaction{}, 0, err
	}
	if best != hash {
		return chain.Transaction{}, 0, contradiction("getblockhash", "block %v at height %d, where %v was named", best, h.Height, hash)
	}
	block, err := c.block(ctx, h)
	if err != nil {
		return chain.Transaction{}, 0, err
	}
	for i, tx := range block.Transactions {
		if tx.TxHash() == txid {
			return confirmed(block, tx), i, nil
		}
	}
	return chain.Transaction{}, 0, contradiction("getblock", "block %v does not hold transaction %v", hash, txid)
}

// rawTransaction asks for a transaction of the mempool; a node with an index of transactions also has confirmed ones, with their block.
func (c *Client) rawTransaction(ctx context.Context, txid chainhash.Hash) (tx *wire.MsgTx, block *chainhash.Hash, found bool, err error) {
	const method = "getrawtransaction"
	var a struct {
		Hex       string `json:"hex"`
		BlockHash string `json:"blockhash"`
	}
	err = c.call(ctx, method, &a, txid.String(), 1)
	if code, ok := reported(err); ok && code == codeNotFound {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, err
	}
	if tx, err = parseTx(method, a.Hex, txid); err != nil {
		return nil, nil, false, err
	}
	if a.BlockHash == "" {
		return tx, nil, true, nil
	}
	hash, err := parseHash(method, "blockhash", a.BlockHash)
	if err != nil {
		return nil, nil, false, err
	}
	return tx, &hash, true, nil
}

// Transaction implements chain.Interface.
func (c *Client) Transaction(ctx context.Context, txid chainhash.Hash) (chain.Transaction, bool, error) {
	tx, found, err := settled(ctx, c, func(tip header) (chain.Transaction, bool, error) {
		tx, block, found, err := c.rawTransaction(ctx, txid)
		switch {
		case err != nil:
			return chain.Transaction{}, false, err
		case found && block == nil:
			return chain.Transaction{Tx: tx}, true, nil
		case found:
			in, _, err := c.inBlock(ctx, *block, txid)
			return in, err == nil, err
		}
		return c.find(ctx, tip, func(x *index) (place, bool) { at, ok := x.txs[txid]; return at, ok })
	})
	if err != nil {
		return chain.Transaction{}, false, fmt.Errorf("look up transaction %v: %w", txid, err)
	}
	return tx, found, nil
}

// Spend implements chain.Interface.
func (c *Client) Spend(ctx context.Context, outpoint wire.OutPoint) (chain.Spend, bool, error) {
	spend, found, err := settled(ctx, c, func(tip header) (chain.Spend, bool, error) {
		tx, found, err := c.spender(ctx, tip, outpoint)
		if err != nil || !found {
			return chain.Spend{}, false, err
		}
		for i, in := range tx.Tx.TxIn {
			if in.PreviousOutPoint == outpoint {
				return chain.Spend{Transaction: tx, Input: uint32(i)}, true, nil
			}
		}
		return chain.Spend{}, false, contradiction("gettxspendingprevout", "transaction %v does not spend %v", tx.Tx.TxHash(), outpoint)
	})
	if err != nil {
		return chain.Spend{}, false, fmt.Errorf("look up the spend of %v: %w", outpoint, err)
	}
	return spend, found, nil
}

// spender looks in the mempool and in the node's index, then makes sure that a search is worth while, and then searches blocks.
func (c *Client) spender(ctx context.Context, tip header, outpoint wire.OutPoint) (chain.Transaction, bool, error) {
	if outpoint.Index > math.MaxInt32 {
		return chain.Transaction{}, false, nil
	}
	txid, block, found, err := c.spendingID(ctx, outpoint)
	switch {
	case err != nil:
		return chain.Transaction{}, false, err
	case found && block != nil:
		tx, _, err := c.inBlock(ctx, *block, txid)
		return tx, err == nil, err
	case found:
		tx, block, found, err := c.rawTransaction(ctx, txid)
		if err == nil && (!found || block != nil) {
			err = fmt.Errorf("%w: transaction %v left the mempool", errMoved, txid)
		}
		return chain.Transaction{Tx: tx}, err == nil, err
	}
	if _, unspent, err := c.coin(ctx, tip, outpoint); err != nil || unspent {
		return chain.Transaction{}, false, err
	}
	return c.find(ctx, tip, func(x *index) (place, bool) { at, ok := x.spends[outpoint]; return at, ok })
}

// spendingID asks for the spender in the mempool. A node with an index of spends also names confirmed ones, with their block.
func (c *Client) spendingID(ctx context.Context, outpoint wire.OutPoint) (txid chainhash.Hash, block *chainhash.Hash, found bool, err error) {
	const method = "gettxspendingprevout"
	type question struct {
		Txid string `json:"txid"`
		Vout uint32 `json:"vout"`
	}
	asked := question{Txid: outpoint.Hash.String(), Vout: outpoint.Index}
	var list []struct {
		question
		SpendingTxid string `json:"spendingtxid"`
		BlockHash    string `json:"blockhash"`
	}
	if err := c.call(ctx, method, &list, []question{asked}); err != nil {
		return txid, nil, false, err
	}
	if len(list) != 1 || list[0].question != asked {
		return txid, nil, false, contradiction(method, "answer is not about %v alone", outpoint)
	}
	if list[0].SpendingTxid == "" {
		return txid, nil, false, nil
	}
	if txid, err = parseHash(method, "spendingtxid", list[0].SpendingTxid); err != nil {
		return txid, nil, false, err
	}
	if list[0].BlockHash == "" {
		return txid, nil, true, nil
	}
	hash, err := parseHash(method, "blockhash", list[0].BlockHash)
	return txid, &hash, err == nil, err
}
