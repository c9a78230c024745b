package commitment

import (
	"errors"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire"
)

// The faults of a signature.
var (
	// ErrSignature is the error of a signature that is not one of this
	// transaction by this key.
	ErrSignature = errors.New("wrong signature")

	// ErrHighS is the error of a signature whose S is in the upper half: it
	// is valid, and does not relay (BOLT 2).
	ErrHighS = errors.New("signature with a high S")
)

// htlcSighash is the type of the other side's signature on an HTLC transaction:
// the owner adds inputs and outputs that pay the fee.
const htlcSighash = txscript.SigHashSingle | txscript.SigHashAnyOneCanPay

// sighash returns what is signed to spend input index of tx (BIP-143). It
// cannot fail: the inputs are there, the types known and the scripts
// well-formed.
func sighash(tx *btcwire.MsgTx, index int, value int64, witnessScript []byte, kind txscript.SigHashType) ([]byte, error) {
	midstate := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(nil, 0))

	return txscript.CalcWitnessSigHash(witnessScript, midstate, kind, tx, index, value)
}

// signCompact signs a hash with low S and returns the 64 bytes of BOLT 1.
func signCompact(key *btcec.PrivateKey, hash []byte) wire.Signature {
	signed := ecdsa.Sign(key, hash)
	r, s := signed.R(), signed.S()
	var out wire.Signature
	r.PutBytesUnchecked(out[:32])
	s.PutBytesUnchecked(out[32:])

	return out
}

// checkCompact checks the 64 bytes of BOLT 1. The error is ErrSignature or
// ErrHighS.
func checkCompact(key *btcec.PublicKey, hash []byte, raw wire.Signature) error {
	return checkCompacts(key, [][32]byte{[32]byte(hash)}, []wire.Signature{raw})[0]
}

// checkCompacts is checkCompact for each of many signatures under one key, at a
// fraction of the cost.
func checkCompacts(key *btcec.PublicKey, hashes [][32]byte, raw []wire.Signature) []error {
	items := make([]musig.ECDSAItem, len(raw))
	for i := range raw {
		items[i] = musig.ECDSAItem{Hash: hashes[i], Signature: musig.ECDSASignature(raw[i])}
	}
	errs := make([]error, len(raw))
	for i, valid := range musig.VerifyECDSA(key, items) {
		parsed, err := parseCompact(raw[i])
		switch {
		case err != nil:
			errs[i] = err
		case hasHighS(parsed):
			errs[i] = ErrHighS
		case !valid:
			errs[i] = ErrSignature
		}
	}

	return errs
}

func hasHighS(signature *ecdsa.Signature) bool {
	s := signature.S()

	return s.IsOverHalfOrder()
}

// parseCompact refuses R and S that are 0 or not below the order.
func parseCompact(raw wire.Signature) (*ecdsa.Signature, error) {
	var r, s btcec.ModNScalar
	if r.SetByteSlice(raw[:32]) || s.SetByteSlice(raw[32:]) || r.IsZero() || s.IsZero() {
		return nil, ErrSignature
	}

	return ecdsa.NewSignature(&r, &s), nil
}

// der is the form that a witness has: DER and the sighash type.
func der(raw wire.Signature, kind txscript.SigHashType) ([]byte, error) {
	parsed, err := parseCompact(raw)
	if err != nil {
		return nil, err
	}

	return append(parsed.Serialize(), byte(kind)), nil
}
