package transport

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestManualClock(t *testing.T) {
	clock := NewManualClock(begin)
	var calls []string
	set := func(name string, d time.Duration) Timer {
		return clock.AfterFunc(d, func() {
			at := clock.Now().Sub(begin).String()
			calls = append(calls, name+" "+at)
		})
	}
	set("late", 3*time.Second)
	set("early", time.Second)
	set("same", 3*time.Second)
	stopped := set("stopped", 2*time.Second)
	set("never", time.Hour)
	clock.AfterFunc(time.Second, func() { set("nested", time.Second) })

	if !stopped.Stop() || stopped.Stop() {
		t.Fatal("stop works once")
	}
	clock.Advance(5 * time.Second)
	want := []string{"early 1s", "nested 2s", "late 3s", "same 3s"}
	if !slices.Equal(calls, want) {
		t.Fatalf("got %q, want %q", calls, want)
	}
	if got := clock.Now().Sub(begin); got != 5*time.Second {
		t.Fatalf("the clock stands at %s", got)
	}
	if err := clock.WaitTimers(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clock.WaitTimers(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
