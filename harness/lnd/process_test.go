package lnd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childVar tells a copy of this test program what to be instead of a test.
const childVar = "SUPERSCALAR_LND_TEST_CHILD"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(childVar); mode {
	case "":
		goleak.VerifyTestMain(m)
	case "die":
		for i := range 20 {
			fmt.Println("line", i)
		}
		os.Exit(3)
	case "crash":
		fmt.Println("before")
		fmt.Fprintln(os.Stderr, "panic: something broke\n\ngoroutine 1 [running]:")
		fmt.Fprint(os.Stderr, strings.Repeat("frame\n", 40))
		os.Exit(2)
	case "polite":
		hang()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, os.Interrupt)
		hang()
	case "parent":
		if _, err := launch("child", self("polite"), os.Getenv(logVar)); err != nil {
			panic(err)
		}
		select {}
	}
}

// logVar is where the mode "parent" sends what its child prints.
const logVar = "SUPERSCALAR_LND_TEST_LOG"

// hang says that it is there and stays until it is ended.
func hang() {
	fmt.Println("ready")
	time.Sleep(time.Minute) // so that a failed test leaves nothing behind for long
}

// self is this test program in another mode.
func self(mode string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"="+mode)
	return cmd
}

// launchSelf starts this program in a mode and sees to it that it is gone
// after the test.
func launchSelf(t *testing.T, mode string) *process {
	t.Helper()
	p, err := launch(mode, self(mode), filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		killGroup(p.cmd.Process)
		<-p.done
	})
	return p
}

func TestEarlyDeath(t *testing.T) {
	tests := []struct {
		name  string
		mode  string
		first string // of the lines that the error carries
		last  string
		how   string
	}{
		{"the last lines of a log", "die", "line 12", "line 19", "exit status 3"},
		{"the first lines of a crash", "crash", "panic: something broke", "frame", "exit status 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launchSelf(t, tt.mode)
			never := errors.New("not yet")
			err := await(t.Context(), "never", []*process{p}, func() error { return never })

			var died *DiedError
			if !errors.As(err, &died) {
				t.Fatalf("got %v, want a DiedError", err)
			}
			if died.Program != tt.mode || len(died.Tail) != tailLines {
				t.Errorf("program %q with %d lines", died.Program, len(died.Tail))
			}
			if died.Tail[0] != tt.first || died.Tail[len(died.Tail)-1] != tt.last {
				t.Errorf("carries %q", died.Tail)
			}
			text := err.Error()
			if !strings.Contains(text, tt.how) || !strings.Contains(text, tt.last) || strings.Contains(text, "\n") {
				t.Errorf("says %q", text)
			}
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Errorf("does not unwrap to an exec.ExitError: %v", err)
			}
			if err := p.stop(time.Minute); !errors.As(err, &died) {
				t.Errorf("stop says %v about a program that had died", err)
			}
		})
	}
}

func TestAwaitEnds(t *testing.T) {
	missing := errors.New("still missing")
	reason := errors.New("out of patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	tries := 0
	err := await(ctx, "it is there", nil, func() error {
		if tries++; tries == 3 {
			cancel(reason)
		}
		return missing
	})
	if !errors.Is(err, reason) || !errors.Is(err, missing) {
		t.Fatalf("got %v, want both reasons", err)
	}
}

// ready waits until the child has printed that it is there.
func ready(t *testing.T, p *process) {
	t.Helper()
	err := await(t.Context(), "the child is there", []*process{p}, func() error {
		if !slices.Contains(tail(p.logPath, 1), "ready") {
			return errors.New("nothing in its log")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStop(t *testing.T) {
	tests := []struct {
		name   string
		mode   string
		grace  time.Duration
		killed bool
	}{
		{"a child that listens is asked", "polite", time.Minute, false},
		{"a child that does not listen is killed", "stubborn", 200 * time.Millisecond, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := launchSelf(t, tt.mode)
			ready(t, p)
			if err := p.stop(tt.grace); err != nil {
				t.Fatal(err)
			}
			if !p.gone(0) {
				t.Fatal("still there")
			}
			if killed := strings.Contains(fmt.Sprint(p.err), "killed"); killed != tt.killed {
				t.Errorf("killed is %v, want %v: %v", killed, tt.killed, p.err)
			}
		})
	}
}

// cancelWriter cancels as soon as something is written to it.
type cancelWriter struct{ cancel context.CancelFunc }

func (w cancelWriter) Write(p []byte) (int, error) {
	w.cancel()
	return len(p), nil
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = self("stubborn").Env
	cmd.Stdout = cancelWriter{cancel}
	err := run(cmd)
	if err == nil || cmd.ProcessState == nil {
		t.Fatalf("got %v, state %v, want a reaped process that was killed", err, cmd.ProcessState)
	}
}

func TestStartTellsWhatIsWrong(t *testing.T) {
	parent := t.TempDir()
	missing := filepath.Join(t.TempDir(), "missing")
	tests := []struct {
		name string
		bin  Binaries
		want string
	}{
		{"no such program", Binaries{BTCD: missing}, "starting btcd"},
		{"a program that ends at once", Binaries{BTCD: os.Args[0]}, "btcd ended early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The second program is this one, which refuses btcd's flags.
			n, err := Start(t.Context(), tt.bin, parent)
			if err == nil {
				t.Fatal(errors.Join(errors.New("started"), n.Stop()))
			}
			if strings.Count(err.Error(), tt.want) != 1 || strings.Contains(err.Error(), "\n") {
				t.Errorf("says %q, want %q once", err, tt.want)
			}
			left, err := os.ReadDir(parent)
			if err != nil || len(left) != 0 {
				t.Errorf("left behind %v, %v", left, err)
			}
		})
	}
}

func TestFreePorts(t *testing.T) {
	ports, err := freePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ports)
	if len(slices.Compact(ports)) != 3 {
		t.Errorf("not 3 different ones: %v", ports)
	}
	for _, p := range ports {
		if !strings.HasPrefix(p, "127.0.0.1:") {
			t.Errorf("%s is not on loopback", p)
		}
	}
}
