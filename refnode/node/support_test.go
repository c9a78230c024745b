package node_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is when a test gives up. No verdict depends on it unless something
// hangs.
const patience = 20 * time.Second

// start runs a node until the test ends, and keeps its log.
func start(t *testing.T, cfg node.Config) (*node.Node, *journal) {
	t.Helper()
	log := &journal{}
	cfg.Log = slog.New(log)
	n, err := node.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { within(t, "Close", func() { n.Close() }) })
	return n, log
}

// within fails the test when f does not return.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("%s hangs", what)
	}
}

// until looks again and again whether something that another goroutine does
// has happened.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-timer.C:
			t.Fatalf("it never came to pass that %s", what)
		}
	}
}

// journal is a log that can be asked what is in it.
type journal struct {
	mu     sync.Mutex
	counts map[string]int
}

func (j *journal) count(message string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts[message]
}

// Enabled implements slog.Handler.
func (*journal) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.counts == nil {
		j.counts = map[string]int{}
	}
	j.counts[r.Message]++
	return nil
}

// WithAttrs implements slog.Handler.
func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return j }

// WithGroup implements slog.Handler.
func (j *journal) WithGroup(string) slog.Handler { return j }

// ready opens a connection, exchanges init, and lists the given protocols.
func ready(t *testing.T, n *node.Node, seed byte, protocols ...wire.ProtocolID) *transport.Conn {
	t.Helper()
	c := speak(t, n, seed)
	for _, want := range []string{"init", "supported_factory_protocols"} {
		if m := read(t, c); m.Name() != want {
			t.Fatalf("got %s, want %s", m.Name(), want)
		}
	}
	send(t, c, &wire.SupportedProtocols{IDs: protocols})
	fence(t, c)
	return c
}

func send(t *testing.T, c *transport.Conn, m wire.Message) {
	t.Helper()
	b, err := wire.Codec{}.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(b); err != nil {
		t.Fatal(err)
	}
}

// fence checks that the node answers, and that it is done with all that was
// sent before.
func fence(t *testing.T, c *transport.Conn) {
	t.Helper()
	send(t, c, &wire.Ping{NumPongBytes: 3})
	if m, ok := read(t, c).(*wire.Pong); !ok || len(m.Ignored) != 3 {
		t.Fatalf("%s in place of a pong of 3 bytes", m.Name())
	}
}

// ended reads until the connection ends and returns what came before.
func ended(t *testing.T, c *transport.Conn) (came []wire.Message, err error) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for {
		raw, err := c.ReadMessage()
		if err != nil {
			return came, err
		}
		m, err := wire.Codec{}.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		came = append(came, m)
	}
}

var loopback = wire.Codec{}.LoopbackID()
