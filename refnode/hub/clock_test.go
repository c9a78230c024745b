package hub_test

import (
	"testing"
	"time"

	"superscalar/refnode/payment"
	"superscalar/refnode/transport"
)

// The router has no clock: what it takes for the time is what the hub says. A node that has
// run for hours without an invoice makes one that can be paid, pays no expired one, and
// gives the parts of a payment their time.
func TestTheTimeAfterHoursOfNothing(t *testing.T) {
	w := newWorld(t)
	l, c := star(w, "a", "b")
	a, b := c[0], c[1]
	for _, p := range c {
		p.stop()
		p.clock = transport.NewManualClock(time.Now())
		p.start()
		l.connect(p)
	}
	w.until("the channels are up", func() bool { return l.up() == 2 && a.up() == 1 && b.up() == 1 })
	old, err := l.hub.Invoice(payment.InvoiceRequest{Amount: 1_000_000})
	check(t, err)
	for _, p := range c {
		p.clock.Advance(2 * time.Hour)
	}
	if _, err := a.hub.Pay(payment.PayRequest{Invoice: old.Request, MaxFee: 1_000_000}); err == nil {
		t.Error("an invoice that expired an hour ago is paid")
	}
	inv, err := b.hub.Invoice(payment.InvoiceRequest{Amount: 1_000_000})
	check(t, err)
	if now := payment.UnixTime(b.clock.Now().Unix()); inv.Created != now {
		t.Errorf("an invoice made now is %d seconds old", now-inv.Created)
	}
	_, err = a.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: 1_000_000})
	check(t, err)
	w.until("the payment is over", func() bool { return a.state(inv.Hash) != payment.InFlight })
	if s := a.state(inv.Hash); s != payment.Succeeded {
		t.Errorf("the payment of a new invoice is %v", s)
	}
}
