package role_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/refnode/transport"
)

// After a question that ran out of time the chain is left alone for as long as that
// took, and not a moment longer; the clock of the ceremonies stands meanwhile. An error
// that came at once costs nothing.
func TestPause(t *testing.T) {
	clock := transport.NewManualClock(time.Unix(1_000_000, 0))
	p := &role.Pause{Clock: clock}
	asked, takes, answer := 0, time.Duration(0), error(nil)
	cfg := ceremony.Config{Tip: func() (factory.Height, error) {
		asked++
		clock.Advance(takes)
		return 7, answer
	}}
	p.Over(&cfg)
	start, passed := p.Now(), time.Duration(0)
	for i, tt := range []struct {
		wait, takes time.Duration
		answer      error
		asks        bool
	}{
		{0, 0, nil, true},
		{0, 5 * time.Second, errors.New("no"), true},
		{0, 20 * time.Second, fmt.Errorf("the tip: %w", context.DeadlineExceeded), true},
		{0, 0, nil, false},
		{20*time.Second - 1, 0, nil, false},
		{1, 0, nil, true},
		{0, 10 * time.Second, context.DeadlineExceeded, true},
		{10*time.Second - 1, 0, nil, false},
		{1, 3 * time.Second, context.DeadlineExceeded, true},
		{3 * time.Second, 0, nil, true},
		{0, 0, nil, true},
	} {
		clock.Advance(tt.wait)
		passed += tt.wait
		takes, answer = tt.takes, tt.answer
		before := asked
		height, err := cfg.Tip()
		switch {
		case (asked > before) != tt.asks:
			t.Errorf("%d: the chain is asked: %v", i, asked > before)
		case tt.asks && (height != 7 || !errors.Is(err, tt.answer)):
			t.Errorf("%d: %d, %v", i, height, err)
		case !tt.asks && !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("%d: it does not say why the chain is not asked: %v", i, err)
		}
		if got := p.Now().Sub(start); got != passed {
			t.Errorf("%d: %v have passed for the ceremonies, not %v", i, got, passed)
		}
		if due := p.Due(p.Now()); !due.Equal(clock.Now()) {
			t.Errorf("%d: what is due now is due at %v, it is %v", i, due, clock.Now())
		}
	}
}
