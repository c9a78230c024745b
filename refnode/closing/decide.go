package closing

import (
	"cmp"
	"math"
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/commitment"
	"superscalar/wire/rule"
)

// Decide says what to do about a channel now. The error is one of the records of
// revoked commitments, or of keys that do not fit: then the plan lacks what
// depends on them.
func Decide(c *Channel, v View) (Plan, error) {
	w := &walk{c: c, view: v, tip: v.Height(), depth: math.MaxUint32, preimages: map[[32]byte][32]byte{}}
	for _, h := range c.HTLCs {
		if h.Preimage != nil {
			w.preimages[h.Hash] = *h.Preimage
		}
	}
	for i := range c.Outputs {
		o := &c.Outputs[i]
		spend, found := v.Spend(o.Funding.Outpoint)
		if found && spend.Confirmed {
			w.spent(o, spend)
		} else {
			w.unspent(o, spend.Tx)
		}
	}
	if w.plan.End != Open && !w.open {
		w.plan.Depth = w.depth
	}
	slices.SortStableFunc(w.plan.Publish, func(a, b Action) int { return cmp.Compare(a.Deadline, b.Deadline) })

	return w.plan, w.err
}

// walk goes from the funding output to what is unspent, and decides about it.
type walk struct {
	c    *Channel
	view View
	tip  commitment.Height
	plan Plan
	err  error

	preimages map[[32]byte][32]byte // of HTLCs of the peer, by payment hash
	open      bool                  // something that concerns us has no end yet
	depth     commitment.Height     // the least confirmations of what has
}

func (w *walk) on(id rule.ID) bool { return w.c.Params.Rules.On(id) }

// keeps reports whether a rule is kept, as a whole and in a part that a mutant
// can lose alone.
func (w *walk) keeps(id, part rule.ID) bool { return w.on(id) && w.on(id+part) }

func (w *walk) fault(err error) {
	if err != nil && w.err == nil {
		w.err = err
		w.open = true // it is not over before it is understood
	}
}

// confirmations counts from a block to the tip.
func (w *walk) confirmations(at commitment.Height) commitment.Height {
	if at > w.tip {
		return 0
	}

	return w.tip - at + 1
}

// ended notes a spend that is an end for us.
func (w *walk) ended(at commitment.Height) { w.depth = min(w.depth, w.confirmations(at)) }

// buried reports whether what is in a block counts as an end.
func (w *walk) buried(at commitment.Height) bool { return w.confirmations(at) >= Buried }

// again asks to look again at a height in the future.
func (w *walk) again(h commitment.Height) {
	if h > w.tip && (w.plan.Again == 0 || h < w.plan.Again) {
		w.plan.Again = h
	}
}

// unspent decides about a funding output that no block spends; tx is what
// spends it in the mempool, nil without.
func (w *walk) unspent(o *Output, tx *btcwire.MsgTx) {
	at, confirmed := w.view.Confirmed(o.Funding.Outpoint.Hash)
	if !confirmed {
		return
	}
	if tx != nil {
		w.glimpse(o, tx)
	}
	if w.c.Close != nil && w.c.Close.TxIn[0].PreviousOutPoint == o.Funding.Outpoint {
		w.together(o, w.commits(o, at, tx))
	} else if w.leaves() {
		if a := w.commits(o, at, tx); a != nil {
			w.publish(*a)
		}
	}
}

// together publishes the mutual close, or, when the owner ordered so, a commitment. Each of
// them stands in for the other one: nothing can be added to the fee that both sides agreed on,
// and a commitment without a coin may pay less still. Whichever confirms, everybody has
// the same balance, since there are no HTLCs and neither commitment was revoked; a
// commitment costs its fee and a delay more.
func (w *walk) together(o *Output, commits *Action) {
	fee := o.Funding.Value
	for _, out := range w.c.Close.TxOut {
		fee -= commitment.Sat(out.Value)
	}
	first := Action{Tx: w.c.Close, Fee: fee, Outpoint: o.Funding.Outpoint, Deadline: w.tip + Patience, Reason: "closed together"}
	switch {
	case commits == nil:
	case w.c.Ordered:
		second := first
		first, first.Instead = *commits, &second
	default:
		first.Instead = commits
	}
	w.publish(first)
}

// leaves reports whether a commitment must go on the chain.
func (w *walk) leaves() bool {
	if w.c.InFactory {
		return w.on(rule.CHAN024)
	}

	return w.c.Failed
}

// commits publishes the peer's commitment when it is on its way, else ours; nil when
// there is none that may be.
func (w *walk) commits(o *Output, at commitment.Height, tx *btcwire.MsgTx) *Action {
	if w.c.Stale && w.on(rule.CHAN023) {
		return nil
	}
	if c := w.theirs(o, tx); c != nil {
		return w.commitment(o, at, c, tx, "the peer's commitment is on its way")
	}
	if o.Ours == nil {
		return nil
	}

	return w.commitment(o, at, o.Ours.Commitment, o.Ours.Tx, "the channel is given up")
}

// theirs returns the commitment of the peer that a transaction is, nil when it
// is none, or a revoked one: that is no reason to hold ours back.
func (w *walk) theirs(o *Output, tx *btcwire.MsgTx) *commitment.Commitment {
	if tx == nil {
		return nil
	}
	txid := tx.TxHash()
	for _, c := range o.Theirs {
		if c.Txid == txid {
			return c
		}
	}

	return nil
}

// commitment publishes a commitment on an output whose funding transaction
// block at holds.
func (w *walk) commitment(o *Output, at commitment.Height, c *commitment.Commitment, tx *btcwire.MsgTx, reason string) *Action {
	a := &Action{
		Tx: tx, Fee: c.Fee, Outpoint: o.Funding.Outpoint, Deadline: w.tip + Patience, Worth: w.stake(c), Reason: reason,
	}
	if w.c.InFactory {
		a.Rule, a.Deadline = rule.CHAN024, at+Confirm
	}
	for _, h := range w.c.HTLCs {
		switch {
		case h.By == w.c.Side:
			a.Deadline = min(a.Deadline, h.Expiry)
		case h.Preimage != nil: // then HTLC-success needs its blocks too
			a.Deadline = min(a.Deadline, max(h.Expiry, Confirm)-Confirm)
		}
	}
	a.Deadline = max(a.Deadline, w.tip+1)
	a.Anchor = w.anchor(o, c)

	return a
}

// anchor is the claim of our anchor, or of the shared one.
func (w *walk) anchor(o *Output, c *commitment.Commitment) *commitment.Claim {
	var claims []*commitment.Claim
	var err error
	if c.Owner == w.c.Side {
		claims, err = c.OwnClaims(w.c.Secrets, o.Key, o.Ours.HTLCSigs, nil)
	} else {
		claims, err = c.OtherClaims(w.c.Secrets, o.Key, nil)
	}
	w.fault(err)
	for _, claim := range claims {
		if isAnchor(claim) {
			return claim
		}
	}

	return nil
}

func isAnchor(c *commitment.Claim) bool {
	return c.Kind == commitment.ClaimAnchor || c.Kind == commitment.ClaimSharedAnchor
}

// stake is what we have to gain from a commitment being in a block, in sat.
func (w *walk) stake(c *commitment.Commitment) (sum commitment.Sat) {
	sum = c.State.Balance[w.c.Side].Sat()
	for _, h := range c.State.HTLCs {
		_, known := w.preimages[h.Hash]
		if h.OfferedBy == w.c.Side || known {
			sum += h.Amount.Sat()
		}
	}

	return sum
}

func (w *walk) publish(a Action) { w.plan.Publish = append(w.plan.Publish, a) }
