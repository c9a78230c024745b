package lsp_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

var errChain = errors.New("the chain is gone")

// failed reports whether the LSP said why something failed.
func failed(w *roletest.World) bool {
	for _, e := range w.Events {
		if e.Kind == ceremony.EventFailed && e.Text != "" {
			return true
		}
	}
	return false
}

func TestFundingIsBroadcastAfterACrash(t *testing.T) {
	for _, restart := range []bool{true, false} {
		w := roletest.New(t, 2)
		w.LSP.Chain.Set(roletest.Faults{Mute: errChain})
		id, err := w.Create("kickoff 1 / ps 2", nil)
		if err != nil || w.LSP.LSP.Factory(id) == nil || !failed(w) {
			t.Fatalf("stored, not broadcast: %v, %v", err, w.Events)
		}
		if w.Broadcast(id) {
			t.Fatal("the chain does not refuse")
		}
		w.LSP.Chain.Set(roletest.Faults{})
		if restart {
			w.Restart(w.LSP)
		} else if err := w.LSP.LSP.CheckFunding(); err != nil {
			t.Fatal(err)
		}
		if !w.Broadcast(id) {
			t.Errorf("restart %v: the funding transaction is not out", restart)
		}
	}
}

func TestASilentChainDoesNotKeepTheLSPFromStarting(t *testing.T) {
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 2")
	for _, f := range []roletest.Faults{{Err: errChain}, {Hang: true}, {Mute: errChain}} {
		w.LSP.Chain.Set(f)
		w.Restart(w.LSP)
		if w.LSP.LSP.Factory(id) == nil {
			t.Errorf("%+v: the factory is gone", f)
		}
	}
	w.LSP.Chain.Set(roletest.Faults{Err: errChain})
	if err := w.LSP.LSP.CheckFunding(); !errors.Is(err, errChain) {
		t.Errorf("rebroadcast on a chain that is gone: %v", err)
	}
}

func TestACrashGivesCoinsBack(t *testing.T) {
	w := roletest.New(t, 1)
	_, err := w.Create("kickoff 1 / ps 2", func(_ bool, _ int, m wire.Ceremony) bool { return m.Name() != "ceremony_stored" })
	if err != nil || len(w.LSP.Wallet.Reservations()) != 1 {
		t.Fatalf("%v, reservations %v", err, w.LSP.Wallet.Reservations())
	}
	if _, err := w.LSP.Wallet.ReserveCoin("a bump", 1000); err != nil {
		t.Fatal(err)
	}
	w.Restart(w.LSP)
	if got := w.LSP.Wallet.Reservations(); len(got) != 1 || got[0] != "a bump" {
		t.Errorf("reservations after the restart: %v", got)
	}
	if len(w.LSP.LSP.Factories()) != 0 {
		t.Error("a factory that nobody paid for")
	}
	id := w.Factory("kickoff 1 / ps 2")
	w.Restart(w.LSP)
	if got := w.LSP.Wallet.Reservations(); len(got) > 2 || w.LSP.LSP.Factory(id) == nil {
		t.Errorf("reservations %v", got)
	}
}

// A chain that fails in whatever way, at the LSP or at a client, ends an attempt
// with the reason, costs nothing, and is forgotten once it works again.
func TestChainFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults roletest.Faults
	}{
		{"dead", roletest.Faults{Err: errChain}},
		{"closed", roletest.Faults{Err: chain.ErrClosed}},
		{"hangs", roletest.Faults{Hang: true}},
		{"lags", roletest.Faults{Lag: 20}},
		{"says that everything is spent", roletest.Faults{Out: true}},
	} {
		for _, at := range []string{"LSP", "client"} {
			t.Run(tt.name+", "+at, func(t *testing.T) {
				w := roletest.New(t, 2)
				party := w.LSP
				if at == "client" {
					party = w.Clients[1]
				}
				if !tt.faults.Out { // nothing is asked for outpoints before there is a factory
					party.Chain.Set(tt.faults)
					if _, err := w.Create("kickoff 1 / ps 2", nil); err != nil {
						t.Fatal(err)
					}
					checkFailed(t, w, party)
					if at == "client" && len(w.LSP.LSP.Factories()) != 1 {
						t.Error("the others did not go on without the client")
					}
					if tt.faults.Lag == 0 && at == "LSP" && len(w.LSP.LSP.Factories()) != 0 {
						t.Error("a factory without a chain")
					}
					party.Chain.Set(roletest.Faults{})
					w.Mine(1)
				}
				before := len(w.LSP.LSP.Factories())
				id, err := w.Create("kickoff 1 / ps 2", nil)
				if err != nil || len(w.LSP.LSP.Factories()) != before+1 {
					t.Fatalf("no factory afterwards: %v %v", err, w.Events)
				}
				w.Mine(1)
				party.Failed, w.Events = nil, nil
				if tt.faults.Lag == 0 { // a tip that is behind does not matter to a change
					party.Chain.Set(tt.faults)
					for _, start := range []func(ceremony.Purchase) (wire.CeremonyID, error){w.LSP.LSP.Sell, w.LSP.LSP.Update} {
						if _, err := start(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err == nil {
							w.Run(nil)
							checkFailed(t, w, party)
						}
					}
					if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 100_000 {
						t.Errorf("the buyer has %d sat", got)
					}
					party.Chain.Set(roletest.Faults{})
				}
				completes(t, w, w.LSP.LSP.Sell, id, 120_000)
				completes(t, w, w.LSP.LSP.Update, id, 140_000)
			})
		}
	}
}

// checkFailed wants whoever has a fault to have said so.
func checkFailed(t *testing.T, w *roletest.World, party *roletest.Party) {
	t.Helper()
	if party == w.LSP && !failed(w) || party != w.LSP && len(party.Failed) == 0 {
		t.Errorf("%s does not say why it failed: %v %v", party.Name, w.Events, party.Failed)
	}
}

// completes wants a purchase to work and everybody to agree on it.
func completes(t *testing.T, w *roletest.World, start func(ceremony.Purchase) (wire.CeremonyID, error), id wire.CeremonyID, want factory.Sat) {
	t.Helper()
	w.Run(nil) // what was interrupted goes on by itself when its clients are back
	if w.LSP.LSP.Factory(id).Tree().Capacities(1) != want {
		_, err := start(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000})
		if errors.Is(err, ceremony.ErrInterrupted) { // the state stands, its poison is missing
			_, err = w.LSP.LSP.Resume(id)
		}
		if err != nil {
			t.Fatalf("%v %v", err, w.Events)
		}
		w.Run(nil)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			w.Restart(w.LSP)
			w.Restart(w.Clients[1])
		}
		held := w.Clients[1].Client.Held(w.LSP.Peer, id)
		if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != want || held == nil || held.Tree().Capacities(1) != want {
			t.Fatalf("the buyer has %d sat, want %d (restarted: %v) %v", got, want, restart, w.Events)
		}
		if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
			t.Errorf("interrupted: %s", text)
		}
	}
}

// A disk that is full at any write, at the LSP or at a client: the attempt ends,
// nothing is funded or sold, and all goes on when there is room again.
func TestFullDisk(t *testing.T) {
	changes := map[string]struct {
		shape string
		start func(*roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error)
	}{
		"sale":   {"kickoff 1 / ps 2", func(w *roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error) { return w.LSP.LSP.Sell }},
		"update": {"kickoff 1 / dw 2", func(w *roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error) { return w.LSP.LSP.Update }},
	}
	for _, name := range []string{"creation", "sale", "update"} {
		for _, at := range []string{"LSP", "client"} {
			t.Run(name+", "+at, func(t *testing.T) {
				writes := 0
				for ; fillDisk(t, name, at, writes, changes[name].shape, changes[name].start); writes++ {
				}
				t.Logf("%d writes", writes)
				if writes < 2 {
					t.Error("the ceremony writes more often")
				}
			})
		}
	}
}

// fillDisk runs a ceremony whose disk is full from a write on; false when the
// ceremony does not get there.
func fillDisk(t *testing.T, name, at string, write int, shape string, start func(*roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error)) bool {
	t.Helper()
	w := roletest.New(t, 2)
	party := w.LSP
	if at == "client" {
		party = w.Clients[1]
	}
	if name == "creation" {
		party.Disk.FailAfter(write)
		id, err := w.Create("kickoff 1 / ps 2", nil)
		if err != nil {
			t.Fatal(err)
		}
		if party.Disk.Failed() == 0 {
			return false
		}
		checkFailed(t, w, party)
		f := w.LSP.LSP.Factory(id) // one that a client does not even join is made without it
		if f != nil && (at == "LSP" || len(f.Members) == len(w.Clients)) || at == "LSP" && len(w.LSP.LSP.Factories()) > 0 {
			t.Errorf("write %d: a factory that not everybody stored", write)
		}
		party.Disk.FailAfter(-1)
		w.Mine(1)
		w.Restart(party)
		if id, err = w.Create("kickoff 1 / ps 2", nil); err != nil || w.LSP.LSP.Factory(id) == nil {
			t.Fatalf("write %d: no factory afterwards: %v, %v", write, err, w.Events)
		}
		return true
	}
	id := w.Factory(shape)
	party.Disk.FailAfter(write)
	if _, err := start(w)(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	reached := party.Disk.Failed() > 0
	if reached {
		checkFailed(t, w, party)
		party.Disk.FailAfter(-1)
		w.Restart(party)
		completes(t, w, start(w), id, 120_000)
	}
	return reached
}
