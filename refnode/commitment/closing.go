package commitment

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire"
)

// ErrClosing is the error of a closing transaction that cannot be made.
var ErrClosing = errors.New("impossible closing transaction")

// Closing is what closing_signed negotiates the fee of (BOLT 3, "Legacy Closing
// Transaction"): a channel without HTLCs. Arrays are by Side.
type Closing struct {
	Funding Funding
	Balance [2]MilliSat
	Scripts [2][]byte // scriptpubkey of each shutdown

	// DustLimit is dust_limit_satoshis that each side set: who offers a signature
	// leaves out any output below its own.
	DustLimit [2]Sat
}

// Build returns the closing transaction that a side offers, without its witness. The
// Opener pays the fee, in sat. Drop names a side that leaves out its own output. The
// error is ErrClosing: the fee is more than the Opener has, or nothing is left.
func (c *Closing) Build(fee Sat, by Side, drop ...Side) (*btcwire.MsgTx, error) {
	if c.Balance[Opener] > ofSat(c.Funding.Value) || c.Balance[Accepter] != ofSat(c.Funding.Value)-c.Balance[Opener] {
		return nil, fmt.Errorf("balances of %s and %s in %d sat: %w",
			c.Balance[Opener], c.Balance[Accepter], int64(c.Funding.Value), ErrClosing)
	}
	amounts := [2]Sat{c.Balance[Opener].Sat(), c.Balance[Accepter].Sat()}
	if fee < 0 || fee > amounts[Opener] {
		return nil, fmt.Errorf("a fee of %d sat: the opener has %d: %w", int64(fee), int64(amounts[Opener]), ErrClosing)
	}
	amounts[Opener] -= fee
	tx := btcwire.NewMsgTx(2)
	tx.TxIn = []*btcwire.TxIn{{PreviousOutPoint: c.Funding.Outpoint, Sequence: btcwire.MaxTxInSequenceNum}}
	for side, amount := range amounts {
		if amount >= c.DustLimit[by&1] && !slices.Contains(drop, Side(side)) {
			tx.TxOut = append(tx.TxOut, btcwire.NewTxOut(int64(amount), c.Scripts[side]))
		}
	}
	if len(tx.TxOut) == 0 {
		return nil, fmt.Errorf("no output is left: %w", ErrClosing)
	}
	slices.SortStableFunc(tx.TxOut, func(a, b *btcwire.TxOut) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), bytes.Compare(a.PkScript, b.PkScript))
	})

	return tx, nil
}

// sighash is what both sides sign.
func (c *Closing) sighash(tx *btcwire.MsgTx) ([]byte, error) {
	return sighash(tx, 0, int64(c.Funding.Value), c.Funding.WitnessScript(), txscript.SigHashAll)
}

// Sign returns the signature of closing_signed with a side's private funding
// key. The error is ErrClosing or ErrOwnKey.
func (c *Closing) Sign(fee Sat, key *btcec.PrivateKey, drop ...Side) (wire.Signature, error) {
	by, err := c.sideOf(key)
	if err != nil {
		return wire.Signature{}, err
	}
	tx, err := c.Build(fee, by, drop...)
	if err != nil {
		return wire.Signature{}, err
	}
	hash, err := c.sighash(tx)
	if err != nil {
		return wire.Signature{}, err
	}

	return signCompact(key, hash), nil
}

// Verify checks the signature of closing_signed from a side and returns the
// variant that it is for: with the outputs that are no dust for the signer, or without
// its own, which it may leave out. The error is ErrClosing, ErrSignature or
// ErrHighS.
func (c *Closing) Verify(fee Sat, signer Side, signature wire.Signature) (*btcwire.MsgTx, error) {
	tx, fault := c.verify(fee, signer, signature)
	if fault == nil || errors.Is(fault, ErrHighS) {
		return tx, fault
	}
	if tx, err := c.verify(fee, signer, signature, signer); err == nil || errors.Is(err, ErrHighS) {
		return tx, err
	}

	return nil, fault
}

func (c *Closing) verify(fee Sat, signer Side, signature wire.Signature, drop ...Side) (*btcwire.MsgTx, error) {
	tx, err := c.Build(fee, signer, drop...)
	if err != nil {
		return nil, err
	}
	hash, err := c.sighash(tx)
	if err != nil {
		return nil, err
	}
	if err := checkCompact(c.Funding.Keys[signer&1], hash, signature); err != nil {
		return nil, fmt.Errorf("closing transaction: %w", err)
	}

	return tx, nil
}

// Complete signs the variant that Verify returned and puts both signatures into
// it. Key is the private funding key of this side, theirs the signature that
// Verify passed. The error is ErrOwnKey or ErrSignature.
func (c *Closing) Complete(tx *btcwire.MsgTx, key *btcec.PrivateKey, theirs wire.Signature) (*btcwire.MsgTx, error) {
	side, err := c.sideOf(key)
	if err != nil {
		return nil, err
	}
	hash, err := c.sighash(tx)
	if err != nil {
		return nil, err
	}
	if err := checkCompact(c.Funding.Keys[side.Other()], hash, theirs); err != nil {
		return nil, fmt.Errorf("closing transaction: %w", err)
	}

	return c.Funding.complete(tx, side, signCompact(key, hash), theirs)
}

// sideOf is whose private funding key this is. The error is ErrOwnKey.
func (c *Closing) sideOf(key *btcec.PrivateKey) (Side, error) {
	public := musig.PublicKeyOf(key)
	for side := Opener; side <= Accepter; side++ {
		if public.IsEqual(c.Funding.Keys[side]) {
			return side, nil
		}
	}

	return 0, fmt.Errorf("funding key: %w", ErrOwnKey)
}
