package payment

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire/rule"
)

// archive is a bench that keeps 2 invoices and payments that are over, and each for
// 1,000 seconds.
func archive(t *testing.T) *bench {
	b := newBench(t, me, false, rule.Set{}, inFactory(1, 100))
	b.cfg.History, b.cfg.HistoryTime = 2, 1000
	b.restart()
	return b
}

// later lets time and a block go by.
func (b *bench) later(seconds UnixTime) {
	b.now += seconds
	b.height++
	b.do(Tick{b.now})
	b.do(Block{b.height})
}

// htlc is one that pays all of an invoice.
func (b *bench) htlc(id uint64, inv Invoice, request *Bolt11) HTLCReceived {
	b.t.Helper()
	expiry := b.height + Height(request.FinalDelta) + 3
	p := hopPayload{Amount: inv.Amount, Expiry: expiry, PaymentData: true, Secret: request.Secret, Total: inv.Amount}
	return send(b.t, HTLCKey{channelID(1), id}, inv.Amount, expiry, inv.Hash, []byte{me}, p.encode()).event
}

// fill makes invoices and cancels them, so that those before are not the last ones.
func (b *bench) fill(n int) {
	b.t.Helper()
	for range n {
		inv, _ := b.mustInvoice(1)
		actions, err := b.r.Cancel(b.desk, inv.Hash)
		if err != nil {
			b.t.Fatal(err)
		}
		b.take(actions)
	}
}

func (b *bench) knows(h Hash) bool { _, found := b.r.InvoiceByHash(h); return found }

// An invoice is forgotten when it has been over for long enough, however it ended,
// unless it is one of the last ones; and what is forgotten is gone from the disk.
func TestInvoicesAreForgotten(t *testing.T) {
	for name, end := range map[string]func(*bench, Invoice, *Bolt11){
		"settled": func(b *bench, inv Invoice, request *Bolt11) {
			e := b.htlc(7, inv, request)
			b.do(e)
			b.do(HTLCRemoved{e.Channel, e.ID})
		},
		"cancelled": func(b *bench, inv Invoice, _ *Bolt11) {
			actions, err := b.r.Cancel(b.desk, inv.Hash)
			if err != nil {
				b.t.Fatal(err)
			}
			b.take(actions)
		},
		"expired": func(b *bench, inv Invoice, _ *Bolt11) {
			b.now = inv.Expires
			b.do(Tick{b.now})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := archive(t)
			inv, request := b.mustInvoice(10_000)
			end(b, inv, request)
			b.later(5000)
			if !b.knows(inv.Hash) {
				t.Fatal("one of the last ones is forgotten")
			}
			b.fill(1)
			b.later(999)
			if !b.knows(inv.Hash) {
				t.Fatal("one of the last two is forgotten")
			}
			b.fill(1)
			b.restart()
			b.later(0)
			if b.knows(inv.Hash) {
				t.Fatal("it is never forgotten")
			}
			if _, stays := b.store[string(invoiceKey(inv.Hash))]; stays || len(b.r.invoices) != 2 {
				t.Errorf("on the disk: %v; %d are known", stays, len(b.r.invoices))
			}
			b.restart()
			if b.knows(inv.Hash) {
				t.Error("it is back after a restart")
			}
		})
	}
}

// Nothing is forgotten before its time, to the second.
func TestHistoryTime(t *testing.T) {
	b := archive(t)
	inv, _ := b.mustInvoice(10_000)
	b.fill(2) // at the same time: the hash decides, so one of three goes
	actions, err := b.r.Cancel(b.desk, inv.Hash)
	if err != nil {
		t.Fatal(err)
	}
	b.take(actions)
	b.later(999)
	if len(b.r.invoices) != 3 {
		t.Fatal("forgotten a second too early")
	}
	b.later(1)
	if len(b.r.invoices) != 2 {
		t.Fatal("not forgotten in time")
	}
}

// As long as an HTLC of its hash is there an invoice stays; an open one stays anyway.
func TestAnInvoiceInUseStays(t *testing.T) {
	b := archive(t)
	still, actions, err := b.r.Invoice(b.desk, InvoiceRequest{Amount: 10_000, Expiry: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	b.take(actions)
	inv, request := b.mustInvoice(10_000)
	e := b.htlc(7, inv, request)
	b.do(e) // settled, and not removed
	for range 5 {
		b.fill(2)
		b.later(5000)
		b.restart()
	}
	if !b.knows(inv.Hash) || !b.knows(still.Hash) {
		t.Fatalf("with an HTLC: %v, open: %v", b.knows(inv.Hash), b.knows(still.Hash))
	}
	b.do(HTLCRemoved{e.Channel, e.ID})
	b.later(0)
	if b.knows(inv.Hash) || !b.knows(still.Hash) {
		t.Fatalf("without an HTLC: %v, open: %v", b.knows(inv.Hash), b.knows(still.Hash))
	}
}

// An HTLC for an invoice that is forgotten fails like one for an unknown hash: the same
// one again, and a new one. The preimage is not released twice.
func TestHTLCForAForgottenInvoice(t *testing.T) {
	b := archive(t)
	inv, request := b.mustInvoice(10_000)
	e := b.htlc(7, inv, request)
	b.do(e)
	if c := b.last(); c.preimage.Hash() != inv.Hash {
		t.Fatal("it is not settled")
	}
	b.do(HTLCRemoved{e.Channel, e.ID})
	b.fill(2)
	b.later(1000)
	if b.knows(inv.Hash) {
		t.Fatal("it is not forgotten")
	}
	again := e
	again.ID = 8
	b.do(again)
	if c := b.last(); c.code != InvalidOnionHMAC { // as any onion that comes twice
		t.Errorf("the same onion: %+v", c)
	}
	other := b.htlc(9, inv, request)
	unknown := b.htlc(10, Invoice{Hash: Hash{1}, Amount: inv.Amount}, request)
	reasons := map[uint64]command{}
	for _, e := range []HTLCReceived{other, unknown} {
		b.do(e)
		c := b.last()
		if c.preimage != (Preimage{}) || len(c.reason) == 0 {
			t.Fatalf("HTLC %d: %+v", e.ID, c)
		}
		reasons[e.ID] = c
	}
	if len(reasons[9].reason) != len(reasons[10].reason) {
		t.Error("a forgotten hash can be told from an unknown one")
	}
}

// A hash that was paid is not paid again when its record is gone, by whatever invoice,
// nor invoiced again when its preimage was chosen; one whose payment failed may be paid.
func TestAHashIsPaidOnce(t *testing.T) {
	b := archive(t)
	request := func(n byte) (string, Preimage) {
		pre := Preimage{n}
		return asked(t, other, func(i *Bolt11) { i.Hash, i.Timestamp, i.Expiry = pre.Hash(), b.now, 1<<30 }), pre
	}
	pay := func(text string) error {
		t.Helper()
		_, err := b.pay(PayRequest{Invoice: text, MaxFee: 1_000_000})
		return err
	}
	part := func() HTLCKey {
		last := b.desk.added[len(b.desk.added)-1]
		return HTLCKey{last.channel, last.id}
	}
	good, pre := request(1)
	bad, lost := request(2)
	open, waits := request(3)
	for _, text := range []string{good, bad, open} {
		if err := pay(text); err != nil {
			t.Fatal(err)
		}
		switch k := part(); text {
		case good:
			b.do(HTLCFulfilled{k.Channel, k.ID, pre})
		case bad:
			b.do(HTLCFailed{Channel: k.Channel, ID: k.ID})
			for b.r.payments[lost.Hash()].State == InFlight { // it is tried again
				k = part()
				b.do(HTLCFailed{Channel: k.Channel, ID: k.ID})
			}
		}
	}
	for n := range byte(2) {
		text, pre := request(100 + n)
		if err := pay(text); err != nil {
			t.Fatal(err)
		}
		k := part()
		b.now++
		b.do(Tick{b.now})
		b.do(HTLCFulfilled{k.Channel, k.ID, pre})
	}
	b.later(2000)
	b.restart()
	for hash, kept := range map[Hash]bool{pre.Hash(): false, lost.Hash(): false, waits.Hash(): true} {
		if _, found := b.r.PaymentByHash(hash); found != kept {
			t.Fatalf("%v: kept %v", hash, found)
		}
	}
	added := len(b.desk.added)
	another := asked(t, lsp, func(i *Bolt11) { i.Hash, i.Timestamp = pre.Hash(), b.now })
	for _, text := range []string{good, another} {
		if err := pay(text); !errors.Is(err, ErrDuplicate) || len(b.desk.added) != added {
			t.Errorf("paid again: %v, %d HTLCs", err, len(b.desk.added)-added)
		}
	}
	if err := pay(bad); err != nil || len(b.desk.added) != added+1 {
		t.Errorf("what failed is not paid: %v", err)
	}

	chosen := Preimage{9}
	inv, actions, err := b.r.Invoice(b.desk, InvoiceRequest{Amount: 1000, Preimage: &chosen})
	if err != nil {
		t.Fatal(err)
	}
	b.take(actions)
	text, err := DecodeInvoice(inv.Request, b.cfg.Net)
	if err != nil {
		t.Fatal(err)
	}
	e := b.htlc(70, inv, text)
	b.do(e)
	b.do(HTLCRemoved{e.Channel, e.ID})
	b.fill(2)
	b.later(2000)
	b.restart()
	if b.knows(inv.Hash) {
		t.Fatal("it is not forgotten")
	}
	if _, _, err := b.r.Invoice(b.desk, InvoiceRequest{Amount: 1000, Preimage: &chosen}); !errors.Is(err, ErrDuplicate) {
		t.Errorf("a preimage that is known is invoiced again: %v", err)
	}
}

// When no more hashes can be kept, what was paid stays as it is, and the rest goes.
func TestNoRoomForHashes(t *testing.T) {
	b := archive(t)
	for i := range maxSpent {
		b.r.spent[Hash{byte(i), byte(i >> 8), byte(i >> 16), 1}] = true
	}
	for i := range byte(9) {
		p := &payment{Hash: Hash{i, 2}, State: Succeeded, Ended: 1 + UnixTime(i)}
		if i%3 == 0 {
			p.State = Failed
		}
		b.r.payments[p.Hash] = p
	}
	b.later(2000)
	paid, failed := 0, 0
	for _, p := range b.r.payments {
		paid += btoi(p.State == Succeeded)
		failed += btoi(p.State == Failed)
	}
	if paid != 6 || failed != 2 || len(b.r.spent) != maxSpent {
		t.Errorf("%d paid, %d failed, %d hashes", paid, failed, len(b.r.spent))
	}
}

// A router that forgets as soon as it may pays nothing twice and loses nothing: the
// story of TestNetwork, with crashes and restarts.
func TestForgetfulNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &story{network: newNetwork(t, rapid.Int64Range(0, 1<<40).Draw(t, "seed")), t: t, forgets: true}
		for _, n := range s.each() {
			n.cfg.History, n.cfg.HistoryTime = 1, 1
			n.start()
		}
		for range rapid.IntRange(20, 120).Draw(t, "acts") {
			s.act()
		}
		s.end()
		s.now += 1000
		for _, n := range s.each() {
			n.event(false, Tick{s.now})
			n.event(false, Block{n.seen})
			if kept := len(n.r.payments); kept > n.cfg.History {
				t.Fatalf("node %d keeps %d payments that are over, and may keep %d", n.id, kept, n.cfg.History)
			}
		}
		s.checkOnce()
	})
}

// checkOnce checks that every invoice is paid by one payment or by none, that what was
// forgotten is refused, and that no msat is lost.
func (s *story) checkOnce() {
	for _, w := range s.wires {
		a, b := s.nodes[w.ends[0]].saved[w.n], s.nodes[w.ends[1]].saved[w.n]
		if len(a.offered)+len(a.received)+len(b.offered)+len(b.received) != 0 || a.balance+b.balance != w.capacity {
			s.t.Fatalf("channel %d: %d + %d msat of %d, HTLCs left", w.n, a.balance, b.balance, w.capacity)
		}
	}
	s.forwards() // finds what the LSP may have lost, and fails for the rest
	for _, d := range s.deals {
		settled, paid := d.payee.settled[d.hash], d.payer.paid[d.hash]
		if settled != paid && !s.odd[d.hash] || settled > 1 || paid > 1 {
			s.t.Fatalf("settled %d times, paid %d times", settled, paid)
		}
		if _, found := d.payer.r.PaymentByHash(d.hash); found || paid == 0 {
			continue
		}
		if _, _, err := d.payer.r.Pay(d.payer, PayRequest{Invoice: d.text, MaxFee: 1_000_000, Retry: true}); !errors.Is(err, ErrDuplicate) {
			s.t.Fatalf("what was paid and forgotten is paid again: %v", err)
		}
	}
	for _, n := range s.each() {
		if len(n.r.out)+len(n.r.sets)+len(n.r.incoming) != 0 {
			s.t.Fatalf("node %d is not done", n.id)
		}
		if err := sameRecords(n); err != nil {
			s.t.Fatal(err)
		}
	}
}

// sameRecords compares what a node has in memory with what is on its disk.
func sameRecords(n *simNode) error {
	var invoices, payments, spent int
	for k := range n.store {
		switch k[0] {
		case kindInvoice:
			invoices++
		case kindPayment:
			payments++
		case kindSpent:
			spent++
		}
	}
	if invoices != len(n.r.invoices) || payments != len(n.r.payments) || spent != len(n.r.spent) {
		return fmt.Errorf("on the disk %d, %d and %d, in memory %d, %d and %d", invoices, payments, spent, len(n.r.invoices), len(n.r.payments), len(n.r.spent))
	}
	return nil
}
