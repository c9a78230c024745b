package closing

import (
	"context"
	"errors"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
	"superscalar/refnode/exit"
	"superscalar/refnode/wallet"
	"superscalar/wire/rule"
)

// quiet are terms without HTLCs and without a revoked commitment.
func quiet(kind commitment.Type) terms {
	state := commitment.State{Balance: [2]commitment.MilliSat{600_000_000, 400_000_000}}
	if kind == commitment.Anchors {
		state.Feerate = 500
	}

	return terms{kind: kind, us: commitment.Opener, delay: [2]uint16{10, 10}, coins: 2, states: []commitment.State{state}, our: state}
}

// pool is what spends an outpoint in the mempool.
func (s *scene) pool(o btcwire.OutPoint) *btcwire.MsgTx {
	s.t.Helper()
	spend, found, err := s.chain.Spend(context.Background(), o)
	check(s.t, err)
	if !found || spend.Confirmed {
		return nil
	}

	return spend.Tx
}

// A commitment that does not confirm is paid for by its anchor, more and more
// towards its deadline, the fee rate never falling, and never above the limit. A
// restart goes on from what is in the mempool.
func TestFeesRise(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		x := quiet(kind)
		x.inFactory = true // a deadline of S blocks
		s := newScene(t, newChain(t), x)
		s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(50)}
		s.step()
		var last wallet.FeeRate
		raised := 0
		for n := range int(Confirm) {
			if n == 6 && kind == commitment.Anchors { // the shared child's script is the wallet's own
				s.driver = &Driver{Wallet: s.wallet, Fees: s.driver.Fees}
				s.driver.efforts = nil
			}
			s.mine() // miners leave it out
			s.step()
			for _, sent := range s.last.Sent {
				if sent.Err != nil {
					t.Fatalf("block %d: %v", n, sent.Err)
				}
				if sent.Rate < last || sent.Rate > s.driver.Fees.Max+100 {
					t.Fatalf("block %d: %s after %s", n, sent.Rate, last)
				}
				last = sent.Rate
				raised++
			}
			if s.pool(s.funding.Outpoint) == nil {
				t.Fatalf("block %d: the commitment is not in the mempool", n)
			}
		}
		if raised < 5 || last < s.driver.Fees.Max*8/10 {
			t.Errorf("raised %d times, to %s", raised, last)
		}
		s.block()
		if s.last.Plan.End != Ours {
			t.Errorf("%s", s.last.Plan.End)
		}
		for range Buried {
			if n := len(s.wallet.Reservations()); n != 1 {
				t.Fatalf("%d reservations before the commitment is buried", n)
			}
			s.block()
		}
		if n := len(s.wallet.Reservations()); n != 0 {
			t.Errorf("%d coins are never free again", n)
		}
	})
}

// However little an output has, it is claimed: for less than it is worth, with
// an output above dust, whatever fees others pay.
func TestSmallClaims(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		c := newChain(t)
		for _, number := range []int{0, 1} {
			x := plain(t, c, kind)
			for i := range x.states {
				x.states[i].HTLCs = slices.Clone(x.states[i].HTLCs)
				for j := range x.states[i].HTLCs {
					h := &x.states[i].HTLCs[j]
					x.states[i].Balance[h.OfferedBy] += h.Amount - 354_000
					h.Amount = 354_000
				}
			}
			x.our = x.states[1]
			s := newScene(t, c, x)
			s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(100), Max: wallet.SatPerVByte(200)}
			a := knowing(s)
			s.block(s.theirs[number].tx)
			for range 8 {
				s.mine() // nothing confirms until the deadline: fees rise as far as they may
				s.step()
				for _, sent := range s.last.Sent {
					if errors.As(sent.Err, new(*chain.Rejection)) {
						t.Fatalf("%s: %v", sent.Action.Reason, sent.Err)
					}
				}
			}
			a.greedy(60)
			s.finish(false)
		}
	})
}

// A claim that pays for itself is replaced towards its deadline, and by a driver
// that has just started too: it knows its own transaction by its script.
func TestClaimIsRaised(t *testing.T) {
	c := newChain(t)
	x := plain(t, c, commitment.Anchors)
	s := newScene(t, c, x)
	s.mine(s.theirs[0].tx) // revoked, delay 10
	s.step()
	var local btcwire.OutPoint
	for i, out := range s.theirs[0].Outputs {
		if out.Kind == commitment.ToLocal {
			local = btcwire.OutPoint{Hash: s.theirs[0].Txid, Index: uint32(i)}
		}
	}
	before := s.pool(local)
	if before == nil {
		t.Fatal("to_local is not punished")
	}
	fees := func(tx *btcwire.MsgTx) int64 { return 400_000_000/1000 - tx.TxOut[0].Value }
	first := fees(before)
	for n := range 8 {
		if n%2 == 0 {
			s.driver = &Driver{Wallet: s.wallet}
			s.step()
			if now := fees(s.pool(local)); now != fees(before) {
				t.Fatalf("a restart pays %d sat instead of %d", now, fees(before))
			}
		}
		s.mine()
		s.step()
		after := s.pool(local)
		if after == nil || fees(after) < fees(before) || string(after.TxOut[0].PkScript) != string(s.script) {
			t.Fatalf("block %d: %v after %v", n, after, before)
		}
		before = after
	}
	if fees(before) <= 3*first {
		t.Errorf("from %d to %d sat one block before the deadline", first, fees(before))
	}
}

// A preimage is told as soon as it is in the mempool.
func TestPreimageInMempool(t *testing.T) {
	c := newChain(t)
	s := newScene(t, c, plain(t, c, commitment.Anchors))
	a := knowing(s)
	s.channel.Failed = true
	s.step()
	s.block()
	if s.last.Plan.End != Ours {
		t.Fatalf("%s", s.last.Plan.End)
	}
	for _, claim := range a.claims(s.ours.Txid) {
		if claim.Kind == commitment.ClaimHTLCSuccess {
			tx, err := commitment.NewSpend(2, []*commitment.Claim{claim}, nil, []*btcwire.TxOut{btcwire.NewTxOut(claim.Output.Value-1000, anyone)})
			check(t, err)
			check(t, commitment.SignSpend(tx, []*commitment.Claim{claim}))
			check(t, c.Submit(t.Context(), []*btcwire.MsgTx{tx}))
		}
	}
	s.step()
	if s.events[0] != "fulfilled" || s.events[1] != "" {
		t.Errorf("%v", s.events)
	}
}

// Who was away while everything happened and was buried learns the preimage all
// the same, and tells one end.
func TestAwayForLong(t *testing.T) {
	c := newChain(t)
	s := newScene(t, c, plain(t, c, commitment.ZeroFee))
	a := knowing(s)
	s.mine(s.ours.tx)
	for _, claim := range a.claims(s.ours.Txid) {
		if claim.Kind == commitment.ClaimHTLCSuccess {
			s.mine(s.pay(claim))
		}
	}
	for range 10 {
		s.mine()
	}
	s.step()
	if s.events[0] != "fulfilled" || s.events[1] != "" {
		t.Errorf("%v", s.events)
	}
	if len(s.last.Plan.Gone) > 0 {
		t.Errorf("fulfilled and gone: %v", s.last.Plan.Gone)
	}
}

// The peer's commitment in the mempool is helped, not fought: through our own
// anchor of it.
func TestPeersCommitmentIsBumped(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		s := newScene(t, newChain(t), quiet(kind))
		tx := s.theirs[0].tx
		if kind == commitment.Anchors {
			check(t, s.chain.Submit(t.Context(), []*btcwire.MsgTx{tx}))
		} else {
			child := s.anchorChild(s.theirs[0])
			check(t, s.chain.Submit(t.Context(), []*btcwire.MsgTx{tx, child}))
		}
		s.channel.Failed = true
		s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(20), Max: wallet.SatPerVByte(60)}
		for range 100 {
			s.mine()
			s.step()
		}
		if got := s.pool(s.funding.Outpoint); got == nil || got.TxHash() != tx.TxHash() {
			t.Fatal("the peer's commitment is gone")
		}
		if len(s.others(nil)) != 2 {
			t.Fatalf("%d transactions in the mempool", len(s.others(nil)))
		}
		coins := s.wallet.Reservations()
		if len(coins) != 1 {
			t.Errorf("reserved: %v", coins)
		}
		s.block()
		if s.last.Plan.End != Theirs {
			t.Errorf("%s", s.last.Plan.End)
		}
	})
}

// anchorChild is a poor child of a commitment that pays no fee.
func (s *scene) anchorChild(c signed) *btcwire.MsgTx {
	s.t.Helper()
	claims, err := c.OwnClaims(s.secrets[s.them], s.keys[s.them], c.sigs, nil)
	check(s.t, err)
	coin, err := s.chain.Fund(anyone, 10_000)
	check(s.t, err)
	s.mine(s.chain.Mempool()...)
	for _, claim := range claims {
		if claim.Kind == commitment.ClaimSharedAnchor {
			in := &btcwire.TxIn{PreviousOutPoint: coin, Sequence: replaceable}
			tx, err := commitment.NewSpend(3, []*commitment.Claim{claim}, []*btcwire.TxIn{in}, []*btcwire.TxOut{btcwire.NewTxOut(9_900, anyone)})
			check(s.t, err)
			check(s.t, commitment.SignSpend(tx, []*commitment.Claim{claim}))
			tx.TxIn[1].Witness = btcwire.TxWitness{{0x51}}

			return tx
		}
	}
	s.t.Fatal("no shared anchor")

	return nil
}

// A commitment from after our last backup: to_remote is ours, and an HTLC of
// ours does not end before its output can have been taken.
func TestUnknownCommitment(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		c := newChain(t)
		x := plain(t, c, kind)
		later := x.our
		later.Number, later.Balance = 7, [2]commitment.MilliSat{300_000_000, 500_000_000}
		s := newScene(t, c, x)
		s.channel.Stale, s.channel.Failed = true, true
		tx := s.sign(s.them, later)
		s.block(tx.tx)
		if s.last.Plan.End != Unknown {
			t.Fatalf("%s", s.last.Plan.End)
		}
		for range 12 {
			s.block()
		}
		if len(s.events) > 0 {
			t.Errorf("an HTLC ended before its expiry: %v", s.events)
		}
		for i, out := range tx.Outputs {
			spend, spent := s.spend(btcwire.OutPoint{Hash: tx.Txid, Index: uint32(i)})
			if ours := out.Kind == commitment.ToRemote; ours != spent || ours && !s.paysUs(spend.Tx) {
				t.Errorf("%s: spent %v", out.Kind, spent)
			}
		}
		for range 40 {
			s.block()
		}
		if s.events[0] != "failed" || s.events[1] != "failed" || !s.last.Plan.Settled() {
			t.Errorf("%v, depth %d", s.events, s.last.Plan.Depth)
		}
	})
}

// A mutual close that the peer completed out of an offer of ours is known by its
// scripts, and buried it is the end.
func TestMutualCloseByScripts(t *testing.T) {
	s := newScene(t, newChain(t), quiet(commitment.Anchors))
	s.channel.Scripts = [2][]byte{s.script, anyone}
	close := &commitment.Closing{
		Funding: s.funding, Balance: s.ours.State.Balance, Scripts: s.channel.Scripts, DustLimit: [2]commitment.Sat{354, 354},
	}
	sig, err := close.Sign(500, s.keys[s.us])
	check(t, err)
	unsigned, err := close.Verify(500, s.us, sig)
	check(t, err)
	tx, err := close.Complete(unsigned, s.keys[s.them], sig)
	check(t, err)
	s.block(tx)
	if s.last.Plan.End != Mutual || s.last.Plan.Settled() {
		t.Fatalf("%s, depth %d", s.last.Plan.End, s.last.Plan.Depth)
	}
	for range Buried - 1 {
		s.block()
	}
	if !s.last.Plan.Settled() || s.last.Plan.Done() {
		t.Errorf("depth %d", s.last.Plan.Depth)
	}
	for range Forgotten - Buried {
		s.block()
	}
	if !s.last.Plan.Done() {
		t.Errorf("depth %d", s.last.Plan.Depth)
	}
}

// Without a wallet the commitment goes out all the same; without coins, what
// pays for itself is claimed.
func TestPoor(t *testing.T) {
	c := newChain(t)
	x := plain(t, c, commitment.Anchors)
	x.coins = 0
	s := newScene(t, c, x)
	s.learn(s.find(s.them, 0))
	s.channel.Failed = true
	s.driver = &Driver{Wallet: s.wallet, Fees: exit.Fees{Start: wallet.SatPerVByte(30), Max: wallet.SatPerVByte(30)}}
	s.step()
	if s.pool(s.funding.Outpoint) == nil {
		t.Fatalf("it pays something, and is not published: %+v", s.last.Sent)
	}
	s.driver = &Driver{}
	s.step()
	s.block()
	if s.last.Plan.End != Ours || len(s.last.Sent) != 0 {
		t.Fatalf("%s, %d sent", s.last.Plan.End, len(s.last.Sent))
	}
	s.driver = &Driver{Wallet: s.wallet}
	s.step()
	if len(s.last.Sent) != 1 || !errors.As(s.last.Sent[0].Err, new(*wallet.ShortError)) {
		t.Errorf("an HTLC transaction without a coin: %+v", s.last.Sent)
	}
	for range 12 {
		s.block()
	}
	for i, out := range s.ours.Outputs {
		if out.Kind != commitment.ToLocal {
			continue
		}
		if spend, spent := s.spend(btcwire.OutPoint{Hash: s.ours.Txid, Index: uint32(i)}); !spent || !s.paysUs(spend.Tx) {
			t.Error("to_local is not claimed")
		}
	}
}

// What is decided names its rule and its deadline.
func TestDeadlines(t *testing.T) {
	c := newChain(t)
	s := newScene(t, c, plain(t, c, commitment.Anchors))
	s.learn(s.find(s.them, 0))
	s.block(s.theirs[0].tx)
	for _, a := range s.last.Plan.Publish {
		if a.Claim.Kind == commitment.ClaimPenalty && (a.Rule != rule.CHAN025 || a.Deadline != s.height+9) {
			t.Errorf("%s: %s by %d at %d", a.Reason, a.Rule, a.Deadline, s.height)
		}
	}
	s = newScene(t, c, plain(t, c, commitment.Anchors))
	s.learn(s.find(s.them, 0))
	s.block(s.theirs[1].tx)
	found := false
	for _, a := range s.last.Plan.Publish {
		if a.Claim.Kind == commitment.ClaimHTLCSuccess {
			found = true
			if a.Rule != rule.CHAN026 || a.Deadline != a.Claim.HTLC.Expiry {
				t.Errorf("%s: %s by %d at %d", a.Reason, a.Rule, a.Deadline, s.height)
			}
		}
	}
	own := newScene(t, c, plain(t, c, commitment.Anchors))
	own.learn(own.find(own.them, 0))
	own.channel.Failed = true
	own.step()
	if a := own.last.Plan.Publish[0]; a.Deadline != own.find(own.them, 0).Expiry-Confirm {
		t.Errorf("the commitment by %d, its HTLC expires at %d", a.Deadline, own.find(own.them, 0).Expiry)
	}
	if !found || s.last.Plan.Again != s.find(s.us, 0).Expiry {
		t.Errorf("success claimed %v, again at %d", found, s.last.Plan.Again)
	}
}
