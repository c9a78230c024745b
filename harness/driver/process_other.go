//go:build !unix

package driver

import (
	"errors"
	"os/exec"
	"time"
)

// process is never made here: without process groups nothing can promise that
// no process stays behind.
type process struct{ done chan struct{} }

func startProcess(*exec.Cmd) (*process, error) {
	return nil, errors.New("starting drivers needs a unix system; let the driver dial back over TCP")
}

func (*process) end(time.Duration) error { return nil }
func (*process) epitaph() string         { return "ended" }
