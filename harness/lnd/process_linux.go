package lnd

import (
	"os"
	"os/exec"
	"syscall"
)

// dieWithParent gives the child a process group of its own, so that the group
// can be killed, and has the kernel kill it when the parent dies.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// terminate asks the child to end.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// killGroup ends the child and everything that it started. An error means
// that they have gone already.
func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }
