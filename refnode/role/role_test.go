package role_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

func message(n byte) wire.Ceremony {
	return &wire.Stored{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{n}}}
}

func ids(list []wire.Ceremony) (out []byte) {
	for _, m := range list {
		out = append(out, m.ID()[0])
	}
	return out
}

// Each peer's messages keep their order, whoever's come between them.
func TestTray(t *testing.T) {
	a, b := ceremony.Peer{2, 1}, ceremony.Peer{2, 2}
	var woken []byte
	tray := role.Tray{Wake: func(p ceremony.Peer) { woken = append(woken, p[1]) }}
	if got := tray.Take(a); len(got) != 0 {
		t.Errorf("an empty tray has %v", got)
	}
	tray.Put([]ceremony.Out{{To: a, Message: message(1)}, {To: b, Message: message(2)}, {To: a, Message: message(3)}})
	tray.Put([]ceremony.Out{{To: b, Message: message(4)}, {To: a, Message: message(5)}})
	if !bytes.Equal(woken, []byte{1, 2, 1, 2, 1}) {
		t.Errorf("woken %v", woken)
	}
	if got := ids(tray.Take(a)); !bytes.Equal(got, []byte{1, 3, 5}) {
		t.Errorf("a gets %v", got)
	}
	if got := tray.Take(a); len(got) != 0 {
		t.Errorf("a gets %v twice", ids(got))
	}
	tray.Drop(b)
	tray.Put([]ceremony.Out{{To: b, Message: message(6)}})
	if got := ids(tray.Take(b)); !bytes.Equal(got, []byte{6}) {
		t.Errorf("b gets %v after its connection ended", got)
	}
}

func TestAlarm(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for _, row := range []struct {
		name string
		set  func(*role.Tray, func())
		want []int // seconds at which it rings
	}{
		{"once", func(r *role.Tray, ring func()) { r.Alarm(at(5), true, ring) }, []int{5}},
		{"the same twice", func(r *role.Tray, ring func()) { r.Alarm(at(5), true, ring); r.Alarm(at(5), true, ring) }, []int{5}},
		{"earlier", func(r *role.Tray, ring func()) { r.Alarm(at(5), true, ring); r.Alarm(at(3), true, ring) }, []int{3}},
		{"later", func(r *role.Tray, ring func()) { r.Alarm(at(3), true, ring); r.Alarm(at(5), true, ring) }, []int{5}},
		{"taken away", func(r *role.Tray, ring func()) { r.Alarm(at(3), true, ring); r.Alarm(time.Time{}, false, nil) }, nil},
		{"taken away, set again", func(r *role.Tray, ring func()) {
			r.Alarm(at(3), true, ring)
			r.Alarm(time.Time{}, false, nil)
			r.Alarm(at(3), true, ring)
		}, []int{3}},
		{"in the past", func(r *role.Tray, ring func()) { r.Alarm(at(-9), true, ring) }, []int{0}},
		{"the same again after it rang", func(r *role.Tray, ring func()) { // who does nothing about it is not woken for ever
			r.Alarm(at(2), true, func() { ring(); r.Alarm(at(2), true, ring) })
		}, []int{2}},
		{"another after it rang", func(r *role.Tray, ring func()) {
			r.Alarm(at(2), true, func() { ring(); r.Alarm(at(4), true, ring) })
		}, []int{2, 4}},
	} {
		t.Run(row.name, func(t *testing.T) {
			clock := transport.NewManualClock(start)
			tray := role.Tray{Clock: clock}
			var got []int
			row.set(&tray, func() { got = append(got, int(clock.Now().Sub(start)/time.Second)) })
			for range 10 {
				clock.Advance(time.Second)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("it rings at %v, want %v", got, row.want)
			}
		})
	}
}

// The labels of keys fit and are those of one attempt alone.
func TestKeys(t *testing.T) {
	seen := map[string]bool{}
	keys := role.Keys{Derive: func(label string, index uint32) (*btcec.PrivateKey, error) {
		name := fmt.Sprintf("%s %d", label, index)
		if seen[name] || len(label) > 64 {
			t.Errorf("label %q, %d", label, index)
		}
		seen[name] = true
		return btcec.NewPrivateKey()
	}}
	for _, id := range []wire.CeremonyID{{1}, {2}, {31: 1}} {
		_, err1 := keys.Factory(id)
		_, err2 := keys.Payout(id)
		_, err3 := keys.Channel(id, 0)
		_, err4 := keys.Channel(id, 1023)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d keys, want 12", len(seen))
	}
}

// One factory that cannot be read is set aside; the others are there, and it
// stays in the store until somebody prunes it.
func TestLoadSetsAside(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, id := range [][32]byte{{1}, {2}, {3}} {
		if err := s.PutFactory(id, "part", id[:1]); err != nil {
			t.Fatal(err)
		}
	}
	bad := errors.New("bad")
	load := func(id wire.CeremonyID, parts ceremony.Parts) (byte, error) {
		if id == (wire.CeremonyID{2}) {
			return 9, bad
		}
		return parts["part"][0], nil
	}
	for range 2 {
		got, aside, err := role.Load(s, load)
		if err != nil || !bytes.Equal(got, []byte{1, 3}) || len(aside) != 1 || aside[0].ID != (wire.CeremonyID{2}) || !errors.Is(aside[0].Err, bad) {
			t.Errorf("%v, %v, %v", got, aside, err)
		}
	}
	if err := role.Prune(s, func(id wire.CeremonyID) bool { return id[0] > 1 }); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Factories(); err != nil || len(ids) != 2 || ids[0][0] != 2 || ids[1][0] != 3 {
		t.Errorf("left after pruning: %v, %v", ids, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := role.Load(s, load); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a store that does not answer: %v", err)
	}
}

// Coins of an attempt are reserved across restarts, and freed by Settle alone.
func TestPurse(t *testing.T) {
	c, err := embedded.New(embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var saved []byte
	open := func() *role.Purse {
		w, err := wallet.New(wallet.Options{Saved: saved, Save: func(b []byte) error { saved = bytes.Clone(b); return nil },
			Keys: func(i uint32) (*btcec.PrivateKey, error) {
				key, _ := btcec.PrivKeyFromBytes([]byte{1, byte(i)})
				return key, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		return &role.Purse{Wallet: w, Chain: role.Chain{Backend: c}, Rate: wallet.SatPerVByte(2)}
	}
	p := open()
	script, err := p.Wallet.NewScript()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mine(100); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fund(script, 100_000); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Mine(1); err != nil {
		t.Fatal(err)
	}
	id, out := wire.CeremonyID{7}, btcwire.TxOut{Value: 50_000, PkScript: script}
	tx, _, err := p.Fund(id, out)
	if err != nil {
		t.Fatal(err)
	}
	var short *wallet.ShortError
	if _, _, err := p.Fund(wire.CeremonyID{8}, out); !errors.As(err, &short) {
		t.Errorf("a coin for two attempts: %v", err)
	}
	p = open()
	if _, err := p.Sign(id, tx); err == nil {
		t.Error("an attempt goes on after a restart")
	}
	if err := p.Settle(func(other wire.CeremonyID) bool { return other == id }); err != nil || len(p.Wallet.Reservations()) != 1 {
		t.Errorf("%v, reservations %v", err, p.Wallet.Reservations())
	}
	if err := p.Settle(func(wire.CeremonyID) bool { return false }); err != nil || len(p.Wallet.Reservations()) != 0 {
		t.Errorf("%v, reservations %v", err, p.Wallet.Reservations())
	}
	if tx, _, err = p.Fund(id, out); err != nil {
		t.Fatal(err)
	}
	if err := p.Settle(func(wire.CeremonyID) bool { return false }); err != nil || len(p.Wallet.Reservations()) != 1 {
		t.Errorf("an attempt under way loses its coins: %v, reservations %v", err, p.Wallet.Reservations())
	}
	signed, err := p.Sign(id, tx)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is once
		if err := p.Broadcast(signed); err != nil {
			t.Error(err)
		}
	}
	p.Release(id)
	if len(p.Wallet.Reservations()) != 0 {
		t.Error("released, and still reserved")
	}
}

// A chain that hangs is an error in time.
func TestChainTimeout(t *testing.T) {
	faulty := &roletest.Chain{}
	faulty.Set(roletest.Faults{Hang: true})
	c := role.Chain{Backend: faulty, Timeout: time.Millisecond}
	_, err1 := c.Tip()
	_, err2 := c.Seen(btcwire.OutPoint{})
	_, _, err3 := c.Output(btcwire.OutPoint{})
	_, err4 := c.Known([32]byte{})
	err5 := c.Submit(btcwire.NewMsgTx(2))
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if err == nil {
			t.Errorf("question %d: no error", i)
		}
	}
}
