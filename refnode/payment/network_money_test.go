package payment

// check compares what everybody has with what everybody thinks happened.
func (s *story) check() {
	for _, w := range s.wires {
		a, b := s.nodes[w.ends[0]].saved[w.n], s.nodes[w.ends[1]].saved[w.n]
		if len(a.offered)+len(a.received)+len(b.offered)+len(b.received) != 0 || a.balance+b.balance != w.capacity {
			s.t.Fatalf("channel %d: %d + %d msat of %d, HTLCs left", w.n, a.balance, b.balance, w.capacity)
		}
	}
	fees, loss := s.forwards()
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
			gave, took := s.deal(d)
			if d.payer == n {
				paid += gave
			}
			if d.payee == n {
				got += took
			}
		}
		if n.id == simLSP {
			had += fees
			paid += loss
		}
		if has != had+got-paid {
			s.t.Fatalf("node %d has %d msat: %d before and in fees, %d received, %d paid and lost", n.id, has, had, got, paid)
		}
	}
}

// deal returns what a payer gave and a payee got for an invoice. It is what their routers
// say. A payee that lets HTLCs lie may get less than its router says, nobody gives more, and
// nothing without the preimage.
func (s *story) deal(d deal) (gave, got Msat) {
	p, tried := d.payer.r.PaymentByHash(d.hash)
	inv, _ := d.payee.r.InvoiceByHash(d.hash)
	if tried && p.State == InFlight {
		s.t.Fatal("a payment is in flight, and nothing of it is there")
	}
	for _, side := range d.payer.saved {
		for _, e := range side.given {
			if e.add.Hash == d.hash && Hash(e.add.Origin[:32]) == d.hash && e.paid {
				gave += e.add.Amount
			}
		}
	}
	for _, side := range d.payee.saved {
		for id, e := range side.taken {
			if e.add.Hash == d.hash && e.paid && !d.payee.forwarded(side, id) {
				got += e.add.Amount
			}
		}
	}
	var says, owes Msat
	if inv.State == Settled {
		says = inv.Received
		if inv.Received != inv.Amount {
			s.t.Fatalf("an invoice over %d got %d", inv.Amount, inv.Received)
		}
	}
	if p.State == Succeeded {
		owes = p.Amount + p.Fee
		if p.Amount != inv.Amount {
			s.t.Fatalf("an invoice over %d is paid with %d", inv.Amount, p.Amount)
		}
	}
	switch odd := s.odd[d.hash]; {
	case !odd && (p.State == Succeeded) != (inv.State == Settled):
		s.t.Fatalf("payment %v, invoice %v", p.State, inv.State)
	case gave > owes || !odd && gave < owes:
		s.t.Fatalf("a payer gave %d msat for %d", gave, owes)
	case got > says || !odd && got < says:
		s.t.Fatalf("a payee got %d msat of %d", got, says)
	}
	return gave, got
}

// forwarded reports whether a node has sent on what it received.
func (n *simNode) forwarded(side *simSide, id uint64) bool {
	_, found := n.sentOn(HTLCKey{channelID(side.wire.n), id})
	return found
}

// sentOn is what became of the HTLC that forwards a received one.
func (n *simNode) sentOn(in HTLCKey) (out simSent, found bool) {
	for _, side := range n.saved {
		for _, e := range side.given {
			if e.add.Origin == Origin(in.bytes()) {
				return simSent{e, side.wire}, true
			}
		}
	}
	return out, false
}

// simSent is the end of an offered HTLC, and where.
type simSent struct {
	simEnd
	wire *simWire
}

// forwards returns what the LSP has earned, and what it has lost where SPEC.md lets it.
func (s *story) forwards() (fees, loss Msat) {
	lsp, told := s.nodes[simLSP], Msat(0)
	for _, side := range lsp.saved {
		for id, in := range side.taken {
			out, found := lsp.sentOn(HTLCKey{channelID(side.wire.n), id})
			switch {
			case !found:
			case in.paid && !out.paid:
				s.t.Fatalf("the LSP took %d msat and gave nothing", in.add.Amount)
			case in.paid:
				fees += in.add.Amount - out.add.Amount
			case out.paid:
				s.mayLose(side.wire, in, out)
				s.lost++
				loss += out.add.Amount
			}
			if found && out.paid && in.told {
				told += in.add.Amount - out.add.Amount
			}
		}
	}
	if told != lsp.fees {
		s.t.Fatalf("the LSP was told of %d msat in fees, and has earned %d", lsp.fees, told)
	}
	return fees, loss
}

// mayLose fails when the LSP has paid for an HTLC and was not paid for it, unless the one or
// the other was on no commitment of a channel that failed or lies on, or it could not time
// the outgoing one out, for what that is worth, until the incoming one's sender was about
// to leave: then SPEC.md 8.2 lets it lose what it has given up.
func (s *story) mayLose(from *simWire, in simEnd, out simSent) {
	s.odd[in.add.Hash] = true
	leaves := in.add.Expiry - Height(from.ewt)
	switch {
	case in.add.Amount < simDust && in.chain, out.add.Amount < simDust && out.at > in.add.Expiry:
	case s.wasDear && out.chain && out.at >= leaves-3:
	default:
		s.t.Fatalf("the LSP paid %d msat at %d and got nothing; who offered it leaves at %d, it ended at %d", out.add.Amount, out.at, leaves, in.at)
	}
}
