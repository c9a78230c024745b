package closing

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/commitment"
	"superscalar/wire/rule"
)

// plain are terms with two HTLCs each way, the first of each with a preimage
// that the other side knows, and one revoked commitment with the same HTLCs.
func plain(t testing.TB, c *embedded.Chain, kind commitment.Type) terms {
	t.Helper()
	tip, err := c.Tip(context.Background())
	check(t, err)
	state := commitment.State{Balance: [2]commitment.MilliSat{400_000_000, 400_000_000}}
	if kind == commitment.Anchors {
		state.Feerate = 500
	}
	for id := range uint64(2) {
		for _, by := range []commitment.Side{commitment.Opener, commitment.Accepter} {
			h := commitment.HTLC{OfferedBy: by, ID: id, Amount: 50_000_000, Expiry: commitment.Height(tip.Height) + 20}
			preimage := preimageOf(h)
			h.Hash = sha256.Sum256(preimage[:])
			state.HTLCs = append(state.HTLCs, h)
		}
	}
	next := state
	next.Number = 1

	return terms{
		kind: kind, us: commitment.Opener, delay: [2]uint16{10, 10}, coins: 10,
		states: []commitment.State{state, next}, our: next, revoked: 1,
	}
}

func newChain(t testing.TB) *embedded.Chain {
	t.Helper()
	c, err := embedded.New(embedded.Config{})
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })

	return c
}

func bothTypes(t *testing.T, test func(*testing.T, commitment.Type)) {
	for _, kind := range []commitment.Type{commitment.Anchors, commitment.ZeroFee} {
		t.Run(kind.String(), func(t *testing.T) { test(t, kind) })
	}
}

// judge is a fatal that remembers what was wrong.
type judge struct{ fault string }

type verdict struct{}

func (j *judge) Helper() {}
func (j *judge) Fatal(args ...any) {
	j.fault = fmt.Sprint(args...)
	panic(verdict{})
}
func (j *judge) Fatalf(format string, args ...any) { j.Fatal(fmt.Sprintf(format, args...)) }

// try plays a scene and returns what was wrong with its end, "" for nothing.
func try(c *embedded.Chain, x terms, play func(*scene)) (fault string) {
	j := &judge{}
	defer func() {
		fault = j.fault
		if r := recover(); r != nil && r != (verdict{}) {
			panic(r)
		}
	}()
	s := newScene(j, c, x)
	play(s)
	s.finish(true)

	return
}

// knowing gives us the preimage of the adversary's first HTLC.
func knowing(s *scene) *adversary {
	s.learn(s.find(s.them, 0))
	h := s.find(s.us, 0)

	return &adversary{s: s, knows: map[[32]byte][32]byte{h.Hash: preimageOf(commitment.HTLC{OfferedBy: h.By})}}
}

// greedy lets the adversary take everything as soon as it may.
func (a *adversary) greedy(blocks int) {
	s := a.s
	for range blocks {
		var txs []*btcwire.MsgTx
		if spend, spent := s.spend(s.funding.Outpoint); spent {
			for _, claim := range a.claims(spend.Tx.TxHash()) {
				if a.may(claim, commitment.Height(spend.Block.Height)) {
					txs = append(txs, s.pay(claim))
				}
			}
		}
		s.block(txs...)
	}
}

// TestRules shows that each rule is what makes the difference, as a whole and in
// each part: without it the same play ends badly.
func TestRules(t *testing.T) {
	own := func(s *scene) {
		a := knowing(s)
		s.channel.Failed = true
		s.step()
		s.block()
		a.greedy(60)
	}
	other := func(s *scene) {
		a := knowing(s)
		s.block(s.theirs[1].tx)
		s.block()
		a.greedy(60)
	}
	cheat := func(s *scene) {
		a := knowing(s)
		s.block(s.theirs[0].tx)
		s.block()
		a.greedy(60)
	}
	// It puts its second stages into the block after its commitment, before we
	// can.
	fast := func(s *scene) {
		a := knowing(s)
		s.mine(s.theirs[0].tx)
		a.greedy(60)
	}
	for _, test := range []struct {
		name string
		off  rule.ID
		play func(*scene)
	}{
		{"ours-success", rule.CHAN026 + "/success", own},
		{"ours-timeout", rule.CHAN026 + "/timeout", own},
		{"theirs-success", rule.CHAN026 + "/success", other},
		{"theirs-timeout", rule.CHAN026 + "/timeout", other},
		{"revoked", rule.CHAN025, cheat},
		{"revoked-htlc", rule.CHAN025 + "/htlc", cheat},
		{"revoked-second-stage", rule.CHAN025 + "/second-stage", fast},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothTypes(t, func(t *testing.T, kind commitment.Type) {
				c := newChain(t)
				x := plain(t, c, kind)
				if fault := try(c, x, test.play); fault != "" {
					t.Fatal(fault)
				}
				x = plain(t, c, kind)
				x.rules = rule.Without(test.off)
				if fault := try(c, x, test.play); fault == "" {
					t.Error("it makes no difference")
				}
			})
		})
	}
}

// A side that fell behind publishes nothing (CHAN-023).
func TestStale(t *testing.T) {
	c := newChain(t)
	for _, off := range []rule.ID{"", rule.CHAN023} {
		x := plain(t, c, commitment.Anchors)
		x.rules = rule.Without(off)
		s := newScene(t, c, x)
		s.channel.Failed, s.channel.Stale = true, true
		s.step()
		if published := len(s.last.Plan.Publish) > 0; published != (off != "") {
			t.Errorf("without %q: published %v", off, published)
		}
	}
}

// The output of a channel in a factory is spent by our commitment as soon as it
// is there, within S blocks, unless another one is (CHAN-024).
func TestFundingInFactory(t *testing.T) {
	c := newChain(t)
	for _, off := range []rule.ID{"", rule.CHAN024} {
		x := plain(t, c, commitment.ZeroFee)
		x.inFactory, x.rules = true, rule.Without(off)
		for i := range x.our.HTLCs {
			x.our.HTLCs[i].Expiry += 1000
		}
		s := newScene(t, c, x)
		s.step()
		if published := len(s.last.Plan.Publish) > 0; published != (off == "") {
			t.Fatalf("without %q: published %v", off, published)
		}
		if off != "" {
			continue
		}
		if a := s.last.Plan.Publish[0]; a.Rule != rule.CHAN024 || a.Deadline != s.height+Confirm {
			t.Errorf("%s by %d at %d", a.Rule, a.Deadline, s.height)
		}
		s.block()
		if s.last.Plan.End != Ours {
			t.Errorf("it ends by %s", s.last.Plan.End)
		}
	}
}
