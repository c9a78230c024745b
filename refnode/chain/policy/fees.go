package policy

import "github.com/btcsuite/btcd/btcutil"

// feeRate is in sat per 1,000 virtual bytes.
type feeRate int64

const (
	// minRelayRate is 0.1 sat per virtual byte, the default since Bitcoin Core 30.
	minRelayRate feeRate = 100
	// incrementalRate is what a replacement pays for its own relay.
	incrementalRate feeRate = 100
	// dustRate defines dust.
	dustRate feeRate = 3_000
)

// fee for vsize virtual bytes, rounded up.
func (r feeRate) fee(vsize int64) btcutil.Amount {
	return btcutil.Amount((int64(r)*vsize + 999) / 1_000)
}
