package payment

import (
	"errors"
	"math/rand"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// deal is an invoice and who pays it.
type deal struct {
	payer, payee *simNode
	hash         Hash
	text         string
}

// story is a network with what is going on in it.
type story struct {
	*network
	t     *rapid.T
	deals []deal
	// forgets says that routers forget what is over.
	forgets bool
}

// crash draws whether the step crashes before it is durable.
func (s *story) crash() bool { return rapid.IntRange(0, 9).Draw(s.t, "crash") == 0 }

func (s *story) node() *simNode {
	return s.nodes[rapid.SampledFrom([]byte{1, simLSP, 3, simOutside}).Draw(s.t, "node")]
}

func (s *story) wire() *simWire { return rapid.SampledFrom(s.wires).Draw(s.t, "channel") }

// invoice makes a deal.
func (s *story) invoice() {
	payee, payer := s.node(), s.node() // the same: a circular payment
	q := InvoiceRequest{Amount: Msat(rapid.IntRange(1, 1_500_000).Draw(s.t, "amount")), Description: "x"}
	var inv Invoice
	if payee.step(s.crash(), func() []Action {
		var actions []Action
		var err error
		if inv, actions, err = payee.r.Invoice(payee, q); err != nil {
			s.t.Fatal(err)
		}
		return actions
	}) {
		s.deals = append(s.deals, deal{payer, payee, inv.Hash, inv.Request})
	}
}

// pay pays an invoice, or tries again.
func (s *story) pay() {
	if len(s.deals) == 0 {
		return
	}
	d := rapid.SampledFrom(s.deals).Draw(s.t, "deal")
	q := PayRequest{Invoice: d.text, MaxFee: 1_000_000, Retry: rapid.Bool().Draw(s.t, "retry")}
	d.payer.step(s.crash(), func() []Action {
		_, actions, err := d.payer.r.Pay(d.payer, q)
		if err != nil && !errors.Is(err, ErrNoRoute) && !errors.Is(err, ErrExpired) && !(s.forgets && errors.Is(err, ErrDuplicate)) {
			s.t.Fatal(err)
		}
		return actions
	})
}

// deliver moves messages.
func (s *story) deliver(n int) {
	for range n {
		w := s.wire()
		s.nodes[rapid.SampledFrom(w.ends[:]).Draw(s.t, "reader")].read(w, s.crash())
	}
}

func (s *story) act() {
	switch rapid.IntRange(0, 15).Draw(s.t, "act") {
	case 0, 1:
		s.invoice()
	case 2, 3, 4:
		s.pay()
	case 5:
		s.disconnect(s.wire(), s.crash())
	case 6, 7:
		s.wire().connected = true
	case 8:
		s.now += UnixTime(rapid.IntRange(0, 90).Draw(s.t, "seconds"))
		s.node().event(s.crash(), Tick{s.now})
	case 9:
		s.height++
		for _, n := range s.each() {
			n.event(s.crash(), Block{s.height - n.lag})
		}
	case 10:
		if rapid.IntRange(0, 5).Draw(s.t, "close") == 0 {
			s.close(s.wire())
		}
	case 11:
		s.node().start()
	case 12:
		if len(s.deals) > 0 && rapid.IntRange(0, 5).Draw(s.t, "cancel") == 0 {
			d := rapid.SampledFrom(s.deals).Draw(s.t, "deal")
			d.payee.step(s.crash(), func() []Action {
				actions, err := d.payee.r.Cancel(d.payee, d.hash)
				if err != nil && !errors.Is(err, ErrState) && !(s.forgets && errors.Is(err, ErrUnknown)) {
					s.t.Fatal(err)
				}
				return actions
			})
		}
	default:
		s.deliver(rapid.IntRange(1, 8).Draw(s.t, "messages"))
	}
}

// end lets everything arrive until nothing is left to do.
func (s *story) end() {
	for idle := 0; idle < 3; {
		moved := false
		for _, w := range s.wires {
			w.connected = true
			if w.closed {
				s.chain(w)
			}
			for _, id := range w.ends {
				for s.nodes[id].read(w, false) {
					moved = true
				}
			}
		}
		if moved {
			idle = 0
			continue
		}
		idle++
		s.now += 100
		for _, n := range s.each() {
			n.event(false, Tick{s.now})
		}
	}
}

// check compares what everybody has with what everybody thinks happened.
func (s *story) check() {
	for _, w := range s.wires {
		a, b := s.nodes[w.ends[0]].saved[w.n], s.nodes[w.ends[1]].saved[w.n]
		if len(a.offered)+len(a.received)+len(b.offered)+len(b.received) != 0 || a.balance+b.balance != w.capacity {
			s.t.Fatalf("channel %d: %d + %d msat of %d, HTLCs left", w.n, a.balance, b.balance, w.capacity)
		}
	}
	for _, n := range s.each() {
		if len(n.r.out)+len(n.r.sets)+len(n.r.incoming) != 0 {
			s.t.Fatalf("node %d is not done", n.id)
		}
		var has, had, paid, got Msat
		for _, side := range n.saved {
			has += side.balance
			had += side.wire.capacity / 2
		}
		for _, d := range s.deals {
			p, tried := d.payer.r.PaymentByHash(d.hash)
			inv, _ := d.payee.r.InvoiceByHash(d.hash)
			if tried && p.State == InFlight || (p.State == Succeeded) != (inv.State == Settled) {
				s.t.Fatalf("payment %v, invoice %v", p.State, inv.State)
			}
			if inv.State != Settled {
				continue
			}
			if inv.Received != inv.Amount || p.Amount != inv.Amount {
				s.t.Fatalf("an invoice over %d got %d", inv.Amount, inv.Received)
			}
			if d.payer == n {
				paid += p.Amount + p.Fee
			}
			if d.payee == n {
				got += inv.Received
			}
		}
		if has != had+got+n.fees-paid {
			s.t.Fatalf("node %d has %d msat: %d before, %d received, %d in fees, %d paid", n.id, has, had, got, n.fees, paid)
		}
	}
}

// Whatever fails, disconnects, closes and crashes: no payment counts twice, no msat
// appears or vanishes, the LSP gains its fees and nothing else, and a preimage is
// upstream as soon as it is known.
func TestNetwork(t *testing.T) {
	settled := 0
	rapid.Check(t, func(t *rapid.T) {
		s := &story{network: newNetwork(t, rapid.Int64Range(0, 1<<40).Draw(t, "seed")), t: t}
		for range rapid.IntRange(20, 120).Draw(t, "acts") {
			s.act()
		}
		s.end()
		s.check()
		for _, d := range s.deals {
			if inv, _ := d.payee.r.InvoiceByHash(d.hash); inv.State == Settled {
				settled++
			}
		}
	})
	if settled == 0 {
		t.Error("no payment ever succeeded: the test shows nothing")
	}
}

// Without failures everything that fits is paid.
func TestNetworkWorks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{network: newNetwork(t, 1), t: t}
		s.random = rand.New(quiet{})
		ids := []byte{1, simLSP, 3, simOutside}
		for k, payer := range ids {
			payee := s.nodes[ids[(k+1+rapid.IntRange(0, 2).Draw(t, "payee"))%4]]
			inv, actions, err := payee.r.Invoice(payee, InvoiceRequest{Amount: Msat(rapid.IntRange(1, 400_000).Draw(t, "amount"))})
			if err != nil {
				t.Fatal(err)
			}
			payee.step(false, func() []Action { return actions })
			s.deals = append(s.deals, deal{s.nodes[payer], payee, inv.Hash, inv.Request})
			s.nodes[payer].step(false, func() []Action {
				_, actions, err := s.nodes[payer].r.Pay(s.nodes[payer], PayRequest{Invoice: inv.Request, MaxFee: 10_000})
				if err != nil {
					t.Fatal(err)
				}
				return actions
			})
			s.end()
		}
		s.check()
		if i := slices.IndexFunc(s.deals, func(d deal) bool { v, _ := d.payee.r.InvoiceByHash(d.hash); return v.State != Settled }); i >= 0 {
			p, _ := s.deals[i].payer.r.PaymentByHash(s.deals[i].hash)
			t.Fatalf("deal %d: %v %v", i, p.State, p.Reason)
		}
	})
}

// quiet is a source that never makes a channel refuse.
type quiet struct{}

func (quiet) Int63() int64 { return 1<<62 + 1<<33 }
func (quiet) Seed(int64)   {}
