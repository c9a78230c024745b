package role_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// counted counts how often a factory is looked at.
type counted struct {
	exit.Holder
	looks *atomic.Int32
}

func (c counted) Tree() *factory.Tree {
	c.looks.Add(1)
	return c.Holder.Tree()
}

// Only the factory that failed is looked at again, and each new way to fail is
// told of once.
func TestOnlyWhatFailedIsRepeated(t *testing.T) {
	w := roletest.New(t, 1)
	shortLived(t, w, "kickoff 1 / ps 1")
	alice, told := w.Clients[0], &lines{}
	var looks atomic.Int32
	calls, first := 0, int32(0)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	out := wayOut(t, role.WayOutConfig{Chain: alice.Chain, Retry: time.Millisecond, Tell: told.tell, Exits: func() ([]role.Exit, error) {
		calls++
		switch calls {
		case 2:
			first = looks.Load()
		case 6:
			stop()
		}
		list, err := alice.Client.Exits()
		list[0].Holder = counted{list[0].Holder, &looks}
		return append([]role.Exit{broken(wire.CeremonyID{1})}, list...), errors.Join(err, fmt.Errorf("fault %d", calls/4))
	}})
	wg.Go(func() { out.Run(ctx) })
	wg.Wait()
	if first == 0 || looks.Load() != first {
		t.Errorf("the good factory was looked at %d times, then %d times more", first, looks.Load()-first)
	}
	if told.count("fault 0") != 1 || told.count("fault 1") != 1 {
		t.Errorf("told %q", told.text)
	}
}

// What was kept of a factory goes with it.
func TestWayOutForgets(t *testing.T) {
	w := roletest.New(t, 1)
	id := shortLived(t, w, "kickoff 1 / ps 1")
	alice := w.Clients[0]
	gone := false
	out := wayOut(t, role.WayOutConfig{Chain: alice.Chain, Exits: func() ([]role.Exit, error) {
		if gone {
			return nil, nil
		}
		return alice.Client.Exits()
	}})
	for _, gone = range []bool{false, true} {
		if err := out.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, found := out.Progress(w.LSP.Peer, id); found == gone || out.Drivers() == 1 == gone {
			t.Errorf("gone: %v, its progress is there: %v, %d drivers", gone, found, out.Drivers())
		}
	}
}
