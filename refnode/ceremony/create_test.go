package ceremony_test

import (
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

var shapes = []struct {
	name    string
	shape   string
	clients int
}{
	{"one client", "kickoff 1 / ps 2", 1},
	{"two clients, dw", "kickoff 1 / dw 2", 2},
	{"eight, static level", "static 2 / kickoff 1 / ps 2", 8},
	{"uneven", "static 3 / kickoff 1 / ps 2", 7},
	{"two state layers", "kickoff 1 / state 4 / kickoff 1 / dw 4", 13},
	{"wide kickoff", "kickoff 4 / ps 2", 16},
}

func TestCreation(t *testing.T) {
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.clients)
			id := w.create(tt.shape)
			if len(w.purse.broadcast) != 1 {
				t.Fatalf("%d transactions broadcast, want the funding transaction; log %v events %v", len(w.purse.broadcast), w.log, w.events)
			}
			for i := range w.clients {
				checkHeld(t, w.clients[i].Held(id), w.lsp.Factory(id), factory.ClientIndex(i))
				checkHeld(t, w.reopened(i, id), w.lsp.Factory(id), factory.ClientIndex(i))
				if w.clients[i].Busy() {
					t.Errorf("client %d is still busy", i)
				}
			}
			lsp, err := ceremony.OpenFactory(w.config(rule.Set{}, "lsp", 9, w.store), id, w.store.parts[id])
			if err != nil {
				t.Fatal(err)
			}
			for _, tx := range w.lsp.Factory(id).Tree().AllSlots() {
				if _, err := lsp.Complete(tx); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// checkHeld wants a client to hold a complete signature on everything on its
// path, and the LSP to have the same transactions.
func checkHeld(t *testing.T, h *ceremony.Held, f *ceremony.Factory, c factory.ClientIndex) {
	t.Helper()
	if h == nil || f == nil {
		t.Fatalf("client %d: held %v, LSP %v", c, h != nil, f != nil)
	}
	all := map[string]bool{}
	for _, tx := range f.Tree().AllSlots() {
		all[tx.Txid.String()] = true
	}
	slots := h.Tree().Slots(c)
	if len(slots) == 0 {
		t.Fatalf("client %d has nothing", c)
	}
	for _, tx := range slots {
		if _, err := h.Complete(tx); err != nil {
			t.Errorf("client %d: %v", c, err)
		}
		if !all[tx.Txid.String()] {
			t.Errorf("client %d holds a %s the LSP does not know", c, tx.Kind)
		}
	}
	for _, ch := range h.Tree().Channels(c) {
		if _, err := h.Complete(ch.Distribution); err != nil {
			t.Errorf("client %d, distribution of its channel: %v", c, err)
		}
	}
}

func TestWhoStopsAnAttemptIsDropped(t *testing.T) {
	tests := []struct {
		name string
		bend func(p packet) []packet // applied to client 1 in the first attempt
		late bool
	}{
		{"silent at the invitation", swallow("ceremony_join"), true},
		{"silent after the proposal", swallow("ceremony_nonces"), true},
		{"silent after the aggregate", swallow("ceremony_partials"), true},
		{"silent at the end", swallow("ceremony_stored"), true},
		{"a nonce that is no point", change(func(m *wire.Nonces) { m.Nonces[0][0] = 9 }), false},
		{"a nonce too few", change(func(m *wire.Nonces) { m.Nonces = m.Nonces[1:] }), false},
		{"one nonce twice", change(func(m *wire.Nonces) { m.Nonces[1] = m.Nonces[0] }), false},
		{"a wrong partial signature", change(func(m *wire.Partials) { m.Partials[2][31] ^= 1 }), false},
		{"a partial signature out of range", change(func(m *wire.Partials) {
			m.Partials[0] = [32]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}), false},
		{"a partial signature too many", change(func(m *wire.Partials) { m.Partials = append(m.Partials, m.Partials[0]) }), false},
		{"an abort", func(p packet) []packet {
			if _, ok := p.m.(*wire.Nonces); ok {
				p.m = &wire.Abort{Attempt: wire.Attempt{Ceremony: p.m.ID()}, Reason: wire.ReasonRefused}
			}
			return []packet{p}
		}, false},
		{"a message out of order", func(p packet) []packet {
			if _, ok := p.m.(*wire.Nonces); ok {
				p.m = &wire.Stored{Attempt: wire.Attempt{Ceremony: p.m.ID()}}
			}
			return []packet{p}
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 4)
			var first wire.CeremonyID
			w.bend = func(p packet) []packet {
				if p.toLSP && p.client == 1 {
					return tt.bend(p)
				}
				return []packet{p}
			}
			first = w.create("kickoff 1 / ps 2")
			if tt.late {
				w.late()
			}
			done := w.funded()
			if len(done) != 1 {
				t.Fatalf("%d factories, want one without client 1: %v\n%v", len(done), w.events, w.log)
			}
			if n := len(w.lsp.Factory(done[0]).Members); n != 3 {
				t.Errorf("%d clients in the factory, want 3", n)
			}
			if tt.name != "silent at the invitation" && done[0] == first {
				t.Error("the attempt that failed was not started again")
			}
			if w.clients[1].Held(done[0]) != nil {
				t.Error("client 1 has a factory")
			}
			if len(w.purse.reserved) != 1 {
				t.Errorf("coins of %d attempts are reserved, want 1", len(w.purse.reserved))
			}
		})
	}
}

func swallow(name string) func(p packet) []packet {
	return func(p packet) []packet {
		if p.m.Name() == name {
			return nil
		}
		return []packet{p}
	}
}

// change bends the messages of one type.
func change[M wire.Ceremony](f func(M)) func(p packet) []packet {
	return func(p packet) []packet {
		if m, ok := p.m.(M); ok {
			f(m)
		}
		return []packet{p}
	}
}

// The keys of an attempt derive from its id: a client joins none twice (CER-003),
// whether it stored anything of the first or not, but goes on with other ids.
func TestAnIDIsJoinedOnce(t *testing.T) {
	w := newWorld(t, 1)
	invite := func(id wire.CeremonyID) wire.Ceremony {
		out := w.clients[0].Receive(w.now, &wire.Invite{Attempt: wire.Attempt{Ceremony: id}, Capacity: 100_000})
		if len(out) != 1 {
			t.Fatalf("%d answers", len(out))
		}
		w.clients[0].Receive(w.now, &wire.Abort{Attempt: wire.Attempt{Ceremony: id}, Reason: wire.ReasonRestart})
		return out[0]
	}
	for _, id := range []wire.CeremonyID{{1}, {2}} {
		if m := invite(id); m.Type() != wire.TypeJoin {
			t.Errorf("a new id is answered with %s", m.Name())
		}
		if m, ok := invite(id).(*wire.Abort); !ok || m.Reason != wire.ReasonRefused {
			t.Error("the id was joined twice")
		}
	}
}
