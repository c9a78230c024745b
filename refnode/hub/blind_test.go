package hub_test

import (
	"context"
	"errors"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/payment"
)

// errBlind is what a blind backend answers.
var errBlind = errors.New("no answer for this outpoint")

// blind is a backend that does not say what spends one outpoint.
type blind struct {
	chain.Interface
	at btcwire.OutPoint
}

func (b blind) Spend(ctx context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	if o == b.at {
		return chain.Spend{}, false, errBlind
	}
	return b.Interface.Spend(ctx, o)
}

// TestOneChannelThatCannotBeLookedAfter: the LSP forwarded to two clients, and both HTLCs of the
// payer would have to be failed now (CHAN-040). It cannot find out what became of the channel with
// one of them, who has claimed its HTLC with the preimage: that one stays, and is paid for when the
// backend answers again. The other one is failed in time: it has nothing to do with it.
func TestOneChannelThatCannotBeLookedAfter(t *testing.T) {
	const margin = 4 // blocks before the expiry: the first at which the router asks
	w := newWorld(t)
	l, c := star(w, "a", "b", "e")
	a, b, e := c[0], c[1], c[2]
	toB, toE := a.hold(b, 50_000_000), a.hold(e, 30_000_000)
	l.stop() // it hears nothing of b's preimage but on the chain
	b.thaw(nil)
	l.start()
	l.connect(a)
	funding := l.with(b)
	view := blind{w.chain, btcwire.OutPoint{Hash: [32]byte(funding.Txid), Index: uint32(funding.Index)}}
	expiry := w.expiry(l)
	if first := expiry - margin - chain.MaxUpdate; w.tip() > first {
		t.Fatalf("the HTLCs expire at %d, and it is %d: too soon for what the test shows", expiry, w.tip())
	}
	for w.tip() < expiry-margin-chain.MaxUpdate {
		w.mine(1, l)
	}
	b.force(l)
	for range 3 {
		w.mine(1, b)
	}
	w.mine(expiry - margin + 1 - w.tip())
	look := func() {
		t.Helper()
		if err := l.hub.Look(t.Context(), view); !errors.Is(err, errBlind) {
			t.Errorf("a look without an answer: %v", err)
		}
	}
	look()
	w.mine(1)
	look()
	w.until("the payer hears of the HTLC that lies with the other client", func() bool { return a.state(toE) != payment.InFlight })
	if s := a.state(toE); s != payment.Failed {
		t.Errorf("the payment to the client that says nothing is %v", s)
	}
	if s := a.state(toB); s != payment.InFlight {
		t.Fatalf("the payment whose preimage is on the chain is %v, and the LSP could not look", s)
	}
	l.look()
	w.until("the preimage came from the chain to the payer", func() bool { return a.state(toB) != payment.InFlight })
	if s := a.state(toB); s != payment.Succeeded {
		t.Errorf("the payment is %v, and the LSP paid the payee", s)
	}
}

// expiry is the highest of the HTLCs of a party.
func (w *world) expiry(p *party) (highest uint32) {
	for _, s := range p.hub.States() {
		for _, h := range s.HTLCs {
			highest = max(highest, uint32(h.Expiry))
		}
	}
	return highest
}

func (w *world) tip() uint32 {
	w.t.Helper()
	tip, err := w.chain.Tip(w.t.Context())
	check(w.t, err)
	return uint32(tip.Height)
}
