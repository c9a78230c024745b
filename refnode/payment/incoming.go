package payment

import (
	"crypto/sha256"
	"maps"
	"slices"

	"superscalar/refnode/expiry"
	"superscalar/wire/rule"
)

// htlcState is what became of a received HTLC.
type htlcState uint8

const (
	htlcHeld      htlcState = 1 + iota // a part that waits for the others
	htlcForwarded                      // its outgoing HTLC is in flight
	htlcFulfilled                      // its preimage was given to the channel
	htlcFailed                         // its reason was given to the channel
	htlcMalformed                      // the same, for an onion that could not be read
)

// incoming is the record of a received HTLC, from its first announcement until
// it is removed. With it, announcing an HTLC again changes nothing.
type incoming struct {
	Key    HTLCKey
	Amount Msat
	Hash   Hash
	Expiry Height
	Secret [32]byte // shared with the payer: encrypts a reason
	State  htlcState

	// Held.
	Part     Msat // amt_to_forward, what counts for the set
	Total    Msat // total_msat
	Deadline UnixTime

	// Forwarded.
	Out       HTLCKey
	OutAmount Msat
	// asked is the height at which this process first found that the outgoing HTLC
	// should be over, 0: it has not. It is not stored.
	asked Height

	// Fulfilled.
	Preimage Preimage

	// Failed.
	Reason []byte

	// Malformed.
	SHA  [32]byte
	Code Code
}

// seenOnion says which HTLC an onion belongs to, and until which height it is
// remembered.
type seenOnion struct {
	Key   HTLCKey
	Until Height
}

// received decides about a received HTLC, once.
func (r *Router) received(e HTLCReceived) {
	key := HTLCKey{e.Channel, e.ID}
	if in := r.incoming[key]; in != nil {
		r.resolve(in)
		return
	}
	in := &incoming{Key: key, Amount: e.Amount, Hash: e.Hash, Expiry: e.Expiry}
	r.incoming[key] = in
	if e.PathKey != nil {
		r.malformed(in, InvalidOnionBlinding, e.Onion)
		return
	}
	p, err := peel(r.cfg.Key, e.Onion, e.Hash)
	in.Secret = p.secret
	if bad, ok := err.(*badOnion); ok {
		r.malformed(in, bad.code, e.Onion)
		return
	}
	if !r.first(in) {
		r.malformed(in, InvalidOnionHMAC, e.Onion)
		return
	}
	if err != nil {
		r.fail(in, badPayload(0))
		return
	}
	r.opened(e, in, p)
}

// first reports whether the onion of in is new, and remembers it. The shared
// secret stands for the onion: its HMAC is computed with it, and a payer that
// reuses a session key gives itself away. BOLT 4 says that a repetition is
// failed and not with which code; like an onion with a wrong HMAC it is not
// processed, so it gets that code.
func (r *Router) first(in *incoming) bool {
	id := sha256.Sum256(in.Secret[:])
	if s, ok := r.seen[id]; ok {
		return s.Key == in.Key
	}
	// The payload names an expiry that is not above this one; what is further
	// away than twice the limit is refused whenever it comes.
	until := min(uint64(in.Expiry), uint64(r.height)+2*uint64(expiry.Furthest))
	r.seen[id] = seenOnion{Key: in.Key, Until: Height(until)}
	r.saveSeen(id)
	return true
}

// opened goes on with an HTLC whose onion is read.
func (r *Router) opened(e HTLCReceived, in *incoming, p peeled) {
	link, known := r.channels.Link(e.Channel)
	if !known || r.height == 0 {
		// Without the early warning time or the height nothing can be judged.
		r.fail(in, failure(TemporaryNodeFailure))
		return
	}
	pay, err := parsePayload(p.payload, p.final)
	if bad, ok := err.(*payloadError); ok {
		r.fail(in, badPayload(bad.Type))
		return
	}
	switch {
	case pay.Blinded:
		sha := shaOfOnion(e.Onion)
		r.fail(in, failure(InvalidOnionBlinding, sha[:]))
	case p.final:
		r.receive(in, link, pay, e.Refuse)
	case !r.cfg.Forward && r.cfg.Rules.On(rule.CHAN013):
		r.fail(in, failure(UnknownNextPeer))
	default:
		r.forward(in, link, pay, p.next, e.Refuse)
	}
}

// resolve repeats the decision about an HTLC, if there is one. What the channel
// answers does not matter: one that has the HTLC takes the command, and one
// that has not needs it no more.
func (r *Router) resolve(in *incoming) {
	switch in.State {
	case htlcFulfilled:
		_ = r.channels.Fulfil(in.Key.Channel, in.Key.ID, in.Preimage, in.Out != HTLCKey{})
	case htlcFailed:
		_ = r.channels.Fail(in.Key.Channel, in.Key.ID, in.Reason)
	case htlcMalformed:
		_ = r.channels.FailMalformed(in.Key.Channel, in.Key.ID, in.SHA, in.Code)
	}
}

// fulfil gives the preimage of an HTLC to its channel.
func (r *Router) fulfil(in *incoming, p Preimage) {
	in.State, in.Preimage = htlcFulfilled, p
	r.saveIncoming(in)
	r.resolve(in)
}

// fail refuses an HTLC with an error of this node.
func (r *Router) fail(in *incoming, f Failure) {
	r.failWith(in, obfuscate(in.Secret, true, f.packet()))
}

// failWith fails an HTLC with an encrypted reason.
func (r *Router) failWith(in *incoming, reason []byte) {
	in.State, in.Reason = htlcFailed, reason
	r.saveIncoming(in)
	r.resolve(in)
}

// malformed fails an HTLC whose onion this node could not read.
func (r *Router) malformed(in *incoming, c Code, o Onion) {
	in.State, in.Code, in.SHA = htlcMalformed, c, shaOfOnion(o)
	r.saveIncoming(in)
	r.resolve(in)
}

// removed forgets a received HTLC.
func (r *Router) removed(e HTLCRemoved) {
	if in := r.incoming[HTLCKey(e)]; in != nil {
		r.drop(in)
	}
}

func (r *Router) drop(in *incoming) {
	r.release(in)
	delete(r.incoming, in.Key)
	r.change(incomingKey(in.Key), nil)
}

// forget drops the onions that cannot come again, and HTLCs that were resolved
// so long ago that their channel must have removed them.
func (r *Router) forget() {
	for _, id := range slices.SortedFunc(maps.Keys(r.seen), compareIDs) {
		if r.seen[id].Until < r.height {
			delete(r.seen, id)
			r.change(seenKey(id), nil)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.incoming), compareKeys) {
		in := r.incoming[key]
		if resolved := in.State != htlcHeld && in.State != htlcForwarded; resolved && before(in.Expiry, r.height) && !before(r.height, in.Expiry, expiry.Furthest) {
			r.drop(in)
		}
	}
}

func compareIDs(a, b [32]byte) int { return slices.Compare(a[:], b[:]) }
