package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"superscalar/wire/rule"
)

// read is what ReadMessage returned on another goroutine.
type read struct {
	message []byte
	err     error
}

// reading calls ReadMessage on another goroutine.
func reading(c *Conn) <-chan read {
	done := make(chan read, 1)
	go func() {
		message, err := c.ReadMessage()
		done <- read{message, err}
	}()

	return done
}

// put writes to a pipe and fails the test if the other end is closed.
func put(t *testing.T, nc net.Conn, p []byte) {
	t.Helper()
	if _, err := nc.Write(p); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func TestReadMessageErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		send func([]byte) []byte
		want error
	}{
		{"end between messages", func(f []byte) []byte { return nil }, io.EOF},
		{"end in the header", func(f []byte) []byte { return f[:1] }, io.ErrUnexpectedEOF},
		{"end behind the header", func(f []byte) []byte { return f[:18] }, io.ErrUnexpectedEOF},
		{"end in the body", func(f []byte) []byte { return f[:19] }, io.ErrUnexpectedEOF},
		{"end in the tag", func(f []byte) []byte { return f[:len(f)-1] }, io.ErrUnexpectedEOF},
		{"forged header", func(f []byte) []byte { f[3] ^= 1; return f[:18] }, ErrBadMAC},
		{"forged body", func(f []byte) []byte { f[18] ^= 1; return f }, ErrBadMAC},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, conn := connected(t, without())
			got := reading(conn)
			if p := c.send(client.frame(t, "hello")); len(p) > 0 {
				put(t, client, p)
			}
			if !errors.Is(c.want, ErrBadMAC) {
				client.Conn.Close()
			}
			err := (<-got).err
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for _, other := range []error{io.EOF, io.ErrUnexpectedEOF, ErrBadMAC} {
				if other != c.want && errors.Is(err, other) {
					t.Fatalf("%v is also %v", err, other)
				}
			}
			if c.want == io.EOF && err != io.EOF {
				t.Fatalf("%v is not io.EOF itself", err)
			}
			if c.want == ErrBadMAC {
				if _, again := conn.ReadMessage(); again != err {
					t.Fatalf("then %v", again)
				}
				_, err := client.Write([]byte("x"))
				if !errors.Is(err, io.ErrClosedPipe) {
					t.Fatalf("the connection is open: %v", err)
				}
			}
		})
	}
}

func TestMessagesBothWays(t *testing.T) {
	near, far := net.Pipe()
	done := respond(t.Context(), far, without())
	client, err := Initiate(t.Context(), near, testID(serverKey),
		Options{Key: testKey(clientKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := (<-done).conn
	defer server.Close()
	if server.RemoteID() != testID(clientKey) ||
		client.RemoteID() != testID(serverKey) ||
		client.LocalID() != testID(clientKey) ||
		server.RemoteAddr() == nil || !server.Opened().Equal(begin) {
		t.Fatal("the ends do not know each other")
	}

	for _, c := range []struct {
		name     string
		from, to *Conn
	}{{"to server", client, server}, {"to client", server, client}} {
		// 1,200 messages see the key rotate twice.
		t.Run(c.name, func(t *testing.T) {
			sizes := []int{0, 1, 2, 4096, 65535}
			for i := range 1200 {
				sent := bytes.Repeat([]byte{byte(i)}, sizes[i%5])
				got := reading(c.to)
				if err := c.from.WriteMessage(sent); err != nil {
					t.Fatal(err)
				}
				r := <-got
				if r.err != nil || !bytes.Equal(r.message, sent) {
					t.Fatalf("message %d: %d bytes, %v", i,
						len(r.message), r.err)
				}
			}
		})
	}
}

// Messages that are written together arrive one by one, in order; of those, what
// comes before one that is too large is sent, and the connection stays.
func TestWriteMessages(t *testing.T) {
	client, conn := connected(t, without())
	tooLarge := make([]byte, MaxMessageSize+1)
	wrote := make(chan error, 3)
	go func() {
		wrote <- conn.WriteMessages([]byte("a"), nil, []byte("bc"))
		wrote <- conn.WriteMessages([]byte("d"), tooLarge, []byte("lost"))
		wrote <- conn.WriteMessages([]byte("e"))
	}()
	peer := newConn(client.Conn, client.Machine, begin, rule.Set{})
	for _, want := range []string{"a", "", "bc", "d", "e"} {
		got, err := peer.ReadMessage()
		if err != nil || string(got) != want {
			t.Fatalf("message %q, want %q: %v", got, want, err)
		}
	}
	for i, want := range []error{nil, ErrMessageTooLarge, nil} {
		if err := <-wrote; !errors.Is(err, want) {
			t.Errorf("write %d: error %v, want %v", i, err, want)
		}
	}
}

func TestConcurrentWriters(t *testing.T) {
	client, conn := connected(t, without())
	const writers, each = 8, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				message := fmt.Appendf(nil, "%d %d", w, i)
				if err := conn.WriteMessage(message); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make([]int, writers)
	peer := newConn(client.Conn, client.Machine, begin, rule.Set{})
	for range writers * each {
		message, err := peer.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		if _, err := fmt.Sscan(string(message), &w, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[w] {
			t.Fatalf("writer %d: message %d, want %d", w, i, next[w])
		}
		next[w]++
	}
	wg.Wait()
}

func TestReadGoesOnAfterDeadline(t *testing.T) {
	for _, cut := range []int{1, 17, 18, 19, 30, 38} {
		t.Run(fmt.Sprintf("cut at %d of 39", cut), func(t *testing.T) {
			client, conn := connected(t, without())
			frame := client.frame(t, "hello")
			got := reading(conn)
			put(t, client, frame[:cut])
			if err := conn.SetReadDeadline(begin); err != nil {
				t.Fatal(err)
			}
			if r := <-got; !errors.Is(r.err, os.ErrDeadlineExceeded) {
				t.Fatalf("got %q, %v", r.message, r.err)
			}
			if err := conn.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			got = reading(conn)
			put(t, client, frame[cut:])
			if r := <-got; r.err != nil || string(r.message) != "hello" {
				t.Fatalf("got %q, %v", r.message, r.err)
			}
		})
	}
}

func TestWriteErrors(t *testing.T) {
	t.Run("too large leaves the connection", func(t *testing.T) {
		client, conn := connected(t, without())
		err := conn.WriteMessage(make([]byte, MaxMessageSize+1))
		if !errors.Is(err, ErrMessageTooLarge) {
			t.Fatalf("got %v", err)
		}
		peer := newConn(client.Conn, client.Machine, begin, rule.Set{})
		got := reading(peer)
		if err := conn.WriteMessage([]byte("after")); err != nil {
			t.Fatal(err)
		}
		if r := <-got; r.err != nil || string(r.message) != "after" {
			t.Fatalf("got %q, %v", r.message, r.err)
		}
	})
	t.Run("a cut frame ends it", func(t *testing.T) {
		client, conn := connected(t, without())
		wrote := make(chan error, 1)
		go func() { wrote <- conn.WriteMessage([]byte("hello")) }()
		if _, err := io.ReadFull(client, make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetWriteDeadline(begin); err != nil {
			t.Fatal(err)
		}
		err := <-wrote
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if again := conn.WriteMessage([]byte("hello")); again != err {
			t.Fatalf("then %v", again)
		}
		if n, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("the connection is open: %d, %v", n, err)
		}
	})
}

func TestCloseEndsCalls(t *testing.T) {
	_, conn := connected(t, without())
	got := reading(conn)
	wrote := make(chan error, 1)
	go func() { wrote <- conn.WriteMessage([]byte("nobody reads")) }()
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatalf("closing again: %v", err)
	}
	if r := <-got; !errors.Is(r.err, net.ErrClosed) {
		t.Errorf("read: %v", r.err)
	}
	if err := <-wrote; !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if err := conn.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("half a pipe: %v", err)
	}
}

func TestMutantIgnoresForgery(t *testing.T) {
	defer goleak.VerifyNone(t)
	client, conn := connected(t, without(ruleMAC))
	got := reading(conn)
	frame := client.frame(t, "hello")
	frame[0] ^= 1
	put(t, client, frame)
	put(t, client, frame) // fails once the connection is closed
	select {
	case r := <-got:
		t.Fatalf("it ended: %v", r.err)
	default:
	}
	client.Conn.Close()
	if r := <-got; !errors.Is(r.err, ErrBadMAC) {
		t.Fatalf("got %v", r.err)
	}
}

// ExampleDial opens a connection to a listener and sends one message.
func ExampleDial() {
	ctx := context.Background()
	l, err := Listen("127.0.0.1:0", Options{Key: testKey(serverKey)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	client, err := Dial(ctx, l.Address(), Options{Key: testKey(clientKey)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	server, err := l.Accept(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	if err := client.WriteMessage([]byte{0, 16, 0, 0, 0, 0}); err != nil {
		fmt.Println(err)
		return
	}
	message, err := server.ReadMessage()
	fmt.Println(message, err, server.RemoteID() == client.LocalID())
	// Output: [0 16 0 0 0 0] <nil> true
}
