package closing

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcutil"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
	"superscalar/refnode/wallet"
)

// build makes the package of an action.
func (t *turn) build(a Action, before *attempt, rate wallet.FeeRate) (chain.Package, attempt, error) {
	switch {
	case a.Tx != nil:
		return t.publish(a, before, rate)
	case a.Claim.Pair != nil:
		return t.withCoin(a, before, rate)
	default:
		return t.fromItself(a, before, rate)
	}
}

// publish offers a transaction as it is when that pays enough, else with a child
// that spends its anchor. One that pays something is offered alone rather than
// not at all.
func (t *turn) publish(a Action, before *attempt, rate wallet.FeeRate) (chain.Package, attempt, error) {
	own := rateOf(a.Fee, size(a.Tx))
	alone := attempt{rate: own, fee: a.Fee}
	if own >= rate || a.Anchor == nil {
		return chain.Package{a.Tx}, alone, nil
	}
	child, try, err := t.child(a, before, rate)
	var short *wallet.ShortError
	switch {
	case err == nil:
		return chain.Package{a.Tx, child}, try, nil
	case own >= wallet.MinFeeRate && (errors.As(err, &short) || errors.Is(err, ErrNoCoin)):
		return chain.Package{a.Tx}, alone, nil
	default:
		return nil, attempt{}, fmt.Errorf("pay for %s: %w", a.Reason, err)
	}
}

// childVBytes is the size of a child of an anchor with a signature, with a
// margin: a bound for choosing a coin, in virtual bytes.
const childVBytes = 200

// child makes a transaction that spends an anchor and a coin, so that both
// together pay the rate.
func (t *turn) child(a Action, before *attempt, rate wallet.FeeRate) (*btcwire.MsgTx, attempt, error) {
	if t.d.Wallet == nil || t.script == nil {
		return nil, attempt{}, ErrNoCoin
	}
	parent := size(a.Tx)
	together := parent + childVBytes
	// Half of what is at stake is the most that it may cost, the first rate
	// whatever is at stake.
	rate = min(rate, max(rateOf(a.Worth/2, together), t.d.fees().Start))
	coin, err := t.coin(a, before, together, rate)
	if err != nil {
		return nil, attempt{}, err
	}
	if rate = min(rate, rateOf(coin.Value-Dust+a.Fee, together)); rate < wallet.MinFeeRate {
		return nil, attempt{}, ErrNoCoin
	}
	if a.Anchor.Kind == commitment.ClaimSharedAnchor {
		return t.sharedChild(a, before, rate)
	}
	least := commitment.Sat(0)
	if before != nil {
		least = before.fee
	}
	tx, fee, err := t.spendCoin(2, a.Anchor, coin, func(vbytes int64) commitment.Sat {
		wanted := max(rate.Fee(parent+vbytes)-a.Fee, wallet.IncrementalRelay.Fee(vbytes))
		if least > 0 {
			wanted = max(wanted, least+wallet.IncrementalRelay.Fee(vbytes))
		}

		return wanted
	})
	if err != nil {
		return nil, attempt{}, err
	}

	return tx, attempt{txid: tx.TxHash(), fee: fee, rate: rateOf(fee+a.Fee, parent+size(tx))}, nil
}

// sharedChild is the child of a commitment of version 3, which anybody can make.
func (t *turn) sharedChild(a Action, before *attempt, rate wallet.FeeRate) (*btcwire.MsgTx, attempt, error) {
	bump := wallet.Bump{
		ID: reservation(a.Outpoint), Parent: a.Tx, ParentFee: a.Fee, Anchor: a.Anchor.Outpoint.Index, Rate: rate,
	}
	if before != nil {
		bump.Replaces = before.child
	}
	child, err := t.d.Wallet.BumpChild(bump)
	if err != nil {
		return nil, attempt{}, err
	}

	return child.Tx, attempt{txid: child.Tx.TxHash(), fee: child.Fee, rate: rate, child: child}, nil
}

// fromItself takes a claim that pays out of its own output.
func (t *turn) fromItself(a Action, before *attempt, rate wallet.FeeRate) (chain.Package, attempt, error) {
	claims := []*commitment.Claim{a.Claim}
	out := btcwire.NewTxOut(a.Claim.Output.Value, t.script)
	draft, err := commitment.NewSpend(2, claims, nil, []*btcwire.TxOut{out})
	if err != nil {
		return nil, attempt{}, err
	}
	vbytes := (commitment.SpendWeight(draft, claims) + 3) / 4
	fee, err := t.price(a, before, rate, vbytes)
	if err != nil {
		return nil, attempt{}, err
	}
	draft.TxOut[0].Value -= int64(fee)
	if err := commitment.SignSpend(draft, claims); err != nil {
		return nil, attempt{}, err
	}

	return chain.Package{draft}, attempt{txid: draft.TxHash(), fee: fee, rate: rateOf(fee, vbytes)}, nil
}

// withCoin makes an HTLC transaction: its output is fixed, a coin pays.
func (t *turn) withCoin(a Action, before *attempt, rate wallet.FeeRate) (chain.Package, attempt, error) {
	coin, err := t.coin(a, before, sizeOf(a.Claim), rate)
	if err != nil {
		return nil, attempt{}, err
	}
	var refused error
	tx, fee, err := t.spendCoin(t.c.Params.Type.Version(), a.Claim, coin, func(vbytes int64) commitment.Sat {
		fee, err := t.price(a, before, min(rate, rateOf(coin.Value-Dust, vbytes)), vbytes)
		refused = err

		return fee
	})
	if err = errors.Join(refused, err); err != nil {
		return nil, attempt{}, err
	}

	return chain.Package{tx}, attempt{txid: tx.TxHash(), fee: fee, rate: rateOf(fee, size(tx))}, nil
}

// price is what a claim pays: the rate, enough to replace what is before it, and
// no more than it is worth.
func (t *turn) price(a Action, before *attempt, rate wallet.FeeRate, vbytes int64) (commitment.Sat, error) {
	fee, least := min(rate.Fee(vbytes), a.Worth), wallet.MinFeeRate.Fee(vbytes)
	if before != nil {
		least = before.fee + wallet.IncrementalRelay.Fee(vbytes)
	}
	if fee = max(fee, least); fee > a.Worth {
		return 0, fmt.Errorf("%s of %d sat: %d sat are more than it is worth: %w", a.Reason, a.Claim.Output.Value, int64(fee), ErrNoCoin)
	}

	return fee, nil
}

// spendCoin spends a claim together with a coin; what is left goes to the
// script, as the last output. Fee gets the size in virtual bytes.
func (t *turn) spendCoin(version int32, claim *commitment.Claim, coin wallet.Coin, fee func(vbytes int64) commitment.Sat) (*btcwire.MsgTx, commitment.Sat, error) {
	claims := []*commitment.Claim{claim}
	left := coin.Value + commitment.Sat(claim.Output.Value)
	if claim.Pair != nil {
		left -= commitment.Sat(claim.Pair.Value)
	}
	change := btcwire.NewTxOut(int64(left), t.script)
	in := &btcwire.TxIn{PreviousOutPoint: coin.Outpoint, Sequence: replaceable}
	tx, err := commitment.NewSpend(version, claims, []*btcwire.TxIn{in}, []*btcwire.TxOut{change})
	if err != nil {
		return nil, 0, err
	}
	const witness = 1 + 1 + 64 // of a coin, in weight units
	paid := fee((commitment.SpendWeight(tx, claims) + witness + 3) / 4)
	if left-paid < Dust {
		return nil, 0, fmt.Errorf("a coin of %d sat: %w", int64(coin.Value), ErrNoCoin)
	}
	tx.TxOut[len(tx.TxOut)-1].Value = int64(left - paid)
	if err := commitment.SignSpend(tx, claims); err != nil {
		return nil, 0, err
	}
	others := map[btcwire.OutPoint]*btcwire.TxOut{claim.Outpoint: &claim.Output}
	if err := t.d.Wallet.SignBeside(coin.Reserved, tx, others); err != nil {
		return nil, 0, err
	}

	return tx, paid, nil
}

// replaceable is the nSequence of coins (BIP 125).
const replaceable = 0xfffffffd

// reserved finds the coin of a reservation.
func (t *turn) reserved(id string) (wallet.Coin, bool) {
	for _, coin := range t.d.Wallet.Coins() {
		if coin.Reserved == id {
			return coin, true
		}
	}

	return wallet.Coin{}, false
}

// coin returns the coin that is reserved for an action, or reserves one: one
// that pays the highest rate, else the rate asked for, else any that relays. A
// coin that is too small is exchanged, unless it is in use.
func (t *turn) coin(a Action, before *attempt, vbytes int64, rate wallet.FeeRate) (coin wallet.Coin, err error) {
	id, fees := reservation(a.Outpoint), t.d.fees()
	held, found := t.reserved(id)
	if found && (before != nil || held.Value >= rate.Fee(vbytes)+Dust) {
		return held, nil
	}
	if err := t.d.Wallet.Release(id); err != nil && !errors.Is(err, wallet.ErrUnknownReservation) {
		return coin, err
	}
	for _, r := range []wallet.FeeRate{fees.Max, rate, fees.Start, wallet.MinFeeRate} {
		coin, err = t.d.Wallet.ReserveCoin(id, r.Fee(vbytes)+Dust)
		var short *wallet.ShortError
		if !errors.As(err, &short) {
			return coin, err
		}
	}

	return coin, err
}

// rateOf is the rate of a fee in sat for a size in virtual bytes, rounded down.
func rateOf(fee commitment.Sat, vbytes int64) wallet.FeeRate {
	return wallet.FeeRate(max(0, int64(fee)) * 1000 / vbytes)
}

// size is in virtual bytes.
func size(tx *btcwire.MsgTx) int64 {
	weight := blockchain.GetTransactionWeight(btcutil.NewTx(tx))

	return (weight + blockchain.WitnessScaleFactor - 1) / blockchain.WitnessScaleFactor
}
