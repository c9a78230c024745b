package cli

import (
	"os"
	"runtime/debug"
)

const (
	// collectPercent is how much a node's memory grows before garbage is
	// collected, in percent of what is in use: a few megabytes, of which
	// a ceremony makes twice as much garbage in a fraction of a second.
	collectPercent = 400
	// softLimit is where it is collected earlier again, in bytes.
	softLimit = 4 << 30
)

// collectLess sets the garbage collector of a process that is a node, unless
// the environment does (GOGC, GOMEMLIMIT).
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
}
