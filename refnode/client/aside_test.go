package client_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// spoil is what can have happened to a record.
type spoil struct {
	name string
	part string
	f    func([]byte) []byte
}

// spoils are for the records of a client. The first two bytes of a message are
// its type, after four of its length.
func spoils() []spoil {
	const creation, change = "creation", "change/000000"
	newer := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { return append(bytes.Clone(b[:at]), append([]byte{0x7f, 0xfe}, b[at+2:]...)...) }
	}
	return []spoil{
		{"empty", creation, func([]byte) []byte { return []byte{} }},
		{"cut off", creation, func(b []byte) []byte { return b[:len(b)/2] }},
		{"cut off by a byte", creation, func(b []byte) []byte { return b[:len(b)-1] }},
		{"a bit of a signature", creation, func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-3] ^= 1; return b }},
		{"of a newer version", creation, newer(4)},
		{"something else", creation, func([]byte) []byte { return []byte("hello") }},
		{"a change that is empty", change, func([]byte) []byte { return []byte{} }},
		{"a change that is cut off", change, func(b []byte) []byte { return b[:len(b)/2] }},
		{"a change of a newer version", change, newer(5)},
		{"no LSP", "lsp", func([]byte) []byte { return []byte{2} }},
	}
}

// One bad record sets its factory aside, and nothing else: it is refused whatever
// is asked for in it, its records stay as they are, the others go on.
func TestBadRecordSetsAFactoryAside(t *testing.T) {
	for _, sp := range spoils() {
		t.Run(sp.name, func(t *testing.T) {
			w := roletest.New(t, 2)
			var ids []wire.CeremonyID
			for range 2 {
				id, err := w.Create("kickoff 1 / ps 2", nil)
				if err != nil {
					t.Fatal(err)
				}
				w.Mine(1)
				sell(w, id, 20_000)
				ids = append(ids, id)
			}
			victim := w.Clients[0]
			parts, _, err := victim.Store.Factory([32]byte(ids[0]))
			if err != nil || parts[sp.part] == nil {
				t.Fatalf("no part %s: %v", sp.part, err)
			}
			bad := sp.f(parts[sp.part])
			if err := victim.Store.PutFactory([32]byte(ids[0]), sp.part, bad); err != nil {
				t.Fatal(err)
			}
			victim.Failed = nil
			w.Restart(victim)
			aside := victim.Client.Aside()
			if len(aside) != 1 || aside[0].ID != ids[0] || len(victim.Failed) != 1 {
				t.Fatalf("set aside: %v, said: %v", aside, victim.Failed)
			}
			if list := victim.Client.Factories(); len(list) != 1 || list[0].ID != ids[1] {
				t.Fatalf("left: %v", list)
			}
			sell(w, ids[0], 30_000)
			if got := w.LSP.LSP.Factory(ids[0]).Tree().Capacities(1); got != 120_000 {
				t.Errorf("a sale went on without a client: %d sat", got)
			}
			victim.Client.Receive(w.LSP.Peer, &wire.Invite{Attempt: wire.Attempt{Ceremony: ids[0]}, Capacity: 50_000})
			if out := victim.Client.Outgoing(w.LSP.Peer); len(out) != 1 || out[0].Type() != wire.TypeAbort {
				t.Errorf("an invitation with its id: %v", out)
			}
			sell(w, ids[1], 25_000)
			if got := w.LSP.LSP.Factory(ids[1]).Tree().Capacities(1); got != 145_000 {
				t.Errorf("the other factory does not go on: %d sat", got)
			}
			if now, _, err := victim.Store.FactoryPart([32]byte(ids[0]), sp.part); err != nil || !bytes.Equal(now, bad) {
				t.Errorf("its record changed: %v", err)
			}
			if err := victim.Store.PutFactory([32]byte(ids[0]), sp.part, parts[sp.part]); err != nil {
				t.Fatal(err)
			}
			w.Restart(victim)
			if len(victim.Client.Aside()) != 0 || victim.Client.Held(w.LSP.Peer, ids[0]) == nil {
				t.Error("it does not come back with its record")
			}
		})
	}
}

// sell orders a sale to client 1 and carries the messages.
func sell(w *roletest.World, id wire.CeremonyID, amount factory.Sat) {
	w.T.Helper()
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: amount}); err != nil {
		w.T.Fatal(err)
	}
	w.Run(nil)
}

// No damage at all keeps a client from starting, or makes it panic.
func TestAnyDamage(t *testing.T) {
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 1")
	good, _, err := w.Clients[0].Store.FactoryPart([32]byte(id), "creation")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		bad := bytes.Clone(good)
		switch {
		case i%2 == 0:
			bad = bad[:r.IntN(len(bad))]
		default:
			for range 1 + r.IntN(4) {
				bad[r.IntN(len(bad))] ^= byte(1 << r.IntN(8))
			}
		}
		if err := w.Clients[0].Store.PutFactory([32]byte(id), "creation", bad); err != nil {
			t.Fatal(err)
		}
		w.Restart(w.Clients[0])
		c := w.Clients[0].Client
		if len(c.Aside())+len(c.Factories()) != 1 {
			t.Fatalf("damage %d: %v aside, %d factories", i, c.Aside(), len(c.Factories()))
		}
		if i%2 == 0 && len(c.Aside()) != 1 {
			t.Errorf("damage %d: a record of %d of %d bytes is taken", i, len(bad), len(good))
		}
	}
}
