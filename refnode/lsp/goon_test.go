package lsp_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// twoFactories are of the same clients.
func twoFactories(t *testing.T, w *roletest.World) []wire.CeremonyID {
	t.Helper()
	var ids []wire.CeremonyID
	for range 2 {
		id, err := w.Create("kickoff 1 / dw 2", nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Mine(1)
		ids = append(ids, id)
	}
	return ids
}

// without loses what client i sends of a type in phase 1.
func without(i int, name string) func(bool, int, wire.Ceremony) bool {
	return func(toLSP bool, from int, m wire.Ceremony) bool {
		return !toLSP || from != i || m.Name() != name || phaseOf(m) != 1
	}
}

// A client takes part in one change at a time, whatever factories it is in
// (CER-042): the second order waits, and nobody is named for it.
func TestOneChangeOfAClientInAllItsFactories(t *testing.T) {
	w := roletest.New(t, 2)
	ids := twoFactories(t, w)
	p := ceremony.Purchase{Factory: ids[0], Buyer: 1, Amount: 20_000}
	if _, err := w.LSP.LSP.Update(p); err != nil {
		t.Fatal(err)
	}
	p.Factory = ids[1]
	if _, err := w.LSP.LSP.Update(p); !errors.Is(err, ceremony.ErrBusy) {
		t.Errorf("an update in the second factory: %v", err)
	}
	w.Run(nil)
	if failed(w) {
		t.Errorf("the first failed: %v", w.Events)
	}
	completes(t, w, w.LSP.LSP.Update, ids[1], 120_000)
}

// Changes of two factories are interrupted. The client comes back once, and both go
// on, one after the other.
func TestInterruptedChangesOfTwoFactories(t *testing.T) {
	w := roletest.New(t, 2)
	ids := twoFactories(t, w)
	for _, id := range ids {
		if _, err := w.LSP.LSP.Update(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
			t.Fatal(err)
		}
		w.Run(without(0, "ceremony_partials"))
		w.Clock.Advance(ceremony.DefaultDeadline)
		w.Run(nil)
		if w.LSP.LSP.Factory(id).Interrupted() == "" {
			t.Fatal("not interrupted")
		}
	}
	w.Restart(w.Clients[0])
	w.Run(nil)
	for n, id := range ids {
		if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
			t.Errorf("factory %d is still interrupted: %s", n, text)
		}
		if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 120_000 {
			t.Errorf("factory %d: the buyer has %d sat", n, got)
		}
	}
}

// A sale that a slow client interrupted goes on when what the client sent in the
// first attempt has come, and not before (CER-045): it has the same id.
func TestASaleWaitsForLateAnswers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		comes func(w *roletest.World, slow wire.Ceremony)
	}{
		{"the answer comes", func(w *roletest.World, slow wire.Ceremony) { w.LSP.LSP.Receive(w.Clients[0].Peer, slow) }},
		{"the client refuses", func(w *roletest.World, slow wire.Ceremony) {
			w.LSP.LSP.Receive(w.Clients[0].Peer, &wire.Abort{Attempt: wire.Attempt{Ceremony: slow.ID()}, Reason: wire.ReasonRefused})
		}},
		{"the connection ends", func(w *roletest.World, _ wire.Ceremony) { w.Restart(w.Clients[0]) }},
		{"the LSP restarts", func(w *roletest.World, _ wire.Ceremony) { w.Restart(w.LSP) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := roletest.New(t, 2)
			id := w.Factory("kickoff 1 / ps 2")
			p := ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}
			if _, err := w.LSP.LSP.Sell(p); err != nil {
				t.Fatal(err)
			}
			var slow wire.Ceremony
			w.Run(func(toLSP bool, i int, m wire.Ceremony) bool {
				if !without(0, "ceremony_partials")(toLSP, i, m) {
					slow = m
					return false
				}
				return true
			})
			w.Clock.Advance(ceremony.DefaultDeadline)
			w.Run(nil)
			for range 2 {
				if _, err := w.LSP.LSP.Sell(p); !errors.Is(err, ceremony.ErrAnswerDue) {
					t.Fatalf("before the answer: %v", err)
				}
				w.LSP.LSP.Connected(w.Clients[1].Peer) // somebody else
				w.LSP.LSP.Receive(w.Clients[1].Peer, slow)
			}
			tt.comes(w, slow)
			w.Run(nil)
			if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
				t.Errorf("still interrupted: %s, %v", text, w.Events)
			}
			if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 120_000 {
				t.Errorf("the buyer has %d sat", got)
			}
		})
	}
}

// Nobody asked for the sale again: a late answer starts nothing.
func TestALateAnswerAloneStartsNothing(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	var slow wire.Ceremony
	w.Run(func(toLSP bool, i int, m wire.Ceremony) bool {
		if lost := !without(0, "ceremony_partials")(toLSP, i, m); lost {
			slow = m
			return false
		}
		return true
	})
	w.Clock.Advance(ceremony.DefaultDeadline)
	w.Run(nil)
	w.LSP.LSP.Receive(w.Clients[0].Peer, slow)
	invited := false
	w.Run(func(toLSP bool, _ int, m wire.Ceremony) bool {
		invited = invited || m.Type() == wire.TypeInvite
		return true
	})
	if invited || w.LSP.LSP.Factory(id).Interrupted() == "" {
		t.Error("the sale went on by itself")
	}
}

// stopsAtTheBuyer interrupts a sale to client 1 when only that was asked to sign:
// before it signed, or after. It returns what the buyer signed, which is late.
func stopsAtTheBuyer(t *testing.T, w *roletest.World, id wire.CeremonyID, signs bool) (late wire.Ceremony) {
	t.Helper()
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(func(toLSP bool, i int, m wire.Ceremony) bool {
		if a, ok := m.(*wire.AggregateNonces); ok && a.Phase == 1 {
			if i != 1 {
				t.Fatal("others were asked to sign before the buyer had")
			}
			return signs
		}
		if without(1, "ceremony_partials")(toLSP, i, m) {
			return true
		}
		late = m
		return false
	})
	w.Clock.Advance(ceremony.DefaultDeadline)
	w.Run(nil)
	if w.LSP.LSP.Factory(id).Interrupted() == "" {
		t.Fatal("nothing is interrupted")
	}
	return late
}

// A buyer that never signs does not use up the sale of its group (PS-014): others
// buy, by sale or by update, whoever restarts.
func TestABuyerThatDoesNotSignStopsNobody(t *testing.T) {
	for name, start := range map[string]func(*roletest.World) func(ceremony.Purchase) (wire.CeremonyID, error){"sale": sellOf, "update": updateOf} {
		for _, restart := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := roletest.New(t, 2)
				id := w.Factory("kickoff 1 / ps 2")
				stopsAtTheBuyer(t, w, id, false)
				if restart { // the LSP knows it from its record
					lost := func(bool, int, wire.Ceremony) bool { return false }
					w.Restart(w.LSP) // asks the buyer again, which says nothing
					w.Run(lost)
					w.Clock.Advance(4 * ceremony.DefaultDeadline)
					w.Run(nil)
				}
				if _, err := start(w)(ceremony.Purchase{Factory: id, Buyer: 0, Amount: 30_000}); err != nil {
					t.Fatalf("another purchase: %v", err)
				}
				w.Run(nil)
				for range 2 {
					if got := w.LSP.LSP.Factory(id).Tree().Capacities(0); got != 130_000 {
						t.Errorf("the other buyer has %d sat, %v", got, w.Events)
					}
					if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
						t.Errorf("the sale that was passed is still interrupted: %s", text)
					}
					w.Restart(w.LSP)
					w.Run(nil)
				}
				completes(t, w, w.LSP.LSP.Sell, id, 120_000)
			})
		}
	}
}

// A buyer that did sign refuses what would pass its sale: then the LSP goes back to
// that, and nothing passes it any more.
func TestABuyerThatSignedHasItsSale(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	w.LSP.LSP.Receive(w.Clients[1].Peer, stopsAtTheBuyer(t, w, id, true))
	other := ceremony.Purchase{Factory: id, Buyer: 0, Amount: 30_000}
	if _, err := w.LSP.LSP.Sell(other); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	for i, want := range []factory.Sat{100_000, 120_000} {
		if got := w.LSP.LSP.Factory(id).Tree().Capacities(factory.ClientIndex(i)); got != want {
			t.Errorf("client %d has %d sat, want %d: %v", i, got, want, w.Events)
		}
	}
	if text := w.LSP.LSP.Factory(id).Interrupted(); text != "" {
		t.Errorf("interrupted: %s", text)
	}
	w.Restart(w.LSP)
	if _, err := w.LSP.LSP.Sell(other); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if got := w.LSP.LSP.Factory(id).Tree().Capacities(0); got != 130_000 {
		t.Errorf("the other buyer has %d sat: %v", got, w.Events)
	}
	w.Restart(w.LSP)
	if len(w.LSP.LSP.Aside()) > 0 {
		t.Errorf("set aside: %v", w.LSP.LSP.Aside())
	}
}

// Two buyers in turn do not sign; the first comes back and signs. What passed it in
// between is forgotten, after a restart too.
func TestASaleThatWasPassedComesBack(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	stopsAtTheBuyer(t, w, id, false)
	w.LSP.LSP.Disconnected(w.Clients[1].Peer)
	w.Clients[1].Client.Disconnected(w.LSP.Peer)
	w.LSP.LSP.ConnectedAlone(w.Clients[1].Peer)
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 0, Amount: 30_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(func(toLSP bool, i int, m wire.Ceremony) bool {
		a, ok := m.(*wire.AggregateNonces)
		return !ok || a.Phase == 0
	})
	w.LSP.LSP.Disconnected(w.Clients[0].Peer)
	w.Clients[0].Client.Disconnected(w.LSP.Peer)
	w.LSP.LSP.ConnectedAlone(w.Clients[0].Peer)
	w.Run(nil)
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	for range 2 {
		if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 120_000 || w.LSP.LSP.Factory(id).Interrupted() != "" {
			t.Errorf("the first buyer has %d sat; interrupted: %s; %v", got, w.LSP.LSP.Factory(id).Interrupted(), w.Events)
		}
		w.Restart(w.LSP)
		if len(w.LSP.LSP.Aside()) > 0 {
			t.Fatalf("set aside: %v", w.LSP.LSP.Aside()[0].Err)
		}
		w.Run(nil)
	}
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 0, Amount: 30_000}); err != nil {
		t.Fatal(err)
	}
	w.Run(nil)
	if got := w.LSP.LSP.Factory(id).Tree().Capacities(0); got != 130_000 {
		t.Errorf("the second buyer has %d sat", got)
	}
}
