package hub_test

import (
	"fmt"
	"sync"
	"testing"

	"superscalar/refnode/node"
	"superscalar/refnode/payment"
)

// BenchmarkPayments pays over sockets with stores on the disk: from one client
// through the LSP to others, with flight payments under way at a time on each of
// the channels. One iteration is one payment.
func BenchmarkPayments(b *testing.B) {
	for _, tt := range []struct{ channels, flight int }{{1, 1}, {1, 10}, {1, 100}, {10, 10}, {10, 100}} {
		b.Run(fmt.Sprintf("channels=%d/flight=%d", tt.channels, tt.flight), func(b *testing.B) {
			w := newWorld(b)
			l := w.party("l", node.LSP)
			var payers, payees []*party
			for i := range tt.channels {
				payers = append(payers, w.party(fmt.Sprint("payer", i), node.Client))
				payees = append(payees, w.party(fmt.Sprint("payee", i), node.Client))
				for _, p := range []*party{payers[i], payees[i]} {
					l.coins(20_000_000)
					l.connect(p)
				}
				l.channel(payers[i], 10_000_000, 9_000_000_000)
				l.channel(payees[i], 10_000_000, 0)
			}
			for _, p := range append(append([]*party{l}, payers...), payees...) {
				p.look()
			}
			for _, p := range append([]*party{l}, payees...) {
				p.listen(func(payment.Action) {})
			}
			var ends []*ends
			for _, p := range payers {
				ends = append(ends, watch(p))
			}
			b.ResetTimer()
			done := make(chan error)
			for i := range tt.channels {
				go func() { done <- stream(ends[i], payees[i], share(b.N, tt.channels, i), tt.flight) }()
			}
			for range tt.channels {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
		})
	}
}

// share is how many of n payments channel i of k makes.
func share(n, k, i int) int {
	if i < n%k {
		return n/k + 1
	}
	return n / k
}

// ends tells those who wait how the payments of a party end.
type ends struct {
	*party
	mu    sync.Mutex
	waits map[payment.Hash]chan payment.Action
}

// watch listens to what becomes of the payments of a party.
func watch(p *party) *ends {
	e := &ends{party: p, waits: map[payment.Hash]chan payment.Action{}}
	p.listen(func(a payment.Action) {
		switch a := a.(type) {
		case payment.PaymentSucceeded:
			e.end(a.Hash) <- a
		case payment.PaymentFailed:
			e.end(a.Hash) <- a
		}
	})
	return e
}

// end is where the end of a payment is told.
func (e *ends) end(h payment.Hash) chan payment.Action {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waits[h] == nil {
		e.waits[h] = make(chan payment.Action, 1)
	}
	return e.waits[h]
}

// stream makes n payments, at most flight at a time.
func stream(from *ends, to *party, n, flight int) error {
	slots := make(chan error, flight)
	for range flight {
		slots <- nil
	}
	for range n {
		if err := <-slots; err != nil {
			return err
		}
		go func() { slots <- once(from, to) }()
	}
	for range flight {
		if err := <-slots; err != nil {
			return err
		}
	}
	return nil
}

// once makes one payment and waits for its end.
func once(from *ends, to *party) error {
	inv, err := to.hub.Invoice(payment.InvoiceRequest{Amount: 10_000})
	if err != nil {
		return err
	}
	if _, err := from.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: 10_000}); err != nil {
		return err
	}
	if failed, ok := (<-from.end(inv.Hash)).(payment.PaymentFailed); ok {
		return fmt.Errorf("payment failed: %s", failed.Reason)
	}
	return nil
}
