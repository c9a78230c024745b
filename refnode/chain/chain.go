// Package chain is what a factory node needs of a Bitcoin node, and no more: the tip, the blocks since a point it already knows,
// one output, its spender, one transaction, and a way to submit a transaction together with the child that pays for it.
//
// It promises that a caller that remembers the last block it processed never misses a block or a reorganisation (Interface.Since),
// that refusals carry the name of the rule (Rejection, in the words of Bitcoin Core), and that every error says what was asked.
// It is the border behind which SPEC.md (DELAY, DIST, POI) sees confirmations and spends. It holds no keys, chooses no fees and
// never reads a clock: time is counted in blocks. Backends live in subpackages; embedded runs a validating chain in process.
package chain

import (
	"context"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// Height counts blocks from the genesis block, which has height 0.
type Height uint32

// BlockID names a block. The hash alone decides which block is meant; the height is where it stands in its chain.
type BlockID struct {
	Height Height
	Hash   chainhash.Hash
}

// Block is a block with everything in it.
type Block struct {
	BlockID
	// Previous is the hash of the block below.
	Previous chainhash.Hash
	// Transactions are in block order, the coinbase first. They are shared: do not change them.
	Transactions []*wire.MsgTx
}

// Position says where a transaction stands: in a block of the best chain, or in the mempool.
type Position struct {
	// Confirmed is false for a transaction in the mempool.
	Confirmed bool
	// Block holds the transaction when Confirmed is true, and is zero otherwise.
	Block BlockID
}

// Confirmations counts the blocks of the best chain from the one that holds the transaction up to tip, both included.
// It is 0 in the mempool and whenever tip is below the block.
func (p Position) Confirmations(tip Height) uint32 {
	if !p.Confirmed || tip < p.Block.Height {
		return 0
	}
	return uint32(tip-p.Block.Height) + 1
}

// Output is an output that no confirmed transaction spends.
type Output struct {
	// Value is in sat.
	Value btcutil.Amount
	// Script is the scriptPubKey.
	Script []byte
	// Coinbase is true when the output can only be spent 100 blocks later.
	Coinbase bool
	Position
}

// Transaction is a transaction of the best chain or of the mempool.
type Transaction struct {
	// Tx is shared: do not change it.
	Tx *wire.MsgTx
	Position
}

// Spend is the transaction that spends an outpoint.
type Spend struct {
	Transaction
	// Input is the index of the spending input in Tx.
	Input uint32
}

// Package is handed over as one: a single transaction, or a parent followed by the child that pays for it (1P1C). What the parent
// needs from the mempool must already be there. Version-3 transactions allow nothing larger (BIP 431).
type Package []*wire.MsgTx

// Update leads from a block the caller knows towards the tip.
type Update struct {
	// Disconnected are the caller's blocks that left the best chain, highest first. Undo them in this order.
	Disconnected []Block
	// Connected are the blocks to process after that, lowest first, at most MaxUpdate.
	Connected []Block
	// Tip is the block to ask from next time: the last of Connected, or the caller's own.
	Tip BlockID
	// More is true when there are blocks above Tip.
	More bool
}

// Interface is the chain as nodes see it. All methods may be called by any number of goroutines, and end with an error that wraps
// the context's when it is done. An error means that the backend could not answer; what is not there is reported by found == false.
type Interface interface {
	// Tip returns the highest block of the best chain.
	Tip(ctx context.Context) (BlockID, error)

	// Submit offers a package to the mempool. A refusal is a *Rejection that names the rule; a parent that is fine on its own stays
	// in the mempool even then. Transactions already in the mempool count as accepted. Confirmed ones are refused, and their
	// package with them: with ReasonAlreadyKnown while they have unspent outputs, with ReasonMissingInputs after. Ask Transaction
	// first, and submit the child alone when the parent has confirmed.
	Submit(ctx context.Context, pkg Package) error

	// Output finds an output that exists in the best chain or in the mempool and is not spent by a confirmed transaction.
	// A spend in the mempool does not hide it: ask Spend.
	Output(ctx context.Context, outpoint wire.OutPoint) (out Output, found bool, err error)

	// Spend finds the transaction in the best chain or in the mempool that spends an outpoint.
	Spend(ctx context.Context, outpoint wire.OutPoint) (spend Spend, found bool, err error)

	// Transaction finds a transaction of the best chain or of the mempool.
	Transaction(ctx context.Context, txid chainhash.Hash) (tx Transaction, found bool, err error)

	// Since returns how to get from a block the caller has processed, which may have been reorganised away meanwhile, to the
	// tip, or, with More, part of the way: Follow asks for the rest. The zero hash stands for "before the genesis block": the answer begins with block 0. It fails with ErrUnknownBlock
	// for a block the backend has never seen.
	Since(ctx context.Context, from BlockID) (Update, error)

	// Changed returns a channel that is closed when the best chain or the mempool next changes. It says only "look again". A
	// caller that takes the channel first and looks afterwards misses nothing.
	Changed() <-chan struct{}
}
