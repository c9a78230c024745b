package storm

import (
	"slices"

	"superscalar/refnode/payment"
)

// settled checks that everybody has what the payments say, to the msat: who paid has the
// preimage, who was paid has settled, and the LSP keeps the fees, and what falls off the
// satoshi of a channel that another one absorbs (CHG-019). sum is what is in all channels.
func (s *storm) settled(sum payment.Msat) {
	s.t.Helper()
	for i, want := range s.entitled(sum).have {
		p := s.all()[i]
		falls := payment.Msat(0)
		for _, ch := range p.hub.Channels() {
			if ch.Closed {
				falls += 999
			}
		}
		have := p.local()
		more, less := want, want
		if p.isLSP() {
			more += falls
		} else {
			less -= min(falls, less)
		}
		if have < less || have > more {
			s.fail("%s has %d msat and not %d", p.name, have, want)
		}
	}
}

// local is what a party has in its channels, HTLCs not counted.
func (p *party) local() (sum payment.Msat) {
	for _, c := range p.hub.Channels() {
		if !c.Closed { // another one absorbed it
			sum += c.Local
		}
	}
	return sum
}

// past is what a thief knew of payments when it broke off with its peers.
type past struct {
	payments map[payment.Hash]payment.Payment
	invoices []payment.Invoice
}

func (p *party) remember() *past {
	all := &past{payments: map[payment.Hash]payment.Payment{}, invoices: p.hub.Invoices()}
	for _, paid := range p.hub.Payments() {
		all.payments[paid.Hash] = paid
	}
	return all
}

// payment is what a party knows of a payment of its own.
func (p *party) payment(hash payment.Hash) (payment.Payment, bool) {
	if p.past != nil {
		paid, found := p.past.payments[hash]
		return paid, found
	}
	return p.hub.Payment(hash)
}

// invoice is what the payee knows of a bill.
func (s *storm) invoice(b *bill) payment.Invoice {
	var all []payment.Invoice
	if b.payee.past != nil {
		all = b.payee.past.invoices
	} else {
		all = b.payee.hub.Invoices()
	}
	i := slices.IndexFunc(all, func(i payment.Invoice) bool { return i.Hash == b.inv.Hash })
	if i < 0 {
		return payment.Invoice{}
	}
	return all[i]
}

// due is what everybody shall have, in the order of all. What honest parties know of a
// payment decides it; doubt is what only a thief knows.
type due struct {
	s       *storm
	in, out []payment.Msat
	have    []payment.Msat
	doubt   payment.Msat
	counted map[payment.Hash]bool // invoices whose payee has what it was paid
	paid    map[payment.Hash]int  // how often an invoice was paid, not counting parts
}

// entitled says what everybody shall have of what is in all channels.
func (s *storm) entitled(sum payment.Msat) *due {
	s.t.Helper()
	n := len(s.all())
	d := &due{s: s, in: make([]payment.Msat, n), out: make([]payment.Msat, n), counted: map[payment.Hash]bool{}, paid: map[payment.Hash]int{}}
	for _, b := range s.bills {
		switch {
		case b.parts:
			d.parts(b)
		case b.payer.past != nil:
			d.fromThief(b)
		default:
			d.whole(b)
		}
	}
	d.have = make([]payment.Msat, n)
	d.have[0] = sum
	for i := 1; i < n; i++ {
		d.have[i] = d.in[i] - d.out[i]
		d.have[0] -= d.have[i]
	}
	return d
}

// received counts what a payee has settled, once.
func (d *due) received(b *bill, inv payment.Invoice) {
	if inv.State == payment.Settled && !d.counted[inv.Hash] {
		d.counted[inv.Hash] = true
		d.add(d.in, b.payee, inv.Received)
	}
}

func (d *due) add(to []payment.Msat, p *party, amount payment.Msat) { to[1+p.index] += amount }

// parts is for what the LSP pays part by part, or a client.
func (d *due) parts(b *bill) {
	inv := d.s.invoice(b)
	if b.payee.past != nil && inv.State != payment.Settled {
		d.doubt += payment.Msat(b.sent) * half
		return
	}
	if b.payer.past != nil {
		d.doubt += payment.Msat(b.sent) * half
	}
	d.received(b, inv)
	if inv.State == payment.Settled {
		d.add(d.out, b.payer, inv.Received)
	}
}

// fromThief is what a thief has paid: what it knew, or what an honest payee has.
func (d *due) fromThief(b *bill) {
	paid, _ := b.payer.payment(b.inv.Hash)
	inv := d.s.invoice(b)
	if paid.State == payment.Succeeded {
		d.received(b, inv)
		d.paid[inv.Hash]++
		d.add(d.out, b.payer, paid.Amount+paid.Fee)
		return
	}
	if paid.State != payment.InFlight {
		return
	}
	d.received(b, inv)
	switch alone := !slices.ContainsFunc(d.s.bills, func(x *bill) bool { return x != b && x.inv.Hash == b.inv.Hash }); {
	case !alone:
		d.doubt += b.inv.Amount
	case inv.State == payment.Settled:
		d.add(d.out, b.payer, inv.Received)
	}
}

// whole is a payment of an honest payer.
func (d *due) whole(b *bill) {
	s := d.s
	s.t.Helper()
	inv := s.invoice(b)
	if b.payee.past == nil {
		d.received(b, inv)
	}
	paid, found := b.payer.payment(b.inv.Hash)
	switch {
	case !found: // its process ended before it was stored
	case paid.State == payment.InFlight && s.lsp.past != nil:
		// A distribution, an omission or poison paid the channel out with the HTLC in it.
	case paid.State == payment.InFlight:
		s.fail("%s has %d msat in flight, and no HTLC", b.payer.name, paid.InFlight)
	case paid.State == payment.Succeeded:
		if paid.Preimage.Hash() != b.inv.Hash || b.payee.past == nil && inv.State != payment.Settled {
			s.fail("%s has paid %s, who has not settled", b.payer.name, b.payee.name)
		}
		d.paid[b.inv.Hash]++
		again := d.paid[b.inv.Hash] > 1 && !b.payee.isLSP()
		if again && !s.ends {
			s.fail("%s was paid twice by one invoice", b.payee.name)
		}
		if again || b.payee.past != nil {
			// Only on the chain a payee takes what is paid a second time.
			d.add(d.in, b.payee, paid.Amount)
		}
		if s.ends {
			s.counts["payments that succeed"]++
		}
		d.add(d.out, b.payer, paid.Amount+paid.Fee)
	}
}
