package hub_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// start is when the worlds of the table begin. Their clocks stand still: no timer of a
// node ends anything.
var start = time.Unix(1_700_000_000, 0)

// reaction is what a node does about a message, as the table of section 3.9 of
// SPEC.md writes it.
type reaction string

const (
	takes    reaction = "T"
	ignores  reaction = "-"
	warns    reaction = "W" // and closes the connection
	remarks  reaction = "w" // a warning, and nothing else
	answers  reaction = "E" // an error that names no channel there is
	fails    reaction = "F" // the channel, with an error
	silently reaction = "X" // fails the channel without a word
	opener   reaction = "O" // takes it of the side that opened the channel, warns the other
)

// everyPoint plays all channels as thoroughly as those of the peer in a factory, with
// anchors.
var everyPoint = flag.Bool("everypoint", false, "play every message in every state from both sides of every kind of channel")

// sample is how many points one stands for where not all are played: under the race
// detector, and of the channels that the node opened or that are of another kind, to
// which little is different.
const sample = 7

// leftOut reports whether a point is not played.
func leftOut(s *state, i int, k sort, bought bool) bool {
	all := !raced && !testing.Short() && (!bought && k == anchors || *everyPoint)
	return !all && (i+len(s.name))%sample != 0
}

// tally counts what was played.
type tally struct{ rows, points, left, strangers, lived, failed, claimed atomic.Int64 }

// TestEveryMessageInEveryState plays every message about a channel in every state of
// one, to a node with sockets, a store and a chain, and compares what the node does
// with the table of section 3.9 of SPEC.md. What the table lets live has to be of use
// on a new connection; what it fails has to be failed for good, with nothing of it on
// the chain before its funding transaction and all of it there after. At the end the
// node starts again and has to know every channel as before.
func TestEveryMessageInEveryState(t *testing.T) {
	var n tally
	rows := 0
	t.Run("states", func(t *testing.T) {
		for _, k := range []sort{anchors, zeroFee, outside} {
			head, states := k.table()
			want := readTable(t, head, states)
			for i := range states {
				s := &states[i]
				for _, bought := range []bool{false, true} {
					if bought && (s.first || k == zeroFee && !*everyPoint) {
						continue // it has a side, or there are enough of them
					}
					rows++
					t.Run(fmt.Sprintf("%s/%s/%s", s.name, openedBy(bought), k), func(t *testing.T) {
						t.Parallel()
						n.rows.Add(1)
						play(t, s, k, bought, want, &n)
					})
				}
			}
		}
	})
	t.Logf("%d states x %d messages: %d points (%d left out), %d more for channels that there are not; %d channels lived on, %d failed and stayed so, %d of these were claimed on the chain",
		rows, len(messages), n.points.Load(), n.left.Load(), n.strangers.Load(), n.lived.Load(), n.failed.Load(), n.claimed.Load())
	if n.rows.Load() == int64(rows) && n.points.Load()+n.left.Load() != int64(rows*len(messages)) {
		t.Errorf("%d points were played, %d left out", n.points.Load(), n.left.Load())
	}
}

func openedBy(bought bool) string {
	if bought {
		return "opened by the node"
	}
	return "opened by the peer"
}

// play plays one row.
func play(t *testing.T, s *state, k sort, bought bool, want map[string]map[string]reaction, n *tally) {
	tb := newTable(t)
	var all []*scripted
	sit := func() *scripted {
		x := tb.sit(t)
		x.kind, x.bought = k, bought
		s.reach(x)
		all = append(all, x)
		return x
	}
	for i := range messages {
		m := &messages[i]
		if leftOut(s, i, k, bought) {
			n.left.Add(1)
			continue
		}
		x := sit()
		x.said = m.name
		before := x.prints()
		got := x.judge(x.provoke(m, x.idFor(s, m)), before)
		expected := k.expects(want[s.name][m.column()], m, bought)
		if got != expected {
			t.Errorf("%s: %q, the table has %q; it said %v", m.name, got, expected, names(x.log))
		} else if !t.Failed() {
			x.afterwards(s, m, got, before, n)
		}
		n.points.Add(1)
	}
	if k == anchors || *everyPoint {
		strangers(t, s, sit, want, n)
	}
	for _, x := range all {
		x.drop()
	}
	restartKnows(t, tb, all)
}

// strangers says every message for a channel that there is not: that touches nothing.
func strangers(t *testing.T, s *state, sit func() *scripted, want map[string]map[string]reaction, n *tally) {
	chance := rand.New(rand.NewPCG(1, 2))
	var x *scripted
	for i := range messages {
		m := &messages[i]
		if m.name == "open_channel" {
			continue // its id is always a new one
		}
		if x == nil || x.ended {
			x = sit()
		}
		var id wire.ChannelID
		for i := range id {
			id[i] = byte(chance.Uint32())
		}
		before := x.prints()
		x.say(m.write(x, id))
		got := x.judge(x.fence(), before)
		expected := want["not there"][m.column()]
		if s.batch && m.name != "error" && m.name != "warning" {
			expected = warns // PCF-131
		}
		if got != expected {
			t.Errorf("%s for a channel that there is not: %q, the table has %q; it said %v", m.name, got, expected, names(x.log))
		}
		if !x.ended && !slices.Equal(x.prints(), before) {
			t.Errorf("%s for a channel that there is not changed one", m.name)
		}
		n.strangers.Add(1)
	}
}

// restartKnows starts the node again: it has to know what it knew.
func restartKnows(t *testing.T, tb *table, all []*scripted) {
	t.Helper()
	var before [][]hub.Print
	for _, x := range all {
		before = append(before, x.prints())
		x.set(func(m *mode) { m.silent = func(channel.Action) bool { return true } }) // what is asked again stays open
	}
	tb.restart()
	for i, x := range all {
		after := x.prints()
		if len(after) != len(before[i]) {
			t.Errorf("peer %d: %d channels after a restart, %d before", i, len(after), len(before[i]))
			continue
		}
		for j := range after {
			if after[j].Stored != before[i][j].Stored {
				t.Errorf("peer %d, %s: a channel is not the same after a restart", i, x.said)
			}
		}
	}
}

func newTable(t *testing.T) *table {
	t.Helper()
	w := newWorld(t)
	tb := &table{plug: newPlug(), party: &party{w: w, name: "node", role: node.LSP, dir: t.TempDir(), hears: func(payment.Action) {}}}
	tb.key = tb.derive("node")
	tb.factories = map[wire.ProtocolID]hub.Factory{wire.Codec{}.LoopbackID(): tb.plug}
	tb.clock = transport.NewManualClock(start)
	tb.start()
	t.Cleanup(tb.party.stop)
	for range 5 {
		tb.coins(1_000_000)
	}
	tb.funds = w.fundingsFor(150, capacity)
	tb.look()
	return tb
}

// idFor is the id by which a message names the channel.
func (x *scripted) idFor(s *state, m *message) wire.ChannelID {
	if m.opens || s.temporary {
		return x.open.TemporaryChannelID
	}
	return x.channelID()
}

// provoke says a message, as right as the state allows, and returns what the node says
// to it.
func (x *scripted) provoke(m *message, id wire.ChannelID) []wire.Message {
	x.t.Helper()
	if m.speak != nil && x.m != nil {
		x.kept = append(x.capture(func() { m.speak(x) }), x.kept...)
	}
	at := slices.IndexFunc(x.kept, func(kept wire.Message) bool { return kept.Name() == m.name })
	if at == 0 || at > 0 && m.name == "revoke_and_ack" { // what the node waits for
		x.say(x.kept[at])
		x.kept = slices.Delete(x.kept, at, at+1)
		said := x.fence()
		keep := x.keep
		x.keep = func(wire.Message) bool { return true }
		x.hear(said)
		x.keep = keep
		return said
	}
	if m.name == "commitment_signed" {
		if twin, signed := x.signsUnasked(); twin != nil {
			x.say(signed)
			said := x.fence()
			if len(said) > 0 && said[0].Name() == "revoke_and_ack" {
				x.m = twin
				x.hear(said)
			}
			return said
		}
	}
	x.say(m.write(x, id))
	return x.fence()
}

// judge says what a reaction was.
func (x *scripted) judge(said []wire.Message, before []hub.Print) reaction {
	after := x.prints()
	ended := func(ps []hub.Print) (n int) {
		for _, p := range ps {
			if p.Failure != "" || p.Forgotten {
				n++
			}
		}
		return n
	}
	broke := ended(after) > ended(before) || len(after) < len(before)
	has := func(name string) bool {
		return slices.ContainsFunc(said, func(m wire.Message) bool { return m.Name() == name })
	}
	switch {
	case x.ended && has("warning"):
		return warns
	case x.ended:
		return "closed without a word"
	case has("error") && (broke || x.attempt(said)):
		return fails
	case has("error"):
		return answers
	case has("warning"):
		return remarks
	case broke:
		return silently
	case len(said) > 0 || !slices.Equal(before, after):
		return takes
	}
	return ignores
}

// attempt reports whether an error names an attempt that is all there is of the channel.
func (x *scripted) attempt(said []wire.Message) bool {
	return slices.ContainsFunc(said, func(m wire.Message) bool {
		e, ok := m.(*wire.ErrorMessage)
		return ok && x.m == nil && e.ChannelID == x.open.TemporaryChannelID
	})
}
