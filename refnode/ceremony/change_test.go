package ceremony_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// purchase runs an update or a sale to its end.
func (w *world) purchase(start func() (wire.CeremonyID, []ceremony.Out, error)) error {
	_, out, err := start()
	if err != nil {
		return err
	}
	w.send(out)
	w.run()
	return nil
}

func (w *world) update(id wire.CeremonyID, buyer factory.ClientIndex, amount factory.Sat) error {
	return w.purchase(func() (wire.CeremonyID, []ceremony.Out, error) {
		return w.lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: buyer, Amount: amount})
	})
}

func (w *world) sell(id wire.CeremonyID, buyer factory.ClientIndex, amount factory.Sat) error {
	return w.purchase(func() (wire.CeremonyID, []ceremony.Out, error) {
		return w.lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: buyer, Amount: amount})
	})
}

// changed counts the changes that were completed.
func (w *world) changed() (n int) {
	for _, e := range w.events {
		if e.Kind == ceremony.EventChanged {
			n++
		}
	}
	return n
}

// sameEverywhere wants the live trees of the LSP, of every client and of their
// stores to agree on what each client owns and to be completely signed.
func (w *world) sameEverywhere(id wire.CeremonyID) {
	w.t.Helper()
	f := w.lsp.Factory(id)
	stored, err := ceremony.OpenFactory(w.config(rule.Set{}, "lsp", 9, w.store), id, w.store.parts[id])
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range w.clients {
		c := factory.ClientIndex(i)
		for _, h := range []*ceremony.Held{w.clients[i].Held(id), w.reopened(i, id)} {
			path := f.Tree().Factory().Layout().Path(c)
			for _, at := range path {
				mine, _ := h.Tree().Node(at)
				theirs, _ := f.Tree().Node(at)
				disk, _ := stored.Tree().Node(at)
				if !mine.Tx.Same(theirs.Tx) || !mine.Tx.Same(disk.Tx) {
					w.t.Errorf("client %d: transaction %s is not the LSP's", i, at)
				}
				if _, err := h.Complete(mine.Tx); err != nil {
					w.t.Errorf("client %d: %v", i, err)
				}
				if _, err := stored.Complete(disk.Tx); err != nil {
					w.t.Errorf("LSP: %v", err)
				}
			}
			channels := h.Tree().Channels(c)
			if len(channels) != len(f.Tree().Channels(c)) {
				w.t.Errorf("client %d has %d channels, the LSP says %d", i, len(channels), len(f.Tree().Channels(c)))
			}
			for _, ch := range channels {
				if _, err := h.Complete(ch.Distribution); err != nil {
					w.t.Errorf("client %d: channel of %d sat: %v", i, ch.Value, err)
				}
			}
		}
	}
}

func TestUpdate(t *testing.T) {
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.clients)
			id := w.create(tt.shape)
			buyer := factory.ClientIndex(tt.clients - 1)
			for range 2 {
				if err := w.update(id, buyer, 10_000); err != nil {
					t.Fatal(err)
				}
			}
			if w.changed() != 2 {
				t.Fatalf("%d changes, want 2: %v\n%v", w.changed(), w.events, w.log)
			}
			if got := w.clients[buyer].Held(id).Tree().Capacities(buyer); got != 120_000 {
				t.Errorf("the buyer has %d sat of capacity, want 120000", got)
			}
			w.sameEverywhere(id)
			if left := w.lsp.Factory(id).Tree().Unpoisoned(); len(left) > 0 {
				t.Errorf("leaves %v have no poison", left)
			}
		})
	}
}

func TestSale(t *testing.T) {
	w := newWorld(t, 4)
	id := w.create("kickoff 1 / ps 2")
	for _, buyer := range []factory.ClientIndex{0, 1, 0} {
		if err := w.sell(id, buyer, 20_000); err != nil {
			t.Fatal(err)
		}
	}
	if w.changed() != 3 {
		t.Fatalf("%d sales, want 3: %v\n%v", w.changed(), w.events, w.log)
	}
	w.sameEverywhere(id)
	if got := len(w.clients[0].Held(id).Tree().Channels(0)); got != 3 {
		t.Errorf("client 0 has %d channels, want 3", got)
	}
	if err := w.sell(id, 3, 200_000); !errors.Is(err, ceremony.ErrSoldOut) {
		t.Errorf("selling more than there is: %v", err)
	}
	if err := w.update(id, 1, 10_000); err != nil {
		t.Fatal(err)
	}
	w.sameEverywhere(id)
	if got := len(w.clients[0].Held(id).Tree().Channels(0)); got != 1 {
		t.Errorf("client 0 has %d channels after the leaf was replaced, want 1", got)
	}
}

func TestBuyerSignsFirst(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("kickoff 1 / ps 2")
	w.log = nil
	if err := w.sell(id, 1, 20_000); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, line := range w.log {
		if line == "1>ceremony_partials" || line == "0<ceremony_aggregate" {
			order = append(order, line)
		}
	}
	want := []string{"0<ceremony_aggregate", "1>ceremony_partials", "1>ceremony_partials", "0<ceremony_aggregate"}
	if len(order) != 4 || order[2] != want[2] || order[3] != want[3] {
		t.Errorf("order %v, want %v", order, want)
	}
}

func TestStateStepIsUsedUpByAFailedAttempt(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("kickoff 1 / dw 2")
	node := factory.NodeID{Level: 1}
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Partials); ok && m.Phase == 1 && p.client == 1 {
			return nil
		}
		return []packet{p}
	}
	if err := w.update(id, 0, 10_000); err != nil {
		t.Fatal(err)
	}
	w.late()
	w.bend = nil
	if w.changed() != 0 {
		t.Fatal("the change was completed")
	}
	for _, got := range []uint8{w.lsp.Factory(id).Tree().Remaining(node), w.clients[0].Held(id).Tree().Remaining(node), w.reopened(0, id).Tree().Remaining(node)} {
		if got != 2 {
			t.Errorf("remaining %d after the failed attempt, want 2", got)
		}
	}
	if err := w.update(id, 0, 10_000); err != nil {
		t.Fatal(err)
	}
	if w.changed() != 1 {
		t.Fatalf("the change after it was not completed: %v\n%v", w.events, w.log)
	}
	w.sameEverywhere(id)
}

func TestPoisonCanBeCaughtUpOn(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("kickoff 1 / dw 2")
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Nonces); ok && m.Phase == 2 && p.client == 1 {
			return nil
		}
		return []packet{p}
	}
	if err := w.update(id, 0, 10_000); err != nil {
		t.Fatal(err)
	}
	w.late()
	w.bend = nil
	if err := w.update(id, 0, 10_000); err == nil {
		t.Fatal("a change before the poison of the last one")
	}
	if err := w.purchase(func() (wire.CeremonyID, []ceremony.Out, error) {
		return w.lsp.Poison(w.now, id, factory.NodeID{Level: 1})
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.update(id, 0, 10_000); err != nil {
		t.Fatal(err)
	}
	w.sameEverywhere(id)
}

func TestChangesThatAreRefused(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(w *world, id wire.CeremonyID)
		want    wire.Reason
	}{
		{"the kickoff is out", func(w *world, id wire.CeremonyID) {
			w.bend = func(p packet) []packet {
				if _, ok := p.m.(*wire.Update); ok {
					kickoff, _ := w.lsp.Factory(id).Tree().Node(factory.NodeID{})
					w.seen[kickoff.Tx.Outpoint()] = true
				}
				return []packet{p}
			}
		}, wire.ReasonChain},
		{"the factory is being left", func(w *world, id wire.CeremonyID) {
			w.bend = func(p packet) []packet {
				if _, ok := p.m.(*wire.Update); ok {
					w.height = 1_000_000
				}
				return []packet{p}
			}
		}, wire.ReasonChain},
		{"a capacity shrinks", bendUpdate(func(m *wire.Update) { m.Capacities[1] -= 1000; m.Capacities[0] += 1000 }), wire.ReasonAmounts},
		{"the amounts do not sum", bendUpdate(func(m *wire.Update) { m.Capacities[0]++ }), wire.ReasonAmounts},
		{"a counter that was used", bendUpdate(func(m *wire.Update) { m.Remaining = 3 }), wire.ReasonRecorded},
		{"another channel script", bendUpdate(func(m *wire.Update) { m.ChannelScripts[1][5] ^= 1 }), wire.ReasonKeys},
		{"an unknown factory", bendUpdate(func(m *wire.Update) { m.Factory[0] ^= 1 }), wire.ReasonRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 2)
			id := w.create("kickoff 1 / dw 2")
			tt.prepare(w, id)
			bend := w.bend
			var got []wire.Reason
			w.bend = func(p packet) []packet {
				if m, ok := p.m.(*wire.Abort); ok && p.toLSP && p.client == 1 {
					got = append(got, m.Reason)
				}
				return bend(p)
			}
			if err := w.update(id, 0, 10_000); err != nil {
				t.Fatal(err)
			}
			if w.changed() != 0 {
				t.Fatal("the change was completed")
			}
			if len(got) == 0 || got[0] != tt.want {
				t.Errorf("reasons %v, want %v", got, tt.want)
			}
		})
	}
}

func bendUpdate(f func(*wire.Update)) func(*world, wire.CeremonyID) {
	return func(w *world, _ wire.CeremonyID) {
		w.bend = func(p packet) []packet {
			if m, ok := p.m.(*wire.Update); ok && p.client == 1 {
				f(m)
			}
			return []packet{p}
		}
	}
}

// While the others wait for the buyer's signature, the buyer is who is late.
func TestALateBuyerIsNamed(t *testing.T) {
	w := newWorld(t, 2)
	id := w.create("kickoff 1 / ps 2")
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Partials); ok && m.Phase == 1 {
			return nil
		}
		return []packet{p}
	}
	if err := w.sell(id, 1, 20_000); err != nil {
		t.Fatal(err)
	}
	w.late()
	last := w.events[len(w.events)-1]
	if last.Kind != ceremony.EventFailed || last.Peer != peerID(1) {
		t.Errorf("the LSP says %+v", last)
	}
}

// A sale that was interrupted goes on when the very same is ordered again, under
// its own id, and nothing else is sold before.
func TestSaleIsRetried(t *testing.T) {
	for _, name := range []string{"ceremony_partials", "ceremony_stored"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2)
			w.create("kickoff 1 / ps 2")
			w = restored(t, w.snapshot())
			id := w.only()
			var ids []wire.CeremonyID
			lost := false
			w.bend = func(p packet) []packet {
				if m, ok := p.m.(*wire.Invite); ok {
					ids = append(ids, m.Ceremony)
				}
				if _, phase := phaseOf(p.m); p.m.Name() == name && phase == 1 && p.client == 0 && !lost {
					lost = true
					return nil
				}
				return []packet{p}
			}
			if err := w.sell(id, 1, 20_000); err != nil {
				t.Fatal(err)
			}
			w.late()
			if w.changed() != 0 || w.lsp.Factory(id).Interrupted() != "sale of 20000 sat to client 1" {
				t.Fatalf("%d changes, interrupted %q", w.changed(), w.lsp.Factory(id).Interrupted())
			}
			if err := w.sell(id, 1, 20_000); !errors.Is(err, ceremony.ErrAnswerDue) {
				t.Errorf("what the client said may still come: %v", err)
			}
			w.send(w.lsp.Disconnected(w.now, peerID(0))) // it was lost with the connection
			w.clients[0].Disconnected()
			for _, err := range []error{w.sell(id, 1, 10_000), w.sell(id, 0, 20_000), w.update(id, 0, 10_000)} {
				if !errors.Is(err, ceremony.ErrInterrupted) {
					t.Errorf("something else was sold: %v", err)
				}
			}
			if err := w.sell(id, 1, 20_000); err != nil {
				t.Fatal(err)
			}
			if w.changed() != 1 || len(ids) != 2 || ids[0] != ids[1] {
				t.Fatalf("%d changes, ids %v", w.changed(), ids)
			}
			w.sameEverywhere(id)
			if got := w.clients[1].Held(id).Tree().Capacities(1); got != 120_000 {
				t.Errorf("the buyer has %d sat", got)
			}
			if err := w.sell(id, 1, 20_000); err != nil || w.changed() != 2 || len(ids) != 3 || ids[2] == ids[1] {
				t.Errorf("the next sale: %v, %d changes, ids %v", err, w.changed(), ids)
			}
		})
	}
}

// phaseOf is the phase of a message that has one.
func phaseOf(m wire.Ceremony) (ok bool, phase uint8) {
	switch m := m.(type) {
	case *wire.Partials:
		return true, m.Phase
	case *wire.Stored:
		return true, m.Phase
	default:
		return false, 0
	}
}

// Two changes of a factory that share no client run at once, and both last.
func TestChangesSideBySide(t *testing.T) {
	w := newWorld(t, 4)
	id := w.create("static 2 / kickoff 1 / dw 2")
	for _, buyer := range []factory.ClientIndex{0, 3} {
		_, out, err := w.lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: buyer, Amount: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		w.send(out)
	}
	w.run()
	if w.changed() != 2 {
		t.Fatalf("%d changes: %v", w.changed(), w.events)
	}
	w.sameEverywhere(id)
	for _, buyer := range []factory.ClientIndex{0, 3} {
		if got := w.lsp.Factory(id).Tree().Capacities(buyer); got != 110_000 {
			t.Errorf("client %d has %d sat", buyer, got)
		}
	}
}
