// Package expiry says what a node does about the expiry of an HTLC at a height: what it
// offers, keeps, forwards, gives up and goes to the chain for, the table of SPEC.md 8.2
// (PCF-057, PCF-086 to PCF-090, PCF-093, PCF-094, PCF-099, CHAN-016, CHAN-040).
//
// It has no clock and no state, so another implementation can be compared with it number
// by number. It knows no channels: who asks says what is trimmed, and to what a preimage is
// known. An early warning time is that of the channel in question, in blocks, 0 outside a
// factory. When a channel outside a factory fails for an HTLC is BOLT 2's, and not here.
package expiry

import (
	"errors"
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// Height is the height of a block, or an absolute expiry of an HTLC.
type Height = factory.Height

// Blocks is a number of blocks.
type Blocks = factory.Blocks

const (
	// ClaimMargin is the time in blocks that a claim needs besides the early
	// warning time (BOLT 2; PCF-086, PCF-087, PCF-090, PCF-094).
	ClaimMargin Blocks = 18

	// GiveUpMargin is how many blocks before the sender of a forwarded HTLC leaves for
	// the chain it is failed, when the outgoing one has no end yet (CHAN-040).
	GiveUpMargin Blocks = 3

	// Furthest is BOLT 4's max_htlc_cltv, in blocks.
	Furthest Blocks = 2016

	// FinalPadding and HopPadding are what a payer adds, in blocks, to the delta
	// of the invoice and to that of each hop (CHAN-016). The final one is
	// larger: parts of one payment arrive one after the other, and each is
	// measured against the height at its arrival.
	FinalPadding Blocks = 3
	HopPadding   Blocks = 1

	// Forever is the blocks to spare of an HTLC that may lie as long as it likes.
	Forever Blocks = 1<<32 - 1
)

// ErrEarlyWarning is a channel with which no invoice can be paid (PCF-069).
var ErrEarlyWarning = errors.New("early warning time leaves no room for a payment")

// Limits judges expiries of HTLCs at a height.
type Limits struct {
	Height Height
	Rules  rule.Set
}

// Error is an expiry that a rule forbids. Missing is how many blocks it lacks.
type Error struct {
	Rule    rule.ID
	Missing Blocks
}

func (e *Error) Error() string {
	return fmt.Sprintf("expiry is %d blocks short (%s)", e.Missing, e.Rule)
}

// atLeast returns how many blocks expiry is above start and margins, or the
// error of a rule.
func (l Limits) atLeast(id rule.ID, expiry, start Height, margins ...Blocks) (spare Blocks, err error) {
	least := uint64(start)
	for _, m := range margins {
		least += uint64(m)
	}
	if uint64(expiry) >= least {
		return Blocks(uint64(expiry) - least), nil
	}
	if !l.Rules.On(id) {
		return 0, nil
	}
	return 0, &Error{Rule: id, Missing: Blocks(min(least-uint64(expiry), 1<<32-1))}
}

// Received says whether a received HTLC may stay once it is irrevocably
// committed, and with how many blocks to spare (PCF-087).
func (l Limits) Received(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return l.atLeast(rule.PCF087, expiry, l.Height, earlyWarning, ClaimMargin)
}

// Release says whether the preimage of an HTLC that was not forwarded may be
// given (PCF-094).
func (l Limits) Release(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return l.atLeast(rule.PCF094, expiry, l.Height, earlyWarning, ClaimMargin)
}

// Offer says whether a forwarded HTLC may be offered (PCF-086); if not, it is
// failed with expiry_too_soon (PCF-099).
func (l Limits) Offer(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return l.atLeast(rule.PCF099, expiry, l.Height, earlyWarning, ClaimMargin)
}

// Forward says whether the time between the expiries of a received and an
// outgoing HTLC suffices: the early warning time of the incoming channel and the
// cltv_expiry_delta of the outgoing one (PCF-088).
func (l Limits) Forward(in, out Height, earlyWarning, delta Blocks) (spare Blocks, err error) {
	return l.atLeast(rule.PCF088, in, out, earlyWarning, delta)
}

// FirstHop is the expiry of the HTLC that a payer offers when the route asks
// for expiry and its own channel has an early warning time (PCF-057).
func (l Limits) FirstHop(expiry Height, earlyWarning Blocks) Height {
	if !l.Rules.On(rule.PCF057) {
		return expiry
	}
	return expiry + Height(earlyWarning)
}

// Final is the expiry that a payer tells the payee, who asks for delta, at least 18
// blocks: padded, since the payee may see another height (CHAN-016).
func (l Limits) Final(delta Blocks) Height {
	return l.Height + Height(max(delta, ClaimMargin)+l.Padding(FinalPadding))
}

// Padding is what a payer adds to a delta that it does not choose (CHAN-016).
func (l Limits) Padding(p Blocks) Blocks {
	if !l.Rules.On(rule.CHAN016) {
		return 0
	}
	return p
}

// FinalDelta is the min_final_cltv_expiry_delta of an invoice: the highest early
// warning time of the channels that can receive it on top of what the payee
// itself asks for, at least 18 blocks (PCF-093). The own part gives way, down to 18
// blocks, before the sum reaches 2,016. Errors: ErrEarlyWarning.
func (l Limits) FinalDelta(own, highest Blocks) (Blocks, error) {
	if highest > Furthest-1-ClaimMargin {
		return 0, fmt.Errorf("%w: %d blocks", ErrEarlyWarning, highest)
	}
	if !l.Rules.On(rule.PCF093) {
		highest = 0
	}
	return min(highest+max(own, ClaimMargin), Furthest-1), nil
}
