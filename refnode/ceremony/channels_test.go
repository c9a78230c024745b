package ceremony_test

import (
	"fmt"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// channels are the channels of one party: a test opens them.
type channels struct {
	expected  []ceremony.ChannelOutput
	opened    map[btcwire.OutPoint]bool
	forgotten []wire.CeremonyID
	calledOff []wire.CeremonyID
	kept      []wire.CeremonyID
	// moves, in order; stuck is what CanMove says, unready what Begin does.
	moves   []ceremony.ChannelOutput
	moved   map[btcwire.OutPoint]bool
	begun   []btcwire.OutPoint
	stands  []ceremony.ChannelOutput
	stuck   error
	unready error
}

func (c *channels) CanMove(ceremony.ChannelOutput) error { return c.stuck }
func (c *channels) Move(to ceremony.ChannelOutput)       { c.moves = append(c.moves, to) }
func (c *channels) Moved(to ceremony.ChannelOutput) bool { return c.moved[to.Outpoint] }
func (c *channels) Stands(o ceremony.ChannelOutput)      { c.stands = append(c.stands, o) }
func (c *channels) Begin(to ceremony.ChannelOutput) error {
	if c.unready == nil {
		c.begun = append(c.begun, to.Outpoint)
	}
	return c.unready
}

func (c *channels) Expect(o ceremony.ChannelOutput)            { c.expected = append(c.expected, o) }
func (c *channels) Opened(o btcwire.OutPoint) bool             { return c.opened[o] }
func (c *channels) Forget(_ ceremony.Peer, id wire.CeremonyID) { c.forgotten = append(c.forgotten, id) }
func (c *channels) CallOff(_ ceremony.Peer, id wire.CeremonyID) {
	c.calledOff = append(c.calledOff, id)
}
func (c *channels) Keep(_ ceremony.Peer, id wire.CeremonyID) { c.kept = append(c.kept, id) }
func (w *world) channelsOf(i int) *channels                  { return w.channels[fmt.Sprintf("client %d", i)] }
func (w *world) said(who int, message string) (n int) {
	for _, line := range w.log {
		if line == fmt.Sprintf("%d>%s", who, message) || line == fmt.Sprintf("%d<%s", who, message) {
			n++
		}
	}
	return n
}

// newChannelWorld is a world whose parties have channels, none of them open.
func newChannelWorld(t *testing.T, n int, lspRules, clientRules rule.Set) *world {
	w := emptyWorld(t)
	w.channels = map[string]*channels{"lsp": {opened: map[btcwire.OutPoint]bool{}}}
	for i := range n {
		w.channels[fmt.Sprintf("client %d", i)] = &channels{opened: map[btcwire.OutPoint]bool{}}
	}
	w.populate(n, lspRules, clientRules)
	return w
}

// open opens the newest channel that client i expects, first at the client, then
// at the LSP, as its messages do.
func (w *world) open(i int) {
	w.t.Helper()
	c := w.channelsOf(i)
	o := c.expected[len(c.expected)-1].Outpoint
	c.opened[o] = true
	for _, m := range w.clients[i].ChannelOpened(w.now) {
		w.queue = append(w.queue, packet{toLSP: true, client: i, m: m})
	}
	w.run()
	w.openAtLSP(i)
}

func (w *world) openAtLSP(i int) {
	c := w.channelsOf(i)
	w.channels["lsp"].opened[c.expected[len(c.expected)-1].Outpoint] = true
	w.send(w.lsp.ChannelOpened(w.now))
	w.run()
}

// Both sides are told of the same output, and a creation waits for the last
// channel: first its clients, then its LSP (CHAN-001, CHAN-002).
func TestACreationWaitsForItsChannels(t *testing.T) {
	w := newChannelWorld(t, 3, rule.Set{}, rule.Set{})
	id := w.create("kickoff 1 / ps 2")
	lsp := w.channels["lsp"]
	if len(lsp.expected) != 3 {
		t.Fatalf("the LSP is to open %d channels", len(lsp.expected))
	}
	for i := range w.clients {
		if w.said(i, "ceremony_stored") != 0 {
			t.Fatalf("client %d has stored without a commitment", i)
		}
		ours, theirs := w.channelsOf(i).expected[0], lsp.expected[i]
		if ours.Outpoint != theirs.Outpoint || ours.Value != 100_000 || theirs.Value != 100_000 || ours.LSPKey != theirs.LSPKey ||
			ours.Factory != id || theirs.Peer != peerID(i) || ours.Peer != lspID {
			t.Errorf("client %d expects %+v, the LSP %+v", i, ours, theirs)
		}
		if ours.ByLSP() || !theirs.ByLSP() {
			t.Errorf("client %d: whose key is the LSP's is not told", i)
		}
		if point(ours) != theirs.Theirs || point(theirs) != ours.Theirs {
			t.Errorf("client %d: the funding keys are not those of the other side", i)
		}
		w.open(i)
		if w.said(i, "ceremony_stored") != 1 {
			t.Fatalf("client %d has not stored with a commitment", i)
		}
		if funded := len(w.purse.broadcast) > 0; funded != (i == 2) {
			t.Fatalf("after %d channels: funded %v", i+1, funded)
		}
	}
	if !slices.Contains(lsp.kept, id) || !slices.Contains(w.channelsOf(0).kept, id) || len(lsp.forgotten) > 0 {
		t.Errorf("the LSP keeps %v, forgets %v; a client keeps %v", lsp.kept, lsp.forgotten, w.channelsOf(0).kept)
	}
}

func point(o ceremony.ChannelOutput) wire.Point {
	return wire.Point(o.Key.PubKey().SerializeCompressed())
}

// A client that says that it has stored, and has not signed the LSP's commitment, is
// named; the others get new channels, the old ones are forgotten (CHAN-001,
// CHAN-008).
func TestAClientWithoutAChannelIsDropped(t *testing.T) {
	w := newChannelWorld(t, 3, rule.Set{}, rule.Without(rule.CHAN002))
	first := w.create("kickoff 1 / ps 2")
	w.openAtLSP(0)
	w.openAtLSP(2)
	if len(w.purse.broadcast) > 0 {
		t.Fatal("funded without the signature of client 1")
	}
	w.late()
	if len(w.channelsOf(0).expected) != 2 || len(w.channelsOf(1).expected) != 1 {
		t.Fatalf("after the deadline: %v", w.log)
	}
	if lsp := w.channels["lsp"]; !slices.Contains(lsp.forgotten, first) {
		t.Errorf("the LSP has forgotten %v", lsp.forgotten)
	}
	w.openAtLSP(0)
	w.openAtLSP(2)
	if len(w.purse.broadcast) != 1 {
		t.Errorf("not funded without client 1: %v", w.events)
	}
}

// The end of a creation before a client stored is the end of its channel
// (CHAN-008).
func TestAnAttemptThatEndsForgetsItsChannel(t *testing.T) {
	w := newChannelWorld(t, 2, rule.Set{}, rule.Set{})
	w.bend = func(p packet) []packet {
		if _, ok := p.m.(*wire.Signatures); ok {
			return nil
		}
		return []packet{p}
	}
	id := w.create("kickoff 1 / ps 2")
	w.clients[0].Disconnected()
	if c := w.channelsOf(0); !slices.Equal(c.forgotten, []wire.CeremonyID{id}) || len(c.kept) > 0 {
		t.Errorf("the client forgets %v, keeps %v", c.forgotten, c.kept)
	}
	w.send(w.lsp.Disconnected(w.now, peerID(0)))
	if lsp := w.channels["lsp"]; !slices.Equal(lsp.forgotten, []wire.CeremonyID{id}) {
		t.Errorf("the LSP forgets %v", lsp.forgotten)
	}
}

// A sale waits for the buyer's channel: the LSP with its partial signature, the
// buyer with ceremony_stored; nobody else of the group has a channel in it.
func TestASaleWaitsForItsChannel(t *testing.T) {
	w := newChannelWorld(t, 2, rule.Set{}, rule.Set{})
	id := w.create("kickoff 1 / ps 2")
	w.open(0)
	w.open(1)
	sale, out, err := w.lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	w.send(out)
	w.run()
	if n := len(w.channelsOf(0).expected); n != 1 {
		t.Errorf("the other client expects %d channels", n)
	}
	buyer, lsp := w.channelsOf(1), w.channels["lsp"]
	if len(buyer.expected) != 2 || len(lsp.expected) != 3 || buyer.expected[1].Outpoint != lsp.expected[2].Outpoint || buyer.expected[1].Value != 20_000 {
		t.Fatalf("the buyer expects %+v, the LSP %+v", buyer.expected, lsp.expected)
	}
	// Phase 0 is done, every partial signature of phase 1 given.
	if got := w.said(1, "ceremony_signatures"); got != 2 {
		t.Fatalf("the buyer has %d messages of signatures: %v", got, w.log)
	}
	w.openAtLSP(1)
	if w.said(1, "ceremony_signatures") != 3 || w.said(0, "ceremony_stored") != 3 || w.said(1, "ceremony_stored") != 2 {
		t.Fatalf("with the channel open at the LSP alone: %v", w.log)
	}
	w.open(1)
	if w.said(1, "ceremony_stored") != 3 || w.lsp.Factory(id).Tree().Capacities(1) != 120_000 {
		t.Fatalf("with the channel open: %v", w.log)
	}
	if !slices.Contains(lsp.kept, sale) || !slices.Contains(buyer.kept, sale) {
		t.Errorf("the LSP keeps %v, the buyer %v, the sale is %v", lsp.kept, buyer.kept, sale)
	}
	outputs, err := w.lsp.Factory(id).ChannelOutputs()
	if err != nil {
		t.Fatal(err)
	}
	held, err := w.reopened(1, id).ChannelOutputs()
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs) != 3 || len(held) != 2 || held[1].Outpoint != outputs[2].Outpoint || point(outputs[2]) != held[1].LSPKey || outputs[2].Attempt != sale {
		t.Errorf("read again: the LSP has %+v, the buyer %+v", outputs, held)
	}
}

// A sale whose channel never opens is the buyer's fault (CHAN-001).
func TestABuyerWithoutAChannelIsNamed(t *testing.T) {
	w := newChannelWorld(t, 2, rule.Set{}, rule.Set{})
	id := w.create("kickoff 1 / ps 2")
	w.open(0)
	w.open(1)
	_, out, err := w.lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	w.send(out)
	w.run()
	w.late()
	last := w.events[len(w.events)-1]
	if last.Kind != ceremony.EventFailed || last.Peer != peerID(1) {
		t.Errorf("the last event is %+v", last)
	}
	if got := w.lsp.Factory(id).Tree().Capacities(1); got != 100_000 {
		t.Errorf("the buyer has %d sat", got)
	}
}
