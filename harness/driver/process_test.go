package driver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lifeline listens for a process that calls holdLine. The returned function
// waits for it, the next one for its end.
func lifeline(t *testing.T) (address string, born, gone func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var conn net.Conn
	var in *bufio.Reader
	born = func() {
		_ = listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		if conn, err = listener.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(patience))
		in = bufio.NewReader(conn)
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	gone = func() {
		if rest, err := io.ReadAll(in); err != nil && isTimeout(err) {
			t.Fatalf("the process lives on (%q, %v)", rest, err)
		}
	}
	return listener.Addr().String(), born, gone
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

func TestCloseIsGentleFirst(t *testing.T) {
	client := spawn(t, "none", Options{})
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
}

func TestCloseKillsTheDeaf(t *testing.T) {
	client := spawn(t, "deaf", Options{Grace: 50 * time.Millisecond})
	err := client.Close()
	checkError(t, err, ErrKilled, "50ms", "to mend")
	checkError(t, client.Close(), ErrKilled)
}

// What a driver leaves in its process group goes with it, even when it ignores
// SIGTERM and the driver does not.
func TestCloseSweepsTheGroup(t *testing.T) {
	address, born, gone := lifeline(t)
	client := spawn(t, "litter", Options{Env: []string{"HOLD_LINE=" + address}})
	born()
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	gone()
}

func TestEnvironmentAndDirectory(t *testing.T) {
	dir := t.TempDir()
	client, err := Spawn(longContext(t), `sh -c 'echo "$ONE two" >&2; pwd >&2'`, Options{Env: []string{"ONE=1"}, Dir: dir})
	if client != nil {
		client.Close()
	}
	checkError(t, err, ErrDied)
	var protocol *ProtocolError
	if !errors.As(err, &protocol) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1 two", dir}, protocol.Stderr); diff != "" {
		t.Error(diff)
	}
}

func TestSplit(t *testing.T) {
	for _, row := range []struct {
		name, in string
		want     []string
		fails    bool
	}{
		{name: "words", in: "  python3\tdriver.py  -v\n", want: []string{"python3", "driver.py", "-v"}},
		{name: "single quotes", in: `a 'b c' 'd\e"f'`, want: []string{"a", "b c", `d\e"f`}},
		{name: "double quotes", in: `a "b 'c" "d\"e\\f\g"`, want: []string{"a", "b 'c", `d"e\f\g`}},
		{name: "touching parts", in: `a'b 'c"d "e`, want: []string{"ab cd e"}},
		{name: "empty argument", in: `a '' ""`, want: []string{"a", "", ""}},
		{name: "backslash", in: `a\ b \'c \\`, want: []string{"a b", "'c", `\`}},
		{name: "no shell", in: `a $HOME *.go | b > c`, want: []string{"a", "$HOME", "*.go", "|", "b", ">", "c"}},
		{name: "beyond ASCII", in: `é "ü ü"`, want: []string{"é", "ü ü"}},
		{name: "nothing", in: " \n", fails: true},
		{name: "empty program", in: `'' a`, fails: true},
		{name: "open single", in: `a 'b`, fails: true},
		{name: "open double", in: `a "b\"`, fails: true},
		{name: "open backslash", in: `a \`, fails: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := Split(row.in)
			if row.fails {
				checkError(t, err, ErrCommandLine)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
