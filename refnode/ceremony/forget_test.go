package ceremony_test

import (
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// An attempt that has the id of a factory must not forget the channels of that.
func TestAnAttemptWithTheIDOfAFactory(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	for _, m := range []wire.Ceremony{
		&wire.Poison{Attempt: wire.Attempt{Ceremony: id}, Factory: [32]byte(id), Node: wire.NodeRecord{Level: 1}},
		&wire.Poison{Attempt: wire.Attempt{Ceremony: id}, Factory: [32]byte{1}},
		&wire.Update{Attempt: wire.Attempt{Ceremony: id}, Factory: [32]byte(id)},
		&wire.Invite{Attempt: wire.Attempt{Ceremony: id}, Capacity: 100_000, Factory: (*[32]byte)(&id)},
	} {
		w.channelsOf(0).forgotten = nil
		out := w.clients[0].Receive(w.now, m)
		if abort, ok := out[0].(*wire.Abort); !ok || abort.Reason != wire.ReasonRefused {
			t.Errorf("%T: the answer is %+v", m, out[0])
		}
		w.clients[0].Disconnected()
		if slices.Contains(w.channelsOf(0).forgotten, id) {
			t.Errorf("%T: the channels of the factory are forgotten; answer %+v", m, out[0])
		}
	}
}

// Two interrupted updates on different leaves.
func TestTwoInterruptedUpdatesMove(t *testing.T) {
	w := newChannelWorld(t, 4, rule.Set{}, rule.Set{})
	for _, c := range w.channels {
		c.moved = map[btcwire.OutPoint]bool{}
	}
	id := w.create("kickoff 2 / dw 2")
	for i := range 4 {
		w.open(i)
	}
	for _, buyer := range []uint16{1, 3} {
		_, out, err := w.lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: factory.ClientIndex(buyer), Amount: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		w.send(out)
		w.run()
		a, b := int(buyer)-1, int(buyer)
		for _, i := range []int{a, b} {
			c := w.channelsOf(i)
			c.moved[c.moves[len(c.moves)-1].Outpoint] = i == a
		}
		for _, i := range []int{a, b} {
			c := w.channelsOf(i)
			w.channels["lsp"].moved[c.moves[len(c.moves)-1].Outpoint] = true
		}
		w.send(w.lsp.ChannelOpened(w.now))
		w.run()
		w.late()
	}
	moves, err := w.lsp.Factory(id).Moves()
	if err != nil || len(moves) != 4 {
		t.Errorf("%d moves restored, want 4 (%v); interrupted %q", len(moves), err, w.lsp.Factory(id).Interrupted())
	}
}

// A sale that is complete is offered once more: its channel must not be expected again.
func TestACompleteSaleAgain(t *testing.T) {
	w := newChannelWorld(t, 2, rule.Set{}, rule.Set{})
	id := w.create("kickoff 1 / ps 2")
	w.open(0)
	w.open(1)
	var invite *wire.Invite
	var sale *wire.Sale
	w.bend = func(p packet) []packet {
		if p.client == 0 && !p.toLSP {
			switch m := p.m.(type) {
			case *wire.Invite:
				invite = m
			case *wire.Sale:
				sale = m
			}
		}
		return []packet{p}
	}
	_, out, err := w.lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: 0, Amount: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	w.send(out)
	w.run()
	w.open(0)
	c := w.channelsOf(0)
	n := len(c.expected)
	for _, m := range []wire.Ceremony{invite, sale} {
		if out := w.clients[0].Receive(w.now, m); len(out) == 0 || out[0].Name() == "ceremony_abort" {
			t.Fatalf("%s again: %+v", m.Name(), out)
		}
	}
	if len(c.expected) != n {
		t.Error("its channel is expected again")
	}
	w.clients[0].Disconnected()
	if len(c.forgotten) > 0 {
		t.Errorf("forgotten: %v", c.forgotten)
	}

	other := &wire.Update{Attempt: sale.Attempt, Factory: [32]byte(id)}
	fresh := &wire.Invite{Attempt: sale.Attempt, Capacity: 100_000}
	for _, m := range []wire.Ceremony{other, fresh} {
		abort, ok := w.clients[0].Receive(w.now, m)[0].(*wire.Abort)
		if !ok || abort.Reason != wire.ReasonRefused || w.clients[0].Busy() || len(c.forgotten) > 0 {
			t.Errorf("%s with the id of a sale: %+v, forgotten %v", m.Name(), abort, c.forgotten)
		}
	}
}

// A proposal or a sale with the lsp_channel_key of a channel there is is refused.
func TestTheKeyOfAnotherChannel(t *testing.T) {
	w := newChannelWorld(t, 2, rule.Set{}, rule.Set{})
	id := w.create("kickoff 1 / ps 2")
	w.open(0)
	w.open(1)
	old := w.clients[0].Held(id).Proposal.LSPChannelKey
	var answers []wire.Ceremony
	w.bend = func(p packet) []packet {
		if p.client != 0 {
			return []packet{p}
		}
		if p.toLSP {
			answers = append(answers, p.m)
		}
		switch m := p.m.(type) {
		case *wire.Proposal:
			m.LSPChannelKey = old
		case *wire.Sale:
			m.LSPChannelKey = old
		}
		return []packet{p}
	}
	refused := func(what string) {
		t.Helper()
		last, _ := answers[len(answers)-1].(*wire.Abort)
		if last == nil || last.Reason != wire.ReasonKeys || len(w.channelsOf(0).expected) != 1 || len(w.channelsOf(0).forgotten) > 0 {
			t.Errorf("%s: %+v, expected %d, forgotten %v", what, last, len(w.channelsOf(0).expected), w.channelsOf(0).forgotten)
		}
	}
	_, out, err := w.lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: 0, Amount: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	w.send(out)
	w.run()
	refused("a sale")
	w.create("kickoff 1 / ps 2")
	refused("a proposal")
}
