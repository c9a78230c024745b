package datadir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// holdVariable makes the test binary a process that opens the directory named
// in it, says so, and keeps it until its standard input ends.
const holdVariable = "SUPERSCALAR_TEST_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdVariable); path != "" {
		os.Exit(hold(path))
	}
	goleak.VerifyTestMain(m)
}

// hold is the second process.
func hold(path string) int {
	d, err := Open(path, RoleLSP, Options{})
	if err != nil {
		fmt.Println("refused", err)
		return 1
	}
	fmt.Println("open", nodeKey(d))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := d.Close(); err != nil {
		return 1
	}

	return 0
}

// child is a running second process.
type child struct {
	*exec.Cmd
	stdin io.WriteCloser
	said  string // its first line
}

// second starts another process on a directory and waits for its answer.
func second(t *testing.T, path string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holdVariable+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Errorf("the second process says nothing: %v", err)
	}

	return &child{cmd, stdin, strings.TrimSpace(line)}
}

func TestSecondProcessIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	d := mustOpen(t, path, RoleLSP, Options{})
	c := second(t, path)
	_ = c.Wait()
	want := fmt.Sprintf("refused %s: node directory is in use by process %d",
		path, os.Getpid())
	if !strings.HasPrefix(c.said, want) {
		t.Fatalf("it said %q, want %q", c.said, want)
	}

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	c = second(t, path)
	c.stdin.Close()
	if err := c.Wait(); err != nil || c.said != "open "+nodeKey(d) {
		t.Fatalf("after Close it said %q, %v", c.said, err)
	}
}

func TestDeathFreesTheDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	c := second(t, path)

	_, err := Open(path, RoleLSP, Options{})
	var inUse *InUseError
	if !errors.As(err, &inUse) || inUse.PID != c.Process.Pid || inUse.Path != path {
		t.Errorf("got %v, want process %d", err, c.Process.Pid)
	}
	wantOneLine(t, err, ErrInUse, path)

	if err := c.Process.Kill(); err != nil { // SIGKILL
		t.Fatal(err)
	}
	_ = c.Wait()
	d := mustOpen(t, path, RoleLSP, Options{})
	if c.said != "open "+nodeKey(d) {
		t.Fatalf("it said %q, the key is %s", c.said, nodeKey(d))
	}
}
