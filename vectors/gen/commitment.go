package gen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/vectors"
	"superscalar/wire"
)

// commitments are BOLT 3's own cases, cases of ours, and for each of some of
// them every signature that is wrong in one way.
func commitments() (vectors.File, error) {
	f := file("CHAN", "commitment", "BOLT 3, appendices C, F and H (names bolt3-...); SPEC.md 8.2; other values random",
		"The owner's commitment transaction of this state, its HTLC transactions, and signature and htlc_signatures as the other side sends them. Signatures use RFC 6979. funding_txid and txid are as they stand in an input. Bad: the owner has to refuse one of the signatures; where several are wrong, it is the first of: the commitment's, the number of htlc_signatures, each of them in order.")
	var list []*vectors.Commitment
	for _, c := range publishedCommitments() {
		v, err := signedVector(c.vector())
		if err != nil {
			return f, fmt.Errorf("%s: %w", c.name, err)
		}
		if err := c.check(v); err != nil {
			return f, err
		}
		list = append(list, v)
	}
	for _, in := range ownCommitments() {
		v, err := signedVector(in)
		if err != nil {
			return f, fmt.Errorf("%s: %w", in.Name, err)
		}
		list = append(list, v)
	}
	for _, v := range list {
		f.Vectors = append(f.Vectors, v)
	}
	for _, v := range list {
		bad, err := wrongCommitments(v)
		if err != nil {
			return f, err
		}
		f.Vectors = append(f.Vectors, bad...)
	}

	return f, nil
}

// sideOf reads a side's name.
func sideOf(name string) (commitment.Side, error) {
	for _, side := range []commitment.Side{commitment.Opener, commitment.Accepter} {
		if side.String() == name {
			return side, nil
		}
	}

	return 0, fmt.Errorf("no side is called %q", name)
}

// channelCase is a commitment vector as the implementation takes it.
type channelCase struct {
	owner   commitment.Side
	params  commitment.Params
	funding commitment.Funding
	state   commitment.State
	point   *btcec.PublicKey
	keys    [2]*btcec.PrivateKey   // funding
	secrets [2]*commitment.Secrets // of which HTLC alone is known
}

func (r runner) channelCase(v *vectors.Commitment) (*channelCase, error) {
	c := &channelCase{params: commitment.Params{Rules: r.rules}}
	var err error
	if c.owner, err = sideOf(v.Owner); err != nil {
		return nil, err
	}
	if v.ChannelType == commitment.ZeroFee.String() {
		c.params.Type = commitment.ZeroFee
	}
	c.params.DustLimit[c.owner], c.params.Delay[c.owner] = factory.Sat(v.DustLimit), v.Delay
	c.funding.Value = factory.Sat(v.FundingSat)
	if c.funding.Outpoint, err = outpointOf(v.FundingTxid, vectors.Uint(v.FundingOutput)); err != nil {
		return nil, err
	}
	for side, keys := range []vectors.ChannelSide{v.Opener, v.Accepter} {
		if err := c.readSide(side, keys); err != nil {
			return nil, err
		}
	}
	c.state = commitment.State{
		Number: commitment.Number(v.Number), Feerate: commitment.Feerate(v.Feerate),
		Balance: [2]commitment.MilliSat{commitment.MilliSat(v.OpenerMsat), commitment.MilliSat(v.AccepterMsat)},
	}
	for _, h := range v.HTLCs {
		side, err := sideOf(h.OfferedBy)
		if err != nil || len(h.Hash) != 32 {
			return nil, fmt.Errorf("HTLC %d: a hash of %d bytes, %w", h.ID, len(h.Hash), err)
		}
		c.state.HTLCs = append(c.state.HTLCs, commitment.HTLC{
			OfferedBy: side, ID: uint64(h.ID), Amount: commitment.MilliSat(h.Amount),
			Hash: [32]byte(h.Hash), Expiry: factory.Height(h.Expiry),
		})
	}
	c.point, err = musig.ParseKey(v.Point)

	return c, err
}

func (c *channelCase) readSide(side int, k vectors.ChannelSide) error {
	var err error
	c.keys[side] = secp256k1.PrivKeyFromBytes(k.FundingKey)
	c.funding.Keys[side] = musig.PublicKeyOf(c.keys[side])
	b := &c.params.Basepoints[side]
	c.secrets[side] = &commitment.Secrets{}
	c.secrets[side].HTLC = secp256k1.PrivKeyFromBytes(k.HTLCSecret)
	b.HTLC = musig.PublicKeyOf(c.secrets[side].HTLC)
	for _, p := range []struct {
		raw vectors.Hex
		to  **btcec.PublicKey
	}{{k.Revocation, &b.Revocation}, {k.Payment, &b.Payment}, {k.Delayed, &b.Delayed}} {
		if *p.to, err = musig.ParseKey(p.raw); err != nil {
			return fmt.Errorf("basepoint of side %d: %w", side, err)
		}
	}

	return nil
}

func (c *channelCase) build() (*commitment.Commitment, error) {
	return c.params.Build(c.owner, &c.funding, &c.state, c.point)
}

// sign returns what the other side sends.
func (c *channelCase) sign(built *commitment.Commitment) (vectors.Hex, []vectors.Hex, error) {
	other := c.owner.Other()
	sig, htlcs, err := built.Sign(c.keys[other], c.secrets[other])
	var list []vectors.Hex
	for _, s := range htlcs {
		list = append(list, s[:])
	}

	return sig[:], list, err
}

// aBuilt is a commitment that is built once, however many signatures are tried on it.
type aBuilt struct {
	once sync.Once
	c    *channelCase
	it   *commitment.Commitment
	err  error
}

// builtCase is a commitment vector and its commitment.
func (r runner) builtCase(v *vectors.Commitment) (*channelCase, *commitment.Commitment, error) {
	says := *v
	says.Head, says.Outcome, says.Signature, says.HTLCSignatures = vectors.Head{}, vectors.Outcome{}, nil, nil
	says.FeeSat, says.Tx, says.Txid, says.Sighash, says.HTLCTxs, says.SignedTx = nil, nil, nil, nil, nil, nil
	key, err := json.Marshal(&says)
	if err != nil {
		return nil, nil, err
	}
	b := &aBuilt{}
	if r.built != nil {
		known, _ := r.built.LoadOrStore(string(key), b)
		b = known.(*aBuilt)
	}
	b.once.Do(func() {
		if b.c, b.err = r.channelCase(v); b.err == nil {
			b.it, b.err = b.c.build()
		}
	})
	return b.c, b.it, b.err
}

// signedVector fills in signatures and results.
func signedVector(in *vectors.Commitment) (*vectors.Commitment, error) {
	c, err := runner{}.channelCase(in)
	if err != nil {
		return nil, err
	}
	built, err := c.build()
	if err != nil {
		return nil, err
	}
	v := *in
	if v.Signature, v.HTLCSignatures, err = c.sign(built); err != nil {
		return nil, err
	}

	return &v, fillCommitment(&v, c, built)
}

// fillCommitment sets what follows from the state and the signatures.
func fillCommitment(v *vectors.Commitment, c *channelCase, built *commitment.Commitment) error {
	fee := vectors.Uint(built.Fee)
	v.FeeSat, v.Txid = &fee, built.Txid[:]
	var err error
	if v.Tx, err = rawTransaction(built.Tx); err != nil {
		return err
	}
	if v.Sighash, err = witnessHash(built.Tx, int64(c.funding.Value), c.funding.WitnessScript(), txscript.SigHashAll); err != nil {
		return err
	}
	v.HTLCTxs = nil
	for _, h := range built.HTLCs {
		tx := vectors.HTLCTransaction{Output: h.Output}
		if tx.Tx, err = rawTransaction(h.Tx); err != nil {
			return err
		}
		tx.Sighash, err = witnessHash(h.Tx, built.Tx.TxOut[h.Output].Value, built.Outputs[h.Output].WitnessScript,
			txscript.SigHashSingle|txscript.SigHashAnyOneCanPay)
		if err != nil {
			return err
		}
		v.HTLCTxs = append(v.HTLCTxs, tx)
	}
	signed, err := built.Complete(c.keys[c.owner], wire.Signature(v.Signature))
	if err != nil {
		return err
	}
	v.SignedTx, err = rawTransaction(signed)

	return err
}

func rawTransaction(tx *btcwire.MsgTx) (vectors.Hex, error) {
	var b bytes.Buffer
	err := tx.Serialize(&b)

	return b.Bytes(), err
}

// witnessHash is the BIP-143 hash of the only input.
func witnessHash(tx *btcwire.MsgTx, value int64, script []byte, kind txscript.SigHashType) (vectors.Hex, error) {
	midstate := txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(nil, 0))

	return txscript.CalcWitnessSigHash(script, midstate, kind, tx, 0, value)
}

// commitment checks a vector: the owner looks at the signatures, and what it
// gets is what the file says.
func (r runner) commitment(v *vectors.Commitment) error {
	c, built, err := r.builtCase(v)
	if err != nil {
		return err
	}
	if len(v.Signature) != 64 {
		return fmt.Errorf("a signature of %d bytes", len(v.Signature))
	}
	var htlcs []wire.Signature
	for _, s := range v.HTLCSignatures {
		if len(s) != 64 {
			return fmt.Errorf("an HTLC signature of %d bytes", len(s))
		}
		htlcs = append(htlcs, wire.Signature(s))
	}
	if err := built.Verify(wire.Signature(v.Signature), htlcs); err != nil || v.Error != nil {
		return sameRefusal(v, err)
	}
	got := &vectors.Commitment{Signature: v.Signature}
	if err := fillCommitment(got, c, built); err != nil {
		return err
	}
	if *got.FeeSat != *v.FeeSat {
		return fmt.Errorf("fee_satoshis is %d, want %d", *got.FeeSat, *v.FeeSat)
	}
	for i, h := range got.HTLCTxs {
		if i >= len(v.HTLCTxs) || h.Output != v.HTLCTxs[i].Output {
			return fmt.Errorf("HTLC transaction %d spends output %d", i, h.Output)
		}
		if err := errors.Join(sameBytes("tx", h.Tx, v.HTLCTxs[i].Tx), sameBytes("sighash", h.Sighash, v.HTLCTxs[i].Sighash)); err != nil {
			return fmt.Errorf("HTLC transaction %d: %w", i, err)
		}
	}
	if len(got.HTLCTxs) != len(v.HTLCTxs) {
		return fmt.Errorf("%d HTLC transactions, want %d", len(got.HTLCTxs), len(v.HTLCTxs))
	}

	return errors.Join(sameBytes("commitment_tx", got.Tx, v.Tx), sameBytes("txid", got.Txid, v.Txid),
		sameBytes("sighash", got.Sighash, v.Sighash), sameBytes("signed_commitment_tx", got.SignedTx, v.SignedTx))
}

// sameRefusal compares an error of Verify with the one that a vector asks for.
func sameRefusal(v *vectors.Commitment, err error) error {
	want := v.Fails()
	switch {
	case want == nil:
		return fmt.Errorf("refused with %q", err)
	case err == nil:
		return fmt.Errorf("accepted, want %s at %s", want.Kind, want.Field)
	}
	kind, field := "wrong-signature", "signature"
	var at *commitment.SignatureError
	switch {
	case errors.Is(err, commitment.ErrCount):
		kind, field = "wrong-count", "htlc_signatures"
	case !errors.As(err, &at):
		return fmt.Errorf("refused with %q", err)
	case at.HTLC >= 0:
		field = "htlc_signatures"
	}
	if errors.Is(err, commitment.ErrHighS) {
		kind = "high-s"
	}
	if kind != want.Kind || field != want.Field {
		return fmt.Errorf("refused with %s at %s, want %s at %s", kind, field, want.Kind, want.Field)
	}

	return nil
}
