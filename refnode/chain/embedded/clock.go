package embedded

import (
	"sync/atomic"
	"time"

	"github.com/btcsuite/btcd/blockchain"

	"superscalar/refnode/chain"
)

// blockInterval is the time between two blocks.
const blockInterval = 600 * time.Second

// firstBlockTime is the timestamp of block 1: the first of January 2025. The genesis block of regtest is from 2011, and btcd refuses
// every spend of a witness output in blocks older than April 2012 (BIP 16).
var firstBlockTime = time.Unix(1_735_689_600, 0)

// blockTime is the timestamp of a block, the same in every branch.
func blockTime(height chain.Height) time.Time {
	return firstBlockTime.Add(time.Duration(height-1) * blockInterval)
}

// blockClock is the time as the consensus engine sees it: that of the newest block it is shown. The engine wants it for one rule
// only, that a block is not more than two hours ahead.
type blockClock struct {
	now atomic.Int64
}

var _ blockchain.MedianTimeSource = (*blockClock)(nil)

func newBlockClock(start time.Time) *blockClock {
	clock := new(blockClock)
	clock.now.Store(start.Unix())
	return clock
}

func (c *blockClock) set(now time.Time) { c.now.Store(now.Unix()) }

// AdjustedTime implements blockchain.MedianTimeSource.
func (c *blockClock) AdjustedTime() time.Time { return time.Unix(c.now.Load(), 0) }

// AddTimeSample implements blockchain.MedianTimeSource.
func (c *blockClock) AddTimeSample(string, time.Time) {}

// Offset implements blockchain.MedianTimeSource.
func (c *blockClock) Offset() time.Duration { return 0 }
