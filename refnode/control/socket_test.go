package control_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"superscalar/refnode/control"
	"superscalar/refnode/transport"
)

// calm is a fake that several may give orders to, and whose dialling waits until it
// is called off.
type calm struct {
	mu      sync.Mutex
	fake    fake
	dialled chan struct{}
}

func (c *calm) Connect(ctx context.Context, _ transport.Address) error {
	close(c.dialled)
	<-ctx.Done()
	return ctx.Err()
}

func (c *calm) Buy(transport.NodeID, uint64) error { return nil }
func (c *calm) Peers() []transport.NodeID          { return nil }

func (c *calm) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fake.Close()
}

// served is a socket that a node obeys, and how its Serve ended.
func served(t *testing.T, n control.Node) (path string, cancel func(), ended <-chan bool) {
	t.Helper()
	path = filepath.Join(t.TempDir(), control.SocketName)
	s, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan bool, 1)
	go func() { end <- s.Serve(ctx, n) }()
	t.Cleanup(cancel)
	return path, cancel, end
}

func order(name string) map[string]any { return map[string]any{"cmd": name} }

// Several ask side by side; none waits for another one that says nothing, and the
// one that says stop ends them all.
func TestASocketObeysSeveral(t *testing.T) {
	path, _, ended := served(t, &calm{dialled: make(chan struct{})})
	idle, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() {
			reply, err := control.Ask(t.Context(), path, order("status"))
			if err != nil || !strings.Contains(string(reply), `"ok":true`) {
				t.Errorf("status: %s, %v", reply, err)
			}
		})
	}
	asking.Wait()
	if reply, err := control.Ask(t.Context(), path, order("dance")); err != nil || !strings.Contains(string(reply), `"unknown-command"`) {
		t.Errorf("an order that is none: %s, %v", reply, err)
	}
	if reply, err := control.Ask(t.Context(), path, order("stop")); err != nil || !strings.Contains(string(reply), `"ok":true`) {
		t.Errorf("stop: %s, %v", reply, err)
	}
	if !<-ended {
		t.Error("the socket does not say that it was told to stop")
	}
	if _, err := idle.Read(make([]byte, 1)); err == nil {
		t.Error("who said nothing is still connected")
	}
	if _, err := control.Ask(t.Context(), path, order("status")); !errors.Is(err, control.ErrNoNode) {
		t.Errorf("after the end: %v", err)
	}
}

// The end of the node ends an order that is under way, and is no stop.
func TestASocketEndsWithItsNode(t *testing.T) {
	n := &calm{dialled: make(chan struct{})}
	path, cancel, ended := served(t, n)
	answered := make(chan string, 1)
	go func() {
		reply, err := control.Ask(t.Context(), path, map[string]any{"cmd": "connect", "peer": one + "@127.0.0.1:1"})
		answered <- string(reply) + errorText(err)
	}()
	<-n.dialled
	cancel()
	if <-ended {
		t.Error("nobody said stop")
	}
	if got := <-answered; !strings.Contains(got, `"ok":false`) && !strings.Contains(got, "ended before it answered") {
		t.Errorf("answered %s", got)
	}
	if len(n.fake.told) > 0 {
		t.Errorf("the node was told %v", n.fake.told)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Who asks and never reads holds nothing up, be it as many as are answered at a time:
// others are, once these have had their time, and the node ends, though nobody has.
func TestAskersThatNeverRead(t *testing.T) {
	for _, readTime := range []time.Duration{50 * time.Millisecond, time.Hour} {
		path := filepath.Join(t.TempDir(), control.SocketName)
		s, err := control.Listen(path)
		if err != nil {
			t.Fatal(err)
		}
		s.SetReadTime(readTime)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan bool, 1)
		go func() { ended <- s.Serve(ctx, &calm{dialled: make(chan struct{})}) }()
		line := []byte(strings.Repeat(`{"cmd":"status","id":1}`+"\n", 1000))
		for range control.MaxAskers {
			deaf, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer deaf.Close()
			_ = deaf.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			for err == nil { // until neither side takes more
				_, err = deaf.Write(line)
			}
		}
		if readTime < time.Minute {
			if reply, err := control.Ask(t.Context(), path, order("status")); err != nil || !strings.Contains(string(reply), `"ok":true`) {
				t.Errorf("status: %s, %v", reply, err)
			}
		}
		cancel()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the node waits for those who do not read")
		}
	}
}

// Who asks can stop waiting.
func TestAnAskerLeaves(t *testing.T) {
	n := &calm{dialled: make(chan struct{})}
	path, _, _ := served(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-n.dialled
		cancel()
	}()
	if _, err := control.Ask(ctx, path, map[string]any{"cmd": "connect", "peer": one + "@127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Only the node's user can open its socket. One that a killed process left is
// replaced, and nothing else ever is.
func TestTheFileOfASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), control.SocketName)
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Ask(t.Context(), path, order("status")); !errors.Is(err, control.ErrNoNode) {
		t.Errorf("a socket that was left: %v", err)
	}
	s, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.Serve(ended, &fake{})
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}

	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil {
		t.Error("a file was replaced")
	}
	if b, err := os.ReadFile(path); string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if _, err := control.Listen(filepath.Join(t.TempDir(), strings.Repeat("x", 200))); err == nil {
		t.Error("a path that is too long was taken")
	}
}
