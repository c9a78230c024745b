package node_test

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// ending are channels that say nothing but that the connection is to end.
type ending struct {
	node.Channels
	mu    sync.Mutex
	waits []peer.Outgoing
}

func (e *ending) Outgoing(wire.Point) []peer.Outgoing {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.waits
	e.waits = nil
	return out
}

func (e *ending) Connected(wire.Point, wire.Features) {}
func (e *ending) Disconnected(wire.Point)             {}

func (e *ending) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waits = append(e.waits, peer.Outgoing{Message: &wire.Warning{Data: []byte("that is all")}}, peer.Outgoing{Reason: "by order"})
}

// counted is a clock that counts the timers of a second: those of connections that end.
type counted struct {
	*transport.ManualClock
	mu           sync.Mutex
	set, stopped int
}

type countedTimer struct {
	transport.Timer
	clock *counted
}

func (c *counted) AfterFunc(d time.Duration, f func()) transport.Timer {
	t := c.ManualClock.AfterFunc(d, f)
	if d != time.Second {
		return t
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set++
	return countedTimer{t, c}
}

func (t countedTimer) Stop() bool {
	was := t.Timer.Stop()
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	if was {
		t.clock.stopped++
	}
	return was
}

func (c *counted) counts() (set, stopped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set, c.stopped
}

// A connection that this node ends unasked, while the peer is silent, ends: the peer gets
// the last words and then nothing, and is read for a second more, however often the node
// is woken.
func TestHangUp(t *testing.T) {
	for _, leaves := range []bool{true, false} {
		clock, channels := &counted{ManualClock: transport.NewManualClock(begin)}, &ending{}
		cfg := config(node.LSP, 1)
		cfg.Clock, cfg.Channels = clock, channels
		n, log := start(t, cfg)
		c := ready(t, n, 2)
		channels.end()
		for range 20 { // most of them find that the connection is over
			n.Wake(c.LocalID())
		}
		came, err := ended(t, c)
		if len(came) != 1 || came[0].Name() != "warning" || !errors.Is(err, io.EOF) {
			t.Fatalf("%d messages, then %v", len(came), err)
		}
		for range 20 {
			n.Wake(c.LocalID())
		}
		until(t, "the node has hung up", func() bool { set, _ := clock.counts(); return set > 0 })
		if len(n.Peers()) != 1 {
			t.Fatal("the peer is not read any more")
		}
		if leaves {
			_ = c.Close()
		} else {
			clock.Advance(time.Second)
		}
		until(t, "the peer is gone", func() bool { return len(n.Peers()) == 0 })
		if leaves {
			until(t, "no timer outlives its connection", func() bool { set, stopped := clock.counts(); return set == stopped })
		}
		if set, _ := clock.counts(); set != 1 {
			t.Errorf("the peer leaves: %v: it hung up %d times", leaves, set)
		}
		if log.count("closing") != 1 {
			t.Errorf("it was closed %d times", log.count("closing"))
		}
	}
}
