package factory

import (
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
)

// Sat is an amount in satoshi.
type Sat = btcutil.Amount

// Height is the height of a block.
type Height uint32

// Blocks is a number of blocks.
type Blocks uint32

// ClientIndex numbers the clients of a factory from 0, in the order of the
// proposal.
type ClientIndex uint16

const (
	// MaxSat is the largest amount there is, in sat.
	MaxSat Sat = 21e14

	// MinShare is the dust limit of a taproot output in sat: the least that
	// a distribution, an omission or poison pays (DIST-005, TREE-024).
	MinShare Sat = 330

	// MaxVBytes is the largest size of a signed transaction (TREE-015).
	MaxVBytes = 10_000

	// MaxOwners is the largest number of clients that one distribution pays
	// (DIST-002), and the largest number that one leaf covers.
	MaxOwners = 200

	// MaxClients is the largest number of clients of a factory.
	MaxClients = 1024
)

// unknown stands for an amount that this party has not been told.
const unknown Sat = -1

// Range is a run of consecutive clients.
type Range struct {
	First ClientIndex
	Count uint16
}

// End returns the index after the last client, at most 131,070.
func (r Range) End() int { return int(r.First) + int(r.Count) }

// Contains reports whether client c is in the range.
func (r Range) Contains(c ClientIndex) bool { return c >= r.First && int(c) < r.End() }

// Covers reports whether every client of other is in the range.
func (r Range) Covers(other Range) bool { return other.First >= r.First && other.End() <= r.End() }

// Overlaps reports whether the ranges have a client in common.
func (r Range) Overlaps(other Range) bool {
	return int(r.First) < other.End() && int(other.First) < r.End()
}

// String writes the range as "first..last".
func (r Range) String() string { return fmt.Sprintf("%d..%d", r.First, r.End()-1) }

// NodeID names a transaction of the tree and the outpoint it spends: its level
// and its position in the level, both from 0 (section 4.2).
type NodeID struct {
	Level    uint8
	Position uint16
}

// String writes the id as "level/position".
func (id NodeID) String() string { return fmt.Sprintf("%d/%d", id.Level, id.Position) }
