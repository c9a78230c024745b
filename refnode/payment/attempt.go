package payment

import (
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/wire"
)

// over says that no more parts are sent. The first reason stays.
func (p *payment) over(why Reason) {
	if !p.Over {
		p.Over, p.Reason = true, why
	}
}

// find returns the payment and the part of an offered HTLC.
func (r *Router) find(o origin) (*payment, *part) {
	p := r.payments[o.payment]
	if p == nil {
		return nil, nil
	}
	i := slices.IndexFunc(p.parts, func(t *part) bool { return t.Number == o.part })
	if i < 0 {
		return p, nil
	}
	return p, p.parts[i]
}

// partFulfilled takes in the preimage for a part: the payment is paid, whatever
// becomes of the other parts.
func (r *Router) partFulfilled(o origin, pre Preimage) {
	p, t := r.find(o)
	if t == nil || t.State != partInFlight || pre.Hash() != p.Hash {
		return
	}
	delete(r.out, t.HTLC)
	t.State = partPaid
	p.Fee += t.Sent - t.Amount
	if p.State != Succeeded {
		p.State, p.Preimage, p.Reason = Succeeded, pre, Reason{}
		r.notice(PaymentSucceeded{Hash: p.Hash, Preimage: pre})
	}
	r.savePart(p, t)
	r.settlePayment(p)
}

// partFailed takes in that a part is gone. What it carried is sent again over
// what is left, unless the payee refused, or the payment is paid or over.
func (r *Router) partFailed(o origin, e HTLCFailed) {
	p, t := r.find(o)
	if t == nil || t.State != partInFlight {
		return
	}
	t.State = partFailed
	why := r.blame(p, t, e)
	r.savePart(p, t)
	if p.State == InFlight && !p.Over {
		r.again(p, t, why)
	}
	r.settlePayment(p)
}

// again sends what a failed part carried, or gives up.
func (r *Router) again(p *payment, t *part, why Reason) {
	request, err := r.request(p)
	switch {
	case err != nil:
		p.over(Reason{Text: err.Error()})
	case int(t.From) == 1+len(t.Path)/hopSize && t.Code&Perm != 0, r.now >= request.Expires():
		p.over(why)
	default:
		if err := r.launch(p); err != nil {
			if why.Code == 0 {
				why.Text += ": " + err.Error()
			}
			p.over(why)
		}
	}
}

// request reads the invoice of a payment that was loaded.
func (r *Router) request(p *payment) (*Bolt11, error) {
	if p.request != nil {
		return p.request, nil
	}
	request, err := DecodeInvoice(p.Text, r.cfg.Net)
	if err != nil {
		return nil, err
	}
	hints, err := decodeHints(p.Routes)
	if err != nil {
		return nil, err
	}
	p.request, p.hints = request, hints
	return request, nil
}

// blame finds out where a part failed, and notes it.
func (r *Router) blame(p *payment, t *part, e HTLCFailed) Reason {
	request, err := r.request(p)
	way, pathErr := decodePath(t.Path)
	switch {
	case err != nil || pathErr != nil:
		return Reason{Text: "the record of the payment cannot be read"}
	case e.Dropped:
		t.Blameless = true
		return Reason{Text: "the peer went away"}
	case e.Malformed != nil:
		// The peer could not read the onion, and who it is from is no question.
		t.Code = e.Malformed.Code
		return Reason{Code: t.Code, From: way.first(request.Payee)}
	case len(e.Reason) == 0:
		return Reason{Text: "the HTLC timed out on the chain"}
	}
	nodes := make([]wire.Point, 0, len(way)+1)
	for _, h := range way {
		nodes = append(nodes, h.Node)
	}
	nodes = append(nodes, request.Payee)
	session, _ := btcec.PrivKeyFromBytes(t.Session[:])
	from, f, err := unwrapFailure(session, nodes, e.Reason)
	if err != nil {
		return Reason{Text: "the failure cannot be read"}
	}
	t.From, t.Code = uint64(from)+1, f.Code
	return Reason{Code: f.Code, From: nodes[from]}
}

// settlePayment notes what became of a payment, and drops parts of one that has
// ended.
func (r *Router) settlePayment(p *payment) {
	if p.State == InFlight && p.Over && p.inFlight() == 0 {
		p.State = Failed
		r.notice(PaymentFailed{Hash: p.Hash, Reason: p.Reason})
	}
	if p.State != InFlight {
		p.parts = slices.DeleteFunc(p.parts, func(t *part) bool {
			if t.State == partInFlight {
				return false
			}
			r.change(partKey(p.Hash, t.Number), nil)
			return true
		})
		if len(p.parts) == 0 && p.Ended == 0 {
			p.Ended = r.now
		}
	}
	r.savePayment(p)
}
