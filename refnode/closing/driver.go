package closing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
	"superscalar/refnode/exit"
	"superscalar/refnode/wallet"
)

// Driver carries out plans. It is for one goroutine. What it remembers are fees
// and first deadlines: after a restart it begins with low fees again, goes on
// from its own transactions in the mempool, and loses nothing else, since the
// wallet keeps reservations.
type Driver struct {
	// Wallet pays for commitments and HTLC transactions; nil: then nothing is
	// claimed, and commitments go out as they are.
	Wallet *wallet.Wallet
	// Fees are exit.DefaultFees when zero.
	Fees exit.Fees

	efforts map[aim]*effort
}

// aim is what an effort is for.
type aim struct {
	spends btcwire.OutPoint
	txid   chainhash.Hash // of the transaction to publish; zero for a claim
}

// effort is what was tried to get an outpoint spent.
type effort struct {
	txid     chainhash.Hash // as in its aim
	first    commitment.Height
	deadline commitment.Height
	tried    []attempt
}

// attempt is a claim or a child that was submitted.
type attempt struct {
	txid  chainhash.Hash
	rate  wallet.FeeRate // of the package
	fee   commitment.Sat // of the transaction with this txid
	child *wallet.Child  // when it spends a shared anchor
}

// Report is what one step did.
type Report struct {
	Height commitment.Height // 0 when the backend did not answer: then there is no plan
	Plan   Plan
	// Whole is false when the plan may lack something, a preimage too, because
	// something of the channel could not be read.
	Whole bool
	Sent  []Sent
}

// Sent is a transaction that was offered to the network.
type Sent struct {
	Action Action
	// Txid is that of the claim, or of Action.Tx.
	Txid chainhash.Hash
	// Rate is that of the package, Fee what the claim or the child pays, in sat.
	Rate wallet.FeeRate
	Fee  commitment.Sat
	// Raised is true when it replaces an earlier one.
	Raised bool
	// Err is why it was not taken, or could not be paid for. The next step tries
	// again.
	Err error
}

// ErrNoCoin : there is nothing to pay with, or nothing that is worth it.
var ErrNoCoin = errors.New("no confirmed coin to pay the fee")

// Step looks at the chain, decides about a channel and submits. What is claimed
// goes to script, which has to be the same in every step. Bring the wallet up to
// date before. An error means that the backend did not answer, or that something
// of the channel cannot be read: what can be done without it is done.
func (d *Driver) Step(ctx context.Context, backend chain.Interface, c *Channel, script []byte) (Report, error) {
	view, err := look(ctx, backend)
	if err != nil {
		return Report{}, err
	}
	report := Report{Height: view.Height()}
	plan, failed := Decide(c, view)
	if view.Err() != nil {
		return Report{}, view.Err()
	}
	report.Plan, report.Whole = plan, failed == nil
	t := &turn{d: d, view: view, c: c, script: script}
	if sent, tried, err := t.divide(plan.Publish); tried || err != nil {
		report.Sent = append(report.Sent, sent)
		failed = errors.Join(failed, err)
	}
	for _, a := range plan.Publish {
		for next := &a; next != nil; {
			sent, tried, err := t.carryOut(*next)
			if tried {
				report.Sent = append(report.Sent, sent)
			}
			failed = errors.Join(failed, err)
			if next = next.Instead; !tried || !cheap(sent.Err) {
				break
			}
		}
	}

	return report, errors.Join(failed, view.Err())
}

// reservation names the coin that pays for whatever spends an outpoint: two
// transactions that compete for it never both confirm.
func reservation(o btcwire.OutPoint) string { return reservationPrefix + o.String() }

const reservationPrefix = "closing/"

// Release gives back the coins of outpoints whose spend is buried. The error names
// every one that it could not find out about; the others are done.
func (d *Driver) Release(ctx context.Context, backend chain.Interface) (failed error) {
	if d.Wallet == nil {
		return nil
	}
	for _, id := range d.Wallet.Reservations() {
		if text, ours := strings.CutPrefix(id, reservationPrefix); ours {
			if err := d.release(ctx, backend, id, text); err != nil {
				failed = errors.Join(failed, fmt.Errorf("release the coin of %s: %w", text, err))
			}
		}
	}

	return failed
}

// release gives back the coin of a reservation if it has done what it was for.
func (d *Driver) release(ctx context.Context, backend chain.Interface, id, text string) error {
	text, divided := strings.CutPrefix(text, "divide/")
	o, err := btcwire.NewOutPointFromString(text)
	if err != nil {
		return nil
	}
	view, err := look(ctx, backend)
	if err != nil {
		return err
	}
	spend, found := view.Spend(*o)
	if view.Err() != nil {
		return view.Err()
	}
	buried := found && spend.Confirmed && view.Height() >= spend.Height+Buried
	if !buried && (!divided || found) { // a division that nobody has may be another coin's next time
		return nil
	}
	maps.DeleteFunc(d.efforts, func(a aim, _ *effort) bool { return a.spends == *o })

	return d.Wallet.Release(id)
}

// effort finds or starts what is done about an outpoint.
func (d *Driver) effort(a Action, tip commitment.Height) *effort {
	var txid chainhash.Hash
	if a.Tx != nil {
		txid = a.Tx.TxHash()
	}
	if d.efforts == nil {
		d.efforts = map[aim]*effort{}
	}
	of := aim{a.Outpoint, txid}
	e := d.efforts[of]
	if e == nil {
		e = &effort{txid: txid, first: tip, deadline: a.Deadline}
		d.efforts[of] = e
	}
	e.deadline = min(e.deadline, a.Deadline)

	return e
}

// fees are the bounds of what is paid.
func (d *Driver) fees() exit.Fees {
	if d.Fees == (exit.Fees{}) {
		return exit.DefaultFees
	}

	return d.Fees
}

// turn is one step for one channel.
type turn struct {
	d      *Driver
	view   snapshot
	c      *Channel
	script []byte
}

// carryOut submits an action if there is anything to submit. The error is the
// backend's.
func (t *turn) carryOut(a Action) (sent Sent, tried bool, err error) {
	if a.Claim != nil && (t.d.Wallet == nil || t.script == nil) {
		return Sent{}, false, nil
	}
	e, fees := t.d.effort(a, t.view.Height()), t.d.fees()
	rate := fees.At(e.first, e.deadline, t.view.Height())
	before, wait := t.pending(a, e, rate)
	if wait || t.view.Err() != nil {
		return Sent{}, false, nil
	}
	for {
		sent = t.submit(a, e, before, rate)
		if !outbid(sent.Err) || rate >= fees.Max || a.Tx != nil && a.Anchor == nil {
			break
		}
		rate = min(2*rate, fees.Max)
	}
	if chain.IsRejection(sent.Err, chain.ReasonAlreadyKnown) {
		return Sent{}, false, nil // it was confirmed meanwhile
	}
	var refused *chain.Rejection
	if sent.Err == nil || errors.As(sent.Err, &refused) || poor(sent.Err) {
		return sent, true, nil
	}

	return sent, true, sent.Err
}

// outbid reports whether an attempt failed because what is in the mempool pays
// more.
func outbid(err error) bool {
	return chain.IsRejection(err, chain.ReasonInsufficientFee) || chain.IsRejection(err, chain.ReasonPackageRBF)
}

// poor reports whether there was nothing to pay with.
func poor(err error) bool {
	var short *wallet.ShortError

	return errors.As(err, &short) || errors.Is(err, ErrNoCoin)
}

// cheap reports whether a transaction was not taken because it pays too little.
func cheap(err error) bool {
	return outbid(err) || poor(err) || chain.IsRejection(err, chain.ReasonMinRelayFee) || chain.IsRejection(err, chain.ReasonMempoolMinFee)
}

// pending finds our own attempt in the mempool, and reports whether there is
// nothing to do: it pays enough so far, or somebody else pays.
func (t *turn) pending(a Action, e *effort, rate wallet.FeeRate) (before *attempt, wait bool) {
	at := a.Outpoint
	if a.Tx != nil {
		spend, found := t.view.Spend(a.Outpoint)
		if !found || spend.Tx.TxHash() != e.txid {
			return nil, false // not in the mempool
		}
		if rate <= rateOf(a.Fee, size(a.Tx)) || a.Anchor == nil {
			return nil, true // it pays for itself
		}
		at = a.Anchor.Outpoint
	}
	spend, found := t.view.Spend(at)
	if !found {
		return nil, false
	}
	before = t.own(a, e, spend)
	switch {
	case before != nil:
		return before, rate < before.rate+wallet.IncrementalRelay
	case a.Tx != nil: // somebody else pays: help from half-time on
		return nil, t.view.Height() < e.first+(e.deadline-min(e.first, e.deadline))/2
	default:
		return nil, false // a rival
	}
}

// own finds the attempt that a transaction in the mempool is: one of this
// process, or of one before, which paid to the same script.
func (t *turn) own(a Action, e *effort, s Spend) *attempt {
	txid := s.Tx.TxHash()
	for i := range e.tried {
		if e.tried[i].txid == txid {
			return &e.tried[i]
		}
	}
	last := s.Tx.TxOut[len(s.Tx.TxOut)-1]
	if string(last.PkScript) != string(t.script) {
		return nil
	}
	fee := commitment.Sat(0)
	for _, out := range s.Tx.TxOut {
		fee -= commitment.Sat(out.Value)
	}
	for _, in := range s.Tx.TxIn {
		switch o := in.PreviousOutPoint; {
		case a.Claim != nil && o == a.Claim.Outpoint:
			fee += commitment.Sat(a.Claim.Output.Value)
		case a.Anchor != nil && o == a.Anchor.Outpoint:
			fee += commitment.Sat(a.Anchor.Output.Value)
		default:
			coin, found := t.reserved(reservation(a.Outpoint))
			if !found || coin.Outpoint != o {
				return nil
			}
			fee += coin.Value
		}
	}
	found := attempt{txid: txid, fee: fee, rate: rateOf(fee, size(s.Tx))}
	if a.Tx != nil {
		found.rate = rateOf(fee+a.Fee, size(s.Tx)+size(a.Tx))
	}
	e.tried = append(e.tried, found)

	return &e.tried[len(e.tried)-1]
}

// submit makes one attempt at a rate.
func (t *turn) submit(a Action, e *effort, before *attempt, rate wallet.FeeRate) Sent {
	sent := Sent{Action: a, Rate: rate, Raised: before != nil}
	pkg, try, err := t.build(a, before, rate)
	if err != nil {
		sent.Err = err

		return sent
	}
	if try.txid != (chainhash.Hash{}) {
		// Remembered first: an answer that is lost does not make it somebody
		// else's.
		e.tried = append(e.tried, try)
	}
	sent.Txid, sent.Fee, sent.Rate = pkg[0].TxHash(), try.fee, try.rate
	if sent.Err = t.view.Submit(pkg); sent.Err != nil {
		sent.Err = fmt.Errorf("submit %s: %w", a.Reason, sent.Err)
	}

	return sent
}
