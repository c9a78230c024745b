package driver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary plays every other process of these tests: its first
// argument says which one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "fake-driver": // fake-driver FAULT
			fakeDriver(os.Args[2])
			os.Exit(0)
		case "node": // what the templates start
			fakeNodeProcess(os.Args[2:])
			os.Exit(0)
		case "litter":
			ignoreTerm()
			holdLine()
			hang()
		case "suite": // spawns a driver and dies without Close
			if _, err := Spawn(context.Background(), self("fake-driver ignore-eof"), Options{}); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// self is the command line that runs the test binary with args.
func self(args string) string {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return "'" + path + "' " + args
}

// patience is how long a test waits for what must happen; only failures last
// this long.
const patience = 30 * time.Second

func longContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// spawn starts a fake driver that passes the handshake.
func spawn(t *testing.T, fault string, opts Options) *Client {
	t.Helper()
	client, err := Spawn(longContext(t), self("fake-driver "+fault), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// interpreter finds a program the templates need. CI has it: a machine without
// it fails here instead of skipping.
func interpreter(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("the templates are tested with %s, which is not installed: %v", name, err)
	}
	return path
}
