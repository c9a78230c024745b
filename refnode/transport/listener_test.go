package transport

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"superscalar/wire/rule"
)

// listen returns a Listener on a free port and a channel of its failures.
func listen(t *testing.T, o Options) (*Listener, <-chan error) {
	t.Helper()
	failures := make(chan error, 1000)
	o.OnHandshakeError = func(_ net.Addr, err error) { failures <- err }
	l, err := Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}

	return l, failures
}

// silent opens n sockets that say nothing.
func silent(t *testing.T, l *Listener, n int) []net.Conn {
	t.Helper()
	var conns []net.Conn
	for range n {
		nc, err := net.Dial("tcp", l.Address().HostPort)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		conns = append(conns, nc)
	}

	return conns
}

func TestSilentSocketsLockNobodyOut(t *testing.T) {
	for _, c := range []struct {
		name    string
		max, n  int
		dropped int
	}{
		{"fewer than the limit", 0, 60, 0},
		{"more than the limit", 0, 600, 88},
		{"limit of one", 1, 20, 19},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := without()
			o.MaxHandshakes = c.max
			l, failures := listen(t, o)
			defer l.Close()
			silent(t, l, c.n)
			client, err := Dial(t.Context(), l.Address(),
				Options{Key: testKey(clientKey)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			if server.RemoteID() != client.LocalID() {
				t.Fatal("accepted somebody else")
			}
			// The honest one needed a place as well.
			want := c.dropped
			if want > 0 {
				want++
			}
			for range want {
				if err := <-failures; !errors.Is(err, ErrHandshakeDropped) {
					t.Fatalf("got %v", err)
				}
			}
			if len(failures) > 0 {
				t.Fatalf("more than %d failed: %v", want, <-failures)
			}
		})
	}
}

func TestOldestIsDropped(t *testing.T) {
	o := without()
	o.MaxHandshakes = 2
	l, failures := listen(t, o)
	defer l.Close()
	conns := silent(t, l, 4)
	for i, nc := range conns[:2] {
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("socket %d: %v", i, err)
		}
		wantClass(t, <-failures, Act1ReadFailed)
	}
	// The two youngest are in place and can still finish.
	for i, nc := range conns[2:] {
		client, err := Initiate(t.Context(), nc, testID(serverKey),
			Options{Key: testKey(clientKey)})
		if err != nil {
			t.Fatalf("socket %d: %v", i+2, err)
		}
		client.Close()
		server, err := l.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		server.Close()
	}
}

func TestListenerDeadline(t *testing.T) {
	o := without()
	o.HandshakeTimeout = time.Minute
	clock := o.Clock.(*ManualClock)
	l, failures := listen(t, o)
	defer l.Close()
	conns := silent(t, l, 3)
	if err := clock.WaitTimers(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Minute)
	for _, nc := range conns {
		if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("got %v", err)
		}
		if err := <-failures; !errors.Is(err, ErrHandshakeTimeout) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestFailedHandshakesDoNotSurface(t *testing.T) {
	l, failures := listen(t, without())
	defer l.Close()
	for _, c := range badFirstActs {
		nc := silent(t, l, 1)[0]
		put(t, nc, spoilt(t, c.at, c.value))
		if n, _ := nc.Read(make([]byte, 1)); n != 0 {
			t.Fatalf("%s: it answered", c.name)
		}
		wantClass(t, <-failures, c.class)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

func TestListenerClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, failures := listen(t, without())
	conns := silent(t, l, 5)
	accepted := make(chan error, 1)
	finished, err := Dial(t.Context(), l.Address(),
		Options{Key: testKey(clientKey)})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := l.Accept(context.Background())
		accepted <- err
	}()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if _, err := l.Accept(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept afterwards: %v", err)
	}
	for _, nc := range conns {
		if n, err := nc.Read(make([]byte, 1)); err == nil {
			t.Errorf("a silent socket is open: %d bytes", n)
		}
	}
	if len(failures) > 0 {
		t.Errorf("closing is no failure: %v", <-failures)
	}
	// What was accepted belongs to the caller.
	if err := kept.WriteMessage([]byte("hello")); err != nil {
		t.Error(err)
	}
	if got, err := finished.ReadMessage(); string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	kept.Close()
	finished.Close()
}

func TestCloseDropsWhatNobodyAccepted(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, _ := listen(t, without())
	client, err := Dial(t.Context(), l.Address(), Options{Key: testKey(clientKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := client.ReadMessage(); err == nil {
		t.Fatalf("got message %x", m)
	}
}

// scripted is a net.Listener that accepts what it is handed.
type scripted struct {
	hand   chan net.Conn // unbuffered: a send succeeds when Accept waits
	errs   chan error
	closed chan struct{}
	once   sync.Once
}

func newScripted() *scripted {
	return &scripted{
		hand:   make(chan net.Conn),
		errs:   make(chan error),
		closed: make(chan struct{}),
	}
}

func (s *scripted) Accept() (net.Conn, error) {
	select {
	case nc := <-s.hand:
		return nc, nil
	case err := <-s.errs:
		return nil, err
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *scripted) Close() error {
	s.once.Do(func() { close(s.closed) })

	return nil
}

func (s *scripted) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptErrors(t *testing.T) {
	defer goleak.VerifyNone(t)
	o := without()
	o.MaxHandshakes = 2
	failures := make(chan error, 10)
	o.OnHandshakeError = func(_ net.Addr, err error) { failures <- err }
	clock := o.Clock.(*ManualClock)
	s := newScripted()
	l, err := NewListener(s, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()

	// Out of descriptors: half of the silent sockets go, and after a pause
	// the next one is accepted.
	oldest, far := net.Pipe()
	s.hand <- far
	younger, far := net.Pipe()
	s.hand <- far
	s.errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
	if err := <-failures; !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("got %v", err)
	}
	if _, err := oldest.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("got %v", err)
	}
	if err := <-failures; !errors.Is(err, ErrHandshakeDropped) {
		t.Fatalf("got %v", err)
	}
	// The timers of the younger handshake and of the pause.
	if err := clock.WaitTimers(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	clock.Advance(retryDelay)
	client, err := Initiate(t.Context(), younger, testID(serverKey),
		Options{Key: testKey(clientKey)})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()

	// Anything else is final.
	broken := errors.New("broken")
	s.errs <- broken
	for {
		conn, err := l.Accept(t.Context())
		if err == nil {
			conn.Close() // the younger one, if it was faster
			continue
		}
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		break
	}
}

func TestMutantShakesOneAtATime(t *testing.T) {
	defer goleak.VerifyNone(t)
	o := without(ruleSlots)
	clock := o.Clock.(*ManualClock)
	s := newScripted()
	l, err := NewListener(s, o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	quiet, far := net.Pipe()
	s.hand <- far
	if err := clock.WaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	select {
	case s.hand <- far:
		t.Fatal("a second handshake began")
	default:
	}
	quiet.Close()
	s.hand <- far
	client, err := Initiate(t.Context(), near, testID(serverKey),
		Options{Key: testKey(clientKey), Rules: rule.Set{}})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	conn, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
