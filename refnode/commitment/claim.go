package commitment

import (
	"crypto/sha256"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/musig"
	"superscalar/wire"
)

// ClaimKind says what a Claim takes, and by which way.
type ClaimKind uint8

// The kinds.
const (
	ClaimToLocal      ClaimKind = iota // the owner, after its delay
	ClaimToRemote                      // the other side
	ClaimAnchor                        // the side whose anchor it is, also while the commitment is unconfirmed
	ClaimSharedAnchor                  // anyone, only together with the commitment
	ClaimHTLCTx                        // the owner: HTLC-success or HTLC-timeout
	ClaimHTLCSuccess                   // the other side, with the preimage
	ClaimHTLCTimeout                   // the other side, after the expiry
	ClaimSecondStage                   // the owner: the output of an HTLC transaction, after the delay
	ClaimPenalty                       // the other side: anything of a revoked commitment
)

var claimNames = [...]string{
	"to_local", "to_remote", "anchor", "shared anchor", "HTLC transaction",
	"HTLC with preimage", "HTLC after expiry", "second stage", "penalty",
}

// String returns a name for people.
func (k ClaimKind) String() string {
	if int(k) < len(claimNames) {
		return claimNames[k]
	}

	return "unknown"
}

// Claim is an output that a side can spend, with what it takes. It holds a
// private key and prints without it.
type Claim struct {
	Kind     ClaimKind
	Outpoint btcwire.OutPoint
	Output   btcwire.TxOut
	HTLC     *HTLC // nil when it is none's

	// Wait is how many blocks the outpoint has to be deep, 0 for none: then
	// the claim may be in a package with its parent.
	Wait uint16

	// LockTime is the nLockTime that the spending transaction has at least,
	// or, when Pair is set, has exactly.
	LockTime Height

	// Pair is the output that an HTLC transaction has at the index of its
	// input, else nil.
	Pair *btcwire.TxOut

	sequence      uint32
	version       int32 // that the spending transaction has to have, 0: 2 or 3
	witnessScript []byte
	key           *btcec.PrivateKey // nil: no signature
	before, after [][]byte          // what stands around the signature in the witness
}

// String names the claim, without its key.
func (c *Claim) String() string {
	return fmt.Sprintf("%s %s, %d sat", c.Kind, c.Outpoint, c.Output.Value)
}

// GoString hides the key.
func (c *Claim) GoString() string { return c.String() }

const (
	noLock  uint32 = 0xfffffffd // nSequence without a relative lock, replaceable
	maxSize int    = 72         // bytes of a DER signature with low S, and its type
)

// claim starts a claim of output i of the commitment.
func (c *Commitment) claim(kind ClaimKind, i int, key *btcec.PrivateKey) *Claim {
	return &Claim{
		Kind:     kind,
		Outpoint: btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)},
		Output:   *c.Tx.TxOut[i], HTLC: c.Outputs[i].HTLC,
		sequence: noLock, witnessScript: c.Outputs[i].WitnessScript, key: key,
	}
}

// wait sets a relative lock.
func (c *Claim) wait(blocks uint32) *Claim {
	c.Wait, c.sequence = uint16(blocks), blocks

	return c
}

// revocationBranch and delayBranch choose between OP_IF and OP_ELSE.
var (
	revocationBranch = [][]byte{{1}}
	delayBranch      = [][]byte{nil}
)

// OwnClaims returns what the owner can take of its commitment (BOLT 5,
// "Unilateral Close Handling: Local Commitment Transaction"): to_local, its
// anchor or the shared one, and its HTLC transactions. Theirs are the
// htlc_signatures of the other side, verified before. HTLC-success comes only
// with a preimage, by payment hash. The error is ErrOwnKey or ErrCount.
func (c *Commitment) OwnClaims(k *Secrets, funding *btcec.PrivateKey, theirs []wire.Signature, preimages map[[32]byte][32]byte) ([]*Claim, error) {
	delayed, own := DeriveSecret(k.Delayed, c.point), DeriveSecret(k.HTLC, c.point)
	if !musig.PublicKeyOf(delayed).IsEqual(c.keys.delayed) || !musig.PublicKeyOf(own).IsEqual(c.keys.ownerHTLC) ||
		!musig.PublicKeyOf(funding).IsEqual(c.Funding.Keys[c.Owner]) {
		return nil, fmt.Errorf("keys of the %s: %w", c.Owner, ErrOwnKey)
	}
	if len(theirs) != len(c.HTLCs) {
		return nil, fmt.Errorf("%d for %d HTLC transactions: %w", len(theirs), len(c.HTLCs), ErrCount)
	}
	var claims []*Claim
	for i, out := range c.Outputs {
		switch out.Kind {
		case ToLocal:
			claim := c.claim(ClaimToLocal, i, delayed).wait(uint32(c.params.Delay[c.Owner]))
			claim.after = delayBranch
			claims = append(claims, claim)
		case LocalAnchor:
			claims = append(claims, c.claim(ClaimAnchor, i, funding))
		case SharedAnchor:
			claims = append(claims, c.sharedAnchorClaim(i))
		}
	}
	for i, h := range c.HTLCs {
		claim, err := c.htlcTxClaim(h, own, theirs[i], preimages)
		if err != nil {
			return nil, err
		}
		if claim != nil {
			claims = append(claims, claim)
		}
	}

	return claims, nil
}

// htlcTxClaim is the way of the owner into its HTLC output, nil when it has no
// preimage for it.
func (c *Commitment) htlcTxClaim(h *HTLCTx, own *btcec.PrivateKey, theirs wire.Signature, preimages map[[32]byte][32]byte) (*Claim, error) {
	var preimage []byte
	if h.Success {
		known, ok := preimages[h.HTLC.Hash]
		if !ok {
			return nil, nil
		}
		preimage = known[:]
	}
	signature, err := der(theirs, htlcSighash)
	if err != nil {
		return nil, err
	}
	claim := c.claim(ClaimHTLCTx, int(h.Output), own).wait(c.params.Type.csv())
	claim.LockTime = Height(h.Tx.LockTime)
	claim.Pair, claim.version = h.Tx.TxOut[0], h.Tx.Version
	claim.before, claim.after = [][]byte{nil, signature}, [][]byte{preimage}

	return claim, nil
}

func (c *Commitment) sharedAnchorClaim(i int) *Claim {
	claim := c.claim(ClaimSharedAnchor, i, nil)
	claim.version = c.params.Type.Version()

	return claim
}

// OtherClaims returns what the side that is not the owner can take of a
// commitment that is not revoked (BOLT 5, "Unilateral Close Handling: Remote
// Commitment Transaction"): to_remote, its anchor or the shared one, the HTLCs
// that it offered after their expiry, and those that it has a preimage of. The
// error is ErrOwnKey.
func (c *Commitment) OtherClaims(k *Secrets, funding *btcec.PrivateKey, preimages map[[32]byte][32]byte) ([]*Claim, error) {
	claims, err := c.remoteClaims(k, funding)
	if err != nil {
		return nil, err
	}
	key := DeriveSecret(k.HTLC, c.point)
	for i, out := range c.Outputs {
		if out.HTLC == nil {
			continue
		}
		preimage, known := preimages[out.HTLC.Hash]
		switch {
		case out.Kind == ReceivedHTLC: // the owner received it: this side offered it
			claim := c.claim(ClaimHTLCTimeout, i, key).wait(c.params.Type.csv())
			claim.LockTime, claim.after = out.HTLC.Expiry, [][]byte{nil}
			claims = append(claims, claim)
		case known:
			claim := c.claim(ClaimHTLCSuccess, i, key).wait(c.params.Type.csv())
			claim.after = [][]byte{preimage[:]}
			claims = append(claims, claim)
		}
	}

	return claims, nil
}

// remoteClaims are those outputs of the side that is not the owner which have
// nothing to do with HTLCs or revocation.
func (c *Commitment) remoteClaims(k *Secrets, funding *btcec.PrivateKey) ([]*Claim, error) {
	other := c.Owner.Other()
	if !musig.PublicKeyOf(k.Payment).IsEqual(c.keys.otherRemote) || !musig.PublicKeyOf(funding).IsEqual(c.Funding.Keys[other]) ||
		!musig.PublicKeyOf(k.HTLC).IsEqual(c.params.Basepoints[other].HTLC) {
		return nil, fmt.Errorf("keys of the %s: %w", other, ErrOwnKey)
	}
	var claims []*Claim
	for i, out := range c.Outputs {
		switch out.Kind {
		case ToRemote:
			claims = append(claims, c.params.spendRemote(c.claim(ClaimToRemote, i, k.Payment)))
		case RemoteAnchor:
			claims = append(claims, c.claim(ClaimAnchor, i, funding))
		case SharedAnchor:
			claims = append(claims, c.sharedAnchorClaim(i))
		}
	}

	return claims, nil
}

// spendRemote sets what to_remote needs: P2WPKH with ZeroFee.
func (p *Params) spendRemote(claim *Claim) *Claim {
	if p.Type == ZeroFee {
		claim.after = [][]byte{musig.PublicKeyOf(claim.key).SerializeCompressed()}

		return claim
	}

	return claim.wait(p.Type.csv())
}

// ToRemoteClaim returns the claim of to_remote for the side that is not the
// owner, out of a commitment that it cannot rebuild: one from after its last
// backup. It needs no per-commitment point. It is false when there is none.
func (p *Params) ToRemoteClaim(side Side, k *Secrets, tx *btcwire.MsgTx) (*Claim, bool) {
	key := p.Basepoints[side&1].Payment
	if !musig.PublicKeyOf(k.Payment).IsEqual(key) {
		return nil, false
	}
	out := Output{}
	script := payToKey(key)
	if p.Type == Anchors {
		out.WitnessScript = remoteScript(key)
		script = payTo(out.WitnessScript)
	}
	for i := range tx.TxOut {
		if string(tx.TxOut[i].PkScript) == string(script) {
			c := &Commitment{Tx: tx, Txid: tx.TxHash(), Outputs: make([]Output, len(tx.TxOut))}
			c.Outputs[i] = out

			return p.spendRemote(c.claim(ClaimToRemote, i, k.Payment)), true
		}
	}

	return nil, false
}

// SecondStageClaims returns what the owner can take of a transaction that
// spends HTLC outputs of its commitment by HTLC transactions, each alone or
// several in one. The error is ErrOwnKey.
func (c *Commitment) SecondStageClaims(k *Secrets, tx *btcwire.MsgTx) ([]*Claim, error) {
	key := DeriveSecret(k.Delayed, c.point)
	if !musig.PublicKeyOf(key).IsEqual(c.keys.delayed) {
		return nil, fmt.Errorf("delayed key of the %s: %w", c.Owner, ErrOwnKey)
	}

	return c.secondStages(tx, func(claim *Claim) {
		claim.Kind, claim.key, claim.after = ClaimSecondStage, key, delayBranch
		claim.wait(uint32(c.params.Delay[c.Owner]))
	}), nil
}

// secondStages finds the outputs of HTLC transactions: at the index of the
// input, since the other side's signature binds the two.
func (c *Commitment) secondStages(tx *btcwire.MsgTx, finish func(*Claim)) []*Claim {
	script := delayedScript(c.keys, c.params.Delay[c.Owner])
	txid := tx.TxHash()
	var claims []*Claim
	for i, in := range tx.TxIn {
		h := c.htlcAt(in.PreviousOutPoint)
		if h == nil || i >= len(tx.TxOut) || string(tx.TxOut[i].PkScript) != string(payTo(script)) {
			continue
		}
		claim := &Claim{
			Outpoint: btcwire.OutPoint{Hash: txid, Index: uint32(i)},
			Output:   *tx.TxOut[i], HTLC: h,
			sequence: noLock, witnessScript: script,
		}
		finish(claim)
		claims = append(claims, claim)
	}

	return claims
}

// htlcAt returns the HTLC of an outpoint of the commitment, or nil.
func (c *Commitment) htlcAt(o btcwire.OutPoint) *HTLC {
	if o.Hash != c.Txid || int64(o.Index) >= int64(len(c.Outputs)) {
		return nil
	}

	return c.Outputs[o.Index].HTLC
}

// Preimage is what a spend of an HTLC output showed.
type Preimage struct {
	HTLC     HTLC
	Preimage [32]byte
}

// Preimages returns the preimages that a transaction which spends HTLC outputs
// of the commitment shows (CHAN-026).
func (c *Commitment) Preimages(tx *btcwire.MsgTx) []Preimage {
	var found []Preimage
	for _, in := range tx.TxIn {
		h := c.htlcAt(in.PreviousOutPoint)
		if h == nil {
			continue
		}
		for _, item := range in.Witness {
			if len(item) == 32 && sha256.Sum256(item) == h.Hash {
				found = append(found, Preimage{HTLC: *h, Preimage: [32]byte(item)})

				break
			}
		}
	}

	return found
}
