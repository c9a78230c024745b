package channel

import (
	"bytes"
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// ChangePending says that this node is about to give a partial signature that
// spends an existing outpoint: from now on the change cannot be called off
// (PCF-140, PCF-143). The error is ErrNotNow.
func (m *Machine) ChangePending() error {
	f := m.changing()
	if f == nil || !f.Did.has(gotCommit) {
		return ErrNotNow
	}
	f.Did |= partialGiven
	m.save()
	return nil
}

// ChangeUnsigned takes ChangePending back: the record of the ceremony, which is written
// before a partial signature leaves, does not say that any was given (SPEC.md 8.4, "Who
// decides"). It does nothing once the change is continued.
func (m *Machine) ChangeUnsigned() {
	if f := m.changing(); f != nil && f.Did.has(partialGiven) && !f.Did.has(sentContinue) {
		f.Did &^= partialGiven
		m.save()
	}
}

// ChangeStored says that the new factory state is complete and stored:
// factory_change_continue goes out (PCF-122), now or after the next
// reconnection. The error is ErrNotNow.
func (m *Machine) ChangeStored() error {
	f := m.changing()
	if f == nil || !f.Did.has(gotCommit) || f.Did.has(sentContinue) || m.over() {
		return ErrNotNow
	}
	f.Did |= sentContinue
	m.save()
	if m.established {
		m.sendContinue(f)
	}
	m.continued(f)
	return nil
}

// sendContinue names the outpoint that factory_change_funding did (PCF-147).
func (m *Machine) sendContinue(f *Funding) {
	m.send(&wire.ChangeContinue{Outpoint: wire.ChangeOutpoint{ChannelID: m.ID, FundingTxid: f.Txid, FundingOutputIndex: f.Index}})
}

// changeContinue handles factory_change_continue; the same once more is
// ignored (PCF-157), also when another change has been locked in between.
func (m *Machine) changeContinue(msg *wire.ChangeContinue) {
	f := m.findFunding(msg.Outpoint.FundingTxid)
	switch {
	case m.quiet.aborting && f == nil:
	case f == nil && m.replaced(msg.Outpoint):
	case f == nil || f == &m.Fundings[0] && !f.Did.has(gotLocked) || f.Index != msg.Outpoint.FundingOutputIndex || !f.Did.has(gotCommit):
		if !m.on(rule.PCF147) {
			return
		}
		m.warn(rule.PCF147, "factory_change_continue for an outpoint that is not being changed to")
	case f.Did.has(gotContinue):
		if !m.on(rule.PCF157) {
			m.warn(rule.PCF157, "factory_change_continue twice")
		}
	default:
		f.Did |= gotContinue
		m.save()
		if !f.Did.has(sentContinue) {
			m.act(AskContinue{f.Txid}) // the peer has not waited for us: the plugin may not either (CHG-025)
		}
		m.continued(f)
	}
}

// replaced reports whether a change that was continued led to an outpoint, and another
// one was locked in its place.
func (m *Machine) replaced(o wire.ChangeOutpoint) bool {
	return slices.ContainsFunc(m.Replaced, func(r Replaced) bool {
		f := r.Funding
		return f.Txid == o.FundingTxid && f.Index == o.FundingOutputIndex && f.Did.has(gotContinue)
	})
}

// continued ends quiescence once both sides have sent factory_change_continue
// (PCF-123).
func (m *Machine) continued(f *Funding) {
	if !f.active() {
		return
	}
	m.act(ChangeContinued{f.Txid})
	if !m.on(rule.PCF148) {
		f.Did |= wantLocked
	}
	if m.lockedBefore == f.Txid {
		m.lockedBefore = wire.Txid{}
		m.changeLocked(f.Txid)
	}
	if m.on(rule.PCF123) {
		m.leaveQuiescence()
	}
}

// Lock says that what the change to txid replaces is dead: the peer is told
// with factory_change_locked, as soon as nothing else is being negotiated
// (PCF-148). The error is ErrNotNow.
func (m *Machine) Lock(txid wire.Txid) error {
	f := m.findFunding(txid)
	if f == nil || f == &m.Fundings[0] || !f.active() || m.over() {
		return ErrNotNow
	}
	f.Did |= wantLocked
	m.save()
	m.advance()
	return nil
}

// LockRefused answers AskLock: our plugin does not know txid as the new state.
func (m *Machine) LockRefused(txid wire.Txid) {
	if f := m.findFunding(txid); f != nil && m.established && m.on(rule.PCF124) {
		f.Did &^= gotLocked
		m.save()
		m.warn(rule.PCF124, fmt.Sprintf("factory_change_locked names %v, which is not locked here", txid))
	}
}

// sayLocked sends factory_change_locked. In quiescence it waits: a change that
// is negotiated counts balances on the current output. Our stfu that is not answered
// does not keep back what answers the peer's factory_change_locked: the peer may not
// send its own stfu before it has that (PCF-172).
func (m *Machine) sayLocked() {
	for i := range m.Fundings {
		f := &m.Fundings[i]
		answers := f.Did.has(gotLocked) && !m.quiet.theirs && m.on(rule.PCF172)
		if !f.Did.has(wantLocked) || f.Did.has(sentLocked) || m.quiet.ours && !answers || m.changing() != nil {
			continue
		}
		f.Did |= sentLocked
		m.LastLocked = f.Txid
		m.save()
		m.send(&wire.ChangeLocked{ChannelID: m.ID, LockedFundingTxid: f.Txid})
		m.lock(f)
		return
	}
}

// changeLocked handles factory_change_locked, or what stands for it in
// channel_reestablish.
func (m *Machine) changeLocked(txid wire.Txid) {
	f := m.findFunding(txid)
	if f == nil || f == &m.Fundings[0] || !f.active() {
		if m.on(rule.PCF124) {
			m.warn(rule.PCF124, fmt.Sprintf("factory_change_locked names %v, which is not pending", txid))
		}
		return
	}
	f.Did |= gotLocked
	m.save()
	if !f.Did.has(wantLocked) {
		m.act(AskLock{txid})
	}
	m.lock(f)
}

// halfLocked reports whether one side has locked a change and the other has
// not, as far as this one knows.
func (m *Machine) halfLocked() bool {
	return slices.ContainsFunc(m.Fundings, func(f Funding) bool {
		return f.Did.has(sentLocked) != f.Did.has(gotLocked)
	})
}

// lock moves the channel to output f alone, once both sides have locked it
// (PCF-125). The others are kept as what may still be published (PCF-127).
func (m *Machine) lock(f *Funding) {
	if !f.Did.has(sentLocked|gotLocked) || !m.on(rule.PCF125) {
		return
	}
	current := *f
	keeps := m.on(rule.PCF127) && (!f.Absorbed() || m.on(rule.PCF127+"/absorbed"))
	for i := range m.Fundings {
		if m.Fundings[i].Txid != current.Txid && keeps {
			m.Replaced = append(m.Replaced, m.replace(&m.Fundings[i]))
		}
	}
	for side, delta := range current.Delta {
		m.Balance[side] += MilliSat(1000 * delta)
	}
	current.Delta = [2]int64{}
	if !m.on(rule.PCF126) {
		m.ID = ChannelIDOf(current.Txid, current.Index)
	}
	m.Fundings = []Funding{current}
	m.save()
	m.locked = true
	m.act(ChangeLocked{current.Txid})
}

// replace keeps the commitments that are valid on an output now.
func (m *Machine) replace(f *Funding) Replaced {
	r := Replaced{Funding: *f, Local: m.view(m.Side, f, latest), Remote: m.theirStates(f)}
	r.Local.Number = m.LocalNumber
	r.RemotePoint = []wire.Point{m.TheirPoint, m.TheirNext}[:len(r.Remote)]
	return r
}

// oldRevoked tells the plugin when no commitment on a replaced output is valid
// any more.
func (m *Machine) oldRevoked() {
	for i := range m.Replaced {
		r := &m.Replaced[i]
		last := r.Remote[len(r.Remote)-1].Number
		if !r.Told && r.Local.Number < m.LocalNumber && last < m.State.Revoked.Next() {
			r.Told = true
			m.save()
			m.act(ReplacedRevoked{r.Funding.Txid})
		}
	}
}

// OldDead says that a replaced funding transaction cannot confirm any more:
// what was kept against it goes (PCF-127).
func (m *Machine) OldDead(txid wire.Txid) {
	m.Replaced = slices.DeleteFunc(m.Replaced, func(r Replaced) bool { return r.Funding.Txid == txid })
	m.save()
}

// ChangeDead says that a pending change can never become valid: updates are no
// longer signed for it (PCF-144). The peer's plugin has to know it too, or the
// next batch is one short. The error is ErrNotNow.
func (m *Machine) ChangeDead(txid wire.Txid) error {
	f := m.findFunding(txid)
	if f == nil || f == &m.Fundings[0] {
		return ErrNotNow
	}
	unfinished := !f.active()
	m.dropFunding(txid)
	if unfinished {
		m.leaveQuiescence()
	}
	return nil
}

func (m *Machine) dropFunding(txid wire.Txid) {
	f := m.findFunding(txid)
	if f != nil && f.Did.has(sentCommit|absorbing) && m.on(rule.CHG022) {
		m.Fundings[0].Did |= roundOwed // before that number is signed with other balances (CHG-022)
	}
	if f != nil && f.Did.has(sentCommit) && !f.Absorbed() && m.on(rule.CHG026) {
		m.callOff(CalledOff{f.Txid, m.theirStates(f)})
	}
	if len(m.CalledOff) >= maxCalledOff {
		m.Fundings[0].Did |= roundOwed // what is kept of them goes to the record
	}
	m.Fundings = slices.DeleteFunc(m.Fundings, func(f Funding) bool { return f.Txid == txid })
	m.save()
}

// maxCalledOff bounds what is kept of changes that were called off, each on another
// output, while no payment revokes what was signed for them.
const maxCalledOff = 8

// callOff keeps what was signed on an output that goes, once (CHG-026).
func (m *Machine) callOff(o CalledOff) {
	same := func(a, b commitment.State) bool { return bytes.Equal(a.Encode(), b.Encode()) }
	if !slices.ContainsFunc(m.CalledOff, func(was CalledOff) bool {
		return was.Txid == o.Txid && slices.EqualFunc(was.Remote, o.Remote, same)
	}) {
		m.CalledOff = append(m.CalledOff, o)
	}
}
