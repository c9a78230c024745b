package hub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/transport"
)

// refuse sets what the store of a party answers from now on, nil to work again.
func (p *party) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = err
}

// A disk that is full for a while, and not for one write alone, ends no channel: once it
// takes writes again the chain is watched, peers come back and payments go on. Nobody
// starts the node again, and nobody would know that it has to be.
func TestDiskFullForAWhile(t *testing.T) {
	w := newWorld(t)
	l, c := w.party("l", node.LSP), w.party("c", node.Client)
	l.stop()
	l.clock = transport.NewManualClock(time.Now())
	l.start()
	l.coins(1_500_000)
	l.connect(c)
	l.channel(c, 1_000_000, 400_000_000)
	_, err := l.hub.Invoice(payment.InvoiceRequest{Amount: 1000, Expiry: 60})
	check(t, err)

	full := errors.New("no space left on the device")
	l.refuse(full)
	l.clock.Advance(time.Hour) // the invoice runs out: whoever reads everything again has something to store
	for range 3 {
		_, err := w.chain.Mine(1)
		check(t, err)
		if err := l.hub.Look(context.Background(), w.chain); !errors.Is(err, full) {
			t.Errorf("a look while the disk is full: %v", err)
		}
	}
	apart := func() bool { return len(l.node.Peers()) == 0 && len(c.node.Peers()) == 0 }
	w.until("no peer is connected", apart)
	l.connect(c) // while nobody could hear its channels
	w.until("the peer is sent away", apart)
	l.refuse(nil)
	l.look()
	l.connect(c)
	w.until("the channel is up again", func() bool { return l.up() == 1 && c.up() == 1 })
	if got := c.pay(l, 1_000_000); got.State != payment.Succeeded {
		t.Errorf("a payment after that: %+v", got)
	}
}
