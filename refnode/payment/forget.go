package payment

import (
	"cmp"
	"errors"
	"slices"
)

// What is over is kept for people to look at, and then forgotten: else a router would
// grow with every payment, in memory and on the disk. An invoice or a payment may go
// when all of this holds:
//
//   - it has ended, HistoryTime ago or longer: that is more than any HTLC lasts;
//   - it is not one of the History that ended last;
//   - no HTLC of its hash is there: none that was received, no part in flight. A part
//     has failed only when its HTLC is buried or irrevocably removed.
//
// An HTLC for an invoice that was forgotten is one for an unknown hash, and fails like
// it. What may not be forgotten with the record is that a hash was paid: its preimage
// is known to others, and a second payment would be anybody's. So the hash of a payment
// that succeeded, and of a settled invoice whose preimage the caller chose, stays:
// neither is paid or invoiced again. A random preimage does not come twice.

// Bounds of what is kept.
const (
	// DefaultHistory is how many invoices, and how many payments, that are over are
	// kept at least.
	DefaultHistory = 1000
	// DefaultHistoryTime is how long each is kept at least, in seconds: two weeks, the
	// 2,016 blocks that an HTLC may last.
	DefaultHistoryTime = 14 * 24 * 3600
	// maxSpent is the most hashes that are kept. With so many, the records of others
	// that were paid stay.
	maxSpent = 1 << 20
	// maxForgotten is how many invoices, and how many payments, one step forgets at most.
	maxForgotten = 1000
)

// errPaid is an order to pay, or to invoice, a hash that was paid before and whose
// record is gone.
var errPaid = errors.New("it was paid, and its record is forgotten")

// over is an invoice or payment that has ended.
type over struct {
	hash Hash
	at   UnixTime
}

// oldest are those of a list that are over for so long that they may be forgotten, the
// oldest first, without those that ended last.
func (r *Router) oldest(all []over) []over {
	if len(all) <= r.cfg.History {
		return nil
	}
	slices.SortFunc(all, func(a, b over) int {
		return cmp.Or(cmp.Compare(a.at, b.at), slices.Compare(a.hash[:], b.hash[:]))
	})
	all = all[:min(len(all)-r.cfg.History, maxForgotten)]
	young := slices.IndexFunc(all, func(o over) bool { return r.now < o.at || r.now-o.at < UnixTime(r.cfg.HistoryTime) })
	if young >= 0 {
		all = all[:young]
	}
	return all
}

// forgetInvoices drops the records of invoices that may go.
func (r *Router) forgetInvoices() {
	if len(r.invoices)-len(r.open) <= r.cfg.History {
		return
	}
	received := map[Hash]bool{}
	for _, in := range r.incoming {
		received[in.Hash] = true
	}
	var all []over
	for hash, inv := range r.invoices {
		room := inv.State != Settled || !inv.Chosen || len(r.spent) < maxSpent
		if inv.State != Open && !received[hash] && room {
			all = append(all, over{hash, cmp.Or(inv.Ended, inv.Expires)})
		}
	}
	for _, o := range r.oldest(all) {
		if inv := r.invoices[o.hash]; inv.State == Settled && inv.Chosen && !r.spend(o.hash) {
			continue
		}
		delete(r.invoices, o.hash)
		r.change(invoiceKey(o.hash), nil)
	}
}

// forgetPayments drops the records of payments that may go. Their parts are gone.
func (r *Router) forgetPayments() {
	if len(r.payments) <= r.cfg.History {
		return
	}
	var all []over
	for hash, p := range r.payments {
		room := p.State != Succeeded || len(r.spent) < maxSpent
		if p.State != InFlight && len(p.parts) == 0 && room {
			all = append(all, over{hash, cmp.Or(p.Ended, p.Created)})
		}
	}
	for _, o := range r.oldest(all) {
		if r.payments[o.hash].State == Succeeded && !r.spend(o.hash) {
			continue
		}
		delete(r.payments, o.hash)
		r.change(paymentKey(o.hash), nil)
	}
}

// spend keeps the hash of what was paid; false when there is no room.
func (r *Router) spend(hash Hash) bool {
	if r.spent[hash] {
		return true
	}
	if len(r.spent) >= maxSpent {
		return false
	}
	r.spent[hash] = true
	r.change(spentKey(hash), encodeFields(nil))
	return true
}
