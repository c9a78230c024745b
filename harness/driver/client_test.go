package driver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestMisbehaviour(t *testing.T) {
	for _, row := range []struct {
		name string
		want error
		says []string // in the error's one line
	}{
		{"garbage", ErrGarbage, []string{`"INFO \x1b[31mnode started\axxxxx`, "more)", "stderr"}},
		{"empty", ErrGarbage, []string{`wrote ""`}},
		{"array", ErrGarbage, []string{`"[1]"`}},
		{"null", ErrGarbage, []string{`"null"`}},
		{"die", ErrDied, []string{"exit status 3", `"trouble 29"`}},
		{"half", ErrDied, []string{"exit status 0", `"{\"id\":2,\"o"`}},
		{"close", ErrDied, []string{"closed its stdout", "runs on"}},
		{"huge", ErrOversized, []string{"longer than 1 MiB", `"{\"id\":   `}},
		{"wrong-id", ErrWrongID, []string{`id "3" where 2`}},
		{"string-id", ErrWrongID, []string{`id "\"2\"" where 2`}},
		{"no-id", ErrWrongID, []string{"without an id"}},
		{"no-ok", ErrBadReply, []string{`without "ok"`}},
		{"ok-text", ErrBadReply, []string{`without "ok"`}},
		{"odd-code", ErrBadReply, []string{"code", "unsupported"}},
		{"two-line-error", ErrBadReply, []string{"error"}},
		{"bad-status", ErrBadReply, []string{"peers", "null"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var opts Options
			if row.name == "close" { // this one would wait for the driver's end
				opts.Grace = 50 * time.Millisecond
			}
			client := spawn(t, row.name, opts)
			_, err := client.Status(longContext(t))
			checkError(t, err, row.want, append(row.says, "status", "to mend")...)
			if len(row.says) > 0 && strings.Count(err.Error(), "x") > 90 {
				t.Errorf("more than 80 bytes of garbage in %q", err)
			}
			var protocol *ProtocolError
			if !errors.As(err, &protocol) || protocol.Mend() == "" {
				t.Fatalf("%T is no *ProtocolError with a mend", err)
			}
			if row.name == "die" && (len(protocol.Stderr) != 20 || protocol.Stderr[0] != "trouble 10") {
				t.Errorf("stderr kept: %q", protocol.Stderr)
			}
			err = client.Connect(longContext(t), nobody+"@127.0.0.1:1")
			checkError(t, err, ErrDead, "not sent")
			checkError(t, err, row.want)
		})
	}
}

func TestSilence(t *testing.T) {
	for _, row := range []struct {
		name  string
		ctx   func() (context.Context, context.CancelFunc)
		opts  Options
		cause error
	}{
		{"deadline of the context", func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 50*time.Millisecond)
		}, Options{}, context.DeadlineExceeded},
		{"deadline of the options", func() (context.Context, context.CancelFunc) {
			return context.Background(), func() {}
		}, Options{Deadline: 50 * time.Millisecond}, context.DeadlineExceeded},
	} {
		t.Run(row.name, func(t *testing.T) {
			client := spawn(t, "hang", row.opts)
			ctx, cancel := row.ctx()
			defer cancel()
			_, err := client.Status(ctx)
			checkError(t, err, ErrSilent, "no reply before the deadline")
			checkError(t, err, row.cause)
			_, err = client.Status(longContext(t))
			checkError(t, err, ErrDead)
		})
	}
}

// An ended context before anything was sent does no harm.
func TestNotSent(t *testing.T) {
	client := spawn(t, "none", Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.Status(ctx)
	checkError(t, err, context.Canceled, "not sent")
	_, err = client.Status(longContext(t))
	checkError(t, err, ErrFailed)
}

// A driver that does not read fills the pipe; the deadline still holds.
func TestBlockedWrite(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	_, err := Attach(shortContext(t), ours, Options{})
	checkError(t, err, ErrSilent, "did not read its input")
}

func shortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// A second reply to one request is found at the next request.
func TestTwoReplies(t *testing.T) {
	client := spawn(t, "twice", Options{})
	if _, err := client.Status(longContext(t)); err != nil {
		t.Fatal(err)
	}
	_, err := client.Status(longContext(t))
	checkError(t, err, ErrWrongID, `id "2" where 3`, "exactly one reply")
}

func TestHandshake(t *testing.T) {
	for _, row := range []struct {
		name, command string
		want          error
		says          string
	}{
		{"accepts nonsense", self("fake-driver nonsense"), ErrNonsenseAccepted, "unknown-command"},
		{"wrong code", self("fake-driver nonsense-failed"), ErrBadReply, `"failed"`},
		{"echo", "cat", ErrBadReply, "without"},
		{"ends at once", "true", ErrDied, "exit status 0"},
		{"no such program", "/nonexistent/driver", ErrSpawn, "to mend"},
		{"no program", " ", ErrCommandLine, "no program"},
		{"open quote", "driver 'x", ErrCommandLine, "never closed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, err := Spawn(longContext(t), row.command, Options{})
			if client != nil {
				t.Error("a client came with the error")
			}
			checkError(t, err, row.want, row.says)
		})
	}
}

func TestNonsenseIsSeeded(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(50) {
		name := nonsense(seed)
		if name != nonsense(seed) {
			t.Fatalf("seed %d gives two names", seed)
		}
		seen[name] = true
		for _, c := range Commands() {
			if name == string(c) {
				t.Errorf("seed %d gives the command %s", seed, c)
			}
		}
	}
	if len(seen) != 50 {
		t.Errorf("50 seeds gave %d names", len(seen))
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		code Code
		want error
	}{
		{CodeUnsupported, ErrUnsupported},
		{CodeFailed, ErrFailed},
		{CodeUnknownCommand, ErrUnknownCommand},
		{CodeBadRequest, ErrBadRequest},
	} {
		t.Run(string(row.code), func(t *testing.T) {
			err := error(&Refusal{Command: "pay", Code: row.code, Message: "a\nb"})
			checkError(t, err, row.want, `"a\nb"`, "pay", string(row.code))
			for _, other := range []error{ErrUnsupported, ErrFailed, ErrUnknownCommand, ErrBadRequest, ErrDead} {
				if other != row.want && errors.Is(err, other) {
					t.Errorf("%v matches %v too", err, other)
				}
			}
		})
	}
	client := spawn(t, "none", Options{})
	_, err := client.Invoice(longContext(t), 1000)
	checkError(t, err, ErrUnsupported)
	_, err = client.Pay(longContext(t), "lnbcrt1")
	checkError(t, err, ErrUnsupported)
	checkError(t, client.Leave(longContext(t), Cooperative, ""), ErrUnsupported)
	if _, err := client.Start(longContext(t), RoleClient, "00"); err != nil {
		t.Errorf("a refusal has put the client out of use: %v", err)
	}
}

func TestCloseWhileWaiting(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	in := bufio.NewReader(theirs)
	go func() {
		_, _ = in.ReadString('\n')
		_, _ = io.WriteString(theirs, `{"id":1,"ok":false,"error":"no","code":"unknown-command"}`+"\n")
	}()
	client, err := Attach(longContext(t), ours, Options{})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error)
	go func() {
		_, err := client.Status(longContext(t))
		result <- err
	}()
	if _, err := in.ReadString('\n'); err != nil { // the request is under way
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	checkError(t, <-result, ErrClosed)
	checkError(t, client.Stop(longContext(t)), ErrClosed)
}

func TestDialBack(t *testing.T) {
	listening := make(chan string, 1)
	hungUp := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", <-listening)
		if err != nil {
			hungUp <- err
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		_, _ = in.ReadString('\n')
		_, _ = io.WriteString(conn, `{"id":1,"ok":false,"error":"no","code":"unknown-command"}`+"\r\n")
		_, err = in.ReadString('\n')
		hungUp <- err
	}()
	client, err := ListenDialBack(longContext(t), "127.0.0.1:0", Options{Listening: func(a string) { listening <- a }})
	if err != nil {
		t.Fatal(err)
	}
	if client.Spawned() {
		t.Error("a driver that dialled back counts as spawned")
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-hungUp; !errors.Is(err, io.EOF) {
		t.Errorf("the driver saw %v at the end, not EOF", err)
	}
}

func TestDialBackNobody(t *testing.T) {
	_, err := ListenDialBack(shortContext(t), "127.0.0.1:0", Options{})
	checkError(t, err, ErrNoDriver, "waited at 127.0.0.1:")
	checkError(t, err, context.DeadlineExceeded)
}

// checkError wants an error of one line that matches and says all of says.
func checkError(t *testing.T, err, want error, says ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x1b\x07") {
		t.Errorf("not one clean line: %q", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}
