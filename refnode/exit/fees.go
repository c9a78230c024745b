package exit

import (
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

// Fees bound what a driver pays for a package.
type Fees struct {
	// Start is the fee rate of the first attempt, Max the one that is reached
	// at the deadline and not exceeded.
	Start, Max wallet.FeeRate
}

// DefaultFees are used where Fees is zero.
var DefaultFees = Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(100)}

// Check returns ErrConfig for fees that fall or are not positive.
func (f Fees) Check() error {
	if f.Start <= 0 || f.Max < f.Start {
		return fmt.Errorf("%w: fees from %s to %s", ErrConfig, f.Start, f.Max)
	}

	return nil
}

// At rises from Start at height first to Max one block before the deadline: the
// last block in which the transaction can make it.
func (f Fees) At(first, deadline, tip factory.Height) wallet.FeeRate {
	last := max(deadline, 1) - 1
	switch {
	case tip >= last:
		if first >= last && tip == first {
			return f.Start // a deadline that is over at once says nothing about the fees of others
		}

		return f.Max
	case tip <= first:
		return f.Start
	}
	span, passed := wallet.FeeRate(last-first), wallet.FeeRate(tip-first)

	return f.Start + (f.Max-f.Start)*passed/span
}

// affordable is the highest rate that a coin pays for a package.
func affordable(value factory.Sat, vbytes int64) wallet.FeeRate {
	left := value - factory.MinShare
	if left <= 0 || vbytes <= 0 {
		return 0
	}

	return wallet.FeeRate(int64(left) * 1000 / vbytes)
}
