//go:build !linux

package lnd

import (
	"os"
	"os/exec"
	"time"
)

// dieWithParent does nothing here: only Stop ends the child.
func dieWithParent(*exec.Cmd) {}

// terminate asks the child to end, where the system has a way to ask.
func terminate(p *os.Process) error { return p.Signal(os.Interrupt) }

// killGroup ends the child. An error means that it has gone already.
func killGroup(p *os.Process) { _ = p.Kill() }

// cpuTime is not known here.
func cpuTime(int) time.Duration { return 0 }
