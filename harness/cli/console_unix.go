//go:build unix

package cli

import (
	"os/signal"
	"syscall"
)

// readInBackground makes reading from the terminal fail in a process that the shell
// put into the background; it would be stopped otherwise.
func readInBackground() { signal.Ignore(syscall.SIGTTIN) }
