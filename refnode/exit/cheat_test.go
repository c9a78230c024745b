package exit_test

import (
	"testing"

	"github.com/btcsuite/btcd/blockchain"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// former returns the replaced transaction of a place, as the LSP can publish
// it; the oldest first.
func (w *world) former(id factory.NodeID, i int) factory.Former {
	w.t.Helper()
	for _, f := range w.factory().Tree().Former() {
		if f.Node.ID != id {
			continue
		}
		if i == 0 {
			return f
		}
		i--
	}
	w.t.Fatalf("nothing replaced %s so often", id)

	return factory.Former{}
}

// TestLatestStateWins lets the LSP publish the kickoff and wait for the oldest
// state: the client's driver publishes the latest as soon as it is valid.
func TestLatestStateWins(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / dw 2", map[int]int{0: 1})
	w.update(0, 20_000)
	w.update(1, 20_000)
	leaf := factory.NodeID{Level: 1}
	old := w.complete(w.factory(), w.former(leaf, 0).Node.Tx)
	latest := w.node(1, 0).Tx
	w.force(w.complete(w.factory(), w.node(0, 0).Tx))
	d := w.driver(0, false)
	// Remaining 0: the latest is valid at once, the oldest after 8 blocks.
	if err := w.offer(old, 10_000); !chain.IsRejection(err, chain.ReasonNonBIP68Final) {
		t.Errorf("the oldest state at once: %v", err)
	}
	if _, err := w.chain.MineWith(old); err == nil {
		t.Error("the oldest state was mined at once")
	} else if code, ok := ruleError(err); !ok || code != blockchain.ErrUnfinalizedTx {
		t.Errorf("the oldest state in a block: %v", err)
	}
	sent := w.step(d)[0].Sent
	if len(sent) != 1 || sent[0].Action.Rule != rule.DELAY009 || sent[0].Action.Tx != w.heldNode(0, leaf).Tx {
		t.Fatalf("sent %+v", sent)
	}
	if want := w.tip() + 3; sent[0].Action.Deadline != want {
		t.Errorf("deadline %d, want %d: the block before the state in the middle matures", sent[0].Action.Deadline, want)
	}
	w.mine(1)
	if !w.confirmed(latest.Txid) {
		t.Fatal("the latest state is not in a block")
	}
	w.mine(8)
	if _, err := w.chain.MineWith(old); err == nil {
		t.Error("an older state was mined after it")
	}
}

// heldNode is a transaction of client i's tree.
func (w *world) heldNode(i int, id factory.NodeID) *factory.Node {
	w.t.Helper()
	n, ok := w.held(i).Tree().Node(id)
	if !ok {
		w.t.Fatalf("client %d does not hold %s", i, id)
	}

	return n
}

// TestStaleStateInMempool outbids an old state that was valid because the
// client came late.
func TestStaleStateInMempool(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", map[int]int{1: 1})
	w.update(0, 20_000)
	leaf := factory.NodeID{Level: 1}
	w.force(w.complete(w.factory(), w.node(0, 0).Tx))
	w.mine(8)
	stale := w.former(leaf, 0).Node.Tx
	if err := w.offer(w.complete(w.factory(), stale), 8_000); err != nil {
		t.Fatal(err)
	}
	r := w.step(w.driver(1, false))[0]
	if len(r.Sent) != 1 || r.Sent[0].Action.Rival == nil || *r.Sent[0].Action.Rival != stale.Txid {
		t.Fatalf("sent %+v", r.Sent)
	}
	w.mine(1)
	if !w.confirmed(w.node(1, 0).Tx.Txid) {
		t.Error("the stale state won")
	}
}

// TestPoison lets an adversary mine a replaced leaf: everything in it goes to
// the clients, without a coin of theirs.
func TestPoison(t *testing.T) {
	for _, tt := range []struct {
		name, shape string
		change      func(w *world)
		old         factory.NodeID
		state       factory.NodeID // replaced, above or equal to old
	}{
		{
			"a leaf that was replaced twice", "kickoff 1 / dw 2",
			func(w *world) { w.update(0, 20_000); w.update(1, 20_000) }, factory.NodeID{Level: 1}, factory.NodeID{Level: 1},
		},
		{
			"a leaf with sales", "kickoff 1 / ps 2",
			func(w *world) { w.sell(1, 20_000); w.update(0, 20_000) }, factory.NodeID{Level: 1}, factory.NodeID{Level: 1},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 2, tt.shape, nil)
			tt.change(w)
			w.force(w.complete(w.factory(), w.node(0, 0).Tx))
			w.mine(8)
			former := w.former(tt.old, 0)
			w.force(w.complete(w.factory(), former.Node.Tx))
			want := map[int]factory.Sat{}
			for _, tx := range w.factory().Tree().SignedPoison() {
				if tx.Outpoint().Hash == former.Node.Tx.Txid {
					for i := range w.clients {
						want[i] += tx.Pays(factory.ClientIndex(i))
					}
				}
			}
			drivers := []*exit.Driver{w.driver(0, true), w.driver(1, true)}
			// The LSP's own machine neither claims the old stock nor anything.
			if r := w.step(w.lspDriver())[0]; len(r.Sent) != 0 {
				t.Errorf("the LSP sends %+v", r.Sent)
			}
			for _, r := range w.step(drivers...) {
				for _, s := range r.Sent {
					if s.Action.Rule != rule.POI007 {
						t.Errorf("sent %s by %s", s.Action.Kind(), s.Action.Rule)
					}
				}
			}
			w.mine(1)
			w.step(drivers...)
			w.mine(1)
			for i, d := range drivers {
				plan := w.step(d)[0].Plan
				if plan.Paid != want[i] || plan.Paid < 100_000 || plan.Open != 0 || len(plan.Channels) != 0 {
					t.Errorf("client %d: paid %d sat, want %d; plan %+v", i, plan.Paid, want[i], plan)
				}
			}
		})
	}
}

// TestNoPoisonForWhatStands wants no signed poison that spends an output of
// the live tree.
func TestNoPoisonForWhatStands(t *testing.T) {
	w := newWorld(t, 4, "kickoff 1 / state 2 / kickoff 1 / ps 2", nil)
	w.update(0, 10_000)
	w.sell(1, 10_000)
	w.update(2, 10_000)
	tree := w.factory().Tree()
	if len(tree.SignedPoison()) == 0 {
		t.Fatal("nothing was poisoned")
	}
	live := map[btcwire.OutPoint]bool{}
	for _, n := range tree.Nodes() {
		for i := range n.Tx.Msg.TxOut {
			live[n.Tx.Output(i)] = true
		}
		for g := range n.Stocks {
			for _, s := range tree.Sales(n.ID, uint8(g)) {
				live[s.Tx.Output(0)], live[s.Tx.Output(1)] = true, true
			}
		}
	}
	for _, tx := range tree.SignedPoison() {
		if live[tx.Outpoint()] {
			t.Errorf("poison for output %s of %s, which stands", tx.Outpoint(), tx.Node)
		}
	}
}

// leafOut confirms kickoff and leaf of a factory with one leaf.
func (w *world) leafOut() {
	w.t.Helper()
	w.force(w.complete(w.factory(), w.node(0, 0).Tx))
	w.mineTo(w.tip() + factory.Height(w.node(1, 0).Tx.Sequence()) - 1)
	w.force(w.complete(w.factory(), w.node(1, 0).Tx))
}

// TestOmission lets the LSP publish the leaf and withhold the sale.
func TestOmission(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
	w.sell(1, 30_000)
	w.leafOut()
	out := w.tip()
	sale := w.held(1).Tree().Sales(factory.NodeID{Level: 1}, 0)[0]
	p := w.factory().Params
	d := w.driver(1, true)
	omission := w.complete(w.held(1), sale.Omission)
	for w.tip()+1 < out+factory.Height(p.OmissionDelay) {
		if r := w.step(d)[0]; len(r.Sent) != 0 || r.Plan.Again != out+factory.Height(p.OmissionDelay)-1 {
			t.Fatalf("height %d: sent %v, again at %d", w.tip(), r.Sent, r.Plan.Again)
		}
		if err := w.offer(omission, 3000); !chain.IsRejection(err, chain.ReasonNonBIP68Final) {
			t.Fatalf("the omission at height %d: %v", w.tip(), err)
		}
		w.mine(1)
	}
	r := w.step(d)[0]
	if len(r.Sent) != 1 || r.Sent[0].Action.Rule != rule.PS025 {
		t.Fatalf("sent %+v", r.Sent)
	}
	w.mine(1)
	plan := w.step(d)[0].Plan
	cover, err := w.held(1).Tree().Cover(1)
	if err != nil {
		t.Fatal(err)
	}
	if got := plan.Paid + plan.Channels[0].Channel.Value; plan.Paid != 30_000+35_000 || got < cover {
		t.Errorf("paid %d sat, with its channel %d, cover %d", plan.Paid, got, cover)
	}
}

// TestStockClaim: the LSP takes unsold stock after stock_csv blocks, not
// before, and never sold stock.
func TestStockClaim(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", nil)
	w.leafOut()
	out, p := w.tip(), w.factory().Params
	stock := w.node(1, 0).Stocks[0]
	script, err := w.wallets[2].NewScript()
	if err != nil {
		t.Fatal(err)
	}
	early, err := w.factory().Claim(stock, script, 1000)
	if err != nil {
		t.Fatal(err)
	}
	d := w.lspDriver()
	w.mineTo(out + factory.Height(p.StockCSV) - 2)
	if err := w.chain.Submit(w.ctx, chain.Package{early}); !chain.IsRejection(err, chain.ReasonNonBIP68Final) {
		t.Errorf("one block early: %v", err)
	}
	_, err = w.chain.MineWith(early)
	if code, ok := ruleError(err); !ok || code != blockchain.ErrUnfinalizedTx {
		t.Errorf("one block early in a block: %v", err)
	}
	if r := w.step(d)[0]; len(r.Sent) != 0 {
		t.Errorf("sent %+v one block early", r.Sent)
	}
	w.mine(1)
	r := w.step(d)[0]
	if len(r.Sent) != 1 || r.Sent[0].Action.Stock == nil || r.Sent[0].Action.Rule != rule.DIST008 {
		t.Fatalf("sent %+v", r.Sent)
	}
	w.mine(1)
	if !w.confirmed(r.Sent[0].Txid) || w.unspent(stock.Outpoint) {
		t.Error("the claim is not in a block")
	}

	w = newWorld(t, 2, "kickoff 1 / ps 2", nil)
	w.sell(0, 20_000)
	w.leafOut()
	out, p = w.tip(), w.factory().Params
	d = w.lspDriver()
	r = w.step(d)[0]
	sale := w.factory().Tree().Sales(factory.NodeID{Level: 1}, 0)[0]
	if len(r.Sent) != 1 || r.Sent[0].Action.Tx != sale.Tx || r.Sent[0].Action.Deadline != out+factory.Height(p.OmissionDelay-p.ConfirmBlocks) {
		t.Fatalf("sent %+v", r.Sent)
	}
	// The sale never confirms: the machine does not take the stock even so.
	machine := exit.New(w.factory(), exit.LSP(), rule.Set{})
	late := chainView{w, out + factory.Height(p.StockCSV) + 5}
	for _, a := range machine.Plan(late, exit.Intent{Coins: true}).Publish {
		if a.Stock != nil {
			t.Error("a claim of sold stock")
		}
	}
}

// chainView is the chain's view with another height.
type chainView struct {
	w   *world
	tip factory.Height
}
