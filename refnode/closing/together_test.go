package closing

import (
	"context"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/commitment"
	"superscalar/refnode/exit"
	"superscalar/refnode/wallet"
)

// picky is a mempool whose least feerate has risen above that of one transaction.
type picky struct {
	chain.Interface
	refuses chainhash.Hash
	asked   int
}

func (p *picky) Submit(ctx context.Context, pkg chain.Package) error {
	if txid := pkg[0].TxHash(); len(pkg) == 1 && txid == p.refuses {
		p.asked++

		return &chain.Rejection{Reason: chain.ReasonMempoolMinFee, Txid: txid}
	}

	return p.Interface.Submit(ctx, pkg)
}

// agreed has both sides sign a mutual close with a fee in sat.
func (s *scene) agreed(fee commitment.Sat) {
	s.t.Helper()
	s.channel.Scripts = [2][]byte{s.script, anyone}
	c := &commitment.Closing{
		Funding: s.funding, Balance: s.ours.State.Balance, Scripts: s.channel.Scripts, DustLimit: [2]commitment.Sat{354, 354},
	}
	sig, err := c.Sign(fee, s.keys[s.them])
	check(s.t, err)
	unsigned, err := c.Verify(fee, s.them, sig)
	check(s.t, err)
	s.channel.Close, err = c.Complete(unsigned, s.keys[s.us], sig)
	check(s.t, err)
}

// A mutual close that the mempool refuses for its fee has nothing that could pay for it: the
// commitment goes out in its stead, its fee rises, and what is ours in it is claimed.
func TestMutualCloseThatDoesNotRelay(t *testing.T) {
	bothTypes(t, func(t *testing.T, kind commitment.Type) {
		s := newScene(t, newChain(t), quiet(kind))
		s.driver.Fees = exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(50)}
		s.agreed(300)
		mempool := &picky{Interface: s.chain, refuses: s.channel.Close.TxHash()}
		step := func() (rate wallet.FeeRate) {
			t.Helper()
			check(t, s.wallet.Sync(t.Context(), s.chain))
			report, err := s.driver.Step(t.Context(), mempool, s.channel, s.script)
			check(t, err)
			for _, sent := range report.Sent {
				if sent.Err == nil {
					rate = sent.Rate
				}
			}

			return rate
		}
		first, last := step(), wallet.FeeRate(0)
		if tx := s.pool(s.funding.Outpoint); tx == nil || tx.TxHash() != s.ours.Txid {
			t.Fatalf("%v spends the funding output", tx)
		}
		for range Patience - 1 {
			s.mine() // miners leave it out
			last = max(last, step())
		}
		if first == 0 || last < s.driver.Fees.Max*8/10 {
			t.Errorf("from %s to %s", first, last)
		}
		if mempool.asked < int(Patience) {
			t.Errorf("the close is tried %d times", mempool.asked)
		}
		for range 10 + Buried + Buried {
			s.block()
		}
		if s.last.Plan.End != Ours || !s.last.Plan.Settled() {
			t.Errorf("%s, depth %d", s.last.Plan.End, s.last.Plan.Depth)
		}
		for i, out := range s.ours.Outputs {
			if out.Kind == commitment.ToLocal {
				if spend, found := s.spend(btcwire.OutPoint{Hash: s.ours.Txid, Index: uint32(i)}); !found || !s.paysUs(spend.Tx) {
					t.Error("to_local is not claimed")
				}
			}
		}
	})
}

// As long as the mempool takes it, the mutual close is all that is published, unless the owner
// orders a force close: then the commitment replaces it, and comes with a child. A side that fell
// behind publishes no commitment whatever the mempool says.
func TestMutualCloseOrForce(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*scene, *picky)
		want func(*scene) chainhash.Hash
	}{
		{"taken", func(*scene, *picky) {}, closeOf},
		{"taken, failed by the peer", func(s *scene, _ *picky) { s.channel.Failed = true }, closeOf},
		{"ordered", func(s *scene, _ *picky) { s.channel.Failed, s.channel.Ordered = true, true }, oursOf},
		{"ordered, nothing to pay with", func(s *scene, _ *picky) {
			s.channel.Failed, s.channel.Ordered = true, true
			s.driver.Wallet = nil
		}, func(s *scene) chainhash.Hash {
			if s.params.Type == commitment.ZeroFee {
				return closeOf(s) // it pays more than nothing
			}

			return oursOf(s)
		}},
		{"ordered, fell behind", func(s *scene, _ *picky) { s.channel.Failed, s.channel.Ordered, s.channel.Stale = true, true, true }, closeOf},
		{"refused, fell behind", func(s *scene, p *picky) { s.channel.Stale, p.refuses = true, s.channel.Close.TxHash() }, func(*scene) chainhash.Hash { return chainhash.Hash{} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothTypes(t, func(t *testing.T, kind commitment.Type) {
				s := newScene(t, newChain(t), quiet(kind))
				s.agreed(300)
				mempool := &picky{Interface: s.chain}
				if test.name != "refused, fell behind" {
					s.step() // the close is in the mempool
				}
				test.edit(s, mempool)
				for range 3 {
					_, err := s.driver.Step(t.Context(), mempool, s.channel, s.script)
					check(t, err)
				}
				var got chainhash.Hash
				if tx := s.pool(s.funding.Outpoint); tx != nil {
					got = tx.TxHash()
				}
				if want := test.want(s); got != want {
					t.Errorf("%s spends the funding output, want %s", got, want)
				}
			})
		})
	}
}

func closeOf(s *scene) chainhash.Hash { return s.channel.Close.TxHash() }
func oursOf(s *scene) chainhash.Hash  { return s.ours.Txid }
