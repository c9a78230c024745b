//go:build unix

package driver

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a spawned driver, leader of a process group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the leader was reaped

	mu     sync.Mutex
	reaped bool // after this the pid may belong to somebody else
}

// startProcess starts cmd as the leader of a new group. Start and wait happen
// on one locked thread: the kernel's parent death signal is tied to the thread
// that forked, and Go may end a thread while the process lives on.
func startProcess(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = groupAttr()
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		awaitExit(cmd)
		p.reap()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// reap kills what the ended leader left of its group, then collects it. The
// order matters: until it is collected its pid cannot be given to another.
func (p *process) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait() // the exit status is read from ProcessState
	p.reaped = true
	close(p.done)
}

// signal sends s to the whole group, unless it is gone.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// end asks the group to terminate and kills it after grace.
func (p *process) end(grace time.Duration) error {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	return ErrKilled
}

// epitaph says how the process ended; only after done is closed.
func (p *process) epitaph() string {
	return "ended (" + p.cmd.ProcessState.String() + ")"
}
