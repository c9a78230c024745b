package wallet

import (
	"bytes"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

const (
	// trucVersion is the version of a child, which its parent has as well (BIP 431).
	trucVersion = 3
	// maxChildVBytes is the size limit of a child (BIP 431).
	maxChildVBytes = 1_000
	// ChildVBytes is the size in virtual bytes of what BumpChild makes: a P2A input, a coin, one output.
	ChildVBytes = 153
)

// anchorScript is P2A (BIP 433).
var anchorScript = []byte{txscript.OP_1, txscript.OP_DATA_2, 0x4e, 0x73}

// Bump asks for a child that pays for a parent.
type Bump struct {
	// ID is the reservation of one coin, made by ReserveCoin.
	ID string
	// Parent has version 3 and its witnesses: its size counts.
	Parent *wire.MsgTx
	// ParentFee is what the parent pays itself, in sat: 0 for a transaction of a factory.
	ParentFee btcutil.Amount
	// Anchor is the index of the parent's P2A output.
	Anchor uint32
	// Rate is what parent and child pay together for their size.
	Rate FeeRate
	// Replaces is the child before this one that did not get its parent into a block, or nil.
	Replaces *Child
}

// Child is a signed child.
type Child struct {
	// Tx has version 3. Submit it together with its parent.
	Tx *wire.MsgTx
	// Fee is in sat; VSize, in virtual bytes, is at most 1,000.
	Fee   btcutil.Amount
	VSize int64
	// Anchor is the P2A output of the parent.
	Anchor wire.OutPoint
}

// BumpChild makes the child: a P2A input with an empty witness, the reserved coin, and one output with what is left. With Replaces it pays
// at least as much as the child before and IncrementalRelay for its own size, so that nodes let it replace; ask for a higher rate
// than before all the same.
//
// Errors: ErrArgument (the parent is not of version 3, has no P2A there, a rate out of bounds), ErrUnknownReservation, ErrCoinGone,
// *ShortError when the coin does not pay for it, or what Save says.
func (w *Wallet) BumpChild(b Bump) (*Child, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	coin, err := w.soleCoin(b.ID)
	if err != nil {
		return nil, err
	}
	anchor := b.Parent.TxOut[b.Anchor]
	fee := b.fee()
	value := coin.Value + btcutil.Amount(anchor.Value) - fee
	if value < dustLimit {
		return nil, &ShortError{Missing: dustLimit - value, Available: coin.Value, Needed: coin.Value + dustLimit - value}
	}
	var child *Child
	err = w.change(func(s *state) error {
		script, err := w.childScript(s, b.Replaces)
		if err != nil {
			return err
		}
		child, err = w.child(b, coin, wire.NewTxOut(int64(value), script))
		return err
	})
	if err != nil {
		return nil, err
	}
	child.Fee = fee
	return child, nil
}

func (b Bump) check() error {
	if err := b.Rate.check(); err != nil {
		return err
	}
	switch {
	case b.Parent == nil || b.Parent.Version != trucVersion:
		return fmt.Errorf("%w: the parent is not of version %d", ErrArgument, trucVersion)
	case int(b.Anchor) >= len(b.Parent.TxOut) || !bytes.Equal(b.Parent.TxOut[b.Anchor].PkScript, anchorScript):
		return fmt.Errorf("%w: output %d of the parent is no P2A", ErrArgument, b.Anchor)
	case b.ParentFee < 0 || b.ParentFee > btcutil.MaxSatoshi || b.Parent.TxOut[b.Anchor].Value < 0 ||
		b.Parent.TxOut[b.Anchor].Value > btcutil.MaxSatoshi:
		return fmt.Errorf("%w: amounts of the parent", ErrArgument)
	case b.Replaces != nil && b.Replaces.Anchor != b.anchor():
		return fmt.Errorf("%w: the child to replace has another parent", ErrArgument)
	}
	return nil
}

func (b Bump) anchor() wire.OutPoint { return wire.OutPoint{Hash: b.Parent.TxHash(), Index: b.Anchor} }

// fee of the child: what the package owes, never less than the child alone would, and enough to replace.
func (b Bump) fee() btcutil.Amount {
	fee := max(b.Rate.Fee(vsize(b.Parent)+ChildVBytes)-b.ParentFee, IncrementalRelay.Fee(ChildVBytes))
	if b.Replaces != nil {
		fee = max(fee, b.Replaces.Fee+IncrementalRelay.Fee(ChildVBytes))
	}
	return fee
}

// soleCoin returns the one coin of a reservation.
func (w *Wallet) soleCoin(id string) (Coin, error) {
	var at []wire.OutPoint
	for o, owner := range w.state.Reserved {
		if owner == id {
			at = append(at, wire.OutPoint(o))
		}
	}
	switch len(at) {
	case 0:
		return Coin{}, fmt.Errorf("%w: %s", ErrUnknownReservation, id)
	case 1:
		return w.reserved(id, at[0])
	}
	return Coin{}, fmt.Errorf("%w: reservation %s has %d coins, want one", ErrArgument, id, len(at))
}

// childScript is that of the child before, if there is one: only one of them confirms.
func (w *Wallet) childScript(s *state, before *Child) ([]byte, error) {
	if before != nil && len(before.Tx.TxOut) == 1 {
		if _, ours := w.indexes[string(before.Tx.TxOut[0].PkScript)]; ours {
			return before.Tx.TxOut[0].PkScript, nil
		}
	}
	return w.nextScript(s)
}

// child builds and signs.
func (w *Wallet) child(b Bump, coin Coin, out *wire.TxOut) (*Child, error) {
	tx := wire.NewMsgTx(trucVersion)
	anchor := b.anchor()
	for _, at := range []wire.OutPoint{anchor, coin.Outpoint} {
		in := wire.NewTxIn(&at, nil, nil)
		in.Sequence = replaceable
		tx.AddTxIn(in)
	}
	tx.AddTxOut(out)
	previous := txscript.NewMultiPrevOutFetcher(map[wire.OutPoint]*wire.TxOut{
		anchor:        b.Parent.TxOut[b.Anchor],
		coin.Outpoint: wire.NewTxOut(int64(coin.Value), coin.Script),
	})
	if err := w.signInput(tx, 1, coin, txscript.NewTxSigHashes(tx, previous)); err != nil {
		return nil, err
	}
	c := &Child{Tx: tx, VSize: vsize(tx), Anchor: anchor}
	if c.VSize > maxChildVBytes {
		return nil, fmt.Errorf("%w: the child has %d vB, over %d", ErrArgument, c.VSize, maxChildVBytes)
	}
	return c, nil
}
