package exit_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/wallet"
	"superscalar/wire/rule"
)

// faulty is a backend that fails when told to.
type faulty struct {
	chain.Interface
	fail func(call string) error
	// after lets a submission through before the error comes back.
	after bool
}

var errBackend = errors.New("connection refused")

func (f *faulty) Tip(ctx context.Context) (chain.BlockID, error) {
	if err := f.fail("tip"); err != nil {
		return chain.BlockID{}, err
	}

	return f.Interface.Tip(ctx)
}

func (f *faulty) Spend(ctx context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	if err := f.fail("spend"); err != nil {
		return chain.Spend{}, false, err
	}

	return f.Interface.Spend(ctx, o)
}

func (f *faulty) Transaction(ctx context.Context, txid chainhash.Hash) (chain.Transaction, bool, error) {
	if err := f.fail("transaction"); err != nil {
		return chain.Transaction{}, false, err
	}

	return f.Interface.Transaction(ctx, txid)
}

func (f *faulty) Submit(ctx context.Context, pkg chain.Package) error {
	err := f.fail("submit")
	if err != nil && f.after {
		err = errors.Join(f.Interface.Submit(ctx, pkg), err)
	}
	if err != nil {
		return err
	}

	return f.Interface.Submit(ctx, pkg)
}

// TestBackendErrors fails each call once, before or after it took effect, and
// wants the exit to go on with the next step, with one coin.
func TestBackendErrors(t *testing.T) {
	for _, tt := range []struct {
		name, call string
		after      bool
	}{
		{"tip", "tip", false},
		{"spend", "spend", false},
		{"transaction", "transaction", false},
		{"submit", "submit", false},
		{"submit, answer lost", "submit", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, "kickoff 1 / ps 1", map[int]int{0: 1})
			broken := true
			backend := &faulty{Interface: w.chain, after: tt.after, fail: func(call string) error {
				if broken && call == tt.call {
					return errBackend
				}

				return nil
			}}
			d := w.newDriver(exit.Config{Holder: w.held(0), Party: exit.Client(0), Chain: backend, Wallet: w.wallets[0]})
			d.Leave()
			if _, err := d.Step(w.ctx); !errors.Is(err, errBackend) {
				t.Fatalf("error %v", err)
			}
			broken = false
			r := w.step(d)[0]
			if tt.after == (len(r.Sent) > 0) {
				t.Errorf("the next step sent %+v", r.Sent)
			}
			w.mine(1)
			if !w.confirmed(w.node(0, 0).Tx.Txid) {
				t.Error("the kickoff is not in a block")
			}
		})
	}
}

// TestFeesRise keeps a kickoff out of blocks: each step replaces its child by
// one that pays more, out of the same coin, up to the highest rate.
func TestFeesRise(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", map[int]int{0: 2})
	d := w.newDriver(exit.Config{
		Holder: w.held(0), Party: exit.Client(0), Chain: w.chain, Wallet: w.wallets[0],
		Fees: exit.Fees{Start: wallet.SatPerVByte(2), Max: wallet.SatPerVByte(50)},
	})
	d.Leave()
	coins := map[btcwire.OutPoint]bool{}
	var last exit.Sent
	for i := range 5 {
		r := w.step(d)[0]
		if len(r.Sent) == 1 {
			s := r.Sent[0]
			if i > 0 && (!s.Raised || s.Rate <= last.Rate || s.Fee <= last.Fee) {
				t.Errorf("step %d: %s and %d sat after %s and %d sat", i, s.Rate, s.Fee, last.Rate, last.Fee)
			}
			last = s
		} else if last.Rate != wallet.SatPerVByte(50) {
			t.Errorf("step %d: nothing sent at %s", i, last.Rate)
		}
		pool := w.chain.Mempool()
		if len(pool) != 2 {
			t.Fatalf("step %d: %d transactions in the mempool", i, len(pool))
		}
		coins[pool[1].TxIn[1].PreviousOutPoint] = true
		w.force() // an empty block
	}
	if len(coins) != 1 {
		t.Errorf("%d coins were used for one bump", len(coins))
	}
	if last.Rate != wallet.SatPerVByte(50) {
		t.Errorf("the last rate was %s", last.Rate)
	}
}

// TestRestart makes a driver anew while its package is in the mempool: it
// outbids itself with the same coin when it has to.
func TestRestart(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", map[int]int{0: 3})
	d := w.driver(0, false)
	d.Leave()
	w.step(d)
	before := w.chain.Mempool()[1].TxIn[1].PreviousOutPoint
	w.force()
	d = w.driver(0, false)
	d.Leave()
	w.step(d)
	w.force()
	w.step(d)
	pool := w.chain.Mempool()
	if len(pool) != 2 || pool[1].TxIn[1].PreviousOutPoint != before {
		t.Fatalf("%d transactions in the mempool, another coin: %v", len(pool), pool[1].TxIn[1].PreviousOutPoint != before)
	}
	if ids := w.wallets[0].Reservations(); len(ids) != 1 {
		t.Errorf("reservations %v", ids)
	}
	w.mine(1)
	for range 20 {
		w.step(d)
		w.mine(1)
	}
	if ids := w.wallets[0].Reservations(); len(ids) != 0 {
		t.Errorf("reservations %v long after the exit", ids)
	}
	if got := len(w.wallets[0].Coins()); got != 3 {
		t.Errorf("%d coins, want the two that were not needed and the change of one", got)
	}
}

// TestReorg takes an exit back and wants it done again.
func TestReorg(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", map[int]int{0: 2})
	w.sell(0, 20_000)
	d := w.driver(0, false)
	d.Leave()
	done := func() bool {
		for _, c := range w.held(0).Tree().Channels(0) {
			if !w.unspent(c.Outpoint) {
				return false
			}
		}

		return true
	}
	start := w.tip()
	w.walk(20, done, d)
	if err := w.chain.Reorg(uint32(w.tip() - start)); err != nil {
		t.Fatal(err)
	}
	if done() {
		t.Fatal("the reorganisation took nothing back")
	}
	w.walk(20, done, d)
}

// TestWithoutCoins lists nothing that the client could not pay for.
func TestWithoutCoins(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", nil)
	d := w.driver(0, true)
	d.Leave()
	if r := w.step(d)[0]; len(r.Plan.Publish) != 0 {
		t.Errorf("plan %+v", r.Plan.Publish)
	}
	machine := exit.New(w.held(0), exit.Client(0), rule.Set{})
	plan := machine.Plan(chainView{w, w.tip()}, exit.Intent{Leave: true, Coins: true})
	if len(plan.Publish) != 1 || plan.Publish[0].Kind() != "kickoff" || plan.Again != w.expiry() {
		t.Errorf("with coins: %+v", plan)
	}
}

// TestCoinTooSmall pays what the coin has, and says so when it has nothing to
// pay with.
func TestCoinTooSmall(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", nil)
	w.fund(0, 900, 1)
	w.mine(1)
	cfg := exit.Config{
		Holder: w.held(0), Party: exit.Client(0), Chain: w.chain, Wallet: w.wallets[0],
		Fees: exit.Fees{Start: wallet.SatPerVByte(10), Max: wallet.SatPerVByte(50)},
	}
	d := w.newDriver(cfg)
	d.Leave()
	r, err := d.Step(w.ctx)
	if err != nil || len(r.Sent) != 1 || r.Sent[0].Err != nil || r.Sent[0].Rate >= cfg.Fees.Start || r.Sent[0].Fee > 570 {
		t.Fatalf("sent %+v, %v", r.Sent, err)
	}
	// A larger coin comes too late: the small one is in use by the child in
	// the mempool and is not given away under it.
	w.fund(0, 100_000, 1)
	funding := w.chain.Mempool()[2]
	w.force(funding)
	w.force()
	r, err = d.Step(w.ctx)
	var short *wallet.ShortError
	if err != nil || len(r.Sent) != 1 || !errors.As(r.Sent[0].Err, &short) {
		t.Fatalf("sent %+v, %v", r.Sent, err)
	}
	if ids := w.wallets[0].Reservations(); len(ids) != 1 {
		t.Errorf("reservations %v", ids)
	}
	w.mine(1)
	if !w.confirmed(w.node(0, 0).Tx.Txid) {
		t.Error("the kickoff is not in a block")
	}
}

func TestBadConfig(t *testing.T) {
	w := newWorld(t, 1, "kickoff 1 / ps 1", nil)
	for _, tt := range []struct {
		name string
		cfg  exit.Config
	}{
		{"no holder", exit.Config{Chain: w.chain}},
		{"no chain", exit.Config{Holder: w.held(0)}},
		{"fees fall", exit.Config{Holder: w.held(0), Chain: w.chain, Fees: exit.Fees{Start: 3, Max: 2}}},
		{"no fees", exit.Config{Holder: w.held(0), Chain: w.chain, Fees: exit.Fees{Max: 2}}},
	} {
		if _, err := exit.NewDriver(tt.cfg); !errors.Is(err, exit.ErrConfig) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := exit.Preview(w.held(0).Tree(), 7); err == nil {
		t.Error("a preview for a client that does not exist")
	}
}

// TestRulesSwitchOff shows that each rule is what makes the machine act: the
// mutants of the suite switch them off one by one.
func TestRulesSwitchOff(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
	w.sell(1, 20_000)
	w.leafOut()
	h := w.tip()
	p := w.factory().Params
	for _, tt := range []struct {
		id     rule.ID
		who    exit.Party
		height factory.Height
		want   string
	}{
		{rule.PS023, exit.LSP(), h, "sale"},
		{rule.PS025, exit.Client(1), h + factory.Height(p.OmissionDelay), "omission"},
		{rule.DIST009, exit.Client(0), p.Expiry, "distribution"},
	} {
		t.Run(string(tt.id), func(t *testing.T) {
			var holder exit.Holder = w.factory()
			if !tt.who.LSP {
				holder = w.held(int(tt.who.Client))
			}
			for _, on := range []bool{true, false} {
				rules := rule.Set{}
				if !on {
					rules = rule.Without(tt.id)
				}
				plan := exit.New(holder, tt.who, rules).Plan(chainView{w, tt.height}, exit.Intent{Coins: true})
				found := slices.ContainsFunc(plan.Publish, func(a exit.Action) bool { return a.Rule == tt.id && a.Kind() == tt.want })
				if found != on {
					t.Errorf("rule on %v: %+v", on, plan.Publish)
				}
			}
		})
	}
}
