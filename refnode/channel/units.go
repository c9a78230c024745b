package channel

import "superscalar/refnode/commitment"

// The units of package commitment, under the same names.
type (
	// MilliSat is an amount in thousandths of a satoshi.
	MilliSat = commitment.MilliSat
	// Sat is an amount in satoshi.
	Sat = commitment.Sat
	// Height is the height of a block.
	Height = commitment.Height
	// Feerate is a fee in sat per 1,000 weight units.
	Feerate = commitment.Feerate
	// Side is one of the two sides of a channel, by who opened it.
	Side = commitment.Side
	// Number is the number of a commitment transaction.
	Number = commitment.Number
)

// HTLCID is the id of an HTLC: it counts the HTLCs that one side offered on
// one channel, from 0.
type HTLCID uint64

// Origin is what the router calls an HTLC that it offers. The channel repeats
// it in events and looks at nothing but whether two are the same.
type Origin [40]byte
