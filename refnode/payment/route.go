package payment

import (
	"cmp"
	"slices"

	"superscalar/wire"
)

// path is how a payment gets from a direct peer to the payee: the hops that
// forward it. With none the payee is the peer.
type path []Hop

// first is the peer that a path begins with.
func (p path) first(payee wire.Point) wire.Point {
	if len(p) == 0 {
		return payee
	}
	return p[0].Node
}

// maxHops is the most nodes that forward in one path.
const maxHops = 8

// paths lists the ways to a payee in the order in which they are preferred: the
// payee as a peer, then the hints, in their order. A hint that begins at this
// node describes the channel to its next node: the rest of it is the path.
func (r *Router) paths(payee wire.Point, hints [][]Hop) []path {
	var all []path
	if payee != r.self {
		all = append(all, path{})
	}
	for _, hint := range hints {
		p := path(hint)
		if len(p) > 1 && p[0].Node == r.self {
			p = p[1:]
		}
		if len(p) == 0 || len(p) > maxHops || slices.ContainsFunc(p, func(h Hop) bool { return h.Node == r.self || h.SCID == 0 }) {
			continue
		}
		if !slices.ContainsFunc(all, func(q path) bool { return slices.Equal(p, q) }) {
			all = append(all, p)
		}
	}
	return all
}

// quote is what a path asks for a payment: what to offer to the first peer, and
// what each node is told.
type quote struct {
	amount   Msat
	expiry   Height
	payloads []hopPayload // for each forwarding hop; the payee's is not here
}

// price computes backwards, from what the payee gets, what a path asks, with
// padding blocks more at each hop (CHAN-016). False when it asks for more than
// there is.
func (p path) price(amount Msat, expiry Height, padding Blocks) (quote, bool) {
	q := quote{amount: amount, expiry: expiry, payloads: make([]hopPayload, len(p))}
	for i := len(p) - 1; i >= 0; i-- {
		q.payloads[i] = hopPayload{Amount: q.amount, Expiry: q.expiry, SCID: p[i].SCID}
		f, ok := fee(q.amount, p[i].FeeBaseMsat, p[i].FeePPM)
		if !ok || q.amount+f > MaxMsat {
			return quote{}, false
		}
		q.amount += f
		q.expiry += Height(p[i].CLTVDelta) + Height(padding)
	}
	return q, true
}

// most is the largest amount that reaches the payee when no more than limit is
// offered and no more than want is asked for.
func (p path) most(limit, want Msat) Msat {
	low, high := Msat(0), min(limit, want)
	for low < high {
		mid := low + (high-low+1)/2
		if q, ok := p.price(mid, 0, 0); ok && q.amount <= limit {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// bySize orders channels: those that can send most first, then by id.
func bySize(links []Link) []Link {
	out := slices.Clone(links)
	slices.SortStableFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(b.CanSend, a.CanSend), slices.Compare(a.Channel[:], b.Channel[:]))
	})
	return out
}
