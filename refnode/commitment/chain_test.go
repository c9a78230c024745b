package commitment_test

import (
	"context"
	"crypto/sha256"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/chain/policy"
	"superscalar/refnode/commitment"
)

// lightning is a channel on an embedded chain: consensus and mempool policy
// judge what the package makes.
type lightning struct {
	t       *testing.T
	chain   *embedded.Chain
	params  commitment.Params
	funding commitment.Funding
	keys    [2]*btcec.PrivateKey
	secrets [2]*commitment.Secrets
	seeds   [2]commitment.Seed
}

const (
	channelValue = 1_000_000 // sat
	ownerDelay   = 5         // blocks
)

func newLightning(t *testing.T, kind commitment.Type) *lightning {
	chain, err := embedded.New(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	l := &lightning{t: t, chain: chain, params: commitment.Params{
		Type: kind, DustLimit: [2]commitment.Sat{354, 354}, Delay: [2]uint16{ownerDelay, ownerDelay},
	}}
	l.funding.Value = channelValue
	for side := range l.keys {
		name := commitment.Side(side).String()
		l.keys[side] = keyOf(name + " funding")
		l.secrets[side] = &commitment.Secrets{
			Revocation: keyOf(name + " revocation"), Payment: keyOf(name + " payment"),
			Delayed: keyOf(name + " delayed"), HTLC: keyOf(name + " htlc"),
		}
		l.seeds[side] = sha256.Sum256([]byte(name))
		l.params.Basepoints[side] = l.secrets[side].Basepoints()
		l.funding.Keys[side] = l.keys[side].PubKey()
	}
	l.funding.Outpoint, err = chain.Fund(l.funding.Output().PkScript, channelValue)
	if err != nil {
		t.Fatal(err)
	}
	l.mine(1)

	return l
}

func keyOf(name string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(name))
	key, _ := btcec.PrivKeyFromBytes(sum[:])

	return key
}

func (l *lightning) mine(n uint32) {
	l.t.Helper()
	if _, err := l.chain.Mine(n); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lightning) height() commitment.Height {
	l.t.Helper()
	tip, err := l.chain.Tip(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}

	return commitment.Height(tip.Height)
}

// accept submits and expects that it is taken; refuse that the rule forbids it.
func (l *lightning) accept(txs ...*btcwire.MsgTx) {
	l.t.Helper()
	v, err := l.chain.SubmitVerdict(context.Background(), txs...)
	if err != nil || !v.Accepted {
		l.t.Fatalf("refused: %v, %v", v.Err(), err)
	}
}

func (l *lightning) refuse(rule policy.Rule, txs ...*btcwire.MsgTx) {
	l.t.Helper()
	v, err := l.chain.SubmitVerdict(context.Background(), txs...)
	if err != nil || v.Accepted || v.Rule() != rule {
		l.t.Fatalf("accepted %v by rule %v, want refusal by %v: %v, %v", v.Accepted, v.Rule(), rule, v.Err(), err)
	}
}

// anyone is a script that anyone can spend, for coins of a wallet.
var anyone = func() []byte {
	hash := sha256.Sum256([]byte{txscript.OP_TRUE})

	return append([]byte{txscript.OP_0, txscript.OP_DATA_32}, hash[:]...)
}()

// state has one HTLC each way, which expire in 3 blocks, one of them with a
// known preimage.
func (l *lightning) state() commitment.State {
	s := commitment.State{Number: 9, Balance: [2]commitment.MilliSat{600_000_000, 300_000_000}}
	if l.params.Type == commitment.Anchors {
		s.Feerate = 1000
	}
	for i, side := range []commitment.Side{commitment.Opener, commitment.Accepter} {
		s.HTLCs = append(s.HTLCs, commitment.HTLC{
			OfferedBy: side, ID: uint64(i), Amount: 50_000_000,
			Hash: sha256.Sum256(preimage(i)), Expiry: l.height() + 3,
		})
	}

	return s
}

func preimage(i int) []byte {
	sum := sha256.Sum256([]byte{byte(i)})

	return sum[:]
}

// confirm signs the owner's commitment, gets it confirmed with a child on its
// anchor, and returns what the owner can claim.
func (l *lightning) confirm(owner commitment.Side, s commitment.State, preimages map[[32]byte][32]byte) (*commitment.Commitment, []*commitment.Claim) {
	l.t.Helper()
	point, err := l.seeds[owner].Point(s.Number)
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := l.params.Build(owner, &l.funding, &s, point)
	if err != nil {
		l.t.Fatal(err)
	}
	sig, htlcs, err := c.Sign(l.keys[owner.Other()], l.secrets[owner.Other()])
	if err != nil {
		l.t.Fatal(err)
	}
	if err := c.Verify(sig, htlcs); err != nil {
		l.t.Fatal(err)
	}
	signed, err := c.Complete(l.keys[owner], sig)
	if err != nil {
		l.t.Fatal(err)
	}
	claims, err := c.OwnClaims(l.secrets[owner], l.keys[owner], htlcs, preimages)
	if err != nil {
		l.t.Fatal(err)
	}
	kind := commitment.ClaimAnchor
	if l.params.Type == commitment.ZeroFee {
		kind = commitment.ClaimSharedAnchor
		if c.Fee == 0 {
			l.refuse(policy.MinRelayFee, signed)
		}
	}
	l.accept(signed, l.withCoin(of(claims, kind)))
	l.mine(1)

	return c, claims
}

// withCoin spends claims with a coin that pays the fee.
func (l *lightning) withCoin(claims ...*commitment.Claim) *btcwire.MsgTx {
	l.t.Helper()
	coin, err := l.chain.Fund(anyone, 20_000)
	if err != nil {
		l.t.Fatal(err)
	}
	l.mine(1)
	tx, err := commitment.NewSpend(l.params.Type.Version(), claims,
		[]*btcwire.TxIn{{PreviousOutPoint: coin, Sequence: 0xfffffffd}}, []*btcwire.TxOut{btcwire.NewTxOut(10_000, anyone)})
	if err != nil {
		l.t.Fatal(err)
	}
	if err := commitment.SignSpend(tx, claims); err != nil {
		l.t.Fatal(err)
	}
	tx.TxIn[len(claims)].Witness = btcwire.TxWitness{{txscript.OP_TRUE}}

	return tx
}

func of(claims []*commitment.Claim, kind commitment.ClaimKind) *commitment.Claim {
	for _, c := range claims {
		if c.Kind == kind {
			return c
		}
	}

	return nil
}

func eachType(t *testing.T, f func(*testing.T, *lightning)) {
	for _, kind := range []commitment.Type{commitment.Anchors, commitment.ZeroFee} {
		t.Run(kind.String(), func(t *testing.T) { f(t, newLightning(t, kind)) })
	}
}

// The owner publishes: HTLC-success at once, HTLC-timeout at the expiry, its
// balance and the second stages after the delay, and none of them earlier.
func TestOwnCommitmentOnChain(t *testing.T) {
	eachType(t, func(t *testing.T, l *lightning) {
		s := l.state()
		// What was mined for coins makes the locks shorter, not longer.
		s.HTLCs[0].Expiry += 20
		c, claims := l.confirm(commitment.Opener, s, map[[32]byte][32]byte{s.HTLCs[1].Hash: [32]byte(preimage(1))})
		// A coin takes a block: make them before the locks are looked at.
		local := l.withCoin(of(claims, commitment.ClaimToLocal))
		l.refuse(policy.RelativeLock, local)
		success, timeout := l.secondStages(claims)
		l.accept(success)
		l.refuse(policy.LockTime, timeout)
		l.mine(ownerDelay)
		l.accept(local)
		l.mine(20)
		l.accept(timeout)
		l.mine(1)
		for _, tx := range []*btcwire.MsgTx{success, timeout} {
			after, err := c.SecondStageClaims(l.secrets[commitment.Opener], tx)
			if err != nil || len(after) != 1 {
				t.Fatalf("%d second stages, %v", len(after), err)
			}
			sweep := l.withCoin(after...)
			if tx == timeout {
				l.refuse(policy.RelativeLock, sweep)
				l.mine(ownerDelay)
			}
			l.accept(sweep)
		}
	})
}

func (l *lightning) secondStages(claims []*commitment.Claim) (success, timeout *btcwire.MsgTx) {
	l.t.Helper()
	for _, claim := range claims {
		switch {
		case claim.Kind != commitment.ClaimHTLCTx:
		case claim.LockTime == 0:
			success = l.withCoin(claim)
		default:
			timeout = l.withCoin(claim)
		}
	}

	return success, timeout
}

// The other side's commitment: to_remote, the HTLC with a preimage, and the
// other after its expiry.
func TestOtherCommitmentOnChain(t *testing.T) {
	eachType(t, func(t *testing.T, l *lightning) {
		s := l.state()
		s.HTLCs[1].Expiry += 20
		c, _ := l.confirm(commitment.Opener, s, nil)
		claims, err := c.OtherClaims(l.secrets[commitment.Accepter], l.keys[commitment.Accepter],
			map[[32]byte][32]byte{s.HTLCs[0].Hash: [32]byte(preimage(0))})
		if err != nil {
			t.Fatal(err)
		}
		timeout := l.withCoin(of(claims, commitment.ClaimHTLCTimeout))
		l.refuse(policy.LockTime, timeout)
		l.accept(l.withCoin(of(claims, commitment.ClaimToRemote), of(claims, commitment.ClaimHTLCSuccess)))
		l.mine(20)
		l.accept(timeout)
	})
}

// A revoked commitment is taken whole: with one second stage confirmed
// before, in one transaction with everything else.
func TestRevokedCommitmentOnChain(t *testing.T) {
	eachType(t, func(t *testing.T, l *lightning) {
		s := l.state()
		secret := l.seeds[commitment.Opener].Secret(s.Number)
		c, own := l.confirm(commitment.Opener, s, map[[32]byte][32]byte{s.HTLCs[1].Hash: [32]byte(preimage(1))})
		success, _ := l.secondStages(own)
		l.accept(success)
		l.mine(1)
		secrets, key := l.secrets[commitment.Accepter], l.keys[commitment.Accepter]
		claims, err := c.Penalty(secrets, key, secret)
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.SecondStagePenalty(secrets, secret, success)
		if err != nil || len(second) != 1 {
			t.Fatalf("%d second stages, %v", len(second), err)
		}
		for _, claim := range claims {
			spent := claim.Outpoint == success.TxIn[0].PreviousOutPoint
			if !spent && claim.Kind != commitment.ClaimSharedAnchor {
				second = append(second, claim)
			}
		}
		l.accept(l.withCoin(second...))
	})
}

// Trimmed amounts make the shared anchor: up to 240 sat it is dust and the
// commitment pays nothing; above, the rest is its fee.
func TestSharedAnchorOnChain(t *testing.T) {
	for _, test := range []struct {
		name    string
		trimmed commitment.MilliSat
		fee     commitment.Sat
	}{{"0-sat", 0, 0}, {"239-sat", 239_000, 0}, {"240-sat", 240_000, 0}, {"353.999-sat", 353_999, 114}} {
		t.Run(test.name, func(t *testing.T) {
			l := newLightning(t, commitment.ZeroFee)
			s := commitment.State{Balance: [2]commitment.MilliSat{500_000_000, 500_000_000 - test.trimmed}}
			if test.trimmed > 0 {
				s.HTLCs = []commitment.HTLC{{Amount: test.trimmed, OfferedBy: commitment.Accepter, Expiry: 500}}
			}
			c, _ := l.confirm(commitment.Opener, s, nil)
			if c.Fee != test.fee {
				t.Errorf("a fee of %d sat, want %d", c.Fee, test.fee)
			}
		})
	}
}

// A closing transaction confirms.
func TestClosingOnChain(t *testing.T) {
	l := newLightning(t, commitment.Anchors)
	c := &commitment.Closing{
		Funding: l.funding, Balance: [2]commitment.MilliSat{600_000_000, 400_000_000},
		Scripts: [2][]byte{anyone, anyone}, DustLimit: [2]commitment.Sat{354, 354},
	}
	sig, err := c.Sign(1000, l.keys[commitment.Accepter])
	if err != nil {
		t.Fatal(err)
	}
	tx, err := c.Verify(1000, commitment.Accepter, sig)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := c.Complete(tx, l.keys[commitment.Opener], sig)
	if err != nil {
		t.Fatal(err)
	}
	l.accept(signed)
	l.mine(1)
}
