package leaves_test

import (
	"context"
	"errors"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/leaves"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
)

// shown is a chain that shows what a test says.
type shown struct {
	chain.Interface
	tip    factory.Height
	spends map[btcwire.OutPoint]chain.Spend
	err    error
}

func (s *shown) Tip(context.Context) (chain.BlockID, error) {
	return chain.BlockID{Height: chain.Height(s.tip)}, nil
}

func (s *shown) Spend(_ context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	spend, found := s.spends[o]
	return spend, found, s.err
}

// wideTree is that of a factory with states on two levels.
func wideTree(t *testing.T) *factory.Tree {
	t.Helper()
	w := roletest.New(t, 2)
	shape, err := factory.ParseShape("kickoff 1 / state 2 / kickoff 1 / dw 1")
	if err != nil {
		t.Fatal(err)
	}
	order := ceremony.Order{Shape: func(int) factory.Shape { return shape }, Params: factory.DefaultParams(factory.DW), Stock: 50_000}
	order.Params.Step, order.Params.ConfirmBlocks, order.Params.States = 72, 6, 3
	for _, c := range w.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: c.Peer, Capacity: 100_000})
	}
	if _, err := w.LSP.LSP.Create(order); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	return w.LSP.LSP.Factories()[0].Tree
}

// A client with more than its cover leaves when its LSP is late, and not while it keeps to
// what an exit that begins at T - exit_time may take at most (CHG-029): each transaction
// of the path counts at a height of its own.
func TestAnLSPIsLate(t *testing.T) {
	tree := wideTree(t)
	terms := tree.Factory().Terms()
	exit := terms.Params.ExitHeight(terms.Shape)
	s := &shown{spends: map[btcwire.OutPoint]chain.Spend{}}
	late := func(at factory.Height) bool {
		t.Helper()
		got, err := leaves.Late(role.Chain{Backend: s}, at, tree, 1)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	due := exit
	for i, id := range tree.Factory().Layout().Path(1) {
		n, _ := tree.Node(id)
		due += []factory.Height{6, 144 + 6, 6, 144 + 6}[i]
		if late(due-1) || !late(due) {
			t.Errorf("transaction %s: late at %d blocks after T - exit_time: %v, a block later: %v", id, due-1-exit, late(due-1), late(due))
		}
		spend := chain.Spend{Transaction: chain.Transaction{Tx: n.Tx.Msg}}
		s.spends[n.Tx.Outpoint()] = spend // in the mempool, where it may stay
		if !late(due) {
			t.Errorf("transaction %s is in no block, and counts", id)
		}
		spend.Confirmed = true
		spend.Tx = n.Tx.Msg.Copy()
		spend.Tx.TxIn[0].Sequence++ // of another state
		s.spends[n.Tx.Outpoint()] = spend
		if !late(due) {
			t.Errorf("something else than transaction %s is in a block, and counts", id)
		}
		spend.Tx = n.Tx.Msg
		s.spends[n.Tx.Outpoint()] = spend
		if late(due) {
			t.Errorf("transaction %s is in a block, and does not count", id)
		}
	}
	if late(terms.Params.Expiry) {
		t.Error("the leaf is on the chain, and the LSP is late")
	}
	s.err = errors.New("no answer")
	if _, err := leaves.Late(role.Chain{Backend: s}, terms.Params.Expiry, tree, 1); err == nil {
		t.Error("a chain that does not answer")
	}
}

// A channel of a leaf is voided by a distribution above it, and by nothing else: another
// state of the same kickoff may have it too.
func TestAChannelOfALeafIsVoided(t *testing.T) {
	tree := wideTree(t)
	s := &shown{spends: map[btcwire.OutPoint]chain.Spend{}}
	ch := role.Channel{ChannelOutput: ceremony.ChannelOutput{Client: 1}}
	voided := func(what string, want bool) {
		t.Helper()
		if got, err := leaves.Voided(role.Chain{Backend: s}, tree, ch); err != nil || got != want {
			t.Errorf("%s: voided %v, %v", what, got, err)
		}
	}
	for _, id := range tree.Factory().Layout().Path(1) {
		n, _ := tree.Node(id)
		at := n.Tx.Outpoint()
		show := func(tx *btcwire.MsgTx, confirmed bool) {
			spend := chain.Spend{Transaction: chain.Transaction{Tx: tx}}
			spend.Confirmed = confirmed
			s.spends[at] = spend
		}
		voided("nothing spends "+id.String(), false)
		show(n.Distribution.Msg, false)
		voided("a distribution waits for a block", false)
		show(n.Distribution.Msg, true)
		voided("a distribution spends "+id.String(), true)
		other := n.Tx.Msg.Copy()
		other.TxIn[0].Sequence++
		show(other, true)
		voided("another state spends "+id.String(), false)
		show(n.Tx.Msg, true)
	}
	voided("the leaf is on the chain", false)
	s.err = errors.New("no answer")
	if _, err := leaves.Voided(role.Chain{Backend: s}, tree, ch); err == nil {
		t.Error("a chain that does not answer")
	}
}
