package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Close returns whatever the peers are doing, and nothing is left running
// (TestMain looks for goroutines).
func TestClose(t *testing.T) {
	for _, tt := range []struct {
		name  string
		peers func(t *testing.T, n *node.Node, clock *transport.ManualClock)
	}{
		{"nobody is there", func(*testing.T, *node.Node, *transport.ManualClock) {}},
		{"peers are connected", func(t *testing.T, n *node.Node, _ *transport.ManualClock) {
			for seed := range byte(3) {
				ready(t, n, seed+2, loopback)
			}
		}},
		{"a peer has not sent init", func(t *testing.T, n *node.Node, _ *transport.ManualClock) {
			initiate(t, n, dialRaw(t, n), 2)
		}},
		{"a handshake hangs", func(t *testing.T, n *node.Node, clock *transport.ManualClock) {
			dialRaw(t, n)
			waitTimers(t, clock, 1)
		}},
		{"a peer does not read", func(t *testing.T, n *node.Node, _ *transport.ManualClock) {
			deaf(t, n, 2)
		}},
		{"a peer was told to go and stays", func(t *testing.T, n *node.Node, _ *transport.ManualClock) {
			c := ready(t, n, 2, loopback)
			send(t, c, &wire.Unknown{Kind: 32770})
			ended(t, c)
		}},
		{"a connection was replaced", func(t *testing.T, n *node.Node, _ *transport.ManualClock) {
			ready(t, n, 2, loopback)
			ready(t, n, 2, loopback)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := transport.NewManualClock(begin)
			cfg := config(node.LSP, 1)
			cfg.Clock = clock // no deadline helps
			n, _ := start(t, cfg)
			tt.peers(t, n, clock)
			within(t, "Close", func() {
				if err := n.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			if got := n.Peers(); len(got) != 0 {
				t.Errorf("peers after Close: %v", got)
			}
			within(t, "a second Close", func() {
				if err := n.Close(); err != nil {
					t.Errorf("second close: %v", err)
				}
			})
		})
	}
}

// A peer that is connected sees the end at once.
func TestCloseIsSeenByPeers(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	c := ready(t, n, 2, loopback)
	n.Close()
	if _, err := ended(t, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is open after Close")
	}
	if _, err := net.Dial("tcp", n.Address().HostPort); err == nil {
		t.Error("the node still listens after Close")
	}
}

// After Close there is nothing to connect and nothing to buy.
func TestCommandsAfterClose(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	other, _ := start(t, config(node.Client, 2))
	ready(t, n, 3, loopback)
	n.Close()
	if err := n.Connect(t.Context(), other.Address()); !errors.Is(err, node.ErrClosed) {
		t.Errorf("connect: %v, want ErrClosed", err)
	}
	if err := n.Buy(transport.NodeIDOf(key(3).PubKey()), 100_000); !errors.Is(err, node.ErrNotConnected) {
		t.Errorf("buy: %v, want ErrNotConnected", err)
	}
	if got := other.Peers(); len(got) != 0 {
		t.Errorf("the other node has peers: %v", got)
	}
}

// Close ends a Connect whose peer accepts the socket and says nothing.
func TestCloseEndsConnect(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	n, _ := start(t, config(node.LSP, 1))
	result := make(chan error, 1)
	go func() {
		result <- n.Connect(context.Background(), transport.Address{ID: transport.NodeIDOf(key(3).PubKey()), HostPort: silent.Addr().String()})
	}()
	nc, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	n.Close()
	select {
	case err := <-result:
		if !errors.Is(err, node.ErrClosed) {
			t.Errorf("connect: %v, want ErrClosed", err)
		}
	case <-time.After(patience):
		t.Fatal("Connect hangs after Close")
	}
}

// A node can be closed and started again at the same address, many times.
func TestRestart(t *testing.T) {
	cfg := config(node.LSP, 1)
	for range 5 {
		n, err := node.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Listen = n.Address().HostPort
		c := ready(t, n, 2, loopback)
		n.Close()
		c.Close()
	}
}

// deaf is a peer that asks for much more than fits into the buffers of the
// system, and reads none of it.
func deaf(t *testing.T, n *node.Node, seed byte) *transport.Conn {
	t.Helper()
	nc := dialRaw(t, n)
	if err := nc.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	c := initiate(t, n, nc, seed)
	sayHello(t, c)
	for range deafPings {
		send(t, c, &wire.Ping{NumPongBytes: wire.MaxPongBytes})
	}
	return c
}

// deafPings asks for 33 MB.
const deafPings = 500

// One peer that never reads takes nothing from the others: they are answered,
// new ones are served, and sales go on.
func TestADeafPeerBlocksNobody(t *testing.T) {
	pongs := make(chan struct{}, deafPings)
	cfg := config(node.LSP, 1)
	cfg.Tamper = func() peer.Tamper {
		return peer.Tamper{Out: func(m wire.Message) []wire.Message {
			if p, ok := m.(*wire.Pong); ok && len(p.Ignored) == wire.MaxPongBytes {
				pongs <- struct{}{}
			}
			return []wire.Message{m}
		}}
	}
	n, _ := start(t, cfg)
	before := ready(t, n, 2, loopback)
	deaf(t, n, 3)
	within(t, "the first answer to the deaf peer", func() { <-pongs })
	within(t, "a conversation beside a deaf peer", func() {
		for range 20 {
			fence(t, before)
		}
		after := ready(t, n, 4, loopback)
		if err := n.Buy(transport.NodeIDOf(key(4).PubKey()), 100_000); err != nil {
			t.Errorf("buy: %v", err)
		}
		if m := read(t, after); m.Name() != "open_channel" {
			t.Errorf("got %s", m.Name())
		}
		if got := n.Peers(); len(got) != 3 {
			t.Errorf("peers %v", got)
		}
	})
	if got := len(pongs); got >= deafPings-1 {
		t.Errorf("all of %d pongs were sent: the peer was not deaf", got)
	}
}

// A peer that broke a rule reads why before the end, whatever it has in
// flight: a hundred times, as a socket closed with unread bytes in it would
// lose the warning now and then.
func TestTheWarningComesBeforeTheEnd(t *testing.T) {
	n, _ := start(t, config(node.LSP, 1))
	for lane := range byte(4) {
		t.Run(fmt.Sprintf("peer %d", lane), func(t *testing.T) {
			t.Parallel()
			for i := range 25 {
				warned(t, n, lane+2, i)
			}
		})
	}
}

func warned(t *testing.T, n *node.Node, seed byte, i int) {
	c := ready(t, n, seed, loopback)
	defer c.Close()
	send(t, c, &wire.Unknown{Kind: 32770})
	for range 20 { // the node closes its side only, so these arrive
		send(t, c, &wire.Ping{NumPongBytes: 1, Ignored: make([]byte, 1000)})
	}
	if came, err := ended(t, c); len(came) != 1 || came[0].Name() != "warning" || err != io.EOF {
		t.Fatalf("connection %d: %d messages, then %v", i, len(came), err)
	}
}
