package payment

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// InvoiceState is what became of an invoice.
type InvoiceState uint8

// The states of an invoice. All but the first are final.
const (
	Open InvoiceState = 1 + iota
	Settled
	Cancelled
	Expired
)

// String names the state.
func (s InvoiceState) String() string {
	switch s {
	case Open:
		return "open"
	case Settled:
		return "settled"
	case Cancelled:
		return "cancelled"
	case Expired:
		return "expired"
	}
	return "unknown"
}

// invoice is the record of an invoice of this node.
type invoice struct {
	Hash     Hash
	State    InvoiceState
	Preimage Preimage
	Secret   [32]byte // payment_secret
	Amount   Msat     // 0: any
	Created  UnixTime
	Expires  UnixTime
	Ended    UnixTime // 0: open, or ended before this was written down
	Chosen   bool     // the caller chose the preimage
	// FinalDelta is what the invoice asks for in blocks, early warning time
	// included.
	FinalDelta Blocks
	Received   Msat
	Text       string // the payment request
}

// Invoice is what can be seen of an invoice of this node.
type Invoice struct {
	Hash     Hash
	State    InvoiceState
	Request  string   // BOLT 11
	Amount   Msat     // msat asked for, 0: any
	Received Msat     // msat received once settled
	Held     Msat     // msat of parts that wait for others
	Preimage Preimage // secret until it is settled
	Created  UnixTime
	Expires  UnixTime
}

// InvoiceRequest is what an invoice shall say.
type InvoiceRequest struct {
	Amount          Msat   // msat; 0: the payer chooses
	Description     string // or
	DescriptionHash *[32]byte
	Expiry          int64     // seconds; 0: DefaultExpiry
	Preimage        *Preimage // nil: random
}

var (
	// ErrDuplicate is an invoice or payment whose hash is in use.
	ErrDuplicate = errors.New("payment hash is in use")
	// ErrUnknown is a payment hash this node knows nothing about.
	ErrUnknown = errors.New("unknown payment hash")
	// ErrState is an order that the state of its object does not allow.
	ErrState = errors.New("not possible in this state")
	// ErrAmount is an amount outside its bounds.
	ErrAmount = errors.New("amount is not possible")
	// ErrRandom is a source of randomness that failed.
	ErrRandom = errors.New("no randomness")
)

// maxHints is the most route hints an invoice carries: the channels that can
// receive most.
const maxHints = 4

// Invoice makes an invoice. The actions belong into a transaction before anybody
// sees it. Errors: ErrAmount, ErrDuplicate, ErrRandom, expiry.ErrEarlyWarning, ErrInvoice, ErrState.
func (r *Router) Invoice(channels Channels, q InvoiceRequest) (Invoice, []Action, error) {
	r.channels = channels
	if err := r.ready(); err != nil {
		return Invoice{}, nil, err
	}
	if q.Amount > MaxMsat {
		return Invoice{}, nil, fmt.Errorf("%w: %d msat", ErrAmount, q.Amount)
	}
	if q.Expiry < 0 || q.Expiry > maxInvoiceExpiry {
		return Invoice{}, nil, badInvoice("expiry of %d seconds", q.Expiry)
	}
	links := receivers(channels.All())
	delta, err := r.finalDelta(links)
	if err != nil {
		return Invoice{}, nil, err
	}
	inv := &invoice{State: Open, Amount: q.Amount, Created: r.now, FinalDelta: delta}
	if q.Preimage != nil {
		inv.Preimage, inv.Chosen = *q.Preimage, true
	} else if err := r.random(inv.Preimage[:]); err != nil {
		return Invoice{}, nil, err
	}
	if err := r.random(inv.Secret[:]); err != nil {
		return Invoice{}, nil, err
	}
	inv.Hash = inv.Preimage.Hash()
	if r.spent[inv.Hash] {
		return Invoice{}, nil, fmt.Errorf("%w: %v: %w", ErrDuplicate, inv.Hash, errPaid)
	}
	if r.invoices[inv.Hash] != nil {
		return Invoice{}, nil, fmt.Errorf("%w: %v", ErrDuplicate, inv.Hash)
	}
	expiry := cmp.Or(q.Expiry, DefaultExpiry)
	inv.Expires = r.now + UnixTime(expiry)
	request := Bolt11{
		Hash: inv.Hash, Amount: q.Amount, Secret: inv.Secret, Description: q.Description, DescriptionHash: q.DescriptionHash,
		Timestamp: r.now, Expiry: expiry, FinalDelta: delta, MPP: true, Hints: hints(links),
	}
	if inv.Text, err = request.Encode(r.cfg.Net, r.cfg.Key); err != nil {
		return Invoice{}, nil, err
	}
	r.invoices[inv.Hash], r.open[inv.Hash] = inv, inv
	r.saveInvoice(inv)
	return r.view(inv), r.finish(), nil
}

// receivers are the channels that can receive, the largest first.
func receivers(all []Link) []Link {
	can := slices.DeleteFunc(slices.Clone(all), func(l Link) bool { return !l.Receives || l.CanReceive == 0 })
	slices.SortStableFunc(can, func(a, b Link) int {
		return cmp.Or(cmp.Compare(b.CanReceive, a.CanReceive), slices.Compare(a.Channel[:], b.Channel[:]))
	})
	return can
}

// finalDelta is the min_final_cltv_expiry_delta of an invoice over channels.
func (r *Router) finalDelta(links []Link) (Blocks, error) {
	var highest Blocks
	for _, l := range links {
		highest = max(highest, l.EarlyWarning)
	}
	return r.limits().FinalDelta(r.cfg.FinalDelta, highest)
}

// hints are the route hints of an invoice: one hop from the peer over the alias
// that the peer gave us.
func hints(links []Link) [][]Hop {
	var out [][]Hop
	for _, l := range links {
		if l.HintSCID == 0 || !l.PeerPolicy.Known || len(out) == maxHints {
			continue
		}
		p := l.PeerPolicy
		out = append(out, []Hop{{Node: l.Peer, SCID: l.HintSCID, FeeBaseMsat: p.FeeBaseMsat, FeePPM: p.FeePPM, CLTVDelta: p.CLTVDelta}})
	}
	return out
}

// Cancel ends an open invoice and fails the parts that arrived. Errors:
// ErrUnknown, ErrState.
func (r *Router) Cancel(channels Channels, hash Hash) ([]Action, error) {
	r.channels = channels
	inv := r.invoices[hash]
	if inv == nil {
		return nil, fmt.Errorf("%w: %v", ErrUnknown, hash)
	}
	if inv.State != Open {
		return nil, fmt.Errorf("%w: the invoice is %v", ErrState, inv.State)
	}
	r.endInvoice(inv, Cancelled)
	return r.finish(), nil
}

// endInvoice ends an invoice without a payment.
func (r *Router) endInvoice(inv *invoice, s InvoiceState) {
	inv.State, inv.Ended = s, r.now
	delete(r.open, inv.Hash)
	r.saveInvoice(inv)
	r.failSet(inv.Hash, r.wrongDetails)
}

// InvoiceByHash returns an invoice of this node.
func (r *Router) InvoiceByHash(hash Hash) (Invoice, bool) {
	inv := r.invoices[hash]
	if inv == nil {
		return Invoice{}, false
	}
	return r.view(inv), true
}

// Invoices returns every invoice, oldest first.
func (r *Router) Invoices() []Invoice {
	var all []Invoice
	for _, hash := range sortedHashes(r.invoices) {
		all = append(all, r.view(r.invoices[hash]))
	}
	slices.SortStableFunc(all, func(a, b Invoice) int { return cmp.Compare(a.Created, b.Created) })
	return all
}

func (r *Router) view(inv *invoice) Invoice {
	v := Invoice{
		Hash: inv.Hash, State: inv.State, Request: inv.Text, Amount: inv.Amount, Received: inv.Received,
		Preimage: inv.Preimage, Created: inv.Created, Expires: inv.Expires,
	}
	for _, key := range r.sets[inv.Hash] {
		v.Held += r.incoming[key].Part
	}
	return v
}

// ready fails before the first Block and Tick: neither an invoice nor a payment
// can be made without height and time.
func (r *Router) ready() error {
	if r.height == 0 || r.now == 0 {
		return fmt.Errorf("%w: no block or no time yet", ErrState)
	}
	return nil
}

// random fills b.
func (r *Router) random(b []byte) error {
	if _, err := io.ReadFull(r.cfg.Rand, b); err != nil {
		return fmt.Errorf("%w: %w", ErrRandom, err)
	}
	return nil
}
