package lsp_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// empty mines blocks that leave the mempool alone.
func empty(w *roletest.World, n int) {
	w.T.Helper()
	for range n {
		if _, err := w.Regtest.MineWith(); err != nil {
			w.T.Fatal(err)
		}
	}
}

// unfunded is a factory whose funding transaction is in the mempool, and the
// transaction.
func unfunded(w *roletest.World) (wire.CeremonyID, *btcwire.MsgTx) {
	w.T.Helper()
	id, err := w.Create("kickoff 1 / ps 2", nil)
	if err != nil || w.LSP.LSP.Factory(id) == nil {
		w.T.Fatalf("no factory: %v %v", err, w.Events)
	}
	var tx btcwire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(w.LSP.LSP.Factory(id).Funding)); err != nil {
		w.T.Fatal(err)
	}
	return id, &tx
}

// untilEnd mines until the next block comes too late for a factory, but for some.
func untilEnd(w *roletest.World, id wire.CeremonyID, but factory.Height) {
	w.T.Helper()
	end := w.LSP.LSP.Factory(id).Params.FundingEnd() - but
	tip, err := w.Regtest.Tip(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	empty(w, int(end)-int(tip.Height))
}

// spender is what spends the first input of a transaction, nil when nothing does.
func spender(w *roletest.World, tx *btcwire.MsgTx) *chain.Spend {
	w.T.Helper()
	s, found, err := w.Regtest.Spend(w.T.Context(), tx.TxIn[0].PreviousOutPoint)
	if err != nil {
		w.T.Fatal(err)
	}
	if !found {
		return nil
	}
	return &s
}

func check(w *roletest.World) {
	w.T.Helper()
	if err := w.LSP.LSP.CheckFunding(); err != nil {
		w.T.Fatal(err)
	}
}

// A funding transaction that has not confirmed in time is taken back, whether it
// was broadcast or not and whoever restarts when (CER-035); the factory is
// forgotten when nothing can bring it back any more.
func TestFundingThatComesTooLateIsTakenBack(t *testing.T) {
	for _, tt := range []struct {
		name             string
		silent, restarts bool
	}{{"broadcast", false, false}, {"not broadcast", true, false}, {"restarts", false, true}} {
		t.Run(tt.name, func(t *testing.T) {
			w := roletest.New(t, 2)
			if tt.silent {
				w.LSP.Chain.Set(roletest.Faults{Mute: errChain})
			}
			id, funding := unfunded(w)
			before := w.LSP.Wallet.Balance()
			again := func() {
				if tt.restarts {
					w.Restart(w.LSP)
				}
				check(w)
			}
			untilEnd(w, id, 1)
			if !tt.silent {
				again()
				if s := spender(w, funding); s == nil || s.Tx.TxHash() != funding.TxHash() {
					t.Fatalf("taken back although the next block is in time: %v", s)
				}
			}
			w.LSP.Chain.Set(roletest.Faults{})
			empty(w, 1)
			again()
			again()
			back := spender(w, funding)
			if back == nil || back.Tx.TxHash() == funding.TxHash() || w.Broadcast(id) {
				t.Fatal("the funding transaction is not replaced")
			}
			w.Mine(1)
			empty(w, 98)
			again()
			if w.LSP.LSP.Factory(id) == nil || len(w.LSP.Wallet.Reservations()) != 1 && !tt.restarts {
				t.Fatal("the factory is forgotten after 99 confirmations")
			}
			empty(w, 1)
			again()
			if w.LSP.LSP.Factory(id) != nil || len(w.LSP.Wallet.Reservations()) != 0 {
				t.Errorf("after 100 confirmations: factory %v, reservations %v", w.LSP.LSP.Factory(id), w.LSP.Wallet.Reservations())
			}
			if _, found, err := w.LSP.Store.Factory([32]byte(id)); found || err != nil {
				t.Errorf("its record is still there (%v)", err)
			}
			after := w.LSP.Wallet.Balance()
			if after.Available != after.Confirmed || after.Available < before.Confirmed-20_000 {
				t.Errorf("balance %+v, was %+v", after, before)
			}
			recordStays(w, id)
		})
	}
}

// recordStays wants what was signed in a factory that is gone to be refused when
// it is asked for with another content.
func recordStays(w *roletest.World, id wire.CeremonyID) {
	w.T.Helper()
	held := w.Clients[0].Client.Held(w.LSP.Peer, id)
	n, _ := held.Tree().Node(factory.NodeID{})
	err := w.LSP.Store.Sign([32]byte(id), []ledger.Entry{{Outpoint: n.Tx.Outpoint(), Kind: ledger.Kickoff, Sequence: n.Tx.Sequence(), Sighash: [32]byte{1}}})
	var refusal *ledger.Refusal
	if !errors.As(err, &refusal) {
		w.T.Errorf("the record of what was signed went with the factory: %v", err)
	}
}

// It pays more, the longer it waits, and begins again after a reorganisation.
func TestTakingBackGoesOn(t *testing.T) {
	w := roletest.New(t, 1)
	id, funding := unfunded(w)
	untilEnd(w, id, 0)
	fee := func() btcutil.Amount {
		check(w)
		s := spender(w, funding)
		if s == nil || s.Tx.TxHash() == funding.TxHash() {
			t.Fatal("not taken back")
		}
		return -btcutil.Amount(s.Tx.TxOut[0].Value)
	}
	first := fee()
	empty(w, 5)
	if fee() != first {
		t.Error("another fee after 5 blocks")
	}
	empty(w, 1)
	if second := fee(); second <= first {
		t.Errorf("no higher fee after 6 blocks: %d, then %d", first, second)
	}
	w.Mine(1)
	if s := spender(w, funding); !s.Confirmed {
		t.Fatal("not confirmed")
	}
	if err := w.Regtest.Reorg(1, nil, nil); err != nil {
		t.Fatal(err)
	}
	check(w)
	if s := spender(w, funding); s == nil || s.Tx.TxHash() == funding.TxHash() {
		t.Error("not taken back after the reorganisation")
	}
}

// What confirmed stays: in time, and too late, where the LSP has to leave.
func TestConfirmedFundingIsNotTakenBack(t *testing.T) {
	for _, late := range []bool{false, true} {
		w := roletest.New(t, 1)
		id, funding := unfunded(w)
		if late {
			untilEnd(w, id, 0)
		}
		if _, err := w.Regtest.MineWith(funding); err != nil {
			t.Fatal(err)
		}
		empty(w, 200)
		check(w)
		if w.LSP.LSP.Factory(id) == nil || spender(w, funding).Tx.TxHash() != funding.TxHash() {
			t.Errorf("late %v: the factory is forgotten", late)
		}
	}
}

// When the height has passed before the last client stored, nothing is signed and
// the coins are free at once (CER-034).
func TestNoFundingAfterTheHeight(t *testing.T) {
	for _, but := range []factory.Height{1, 0} {
		w := roletest.New(t, 2)
		var reasons []wire.Reason
		var height factory.Height
		id, err := w.Create("kickoff 1 / ps 2", func(toLSP bool, i int, m wire.Ceremony) bool {
			switch m := m.(type) {
			case *wire.Proposal:
				height = factory.Height(m.Parameters.TipHeight) + factory.Height(m.Parameters.MaxFundingWait)
			case *wire.Stored:
				if i == 1 {
					tip, _ := w.Regtest.Tip(t.Context())
					empty(w, int(height-but)-int(tip.Height))
				}
			case *wire.Abort:
				reasons = append(reasons, m.Reason)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if funded := w.LSP.LSP.Factory(id) != nil; funded != (but == 1) {
			t.Errorf("%d blocks before the end: funded %v", but, funded)
		}
		if but == 0 && (len(reasons) != 2 || reasons[0] != wire.ReasonChain || len(w.LSP.Wallet.Reservations()) != 0) {
			t.Errorf("reasons %v, reservations %v", reasons, w.LSP.Wallet.Reservations())
		}
		w.Restart(w.LSP)
		if _, found, _ := w.LSP.Store.Factory([32]byte(id)); found != (but == 1) {
			t.Errorf("%d blocks before the end: a record is left: %v", but, found)
		}
	}
}

// A disk that fails while a factory is forgotten costs nothing: it is forgotten
// the next time.
func TestForgettingOnAFullDisk(t *testing.T) {
	w := roletest.New(t, 1)
	id, _ := unfunded(w)
	untilEnd(w, id, 0)
	check(w)
	w.Mine(1)
	empty(w, 99)
	w.LSP.Disk.FailAfter(0)
	if err := w.LSP.LSP.CheckFunding(); !errors.Is(err, roletest.ErrFull) {
		t.Fatalf("the disk is full: %v", err)
	}
	w.Restart(w.LSP)
	if _, found, _ := w.LSP.Store.Factory([32]byte(id)); found || len(w.LSP.Wallet.Reservations()) != 0 {
		t.Errorf("record %v, reservations %v", found, w.LSP.Wallet.Reservations())
	}
}

// noIndex is a node without an index of transactions: it cannot name a confirmed
// one, and knows every unspent output.
type noIndex struct{ chain.Interface }

func (noIndex) Transaction(context.Context, chainhash.Hash) (chain.Transaction, bool, error) {
	return chain.Transaction{}, false, nil
}

// The funding transaction itself is not what spends its coins otherwise: a live
// factory is kept by a node that does not find it by its id.
func TestFundingSeenByItsInputs(t *testing.T) {
	w := roletest.New(t, 1)
	id, _ := unfunded(w)
	w.Mine(1)
	untilEnd(w, id, 0)
	empty(w, 100)
	w.LSP.Chain.Interface = noIndex{w.Regtest}
	check(w)
	if w.LSP.LSP.Factory(id) == nil {
		t.Error("forgotten")
	}
	if parts, found, err := w.LSP.Store.Factory([32]byte(id)); err != nil || !found || len(parts) == 0 {
		t.Errorf("on disk: %v, %v", found, err)
	}
}
