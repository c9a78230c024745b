package client_test

import (
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// empty mines blocks that leave the mempool alone, up to a number after the last
// one in which a factory could be funded.
func empty(w *roletest.World, h *ceremony.Held, after factory.Height) {
	w.T.Helper()
	for {
		tip, err := w.Regtest.Tip(w.T.Context())
		if err != nil {
			w.T.Fatal(err)
		}
		if factory.Height(tip.Height) >= h.Tree().Factory().Terms().Params.FundingEnd()+after {
			return
		}
		if _, err := w.Regtest.MineWith(); err != nil {
			w.T.Fatal(err)
		}
	}
}

// unfunded is a factory that client 0 has stored and the LSP did not broadcast.
func unfunded(w *roletest.World) *ceremony.Held {
	w.T.Helper()
	w.LSP.Chain.Set(roletest.Faults{Mute: errors.New("not now")})
	id, err := w.Create("kickoff 1 / ps 2", nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.Clients[0].Client.Held(w.LSP.Peer, id)
}

// kept reports whether client 0 has a factory, after a look at the chain, in
// memory and on its disk.
func kept(w *roletest.World, id wire.CeremonyID) bool {
	w.T.Helper()
	if err := w.Clients[0].Client.CheckFunding(); err != nil {
		w.T.Fatal(err)
	}
	held := w.Clients[0].Client.Held(w.LSP.Peer, id) != nil
	if _, found, err := w.Clients[0].Store.Factory([32]byte(id)); err != nil || found != held {
		w.T.Fatalf("in memory: %v, on disk: %v (%v)", held, found, err)
	}
	return held
}

// A factory that nobody paid for is forgotten when no reorganisation can bring it
// any more (CER-036), but not what was signed in it.
func TestUnfundedFactoryIsForgotten(t *testing.T) {
	w := roletest.New(t, 1)
	h := unfunded(w)
	kickoff, _ := h.Tree().Node(factory.NodeID{})
	empty(w, h, 99)
	if !kept(w, h.ID()) {
		t.Fatal("forgotten a block early")
	}
	empty(w, h, 100)
	w.Restart(w.Clients[0]) // it says nothing by itself
	if kept(w, h.ID()) {
		t.Fatal("not forgotten")
	}
	w.Restart(w.Clients[0])
	if kept(w, h.ID()) {
		t.Error("it is back after a restart")
	}
	err := w.Clients[0].Store.Sign([32]byte(h.ID()), []ledger.Entry{
		{Outpoint: kickoff.Tx.Outpoint(), Kind: ledger.Kickoff, Sequence: kickoff.Tx.Sequence(), Sighash: [32]byte{1}},
	})
	var refusal *ledger.Refusal
	if !errors.As(err, &refusal) {
		t.Errorf("what was signed is forgotten as well: %v", err)
	}
}

// What may come, or was there once, is kept for ever.
func TestFactoryThatIsNotForgotten(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func(w *roletest.World, h *ceremony.Held)
	}{
		{"in the mempool", func(w *roletest.World, h *ceremony.Held) {
			w.LSP.Chain.Set(roletest.Faults{})
			if err := w.LSP.LSP.CheckFunding(); err != nil {
				w.T.Fatal(err)
			}
		}},
		{"confirmed too late", func(w *roletest.World, h *ceremony.Held) {
			w.LSP.Chain.Set(roletest.Faults{})
			if err := w.LSP.LSP.CheckFunding(); err != nil {
				w.T.Fatal(err)
			}
			empty(w, h, 1)
			w.Mine(1)
		}},
		{"seen, then taken back", func(w *roletest.World, h *ceremony.Held) {
			w.LSP.Chain.Set(roletest.Faults{})
			if err := w.LSP.LSP.CheckFunding(); err != nil {
				w.T.Fatal(err)
			}
			w.Mine(1)
			if !kept(w, h.ID()) {
				w.T.Fatal("forgotten in time")
			}
			if err := w.Regtest.Reorg(1, nil, nil); err != nil {
				w.T.Fatal(err)
			}
			empty(w, h, 0)
			if err := w.LSP.LSP.CheckFunding(); err != nil {
				w.T.Fatal(err)
			}
			w.Mine(1)
			if w.Broadcast(h.ID()) {
				w.T.Fatal("not taken back")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := roletest.New(t, 1)
			h := unfunded(w)
			tt.after(w, h)
			empty(w, h, 150)
			for range 2 {
				if !kept(w, h.ID()) {
					t.Error("forgotten")
				}
				w.Restart(w.Clients[0])
			}
		})
	}
}

// Neither a chain that does not answer nor a full disk loses a factory, or keeps it
// from being forgotten afterwards.
func TestForgettingFails(t *testing.T) {
	gone := errors.New("the chain is gone")
	w := roletest.New(t, 1)
	h := unfunded(w)
	empty(w, h, 100)
	c := w.Clients[0]
	c.Chain.Set(roletest.Faults{Err: gone})
	if err := c.Client.CheckFunding(); !errors.Is(err, gone) {
		t.Errorf("on a chain that is gone: %v", err)
	}
	c.Chain.Set(roletest.Faults{})
	c.Disk.FailAfter(0)
	if err := c.Client.CheckFunding(); !errors.Is(err, roletest.ErrFull) {
		t.Errorf("on a full disk: %v", err)
	}
	if c.Client.Held(w.LSP.Peer, h.ID()) == nil {
		t.Error("forgotten in memory, not on disk")
	}
	c.Disk.FailAfter(-1)
	w.Restart(c)
	if kept(w, h.ID()) {
		t.Error("not forgotten when the disk has room")
	}
}

// Nobody changes a factory that is not funded (CER-044), and everybody does once it
// is; a reorganisation takes that away.
func TestNoChangeBeforeTheFunding(t *testing.T) {
	w := roletest.New(t, 2)
	id, err := w.Create("kickoff 1 / ps 2", nil)
	if err != nil {
		t.Fatal(err)
	}
	order := ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}
	for _, start := range []func(ceremony.Purchase) (wire.CeremonyID, error){w.LSP.LSP.Sell, w.LSP.LSP.Update} {
		if _, err := start(order); !errors.Is(err, role.ErrNotUsable) {
			t.Errorf("the LSP begins: %v", err)
		}
	}
	capacity := func() factory.Sat {
		w.Run(nil)
		return w.LSP.LSP.Factory(id).Tree().Capacities(1)
	}
	w.Mine(1)
	w.Clients[0].Chain.Set(roletest.Faults{Lag: 1}) // it has not seen the block
	w.Clients[0].Failed = nil
	if _, err := w.LSP.LSP.Sell(order); err != nil || capacity() != 100_000 || len(w.Clients[0].Failed) != 1 || !errors.Is(w.Clients[0].Failed[0], role.ErrNotUsable) {
		t.Errorf("a client signs: %v, %d sat, %v", err, capacity(), w.Clients[0].Failed)
	}
	w.Clients[0].Chain.Set(roletest.Faults{})
	if _, err := w.LSP.LSP.Sell(order); err != nil || capacity() != 120_000 {
		t.Errorf("once it is funded: %v, %d sat", err, capacity())
	}
	if err := w.Regtest.Reorg(1, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.LSP.LSP.Update(order); !errors.Is(err, role.ErrNotUsable) || capacity() != 120_000 {
		t.Errorf("after a reorganisation: %v", err)
	}
}

// noIndex is a node without an index of transactions: it cannot name a confirmed
// one, and knows every unspent output.
type noIndex struct{ chain.Interface }

func (noIndex) Transaction(context.Context, chainhash.Hash) (chain.Transaction, bool, error) {
	return chain.Transaction{}, false, nil
}

// A node that does not find the funding transaction by its id knows its output all
// the same: a live factory is kept, and one that was never funded is not.
func TestFundingSeenByItsOutput(t *testing.T) {
	for _, funded := range []bool{true, false} {
		w := roletest.New(t, 1)
		w.Clients[0].Chain.Interface = noIndex{w.Regtest}
		var h *ceremony.Held
		if funded {
			id, err := w.Create("kickoff 1 / ps 2", nil)
			if err != nil {
				t.Fatal(err)
			}
			w.Mine(1)
			h = w.Clients[0].Client.Held(w.LSP.Peer, id)
		} else {
			h = unfunded(w)
		}
		empty(w, h, 100)
		if got := kept(w, h.ID()); got != funded {
			t.Errorf("funded: %v, kept: %v", funded, got)
		}
	}
}
