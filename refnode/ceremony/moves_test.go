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

// leafWorld is a world with a dw leaf of two clients whose channels are open.
func leafWorld(t *testing.T, lspRules, clientRules rule.Set) (*world, wire.CeremonyID) {
	t.Helper()
	w := newChannelWorld(t, 2, lspRules, clientRules)
	for _, c := range w.channels {
		c.moved = map[btcwire.OutPoint]bool{}
	}
	id := w.create("kickoff 1 / dw 2")
	w.open(0)
	w.open(1)
	return w, id
}

// buyLeaf orders 20,000 sat for client 1 and runs until nobody has anything to say.
func (w *world) buyLeaf(id wire.CeremonyID) (wire.CeremonyID, error) {
	attempt, out, err := w.lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000})
	w.send(out)
	w.run()
	return attempt, err
}

// moveAt says at the LSP or at a client that the channel of client i has moved.
func (w *world) moveAt(lsp bool, i int) {
	c := w.channelsOf(i)
	to := c.moves[len(c.moves)-1].Outpoint
	if lsp {
		w.channels["lsp"].moved[to] = true
		w.send(w.lsp.ChannelOpened(w.now))
	} else {
		c.moved[to] = true
		for _, m := range w.clients[i].ChannelOpened(w.now) {
			w.queue = append(w.queue, packet{toLSP: true, client: i, m: m})
		}
	}
	w.run()
}

// An update and its channels wait for each other: channels begin when everybody has
// given nonces, phase 1 when the LSP has every new commitment (CHG-001), a client's
// partial signatures when it has its own (CHG-002), and channels go on with what is
// stored, alone with the poison (CHG-005, CHG-006).
func TestAnUpdateWaitsForItsChannels(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	lsp, early := w.channels["lsp"], 0
	w.bend = func(p packet) []packet {
		if m, ok := p.m.(*wire.Nonces); ok && m.Phase == 0 {
			early += len(lsp.moves)
		}
		return []packet{p}
	}
	attempt, err := w.buyLeaf(id)
	if err != nil {
		t.Fatal(err)
	}
	w.bend = nil
	if early != 0 || len(lsp.moves) != 2 || len(lsp.begun) != 0 {
		t.Fatalf("the LSP has moved %d channels before it had every nonce, %d since, begun %d", early, len(lsp.moves), len(lsp.begun))
	}
	for i := range 2 {
		ours, theirs := w.channelsOf(i).moves[0], lsp.moves[i]
		first := w.channelsOf(i).expected[0]
		if ours.Outpoint != theirs.Outpoint || ours.Attempt != attempt || theirs.Attempt != attempt || ours.Value != []factory.Sat{100_000, 120_000}[i] ||
			point(ours) != point(first) || ours.Theirs != first.Theirs || ours.LSPKey != first.LSPKey {
			t.Errorf("client %d moves to %+v, the LSP to %+v, from %+v", i, ours, theirs, first)
		}
		if n := w.said(i, "ceremony_aggregate"); n != 2 { // of the creation and of phase 0
			t.Errorf("client %d has %d aggregates before the channels have moved", i, n)
		}
	}
	w.moveAt(true, 0)
	if n := w.said(0, "ceremony_aggregate"); n != 2 {
		t.Fatal("phase 1 begins with one channel moved")
	}
	w.moveAt(true, 1)
	if w.said(0, "ceremony_aggregate") != 3 || w.said(0, "ceremony_partials") != 2 || w.said(1, "ceremony_partials") != 2 {
		t.Fatalf("with the channels moved at the LSP alone: %v", w.log)
	}
	if len(w.channelsOf(0).begun) != 0 {
		t.Fatal("a client has begun without its commitment")
	}
	w.moveAt(false, 0)
	if w.said(0, "ceremony_partials") != 3 || len(w.channelsOf(0).begun) != 1 || len(lsp.begun) != 0 {
		t.Fatalf("with the first channel moved: %v", w.log)
	}
	w.moveAt(false, 1)
	if len(lsp.begun) != 2 || !slices.Contains(lsp.kept, attempt) {
		t.Fatalf("at the end: begun %v, kept %v: %v", lsp.begun, lsp.kept, w.log)
	}
	for i := range 2 {
		c := w.channelsOf(i)
		var alone []bool
		for _, o := range c.stands {
			if o.Outpoint == c.moves[0].Outpoint {
				alone = append(alone, o.Alone)
			}
		}
		if !slices.Equal(alone, []bool{false, true}) {
			t.Errorf("client %d is told that its output stands %v", i, c.stands)
		}
		if last := lsp.stands[len(lsp.stands)-2+i]; !last.Alone || last.Outpoint != c.moves[0].Outpoint {
			t.Errorf("the LSP is told at last that %+v stands", last)
		}
	}
}

// A channel that does not move ends the attempt at the deadline, its client is named,
// and nothing of it is left (CHG-009).
func TestAChannelThatDoesNotMove(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	attempt, err := w.buyLeaf(id)
	if err != nil {
		t.Fatal(err)
	}
	w.moveAt(true, 0)
	w.late()
	if last := w.events[len(w.events)-1]; last.Kind != ceremony.EventFailed || last.Peer != peerID(1) {
		t.Errorf("the last event is %+v", last)
	}
	for _, name := range []string{"lsp", "client 0", "client 1"} {
		if c := w.channels[name]; !slices.Contains(c.calledOff, attempt) || slices.Contains(c.kept, attempt) {
			t.Errorf("%s forgets %v, keeps %v", name, c.calledOff, c.kept)
		}
	}
	if w.lsp.Factory(id).Interrupted() != "" {
		t.Error("it counts as interrupted")
	}
}

// After phase 1 has begun nothing is called off (CHG-010).
func TestAMoveThatIsInterrupted(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	attempt, err := w.buyLeaf(id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		w.channelsOf(i).moved[w.channelsOf(i).moves[0].Outpoint] = i == 0 // the second never gives its partials
	}
	w.moveAt(true, 0)
	w.moveAt(true, 1)
	w.late()
	if lsp := w.channels["lsp"]; !slices.Contains(lsp.kept, attempt) || slices.Contains(lsp.calledOff, attempt) || len(lsp.begun) != 0 {
		t.Errorf("the LSP keeps %v, forgets %v, has begun %v", lsp.kept, lsp.calledOff, lsp.begun)
	}
	if first, second := w.channelsOf(0), w.channelsOf(1); !slices.Contains(first.kept, attempt) || !slices.Contains(second.calledOff, attempt) {
		t.Errorf("the one who has begun keeps %v, the other forgets %v", first.kept, second.calledOff)
	}
	moves, err := w.lsp.Factory(id).Moves()
	if err != nil || len(moves) != 2 || moves[0].Outpoint != w.channelsOf(0).moves[0].Outpoint {
		t.Errorf("read again, the LSP moves %+v: %v", moves, err)
	}
	held, err := w.reopened(0, id).Moves()
	if err != nil || len(held) != 1 || held[0].Outpoint != moves[0].Outpoint {
		t.Errorf("read again, the client moves %+v: %v", held, err)
	}
	if held, err := w.reopened(1, id).Moves(); err != nil || len(held) != 0 {
		t.Errorf("read again, the one who has not begun moves %+v: %v", held, err)
	}
}

// What a channel cannot do its factory does not try (CHG-012).
func TestAChannelThatCannotMove(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	w.channels["lsp"].stuck = ceremony.ErrStillMoving
	if _, err := w.buyLeaf(id); err == nil || w.said(0, "ceremony_update") != 0 {
		t.Errorf("the LSP begins: %v", err)
	}
	w.channels["lsp"].stuck = nil
	w.channelsOf(1).stuck = ceremony.ErrNoChannel
	if _, err := w.buyLeaf(id); err != nil {
		t.Fatal(err)
	}
	if len(w.channels["lsp"].moves) != 0 || w.said(1, "ceremony_abort") == 0 {
		t.Errorf("a client that cannot move: %v", w.log)
	}
}

// A client calls the change of its channel off after it has signed. The LSP does not sign
// the new state, and says to no channel that it is about to: what is pending on its side
// cannot be called off any more.
func TestAChannelThatIsCalledOffAfterItsClientSigned(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	attempt, err := w.buyLeaf(id)
	if err != nil {
		t.Fatal(err)
	}
	lsp := w.channels["lsp"]
	w.moveAt(true, 0)
	w.moveAt(true, 1)
	w.moveAt(false, 0)
	delete(lsp.moved, w.channelsOf(1).moves[0].Outpoint)
	w.moveAt(false, 1)
	if n := w.said(1, "ceremony_partials"); n != 3 {
		t.Fatalf("control: %d partial signatures: %v", n, w.log)
	}
	if len(lsp.begun) != 0 || w.said(0, "ceremony_signatures") != 2 || !slices.Contains(lsp.kept, attempt) {
		t.Errorf("the LSP has begun %v, kept %v: %v", lsp.begun, lsp.kept, w.log)
	}
}

// A client one of whose channels cannot begin has not begun: nothing of it is on its disk,
// and its channels are called off.
func TestAChannelThatCannotBegin(t *testing.T) {
	w, id := leafWorld(t, rule.Set{}, rule.Set{})
	attempt, err := w.buyLeaf(id)
	if err != nil {
		t.Fatal(err)
	}
	c := w.channelsOf(0)
	c.unready = ceremony.ErrNoChannel
	w.moveAt(false, 0)
	w.moveAt(true, 0)
	w.moveAt(true, 1)
	if w.said(0, "ceremony_partials") != 2 || !slices.Contains(c.calledOff, attempt) || slices.Contains(c.kept, attempt) {
		t.Errorf("called off %v, kept %v: %v", c.calledOff, c.kept, w.log)
	}
	if moves, err := w.reopened(0, id).Moves(); err != nil || len(moves) != 0 {
		t.Errorf("read again, it has begun %+v: %v", moves, err)
	}
}
