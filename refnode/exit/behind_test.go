package exit_test

import (
	"context"
	"errors"
	"testing"

	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
)

// noBlocks is a node that answers everything but the blocks since the wallet's
// last look: it has pruned them.
type noBlocks struct{ chain.Interface }

func (noBlocks) Since(context.Context, chain.BlockID) (chain.Update, error) {
	return chain.Update{}, chain.ErrUnknownBlock
}

// TestWalletBehind: the wallet cannot follow the chain. Poison pays for itself
// and is published; the kickoff needs a coin, and a wallet that is behind does
// not know whether it still has one.
func TestWalletBehind(t *testing.T) {
	t.Run("poison", func(t *testing.T) {
		w := newWorld(t, 2, "kickoff 1 / dw 2", map[int]int{0: 1})
		w.update(0, 20_000)
		old := w.former(factory.NodeID{Level: 1}, 0).Node.Tx
		w.force(w.complete(w.factory(), w.node(0, 0).Tx))
		w.mine(16)
		w.force(w.complete(w.factory(), old))
		payout, err := keys(w.name(0, 2)).Payout(w.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.wallets[0].Sync(w.ctx, w.chain); err != nil {
			t.Fatal(err)
		}
		d := w.newDriver(exit.Config{
			Holder: w.held(0), Party: exit.Client(0), Chain: noBlocks{w.chain}, Wallet: w.wallets[0], Payout: payout,
		})
		r, err := d.Step(w.ctx)
		if !errors.Is(err, chain.ErrUnknownBlock) {
			t.Errorf("error %v", err)
		}
		if len(r.Sent) == 0 {
			t.Fatal("no poison is published")
		}
		for _, s := range r.Sent {
			if s.Action.Kind() != "poison" || s.Err != nil {
				t.Errorf("%s: %v", s.Action.Kind(), s.Err)
			}
		}
		if ids := w.wallets[0].Reservations(); len(ids) != 0 {
			t.Errorf("reservations %v: a coin it may not have", ids)
		}
	})
	t.Run("kickoff", func(t *testing.T) {
		w := newWorld(t, 1, "kickoff 1 / ps 1", map[int]int{0: 1})
		if err := w.wallets[0].Sync(w.ctx, w.chain); err != nil {
			t.Fatal(err)
		}
		d := w.newDriver(exit.Config{Holder: w.held(0), Party: exit.Client(0), Chain: noBlocks{w.chain}, Wallet: w.wallets[0]})
		d.Leave()
		r, err := d.Step(w.ctx)
		if !errors.Is(err, chain.ErrUnknownBlock) || len(r.Sent) != 0 || len(r.Plan.Unpaid) != 1 {
			t.Errorf("sent %+v, unpaid %+v, %v", r.Sent, r.Plan.Unpaid, err)
		}
	})
}

// TestOmissionInTime: client 1 bought the second sale of a chain, and the LSP
// withholds the first. Without a coin that pays for a sale the omission is
// published as soon as it is valid; with one that gets no sale into a block, at
// the latest confirm_blocks before the LSP may claim the stock.
func TestOmissionInTime(t *testing.T) {
	for _, tt := range []struct {
		name string
		coin factory.Sat
		late bool
	}{
		{"no coin", 0, false},
		{"a coin that pays for nothing", 400, false},
		{"a coin whose sales find no block", 100_000, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
			if tt.coin > 0 {
				w.fund(1, tt.coin, 1)
				w.mine(1)
			}
			w.sell(0, 20_000)
			w.sell(1, 20_000)
			sale := w.factory().Tree().Sales(factory.NodeID{Level: 1}, 0)[0]
			p := w.factory().Params
			w.force(w.complete(w.factory(), w.node(0, 0).Tx))
			w.mine(16)
			w.force(w.complete(w.factory(), w.node(1, 0).Tx))
			at := w.tip()
			claim := at + factory.Height(p.StockCSV)
			first := at + factory.Height(p.OmissionDelay) - 1
			if tt.late {
				first = claim - factory.Height(p.ConfirmBlocks) - 1
			}
			d := w.driver(1, true)
			sent := factory.Height(0)
			for w.tip()+1 < claim {
				r, err := d.Step(w.ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range r.Sent {
					if sent == 0 && s.Err == nil && s.Action.Kind() == "omission" {
						sent = r.Height
					}
				}
				w.force() // the sales stay in the mempool
			}
			if sent != first {
				t.Errorf("the omission, which pays %d sat, was published at height %d, want %d; the LSP may claim the stock at %d",
					sale.Omission.Pays(1), sent, first, claim)
			}
			if spend, found, err := w.chain.Spend(w.ctx, sale.Stock.Outpoint); err != nil || !found || spend.Tx.TxHash() != sale.Omission.Txid {
				t.Errorf("the mempool does not have the omission: %v, %v", found, err)
			}
		})
	}
}

// outbidder refuses every package as one that pays too little.
type outbidder struct {
	chain.Interface
	calls int
}

func (o *outbidder) Submit(ctx context.Context, pkg chain.Package) error {
	o.calls++
	if o.calls > 20 {
		return errBackend // this must end
	}

	return &chain.Rejection{Reason: chain.ReasonInsufficientFee, Index: 1}
}

// TestOutbid: a rival in the mempool pays more than our only coin can. The fee
// doubles until the coin pays no more, and what was refused is not taken for our
// own child afterwards.
func TestOutbid(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", nil)
	w.fund(0, 5_000, 1)
	w.mine(1)
	backend := &outbidder{Interface: w.chain}
	d := w.newDriver(exit.Config{
		Holder: w.held(0), Party: exit.Client(0), Chain: backend, Wallet: w.wallets[0],
		Fees: exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(100)},
	})
	d.Leave()
	for range 2 {
		backend.calls = 0
		r, err := d.Step(w.ctx)
		if err != nil || len(r.Sent) != 1 || !chain.IsRejection(r.Sent[0].Err, chain.ReasonInsufficientFee) {
			t.Fatalf("sent %+v, %v", r.Sent, err)
		}
		if backend.calls != 5 { // 2, 4, 8, 16 and what the coin has
			t.Errorf("%d submissions in one step", backend.calls)
		}
		if r.Sent[0].Raised {
			t.Error("it replaces what nobody took")
		}
	}
}
