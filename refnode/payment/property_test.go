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
func (s *story) crash() bool { return !s.steady && rapid.IntRange(0, 9).Draw(s.t, "crash") == 0 }

func (s *story) node() *simNode {
	return s.nodes[rapid.SampledFrom([]byte{1, simLSP, 3, simOutside}).Draw(s.t, "node")]
}

func (s *story) wire() *simWire { return rapid.SampledFrom(s.wires).Draw(s.t, "channel") }

// invoice makes a deal of any two.
func (s *story) invoice() {
	payee, payer := s.node(), s.node() // the same: a circular payment
	s.bill(payer, payee, Msat(rapid.IntRange(1, 1_500_000).Draw(s.t, "amount")))
}

// bill makes a deal.
func (s *story) bill(payer, payee *simNode, amount Msat) {
	q := InvoiceRequest{Amount: amount, Description: "x"}
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
	s.transfer(rapid.SampledFrom(s.deals).Draw(s.t, "deal"))
}

// transfer pays an invoice.
func (s *story) transfer(d deal) {
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
		s.blocks()
	case 10:
		switch rapid.IntRange(0, 5).Draw(s.t, "close") {
		case 0:
			s.fail(s.wire())
		case 1, 2:
			s.dear, s.wasDear = !s.dear, true
		default:
			s.release(s.wire())
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

// Whatever fails, disconnects, closes, crashes and lies: no payment counts twice, no msat
// appears or vanishes, the LSP gains its fees and nothing else, a preimage is upstream as
// soon as it is known, and what nobody ends is given up in time and not before (CHAN-040).
func TestNetwork(t *testing.T) {
	settled, givenUp, lost := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := &story{network: newNetwork(t, rapid.Int64Range(0, 1<<40).Draw(t, "seed")), t: t}
		s.lies, s.patience = rapid.IntRange(0, 3).Draw(t, "lies") > 0, rapid.SampledFrom([]int{20, 100, 1000}).Draw(t, "patience")
		s.dear = s.lies && rapid.Bool().Draw(t, "dear")
		s.wasDear = s.dear
		for range rapid.IntRange(20, 120).Draw(t, "acts") {
			s.act()
		}
		s.end()
		s.check()
		givenUp, lost = givenUp+s.givenUp, lost+s.lost
		for _, d := range s.deals {
			if inv, _ := d.payee.r.InvoiceByHash(d.hash); inv.State == Settled {
				settled++
			}
		}
	})
	t.Logf("%d invoices settled, %d HTLCs given up, %d lost", settled, givenUp, lost)
	if settled == 0 {
		t.Error("no payment ever succeeded: the test shows nothing")
	}
}

// lying plays payments whose payees may let the HTLCs lie while time-outs may not confirm,
// and returns how many channels failed.
func (s *story) lying() (failed int) {
	s.lies, s.dear, s.wasDear = true, true, true
	s.patience = []int{20, 100, 1000}[s.random.Intn(3)]
	ends := []byte{1, 3, simOutside}
	for range 12 {
		switch s.random.Intn(8) {
		case 0:
			s.release(s.wires[s.random.Intn(len(s.wires))])
		case 1, 2:
			s.blocks()
		default:
			i := s.random.Intn(3)
			s.bill(s.nodes[ends[i]], s.nodes[ends[(i+1+s.random.Intn(2))%3]], Msat(1+s.random.Intn(200_000)))
			if len(s.deals) > 0 { // else a crash forgot it
				s.transfer(s.deals[len(s.deals)-1])
			}
		}
		if s.steady {
			s.settle(1)
		} else {
			s.act()
			s.deliver(s.random.Intn(20))
		}
	}
	s.end()
	s.check()
	for _, w := range s.wires {
		if w.closed {
			failed++
		}
	}
	return failed
}

// Where everybody is there and looks at every block, a payee that lets HTLCs lie has its own
// channel on the chain and nobody else's, however long the time-outs of the LSP take: that is
// what CHAN-040 is for.
func TestNetworkAWayOutDoesNotSpread(t *testing.T) { testLying(t, true) }

// With crashes, pauses and disconnections more may leave. What the LSP gives up is what it
// may, when it may, and it loses nothing else.
func TestNetworkOfLiars(t *testing.T) { testLying(t, false) }

func testLying(t *testing.T, steady bool) {
	failed, givenUp, lost := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := &story{network: newNetwork(t, rapid.Int64Range(0, 1<<40).Draw(t, "seed")), t: t}
		s.steady = steady
		failed += s.lying()
		givenUp, lost = givenUp+s.givenUp, lost+s.lost
	})
	t.Logf("%d channels failed, %d HTLCs given up, %d lost", failed, givenUp, lost)
	if failed == 0 || givenUp == 0 {
		t.Errorf("%d channels failed, %d HTLCs were given up: the test shows nothing", failed, givenUp)
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
