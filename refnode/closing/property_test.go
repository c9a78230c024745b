package closing

import (
	"context"
	"crypto/sha256"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"
	"pgregory.net/rapid"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/commitment"
)

// drawTerms draws a channel with a history: states that follow one another by
// HTLCs that come and go.
func drawTerms(t *rapid.T, height commitment.Height) terms {
	x := terms{
		kind:  rapid.SampledFrom([]commitment.Type{commitment.Anchors, commitment.ZeroFee}).Draw(t, "type"),
		us:    rapid.SampledFrom([]commitment.Side{commitment.Opener, commitment.Accepter}).Draw(t, "we"),
		coins: 14, inFactory: rapid.Bool().Draw(t, "factory"),
	}
	for side := range x.delay {
		x.delay[side] = uint16(rapid.IntRange(4, 15).Draw(t, "delay"))
	}
	balance := [2]commitment.MilliSat{600_000_000, 400_000_000}
	var htlcs []commitment.HTLC
	var ids [2]uint64
	for n := range rapid.IntRange(1, 4).Draw(t, "states") {
		for range rapid.IntRange(0, 4).Draw(t, "adds") {
			h := commitment.HTLC{
				OfferedBy: rapid.SampledFrom([]commitment.Side{commitment.Opener, commitment.Accepter}).Draw(t, "by"),
				Amount:    rapid.SampledFrom([]commitment.MilliSat{100_000, 354_000, 700_500, 20_000_000}).Draw(t, "amount"),
				Expiry:    height + commitment.Height(rapid.IntRange(3, 40).Draw(t, "expiry")),
			}
			h.ID = ids[h.OfferedBy]
			ids[h.OfferedBy]++
			preimage := preimageOf(h)
			h.Hash = sha256.Sum256(preimage[:])
			balance[h.OfferedBy] -= h.Amount
			htlcs = append(htlcs, h)
		}
		for len(htlcs) > 0 && rapid.IntRange(0, 2).Draw(t, "removes") == 0 {
			to := htlcs[0].OfferedBy
			if rapid.Bool().Draw(t, "fulfilled") {
				to = to.Other()
			}
			balance[to] += htlcs[0].Amount
			htlcs = htlcs[1:]
		}
		state := commitment.State{Number: commitment.Number(n), Balance: balance, HTLCs: htlcs}
		if x.kind == commitment.Anchors {
			state.Feerate = 500
		}
		x.states = append(x.states, state)
	}
	x.revoked = len(x.states) - 1
	x.our = x.states[len(x.states)-1]
	if x.revoked > 0 && rapid.Bool().Draw(t, "revocation awaited") {
		x.revoked--
		x.our = x.states[x.revoked]
	}

	return x
}

// adversary is what the other side may do: publish any commitment that it ever
// had, and take whatever a script lets it take, at any time.
type adversary struct {
	s     *scene
	t     *rapid.T
	knows map[[32]byte][32]byte // preimages of what we offered
}

// moves are its transactions for the next block, which go in first.
func (a *adversary) moves() (txs []*btcwire.MsgTx) {
	s := a.s
	spend, spent := s.spend(s.funding.Outpoint)
	if !spent {
		if rapid.IntRange(0, 5).Draw(a.t, "publish") == 0 {
			n := rapid.IntRange(0, len(s.theirs)-1).Draw(a.t, "number")
			txs = append(txs, s.theirs[n].tx)
		}

		return txs
	}
	at := commitment.Height(spend.Block.Height)
	for _, claim := range a.claims(spend.Tx.TxHash()) {
		if !a.may(claim, at) || rapid.IntRange(0, 3).Draw(a.t, "take") != 0 {
			continue
		}
		txs = append(txs, s.pay(claim))
	}

	return txs
}

// claims are those of the adversary on the commitment that is in a block.
func (a *adversary) claims(txid [32]byte) (claims []*commitment.Claim) {
	s := a.s
	var err error
	if s.ours.Txid == txid {
		claims, err = s.ours.OtherClaims(s.secrets[s.them], s.keys[s.them], a.knows)
		check(s.t, err)

		return claims
	}
	for _, c := range s.theirs {
		if c.Txid != txid {
			continue
		}
		claims, err = c.OwnClaims(s.secrets[s.them], s.keys[s.them], c.sigs, a.knows)
		check(s.t, err)
		for _, claim := range claims {
			if second, spent := s.spend(claim.Outpoint); spent && claim.Kind == commitment.ClaimHTLCTx {
				after, err := c.SecondStageClaims(s.secrets[s.them], second.Tx)
				check(s.t, err)
				claims = append(claims, after...)
			}
		}
	}

	return claims
}

// may reports whether consensus takes a claim in the next block.
func (a *adversary) may(c *commitment.Claim, at commitment.Height) bool {
	s := a.s
	if isAnchor(c) {
		return false
	}
	if c.Kind == commitment.ClaimSecondStage {
		second, found, err := s.chain.Transaction(context.Background(), c.Outpoint.Hash)
		check(s.t, err)
		if !found || !second.Confirmed {
			return false
		}
		at = commitment.Height(second.Block.Height)
	}
	_, spent := s.spend(c.Outpoint)

	return !spent && s.height+1 >= at+commitment.Height(c.Wait) && s.height >= c.LockTime
}

// TestEverythingIsClaimed lets an adversary do what it can, with reorganisations
// and restarts between, and looks at the chain in the end: everything that was
// ours is ours, and every HTLC had one end.
func TestEverythingIsClaimed(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		chain, err := embedded.New(embedded.Config{})
		check(rt, err)
		defer func() { _ = chain.Close() }()
		tip, err := chain.Tip(t.Context())
		check(rt, err)
		s := newScene(rt, chain, drawTerms(rt, commitment.Height(tip.Height)))
		a := &adversary{s: s, t: rt, knows: map[[32]byte][32]byte{}}
		for _, h := range s.channel.HTLCs {
			if h.By == s.us && rapid.Bool().Draw(rt, "known") {
				a.knows[h.Hash] = preimageOf(commitment.HTLC{OfferedBy: h.By, ID: uint64(h.ID)})
			}
		}
		reorgs := s.play(rt, a)
		s.finish(reorgs == 0)
		seen[s.last.Plan.End.String()]++
		for _, e := range s.events {
			seen[e]++
		}
		if reorgs > 0 {
			seen["reorganised"]++
		}
	})
	t.Log(seen)
	for _, what := range []string{Ours.String(), Theirs.String(), Revoked.String(), "fulfilled", "failed", "reorganised"} {
		if seen[what] == 0 && !testing.Short() {
			t.Errorf("never seen: %s", what)
		}
	}
}

// play goes on for as long as something can happen. It returns the number of
// reorganisations.
func (s *scene) play(rt *rapid.T, a *adversary) (reorgs int) {
	shaky := rapid.IntRange(0, 2).Draw(rt, "shaky") == 2
	s.step()
	for range 50 {
		for i := range s.channel.HTLCs {
			h := &s.channel.HTLCs[i]
			if h.By == s.them && h.Preimage == nil && rapid.IntRange(0, 9).Draw(rt, "learn") == 0 {
				s.learn(h)
			}
		}
		switch what := rapid.IntRange(0, 39).Draw(rt, "happens"); {
		case what == 39 || what == 38:
			s.channel.Failed = true
			s.step()
		case what == 37 || what == 36:
			s.driver = &Driver{Wallet: s.wallet} // a restart
			s.step()
		case what == 35 && shaky:
			if depth := rapid.IntRange(1, 3).Draw(rt, "depth"); len(s.blocks) >= depth {
				check(s.t, s.chain.Reorg(uint32(depth)))
				s.height++
				reorgs++
				s.step()
			}
		}
		s.block(a.moves()...)
	}
	s.channel.Failed = true
	s.step()
	for range 50 { // past every expiry and delay
		s.block()
	}

	return reorgs
}
