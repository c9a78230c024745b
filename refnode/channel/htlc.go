package channel

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Refused is the error of a command that would break a rule. Nothing was done.
type Refused struct{ Reason string }

func (r *Refused) Error() string { return r.Reason }

// ErrUnknownHTLC is the error of a removal of an HTLC that is not there: it
// was never committed, or its removal is complete.
var ErrUnknownHTLC = errors.New("no such HTLC on this channel")

// AddHTLC is an HTLC that the router wants to offer.
type AddHTLC struct {
	Origin  Origin
	Amount  MilliSat
	Hash    [32]byte
	Expiry  Height
	Onion   []byte // 1,366 bytes
	PathKey *wire.Point
	Extra   wire.Stream // odd records of update_add_htlc
}

// Add offers an HTLC: update_add_htlc is sent, and signed by the next Commit.
// An Add with the Origin of one that is live does nothing and returns its id.
// The error is *Refused.
func (m *Machine) Add(a AddHTLC) (HTLCID, error) {
	for _, h := range m.HTLCs {
		if h.By == m.Side && h.Origin == a.Origin {
			return h.ID, nil
		}
	}
	if !m.canAdd() {
		return 0, &Refused{"the channel takes no HTLC now"}
	}
	h := &HTLC{
		By: m.Side, ID: m.NextID[m.Side], Amount: a.Amount, Hash: a.Hash, Expiry: a.Expiry, Onion: slices.Clone(a.Onion),
		PathKey: a.PathKey, Extra: a.Extra, Origin: a.Origin, Stage: proposed,
	}
	if reason := m.offerFault(h); reason != "" {
		return 0, &Refused{reason}
	}
	m.HTLCs = append(m.HTLCs, h)
	if reason := m.addedFault(h); reason != "" {
		m.HTLCs = m.HTLCs[:len(m.HTLCs)-1]
		return 0, &Refused{reason}
	}
	m.NextID[m.Side]++
	h.Order = m.order()
	m.save()
	m.send(addMessage(m.ID, h))
	return h.ID, nil
}

func (m *Machine) order() uint64 {
	m.Sequence++
	return m.Sequence
}

// offerFault is what a sender can say without looking at the channel.
func (m *Machine) offerFault(h *HTLC) string {
	if len(h.Onion) != onionSize {
		return fmt.Sprintf("an onion of %d bytes", len(h.Onion))
	}
	if _, err := (wire.Codec{}).AppendStream(nil, h.Extra); err != nil {
		return err.Error()
	}
	for _, r := range h.Extra {
		if r.Type%2 == 0 {
			return fmt.Sprintf("record %d of update_add_htlc is even and unknown", r.Type)
		}
	}
	if h.Expiry < m.deadline() && m.on(rule.PCF086) {
		return fmt.Sprintf("expires at %d, under %d (PCF-086)", h.Expiry, m.deadline())
	}
	return ""
}

// addedFault is what a sender asks of the channel with the HTLC in it: that it
// is affordable on both commitments whatever crosses it, that the opener can
// still pay when feerates double and one more HTLC comes (BOLT 2, "fee spike
// buffer"), and that trimming does not lose too much.
func (m *Machine) addedFault(h *HTLC) string {
	if reason := m.addFault(h); reason != "" {
		return reason
	}
	for owner := commitment.Opener; owner <= commitment.Accepter; owner++ {
		worst := m.worst(owner, m.topFeerate())
		if reason := m.affordFault(owner, m.Side, worst); reason != "" {
			return reason
		}
		if reason := m.feeFault(owner); reason != "" {
			return reason
		}
	}
	if m.exposureFault(h) {
		return "more dust than this node bears"
	}
	return ""
}

// feeFault looks whether the opener can go on paying the fee. The side that
// does not pay asks no more than that the fee can be paid: an opener under its
// reserve could never be paid out of it again.
func (m *Machine) feeFault(owner Side) string {
	if m.Side != commitment.Opener {
		for _, f := range m.committedFundings() {
			v := m.worst(owner, m.topFeerate())(f)
			if _, ok := m.params.Afford(owner, &v); !ok || int64(v.Balance[commitment.Opener]) < 0 {
				return "the opener cannot pay the commitment fee"
			}
		}
		return ""
	}
	worst := m.worst(owner, 2*m.topFeerate())
	return m.affordFault(owner, m.Side, func(f *Funding) commitment.State {
		v := worst(f)
		v.HTLCs = append(v.HTLCs, commitment.HTLC{OfferedBy: m.peer(), Amount: spikeHTLC})
		return v
	})
}

const spikeHTLC MilliSat = 1_000_000_000 // an HTLC that is not trimmed

// addReceived handles update_add_htlc.
func (m *Machine) addReceived(msg *wire.Base) {
	h, err := readAdd(msg)
	if err != nil {
		m.warn("", err.Error())
		return
	}
	h.By, h.Stage = m.peer(), proposed
	h.Extra = nil // nobody asks for them, and they would be stored with every step
	switch {
	case m.Scripts[m.peer()] != nil:
		m.warn("", "update_add_htlc after shutdown")
		return
	case h.ID != m.NextID[h.By]:
		m.warn("", fmt.Sprintf("HTLC id %d, expected %d", h.ID, m.NextID[h.By]))
		return
	}
	m.HTLCs = append(m.HTLCs, h)
	reason := m.addFault(h)
	if reason == "" {
		reason = m.affordFault(m.Side, m.peer(), func(f *Funding) commitment.State { return m.view(m.Side, f, next) })
	}
	if reason != "" {
		m.HTLCs = m.HTLCs[:len(m.HTLCs)-1]
		m.warn("", "update_add_htlc: "+reason)
		return
	}
	m.NextID[h.By]++
	h.Refuse = m.judge(h)
}

// Fulfil releases the preimage of an HTLC of the peer. Forwarded says that its
// outgoing side has been fulfilled: then it is claimed at any height; else
// only while the claim has time on chain (PCF-094). Repeating it is no error.
// Errors are *Refused and ErrUnknownHTLC.
func (m *Machine) Fulfil(id HTLCID, preimage [32]byte, forwarded bool) error {
	h := m.find(m.peer(), id)
	if h == nil {
		return ErrUnknownHTLC
	}
	if sha256.Sum256(preimage[:]) != h.Hash {
		return &Refused{"the preimage is another HTLC's"}
	}
	if h.Removal == nil && !forwarded && h.Expiry < m.deadline() && m.on(rule.PCF094) {
		return &Refused{fmt.Sprintf("expires at %d, too close to release its preimage (PCF-094)", h.Expiry)}
	}
	return m.remove(h, &removal{Kind: fulfilled, Preimage: preimage})
}

// Fail removes an HTLC of the peer with an onion error. Errors are *Refused
// and ErrUnknownHTLC; repeating it is no error.
func (m *Machine) Fail(id HTLCID, reason []byte) error {
	if len(reason) > maxReason {
		return &Refused{fmt.Sprintf("a reason of %d bytes", len(reason))}
	}
	return m.remove(m.find(m.peer(), id), &removal{Kind: failed, Reason: slices.Clone(reason)})
}

// FailMalformed removes an HTLC of the peer whose onion could not be read. The
// code has the BADONION bit. Errors are *Refused and ErrUnknownHTLC.
func (m *Machine) FailMalformed(id HTLCID, sha [32]byte, code uint16) error {
	if code&badOnion == 0 {
		return &Refused{fmt.Sprintf("failure_code %#x lacks BADONION", code)}
	}
	return m.remove(m.find(m.peer(), id), &removal{Kind: malformed, Preimage: sha, Code: code})
}

// remove queues a removal; it is sent as soon as updates may be.
func (m *Machine) remove(h *HTLC, x *removal) error {
	switch {
	case h == nil || h.Stage < proposed:
		return ErrUnknownHTLC
	case m.Forgotten || m.Failure != "" && x.Kind != fulfilled:
		return &Refused{"the channel is at its end"} // a preimage still helps: on chain
	case h.Stage < irrevocable:
		return &Refused{"the HTLC is not committed on both sides yet"}
	case h.Removal != nil && h.Removal.Kind == x.Kind && h.Removal.Preimage == x.Preimage && bytes.Equal(h.Removal.Reason, x.Reason):
		return nil
	case h.Removal != nil:
		return &Refused{"the HTLC is being removed in another way"}
	}
	x.Order = m.order()
	h.Removal, h.Onion = x, nil // its onion has done its work
	m.save()
	m.deliver()
	return nil
}

// deliver sends the removals that wait, in the order they were decided.
func (m *Machine) deliver() {
	if !m.operational() || m.quieting() && m.on(rule.PCF142) {
		return
	}
	var waiting []*HTLC
	for _, h := range m.HTLCs {
		if h.By == m.peer() && h.Removal != nil && h.Removal.Stage == queued {
			waiting = append(waiting, h)
		}
	}
	slices.SortFunc(waiting, func(a, b *HTLC) int { return compare(a.Removal.Order, b.Removal.Order) })
	for _, h := range waiting {
		h.Removal.Stage = proposed
		m.save()
		m.send(removeMessage(m.ID, h))
	}
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// removalReceived handles update_fulfill_htlc, update_fail_htlc and
// update_fail_malformed_htlc.
func (m *Machine) removalReceived(msg *wire.Base) {
	id, x, err := readRemoval(msg)
	if err != nil {
		m.warn("", err.Error())
		return
	}
	h := m.find(m.Side, id)
	switch {
	case h == nil || h.Stage < irrevocable:
		m.warn("", fmt.Sprintf("%s: HTLC %d is not committed on both sides", msg.Name(), id))
		return
	case h.Removal != nil:
		m.warn("", fmt.Sprintf("%s: HTLC %d is being removed already", msg.Name(), id))
		return
	case x.Kind == fulfilled && sha256.Sum256(x.Preimage[:]) != h.Hash:
		m.warn("", fmt.Sprintf("update_fulfill_htlc: wrong preimage for HTLC %d", id))
		return
	case x.Kind == malformed && x.Code&badOnion == 0:
		m.warn("", fmt.Sprintf("update_fail_malformed_htlc: failure_code %#x lacks BADONION", x.Code))
		return
	}
	if len(x.Reason) > maxTaken && m.on(rule.CHAN017+"/bounded") {
		x = &removal{Kind: malformed, Code: temporaryChannelFailure}
	}
	x.Stage = proposed
	h.Removal = x
	if x.Kind == fulfilled {
		m.act(HTLCFulfilled{m.ID, h.ID, h.Origin, x.Preimage})
	}
}
