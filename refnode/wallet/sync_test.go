package wallet

import (
	"context"
	"errors"
	"testing"

	"superscalar/refnode/chain"
)

// slowNode hands out one block at a time, and stops answering after some.
type slowNode struct {
	chain.Interface
	blocks *blocks
	left   int // answers until it stops
}

var errSilent = errors.New("no answer")

func (n *slowNode) Since(_ context.Context, from chain.BlockID) (chain.Update, error) {
	if n.left == 0 {
		return chain.Update{}, errSilent
	}
	n.left--
	next := from.Height + 1
	if from == (chain.BlockID{}) {
		next = 0
	}
	block := n.blocks.list[next]
	return chain.Update{Connected: []chain.Block{block}, Tip: block.BlockID, More: int(next) < len(n.blocks.list)-1}, nil
}

// TestSyncKeepsParts: a node that stops answering half-way has not worked for
// nothing. What was processed is saved, and the next call goes on from there.
func TestSyncKeepsParts(t *testing.T) {
	var saved []byte
	w := newWallet(t, Options{Save: func(state []byte) error { saved = state; return nil }})
	b := &blocks{}
	b.mine()
	b.mine(b.pay(t, w, 10_000))
	b.mine()
	b.mine(b.pay(t, w, 20_000))
	node := &slowNode{blocks: b, left: 2}
	if err := w.Sync(t.Context(), node); !errors.Is(err, errSilent) {
		t.Fatalf("error %v", err)
	}
	again := newWallet(t, Options{Saved: saved})
	if again.Tip() != b.list[1].BlockID || again.Balance().Confirmed != 10_000 {
		t.Errorf("after a restart it is at %v with %d sat", again.Tip(), again.Balance().Confirmed)
	}
	node.left = 2
	must(t, again.Sync(t.Context(), node))
	if again.Tip() != b.tip() || again.Balance().Confirmed != 30_000 {
		t.Errorf("at the end it is at %v with %d sat", again.Tip(), again.Balance().Confirmed)
	}
}
