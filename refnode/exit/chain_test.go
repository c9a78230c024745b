package exit_test

import (
	"testing"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
)

// TestUnilateralExit takes one client of eight out, against nobody's help, and
// counts the blocks.
func TestUnilateralExit(t *testing.T) {
	for _, tt := range []struct {
		name, shape string
		sales       []factory.ClientIndex
	}{
		{"no sales", "static 2 / kickoff 1 / ps 2", nil},
		{"two layers, dw", "kickoff 1 / state 2 / kickoff 2 / dw 2", nil},
		{"its channel is the second sale", "static 2 / kickoff 1 / ps 2", []factory.ClientIndex{2, 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 8, tt.shape, map[int]int{3: 1})
			for _, buyer := range tt.sales {
				w.sell(buyer, 20_000)
			}
			tree := w.held(3).Tree()
			terms := tree.Factory().Terms()
			cost, err := exit.Preview(tree, 3)
			if err != nil {
				t.Fatal(err)
			}
			d := w.driver(3, false)
			d.Leave()
			start := w.tip()
			took := w.walk(int(terms.Params.EarlyWarningTime(terms.Shape)), func() bool {
				for _, c := range tree.Channels(3) {
					if !w.unspent(c.Outpoint) {
						return false
					}
				}

				return true
			}, d)
			if factory.Blocks(took) > cost.Blocks {
				t.Errorf("it took %d blocks from height %d on, at most %d were announced", took, start, cost.Blocks)
			}
			if r := w.step(d)[0]; len(r.Sent) > 0 || len(r.Plan.Channels) != len(tree.Channels(3)) {
				t.Errorf("after the exit: sent %v, channels %v", r.Sent, r.Plan.Channels)
			}
			if cost.Transactions != len(cost.Steps) || cost.VBytes <= 0 || cost.Fee(2000) < factory.Sat(cost.VBytes*2) {
				t.Errorf("preview %+v", cost)
			}
			t.Logf("%s; took %d blocks, fee at 2 sat/vB %d sat", cost, took, cost.Fee(2000))
		})
	}
}
