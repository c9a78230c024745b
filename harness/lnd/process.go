package lnd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// tailLines is how many lines of a program's log an error carries.
const tailLines = 8

// errSurvived says that a killed process has not gone.
var errSurvived = errors.New("still there after it was killed")

// DiedError says that a program ended by itself while it was needed.
type DiedError struct {
	Program string   // "lnd" or "btcd"
	Err     error    // how it ended; nil for exit status 0
	Tail    []string // its last lines, or the first ones of its crash, oldest first
}

// Error puts everything on one line.
func (e *DiedError) Error() string {
	how := "exit status 0"
	if e.Err != nil {
		how = e.Err.Error()
	}
	return fmt.Sprintf("lnd: %s ended early (%s): %s", e.Program, how, strings.Join(e.Tail, " | "))
}

// Unwrap gives how the program ended.
func (e *DiedError) Unwrap() error { return e.Err }

// says reports whether the program's last lines contain text.
func (e *DiedError) says(text string) bool {
	return strings.Contains(strings.Join(e.Tail, "\n"), text)
}

// process is one child that is watched until it has gone.
type process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the child has been reaped
	err     error         // how it ended; read only after done
}

// launch starts cmd with everything it prints going to the file logPath.
//
// The child dies with this process where the system can do that. On Linux the
// kernel ties this to the thread that started the child, so that thread is
// held until the child has gone.
func launch(name string, cmd *exec.Cmd, logPath string) (*process, error) {
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lnd: log of %s: %w", name, err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	dieWithParent(cmd)

	p := &process{name: name, logPath: logPath, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("lnd: starting %s: %w", name, err)
	}
	return p, nil
}

// run runs cmd, which must come from exec.CommandContext, to its end. The end of
// its context ends everything that it started; so does the end of this process
// where the system can do that, for which see launch.
func run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(cmd)
	cmd.Cancel = func() error {
		killGroup(cmd.Process)
		return nil
	}
	cmd.WaitDelay = stopGrace
	return cmd.Run()
}

// died describes the end of a child that was not asked to end. It must only
// be called after done is closed.
func (p *process) died() *DiedError {
	return &DiedError{Program: p.name, Err: p.err, Tail: tail(p.logPath, tailLines)}
}

// stop asks the child to end, kills its whole group when it has not gone
// after grace, and returns once it is reaped. A child that was gone before it
// was asked is reported as *DiedError; how it ends when asked is no error.
func (p *process) stop(grace time.Duration) error {
	if p.gone(0) {
		return p.died()
	}
	if err := terminate(p.cmd.Process); err == nil && p.gone(grace) {
		return nil
	}
	killGroup(p.cmd.Process)
	if !p.gone(grace) {
		return fmt.Errorf("lnd: %s (pid %d): %w", p.name, p.cmd.Process.Pid, errSurvived)
	}
	return nil
}

// gone waits for the end of the child, no longer than limit.
func (p *process) gone(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
	}
	select { // both may have been ready
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail returns the n lines of a log that say most about an end: those from a
// crash on where there is one (the last lines of a Go crash are only a stack),
// else the last ones. There are none when the file cannot be read.
func tail(path string, n int) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var lines []string
	crash := -1
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		if crash < 0 && (strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")) {
			crash = len(lines)
		}
		lines = append(lines, text)
	}
	if crash >= 0 {
		return lines[crash:min(len(lines), crash+n)]
	}
	return lines[max(0, len(lines)-n):]
}

// pollEvery is the pause between two looks at something that will happen.
const pollEvery = 100 * time.Millisecond

// await calls try until it succeeds, a process dies or ctx ends. The last
// error of try is part of the message, since it says what is missing.
func await(ctx context.Context, what string, alive []*process, try func() error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		for _, p := range alive {
			if p.gone(0) {
				return p.died()
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lnd: waiting until %s: %w: %w", what, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// freePorts returns n different loopback addresses on which nobody listens
// now. Somebody else may take one before the program does: see Start.
func freePorts(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("lnd: free port: %w", err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// childEnv is the whole environment of a child: nothing of the user's home or
// settings reaches it.
func childEnv(home string) []string {
	return []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
}
