package hub_test

import (
	"errors"
	"testing"
	"time"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// The timer of quiescence (PCF-146) belongs to a channel as it was: once the store has refused
// a write and the channel was read again, it ends no connection and stores nothing.
func TestATimerFromBeforeARefusedWrite(t *testing.T) {
	for _, refused := range []bool{true, false} {
		w := newWorld(t)
		l, c := star(w, "a", "b")
		a, b := c[0], c[1]
		l.stop()
		l.clock, l.mute = transport.NewManualClock(time.Now()), "stfu"
		l.start()
		for _, p := range c {
			l.connect(p)
		}
		w.until("the channels are up", func() bool { return l.up() == 2 && a.up() == 1 && b.up() == 1 })
		a.hold(b, 50_000_000)
		id := l.with(a).ID
		check(t, l.hub.Do(id, func(m *channel.Machine) error {
			m.Receive(&wire.Stfu{ChannelID: id, Initiator: 1})
			return nil
		}))
		if refused {
			l.set(newFault(refusal, 0))
			if _, err := l.hub.Invoice(payment.InvoiceRequest{Amount: 1}); !errors.Is(err, errFault) {
				t.Fatalf("the write is not refused: %v", err)
			}
			l.set(nil)
			w.until("the connection is over", func() bool { return a.up() == 0 })
			l.connect(a)
			w.until("the channel is up again", func() bool { return a.up() == 1 && l.with(a).Link.Up })
		}
		l.clock.Advance(time.Minute)
		if !refused {
			w.until("the connection is over", func() bool { return a.up() == 0 })
			continue
		}
		inv, err := l.hub.Invoice(payment.InvoiceRequest{Amount: 1_000_000})
		check(t, err)
		_, err = a.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: 1_000_000})
		check(t, err)
		w.until("a payment is over, or the connection", func() bool { return a.state(inv.Hash) != payment.InFlight || a.up() == 0 })
		if s := a.state(inv.Hash); s != payment.Succeeded {
			t.Errorf("a payment after the time is over is %v", s)
		}
	}
}
