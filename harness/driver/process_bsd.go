//go:build unix && !linux

package driver

import (
	"os/exec"
	"syscall"
)

// groupAttr makes a new group. There is no parent death signal here: a driver
// notices a dead suite by the end of its input.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// awaitExit blocks until cmd has ended. There is no portable way to leave it
// uncollected, so for an instant its pid is free before reap looks at the group.
func awaitExit(cmd *exec.Cmd) {
	_ = cmd.Wait()
}
