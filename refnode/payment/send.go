package payment

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/expiry"
	"superscalar/wire"
)

// PayRequest is an order to pay an invoice.
type PayRequest struct {
	Invoice string // BOLT 11
	// Amount in msat when the invoice names none, else 0 or the same.
	Amount Msat
	// MaxFee is the most fees in msat that all parts together may cost.
	MaxFee Msat
	// UsualFee asks for UsualMaxFee of the amount in place of MaxFee.
	UsualFee bool
	// Hints are routes to the payee that the caller knows, each from a direct
	// peer.
	Hints [][]Hop
	// Retry begins anew when an earlier payment failed. Without it the earlier
	// result is returned.
	Retry bool
}

// UsualMaxFee is what a payment may cost when nobody says how much: 1 % and 5 sat.
func UsualMaxFee(amount Msat) Msat { return amount/100 + 5000 }

var (
	// ErrExpired is an invoice whose time is over.
	ErrExpired = errors.New("invoice has expired")
	// ErrFee is a payment that costs more than the payer allows.
	ErrFee = errors.New("fees exceed what is allowed")
	// ErrTooFar is a route whose expiry is further away than nodes accept.
	ErrTooFar = errors.New("expiry is too far away")
)

// Pay pays an invoice. It is idempotent: a payment hash that is in flight or paid is
// never paid again, and its state is returned, after a restart, too. When nothing
// can be sent there is an error and no record. Errors: ErrInvoice, ErrAmount, ErrExpired,
// ErrNoRoute, ErrFee, ErrTooFar, ErrRandom, ErrDuplicate, ErrState.
func (r *Router) Pay(channels Channels, q PayRequest) (Payment, []Action, error) {
	r.channels = channels
	if err := r.ready(); err != nil {
		return Payment{}, nil, err
	}
	request, err := DecodeInvoice(q.Invoice, r.cfg.Net)
	if err != nil {
		return Payment{}, nil, err
	}
	old := r.payments[request.Hash]
	if old != nil && (old.State != Failed || !q.Retry) {
		if !sameInvoice(old.Text, q.Invoice) {
			return r.show(old), nil, fmt.Errorf("%w: by another invoice", ErrDuplicate)
		}
		return r.show(old), nil, nil
	}
	if old == nil && r.spent[request.Hash] {
		return Payment{}, nil, fmt.Errorf("%w: %v: %w", ErrDuplicate, request.Hash, errPaid)
	}
	p, err := r.newPayment(q, request)
	if err != nil {
		return Payment{}, nil, err
	}
	if old != nil {
		p.Attempts, p.Earlier = old.Attempts, old.Attempts // all of them failed
	}
	if err := r.launch(p); err != nil && p.inFlight() == 0 {
		return Payment{}, nil, err
	} else if err != nil {
		p.over(Reason{Text: err.Error()})
	}
	r.payments[p.Hash] = p
	r.savePayment(p)
	return r.show(p), r.finish(), nil
}

// newPayment checks an order.
func (r *Router) newPayment(q PayRequest, request *Bolt11) (*payment, error) {
	p := &payment{
		Hash: request.Hash, State: InFlight, Text: q.Invoice, Amount: request.Amount, MaxFee: q.MaxFee,
		Routes: encodeHints(q.Hints), Created: r.now, request: request, hints: q.Hints,
	}
	if p.Amount == 0 {
		p.Amount = q.Amount
	}
	if p.Amount == 0 || p.Amount > MaxMsat || q.Amount != 0 && q.Amount != p.Amount {
		return nil, fmt.Errorf("%w: invoice over %d msat, order over %d msat", ErrAmount, request.Amount, q.Amount)
	}
	if q.UsualFee {
		p.MaxFee = UsualMaxFee(p.Amount)
	}
	if _, err := decodeHints(p.Routes); err != nil {
		return nil, fmt.Errorf("%w: hints: %w", ErrNoRoute, err)
	}
	if r.now >= request.Expires() {
		return nil, ErrExpired
	}
	return p, nil
}

// launch sends what is missing of a payment. A channel that refuses a part is left
// out and the rest is planned anew.
func (r *Router) launch(p *payment) error {
	var excluded []wire.ChannelID
	for {
		done, fees := p.covered()
		if done >= p.Amount {
			return nil
		}
		shots, err := r.plan(p, p.Amount-done, excluded)
		if err != nil {
			return err
		}
		if err := r.checkShots(p, shots, fees); err != nil {
			return err
		}
		refused := false
		for _, s := range shots {
			if err := r.shoot(p, s); err != nil {
				if !errors.Is(err, errRefused) {
					return err
				}
				excluded, refused = append(excluded, s.link.Channel), true
				break
			}
		}
		if !refused {
			return nil
		}
	}
}

// checkShots checks fees and expiries of a plan before anything of it is sent.
func (r *Router) checkShots(p *payment, shots []shot, fees Msat) error {
	if p.Attempts-p.Earlier+uint64(len(shots)) > uint64(r.cfg.MaxAttempts) {
		return fmt.Errorf("%w: %d attempts", ErrNoRoute, p.Attempts)
	}
	for _, s := range shots {
		q, ok := s.path.price(s.amount, r.finalExpiry(p), r.limits().Padding(expiry.HopPadding))
		if !ok {
			return ErrFee
		}
		// The early warning time of the own channel does not count: nobody
		// but the direct peer sees it.
		if !before(q.expiry, r.height, expiry.Furthest, 1) {
			return fmt.Errorf("%w: block %d", ErrTooFar, q.expiry)
		}
		fees += q.amount - s.amount
	}
	if fees > p.MaxFee {
		return fmt.Errorf("%w: %d msat, not %d", ErrFee, fees, p.MaxFee)
	}
	return nil
}

// finalExpiry is the expiry that the payee is told (CHAN-016).
func (r *Router) finalExpiry(p *payment) Height {
	return r.limits().Final(p.request.FinalDelta)
}

// errRefused is a part that its channel did not take.
var errRefused = errors.New("the channel refuses the HTLC")

// shoot offers one part.
func (r *Router) shoot(p *payment, s shot) error {
	t := &part{Number: p.Attempts, State: partInFlight, Amount: s.amount, Path: encodePath(s.path)}
	session, err := r.session(t)
	if err != nil {
		return err
	}
	final := r.finalExpiry(p)
	q, ok := s.path.price(s.amount, final, r.limits().Padding(expiry.HopPadding))
	if !ok {
		return ErrFee
	}
	layers := make([]layer, 0, len(s.path)+1)
	for i, h := range s.path {
		layers = append(layers, layer{h.Node, q.payloads[i].encode()})
	}
	last := hopPayload{Amount: s.amount, Expiry: final, PaymentData: true, Secret: p.request.Secret, Total: p.Amount, Metadata: p.request.Metadata}
	onion, err := wrap(session, append(layers, layer{p.request.Payee, last.encode()}), p.Hash)
	if err != nil {
		return err
	}
	add := AddHTLC{Amount: q.amount, Hash: p.Hash, Expiry: r.limits().FirstHop(q.expiry, s.link.EarlyWarning), Onion: onion}
	copy(add.Origin[:], HTLCKey{Channel: wire.ChannelID(p.Hash), ID: t.Number}.bytes())
	id, err := r.channels.Add(s.link.Channel, add)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	t.HTLC, t.Sent = HTLCKey{s.link.Channel, id}, q.amount
	p.Attempts++
	p.parts = append(p.parts, t)
	r.out[t.HTLC] = origin{payment: p.Hash, part: t.Number}
	r.savePart(p, t)
	return nil
}

// session draws the session key of an onion.
func (r *Router) session(t *part) (*btcec.PrivateKey, error) {
	for {
		if err := r.random(t.Session[:]); err != nil {
			return nil, err
		}
		var k btcec.ModNScalar
		if overflow := k.SetByteSlice(t.Session[:]); !overflow && !k.IsZero() {
			return btcec.PrivKeyFromScalar(&k), nil
		}
	}
}
