package closing

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/blockchain"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
	"superscalar/refnode/wallet"
	"superscalar/wire/rule"
)

// Each HTLC transaction takes a coin of its own, and its change is a coin again only
// when it is in a block. With fewer coins than HTLC transactions they would go out one
// after the other, a block each, and the peer could have those whose turn comes after
// their expiry. So a coin is divided first, into as many as are missing: it costs
// a block, a fee of our own to ourselves, and depends on nobody else's input, which
// a transaction with the HTLCs of all would.

// Bounds of a division.
const (
	// minParts is the least number of coins that a division makes: two HTLC
	// transactions one after the other are as quick.
	minParts = 3
	// maxParts is the largest: more HTLCs than a commitment has (BOLT 2).
	maxParts = 2 * 483
	// feeShare is the part that a division costs at most, of the coin and of what the
	// HTLC transactions that it is for may cost: one in so many.
	feeShare = 4
)

// divisionPrefix begins the reservation of a coin that is divided; the outpoint of
// the coin follows.
const divisionPrefix = reservationPrefix + "divide/"

// shortage is what a plan lacks.
type shortage struct {
	parts    int               // coins that are missing, that which is divided included
	vbytes   int64             // of the largest transaction that needs one
	deadline commitment.Height // of the most urgent
	worth    commitment.Sat    // the most that all of them may cost
}

// divide divides a coin where a plan needs more than there are, or raises the fee of
// a division that is not in a block yet.
func (t *turn) divide(plan []Action) (sent Sent, tried bool, err error) {
	if t.d.Wallet == nil || t.script == nil {
		return Sent{}, false, nil
	}
	coins := t.d.Wallet.Coins()
	lack := t.lacks(plan, coins)
	if lack.parts <= 0 {
		return Sent{}, false, nil
	}
	coin, held := dividing(coins)
	if !held {
		coin = largest(coins)
	}
	if coin.Script == nil {
		return Sent{}, false, nil
	}
	tip := t.view.Height()
	if lack.deadline <= tip+1 && !held {
		return Sent{}, false, nil // there is no block for it: the most urgent takes the coin
	}
	a := Action{
		Outpoint: coin.Outpoint, Deadline: tip + max(1, (lack.deadline-min(lack.deadline, tip))/2), // the HTLCs need the rest
		Rule: rule.CHAN026, Reason: "coins for HTLC transactions",
	}
	e := t.d.effort(a, tip)
	rate := t.d.fees().At(e.first, e.deadline, tip)
	spend, pending := t.view.Spend(coin.Outpoint)
	var tx *btcwire.MsgTx
	var fee commitment.Sat
	switch {
	case pending && !held: // whatever it is, it is no division of ours
		return Sent{}, false, nil
	case pending:
		tx, fee = t.raised(spend.Tx, coin, lack, rate)
	default:
		tx, fee, err = t.division(&coin, lack, rate)
	}
	if tx == nil || err != nil {
		return Sent{}, false, err
	}
	if tx, err = t.d.Wallet.Sign(&wallet.Unsigned{ID: coin.Reserved, Tx: tx}); err != nil {
		return Sent{}, false, fmt.Errorf("divide a coin: %w", err)
	}
	sent = Sent{Action: a, Txid: tx.TxHash(), Fee: fee, Rate: rateOf(fee, size(tx)), Raised: pending}
	if err := t.view.Submit(chain.Package{tx}); err != nil {
		sent.Err = fmt.Errorf("submit %s: %w", a.Reason, err)
		if !errors.As(err, new(*chain.Rejection)) {
			return sent, true, sent.Err
		}
	}

	return sent, true, nil
}

// lacks counts the HTLC transactions of a plan that have no coin, and the coins that
// are free.
func (t *turn) lacks(plan []Action, coins []wallet.Coin) (lack shortage) {
	for _, a := range plan {
		if a.Claim == nil || a.Claim.Pair == nil {
			continue
		}
		id := reservation(a.Outpoint)
		if slices.ContainsFunc(coins, func(c wallet.Coin) bool { return c.Reserved == id }) {
			continue
		}
		if lack.parts == 0 || a.Deadline < lack.deadline {
			lack.deadline = a.Deadline
		}
		lack.parts++
		lack.worth += a.Worth
		lack.vbytes = max(lack.vbytes, sizeOf(a.Claim))
	}
	least, free := wallet.MinFeeRate.Fee(lack.vbytes)+Dust, 0
	for _, c := range coins {
		if c.Reserved == "" && c.Value >= least {
			free++
		}
	}
	if _, held := dividing(coins); !held {
		free-- // the one that is divided
	}
	lack.parts = min(lack.parts-max(free, 0), maxParts)

	return lack
}

// dividing finds the coin that is being divided.
func dividing(coins []wallet.Coin) (wallet.Coin, bool) {
	for _, c := range coins {
		if strings.HasPrefix(c.Reserved, divisionPrefix) {
			return c, true
		}
	}

	return wallet.Coin{}, false
}

// largest is the free coin with the largest value; one without a script when there is
// none.
func largest(coins []wallet.Coin) (best wallet.Coin) {
	for _, c := range coins {
		if c.Reserved == "" && c.Value > best.Value {
			best = c
		}
	}

	return best
}

// affordable is how many parts a coin is divided into: as many as are missing, as long
// as each can pay twice the rate that is asked for now.
func (s shortage) affordable(coin wallet.Coin, rate wallet.FeeRate) int {
	least := (2 * rate).Fee(s.vbytes) + Dust

	return min(s.parts, int((coin.Value-coin.Value/feeShare)/least))
}

// division makes the parts of a coin, which it reserves. It is nil when there are too
// few, when they are not worth it, or when somebody else was quicker.
func (t *turn) division(coin *wallet.Coin, lack shortage, rate wallet.FeeRate) (*btcwire.MsgTx, commitment.Sat, error) {
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(&btcwire.TxIn{PreviousOutPoint: coin.Outpoint, Sequence: replaceable})
	parts := lack.affordable(*coin, rate)
	if parts >= minParts && coin.Value-coin.Value/feeShare >= commitment.Sat(parts+1)*t.most(lack) {
		parts++ // what is left is worth a coin of its own
	}
	for range parts {
		tx.AddTxOut(btcwire.NewTxOut(0, make([]byte, scriptSize)))
	}
	vbytes := divisionSize(tx)
	fee := lack.fee(*coin, vbytes, rate)
	if len(tx.TxOut) < minParts || fee < wallet.MinFeeRate.Fee(vbytes) {
		if coin.Reserved == "" {
			return nil, 0, nil
		}

		return nil, 0, t.d.Wallet.Release(coin.Reserved)
	}
	if coin.Reserved == "" {
		coin.Reserved = divisionPrefix + coin.Outpoint.String()
		if err := t.d.Wallet.ReserveOutpoint(coin.Reserved, coin.Outpoint); errors.Is(err, wallet.ErrCoinGone) {
			return nil, 0, nil
		} else if err != nil {
			return nil, 0, err
		}
	}
	script, err := t.d.Wallet.NewScript()
	if err != nil {
		return nil, 0, err
	}
	for _, out := range tx.TxOut {
		out.PkScript = script
	}
	t.share(tx, coin.Value-fee, lack)

	return tx, fee, nil
}

// scriptSize is the length of the wallet's scripts, in bytes.
const scriptSize = 34

// fee is what a division of a size in virtual bytes pays.
func (s shortage) fee(coin wallet.Coin, vbytes int64, rate wallet.FeeRate) commitment.Sat {
	return min(rate.Fee(vbytes), coin.Value/feeShare, s.worth/feeShare)
}

// raised is a division that pays more, nil when the one before pays enough.
func (t *turn) raised(before *btcwire.MsgTx, coin wallet.Coin, lack shortage, rate wallet.FeeRate) (*btcwire.MsgTx, commitment.Sat) {
	paid := coin.Value
	for _, out := range before.TxOut {
		paid -= commitment.Sat(out.Value)
	}
	vbytes := divisionSize(before)
	fee := lack.fee(coin, vbytes, rate)
	if fee < paid+wallet.IncrementalRelay.Fee(vbytes) {
		return nil, 0
	}
	tx := before.Copy()
	t.share(tx, coin.Value-fee, lack)

	return tx, fee
}

// most is what a part needs to pay the highest rate.
func (t *turn) most(lack shortage) commitment.Sat { return t.d.fees().Max.Fee(lack.vbytes) + Dust }

// share divides a value among the outputs: no part has more than pays the highest rate,
// and the first one has what is left, for whatever else needs a coin.
func (t *turn) share(tx *btcwire.MsgTx, value commitment.Sat, lack shortage) {
	part := min(value/commitment.Sat(len(tx.TxOut)), t.most(lack))
	for _, out := range tx.TxOut {
		out.Value = int64(part)
	}
	tx.TxOut[0].Value = int64(value) - int64(part)*int64(len(tx.TxOut)-1)
}

// divisionSize is the size of a division once it is signed, in virtual bytes.
func divisionSize(tx *btcwire.MsgTx) int64 {
	const witness = 2 + 1 + 1 + 64 // of one coin, in weight units
	weight := blockchain.WitnessScaleFactor*int64(tx.SerializeSizeStripped()) + witness

	return (weight + blockchain.WitnessScaleFactor - 1) / blockchain.WitnessScaleFactor
}
