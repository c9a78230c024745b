package closing

import (
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
	"superscalar/refnode/wallet"
	"superscalar/wire/rule"
)

// take decides about claims on outputs of a transaction that block at holds.
// Next finds what can be claimed of a transaction that spends one of them, nil
// for nothing.
func (w *walk) take(claims []*commitment.Claim, at commitment.Height, next func(*btcwire.MsgTx) ([]*commitment.Claim, error)) {
	for _, claim := range claims {
		if isAnchor(claim) || !w.wanted(claim) {
			continue
		}
		s, found := w.view.Spend(claim.Outpoint)
		if !found || !s.Confirmed {
			w.claim(claim, at)

			continue
		}
		w.ended(s.Height)
		if next == nil {
			continue
		}
		after, err := next(s.Tx)
		w.fault(err)
		for _, second := range after {
			if second.Outpoint.Index == s.Input { // the others are other claims'
				w.take([]*commitment.Claim{second}, s.Height, nil)
			}
		}
	}
}

// wanted leaves out what a mutant does not claim, and what is not worth it.
func (w *walk) wanted(c *commitment.Claim) bool {
	switch c.Kind {
	case commitment.ClaimHTLCTx, commitment.ClaimHTLCSuccess, commitment.ClaimHTLCTimeout:
		part := rule.ID("/timeout")
		if c.LockTime == 0 {
			part = "/success"
		}
		if !w.keeps(rule.CHAN026, part) {
			return false
		}
	}

	return Limit(c) > 0
}

// claim says when to take an output that block at holds and no block spends.
func (w *walk) claim(c *commitment.Claim, at commitment.Height) {
	w.open = true
	if first := at + commitment.Height(c.Wait); c.Wait > 0 && w.tip+1 < first {
		w.again(first - 1)

		return
	}
	if w.tip < c.LockTime {
		w.again(c.LockTime)

		return
	}
	a := Action{Claim: c, Outpoint: c.Outpoint, Worth: Limit(c), Deadline: w.tip + Patience, Reason: c.Kind.String()}
	switch c.Kind {
	case commitment.ClaimHTLCTx, commitment.ClaimHTLCSuccess, commitment.ClaimHTLCTimeout:
		a.Rule = rule.CHAN026
		a.Deadline = c.HTLC.Expiry
		if c.LockTime > 0 { // from its expiry on it is ours, and the peer's as long as we wait
			a.Deadline += Confirm
		}
	case commitment.ClaimPenalty:
		a.Rule = rule.CHAN025
		a.Deadline = at + w.delay() - 1 // one block before the peer can have it
	}
	a.Deadline = max(a.Deadline, w.tip+1)
	w.publish(a)
}

// delay is how long the peer waits for what is its own on its commitment.
func (w *walk) delay() commitment.Height {
	return max(1, commitment.Height(w.c.Params.Delay[w.c.Side.Other()]))
}

// Dust is the least output of a claim, in sat: the dust limit of P2TR.
const Dust commitment.Sat = 330

// Limit is the most that a claim may cost, in sat: all but what an output has at
// least, or half of what an HTLC transaction brings, whose amount is fixed and
// whose output has a claim of its own. It is 0 for what is not worth a claim:
// what cannot pay the least fee that relays.
func Limit(c *commitment.Claim) commitment.Sat {
	most := commitment.Sat(c.Output.Value) - Dust
	if c.Pair != nil {
		most = commitment.Sat(c.Output.Value) / 2
	}
	if most < wallet.MinFeeRate.Fee(sizeOf(c)) {
		return 0
	}

	return most
}

// Sizes in weight units.
const (
	outputWeight = 4 * (8 + 1 + 34)             // an output to a taproot script
	coinWeight   = 4*(32+4+1+4) + 1 + 1 + 64    // a coin of the wallet
	claimWeight  = 4*(4+4+1+1) + 2 + 4*(36+1+4) // a transaction with one input, without its witness
)

// sizeOf is the size of the transaction that takes a claim, in virtual bytes.
func sizeOf(c *commitment.Claim) int64 {
	weight := claimWeight + c.WitnessWeight() + outputWeight
	if c.Pair != nil {
		weight += outputWeight + coinWeight
	}

	return (weight + 3) / 4
}
