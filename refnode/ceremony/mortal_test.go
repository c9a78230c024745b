package ceremony_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/ledger"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A crash test runs a ceremony once for every point at which a party can die:
// before and after each of its writes and broadcasts, before each message that
// it sends and on each that it receives. The party starts again from what its
// disk holds, and all has to be well.

var errDead = errors.New("the process is dead")

// theLSP is its place among the lives.
const theLSP = -1

// mortal is a process that dies at a point; nil never does.
type mortal struct {
	at, seen int
	dead     bool
	where    string
}

// dies counts a point and reports whether the process is dead from there on.
func (m *mortal) dies(where string) bool {
	if m == nil {
		return false
	}
	if !m.dead && m.seen == m.at {
		m.dead, m.where = true, where
	}
	m.seen++
	return m.dead
}

func (w *world) life(who int) *mortal {
	switch {
	case w.lives == nil:
		return nil
	case who == theLSP:
		return w.lives[len(w.clients)]
	default:
		return w.lives[who]
	}
}

// snapshot is what is on the disks of everybody.
type snapshot struct {
	lsp       *memory
	clients   []*memory
	broadcast []*btcwire.MsgTx
	n         uint32
}

func (m *memory) copied(t *testing.T) *memory {
	t.Helper()
	l, err := ledger.New(rule.Set{}, m.recorded)
	if err != nil {
		t.Fatalf("the record contradicts itself: %v", err)
	}
	c := &memory{ledger: l, recorded: slices.Clone(m.recorded), signed: m.signed, parts: map[wire.CeremonyID]ceremony.Parts{}}
	for id, parts := range m.parts {
		c.parts[id] = maps.Clone(parts)
	}
	return c
}

func (w *world) snapshot() snapshot {
	s := snapshot{lsp: w.store.copied(w.t), broadcast: slices.Clone(w.purse.broadcast), n: w.purse.n}
	for _, m := range w.stores {
		s.clients = append(s.clients, m.copied(w.t))
	}
	return s
}

// restored is a world in which everybody has just started with these disks.
func restored(t *testing.T, s snapshot) *world {
	w := newWorld(t, len(s.clients))
	w.purse.n, w.purse.broadcast = s.n, slices.Clone(s.broadcast)
	w.store = s.lsp.copied(t)
	for i := range s.clients {
		w.stores[i] = s.clients[i].copied(t)
		w.startClient(i)
	}
	w.startLSP()
	return w
}

// incarnation makes the randomness of each start differ, as that of a machine
// does.
var incarnations atomic.Uint64

func (w *world) startLSP() {
	w.t.Helper()
	w.store = w.store.copied(w.t)
	w.purse.life, w.purse.reserved = nil, map[wire.CeremonyID]bool{}
	cfg := w.config(rule.Set{}, "lsp", 1_000+incarnations.Add(1), w.store)
	var all []*ceremony.Factory
	for id, parts := range w.store.parts {
		f, err := ceremony.OpenFactory(cfg, id, parts)
		if err != nil {
			w.t.Fatalf("the LSP does not start: %v", err)
		}
		all = append(all, f)
	}
	w.lsp = ceremony.NewLSP(ceremony.LSPConfig{
		Config: cfg, Funder: w.purse, Report: func(e ceremony.Event) { w.events = append(w.events, e) },
	}, all)
	for _, f := range w.lsp.Factories() { // what role lsp does at its start
		var tx btcwire.MsgTx
		if err := tx.Deserialize(bytes.NewReader(f.Funding)); err != nil {
			w.t.Fatal(err)
		}
		if !w.isBroadcast(&tx) {
			w.purse.broadcast = append(w.purse.broadcast, &tx)
		}
	}
}

func (w *world) isBroadcast(tx *btcwire.MsgTx) bool {
	return slices.ContainsFunc(w.purse.broadcast, func(other *btcwire.MsgTx) bool { return other.TxHash() == tx.TxHash() })
}

func (w *world) startClient(i int) {
	w.t.Helper()
	w.stores[i] = w.stores[i].copied(w.t)
	cfg := w.config(rule.Set{}, fmt.Sprintf("client %d", i), 100_000+incarnations.Add(1), w.stores[i])
	var all []*ceremony.Held
	for id, parts := range w.stores[i].parts {
		h, err := ceremony.OpenHeld(cfg, id, parts)
		if err != nil {
			w.t.Fatalf("client %d does not start: %v", i, err)
		}
		all = append(all, h)
	}
	w.clients[i] = ceremony.NewClient(ceremony.ClientConfig{Config: cfg}, lspID, all)
}

// begin arms a death and gives everybody a life.
func (w *world) begin(victim, at int) {
	w.lives = make([]*mortal, len(w.clients)+1)
	m := &mortal{at: at}
	if victim == theLSP {
		w.lives[len(w.clients)], w.store.life, w.purse.life = m, m, m
		return
	}
	w.lives[victim], w.stores[victim].life = m, m
}

// bury ends the connections of who died, with what is under way on them when
// lose is set, lets the others react, and starts it again.
func (w *world) bury(victim int, lose bool) {
	w.t.Helper()
	if lose {
		w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return victim == theLSP || p.client == victim })
	}
	w.run()
	if victim == theLSP {
		for _, c := range w.clients {
			c.Disconnected()
		}
	} else {
		w.send(w.lsp.Disconnected(w.now, peerID(victim)))
		w.queue = slices.DeleteFunc(w.queue, func(p packet) bool { return p.client == victim })
		w.run()
	}
	w.lives = nil
	if victim == theLSP {
		w.queue = nil
		w.startLSP()
		return
	}
	w.stores[victim].life = nil
	w.startClient(victim)
}
