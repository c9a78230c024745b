package exit

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/blockchain"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

// submit makes one attempt at a rate.
func (d *Driver) submit(view snapshot, a Action, e *effort, before *attempt, rate wallet.FeeRate) Sent {
	sent := Sent{Action: a, Rate: rate, Raised: before != nil}
	pkg, try, err := d.build(a, e, before, rate)
	if err != nil {
		sent.Err = err

		return sent
	}
	// Remembered first: an answer that is lost does not make it somebody
	// else's.
	e.tried = append(e.tried, try)
	sent.Txid, sent.Fee, sent.Rate = pkg[0].TxHash(), try.fee, try.rate
	if sent.Err = view.Submit(pkg); sent.Err != nil {
		var refused *chain.Rejection
		if errors.As(sent.Err, &refused) {
			e.tried = e.tried[:len(e.tried)-1] // it is in nobody's mempool
		}
		sent.Err = fmt.Errorf("submit %s %s: %w", a.Kind(), sent.Txid, sent.Err)
	}

	return sent
}

// build makes the package of an action.
func (d *Driver) build(a Action, e *effort, before *attempt, rate wallet.FeeRate) (chain.Package, attempt, error) {
	if a.Stock != nil {
		return d.claim(a, e, rate)
	}
	parent, err := d.cfg.Holder.Complete(a.Tx)
	if err != nil {
		return nil, attempt{}, err
	}
	child, paid, err := d.child(a, parent, before, rate)
	var short *wallet.ShortError
	if errors.As(err, &short) || errors.Is(err, ErrNoCoin) {
		if own, try, ownErr := d.fromPayout(a, parent, rate); ownErr == nil {
			return chain.Package{parent, own}, try, nil
		}
	}
	if err != nil {
		return nil, attempt{}, fmt.Errorf("pay for %s %s: %w", a.Kind(), a.Tx.Txid, err)
	}

	return chain.Package{parent, child.Tx}, attempt{txid: child.Tx.TxHash(), child: child, rate: paid, fee: child.Fee}, nil
}

// child pays with the coin that is reserved for the outpoint, or reserves one.
// A coin that is too small for the rate is exchanged for a larger one, unless a
// child in the mempool spends it already: then, as when there is no larger one,
// it pays what it can.
func (d *Driver) child(a Action, parent *wire.MsgTx, before *attempt, rate wallet.FeeRate) (*wallet.Child, wallet.FeeRate, error) {
	w := d.cfg.Wallet
	if w == nil || d.behind {
		return nil, 0, ErrNoCoin
	}
	vbytes := size(parent) + wallet.ChildVBytes
	bump := wallet.Bump{
		ID: reservation(a.Outpoint), Parent: parent, Anchor: uint32(len(parent.TxOut) - 1), Rate: rate,
	}
	if before != nil {
		bump.Replaces = before.child
	}
	child, err := w.BumpChild(bump)
	if err == nil {
		return child, rate, nil
	}
	var short *wallet.ShortError
	if !errors.As(err, &short) && !errors.Is(err, wallet.ErrUnknownReservation) && !errors.Is(err, wallet.ErrCoinGone) {
		return nil, 0, err
	}
	var value factory.Sat
	if before != nil && before.child != nil && short != nil {
		value = short.Available
		if affordable(value, vbytes) < before.rate+wallet.IncrementalRelay {
			return nil, 0, err
		}
	} else {
		coin, err := d.exchange(bump.ID, vbytes, rate)
		if err != nil {
			return nil, 0, err
		}
		value = coin.Value
	}
	bump.Rate = min(rate, affordable(value, vbytes))
	if bump.Rate < wallet.MinFeeRate {
		return nil, 0, ErrNoCoin
	}
	child, err = w.BumpChild(bump)

	return child, bump.Rate, err
}

// exchange reserves another coin under an id: one that pays the highest rate,
// else the rate asked for, else any that relays.
func (d *Driver) exchange(id string, vbytes int64, rate wallet.FeeRate) (coin wallet.Coin, err error) {
	if err := d.cfg.Wallet.Release(id); err != nil && !errors.Is(err, wallet.ErrUnknownReservation) {
		return coin, err
	}
	for _, r := range []wallet.FeeRate{d.cfg.Fees.Max, rate, d.cfg.Fees.Start, wallet.MinFeeRate} {
		coin, err = d.cfg.Wallet.ReserveCoin(id, r.Fee(vbytes)+factory.MinShare)
		var short *wallet.ShortError
		if !errors.As(err, &short) {
			return coin, err
		}
	}

	return coin, err
}

// fromPayout makes a child that spends what the parent pays the client, beside
// the P2A, back to the same key: the way of a client without coins.
func (d *Driver) fromPayout(a Action, parent *wire.MsgTx, rate wallet.FeeRate) (*wire.MsgTx, attempt, error) {
	value := factory.Sat(0)
	if !d.cfg.Party.LSP {
		value = a.Tx.Pays(d.cfg.Party.Client)
	}
	if d.cfg.Payout == nil || value == 0 {
		return nil, attempt{}, ErrNoCoin
	}
	vbytes := size(parent) + wallet.ChildVBytes
	rate = min(rate, affordable(value, vbytes))
	if rate < wallet.MinFeeRate {
		return nil, attempt{}, ErrNoCoin
	}
	script := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, schnorr.SerializePubKey(d.cfg.Payout.PubKey())...)
	at := -1
	for i, out := range parent.TxOut {
		if string(out.PkScript) == string(script) {
			at = i
		}
	}
	if at < 0 {
		return nil, attempt{}, ErrNoCoin
	}
	fee := rate.Fee(vbytes)
	child, err := d.spendPayout(parent, at, fee)
	if err != nil {
		return nil, attempt{}, err
	}

	return child, attempt{txid: child.TxHash(), rate: rate, fee: fee}, nil
}

// spendPayout signs a child of version 3 over the payout and the P2A.
func (d *Driver) spendPayout(parent *wire.MsgTx, at int, fee factory.Sat) (*wire.MsgTx, error) {
	txid, anchor := parent.TxHash(), len(parent.TxOut)-1
	payout := parent.TxOut[at]
	tx := wire.NewMsgTx(parent.Version)
	for _, i := range []int{anchor, at} {
		in := wire.NewTxIn(&wire.OutPoint{Hash: txid, Index: uint32(i)}, nil, nil)
		in.Sequence = wire.MaxTxInSequenceNum - 2 // replaceable (BIP 125)
		tx.AddTxIn(in)
	}
	tx.AddTxOut(wire.NewTxOut(payout.Value-int64(fee), payout.PkScript))
	previous := txscript.NewMultiPrevOutFetcher(map[wire.OutPoint]*wire.TxOut{
		tx.TxIn[0].PreviousOutPoint: parent.TxOut[anchor], tx.TxIn[1].PreviousOutPoint: payout,
	})
	hash, err := txscript.CalcTaprootSignatureHash(txscript.NewTxSigHashes(tx, previous), txscript.SigHashDefault, tx, 1, previous)
	if err != nil {
		return nil, err
	}
	signature, err := schnorr.Sign(d.cfg.Payout, hash) // the key is the output key as it stands (SCRIPT-005)
	if err != nil {
		return nil, err
	}
	tx.TxIn[1].Witness = wire.TxWitness{signature.Serialize()}

	return tx, nil
}

// claim makes the LSP's claim of a stock, which pays for itself.
func (d *Driver) claim(a Action, e *effort, rate wallet.FeeRate) (chain.Package, attempt, error) {
	claimer, ok := d.cfg.Holder.(Claimer)
	if !ok || d.cfg.Wallet == nil {
		return nil, attempt{}, ErrNoCoin
	}
	if e.script == nil {
		script, err := d.cfg.Wallet.NewScript()
		if err != nil {
			return nil, attempt{}, err
		}
		e.script = script
	}
	draft, err := claimer.Claim(a.Stock, e.script, 0)
	if err != nil {
		return nil, attempt{}, err
	}
	rate = min(rate, affordable(a.Stock.Value, size(draft)))
	fee := rate.Fee(size(draft))
	tx, err := claimer.Claim(a.Stock, e.script, fee)
	if err != nil {
		return nil, attempt{}, err
	}

	return chain.Package{tx}, attempt{txid: tx.TxHash(), rate: rate, fee: fee}, nil
}

// size is in vbytes.
func size(tx *wire.MsgTx) int64 {
	weight := blockchain.GetTransactionWeight(btcutil.NewTx(tx))

	return (weight + blockchain.WitnessScaleFactor - 1) / blockchain.WitnessScaleFactor
}
