package payment

import (
	"fmt"

	"superscalar/wire/rule"
)

// Expiries judges expiries of HTLCs at a height, with the rules that add a
// factory's early warning time (SPEC.md 3.7). An early warning time is that of
// the channel in question, in blocks, 0 outside a factory. It has no clock and
// no state: another implementation can be compared with it number by number.
type Expiries struct {
	Height Height
	Rules  rule.Set
}

// ExpiryError is an expiry that a rule forbids. Missing is how many blocks it
// lacks.
type ExpiryError struct {
	Rule    rule.ID
	Missing Blocks
}

func (e *ExpiryError) Error() string {
	return fmt.Sprintf("expiry is %d blocks short (%s)", e.Missing, e.Rule)
}

// atLeast returns how many blocks expiry is above start and margins, or the
// error of a rule.
func (e Expiries) atLeast(id rule.ID, expiry, start Height, margins ...Blocks) (spare Blocks, err error) {
	least := uint64(start)
	for _, m := range margins {
		least += uint64(m)
	}
	if uint64(expiry) >= least {
		return Blocks(uint64(expiry) - least), nil
	}
	if !e.Rules.On(id) {
		return 0, nil
	}
	return 0, &ExpiryError{Rule: id, Missing: Blocks(min(least-uint64(expiry), 1<<32-1))}
}

// Received says whether a received HTLC may stay once it is irrevocably
// committed, and with how many blocks to spare (PCF-087).
func (e Expiries) Received(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return e.atLeast(rule.PCF087, expiry, e.Height, earlyWarning, ClaimMargin)
}

// Release says whether the preimage of an HTLC that was not forwarded may be
// given (PCF-094).
func (e Expiries) Release(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return e.atLeast(rule.PCF094, expiry, e.Height, earlyWarning, ClaimMargin)
}

// Offer says whether a forwarded HTLC may be offered (PCF-086); if not, it is
// failed with expiry_too_soon (PCF-099).
func (e Expiries) Offer(expiry Height, earlyWarning Blocks) (spare Blocks, err error) {
	return e.atLeast(rule.PCF099, expiry, e.Height, earlyWarning, ClaimMargin)
}

// Forward says whether the time between the expiries of a received and an
// outgoing HTLC suffices: the early warning time of the incoming channel and the
// cltv_expiry_delta of the outgoing one (PCF-088).
func (e Expiries) Forward(in, out Height, earlyWarning, delta Blocks) (spare Blocks, err error) {
	return e.atLeast(rule.PCF088, in, out, earlyWarning, delta)
}

// FirstHop is the expiry of the HTLC that a payer offers when the route asks
// for expiry and its own channel has an early warning time (PCF-057).
func (e Expiries) FirstHop(expiry Height, earlyWarning Blocks) Height {
	if !e.Rules.On(rule.PCF057) {
		return expiry
	}
	return expiry + Height(earlyWarning)
}

// Final is the expiry that a payer tells the payee, who asks for delta, at least 18
// blocks: padded, since the payee may see another height (CHAN-016).
func (e Expiries) Final(delta Blocks) Height {
	return e.Height + Height(max(delta, ClaimMargin)+e.padding(FinalPadding))
}

// padding is what a payer adds to a delta that it does not choose (CHAN-016).
func (e Expiries) padding(p Blocks) Blocks {
	if !e.Rules.On(rule.CHAN016) {
		return 0
	}
	return p
}

// FinalDelta is the min_final_cltv_expiry_delta of an invoice: the highest early
// warning time of the channels that can receive it on top of what the payee
// itself asks for, at least 18 blocks (PCF-093). The own part gives way, down to 18
// blocks, before the sum reaches 2,016. Errors: ErrEarlyWarning.
func (e Expiries) FinalDelta(own, highest Blocks) (Blocks, error) {
	if highest > MaxHTLCExpiry-1-ClaimMargin {
		return 0, fmt.Errorf("%w: %d blocks", ErrEarlyWarning, highest)
	}
	if !e.Rules.On(rule.PCF093) {
		highest = 0
	}
	return min(highest+max(own, ClaimMargin), MaxHTLCExpiry-1), nil
}

// expiries are the rules at the height of the router.
func (r *Router) expiries() Expiries { return Expiries{Height: r.height, Rules: r.cfg.Rules} }
