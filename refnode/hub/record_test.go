package hub_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/node"
	"superscalar/refnode/store"
)

// A record of version 1 has the onions in the state. It is read as it was, and written
// in the form of now, without losing an onion that is needed to send an HTLC again.
func TestRecordsOfVersionOne(t *testing.T) {
	w := newWorld(t)
	a, l := w.party("a", node.Client), w.party("l", node.LSP)
	l.coins(2_000_000)
	l.connect(a)
	l.channel(a, 1_000_000, 400_000_000)
	dies := newFault(dieBefore, 0)
	l.set(dies)
	onion := bytes.Repeat([]byte{9}, 1366)
	check(t, a.hub.Do(a.hub.Channels()[0].ID, func(m *channel.Machine) error {
		_, err := m.Add(channel.AddHTLC{Origin: channel.Origin{1}, Amount: 5_000_000, Hash: [32]byte{2}, Expiry: m.Height() + 500, Onion: onion})
		return err
	}))
	<-dies.fired
	a.stop()
	toVersionOne(t, a.dir)
	a.start()
	s := a.hub.States()[0]
	if len(s.HTLCs) != 1 || !bytes.Equal(s.HTLCs[0].Onion, onion) {
		t.Fatalf("it is read with %+v", s.HTLCs)
	}
	l.stop()
	l.set(nil)
	l.start()
	l.connect(a)
	w.until("the HTLC is sent again, and refused", func() bool {
		if raw, _ := record(t, a.store); raw[0] == 2 && bytes.Contains(raw, onion) {
			t.Fatal("a record of version 2 has an onion in it")
		}
		return len(a.hub.States()[0].HTLCs) == 0
	})
	if raw, onions := record(t, a.store); raw[0] != 2 || len(onions) != 0 {
		t.Errorf("the record is of version %d, with %d onions, afterwards", raw[0], len(onions))
	}
}

// record is the one stored channel, with the names of the onions beside it.
func record(t *testing.T, s *store.Store) (raw []byte, onions []string) {
	t.Helper()
	check(t, s.View(func(tx *store.Tx) error {
		names, err := tx.Keys("channels")
		if err != nil {
			return err
		}
		if raw, _, err = tx.Get("channels", names[0]); err != nil {
			return err
		}
		onions, err = tx.Keys("onions")
		return err
	}))
	return raw, onions
}

// toVersionOne writes a stored channel with one HTLC as version 1 did.
func toVersionOne(t *testing.T, dir string) {
	t.Helper()
	s, err := store.Open(dir)
	check(t, err)
	defer func() { check(t, s.Close()) }()
	raw, onions := record(t, s)
	const head = 1 + 33 + 8 + 19 + 4 // version, peer, short channel id, policy, size of the funding transaction
	at := head + int(binary.BigEndian.Uint32(raw[head-4:]))
	state, err := channel.DecodeState(raw[at:])
	check(t, err)
	m := &channel.Machine{State: *state}
	if raw[0] != 2 || len(onions) != 1 || len(state.HTLCs) != 1 {
		t.Fatalf("version %d, %d onions, %d HTLCs", raw[0], len(onions), len(state.HTLCs))
	}
	check(t, s.Update(func(tx *store.Tx) error {
		onion, _, err := tx.Get("onions", onions[0])
		if err != nil {
			return err
		}
		if err := m.SetOnions([]channel.Onion{{By: state.HTLCs[0].By, ID: state.HTLCs[0].ID, Bytes: onion}}); err != nil {
			return err
		}
		if err := tx.Delete("onions", onions[0]); err != nil {
			return err
		}
		names, err := tx.Keys("channels")
		if err != nil {
			return err
		}
		old := append([]byte{1}, raw[1:at]...)
		return tx.Put("channels", names[0], append(old, m.State.Encode()...))
	}))
}
