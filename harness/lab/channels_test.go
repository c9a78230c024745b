package lab_test

import (
	"context"
	"testing"
	"time"

	"superscalar/harness/lab"
	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// Channels open while a factory is created, and carry payments of one client to
// another afterwards.
func TestLabPayments(t *testing.T) {
	const clients = 4
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	funded := make(chan int, clients)
	l, err := lab.New(ctx, lab.Options{
		Clients: clients, Seed: 4, Coins: 100_000_000, Channels: true,
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
	order := ceremony.Order{Shape: factory.DefaultShape, Params: factory.DefaultParams(factory.PS), Stock: 50_000}
	for _, c := range l.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: c.ID(), Capacity: 100_000})
	}
	if _, err := l.LSP.LSP.Create(order); err != nil {
		t.Fatal(err)
	}
	for range clients {
		wait(ctx, t, funded)
	}
	if _, err := l.LSP.Pay(ctx, l.Clients[0], 1_000_000); err == nil {
		t.Error("a payment before the factory is confirmed")
	}
	if _, err := l.Chain.Mine(1); err != nil {
		t.Fatal(err)
	}
	if err := l.Look(ctx); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, func() bool {
		up := 0
		for _, c := range l.Clients {
			up += c.Up()
		}
		return up == clients && l.LSP.Up() == clients
	})
	if _, err := l.LSP.Pay(ctx, l.Clients[0], 9_000_000); err != nil {
		t.Fatal(err)
	}
	until(ctx, t, func() bool { return l.Clients[0].Hub.Channels()[0].Local == 9_000_000 })
	if _, err := l.Clients[0].Pay(ctx, l.Clients[3], 4_000_000); err != nil {
		t.Fatal(err)
	}
}

// until looks again and again whether something has happened.
func until(ctx context.Context, t *testing.T, happened func() bool) {
	t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
}
