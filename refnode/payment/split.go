package payment

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/wire"
)

// shot is one part of a plan: an amount for the payee, over a channel and a
// path.
type shot struct {
	link   Link
	path   path
	amount Msat
}

// lane is a channel with a path, and how much one part may bring the payee over
// it: less than what failed there before.
type lane struct {
	link  int // of the plan's links
	path  path
	limit Msat
}

// ErrNoRoute is a payment for which there is no way, or none that can carry it.
var ErrNoRoute = errors.New("no route to the payee")

// ErrNoHint is ErrNoRoute of an invoice without route hints whose payee is no peer:
// there is no gossip, so nothing says who leads there, not even when payee and payer
// have the same LSP.
var ErrNoHint = fmt.Errorf("%w: the invoice has no route hint, and the payee is no peer of this node: "+
	"ask the payee for an invoice with a hint, or name in the order a channel that leads there from a peer", ErrNoRoute)

// noWay says why there is no lane at all.
func (r *Router) noWay(p *payment) error {
	peers := slices.ContainsFunc(r.paths(p.request.Payee, p.routes()), func(way path) bool {
		return len(r.channels.To(way.first(p.request.Payee))) > 0
	})
	switch {
	case len(r.channels.All()) == 0:
		return fmt.Errorf("%w: this node has no channel", ErrNoRoute)
	case !peers && len(p.routes()) == 0:
		return ErrNoHint
	case !peers:
		return fmt.Errorf("%w: no route hint begins at a peer of this node", ErrNoRoute)
	default:
		return fmt.Errorf("%w: each channel that leads there is down, refuses, or has failed", ErrNoRoute)
	}
}

// plan splits what is missing of a payment over channels and paths: fewest
// parts first, the largest first. The same channels and the same history give the
// same plan. Excluded channels refused an HTLC in this step.
func (r *Router) plan(p *payment, missing Msat, excluded []wire.ChannelID) ([]shot, error) {
	links, lanes := r.lanes(p, excluded)
	if len(lanes) == 0 {
		return nil, r.noWay(p)
	}
	room := make([]Msat, len(links))
	for i, l := range links {
		room[i] = l.CanSend
	}
	parts := r.cfg.MaxParts - p.inFlight()
	if !p.request.MPP {
		parts = min(parts, 1)
	}
	var shots []shot
	for ; missing > 0; parts-- {
		if parts <= 0 {
			return nil, fmt.Errorf("%w: too many parts", ErrNoRoute)
		}
		best, amount := -1, Msat(0)
		for i, l := range lanes {
			if most := l.path.most(room[l.link], min(missing, l.limit)); most > amount && carries(links[l.link], l.path, most) {
				best, amount = i, most
			}
		}
		if best < 0 {
			return nil, fmt.Errorf("%w: %d msat do not fit", ErrNoRoute, missing)
		}
		l := lanes[best]
		amount = leaveEnough(amount, missing, links)
		q, ok := l.path.price(amount, 0, 0)
		if !ok || !carries(links[l.link], l.path, amount) {
			return nil, fmt.Errorf("%w: %d msat cannot be split", ErrNoRoute, missing)
		}
		room[l.link] -= q.amount
		missing -= amount
		shots = append(shots, shot{link: links[l.link], path: l.path, amount: amount})
	}
	return shots, nil
}

// carries reports whether the HTLC for an amount is not too small for its channel.
func carries(l Link, p path, amount Msat) bool {
	q, ok := p.price(amount, 0, 0)
	return ok && q.amount >= l.HTLCMinimum
}

// leaveEnough makes a part smaller when what it leaves would be too small for
// every channel.
func leaveEnough(amount, missing Msat, links []Link) Msat {
	least := Msat(1)
	for _, l := range links {
		least = max(least, l.HTLCMinimum)
	}
	if rest := missing - amount; rest > 0 && rest < least && amount > least-rest {
		return amount - (least - rest)
	}
	return amount
}

// lanes lists every channel with every path that begins at its peer and has not
// failed for good.
func (r *Router) lanes(p *payment, excluded []wire.ChannelID) (links []Link, lanes []lane) {
	for _, way := range r.paths(p.request.Payee, p.routes()) {
		for _, l := range bySize(r.channels.To(way.first(p.request.Payee))) {
			// A path back to this node over the channel it came from leads nowhere.
			circle := slices.ContainsFunc(way, func(h Hop) bool { return h.SCID == l.HintSCID })
			limit := p.limit(l, way)
			if !l.Up || circle || limit == 0 || slices.Contains(excluded, l.Channel) {
				continue
			}
			i := slices.IndexFunc(links, func(k Link) bool { return k.Channel == l.Channel })
			if i < 0 {
				i, links = len(links), append(links, l)
			}
			lanes = append(lanes, lane{link: i, path: way, limit: limit})
		}
	}
	return links, lanes
}
