package commitment

import (
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
)

// ErrSpend is the error of claims that do not fit into one transaction.
var ErrSpend = errors.New("claims do not fit together")

// NewSpend returns a transaction that spends claims and, after them, coins of
// the wallet. Input i is claims[i]; claims with a Pair come first, since its
// output has the index of its input. The other outputs follow. Version is 2, or
// 3 where a parent of version 3 is unconfirmed (BIP-431) and for HTLC
// transactions of ZeroFee; of a confirmed parent anything else may be spent with
// version 2, which has room for more: a transaction of version 3 has at most
// 10,000 vbytes. The error is ErrSpend.
//
// Coins are inputs without witness, which the wallet signs after NewSpend.
func NewSpend(version int32, claims []*Claim, coins []*btcwire.TxIn, outputs []*btcwire.TxOut) (*btcwire.MsgTx, error) {
	tx := btcwire.NewMsgTx(version)
	if version != 2 && version != 3 {
		return nil, fmt.Errorf("version %d: %w", version, ErrSpend)
	}
	lockTime, err := commonLockTime(claims)
	if err != nil {
		return nil, err
	}
	tx.LockTime = uint32(lockTime)
	for i, claim := range claims {
		if claim.version != 0 && claim.version != version {
			return nil, fmt.Errorf("%s needs version %d: %w", claim.Kind, claim.version, ErrSpend)
		}
		tx.TxIn = append(tx.TxIn, &btcwire.TxIn{PreviousOutPoint: claim.Outpoint, Sequence: claim.sequence})
		switch {
		case claim.Pair == nil:
		case len(tx.TxOut) != i:
			return nil, fmt.Errorf("HTLC transaction of %s comes after another claim: %w", claim.Outpoint, ErrSpend)
		default:
			tx.TxOut = append(tx.TxOut, copyOut(claim.Pair))
		}
	}
	for _, coin := range coins {
		tx.TxIn = append(tx.TxIn, &btcwire.TxIn{PreviousOutPoint: coin.PreviousOutPoint, Sequence: coin.Sequence})
	}
	for _, out := range outputs {
		tx.TxOut = append(tx.TxOut, copyOut(out))
	}
	if weight := SpendWeight(tx, claims); version == 3 && weight > 4*factory.MaxVBytes {
		return nil, fmt.Errorf("%d weight units in version 3: %w", weight, ErrSpend)
	}

	return tx, nil
}

func copyOut(out *btcwire.TxOut) *btcwire.TxOut {
	return btcwire.NewTxOut(out.Value, slices.Clone(out.PkScript))
}

// commonLockTime is the largest that a claim needs. That of an HTLC transaction
// is signed by the other side: it is exact.
func commonLockTime(claims []*Claim) (Height, error) {
	var most Height
	for _, claim := range claims {
		most = max(most, claim.LockTime)
	}
	for _, claim := range claims {
		if claim.Pair != nil && claim.LockTime != most {
			return 0, fmt.Errorf("HTLC transactions that lock until %d and %d: %w", claim.LockTime, most, ErrSpend)
		}
	}

	return most, nil
}

// SignSpend sets the witnesses of the inputs that claims make, which are the
// first of tx, as NewSpend puts them. Every input and output has to be there:
// each signature covers all of them.
func SignSpend(tx *btcwire.MsgTx, claims []*Claim) error {
	if len(claims) > len(tx.TxIn) {
		return fmt.Errorf("%d claims for %d inputs: %w", len(claims), len(tx.TxIn), ErrSpend)
	}
	for i, claim := range claims {
		if tx.TxIn[i].PreviousOutPoint != claim.Outpoint {
			return fmt.Errorf("input %d is not %s: %w", i, claim.Outpoint, ErrSpend)
		}
		witness, err := claim.witness(tx, i)
		if err != nil {
			return err
		}
		tx.TxIn[i].Witness = witness
	}

	return nil
}

// witness signs input index, sighash type all.
func (c *Claim) witness(tx *btcwire.MsgTx, index int) (btcwire.TxWitness, error) {
	if c.key == nil {
		return btcwire.TxWitness{}, nil
	}
	code := c.witnessScript
	if code == nil {
		code = c.Output.PkScript // P2WPKH
	}
	hash, err := sighash(tx, index, c.Output.Value, code, txscript.SigHashAll)
	if err != nil {
		return nil, err
	}
	signature, err := der(signCompact(c.key, hash), txscript.SigHashAll)
	if err != nil {
		return nil, err
	}

	return c.stack(signature), nil
}

// stack puts the witness together.
func (c *Claim) stack(signature []byte) btcwire.TxWitness {
	stack := slices.Concat(c.before, [][]byte{signature}, c.after)
	if c.witnessScript != nil {
		stack = append(stack, c.witnessScript)
	}

	return stack
}

// WitnessWeight returns the most that the witness of the claim weighs, in
// weight units.
func (c *Claim) WitnessWeight() int64 {
	if c.key == nil {
		return 1
	}

	return int64(c.stack(make([]byte, maxSize)).SerializeSize())
}

// SpendWeight returns the most that a transaction of NewSpend weighs once it is
// signed, in weight units, without the witnesses of the wallet's coins.
func SpendWeight(tx *btcwire.MsgTx, claims []*Claim) int64 {
	weight := 4*int64(tx.SerializeSizeStripped()) + 2
	for _, claim := range claims {
		weight += claim.WitnessWeight()
	}

	return weight
}
