package lsp_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// A change that a lost connection interrupted goes on when the client is back, and
// not before: whoever restarts, in whatever phase, nobody orders anything.
func TestInterruptedChangesGoOnByThemselves(t *testing.T) {
	for _, tt := range []struct {
		name, shape, lost string
		phase             uint8
		start             func(*roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error)
	}{
		{"sale, partial signatures", "kickoff 1 / ps 2", "ceremony_partials", 1, sellOf},
		{"sale, stored", "kickoff 1 / ps 2", "ceremony_stored", 1, sellOf},
		{"update, partial signatures", "kickoff 1 / dw 2", "ceremony_partials", 1, updateOf},
		{"update, stored", "kickoff 1 / dw 2", "ceremony_stored", 1, updateOf},
		{"update, poison", "kickoff 1 / dw 2", "ceremony_nonces", 2, updateOf},
		{"update, poison stored", "kickoff 1 / dw 2", "ceremony_stored", 2, updateOf},
	} {
		for _, restart := range []string{"client", "LSP", "both"} {
			t.Run(tt.name+", "+restart, func(t *testing.T) {
				w := roletest.New(t, 2)
				id := w.Factory(tt.shape)
				if _, err := tt.start(w)(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
					t.Fatal(err)
				}
				w.Run(func(toLSP bool, i int, m wire.Ceremony) bool {
					return !toLSP || i != 0 || m.Name() != tt.lost || phaseOf(m) != tt.phase
				})
				lost := w.Clients[0]
				w.LSP.LSP.Disconnected(lost.Peer)
				lost.Client.Disconnected(w.LSP.Peer)
				w.Run(nil)
				if w.LSP.LSP.Factory(id).Interrupted() == "" {
					t.Fatal("nothing is interrupted")
				}
				w.LSP.LSP.Connected(w.Clients[1].Peer) // not the one that is missing
				w.Run(nil)
				if w.LSP.LSP.Factory(id).Interrupted() == "" {
					t.Fatal("it went on without a client")
				}
				if restart != "LSP" {
					w.Restart(lost)
				}
				if restart != "client" { // what it has begun with the client dies with it
					w.Restart(w.LSP)
				}
				w.Run(nil)
				if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
					t.Fatalf("still interrupted: %s, %v", text, w.Events)
				}
				if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 120_000 {
					t.Errorf("the buyer has %d sat", got)
				}
				for i, c := range w.Clients {
					held := c.Client.Held(w.LSP.Peer, id)
					if left := held.Tree().Unpoisoned(); len(left) > 0 || i == 1 && held.Tree().Capacities(factory.ClientIndex(i)) != 120_000 {
						t.Errorf("client %d waits for the poison of %v", i, left)
					}
				}
			})
		}
	}
}

func sellOf(w *roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error) {
	return w.LSP.LSP.Sell
}

func updateOf(w *roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error) {
	return w.LSP.LSP.Update
}

func phaseOf(m wire.Ceremony) uint8 {
	switch m := m.(type) {
	case *wire.Nonces:
		return m.Phase
	case *wire.Partials:
		return m.Phase
	case *wire.Stored:
		return m.Phase
	default:
		return 0
	}
}

// A client that refuses for ever is asked once for each connection, no more.
func TestARefuserIsAskedOncePerConnection(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / dw 2")
	asked := 0
	refuse := func(toLSP bool, i int, m wire.Ceremony) bool {
		if _, poison := m.(*wire.Poison); poison && i == 0 {
			asked++
		}
		return !toLSP || i != 0 || m.Name() != "ceremony_nonces" || phaseOf(m) == 1 || phaseOf(m) == 0 && asked == 0
	}
	if _, err := w.LSP.LSP.Update(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(refuse)
	w.Clock.Advance(ceremony.DefaultDeadline)
	w.Run(refuse)
	if asked != 0 {
		t.Fatalf("asked %d times while it stays connected", asked)
	}
	for n := range 3 {
		w.LSP.LSP.Disconnected(w.Clients[0].Peer)
		w.Clients[0].Client.Disconnected(w.LSP.Peer)
		w.LSP.LSP.Connected(w.Clients[0].Peer)
		w.Run(refuse)
		w.Clock.Advance(ceremony.DefaultDeadline)
		w.Run(refuse)
		if asked != n+1 {
			t.Fatalf("asked %d times in %d connections", asked, n+1)
		}
	}
	if _, err := w.LSP.LSP.Update(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); !errors.Is(err, ceremony.ErrInterrupted) {
		t.Errorf("%v", err)
	}
}
