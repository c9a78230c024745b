package exit_test

import (
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// The whole tree costs what the ways out of all clients cost, each transaction
// counted once, and takes as long as the longest.
func TestPreviewAll(t *testing.T) {
	w := newWorld(t, 4, "static 2 / kickoff 1 / ps 2", nil)
	w.sell(0, 10_000)
	w.sell(1, 10_000)
	w.sell(2, 10_000)
	tree := w.factory().Tree()
	var want exit.Cost
	seen := map[chainhash.Hash]bool{}
	for c := range w.clients {
		path, err := exit.Preview(tree, factory.ClientIndex(c))
		if err != nil {
			t.Fatal(err)
		}
		want.Blocks = max(want.Blocks, path.Blocks)
		for _, s := range path.Steps {
			if !seen[s.Tx.Txid] {
				seen[s.Tx.Txid] = true
				want.Transactions++
				want.VBytes += s.VBytes
			}
		}
	}
	got := exit.PreviewAll(tree)
	if got.Transactions != want.Transactions || got.VBytes != want.VBytes || got.Blocks != want.Blocks || got.Coins != 2 || len(got.Steps) != got.Transactions {
		t.Errorf("%+v, want %+v and a coin for each of 2 leaves", got, want)
	}
}

// A buyer publishes its own sale when the LSP is late. Miners leave it out, and
// its fee rises: still the omission can replace it once it is valid (PS-025).
func TestOmissionReplacesTheOwnSale(t *testing.T) {
	w := newWorld(t, 2, "kickoff 1 / ps 2", map[int]int{0: 3})
	w.sell(0, 20_000)
	w.leafOut()
	sale := w.factory().Tree().Sales(factory.NodeID{Level: 1}, 0)[0]
	d := w.driver(0, false)
	var sales, omissions int
	for range int(w.factory().Params.OmissionDelay) {
		for _, s := range w.step(d)[0].Sent {
			if s.Err != nil {
				t.Fatalf("%s: %v", s.Action.Kind(), s.Err)
			}
			switch s.Action.Tx.Txid {
			case sale.Tx.Txid:
				if sales++; !s.Action.Interim || s.Rate > exit.DefaultFees.Max/2 {
					t.Errorf("the sale pays %s, for good: %t", s.Rate, !s.Action.Interim)
				}
			case sale.Omission.Txid:
				if omissions++; s.Action.Interim || s.Action.Rule != rule.PS025 {
					t.Errorf("the omission: %+v", s.Action)
				}
			}
		}
		if omissions > 0 {
			break
		}
		w.force() // an empty block
	}
	if sales < 2 || omissions != 1 {
		t.Errorf("the sale was sent %d times, the omission %d times", sales, omissions)
	}
	spend, found, err := w.chain.Spend(w.ctx, sale.Tx.Outpoint())
	if err != nil || !found || spend.Tx.TxHash() != sale.Omission.Txid {
		t.Errorf("the mempool has not the omission: %v", err)
	}
}
