package bench

import (
	"fmt"
	"time"
)

// Goal is a number to reach, and whether it was.
type Goal struct {
	What, Got, Want string
	Reached         bool
}

// Goals are what a measurement is to reach on a machine with 2 cores; sizes
// that have no goals give none.
func Goals(r Result) []Goal {
	switch r.Clients {
	case 127:
		return []Goal{
			under("wall time", r.Wall, 2*time.Second),
			under("signing time", r.Signing, 700*time.Millisecond),
			small("bytes on the wire", r.Bytes, 4_000_000),
			small("largest message", r.Largest, 16<<10),
			under("CPU of the LSP for a change in a leaf", r.Change, 20*time.Millisecond),
		}
	case 1024:
		return []Goal{
			under("wall time", r.Wall, 40*time.Second),
			under("CPU of the LSP", r.LSPCPU, 8*time.Second),
			under("CPU of one client", r.ClientCPU, 60*time.Millisecond),
			small("bytes on the wire", r.Bytes, 60_000_000),
		}
	default:
		return nil
	}
}

func under(what string, got, want time.Duration) Goal {
	return Goal{what, got.Round(time.Millisecond).String(), "under " + want.String(), got < want}
}

func small(what string, got, want uint64) Goal {
	return Goal{what, fmt.Sprintf("%d bytes", got), fmt.Sprintf("under %d bytes", want), got < want}
}
