package lab_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"superscalar/harness/lab"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A factory is created and a stock sold, over sockets, and everybody has a
// usable factory afterwards.
func TestLab(t *testing.T) {
	const clients = 6
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	funded, changed := make(chan int, clients), make(chan ceremony.Event, 1)
	l, err := lab.New(ctx, lab.Options{
		Clients: clients, Seed: 3, Coins: 100_000_000, Bumps: 1,
		Report: func(e ceremony.Event) {
			if e.Kind == ceremony.EventChanged || e.Kind == ceremony.EventFailed {
				changed <- e
			}
		},
		Heard: func(i int, m wire.Ceremony) {
			if m.Type() == wire.TypeFunded {
				funded <- i
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	shape, err := factory.ParseShape("static 2 / kickoff 1 / ps 2")
	if err != nil {
		t.Fatal(err)
	}
	order := ceremony.Order{Shape: func(int) factory.Shape { return shape }, Params: factory.DefaultParams(shape.Leaf), Stock: 50_000}
	for _, c := range l.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: c.ID(), Capacity: 100_000})
	}
	id, err := l.LSP.LSP.Create(order)
	if err != nil {
		t.Fatal(err)
	}
	for range clients {
		wait(ctx, t, funded)
	}
	if _, err := l.Chain.Mine(1); err != nil {
		t.Fatal(err)
	}
	if _, err := l.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	if e := wait(ctx, t, changed); e.Kind != ceremony.EventChanged {
		t.Fatalf("%s: %s", e.Kind, e.Text)
	}
	for i, c := range l.Clients {
		h := c.Client.Held(l.LSP.ID(), id)
		if h == nil {
			t.Fatalf("client %d has no factory", i)
		}
		if err := c.Client.Usable(h, 1); err != nil {
			t.Errorf("client %d: %v", i, err)
		}
		if _, err := c.Payout(l.LSP.ID(), id); err != nil {
			t.Error(err)
		}
	}
}

func wait[T any](ctx context.Context, t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	return v
}
