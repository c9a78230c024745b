package transport

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Clock is where deadlines come from.
type Clock interface {
	// Now returns the current time.
	Now() time.Time

	// AfterFunc calls f once, after d, unless the timer is stopped.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that is still to come.
type Timer interface {
	// Stop prevents the call. It returns false when the call has been
	// made or prevented already.
	Stop() bool
}

// RealClock is the clock of the machine.
type RealClock struct{}

// Now returns time.Now.
func (RealClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (RealClock) AfterFunc(d time.Duration, f func()) Timer {
	return time.AfterFunc(d, f)
}

// ManualClock stands still until it is told otherwise, so that tests of
// deadlines need no waiting. Several goroutines may use it.
type ManualClock struct {
	mu      sync.Mutex
	now     time.Time
	timers  []*manualTimer // in the order in which they were set
	changed chan struct{}  // closed and replaced when timers grows
}

// manualTimer is a call that a ManualClock makes at a given time.
type manualTimer struct {
	clock *ManualClock
	at    time.Time
	call  func()
}

// NewManualClock returns a clock that stands at start.
func NewManualClock(start time.Time) *ManualClock {
	return &ManualClock{now: start, changed: make(chan struct{})}
}

// Now returns the time at which the clock stands.
func (c *ManualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()

	return c.now
}

// AfterFunc has f called by the Advance that reaches d from now. A d of zero
// or less waits for the next Advance too.
func (c *ManualClock) AfterFunc(d time.Duration, f func()) Timer {
	c.mu.Lock()
	defer c.mu.Unlock()

	t := &manualTimer{clock: c, at: c.now.Add(d), call: f}
	c.timers = append(c.timers, t)
	close(c.changed)
	c.changed = make(chan struct{})

	return t
}

// Advance moves the clock by d and makes every call that is due, on this
// goroutine, earliest first and in the order of AfterFunc at equal times.
// During a call the clock stands at the time of that call.
func (c *ManualClock) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now.Add(d)
	for {
		t := c.takeDue(end)
		if t == nil {
			break
		}
		if t.at.After(c.now) {
			c.now = t.at
		}
		c.mu.Unlock()
		t.call()
		c.mu.Lock()
	}
	c.now = end
	c.mu.Unlock()
}

// takeDue removes and returns the earliest timer that is due at end, or nil.
func (c *ManualClock) takeDue(end time.Time) *manualTimer {
	var first *manualTimer
	for _, t := range c.timers {
		if !t.at.After(end) && (first == nil || t.at.Before(first.at)) {
			first = t
		}
	}
	if first != nil {
		c.remove(first)
	}

	return first
}

// remove forgets a timer and reports whether it was there.
func (c *ManualClock) remove(t *manualTimer) bool {
	i := slices.Index(c.timers, t)
	if i < 0 {
		return false
	}
	c.timers = slices.Delete(c.timers, i, i+1)

	return true
}

// WaitTimers returns once at least n timers are set and not yet due, so that
// an Advance cannot come too early. It returns the error of ctx if that ends
// first.
func (c *ManualClock) WaitTimers(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		enough, changed := len(c.timers) >= n, c.changed
		c.mu.Unlock()
		if enough {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop prevents the call.
func (t *manualTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()

	return t.clock.remove(t)
}
