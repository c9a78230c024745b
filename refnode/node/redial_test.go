package node_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/plugin"
	"superscalar/refnode/transport"
)

// lost is a node that has dialled a peer whose connection then ended.
type lost struct {
	t     *testing.T
	node  *node.Node
	clock *transport.ManualClock
	log   *journal
	to    transport.Address
	peer  *transport.Listener
	keep  atomic.Bool
}

func lose(t *testing.T, configure func(*node.Config)) *lost {
	t.Helper()
	l := &lost{t: t, clock: transport.NewManualClock(begin)}
	l.keep.Store(true)
	cfg := config(node.Client, 1)
	cfg.Clock = l.clock
	cfg.Keep = func(plugin.PeerID) bool { return l.keep.Load() }
	if configure != nil {
		configure(&cfg)
	}
	l.listen("127.0.0.1:0")
	l.to = l.peer.Address()
	l.node, l.log = start(t, cfg)
	if err := l.node.Connect(t.Context(), l.to); err != nil {
		t.Fatal(err)
	}
	c := l.accept()
	_ = l.peer.Close() // whoever dials now finds nobody
	l.hangUp(c)
	return l
}

func (l *lost) listen(at string) {
	l.t.Helper()
	var err error
	if l.peer, err = transport.Listen(at, transport.Options{Key: key(2)}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { l.peer.Close() })
}

func (l *lost) accept() *transport.Conn {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	c, err := l.peer.Accept(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

func (l *lost) hangUp(c *transport.Conn) {
	l.t.Helper()
	_ = c.Close()
	until(l.t, "the connection is gone", func() bool { return len(l.node.Peers()) == 0 })
}

// attempts waits until so many attempts in all have failed.
func (l *lost) attempts(n int) {
	l.t.Helper()
	until(l.t, "it dials", func() bool { return l.log.count("a lost peer does not answer") >= n })
	if got := l.log.count("a lost peer does not answer"); got != n {
		l.t.Fatalf("%d attempts, want %d", got, n)
	}
}

// A lost peer is dialled after 1, 2, 4, ... seconds, at last every minute, until it
// is back; the next time it begins anew.
func TestALostPeerIsDialledAgain(t *testing.T) {
	l := lose(t, nil)
	waits := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
	for i, wait := range waits {
		waitTimers(t, l.clock, 1)
		l.clock.Advance(wait*time.Second - 1)
		l.attempts(i)
		l.clock.Advance(1)
		l.attempts(i + 1)
	}
	l.listen(l.to.HostPort)
	for _, wait := range []time.Duration{time.Minute, time.Second} {
		waitTimers(t, l.clock, 1)
		l.clock.Advance(wait)
		c := l.accept()
		until(t, "it is connected", func() bool { return len(l.node.Peers()) == 1 })
		l.hangUp(c)
	}
	l.attempts(len(waits))
}

// What is not wanted, or is back by itself, is not dialled.
func TestNobodyElseIsDialled(t *testing.T) {
	for name, tt := range map[string]struct {
		configure func(*node.Config)
		then      func(*lost)
	}{
		"nobody is kept": {func(c *node.Config) { c.Keep = nil }, func(*lost) {}},
		"not this one":   {func(c *node.Config) { c.Keep = func(p plugin.PeerID) bool { return p[1] == 0xff } }, func(*lost) {}},
		"no longer": {nil, func(l *lost) {
			waitTimers(l.t, l.clock, 1)
			l.keep.Store(false)
		}},
		"it dialled": {nil, func(l *lost) {
			waitTimers(l.t, l.clock, 1)
			ready(l.t, l.node, 2, loopback)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := lose(t, tt.configure)
			tt.then(l)
			l.clock.Advance(time.Hour)
			// Close waits for an attempt that is on its way.
			within(t, "Close", func() { l.node.Close() })
			l.attempts(0)
		})
	}
}

// A node that starts again dials whom it had reached before, and whom it still wants.
func TestANodeThatStartsAgainDials(t *testing.T) {
	peer, err := transport.Listen("127.0.0.1:0", transport.Options{Key: key(2)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	l := &lost{t: t, peer: peer, to: peer.Address()}
	var reached []transport.Address
	cfg := config(node.Client, 1)
	cfg.Dialled = func(to transport.Address) { reached = append(reached, to) }
	first, _ := start(t, cfg)
	if err := first.Connect(t.Context(), l.to); err != nil {
		t.Fatal(err)
	}
	l.accept()
	if err := first.Connect(t.Context(), transport.Address{ID: l.to.ID, HostPort: "127.0.0.1:1"}); err == nil {
		t.Fatal("it reached nobody")
	}
	within(t, "Close", func() { first.Close() })
	if len(reached) != 1 || reached[0] != l.to {
		t.Fatalf("it heard of %v, want %v alone", reached, l.to)
	}

	for _, wanted := range []bool{true, false} {
		clock := transport.NewManualClock(begin)
		cfg := config(node.Client, 1)
		cfg.Clock, cfg.Keep = clock, func(plugin.PeerID) bool { return wanted }
		again, _ := start(t, cfg)
		again.Reconnect(reached)
		if wanted {
			waitTimers(t, clock, 1)
			clock.Advance(time.Second)
			l.accept()
			until(t, "it is connected", func() bool { return len(again.Peers()) == 1 })
		}
		within(t, "Close", func() { again.Close() })
		again.Reconnect(reached) // nothing is begun by a node that is closed
		if got := len(again.Peers()); got != 0 {
			t.Errorf("%d connections of a closed node", got)
		}
	}
}

// What was dialled once is dialled again when its last connection is lost, whoever
// dialled that: one that came after the node's own was lost, one that took its place
// (TRN-012), and one that came before a node that starts again had dialled. The peer may
// have forgotten the way.
func TestTheAddressOutlivesTheConnection(t *testing.T) {
	lostAgain := func(l *lost, c *transport.Conn) {
		l.t.Helper()
		before := l.log.count("a lost peer does not answer")
		l.hangUp(c)
		waitTimers(l.t, l.clock, 1)
		l.clock.Advance(time.Second)
		l.attempts(before + 1)
	}
	t.Run("after it was lost", func(t *testing.T) {
		l := lose(t, nil)
		waitTimers(t, l.clock, 1)
		c := ready(t, l.node, 2, loopback)
		l.clock.Advance(time.Hour) // who was dialling sees that there is no need
		waitTimers(t, l.clock, 0)
		l.attempts(0)
		lostAgain(l, c)
	})
	t.Run("while it was there", func(t *testing.T) {
		own, other := byte(1), byte(2)
		if id := func(seed byte) []byte { return key(seed).PubKey().SerializeCompressed() }; bytes.Compare(id(own), id(other)) < 0 {
			own, other = other, own // the connection of the smaller id stays
		}
		l := &lost{t: t, clock: transport.NewManualClock(begin)}
		l.keep.Store(true)
		var err error
		if l.peer, err = transport.Listen("127.0.0.1:0", transport.Options{Key: key(other)}); err != nil {
			t.Fatal(err)
		}
		cfg := config(node.Client, own)
		cfg.Clock, cfg.Keep = l.clock, func(plugin.PeerID) bool { return l.keep.Load() }
		l.node, l.log = start(t, cfg)
		if err := l.node.Connect(t.Context(), l.peer.Address()); err != nil {
			t.Fatal(err)
		}
		older := l.accept()
		_ = l.peer.Close()
		c := ready(t, l.node, other, loopback)
		if _, err := ended(t, older); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("the older connection stays")
		}
		lostAgain(l, c)
	})
	t.Run("before it was dialled", func(t *testing.T) {
		l := &lost{t: t, clock: transport.NewManualClock(begin)}
		l.keep.Store(true)
		l.listen("127.0.0.1:0")
		l.to = l.peer.Address()
		_ = l.peer.Close()
		cfg := config(node.Client, 1)
		cfg.Clock, cfg.Keep = l.clock, func(plugin.PeerID) bool { return l.keep.Load() }
		l.node, l.log = start(t, cfg)
		c := ready(t, l.node, 2, loopback)
		l.node.Reconnect([]transport.Address{l.to})
		lostAgain(l, c)
	})
}

// A connection that the peer dialled is the peer's to dial again.
func TestWhoDialledDialsAgain(t *testing.T) {
	cfg := config(node.LSP, 1)
	clock := transport.NewManualClock(begin)
	cfg.Clock = clock
	asked := atomic.Int32{}
	cfg.Keep = func(plugin.PeerID) bool { asked.Add(1); return true }
	n, _ := start(t, cfg)
	c := ready(t, n, 2, loopback)
	_ = c.Close()
	until(t, "the connection is gone", func() bool { return len(n.Peers()) == 0 })
	within(t, "Close", func() { n.Close() })
	if asked.Load() != 0 {
		t.Error("it thinks of dialling a peer whose address it does not know")
	}
}
