package channel

import (
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Revoked is what has to be known of a commitment that the peer revoked, to
// take everything if it is published all the same. Records are kept one by
// one, for as long as one of the outputs can be spent.
type Revoked struct {
	Number Number
	Secret commitment.Secret
	On     []RevokedOn // one for each output it was signed on
}

// RevokedOn is a revoked commitment on one output.
type RevokedOn struct {
	Txid  wire.Txid
	State commitment.State
}

// revokeAndAck handles revoke_and_ack: the peer's previous commitment is
// revoked, and what it acknowledges becomes part of ours.
func (m *Machine) revokeAndAck(msg *wire.Base) {
	r := fields(msg)
	secret := commitment.Secret(r.Array32("per_commitment_secret"))
	nextPoint := r.Point("next_per_commitment_point")
	if r.Err() != nil {
		m.warn("", r.Err().Error())
		return
	}
	if !m.awaiting() {
		if m.on(rule.PCF171) {
			m.fail(rule.PCF171, "revoke_and_ack without a commitment to acknowledge")
		}
		return
	}
	point, err := m.memo.ParseKey(m.TheirPoint)
	if err != nil {
		m.broken("reading a stored point", err)
		return
	}
	revocations, err := m.State.Revoked.Add(secret, point)
	if err != nil {
		m.fail("", "revoke_and_ack: "+err.Error())
		return
	}
	m.act(Append{m.revokedRecord(secret)})
	m.State.Revoked = revocations
	m.CalledOff = slices.DeleteFunc(m.CalledOff, func(o CalledOff) bool {
		return o.Remote[len(o.Remote)-1].Number < revocations.Next() // on record now
	})
	m.TheirPoint, m.TheirNext = m.TheirNext, nextPoint
	m.acknowledged()
}

// revokedRecord collects the commitment that is being revoked, on the outputs
// of now, on replaced ones and on those that were called off.
func (m *Machine) revokedRecord(secret commitment.Secret) Revoked {
	rec := Revoked{Number: m.State.Revoked.Next(), Secret: secret}
	for _, f := range m.activeFundings() {
		rec.On = append(rec.On, RevokedOn{f.Txid, m.theirStates(f)[0]})
	}
	for _, r := range m.Replaced {
		for _, v := range r.Remote {
			if v.Number == rec.Number {
				rec.On = append(rec.On, RevokedOn{r.Funding.Txid, v})
			}
		}
	}
	for _, o := range m.CalledOff {
		for _, v := range o.Remote {
			if v.Number == rec.Number {
				rec.On = append(rec.On, RevokedOn{o.Txid, v})
			}
		}
	}
	return rec
}

// acknowledged moves the updates after a revoke_and_ack and tells the router
// which HTLCs are irrevocable or gone.
func (m *Machine) acknowledged() {
	var committed []*HTLC
	for _, h := range m.HTLCs {
		if h.By == m.peer() && h.Stage == returned {
			committed = append(committed, h)
		}
	}
	m.eachStage(func(by Side, st *stage) { *st = st.revokes(m.peer(), by) })
	for _, h := range m.HTLCs {
		if h.By == m.Side && h.Stage >= acked {
			h.Onion, h.PathKey, h.Extra = nil, nil, nil // it will not be sent again
		}
	}
	over := m.settle()
	m.save()
	for _, h := range committed {
		m.announce(h)
	}
	for _, h := range over {
		m.announceGone(h)
	}
	m.oldRevoked()
}

// announce tells the router of an HTLC of the peer that waits for an answer.
func (m *Machine) announce(h *HTLC) {
	if h.By != m.peer() || h.Stage != irrevocable || h.Removal != nil || h.Ended {
		return
	}
	if h.Refuse == 0 && m.late(h) {
		h.Refuse = RefuseExpiry
	}
	if h.Refuse == 0 && m.tooLateToTake() {
		h.Refuse = RefuseShutdown
	}
	m.act(HTLCReceived{
		Channel: m.ID, ID: h.ID, Amount: h.Amount, Hash: h.Hash, Expiry: h.Expiry,
		Onion: h.Onion, PathKey: h.PathKey, Refuse: h.Refuse,
	})
}

// announceGone tells the router that an HTLC of ours failed. A preimage has
// been told before.
func (m *Machine) announceGone(h *HTLC) {
	if h.By != m.Side || h.Removal.Kind == fulfilled {
		return
	}
	e := HTLCFailed{Channel: m.ID, ID: h.ID, Origin: h.Origin, Reason: h.Removal.Reason}
	if h.Removal.Kind == malformed {
		e.Malformed = &Malformed{h.Removal.Preimage, h.Removal.Code}
	}
	m.act(e)
}

// takeBack undoes the updates that nobody signed: the peer's are forgotten,
// our additions and feerates too, our removals wait to be sent again (BOLT 2).
func (m *Machine) takeBack() {
	keep := m.HTLCs[:0:0]
	for _, h := range m.HTLCs {
		if h.Stage == proposed {
			m.NextID[h.By] = min(m.NextID[h.By], h.ID)
			if h.By == m.Side && !h.Ended {
				m.act(HTLCFailed{Channel: m.ID, ID: h.ID, Origin: h.Origin, Dropped: true})
				m.save()
			}
			continue
		}
		if h.Removal != nil && h.Removal.Stage == proposed {
			if h.By == m.Side {
				if h.Removal.Kind == fulfilled && !h.Paid {
					h.Paid = true
					m.save()
				}
				h.Removal = nil
			} else {
				h.Removal.Stage = queued
			}
		}
		keep = append(keep, h)
	}
	m.HTLCs = keep
	rates := m.Feerates[:0:0]
	for _, u := range m.Feerates {
		if u.Stage != proposed {
			rates = append(rates, u)
		}
	}
	m.Feerates = rates
}
