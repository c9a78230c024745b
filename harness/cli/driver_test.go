package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"superscalar/refnode/transport"
)

// driverCommand writes the template of a language to disk and returns the
// command line that runs it, and the folder its node keeps its data in.
func driverCommand(t *testing.T, template, interpreter string) (command, temp string) {
	t.Helper()
	if _, err := exec.LookPath(interpreter); err != nil {
		t.Fatalf("the templates are tested with %s, which is not installed: %v", interpreter, err)
	}
	got := run("", "driver", "template", template)
	got.checkOK(t)
	path := filepath.Join(t.TempDir(), "driver")
	if err := os.WriteFile(path, []byte(got.out), 0o600); err != nil {
		t.Fatal(err)
	}
	temp = t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv(asProgram, "1")
	return fmt.Sprintf("%s '%s'", interpreter, path), temp
}

var templates = []struct{ name, interpreter string }{{"python", "python3"}, {"javascript", "node"}}

// Both templates drive this program's own node, and the doctor finds nothing.
func TestDoctorOnTheTemplates(t *testing.T) {
	for _, row := range templates {
		for _, kind := range []struct {
			role, nodeArgs string
			says           []string
		}{
			{"lsp", "", []string{"failed, which may be right here"}},
			{"lsp", "--loopback", []string{"ok     buy       the reply fits the schema"}},
			{"client", "", []string{"ok     buy       unsupported: "}},
		} {
			t.Run(row.name+" "+kind.role+kind.nodeArgs, func(t *testing.T) {
				command, temp := driverCommand(t, row.name, row.interpreter)
				t.Setenv("SUPERSCALAR_NODE_ARGS", kind.nodeArgs)
				got := run("", "driver", "doctor", "--role", kind.role, "exec:"+command)
				got.checkOK(t, append(kind.says,
					`("superscalar/0.3")`, "the node completes a BOLT 8 handshake at 127.0.0.1:", "the node dialled the suite",
					"it lists the suite's peer", "restart: the node keeps its id", "the port is closed", "takes its node along", "checks, all ok\n")...)
				if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v %v", left, err)
				}
			})
		}
	}
}

// Over TCP the doctor says where it waits, and the driver comes.
func TestDoctorOverTCP(t *testing.T) {
	command, temp := driverCommand(t, "python", "python3")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SUPERSCALAR", self)
	reader, out := io.Pipe()
	code := make(chan int)
	go func() {
		c := Main([]string{"driver", "doctor", "tcp:127.0.0.1:0"}, strings.NewReader(""), out, out)
		_ = out.Close()
		code <- c
	}()
	var where string
	if _, err := fmt.Fscanf(reader, "waiting for a driver at %s\n", &where); err != nil {
		t.Fatal(err)
	}
	argv := strings.Fields(strings.ReplaceAll(command, "'", ""))
	cmd := exec.CommandContext(longContext(t), argv[0], append(argv[1:], where)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if c := <-code; c != ExitOK || !strings.Contains(string(rest), "checks, all ok\n") {
		t.Errorf("exit code %d:\n%s", c, rest)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the driver: %v", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestProbe(t *testing.T) {
	l, err := transport.Listen("127.0.0.1:0", transport.Options{Key: testKey(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	me, other := l.Address().ID.String(), transport.NodeIDOf(testKey(2).PubKey()).String()
	for _, row := range []struct {
		name, id, address string
		ok                bool
	}{
		{"right", me, l.Address().HostPort, true},
		{"another id", other, l.Address().HostPort, false},
		{"no id", "nobody", l.Address().HostPort, false},
		{"nobody there", me, "127.0.0.1:1", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := probe(t.Context(), row.id, row.address); (err == nil) != row.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

// Arrived waits for the node it is asked about and for no other.
func TestSuitePeer(t *testing.T) {
	p, err := newSuitePeer()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	at, err := transport.ParseAddress(p.Address())
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []byte{1, 2} {
		c, err := transport.Dial(t.Context(), at, transport.Options{Key: testKey(seed)})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close() // it has arrived all the same, and will not finish init
	}
	if err := p.Arrived(t.Context(), transport.NodeIDOf(testKey(2).PubKey()).String()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Arrived(ctx, transport.NodeIDOf(testKey(3).PubKey()).String()); err == nil {
		t.Error("a node that never came has arrived")
	}
}
