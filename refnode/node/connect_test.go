package node_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Two nodes that dial each other, in any order, end with one connection that
// works (TRN-012).
func TestConnectBothWays(t *testing.T) {
	for _, tt := range []struct {
		name string
		dial func(t *testing.T, lsp, client *node.Node, lspLog, clientLog *journal)
	}{
		{"the LSP first", func(t *testing.T, lsp, client *node.Node, lspLog, clientLog *journal) {
			connect(t, lsp, client)
			until(t, "the client is ready", func() bool { return clientLog.count("ready") == 1 })
			connect(t, client, lsp)
		}},
		{"the client first", func(t *testing.T, lsp, client *node.Node, lspLog, clientLog *journal) {
			connect(t, client, lsp)
			until(t, "the LSP is ready", func() bool { return lspLog.count("ready") == 1 })
			connect(t, lsp, client)
		}},
		{"at once", func(t *testing.T, lsp, client *node.Node, lspLog, clientLog *journal) {
			var wg sync.WaitGroup
			wg.Go(func() { connect(t, lsp, client) })
			wg.Go(func() { connect(t, client, lsp) })
			wg.Wait()
		}},
	} {
		for _, seeds := range [][2]byte{{1, 2}, {2, 1}} { // either has the smaller id
			t.Run(tt.name, func(t *testing.T) {
				lsp, lspLog := start(t, config(node.LSP, seeds[0]))
				client, clientLog := start(t, config(node.Client, seeds[1]))
				tt.dial(t, lsp, client, lspLog, clientLog)
				sells(t, lsp, client, lspLog)
			})
		}
	}
}

func connect(t *testing.T, from, to *node.Node) {
	t.Helper()
	if err := from.Connect(t.Context(), to.Address()); err != nil {
		t.Errorf("connect: %v", err)
	}
}

// sells checks that the two are connected, once, and that it works.
func sells(t *testing.T, lsp, client *node.Node, lspLog *journal) {
	t.Helper()
	id := client.Address().ID
	until(t, "a channel is accepted", func() bool {
		return lspLog.count("accepted") > 0 || lsp.Buy(id, 100_000) == nil && lspLog.count("accepted") > 0
	})
	for _, n := range []struct{ from, to *node.Node }{{lsp, client}, {client, lsp}} {
		// A connection that lost against another one may still be on its way out.
		until(t, "each has the other for a peer", func() bool {
			got := n.from.Peers()
			return len(got) == 1 && got[0] == n.to.Address().ID
		})
	}
}

// A peer that dials again gets a connection that works, and its older one is
// closed (TRN-011).
func TestANewConnectionReplacesTheOlder(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	older := ready(t, n, 2, loopback)
	for range 5 {
		newer := ready(t, n, 2, loopback)
		if came, err := ended(t, older); len(came) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the older connection: %d messages, then %v", len(came), err)
		}
		if got := n.Peers(); len(got) != 1 {
			t.Fatalf("peers %v", got)
		}
		fence(t, newer)
		older = newer
	}
}

// The new connection says nothing before the older one is over: what is still read there
// would reach the channels after channel_reestablish, as a message of the new one.
func TestTheOlderConnectionEndsFirst(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	first := true
	cfg := config(node.LSP, 1)
	cfg.Tamper = func() peer.Tamper {
		if !first {
			return peer.Tamper{}
		}
		first = false
		return peer.Tamper{In: func(raw []byte) bool {
			if m, err := (wire.Codec{}).Decode(raw); err == nil && m.Name() == "warning" {
				close(inside)
				<-release
			}
			return true
		}}
	}
	n, _ := start(t, cfg)
	older := ready(t, n, 2, loopback)
	send(t, older, &wire.Warning{Data: []byte("hold on")})
	<-inside
	newer := speak(t, n, 2)
	if _, err := ended(t, older); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the older connection stays")
	}
	silent(t, newer, "in the middle of a message of the older one")
	close(release)
	until(t, "the peer is there", func() bool { return len(n.Peers()) == 1 })
	fence(t, ready(t, n, 2, loopback))
}

// silent checks that nothing is said on a new connection for a moment.
func silent(t *testing.T, newer *transport.Conn, when string) {
	t.Helper()
	const moment = 50 * time.Millisecond
	if err := newer.SetReadDeadline(time.Now().Add(moment)); err != nil {
		t.Fatal(err)
	}
	if _, err := newer.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the new connection begins %s: %v", when, err)
	}
}

// slow takes its time the first time that a connection ends.
type slow struct {
	plugin.Ceremonies
	once            sync.Once
	inside, release chan struct{}
}

func (s *slow) Connected(plugin.PeerID)                {}
func (s *slow) Outgoing(plugin.PeerID) []wire.Ceremony { return nil }
func (s *slow) Disconnected(plugin.PeerID) {
	s.once.Do(func() {
		close(s.inside)
		<-s.release
	})
}

// A peer that hung up and dials again: its new connection begins when plugins and channels
// have heard that the older one is over. Told afterwards, it would end the new one for them.
func TestTheEndOfAConnectionIsToldFirst(t *testing.T) {
	s := &slow{inside: make(chan struct{}), release: make(chan struct{})}
	cfg := config(node.LSP, 1)
	cfg.Ceremonies = s
	n, _ := start(t, cfg)
	if err := ready(t, n, 2, loopback).Close(); err != nil {
		t.Fatal(err)
	}
	<-s.inside
	silent(t, speak(t, n, 2), "before the end of the older one is told")
	close(s.release)
	until(t, "the peer is there", func() bool { return len(n.Peers()) == 1 })
	fence(t, ready(t, n, 2, loopback))
}

// Connections of different peers do not touch each other, and Peers is in
// order.
func TestManyPeers(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	var conns []*transport.Conn
	for seed := range byte(6) {
		conns = append(conns, ready(t, n, seed+2, loopback))
	}
	ids := n.Peers()
	if len(ids) != 6 {
		t.Fatalf("%d peers", len(ids))
	}
	for i := range ids[1:] {
		if bytes.Compare(ids[i][:], ids[i+1][:]) >= 0 {
			t.Errorf("%s is listed before %s", ids[i], ids[i+1])
		}
	}
	for _, c := range conns {
		fence(t, c)
	}
	for i, c := range conns {
		c.Close()
		until(t, "a peer that hung up is gone", func() bool { return len(n.Peers()) == 5-i })
	}
}

// Many connects of two nodes at once, in both directions, with sales in
// between, neither race nor hang. Which of several connections dialled by one
// side is the newest can look different from the two ends, and then none is
// left; who has none dials again, and that works.
func TestConcurrentConnects(t *testing.T) {
	lsp, lspLog := start(t, config(node.LSP, 1))
	client, _ := start(t, config(node.Client, 2))
	within(t, "connecting", func() {
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { connect(t, lsp, client) })
			wg.Go(func() { connect(t, client, lsp) })
			wg.Go(func() {
				_ = lsp.Buy(client.Address().ID, 100_000) // there may be no connection yet
				lsp.Peers()
			})
		}
		wg.Wait()
	})
	until(t, "there is a connection that stays", func() bool {
		if len(lsp.Peers()) == 0 {
			connect(t, lsp, client)
		}
		return lspLog.count("accepted") > 0 || lsp.Buy(client.Address().ID, 100_000) == nil && lspLog.count("accepted") > 0
	})
}

// Many peers that dial, each twice, all get served.
func TestConcurrentPeers(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	within(t, "connecting", func() {
		var wg sync.WaitGroup
		for seed := byte(10); seed < 20; seed++ {
			for range 2 {
				wg.Go(func() {
					c, err := transport.Dial(t.Context(), n.Address(), transport.Options{Key: key(seed)})
					if err != nil {
						t.Errorf("dial: %v", err)
						return
					}
					defer c.Close()
					if _, err := c.ReadMessage(); err != nil && !errors.Is(err, io.EOF) { // init, or replaced
						t.Logf("read: %v", err)
					}
				})
			}
		}
		wg.Wait()
	})
	until(t, "all have hung up", func() bool { return len(n.Peers()) == 0 })
	fence(t, ready(t, n, 2, loopback))
}

// A connection that waits for its peer to hang up does not keep a new one out.
func TestAConnectionThatIsOverIsNotKept(t *testing.T) {
	for _, seeds := range [][2]byte{{1, 2}, {2, 1}} {
		cfg := config(node.LSP, seeds[0])
		cfg.Clock = transport.NewManualClock(begin) // it waits for ever
		n, _ := start(t, cfg)
		old := ready(t, n, seeds[1], loopback)
		send(t, old, &wire.Unknown{Kind: 32770})
		if came, err := ended(t, old); len(came) != 1 || err != io.EOF {
			t.Fatalf("%d messages, then %v", len(came), err)
		}
		if got := n.Peers(); len(got) != 1 {
			t.Fatalf("peers %v: the connection was to be waiting", got)
		}

		// The same peer, listening, gets a connection from the node.
		l, err := transport.Listen("127.0.0.1:0", transport.Options{Key: key(seeds[1])})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if err := n.Connect(t.Context(), l.Address()); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if m := read(t, c); m.Name() != "init" {
			t.Errorf("got %s, want init", m.Name())
		}
	}
}

func TestConnectErrors(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	other, _ := start(t, config(node.Client, 2))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	var failed *transport.HandshakeError
	for _, tt := range []struct {
		name string
		ctx  context.Context
		to   transport.Address
		as   any
		is   error
	}{
		{name: "nobody listens", ctx: t.Context(), to: transport.Address{ID: other.Address().ID, HostPort: free.Addr().String()}},
		{name: "another node id", ctx: t.Context(), to: transport.Address{ID: transport.NodeIDOf(key(3).PubKey()), HostPort: other.Address().HostPort}, as: &failed},
		{name: "cancelled", ctx: cancelled, to: other.Address(), is: context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := n.Connect(tt.ctx, tt.to)
			if err == nil || tt.as != nil && !errors.As(err, tt.as) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v", err)
			}
			if got := n.Peers(); len(got) != 0 {
				t.Errorf("peers %v", got)
			}
		})
	}
}
