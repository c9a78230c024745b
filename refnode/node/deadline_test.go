package node_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/transport"
)

var begin = time.Unix(1_700_000_000, 0)

// TRN-010: whoever has not sent init 30 s after it opened the connection is
// cut off, wherever it stopped; who has sent it is left alone.
func TestInitDeadline(t *testing.T) {
	for _, tt := range []struct {
		name string
		// before is how far the clock goes before the handshake is completed,
		// after how far it goes then.
		before, after time.Duration
	}{
		{"at once", 0, node.InitTimeout},
		{"half the time for the handshake", node.InitTimeout / 2, node.InitTimeout / 2},
		{"all but the last moment for the handshake", node.InitTimeout - 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := transport.NewManualClock(begin)
			cfg := config(node.LSP, 1)
			cfg.Clock = clock
			n, _ := start(t, cfg)
			nc := dialRaw(t, n)
			waitTimers(t, clock, 1) // that of the handshake
			clock.Advance(tt.before)
			c := initiate(t, n, nc, 2)
			if m := read(t, c); m.Name() != "init" {
				t.Fatalf("got %s, want init", m.Name())
			}
			clock.Advance(tt.after - 1)
			if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil { // what is there already
				t.Fatal(err)
			}
			if _, err := c.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("1 ns early: %v", err)
			}
			clock.Advance(1)
			if came, err := ended(t, c); len(came) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("%d messages, then %v", len(came), err)
			}
			until(t, "the peer is gone", func() bool { return len(n.Peers()) == 0 })
		})
	}
}

// A socket that does not even begin the handshake is closed without a byte.
func TestHandshakeDeadline(t *testing.T) {
	clock := transport.NewManualClock(begin)
	cfg := config(node.LSP, 1)
	cfg.Clock = clock
	n, log := start(t, cfg)
	nc := dialRaw(t, n)
	waitTimers(t, clock, 1)
	clock.Advance(node.InitTimeout)
	if err := nc.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if got, err := nc.Read(make([]byte, 1)); got != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v", got, err)
	}
	until(t, "the log says so", func() bool { return log.count("handshake failed") == 1 })
}

// Init in the last moment is in time, and from then on there is no deadline.
func TestInitInTime(t *testing.T) {
	clock := transport.NewManualClock(begin)
	cfg := config(node.LSP, 1)
	cfg.Clock = clock
	n, _ := start(t, cfg)
	c := initiate(t, n, dialRaw(t, n), 2)
	if m := read(t, c); m.Name() != "init" {
		t.Fatalf("got %s, want init", m.Name())
	}
	clock.Advance(node.InitTimeout - 1)
	sayHello(t, c)
	if m := read(t, c); m.Name() != "supported_factory_protocols" {
		t.Fatalf("got %s", m.Name())
	}
	clock.Advance(24 * time.Hour)
	fence(t, c)
}

// dialRaw opens a socket to a node.
func dialRaw(t *testing.T, n *node.Node) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", n.Address().HostPort)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc.(*net.TCPConn)
}

// initiate completes the handshake over a socket.
func initiate(t *testing.T, n *node.Node, nc net.Conn, seed byte) *transport.Conn {
	t.Helper()
	c, err := transport.Initiate(t.Context(), nc, n.Address().ID, transport.Options{Key: key(seed)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func waitTimers(t *testing.T, clock *transport.ManualClock, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := clock.WaitTimers(ctx, n); err != nil {
		t.Fatal(err)
	}
}
