package cable_test

import (
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"

	"superscalar/harness/cable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// line is a cable with a connection through it.
func line(t *testing.T) (c *cable.Cable, dialler, callee net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if c, err = cable.Lay(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if dialler, err = net.Dial("tcp", c.Address()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialler.Close() })
	if callee, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = callee.Close() })
	say(t, dialler, "hello") // until then the cable may not know of the connection
	hear(t, callee, "hello")
	return c, dialler, callee
}

func say(t *testing.T, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, from net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(from, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// What is held back one way does not stop the other way, and comes whole and in
// order when it is released.
func TestHold(t *testing.T) {
	c, a, b := line(t)
	c.Hold(cable.Forth)
	say(t, a, "two")
	say(t, b, "back")
	hear(t, a, "back")
	say(t, a, "three")
	passed := 0
	c.Show(func(d cable.Direction, n int) bool {
		if d == cable.Forth {
			passed += n
		}
		return true
	})
	c.Release(cable.Forth)
	hear(t, b, "twothree")
	c.Show(nil)
	if passed != len("twothree") {
		t.Errorf("%d bytes were shown", passed)
	}
}

// A piece that is refused does not arrive, both sides see the end, and the next
// connection is a new one.
func TestRefusedPiece(t *testing.T) {
	c, a, b := line(t)
	c.Show(func(d cable.Direction, n int) bool { return d != cable.Back })
	say(t, a, "there")
	hear(t, b, "there")
	say(t, b, "lost")
	for _, end := range []net.Conn{a, b} {
		if got, _ := io.ReadAll(end); len(got) > 0 {
			t.Errorf("%q arrived", got)
		}
	}
}

// A cable that is cut while it holds something back drops it.
func TestCut(t *testing.T) {
	c, a, b := line(t)
	c.Hold(cable.Forth)
	say(t, a, "lost")
	c.Cut()
	if got, _ := io.ReadAll(b); len(got) > 0 {
		t.Errorf("%q arrived", got)
	}
}
