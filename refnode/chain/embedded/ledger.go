package embedded

import (
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/policy"
)

// medianBlocks is how many timestamps the median time past is taken of (BIP 113).
const medianBlocks = 11

// ledger is the index of what btcd has accepted: every block ever seen, and the transactions and spends of the best chain. It decides
// nothing; it only answers quickly and remembers blocks that were reorganised away.
type ledger struct {
	best   []*ledgerBlock
	known  map[chainhash.Hash]*ledgerBlock
	txs    map[chainhash.Hash]placedTx
	spends map[wire.OutPoint]spender
}

type ledgerBlock struct {
	chain.Block
	time time.Time
}

type placedTx struct {
	tx       *wire.MsgTx
	block    chain.BlockID
	coinbase bool
}

type spender struct {
	txid  chainhash.Hash
	input uint32
}

// newLedger starts with the genesis block, whose coinbase nobody can spend.
func newLedger(genesis *wire.MsgBlock) *ledger {
	l := &ledger{
		known:  make(map[chainhash.Hash]*ledgerBlock),
		txs:    make(map[chainhash.Hash]placedTx),
		spends: make(map[wire.OutPoint]spender),
	}
	block := asLedgerBlock(genesis, 0)
	l.best = append(l.best, block)
	l.known[block.Hash] = block
	return l
}

func asLedgerBlock(msg *wire.MsgBlock, height chain.Height) *ledgerBlock {
	return &ledgerBlock{
		Block: chain.Block{
			BlockID:      chain.BlockID{Height: height, Hash: msg.BlockHash()},
			Previous:     msg.Header.PrevBlock,
			Transactions: msg.Transactions,
		},
		time: msg.Header.Timestamp,
	}
}

func (l *ledger) tip() *ledgerBlock { return l.best[len(l.best)-1] }

// connect puts a block on top.
func (l *ledger) connect(block *ledgerBlock) {
	l.best = append(l.best, block)
	l.known[block.Hash] = block
	for i, tx := range block.Transactions {
		txid := tx.TxHash()
		l.txs[txid] = placedTx{tx: tx, block: block.BlockID, coinbase: i == 0}
		if i == 0 {
			continue
		}
		for n, in := range tx.TxIn {
			l.spends[in.PreviousOutPoint] = spender{txid: txid, input: uint32(n)}
		}
	}
}

// disconnect takes the highest block off. It stays known.
func (l *ledger) disconnect() *ledgerBlock {
	block := l.tip()
	l.best = l.best[:len(l.best)-1]
	for i, tx := range block.Transactions {
		delete(l.txs, tx.TxHash())
		if i == 0 {
			continue
		}
		for _, in := range tx.TxIn {
			delete(l.spends, in.PreviousOutPoint)
		}
	}
	return block
}

// output finds an output of the best chain that the best chain does not spend.
func (l *ledger) output(outpoint wire.OutPoint) (*wire.TxOut, placedTx, bool) {
	placed, ok := l.txs[outpoint.Hash]
	if !ok || outpoint.Index >= uint32(len(placed.tx.TxOut)) {
		return nil, placedTx{}, false
	}
	if _, spent := l.spends[outpoint]; spent {
		return nil, placedTx{}, false
	}
	out := placed.tx.TxOut[outpoint.Index]
	return out, placed, !txscript.IsUnspendable(out.PkScript)
}

// Coin implements policy.View.
func (l *ledger) Coin(outpoint wire.OutPoint) (policy.Coin, bool) {
	out, placed, ok := l.output(outpoint)
	if !ok {
		return policy.Coin{}, false
	}
	return policy.Coin{
		Value:    btcutil.Amount(out.Value),
		Script:   out.PkScript,
		Height:   placed.block.Height,
		Coinbase: placed.coinbase,
	}, true
}

// Height implements policy.View.
func (l *ledger) Height() chain.Height { return l.tip().Height }

// MedianTime implements policy.View.
func (l *ledger) MedianTime(height chain.Height) time.Time {
	first := max(0, int(height)-medianBlocks+1)
	var times []time.Time
	for _, block := range l.best[first : height+1] {
		times = append(times, block.time)
	}
	slices.SortFunc(times, time.Time.Compare)
	return times[len(times)/2]
}

// since leads from a known block towards the tip. ok is false for a block never seen.
func (l *ledger) since(from chainhash.Hash) (update chain.Update, ok bool) {
	height := -1
	if from != (chainhash.Hash{}) {
		at, known := l.known[from]
		for known && !l.inBest(at) {
			update.Disconnected = append(update.Disconnected, at.Block)
			at, known = l.known[at.Previous]
		}
		if !known {
			return chain.Update{}, false
		}
		height = int(at.Height)
	}
	next := l.best[height+1:]
	if update.More = len(next) > chain.MaxUpdate; update.More {
		next = next[:chain.MaxUpdate]
	}
	for _, block := range next {
		update.Connected = append(update.Connected, block.Block)
	}
	update.Tip = l.best[height+len(next)].BlockID
	return update, true
}

func (l *ledger) inBest(block *ledgerBlock) bool {
	return int(block.Height) < len(l.best) && l.best[block.Height] == block
}
