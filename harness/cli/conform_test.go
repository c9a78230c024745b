package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/harness/driver"
	"superscalar/harness/report"
	"superscalar/refnode/transport"
)

// program runs the program in a process of its own, in dir. Ginkgo runs one
// suite per process, so conform is not called twice in this one.
func program(t *testing.T, dir string, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*longest)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errOut
	cmd.Env = append(os.Environ(), asProgram+"=1")
	_ = cmd.Run()
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// someID is a node id that nobody here has.
func someID() string {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 77})
	return hex.EncodeToString(key.PubKey().SerializeCompressed())
}

// Bad input to conform and mutants: the right code, one line, nothing left.
func TestConformRefusals(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never speaks
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, row := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"argument", []string{"conform", "now"}, 2, `one argument too many: "now"`},
		{"flag", []string{"conform", "--dance"}, 2, "unknown flag: --dance; see 'superscalar conform --help'"},
		{"tier", []string{"conform", "--tier", "soup"}, 2, `--tier "soup" is none of`},
		{"role", []string{"conform", "--role", "carol"}, 2, `--role "carol" is none of`},
		{"profile", []string{"conform", "--profile", "full"}, 2, `--profile "full" is none of`},
		{"focus", []string{"conform", "--focus", "("}, 2, "--focus: error parsing regexp"},
		{"focus on nothing", []string{"conform", "--focus", "nothing-like-this"}, 2, "no case matches"},
		{"repeat", []string{"conform", "--repeat", "0"}, 2, "--repeat 0"},
		{"deadline", []string{"conform", "--deadline", "-1s"}, 2, "--deadline -1s is negative"},
		{"null peer", []string{"conform", "--null", "loud"}, 2, `null peer "loud" is none of`},
		{"repeat and report", []string{"conform", "--repeat", "2", "--report", "out"}, 2, "leave --report and --null out"},
		{"null all and list", []string{"conform", "--null", "all", "--list"}, 2, "leave --report and --list out"},
		{"a mutant of a computation", []string{"conform", "--mutant", "TRN-030"}, 2, "vectors notice it"},
		{"null and mutant", []string{"conform", "--null", "echo", "--mutant", "TRN-001"}, 2, "exclude each other"},
		{"null and target", []string{"conform", "--null", "echo", "--target", "refnode"}, 2, "leave --target out"},
		{"mutant", []string{"conform", "--mutant", "TRN-999"}, 2, `no mutant "TRN-999"`},
		{"target", []string{"conform", "--target", "my-node"}, 2, "is none of refnode, lnd, exec:COMMAND, tcp:HOST:PORT, NODEID@HOST:PORT"},
		{"target without a port", []string{"conform", "--target", someID() + "@127.0.0.1"}, 2, "is none of refnode"},
		{"a driver from elsewhere", []string{"conform", "--target", "tcp:0.0.0.0:1"}, 2, "write tcp:127.0.0.1:PORT"},
		{"a driver that dials back has one role", []string{"conform", "--role", "both", "--target", "tcp:127.0.0.1:0"}, 2, "name its role"},
		{"empty driver command", []string{"conform", "--target", "exec: "}, 2, "names no command"},
		{"a running node has one role", []string{"conform", "--role", "both", "--target", someID() + "@" + closed.Addr().String()}, 2, "plays one role"},
		{"expectations missing", []string{"conform", "--expect", "nowhere.json"}, 2, "open nowhere.json"},
		{"expectations malformed", []string{"conform", "--expect", "file"}, 2, "--expect file: list of expected failures"},
		{"report into a file", []string{"conform", "--report", "file"}, 2, "file is a file; name a directory"},
		{"report below a file", []string{"conform", "--report", "file/a/b"}, 2, "is a file; name another directory"},

		{"nobody listens", []string{"conform", "--target", someID() + "@" + closed.Addr().String()}, 4, "target unreachable: is it running, and is the address right?"},
		{"hangs in the handshake", []string{"conform", "--deadline", "300ms", "--target", someID() + "@" + silent.Addr().String()}, 4, "target unreachable"},
		{"driver that is not there", []string{"conform", "--target", "exec:./nothing"}, 4, "driver cannot be started"},
		{"driver that prints garbage", []string{"conform", "--target", "exec:echo hello"}, 4, "hello"},
		{"driver that dies", []string{"conform", "--target", "exec:true"}, 4, "driver"},

		{"mutants", []string{"mutants"}, 2, "say either --list or --matrix"},
		{"mutants both", []string{"mutants", "--list", "--matrix"}, 2, "say either --list or --matrix"},
		{"mutants full", []string{"mutants", "--list", "--full"}, 2, "--full goes with --matrix"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "file"), []byte("no list"), 0o600); err != nil {
				t.Fatal(err)
			}
			program(t, dir, row.args...).checkError(t, row.code, row.says)
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

// A target with another node id than the one given is told apart from one
// that is not there.
func TestConformWrongNodeID(t *testing.T) {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 5})
	ln, err := transport.Listen("127.0.0.1:0", transport.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	program(t, t.TempDir(), "conform", "--target", someID()+"@"+ln.Address().HostPort).checkError(t, 4, "is the node id right?")
}

// The main job, its report, and the same case replayed alone.
func TestConform(t *testing.T) {
	dir := t.TempDir()
	r := program(t, dir, "conform", "--report", "out")
	if r.code != 0 || !strings.Contains(r.out, "VERDICT: conformant") {
		t.Fatalf("exit code %d, %s%s", r.code, r.out, r.errOut)
	}
	if r := program(t, dir, "conform", "--focus", "TRN-08"); r.code != 0 || !strings.Contains(r.out, "VERDICT: incomplete") || !strings.Contains(r.out, "left out by --focus") {
		t.Errorf("a part of the suite: exit code %d, %s%s", r.code, r.out, r.errOut)
	}
	if err := report.Check(filepath.Join(dir, "out")); err != nil {
		t.Error(err)
	}
	r = program(t, dir, "conform", "--mutant", "PCF-012", "--report", "mutant")
	if r.code != 1 || !strings.Contains(r.out, "not-conformant") || r.errOut != "" {
		t.Errorf("a mutant: exit code %d, %s", r.code, r.errOut)
	}
	got, err := report.Read(filepath.Join(dir, "mutant"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.Cases {
		if c.State != report.Failed {
			continue
		}
		args, err := driver.Split(strings.TrimPrefix(c.Replay, "superscalar "))
		if err != nil {
			t.Fatal(err)
		}
		if r := program(t, dir, args...); r.code != 1 || !strings.Contains(r.out, "FAILED  "+c.Name) || !strings.Contains(r.out, "Failures: 1 case") {
			t.Errorf("%s does not replay %s: exit code %d\n%s", c.Replay, c.Name, r.code, r.out)
		}
		return
	}
	t.Error("no case failed")
}

// A null peer alone is a target that does not conform; the list is data.
func TestConformNullAndList(t *testing.T) {
	if r := program(t, t.TempDir(), "conform", "--null", "closed", "--focus", "trn/ping"); r.code != 1 || r.out != "null:closed: 0 of 12 passed\n" {
		t.Errorf("--null closed: exit code %d, %s", r.code, r.errOut)
	}
	if r := program(t, t.TempDir(), "conform", "--list", "--role", "lsp", "--focus", "^trn/ping/pong-0/"); r.code != 0 || !strings.HasSuffix(r.out, "\n1 cases\n") {
		t.Errorf("--list: exit code %d, %q", r.code, r.out)
	}
	if r := program(t, t.TempDir(), "conform", "--repeat", "3", "--shuffle", "--focus", "TRN-08"); r.code != 0 || !strings.Contains(r.out, "0 verdicts flipped") {
		t.Errorf("--repeat: exit code %d, %q", r.code, r.out)
	}
	if r := program(t, t.TempDir(), "mutants", "--list"); r.code != 0 || !strings.Contains(r.out, "PCF-012") {
		t.Errorf("mutants --list: exit code %d", r.code)
	}
}

// An interrupted run says so, in one line, and leaves no report, whether it
// ends while reaching for the target or in the middle of a case.
func TestConformInterrupted(t *testing.T) {
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 5})
	id := transport.NodeIDOf(key.PubKey()).String()
	for name, handshakes := range map[string]int{"before": 0, "in the middle": 1} {
		t.Run(name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			dir := t.TempDir()
			p := start(t, "conform", "--target", id+"@"+ln.Addr().String(), "--deadline", "25s", "--report", filepath.Join(dir, "out"))
			for range handshakes {
				if nc, err := ln.Accept(); err == nil {
					if c, err := transport.Respond(t.Context(), nc, transport.Options{Key: key}); err == nil {
						c.Close()
					}
				}
			}
			nc, err := ln.Accept() // the program is at work now, and waits
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, p.out)
			_ = p.cmd.Wait()
			if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.HasPrefix(p.errOut.String(), "superscalar: interrupted") {
				t.Errorf("exit code %d, %q", code, p.errOut.String())
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}
