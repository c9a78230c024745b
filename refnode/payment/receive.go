package payment

import "slices"

// receive judges an HTLC that ends here, in the order in which BOLT 4 lists
// failures, but for what says that the last hop changed the HTLC: that comes
// before the expiry, since it names the guilty one.
func (r *Router) receive(in *incoming, link Link, p hopPayload, refuse Refuse) {
	inv := r.invoices[in.Hash]
	_, late := r.limits().Received(in.Expiry, link.EarlyWarning)
	switch {
	case refuse == RefuseLimit:
		r.fail(in, failure(TemporaryNodeFailure))
	case !r.accepts(inv, p):
		r.fail(in, r.wrongDetails(in))
	case in.Expiry < p.Expiry:
		r.fail(in, failure(FinalIncorrectCLTV, u32(uint32(in.Expiry))))
	case in.Amount < p.Amount:
		r.fail(in, failure(FinalIncorrectAmount, u64(uint64(in.Amount))))
	case before(in.Expiry, r.height, inv.FinalDelta), refuse == RefuseExpiry, late != nil:
		r.fail(in, r.wrongDetails(in))
	default:
		r.hold(in, inv, p)
	}
}

// accepts reports whether a payload pays an open invoice: the right secret, and
// a total between its amount and twice that.
func (r *Router) accepts(inv *invoice, p hopPayload) bool {
	if inv == nil || inv.State != Open || r.now >= inv.Expires || !p.PaymentData || p.Secret != inv.Secret || p.Total == 0 || p.Total > MaxMsat {
		return false
	}
	return inv.Amount == 0 || p.Total >= inv.Amount && p.Total <= 2*inv.Amount
}

// wrongDetails is the failure that tells a prober nothing.
func (r *Router) wrongDetails(in *incoming) Failure {
	return failure(IncorrectDetails, u64(uint64(in.Amount)), u32(uint32(r.height)))
}

// hold adds a part to its set, and settles the invoice when that is complete.
func (r *Router) hold(in *incoming, inv *invoice, p hopPayload) {
	in.State, in.Part, in.Total = htlcHeld, p.Amount, p.Total
	in.Deadline = r.now + UnixTime(r.cfg.MPPTimeout)
	r.keep(in)
	r.saveIncoming(in)
	var sum Msat
	for _, key := range r.sets[in.Hash] {
		part := r.incoming[key]
		if part.Total != in.Total {
			r.failSet(in.Hash, r.wrongDetails)
			return
		}
		sum += part.Part // each is at most what a channel holds
	}
	switch {
	case sum < in.Total:
	case r.late(r.sets[in.Hash]):
		r.failSet(in.Hash, r.wrongDetails)
	default:
		r.settle(inv)
	}
}

// settle releases the preimage for every part of a complete set.
func (r *Router) settle(inv *invoice) {
	var received Msat
	for _, key := range slices.Clone(r.sets[inv.Hash]) {
		part := r.incoming[key]
		received += part.Amount
		r.release(part)
		r.fulfil(part, inv.Preimage)
	}
	inv.State, inv.Received, inv.Ended = Settled, received, r.now
	delete(r.open, inv.Hash)
	r.saveInvoice(inv)
	r.notice(InvoiceSettled{Hash: inv.Hash, Amount: received})
}

// failSet fails every part of a set.
func (r *Router) failSet(hash Hash, why func(*incoming) Failure) {
	for _, key := range slices.Clone(r.sets[hash]) {
		part := r.incoming[key]
		r.release(part)
		r.fail(part, why(part))
	}
}

// late reports whether one of the parts is so close to its expiry that its
// preimage may not be released (PCF-094), or cannot be judged.
func (r *Router) late(parts []HTLCKey) bool {
	return slices.ContainsFunc(parts, func(key HTLCKey) bool {
		link, known := r.channels.Link(key.Channel)
		_, err := r.limits().Release(r.incoming[key].Expiry, link.EarlyWarning)
		return !known || err != nil
	})
}

// setDeadline is when an incomplete set fails: some time after its first part.
func (r *Router) setDeadline(hash Hash) UnixTime {
	var first UnixTime
	for i, key := range r.sets[hash] {
		if d := r.incoming[key].Deadline; i == 0 || d < first {
			first = d
		}
	}
	return first
}

// keep puts a held part into its set, release takes it out. Sets are in the
// order of their keys: after a restart they are the same.
func (r *Router) keep(in *incoming) {
	set := append(r.sets[in.Hash], in.Key)
	slices.SortFunc(set, compareKeys)
	r.sets[in.Hash] = set
}

func (r *Router) release(in *incoming) {
	set := slices.DeleteFunc(r.sets[in.Hash], func(k HTLCKey) bool { return k == in.Key })
	if len(set) == 0 {
		delete(r.sets, in.Hash)
		return
	}
	r.sets[in.Hash] = set
}
