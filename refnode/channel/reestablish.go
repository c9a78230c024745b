package channel

import (
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// wantsCommitment is bit 0 of the flags of next_funding.
const wantsCommitment = 1

// sayReestablish sends channel_reestablish: what this side has.
func (m *Machine) sayReestablish() {
	if m.asked || m.established {
		return
	}
	m.asked = true
	msg := &wire.ChannelReestablish{
		ChannelID:                   m.ID,
		NextCommitmentNumber:        uint64(m.LocalNumber + 1),
		NextRevocationNumber:        uint64(m.State.Revoked.Next()),
		MyCurrentPerCommitmentPoint: m.ourPoint(m.LocalNumber),
	}
	if n := m.State.Revoked.Next(); n > 0 {
		if secret, err := m.State.Revoked.Secret(n - 1); err == nil {
			msg.YourLastPerCommitmentSecret = secret
		}
	}
	if f := m.unfinished(); f != nil {
		msg.NextFunding = &wire.FundingState{Txid: f.Txid}
		if !f.Did.has(gotCommit) {
			msg.NextFunding.RetransmitFlags = wantsCommitment
		}
	}
	if m.inFactory() && m.SentReady && m.on(rule.PCF151) {
		msg.MyCurrentFundingLocked = &wire.FundingState{Txid: m.Fundings[0].Txid}
		if m.LastLocked != (wire.Txid{}) {
			msg.MyCurrentFundingLocked.Txid = m.LastLocked
		}
	}
	m.send(msg)
}

// unfinished is the change that next_funding names: from our commitment_signed
// until the peer's factory_change_continue (PCF-150).
func (m *Machine) unfinished() *Funding {
	f := m.changing()
	if f == nil || f.Did.has(gotContinue) || !m.on(rule.PCF150) {
		return nil
	}
	return f
}

// reestablish handles channel_reestablish: both sides find out what the other
// has not got, and send it again in the order it was sent.
func (m *Machine) reestablish(msg *wire.ChannelReestablish) {
	if m.established {
		m.warn("", "channel_reestablish twice")
		return
	}
	m.sayReestablish()
	if !m.checkReestablish(msg) {
		return
	}
	m.established = true
	m.takeLocked(msg.MyCurrentFundingLocked)
	if msg.NextCommitmentNumber == 1 && m.LocalNumber == 0 && m.SentReady && len(m.Fundings) == 1 && m.LastLocked == (wire.Txid{}) {
		m.send(readyMessage(m.ID, m.ourPoint(1), m.cfg.Alias))
	}
	m.takeUnfinished(msg.NextFunding)
	m.resumeChange()
	if m.over() || !m.established {
		return
	}
	m.retransmit(msg)
	if script := m.Scripts[m.Side]; script != nil {
		m.send(shutdownMessage(m.ID, script))
	}
}

// checkReestablish compares what the peer has with what we did, and gives the
// channel up where they cannot both be right.
func (m *Machine) checkReestablish(msg *wire.ChannelReestablish) bool {
	// Of ours, LocalNumber commitments are revoked: the peer wants the secret
	// of that number next, or that of the one before once more.
	revoked := uint64(m.LocalNumber)
	wanted := msg.NextRevocationNumber
	proof := wanted == 0 && msg.YourLastPerCommitmentSecret == [32]byte{} ||
		wanted > 0 && wanted-1 <= uint64(commitment.MaxNumber) && msg.YourLastPerCommitmentSecret == m.cfg.Keys.Seed.Secret(Number(wanted-1))
	last := uint64(m.SignedNumber)
	switch {
	case msg.NextCommitmentNumber == 0:
		m.fail("", "next_commitment_number is 0")
	case wanted > revoked && proof:
		m.Stale = true
		m.fail("", "our state is older than the peer's: please publish your commitment")
	case !proof:
		m.fail("", "your_last_per_commitment_secret is not ours")
	case wanted > revoked || wanted+1 < revoked:
		m.fail("", fmt.Sprintf("next_revocation_number %d, expected %d", wanted, revoked))
	case msg.NextCommitmentNumber == last && m.awaiting(), msg.NextCommitmentNumber == last+1:
		return true
	default:
		m.fail("", fmt.Sprintf("next_commitment_number %d, expected %d", msg.NextCommitmentNumber, last+1))
	}
	return false
}

// retransmit sends revoke_and_ack and commitment_signed again, whichever the
// peer lacks, in the order they were sent first.
func (m *Machine) retransmit(msg *wire.ChannelReestablish) {
	revocation := msg.NextRevocationNumber+1 == uint64(m.LocalNumber)
	commit := msg.NextCommitmentNumber == uint64(m.SignedNumber) && m.awaiting()
	if revocation && (m.CommitLast || !commit) {
		m.sendRevocation()
	}
	if commit {
		m.sendUpdates()
		m.sendCommitment()
	}
	if revocation && commit && !m.CommitLast {
		m.sendRevocation()
	}
}

// sendUpdates sends the updates again that the peer's latest commitment has
// and the one before has not, in the order they were sent first.
func (m *Machine) sendUpdates() {
	type update struct {
		order uint64
		msg   wire.Message
	}
	var all []update
	for _, h := range m.HTLCs {
		if h.By == m.Side && h.Stage == signed {
			all = append(all, update{h.Order, addMessage(m.ID, h)})
		}
		if x := h.Removal; x != nil && h.By == m.peer() && x.Stage == signed {
			all = append(all, update{x.Order, removeMessage(m.ID, h)})
		}
	}
	if m.Side == commitment.Opener {
		for _, u := range m.Feerates {
			if u.Stage == signed {
				all = append(all, update{u.Order, feeMessage(m.ID, u.Rate)})
			}
		}
	}
	slices.SortFunc(all, func(a, b update) int { return compare(a.order, b.order) })
	for _, u := range all {
		m.send(u.msg)
	}
}

// takeLocked treats my_current_funding_locked as factory_change_locked when it
// names a pending change (PCF-156). The peer's factory_change_continue may have been
// lost before it, and comes again after channel_reestablish: the change is locked then.
// Anything else it names is known.
func (m *Machine) takeLocked(locked *wire.FundingState) {
	if locked == nil || !m.on(rule.PCF156) {
		return
	}
	f := m.findFunding(locked.Txid)
	switch {
	case f == nil || f == &m.Fundings[0] || f.Did.has(gotLocked):
	case f.active():
		m.changeLocked(locked.Txid)
	default:
		m.lockedBefore = locked.Txid
	}
}

// resumeChange sends factory_change_continue again (PCF-152), after the
// commitment_signed that it stands on and before any update that is signed on
// the new output too, and goes back to quiescence
// while a change is not continued: one side may regard it as pending already,
// so no update can be signed that both agree on.
func (m *Machine) resumeChange() {
	for i := range m.Fundings[1:] {
		if f := &m.Fundings[1+i]; f.Did.has(sentContinue) && m.on(rule.PCF152) {
			m.sendContinue(f)
		}
	}
	if m.changing() != nil {
		m.quiet.ours, m.quiet.theirs, m.quiet.resumed = true, true, true
		m.limitQuiescence()
	}
}

// takeUnfinished handles next_funding: the peer has committed to a change and
// does not know that it continues.
func (m *Machine) takeUnfinished(theirs *wire.FundingState) {
	if theirs == nil {
		return
	}
	ours := m.unfinished()
	f := m.findFunding(theirs.Txid)
	switch {
	case ours != nil && ours.Txid != theirs.Txid && m.on(rule.PCF155):
		m.fail(rule.PCF155, "both sides name a next_funding, and not the same")
	case f == nil && m.on(rule.PCF154):
		m.quiet.ours, m.quiet.theirs, m.quiet.aborting, m.quiet.off = true, true, true, theirs.Txid
		m.limitQuiescence()
		m.sendAbort("unknown change in next_funding")
	case f != nil && m.standsOn(f) && theirs.RetransmitFlags&wantsCommitment != 0 && m.on(rule.PCF153):
		m.signNewOutput(f)
	}
}

// standsOn reports whether next_funding may name an output: the peer has not
// continued its change (PCF-159). On an output in use our next commitment may be
// under way, and a second one of that number, with the point of the last, could
// never be punished.
func (m *Machine) standsOn(f *Funding) bool {
	return f != &m.Fundings[0] && !f.Did.has(gotContinue) || !m.on(rule.PCF159)
}
