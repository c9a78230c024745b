package payment

import (
	"maps"
	"slices"

	"superscalar/refnode/expiry"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// forward offers a received HTLC to the next peer, or fails it.
func (r *Router) forward(in *incoming, from Link, p hopPayload, next Onion, refuse Refuse) {
	named, known := r.channels.BySCID(p.SCID)
	if !known {
		r.fail(in, failure(UnknownNextPeer))
		return
	}
	if f, ok := r.mayForward(in, from, named, p, refuse); !ok {
		r.fail(in, f)
		return
	}
	for _, to := range r.candidates(in, from, named, p) {
		id, err := r.channels.Add(to.Channel, AddHTLC{
			Origin: Origin(in.Key.bytes()), Amount: p.Amount, Hash: in.Hash, Expiry: p.Expiry, Onion: next,
		})
		if err != nil {
			continue
		}
		in.State, in.Out, in.OutAmount = htlcForwarded, HTLCKey{to.Channel, id}, p.Amount
		r.out[in.Out] = origin{forward: &in.Key}
		r.saveIncoming(in)
		return
	}
	r.fail(in, failure(TemporaryChannelFailure))
}

// mayForward checks an HTLC against what the named channel asks for, in the
// order of BOLT 4's list. Amounts below what arrived cannot overflow.
func (r *Router) mayForward(in *incoming, from, to Link, p hopPayload, refuse Refuse) (Failure, bool) {
	amount, told := u64(uint64(in.Amount)), u32(uint32(p.Expiry))
	asked, payable := fee(p.Amount, to.Policy.FeeBaseMsat, to.Policy.FeePPM)
	delta := Blocks(to.Policy.CLTVDelta)
	_, tight := r.limits().Forward(in.Expiry, p.Expiry, from.EarlyWarning, delta)
	_, late := r.limits().Received(in.Expiry, from.EarlyWarning)
	switch {
	case refuse == RefuseLimit:
		return failure(TemporaryChannelFailure), false
	case p.Amount < max(to.Policy.HTLCMinimum, to.HTLCMinimum):
		return failure(AmountBelowMinimum, u64(uint64(p.Amount))), false
	case !payable || p.Amount > in.Amount || in.Amount-p.Amount < asked:
		return failure(FeeInsufficient, amount), false
	case before(in.Expiry, p.Expiry, delta):
		return failure(IncorrectCLTVExpiry, told), false
	case tight != nil:
		return failure(IncorrectCLTVExpiry, told), false
	case refuse == RefuseExpiry, late != nil && from.InFactory, r.tooSoon(to, p.Expiry):
		return failure(ExpiryTooSoon), false
	case !before(p.Expiry, r.height, expiry.Furthest, 1):
		return failure(ExpiryTooFar), false
	}
	return Failure{}, true
}

// tooSoon reports whether an HTLC may not be offered for its expiry: PCF-099 and,
// outside a factory, this node's own margin.
func (r *Router) tooSoon(to Link, expiry Height) bool {
	if !to.InFactory {
		return before(expiry, r.height, OutsideMargin)
	}
	_, err := r.limits().Offer(expiry, to.EarlyWarning)
	return err != nil
}

// candidates are the channels that an HTLC can leave through: the named one, then
// those with the same peer, as BOLT 4's non-strict forwarding allows, the ones that can
// send most first. What goes back to the peer it came from takes the named one
// only: the peer moves money from one channel to another.
func (r *Router) candidates(in *incoming, from, named Link, p hopPayload) []Link {
	links := []Link{named}
	if named.Peer != from.Peer {
		others := slices.DeleteFunc(slices.Clone(r.channels.To(named.Peer)), func(l Link) bool {
			return l.Channel == named.Channel || r.tooSoon(l, p.Expiry) || p.Amount < l.HTLCMinimum ||
				before(in.Expiry, p.Expiry, Blocks(l.Policy.CLTVDelta), from.EarlyWarning)
		})
		links = append(links, bySize(others)...)
	}
	return slices.DeleteFunc(links, func(l Link) bool {
		return !l.Up || l.Channel == in.Key.Channel || l.CanSend < p.Amount
	})
}

// fulfilled takes in the preimage of an offered HTLC.
func (r *Router) fulfilled(e HTLCFulfilled) {
	key := HTLCKey{e.Channel, e.ID}
	o, ok := r.out[key]
	if !ok {
		return
	}
	if o.forward == nil {
		r.partFulfilled(o, e.Preimage)
		return
	}
	in := r.incoming[*o.forward]
	if in == nil { // removed meanwhile
		delete(r.out, key)
		return
	}
	if e.Preimage.Hash() != in.Hash {
		return
	}
	delete(r.out, key)
	if in.State != htlcForwarded { // given up (CHAN-040)
		return
	}
	r.fulfil(in, e.Preimage)
	r.notice(Forwarded{In: in.Key, Out: key, Fee: in.Amount - in.OutAmount})
}

// failed takes in that an offered HTLC is gone without a preimage, irrevocably.
func (r *Router) failed(e HTLCFailed) {
	key := HTLCKey{e.Channel, e.ID}
	o, ok := r.out[key]
	if !ok {
		return
	}
	delete(r.out, key)
	if o.forward == nil {
		r.partFailed(o, e)
		return
	}
	if in := r.incoming[*o.forward]; in != nil && in.State == htlcForwarded {
		r.relay(in, e)
	}
}

// giveUp fails received HTLCs whose outgoing one has no end yet when their sender is
// about to leave for the chain (CHAN-040). From the first look on that shows it, a peer
// that comes back with the preimage has until the next block. It waits for Looked: a
// block may have the preimage, and what was failed is not paid for any more. So one whose
// outgoing channel could not be looked after stays: its sender leaves for the chain at worst,
// where a preimage that comes late is worth the whole amount still.
func (r *Router) giveUp(unseen []wire.ChannelID) {
	for _, key := range slices.SortedFunc(maps.Keys(r.incoming), compareKeys) {
		in := r.incoming[key]
		from, known := r.channels.Link(key.Channel)
		if in.State != htlcForwarded || !known || from.Failed {
			continue
		}
		spare, late := r.limits().Forwarded(expiry.Lying{Expiry: in.Expiry, EarlyWarning: from.EarlyWarning, Trimmed: r.trimmed(in)})
		if late == nil && spare > 0 {
			continue
		}
		if in.asked == 0 {
			in.asked = r.height
		}
		if late != nil && in.asked < r.height && !slices.Contains(unseen, in.Out.Channel) {
			r.fail(in, failure(PermanentChannelFailure))
		}
	}
}

// trimmed reports whether an outgoing HTLC is on no commitment of a channel in a factory that
// lives on. Nobody leaves for it, so it has no end but what its peer sends: that can be the
// preimage, long after the incoming one was failed.
func (r *Router) trimmed(in *incoming) bool {
	to, known := r.channels.Link(in.Out.Channel)
	return known && to.InFactory && !to.Failed && in.OutAmount < to.Untrimmed && r.cfg.Rules.On(rule.CHAN040+"/trimmed")
}

// relay hands an error of downstream to upstream: a reason as it is, under one
// more layer (CHAN-017), everything else as this node's own.
func (r *Router) relay(in *incoming, e HTLCFailed) {
	r.failWith(in, e.Relayed(in.Secret, r.cfg.Rules))
}

// Relayed is the reason that upstream is told, with whose onion this node shares secret.
func (e HTLCFailed) Relayed(secret [32]byte, rules rule.Set) []byte {
	own := func(f Failure) []byte { return obfuscate(secret, true, f.packet()) }
	switch {
	case e.Dropped:
		return own(failure(TemporaryChannelFailure))
	case e.Malformed != nil && e.Malformed.Code&BadOnion != 0:
		return own(failure(e.Malformed.Code, e.Malformed.SHA[:]))
	case e.Malformed != nil:
		return own(failure(TemporaryChannelFailure))
	case len(e.Reason) > 0 && rules.On(rule.CHAN017):
		return obfuscate(secret, false, e.Reason)
	default:
		return own(failure(PermanentChannelFailure))
	}
}
