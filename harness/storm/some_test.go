package storm

import (
	"slices"
	"strings"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/payment"
)

// What may happen in a storm, each as a function that reports whether there was an occasion.

// anybody is a party that runs, nil when the one that was drawn does not.
func (s *storm) anybody() *party {
	p := s.all()[s.r.IntN(1+len(s.clients))]
	if p.hub == nil {
		return nil
	}
	return p
}

func (s *storm) someMessage() bool {
	all := s.busy()
	if len(all) == 0 {
		return false
	}
	at := all[s.r.IntN(len(all))]
	s.deliver(at.l, at.side)
	return true
}

func (s *storm) somePayment() bool {
	from, to := s.anybody(), s.anybody()
	if from == nil || to == nil || from == to {
		return false
	}
	s.pay(from, to, s.amount())
	return true
}

// secondPayer pays an invoice that another one pays: one of them gets it back.
func (s *storm) secondPayer() bool {
	from := s.anybody()
	if from == nil || len(s.bills) == 0 {
		return false
	}
	// What comes in parts may be taken from both, and nobody says how much from whom.
	const whole = 400_000
	b := s.bills[len(s.bills)-1]
	if b.payee == from || b.inv.Amount > whole || b.parts || slices.ContainsFunc(s.bills, func(x *bill) bool { return x.payer == from && x.inv.Hash == b.inv.Hash }) {
		return false
	}
	s.send(&bill{payer: from, payee: b.payee, inv: b.inv})
	return true
}

// somePart sends a part of an invoice that is paid part by part, or begins one.
func (s *storm) somePart() bool {
	c := s.clients[s.r.IntN(len(s.clients))]
	if s.lsp.hub == nil || c.hub == nil {
		return false
	}
	var begun *bill
	for _, b := range s.bills {
		if b.parts && b.payee == c && s.invoice(b).State == payment.Open {
			begun = b
		}
	}
	if begun == nil {
		inv, err := c.hub.Invoice(payment.InvoiceRequest{Amount: 2 * half})
		s.follow(c)
		if err != nil {
			return false
		}
		begun = &bill{payer: s.lsp, payee: c, inv: inv, parts: true}
		s.bills = append(s.bills, begun)
	}
	for _, ch := range s.lsp.hub.Channels() {
		if ch.Peer == c.id() && ch.Link.Up {
			err := s.part(begun, ch.ID, half)
			s.note("a part for %s: %v", c.name, err)
			s.follow(s.lsp)
			return err == nil
		}
	}
	return false
}

func (s *storm) someChange() bool {
	if s.lsp.hub == nil {
		return false
	}
	order := ceremony.Purchase{Factory: s.id, Buyer: factory.ClientIndex(s.r.IntN(len(s.clients))), Amount: factory.Sat(2_000 + s.r.IntN(15_000))}
	start, what := s.lsp.lsp.Sell, "a sale"
	if s.leaf == factory.DW || s.r.IntN(3) == 0 {
		start, what = s.lsp.lsp.Update, "an update" // of a ps leaf it cuts chains through
	}
	if s.wide && s.r.IntN(2) == 0 {
		start, what = s.lsp.lsp.Update, "a wider update"
		order.Wider, order.From = true, factory.ClientIndex(s.r.IntN(len(s.clients)))
	}
	_, err := start(order)
	s.note("%s to %s: %v", what, s.clients[order.Buyer].name, err)
	if err == nil {
		s.counts[what[strings.Index(what, " ")+1:]+"s"]++
	}
	s.follow(s.lsp)
	return err == nil
}

func (s *storm) someCut() bool {
	l := s.links[s.r.IntN(len(s.links))]
	if !l.up {
		return false
	}
	s.note("the connection %d ends", l.ends[1].p.index)
	s.cut(l)
	return true
}

func (s *storm) someConnect() bool {
	l := s.links[s.r.IntN(len(s.links))]
	if l.up || l.ends[0].p.hub == nil || l.ends[1].p.hub == nil {
		return false
	}
	s.connect(l)
	return true
}

func (s *storm) someCrash() bool {
	p := s.anybody()
	if p == nil {
		return false
	}
	s.end(p)
	return true
}

func (s *storm) someFault() bool {
	p := s.anybody()
	if p == nil {
		return false
	}
	k := []kind{refusal, dieBefore, dieAfter}[s.r.IntN(3)]
	p.set(newFault(k, s.r.IntN(12)))
	s.note("%s: %s, soon", p.name, k)
	return true
}

func (s *storm) someStart() bool {
	p := s.all()[s.r.IntN(1+len(s.clients))]
	if p.hub != nil {
		return false
	}
	s.begin(p)
	return true
}

// someBlock mines a block, but not so many that what waits for a peer has to go to the
// chain.
func (s *storm) someBlock() bool {
	const most = 10
	if s.blocks == most {
		return false
	}
	s.blocks++
	s.mine(1)
	return true
}

// someReorg replaces some blocks; what was in them is in the mempool again.
func (s *storm) someReorg() bool {
	depth := uint32(1 + s.r.IntN(s.deepest()))
	if err := s.chain.Reorg(depth); err != nil {
		s.t.Fatal(err)
	}
	s.blocks++
	s.note("a reorganisation of %d blocks", depth)
	s.looks()
	return true
}

// deepest is how many blocks are replaced at most: fewer than bury an end. A thief would get its old
// state in with more.
func (s *storm) deepest() int {
	if s.plan == cheating {
		return 2
	}
	return 5
}

func (s *storm) someTime() bool {
	s.pass(time.Duration(1+s.r.IntN(40)) * time.Second)
	return true
}
