package ceremony_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// The channel key of an attempt derives from its id, too. Once the client has accepted
// the proposal its channel may be opened, and the LSP have its signature on a first
// commitment: the id must not come back, although no partial signature was given.
func TestAnIDIsKeptOnceItsChannelMayBeOpened(t *testing.T) {
	for _, until := range []wire.CeremonyType{wire.TypeJoin, wire.TypeNonces} {
		w := newChannelWorld(t, 1, rule.Set{}, rule.Set{})
		kept := map[wire.CeremonyID]bool{}
		w.clients[0] = ceremony.NewClient(ceremony.ClientConfig{
			Config: w.clientConfig(0, rule.Set{}),
			Joins:  func(id wire.CeremonyID) error { kept[id] = true; return nil },
			Quits:  func(id wire.CeremonyID) { delete(kept, id) },
		}, lspID, nil)
		w.bend = func(p packet) []packet {
			if p.toLSP && p.m.Type() == until {
				return nil
			}
			return []packet{p}
		}
		id := w.create("kickoff 1 / ps 2")
		proposed := until == wire.TypeNonces
		c := w.channelsOf(0)
		if (len(c.expected) == 1) != proposed || !kept[id] {
			t.Fatalf("%d channels are expected: %v", len(c.expected), w.log)
		}
		if proposed {
			c.opened[c.expected[0].Outpoint] = true // funding_signed is out
			w.clients[0].ChannelOpened(w.now)
		}
		w.clients[0].Disconnected()
		if kept[id] != proposed {
			t.Errorf("proposal accepted: %t, its id is kept: %t", proposed, kept[id])
		}
	}
}

// What keeps an id from being joined says whose fault it is.
func TestWhyAnIDIsNotJoined(t *testing.T) {
	for _, v := range []struct {
		err    error
		reason wire.Reason
		rule   rule.ID
	}{
		{ceremony.ErrJoined, wire.ReasonRefused, rule.CER003},
		{ceremony.ErrTooMany, wire.ReasonRefused, ""},
		{errors.New("the disk is full"), wire.ReasonInternal, ""},
	} {
		w := newChannelWorld(t, 1, rule.Set{}, rule.Set{})
		var told *ceremony.Failure
		client := ceremony.NewClient(ceremony.ClientConfig{
			Config: w.clientConfig(0, rule.Set{}),
			Joins:  func(wire.CeremonyID) error { return v.err },
			Failed: func(_ wire.CeremonyID, f *ceremony.Failure) { told = f },
		}, lspID, nil)
		out := client.Receive(w.now, &wire.Invite{Attempt: wire.Attempt{Ceremony: wire.CeremonyID{7}}, Capacity: 100_000})
		abort, ok := out[0].(*wire.Abort)
		if !ok || abort.Reason != v.reason || told == nil || told.Rule != v.rule || !errors.Is(told, v.err) {
			t.Errorf("%v: it answers %+v, the owner hears %+v", v.err, out[0], told)
		}
	}
}
