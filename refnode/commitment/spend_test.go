package commitment

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// A lock that is not kept, a preimage that is wrong, a key of the other side:
// each makes the spend invalid.
func TestSpendsThatAreTooEarlyOrWrong(t *testing.T) {
	for _, kind := range []Type{Anchors, ZeroFee} {
		t.Run(kind.String(), func(t *testing.T) {
			s := exampleScene(t, kind, Opener)
			claims, err := s.c.OtherClaims(s.Secrets[Accepter], s.Keys[Accepter], s.preimages)
			if err != nil {
				t.Fatal(err)
			}
			for _, claim := range slices.Concat(s.own, claims) {
				if claim.key == nil {
					continue // anyone
				}
				for name, change := range spoilers(claim) {
					bad := *claim
					change(&bad)
					if execute(s.spend(t, &bad), s.spent) == nil {
						t.Errorf("%s is valid with %s", claim.Kind, name)
					}
				}
			}
		})
	}
}

func spoilers(claim *Claim) map[string]func(*Claim) {
	list := map[string]func(*Claim){
		"another key": func(c *Claim) { c.key = testKey("thief") },
	}
	if claim.Wait > 0 {
		list["a shorter wait"] = func(c *Claim) { c.sequence-- }
	}
	if claim.LockTime > 0 {
		list["a lower lock time"] = func(c *Claim) { c.LockTime-- }
	}
	if claim.HTLC != nil && claim.LockTime == 0 {
		list["another preimage"] = func(c *Claim) { c.after = [][]byte{bytes.Repeat([]byte{7}, 32)} }
		list["no preimage"] = func(c *Claim) { c.after = [][]byte{nil} }
	}
	if claim.Pair != nil {
		list["another output"] = func(c *Claim) {
			c.Pair = btcwire.NewTxOut(c.Pair.Value-1, c.Pair.PkScript)
		}
	}

	return list
}

func TestClaimsNeedTheRightKeys(t *testing.T) {
	s := exampleScene(t, Anchors, Opener)
	c, own, other := s.c, s.Secrets[Opener], s.Secrets[Accepter]
	good := s.Seeds[Opener].Secret(5)
	for name, test := range map[string]struct {
		err  error
		want error
	}{
		"own-secrets":         {second(c.OwnClaims(other, s.Keys[Opener], nil, nil)), ErrOwnKey},
		"own-funding":         {second(c.OwnClaims(own, s.Keys[Accepter], nil, nil)), ErrOwnKey},
		"own-count":           {second(c.OwnClaims(own, s.Keys[Opener], nil, nil)), ErrCount},
		"other-secrets":       {second(c.OtherClaims(own, s.Keys[Accepter], nil)), ErrOwnKey},
		"other-funding":       {second(c.OtherClaims(other, s.Keys[Opener], nil)), ErrOwnKey},
		"penalty-secret":      {second(c.Penalty(other, s.Keys[Accepter], s.Seeds[Opener].Secret(6))), ErrSecret},
		"penalty-zero":        {second(c.Penalty(other, s.Keys[Accepter], Secret{})), ErrSecret},
		"penalty-keys":        {second(c.Penalty(own, s.Keys[Accepter], good)), ErrOwnKey},
		"penalty-funding":     {second(c.Penalty(other, s.Keys[Opener], good)), ErrOwnKey},
		"second-stage-keys":   {second(c.SecondStageClaims(other, c.Tx)), ErrOwnKey},
		"second-stage-secret": {second(c.SecondStagePenalty(other, s.Seeds[Opener].Secret(4), c.Tx)), ErrSecret},
	} {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: %v, want %v", name, test.err, test.want)
		}
	}
	if claims, err := c.SecondStageClaims(own, s.signed); err != nil || len(claims) != 0 {
		t.Errorf("a transaction that spends no HTLC has %d second stages, %v", len(claims), err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSpendsThatDoNotFit(t *testing.T) {
	s := exampleScene(t, ZeroFee, Opener)
	i := slices.IndexFunc(s.own, func(c *Claim) bool { return c.Pair != nil })
	htlc, local := s.own[i], s.own[slices.IndexFunc(s.own, func(c *Claim) bool { return c.Kind == ClaimToLocal })]
	for name, test := range map[string]struct {
		version int32
		claims  []*Claim
	}{
		"version-1":           {1, []*Claim{local}},
		"htlc-version-2":      {2, []*Claim{htlc}},
		"htlc-after-another":  {3, []*Claim{local, htlc}},
		"anchor-in-version-2": {2, s.own[slices.IndexFunc(s.own, func(c *Claim) bool { return c.Kind == ClaimSharedAnchor }):][:1]},
	} {
		if _, err := NewSpend(test.version, test.claims, nil, nil); !errors.Is(err, ErrSpend) {
			t.Errorf("%s: %v, want %v", name, err, ErrSpend)
		}
	}
	tx, err := NewSpend(3, []*Claim{htlc, local}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := SignSpend(tx, []*Claim{local, htlc}); !errors.Is(err, ErrSpend) {
		t.Errorf("signed in another order: %v", err)
	}
	if err := SignSpend(tx, []*Claim{htlc, local, local}); !errors.Is(err, ErrSpend) {
		t.Errorf("signed with more claims than inputs: %v", err)
	}
	if !bytes.Equal(factory.AnchorScript(), s.spent[sharedAnchor(s)].PkScript) {
		t.Error("the shared anchor is no P2A")
	}
}

func sharedAnchor(s *scene) btcwire.OutPoint {
	i := slices.IndexFunc(s.c.Outputs, func(o Output) bool { return o.Kind == SharedAnchor })

	return btcwire.OutPoint{Hash: s.c.Txid, Index: uint32(i)}
}

// As many HTLCs as BOLT 2 allows: the commitment of version 3 still relays, and
// what is revoked is taken with one transaction of version 2, not 3.
func TestFullZeroFeeCommitment(t *testing.T) {
	p := newPair(ZeroFee, 10_000_000)
	state := State{Balance: [2]MilliSat{4_000_000_000, 4_000_000_000 - 280_000_000}}
	for i := range uint64(2 * 114) {
		state.HTLCs = append(state.HTLCs, HTLC{OfferedBy: Side(i % 2), ID: i, Amount: 10_000_000, Hash: paymentHash(i), Expiry: 500})
	}
	s := newScene(t, p, p.commitment(t, Opener, state))
	if size := (3*s.signed.SerializeSizeStripped() + s.signed.SerializeSize() + 3) / 4; size > factory.MaxVBytes {
		t.Errorf("%d vbytes", size)
	}
	claims, err := s.c.Penalty(s.Secrets[Accepter], s.Keys[Accepter], s.Seeds[Opener].Secret(0))
	if err != nil {
		t.Fatal(err)
	}
	claims = slices.DeleteFunc(claims, func(c *Claim) bool { return c.Kind == ClaimSharedAnchor })
	if _, err := NewSpend(3, claims, nil, nil); !errors.Is(err, ErrSpend) {
		t.Errorf("in one transaction of version 3: %v", err)
	}
	tx, err := NewSpend(2, claims, nil, []*btcwire.TxOut{btcwire.NewTxOut(9_000_000, payTo([]byte{0x51}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := SignSpend(tx, claims); err != nil {
		t.Fatal(err)
	}
	if err := execute(tx, s.spent); err != nil {
		t.Error(err)
	}
}

// A transaction of the other side that spends several HTLC outputs into one has
// no second stage, and an owner that asks is not hurt.
func TestSpendOfSeveralHTLCsIntoOne(t *testing.T) {
	s := exampleScene(t, Anchors, Opener)
	claims, err := s.c.OtherClaims(s.Secrets[Accepter], s.Keys[Accepter], s.preimages)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := NewSpend(2, claims, nil, []*btcwire.TxOut{btcwire.NewTxOut(1000, payTo([]byte{0x51}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := SignSpend(tx, claims); err != nil {
		t.Fatal(err)
	}
	if after, err := s.c.SecondStageClaims(s.Secrets[Opener], tx); err != nil || len(after) != 0 {
		t.Errorf("second stages %v, %v", after, err)
	}
	if shown := s.c.Preimages(tx); len(shown) != 2 {
		t.Errorf("%d preimages shown, want 2", len(shown))
	}
}

// Signatures that cannot be written into a witness are refused.
func TestClaimsNeedSignatures(t *testing.T) {
	s := exampleScene(t, Anchors, Opener)
	none := make([]wire.Signature, len(s.c.HTLCs))
	if _, err := s.c.OwnClaims(s.Secrets[Opener], s.Keys[Opener], none, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("zeros: %v, want %v", err, ErrSignature)
	}
	for i := range none[0] {
		none[0][i] = 255
	}
	if _, err := s.c.OwnClaims(s.Secrets[Opener], s.Keys[Opener], none, nil); !errors.Is(err, ErrSignature) {
		t.Errorf("above the order: %v, want %v", err, ErrSignature)
	}
}
