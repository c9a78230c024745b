package chainserver

import (
	"context"
	"sync"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
)

// ledger knows every block by hash and the best chain by height, and counts changes of the mempool.
type ledger struct {
	mu       sync.Mutex
	chain    *embedded.Chain
	tip      chain.BlockID
	best     []chainhash.Hash
	known    map[chainhash.Hash]chain.Height
	changed  <-chan struct{}
	sequence uint64
}

func newLedger(c *embedded.Chain) ledger {
	return ledger{chain: c, known: make(map[chainhash.Hash]chain.Height), changed: c.Changed(), sequence: 1}
}

// moment is the chain at one moment. Only what is below its tip may be asked of it.
type moment struct {
	tip      chain.BlockID
	best     []chainhash.Hash // as long as the chain is high; shared and never changed
	sequence uint64
}

// at returns the height of a block of the best chain, and whether it is one.
func (m moment) has(height chain.Height, hash chainhash.Hash) bool {
	return int(height) < len(m.best) && m.best[height] == hash
}

// process takes in an update.
func (l *ledger) process(update chain.Update) error {
	if len(update.Disconnected) > 0 {
		kept := len(l.best) - len(update.Disconnected)
		l.best = l.best[:kept:kept] // a moment may hold the rest: the next append copies
	}
	for _, block := range update.Connected {
		l.best = append(l.best, block.Hash)
		l.known[block.Hash] = block.Height
	}
	l.tip = update.Tip
	return nil
}

// look brings the ledger up to date.
func (l *ledger) look(ctx context.Context) (moment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.changed:
		l.changed = l.chain.Changed()
		l.sequence++
	default:
	}
	if err := chain.Follow(ctx, l.chain, l.tip, l.process); err != nil {
		return moment{}, err
	}
	return moment{tip: l.tip, best: l.best, sequence: l.sequence}, nil
}

// height finds a block ever seen.
func (l *ledger) height(hash chainhash.Hash) (chain.Height, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	height, ok := l.known[hash]
	return height, ok
}
