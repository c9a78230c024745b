package hub_test

import (
	"testing"

	"superscalar/refnode/node"
	"superscalar/refnode/payment"
)

// TestPaymentOverOneChannel: open, pay there and back, over real sockets.
func TestPaymentOverOneChannel(t *testing.T) {
	w := newWorld(t)
	a, b := w.party("a", node.LSP), w.party("b", node.Client)
	a.coins(2_000_000)
	a.connect(b)
	a.channel(b, 1_000_000, 0)
	for _, msat := range []payment.Msat{1_000_000, 2_500, 300_000_000} {
		if p := a.pay(b, msat); p.State != payment.Succeeded {
			t.Fatalf("%d msat: %+v", msat, p)
		}
	}
	w.until("b's money is its own", func() bool { return b.hub.Channels()[0].Local == 301_002_500 })
	if p := b.pay(a, 200_000_000); p.State != payment.Succeeded {
		t.Fatalf("back: %+v", p)
	}
	w.until("the payment is settled", func() bool {
		return b.hub.Channels()[0].Local == 101_002_500 && a.hub.Channels()[0].Local == 898_997_500
	})
}

// TestPaymentIsForwarded: from one client to another through the LSP.
func TestPaymentIsForwarded(t *testing.T) {
	w := newWorld(t)
	a, l, b := w.party("a", node.Client), w.party("l", node.LSP), w.party("b", node.Client)
	l.coins(3_000_000)
	l.connect(a)
	l.connect(b)
	l.channel(a, 1_000_000, 400_000_000)
	l.coins(3_000_000)
	l.channel(b, 1_000_000, 0)
	a.look() // its height must not be far behind
	if p := a.pay(b, 50_000_000); p.State != payment.Succeeded || p.Fee != 1000+5000 {
		t.Fatalf("%+v", p)
	}
}
