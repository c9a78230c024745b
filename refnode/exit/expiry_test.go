package exit_test

import (
	"errors"
	"testing"

	"github.com/btcsuite/btcd/blockchain"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
)

// expiry is T.
func (w *world) expiry() factory.Height { return w.held(0).Tree().Factory().Terms().Params.Expiry }

// ruleError is the consensus rule for which a block was refused.
func ruleError(err error) (blockchain.ErrorCode, bool) {
	var r blockchain.RuleError
	ok := errors.Is(err, embedded.ErrBlockRefused) && errors.As(err, &r)

	return r.ErrorCode, ok
}

// TestDistributionBeforeExpiry is refused by consensus up to and including
// height T, and by the mempool.
func TestDistributionBeforeExpiry(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
	tx := w.complete(w.held(0), w.node(0, 0).Distribution)
	w.mineTo(w.expiry() - 1)
	if err := w.offer(tx, 5000); !chain.IsRejection(err, chain.ReasonNonFinal) {
		t.Errorf("mempool at T-1: %v", err)
	}
	_, err := w.chain.MineWith(tx)
	if code, ok := ruleError(err); !ok || code != blockchain.ErrUnfinalizedTx {
		t.Errorf("in block T: %v", err)
	}
	w.mine(1)
	w.force(tx)
}

// TestExpiry lets the LSP be absent. Client 0 has no coin; another one, or
// itself out of what it is paid, publishes.
func TestExpiry(t *testing.T) {
	for _, tt := range []struct {
		name    string
		shape   string
		publish func(w *world) // what somebody published long before
		coins   map[int]int
		payout  bool // client 0 pays out of what it is paid
	}{
		{name: "nothing was published, client 1 has a coin", shape: "static 2 / kickoff 1 / ps 2", coins: map[int]int{1: 1}},
		{name: "nobody has a coin", shape: "static 2 / kickoff 1 / ps 2", payout: true},
		{
			name: "the kickoff is out, nobody could pay for the state", shape: "static 2 / kickoff 1 / ps 2", payout: true,
			publish: func(w *world) {
				w.force(w.complete(w.held(0), w.node(0, 0).Tx), w.complete(w.held(0), w.node(1, 0).Tx))
			},
		},
		{
			name: "the leaf is out", shape: "kickoff 1 / dw 4", coins: map[int]int{1: 2}, payout: true,
			publish: func(w *world) {
				w.force(w.complete(w.held(0), w.node(0, 0).Tx))
				w.mine(8)
				w.force(w.complete(w.held(0), w.node(1, 0).Tx))
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 4, tt.shape, tt.coins)
			cover, err := w.held(0).Tree().Cover(0)
			if err != nil {
				t.Fatal(err)
			}
			if tt.publish != nil {
				tt.publish(w)
			}
			drivers := []*exit.Driver{w.driver(0, tt.payout)}
			for i := range tt.coins {
				drivers = append(drivers, w.driver(i, false))
			}
			w.mineTo(w.expiry() - 1)
			for _, r := range w.step(drivers...) {
				for _, s := range r.Sent {
					if s.Action.Tx.Kind == factory.KindDistribution {
						t.Fatal("a distribution before T")
					}
				}
			}
			w.mine(1)
			for range 4 {
				for _, d := range drivers {
					if r, err := d.Step(w.ctx); err != nil {
						t.Fatal(r, err)
					}
				}
				w.mine(1)
			}
			plan := w.step(drivers[0])[0].Plan
			if plan.Paid < cover || plan.Open > 0 {
				t.Errorf("client 0 was paid %d sat, its cover is %d; %d outputs open", plan.Paid, cover, plan.Open)
			}
			t.Logf("cover %d sat, paid %d sat", cover, plan.Paid)
		})
	}
}

// TestOwnPayoutPays shows what a client without coins pays: the fee comes out
// of its own share and of no other.
func TestOwnPayoutPays(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
	w.mineTo(w.expiry())
	r := w.step(w.driver(1, true))[0]
	if len(r.Sent) != 1 || r.Sent[0].Err != nil {
		t.Fatalf("sent %+v", r.Sent)
	}
	w.mine(1)
	sent := r.Sent[0]
	spend, found, err := w.chain.Spend(w.ctx, sent.Action.Tx.Anchor())
	if err != nil || !found || !spend.Confirmed {
		t.Fatal("the child is not in a block", found, err)
	}
	if got := factory.Sat(spend.Tx.TxOut[0].Value); len(spend.Tx.TxOut) != 1 || got != sent.Action.Tx.Pays(1)-sent.Fee || sent.Fee > 2000 {
		t.Errorf("%d sat are left of %d after a fee of %d", got, sent.Action.Tx.Pays(1), sent.Fee)
	}
	if sent.Action.Pending || !w.unspent(sent.Action.Tx.Output(0)) {
		t.Error("the other client's payout was touched")
	}
}

// TestNestedDistribution pays 202 clients through two levels.
func TestNestedDistribution(t *testing.T) {
	w := newWorld(t, 202, "static 101 / kickoff 1 / ps 2", nil)
	w.mineTo(w.expiry())
	root := w.node(0, 0)
	if len(root.Nested) == 0 {
		t.Fatal("the shape nests nothing")
	}
	// The distribution of the root pays no client: somebody with a coin has
	// to pay for it, here the LSP's wallet.
	if err := w.offer(w.complete(w.held(0), root.Distribution), 3000); err != nil {
		t.Fatal(err)
	}
	w.mine(1)
	d := w.driver(0, true)
	if r := w.step(d)[0]; len(r.Sent) != 1 || r.Sent[0].Action.Tx != w.nested(0) {
		t.Fatalf("sent %+v", r.Sent)
	}
	w.mine(1)
	cover, err := w.held(0).Tree().Cover(0)
	if err != nil {
		t.Fatal(err)
	}
	if plan := w.step(d)[0].Plan; plan.Paid < cover || plan.Open != 0 {
		t.Errorf("paid %d, cover %d, %d outputs open", plan.Paid, cover, plan.Open)
	}
}

// nested is the nested distribution that client i holds for the root.
func (w *world) nested(i int) *factory.Tx {
	root, _ := w.held(i).Tree().Node(factory.NodeID{})

	return root.Nested[0]
}

// TestLSPLeavesInTime lets the LSP alone resolve the factory before T.
func TestLSPLeavesInTime(t *testing.T) {
	w := newWorld(t, 4, "static 2 / kickoff 1 / ps 2", nil)
	w.sell(0, 20_000)
	w.sell(1, 20_000)
	d := w.lspDriver()
	terms := w.factory().Tree().Factory().Terms()
	start := terms.Params.ExitHeight(terms.Shape)
	w.mineTo(start - 1)
	if r := w.step(d)[0]; len(r.Sent) != 0 || r.Plan.Again != start {
		t.Fatalf("before T - exit_time: sent %v, again at %d, want %d", r.Sent, r.Plan.Again, start)
	}
	w.mine(1)
	tree := w.factory().Tree()
	w.walk(int(terms.Params.Expiry-start)-1, func() bool {
		plan := w.step(d)[0].Plan

		return plan.Open == 0 && w.tip() > start+3
	}, d)
	if w.tip() >= terms.Params.Expiry {
		t.Error("it was not done before T")
	}
	for c := range factory.ClientIndex(4) {
		for _, channel := range tree.Channels(c) {
			if !w.unspent(channel.Outpoint) {
				t.Errorf("channel of client %d, sale %d, is not on the chain", c, channel.Sales)
			}
		}
	}
}
