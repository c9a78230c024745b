package hub_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/refnode/peer"
	"superscalar/wire"
)

// stranger is the node id number n.
func stranger(n int) wire.Point {
	return wire.Point(secret(fmt.Sprint("stranger ", n)).PubKey().SerializeCompressed())
}

// opens has a peer open channel number n outside of factories, up to funding_created,
// and returns its side and what the node said.
func (k *taker) opens(from wire.Point, n int) (*channel.Machine, []wire.Message) {
	k.t.Helper()
	salt := hub.Salt{1}
	binary.BigEndian.PutUint32(salt[1:], uint32(n))
	keys, err := hub.Keys(deriver("stranger"), salt, nil)
	check(k.t, err)
	open := channel.NewOutsideOpen(chainHash, wire.ChannelID(salt), 100_000, 0, hub.Points(keys))
	ours, theirs, err := k.hub.NewKeys(from, open)
	check(k.t, err)
	accept := channel.NewOutsideAccept(open, theirs)
	m, err := channel.NewOpener(channel.Config{Keys: keys}, open, accept)
	check(k.t, err)
	check(k.t, k.hub.Opened(from, peer.Opening{Salt: ours, Open: open, Accept: accept}))
	check(k.t, m.Outpoint(wire.Txid(sha(salt[:])), 1))
	for _, a := range m.Take() {
		if s, ok := a.(channel.Send); ok {
			k.hub.Receive(from, open.TemporaryChannelID, s.Message)
		}
	}
	return m, k.said(from)
}

// has reports whether the node keeps a channel.
func (k *taker) has(m *channel.Machine) bool {
	for _, s := range k.hub.Channels() {
		if s.ID == m.ID {
			return true
		}
	}
	return false
}

func says(said []wire.Message, name string) bool {
	for _, m := range said {
		if m.Name() == name {
			return true
		}
	}
	return false
}

// Strangers with ever new node ids open channels and never fund them. Whoever comes next
// is taken all the same: the oldest of theirs gives way, and no channel of a peer that
// has one with funds, or in a factory.
func TestStrangersLockNobodyOut(t *testing.T) {
	known, honest := stranger(-1), stranger(-2)
	for _, restarts := range []bool{false, true} {
		k := &taker{t: t, dir: t.TempDir(), lsp: wire.Point(secret("lsp").PubKey().SerializeCompressed())}
		k.start()
		k.hub.Connected(known, nil)
		funded, said := k.opens(known, 1_000_000)
		if !says(said, "funding_signed") {
			t.Fatalf("control: a channel is not taken: %v", names(said))
		}
		check(t, k.hub.Do(funded.ID, func(m *channel.Machine) error { m.SetUsable(); return nil }))
		var waits []*channel.Machine // of the peer that is known
		for i := range hub.MaxUnfunded {
			m, said := k.opens(known, 2_000_000+i)
			if !says(said, "funding_signed") {
				t.Fatalf("control: channel %d of a known peer is not taken: %v", i, names(said))
			}
			waits = append(waits, m)
		}
		var floods []*channel.Machine
		for n := range hub.MaxUnfundedAll {
			from := stranger(n)
			k.hub.Connected(from, nil)
			m, said := k.opens(from, n)
			if !says(said, "funding_signed") {
				t.Fatalf("control: channel %d of strangers is not taken: %v", n, names(said))
			}
			floods = append(floods, m)
		}
		if restarts { // who was first is not stored: any of those before may go
			k.hub.Close()
			check(t, k.store.Close())
			k.start()
			k.hub.Connected(known, nil)
		}
		k.hub.Connected(honest, nil)
		m, said := k.opens(honest, 3_000_000)
		if !says(said, "funding_signed") || !k.has(m) {
			t.Errorf("an honest peer is locked out: %v", names(said))
		}
		left := 0
		for _, m := range floods {
			if k.has(m) {
				left++
			}
		}
		if left != hub.MaxUnfundedAll-1 || !restarts && k.has(floods[0]) {
			t.Errorf("%d channels of strangers are left, the first one among them: %v", left, k.has(floods[0]))
		}
		if !restarts && !says(k.said(stranger(0)), "error") {
			t.Error("whose channel gave way is not told")
		}
		for n := range 20 { // the flood goes on
			from := stranger(10_000 + n)
			k.hub.Connected(from, nil)
			k.opens(from, 10_000+n)
		}
		if !k.has(m) {
			t.Error("a channel gives way before those that are older")
		}
		for _, m := range append(waits, funded) {
			if !k.has(m) {
				t.Error("a channel of a known peer gave way")
			}
		}
		if _, said := k.opens(known, 4_000_000); says(said, "funding_signed") {
			t.Errorf("more than %d unfunded channels of one peer", hub.MaxUnfunded)
		}
		n := len(k.hub.Channels())
		k.hub.Close()
		check(t, k.store.Close())
		k.start()
		if again := len(k.hub.Channels()); again != n {
			t.Errorf("%d channels after a restart, %d before", again, n)
		}
		k.hub.Close()
		check(t, k.store.Close())
	}
}

// said is what waits for a peer.
func (k *taker) said(to wire.Point) (said []wire.Message) {
	for _, o := range k.hub.Outgoing(to) {
		if o.Message != nil {
			said = append(said, o.Message)
		}
	}
	return said
}
