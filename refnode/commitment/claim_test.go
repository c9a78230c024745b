package commitment

import (
	"errors"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"
)

// scene is a signed commitment with what a chain knows of it.
type scene struct {
	*pair
	c         *Commitment
	signed    *btcwire.MsgTx
	own       []*Claim // of the owner
	preimages map[[32]byte][32]byte
	spent     map[btcwire.OutPoint]*btcwire.TxOut
}

type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// newScene signs a commitment; the owner and the other side know the preimages
// 0 and 1, and nobody 2.
func newScene(t fatal, p *pair, c *Commitment) *scene {
	t.Helper()
	s := &scene{pair: p, c: c, preimages: map[[32]byte][32]byte{}, spent: map[btcwire.OutPoint]*btcwire.TxOut{}}
	for i := range uint64(2) {
		s.preimages[paymentHash(i)] = preimageOf(i)
	}
	other := c.Owner.Other()
	sig, htlcs, err := c.Sign(p.Keys[other], p.Secrets[other])
	if err != nil {
		t.Fatal(err)
	}
	if s.signed, err = c.Complete(p.Keys[c.Owner], sig); err != nil {
		t.Fatal(err)
	}
	s.spent[p.Fund.Outpoint] = p.Fund.Output()
	if err := execute(s.signed, s.spent); err != nil {
		t.Fatalf("commitment: %v", err)
	}
	outputsOf(s.spent, s.signed)
	if s.own, err = c.OwnClaims(p.Secrets[c.Owner], p.Keys[c.Owner], htlcs, s.preimages); err != nil {
		t.Fatal(err)
	}

	return s
}

// sweep spends one claim to an output, and checks its scripts and its size.
func (s *scene) sweep(t fatal, claim *Claim) *btcwire.MsgTx {
	t.Helper()
	tx := s.spend(t, claim)
	if err := execute(tx, s.spent); err != nil {
		t.Fatalf("%s: %v", claim.Kind, err)
	}
	size := tx.SerializeSize()
	weight := int64(3*tx.SerializeSizeStripped() + size)
	if most := SpendWeight(tx, []*Claim{claim}); weight > most || weight < most-6 {
		t.Fatalf("%s weighs %d, at most %d was said", claim.Kind, weight, most)
	}

	return tx
}

func (s *scene) spend(t fatal, claim *Claim) *btcwire.MsgTx {
	t.Helper()
	version := s.Type.Version()
	var outs []*btcwire.TxOut
	if claim.Pair == nil {
		outs = []*btcwire.TxOut{btcwire.NewTxOut(claim.Output.Value, payTo([]byte{0x51}))}
	}
	tx, err := NewSpend(version, []*Claim{claim}, nil, outs)
	if err != nil {
		t.Fatal(err)
	}
	if err := SignSpend(tx, []*Claim{claim}); err != nil {
		t.Fatal(err)
	}

	return tx
}

// outpoints lists what claims spend. No outpoint may come twice.
func outpoints(t fatal, claims []*Claim) map[uint32]ClaimKind {
	t.Helper()
	taken := map[uint32]ClaimKind{}
	for _, claim := range claims {
		if _, twice := taken[claim.Outpoint.Index]; twice {
			t.Fatalf("output %d is claimed twice", claim.Outpoint.Index)
		}
		taken[claim.Outpoint.Index] = claim.Kind
	}

	return taken
}

// The owner can take what is its own: and only what BOLT 5 lets it.
func TestOwnClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		s := newScene(t, p, c)
		taken := outpoints(t, s.own)
		for i, out := range c.Outputs {
			_, known := s.preimages[hashOf(out)]
			want, ok := map[OutputKind]ClaimKind{
				ToLocal: ClaimToLocal, LocalAnchor: ClaimAnchor, SharedAnchor: ClaimSharedAnchor, OfferedHTLC: ClaimHTLCTx,
			}[out.Kind]
			if out.Kind == ReceivedHTLC && known {
				want, ok = ClaimHTLCTx, true
			}
			if got, found := taken[uint32(i)]; found != ok || got != want {
				t.Fatalf("%s: claimed as %s, %v; want %s, %v", out.Kind, got, found, want, ok)
			}
		}
		for _, claim := range s.own {
			tx := s.sweep(t, claim)
			if claim.Kind == ClaimHTLCTx {
				s.checkSecondStage(t, claim, tx)
			}
		}
	})
}

func hashOf(out Output) (hash [32]byte) {
	if out.HTLC != nil {
		hash = out.HTLC.Hash
	}

	return hash
}

// checkSecondStage lets the owner take the output of its HTLC transaction, and
// the other side too once the commitment is revoked.
func (s *scene) checkSecondStage(t fatal, claim *Claim, tx *btcwire.MsgTx) {
	t.Helper()
	if Sat(tx.TxOut[0].Value) != claim.HTLC.Amount.Sat() {
		t.Fatalf("an HTLC of %s becomes %d sat", claim.HTLC.Amount, tx.TxOut[0].Value)
	}
	outputsOf(s.spent, tx)
	after, err := s.c.SecondStageClaims(s.Secrets[s.c.Owner], tx)
	if err != nil || len(after) != 1 || after[0].Wait != s.Delay[s.c.Owner] {
		t.Fatalf("second stage: %v, %v", after, err)
	}
	s.sweep(t, after[0])
	other := s.c.Owner.Other()
	penalty, err := s.c.SecondStagePenalty(s.Secrets[other], s.Seeds[s.c.Owner].Secret(s.c.State.Number), tx)
	if err != nil || len(penalty) != 1 || penalty[0].Wait != 0 {
		t.Fatalf("penalty of the second stage: %v, %v", penalty, err)
	}
	s.sweep(t, penalty[0])
	shown := s.c.Preimages(tx)
	if success := claim.LockTime == 0; success != (len(shown) == 1) {
		t.Fatalf("%d preimages shown", len(shown))
	}
}

// The other side can take what is its own, and of HTLCs those that it offered
// and those that it knows the preimage of.
func TestOtherClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		s := newScene(t, p, c)
		other := c.Owner.Other()
		claims, err := c.OtherClaims(p.Secrets[other], p.Keys[other], s.preimages)
		if err != nil {
			t.Fatal(err)
		}
		taken := outpoints(t, claims)
		for i, out := range c.Outputs {
			_, known := s.preimages[hashOf(out)]
			want, ok := map[OutputKind]ClaimKind{
				ToRemote: ClaimToRemote, RemoteAnchor: ClaimAnchor, SharedAnchor: ClaimSharedAnchor, ReceivedHTLC: ClaimHTLCTimeout,
			}[out.Kind]
			if out.Kind == OfferedHTLC && known {
				want, ok = ClaimHTLCSuccess, true
			}
			if got, found := taken[uint32(i)]; found != ok || got != want {
				t.Fatalf("%s: claimed as %s, %v; want %s, %v", out.Kind, got, found, want, ok)
			}
		}
		for _, claim := range claims {
			tx := s.sweep(t, claim)
			shown := c.Preimages(tx)
			if success := claim.Kind == ClaimHTLCSuccess; success != (len(shown) == 1) || success && shown[0].Preimage != s.preimages[claim.HTLC.Hash] {
				t.Fatalf("%s shows %d preimages", claim.Kind, len(shown))
			}
			if claim.Kind == ClaimToRemote {
				s.checkToRemote(t, claim)
			}
		}
	})
}

// checkToRemote finds the same claim without knowing the commitment.
func (s *scene) checkToRemote(t fatal, claim *Claim) {
	t.Helper()
	other := s.c.Owner.Other()
	alone, ok := s.ToRemoteClaim(other, s.Secrets[other], s.signed)
	if !ok || alone.Outpoint != claim.Outpoint || alone.Wait != claim.Wait {
		t.Fatalf("to_remote alone: %v, want %v", alone, claim)
	}
	s.sweep(t, alone)
	if _, ok := s.ToRemoteClaim(s.c.Owner, s.Secrets[s.c.Owner], s.signed); ok {
		t.Fatal("the owner has a to_remote")
	}
}

// Of a revoked commitment the other side takes every output but the owner's
// anchor, each once and at once.
func TestPenalty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		s := newScene(t, p, c)
		other := c.Owner.Other()
		secret := p.Seeds[c.Owner].Secret(c.State.Number)
		claims, err := c.Penalty(p.Secrets[other], p.Keys[other], secret)
		if err != nil {
			t.Fatal(err)
		}
		taken := outpoints(t, claims)
		for i, out := range c.Outputs {
			if _, found := taken[uint32(i)]; found != (out.Kind != LocalAnchor) {
				t.Fatalf("%s: claimed: %v", out.Kind, found)
			}
		}
		for _, claim := range claims {
			if claim.LockTime != 0 || claim.Wait != 0 && claim.Kind != ClaimToRemote {
				t.Fatalf("%s waits %d blocks and until %d", claim.Kind, claim.Wait, claim.LockTime)
			}
			s.sweep(t, claim)
		}
		s.sweepTogether(t, claims)
	})
}

// sweepTogether spends claims with one transaction that pays a fee out of a
// coin, whose own input anybody may spend.
func (s *scene) sweepTogether(t fatal, claims []*Claim) {
	t.Helper()
	coin := btcwire.OutPoint{Hash: [32]byte{9}}
	script := []byte{0x51}
	s.spent[coin] = btcwire.NewTxOut(10_000, payTo(script))
	tx, err := NewSpend(s.Type.Version(), claims,
		[]*btcwire.TxIn{{PreviousOutPoint: coin, Sequence: noLock}},
		[]*btcwire.TxOut{btcwire.NewTxOut(9_000, payTo(script))})
	if err != nil {
		t.Fatal(err)
	}
	if err := SignSpend(tx, claims); err != nil {
		t.Fatal(err)
	}
	tx.TxIn[len(claims)].Witness = btcwire.TxWitness{script}
	if err := execute(tx, s.spent); err != nil {
		t.Fatal(err)
	}
}

// HTLC transactions of one expiry go together, with a coin for the fee.
func TestHTLCTransactionsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, c := drawCommitment(t)
		s := newScene(t, p, c)
		batches := map[Height][]*Claim{}
		for _, claim := range s.own {
			if claim.Kind == ClaimHTLCTx {
				batches[claim.LockTime] = append(batches[claim.LockTime], claim)
			}
		}
		for _, claims := range batches {
			s.sweepTogether(t, claims)
			if len(batches) > 1 {
				s.checkOtherExpiry(t, batches)
			}
		}
	})
}

// checkOtherExpiry: what the other side signed for one nLockTime is not valid
// with another.
func (s *scene) checkOtherExpiry(t fatal, batches map[Height][]*Claim) {
	t.Helper()
	var mixed []*Claim
	for _, claims := range batches {
		mixed = append(mixed, claims[0])
	}
	if _, err := NewSpend(s.Type.Version(), mixed, nil, nil); !errors.Is(err, ErrSpend) {
		t.Fatalf("HTLC transactions with several lock times: %v", err)
	}
}

// exampleScene has every kind of output and claim.
func exampleScene(t testing.TB, kind Type, owner Side) *scene {
	p := newPair(kind, 1_000_000)
	state := State{Number: 5, Balance: [2]MilliSat{500_000_000, 440_000_000}}
	if kind == Anchors {
		state.Feerate = 253
	}
	for i := range uint64(6) {
		state.HTLCs = append(state.HTLCs, HTLC{
			OfferedBy: Side(i % 2), ID: i, Amount: 10_000_000, Hash: paymentHash(i / 2), Expiry: 500,
		})
	}

	return newScene(t, p, p.commitment(t, owner, state))
}
