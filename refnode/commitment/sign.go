package commitment

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// ErrCount is the error of htlc_signatures that are too few or too many.
var ErrCount = errors.New("wrong number of HTLC signatures")

// ErrOwnKey is the error of a private key that is not the one asked for.
var ErrOwnKey = errors.New("not the private key of this output")

// SignatureError says which signature on a commitment transaction is wrong:
// that of HTLC transaction HTLC, or of the commitment transaction itself when
// it is -1. Err is ErrSignature or ErrHighS.
type SignatureError struct {
	HTLC int
	Err  error
}

func (e *SignatureError) Error() string {
	if e.HTLC < 0 {
		return fmt.Sprintf("commitment transaction: %v", e.Err)
	}

	return fmt.Sprintf("HTLC transaction %d: %v", e.HTLC, e.Err)
}

func (e *SignatureError) Unwrap() error { return e.Err }

// Sign signs for the owner what the other side gives it: signature and
// htlc_signatures of commitment_signed. Funding is the private funding key of
// the side that signs, the one that is not the owner. The error is ErrOwnKey.
func (c *Commitment) Sign(funding *btcec.PrivateKey, k *Secrets) (wire.Signature, []wire.Signature, error) {
	if !c.params.Memo.PublicKey(funding).IsEqual(c.Funding.Keys[c.Owner.Other()]) {
		return wire.Signature{}, nil, fmt.Errorf("funding key of the %s: %w", c.Owner.Other(), ErrOwnKey)
	}
	key := deriveSecret(k.HTLC, c.params.Memo.PublicKey(k.HTLC), c.point)
	if !c.params.Memo.PublicKey(key).IsEqual(c.keys.otherHTLC) {
		return wire.Signature{}, nil, fmt.Errorf("HTLC key of the %s: %w", c.Owner.Other(), ErrOwnKey)
	}
	hash, err := c.sighash()
	if err != nil {
		return wire.Signature{}, nil, err
	}
	hashes, err := c.htlcSighashes()
	if err != nil {
		return wire.Signature{}, nil, err
	}
	var htlcs []wire.Signature
	for i := range hashes {
		htlcs = append(htlcs, signCompact(key, hashes[i][:]))
	}

	return signCompact(funding, hash), htlcs, nil
}

// Verify checks for the owner what the other side signed (CHAN-032). The error
// is ErrCount or a *SignatureError. A commitment is worth nothing to its owner
// before it returned nil.
func (c *Commitment) Verify(signature wire.Signature, htlcs []wire.Signature) error {
	hash, err := c.sighash()
	if err != nil {
		return err
	}
	if err := c.overlook("/commitment", c.params.Memo.verify(c.Funding.Keys[c.Owner.Other()], hash, signature)); err != nil {
		return &SignatureError{HTLC: -1, Err: err}
	}
	if len(htlcs) != len(c.HTLCs) && c.params.keeps(rule.CHAN032, "/count") {
		return fmt.Errorf("%d for %d HTLC transactions: %w", len(htlcs), len(c.HTLCs), ErrCount)
	}
	hashes, err := c.htlcSighashes()
	if err != nil {
		return err
	}
	n := min(len(htlcs), len(hashes))
	for i, err := range checkCompacts(c.keys.otherHTLC, hashes[:n], htlcs[:n]) {
		if err := c.overlook("/htlc", err); err != nil {
			return &SignatureError{HTLC: i, Err: err}
		}
	}

	return nil
}

// overlook leaves out what a mutant does not look at.
func (c *Commitment) overlook(part rule.ID, err error) error {
	switch {
	case errors.Is(err, ErrHighS) && !c.params.keeps(rule.CHAN032, "/high-s"):
		return nil
	case err != nil && !c.params.keeps(rule.CHAN032, part):
		return nil
	}

	return err
}

// sighash is what both sides sign of the commitment transaction.
func (c *Commitment) sighash() ([]byte, error) {
	return sighash(c.Tx, 0, int64(c.Funding.Value), c.Funding.WitnessScript(), txscript.SigHashAll)
}

// htlcSighashes are what the other side signs of the HTLC transactions.
func (c *Commitment) htlcSighashes() ([][32]byte, error) {
	hashes := make([][32]byte, len(c.HTLCs))
	for i, h := range c.HTLCs {
		out := c.Outputs[h.Output]
		hash, err := sighash(h.Tx, 0, out.tx.Value, out.WitnessScript, htlcSighash)
		if err != nil {
			return nil, err
		}
		hashes[i] = [32]byte(hash)
	}

	return hashes, nil
}

// Complete returns the commitment transaction as it can be broadcast, with the
// owner's signature and the other's, which is checked again. The error is
// ErrOwnKey or a *SignatureError.
func (c *Commitment) Complete(funding *btcec.PrivateKey, theirs wire.Signature) (*btcwire.MsgTx, error) {
	if !c.params.Memo.PublicKey(funding).IsEqual(c.Funding.Keys[c.Owner]) {
		return nil, fmt.Errorf("funding key of the %s: %w", c.Owner, ErrOwnKey)
	}
	hash, err := c.sighash()
	if err != nil {
		return nil, err
	}
	if err := checkCompact(c.Funding.Keys[c.Owner.Other()], hash, theirs); err != nil {
		return nil, &SignatureError{HTLC: -1, Err: err}
	}

	return c.Funding.complete(c.Tx, c.Owner, signCompact(funding, hash), theirs)
}

// complete puts both signatures into a transaction that spends the output.
func (f *Funding) complete(tx *btcwire.MsgTx, side Side, own, theirs wire.Signature) (*btcwire.MsgTx, error) {
	var ders [2][]byte
	var err error
	if ders[side], err = der(own, txscript.SigHashAll); err != nil {
		return nil, err
	}
	if ders[side.Other()], err = der(theirs, txscript.SigHashAll); err != nil {
		return nil, err
	}
	signed := tx.Copy()
	signed.TxIn[0].Witness = f.witness(ders)

	return signed, nil
}
