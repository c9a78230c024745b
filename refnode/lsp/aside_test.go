package lsp_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// spoils are what can have happened to a record of an LSP.
var spoils = []struct {
	name, part string
	f          func([]byte) []byte
}{
	{"empty", "creation", func([]byte) []byte { return []byte{} }},
	{"cut off", "creation", func(b []byte) []byte { return b[:len(b)/2] }},
	{"cut off by a byte", "creation", func(b []byte) []byte { return b[:len(b)-1] }},
	{"of a newer version", "creation", newer},
	{"something else", "creation", func([]byte) []byte { return []byte("hello") }},
	{"a change that is empty", "change/000000", func([]byte) []byte { return []byte{} }},
	{"a change that is cut off", "change/000000", func(b []byte) []byte { return b[:len(b)-1] }},
	{"a change of a newer version", "change/000000", newer},
}

// newer has a field that this version does not know.
func newer(b []byte) []byte { return append([]byte(`{"Newer":1,`), b[1:]...) }

// One bad record sets its factory aside at the LSP and nothing else: no change of
// it begins, the coins that it may have been paid with stay reserved, its records
// stay as they are, the others go on.
func TestBadRecordSetsAFactoryAside(t *testing.T) {
	for _, sp := range spoils {
		t.Run(sp.name, func(t *testing.T) {
			w := roletest.New(t, 2)
			var ids []wire.CeremonyID
			for range 2 {
				id, err := w.Create("kickoff 1 / ps 2", nil)
				if err != nil {
					t.Fatal(err)
				}
				w.Mine(1)
				ids = append(ids, id)
				if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Amount: 20_000}); err != nil {
					t.Fatal(err)
				}
				w.Run(nil)
			}
			good, found, err := w.LSP.Store.FactoryPart([32]byte(ids[0]), sp.part)
			if err != nil || !found {
				t.Fatalf("no part %s: %v", sp.part, err)
			}
			bad := sp.f(good)
			if err := w.LSP.Store.PutFactory([32]byte(ids[0]), sp.part, bad); err != nil {
				t.Fatal(err)
			}
			w.Events = nil
			w.Restart(w.LSP)
			aside := w.LSP.LSP.Aside()
			if len(aside) != 1 || aside[0].ID != ids[0] || !failed(w) || w.Events[0].Ceremony != ids[0] {
				t.Fatalf("set aside: %v, said: %v", aside, w.Events)
			}
			if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: ids[0], Amount: 20_000}); !errors.Is(err, ceremony.ErrUnknownFactory) {
				t.Errorf("a sale in it: %v", err)
			}
			completes(t, w, w.LSP.LSP.Sell, ids[1], 120_000)
			if now, _, err := w.LSP.Store.FactoryPart([32]byte(ids[0]), sp.part); err != nil || !bytes.Equal(now, bad) {
				t.Errorf("its record changed: %v", err)
			}
			if err := w.LSP.Store.PutFactory([32]byte(ids[0]), sp.part, good); err != nil {
				t.Fatal(err)
			}
			w.Restart(w.LSP)
			if len(w.LSP.LSP.Aside()) != 0 || w.LSP.LSP.Factory(ids[0]) == nil {
				t.Error("it does not come back with its record")
			}
		})
	}
}

// The coins of a factory whose record cannot be read are not spent on another:
// its funding transaction may be out.
func TestCoinsOfAFactorySetAside(t *testing.T) {
	w := roletest.New(t, 1)
	id, funding := unfunded(w)
	if err := w.LSP.Store.PutFactory([32]byte(id), "creation", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	w.Restart(w.LSP)
	if got := w.LSP.Wallet.Reservations(); len(got) != 1 || got[0] != id.String() {
		t.Errorf("reservations %v", got)
	}
	if s := spender(w, funding); s == nil || s.Tx.TxHash() != funding.TxHash() {
		t.Error("its funding transaction is gone")
	}
}

// No damage at all keeps an LSP from starting, or makes it panic.
func TestAnyDamage(t *testing.T) {
	w := roletest.New(t, 1)
	id := w.Factory("kickoff 1 / ps 1")
	good, _, err := w.LSP.Store.FactoryPart([32]byte(id), "creation")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		bad := bytes.Clone(good)
		if i%2 == 0 {
			bad = bad[:r.IntN(len(bad))]
		} else {
			for range 1 + r.IntN(4) {
				bad[r.IntN(len(bad))] ^= byte(1 << r.IntN(8))
			}
		}
		if err := w.LSP.Store.PutFactory([32]byte(id), "creation", bad); err != nil {
			t.Fatal(err)
		}
		w.Restart(w.LSP)
		if kept, _, err := w.LSP.Store.Factory([32]byte(id)); err != nil || !bytes.Equal(kept["creation"], bad) {
			t.Fatalf("damage %d: the record is not left alone: %v", i, err)
		}
		if i%2 == 0 && len(w.LSP.LSP.Aside()) != 1 {
			t.Errorf("damage %d: a record of %d of %d bytes is taken", i, len(bad), len(good))
		}
	}
}
