package channel

import (
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// AbortChange calls off the change that is being negotiated, unless it is
// pending on our side (PCF-140). The error is ErrNotNow.
func (m *Machine) AbortChange(reason string) error {
	f := m.changing()
	switch {
	case m.quiet.aborting, m.change == nil && f == nil:
		return ErrNotNow
	case f != nil && f.pending() && m.on(rule.PCF140):
		return ErrNotNow
	case m.change != nil && m.change.step == waitQuiescence:
		m.withdraw(reason)
		return nil
	}
	named := m.asked && m.unfinished() != nil
	off := m.leadsTo()
	if f != nil {
		m.dropFunding(f.Txid)
	}
	m.forgetChange(reason)
	if f != nil {
		m.act(ChangeAborted{reason})
	}
	if !m.established {
		if named {
			m.quiet = quiescence{ours: true, theirs: true, named: true}
			m.limitQuiescence()
		}
		return nil
	}
	m.quiet.aborting, m.quiet.off = true, off
	m.sendAbort(reason)
	return nil
}

// leadsTo is the funding transaction of the change that goes on: what the peer may have
// signed on. Zero while we have not named one.
func (m *Machine) leadsTo() wire.Txid {
	if f := m.changing(); f != nil {
		return f.Txid
	}
	if m.change != nil && m.change.ours != nil {
		return m.change.ours.txid
	}
	return wire.Txid{}
}

// withdraw ends a change that the peer has not heard of. When stfu is out,
// only a disconnection ends quiescence (PCF-142).
func (m *Machine) withdraw(reason string) {
	m.forgetChange(reason)
	if !m.quiet.ours {
		m.quiet.wanted = false
		m.advance()
		return
	}
	m.act(Disconnect{Reason: "a change was withdrawn: " + reason})
	m.Disconnected()
}

func (m *Machine) sendAbort(reason string) {
	m.send(&wire.ChangeAbort{ChannelID: m.ID, Data: []byte(reason)})
}

// forgetChange drops a change that is not committed to, and tells the plugin.
func (m *Machine) forgetChange(reason string) {
	if m.change != nil {
		m.change = nil
		m.act(ChangeAborted{reason})
	}
}

// changeAbort handles factory_change_abort: an echo of ours, the answer to our next_funding
// (PCF-154), a change that can be forgotten (PCF-141), or one that cannot (PCF-143).
func (m *Machine) changeAbort(msg *wire.ChangeAbort) {
	f := m.changing()
	reason := fmt.Sprintf("the peer called it off: %.200q", msg.Data)
	switch {
	case m.quiet.aborting:
		m.leaveQuiescence()
	case m.quiet.named:
		m.echo()
	case f != nil && f.pending() && m.on(rule.PCF143):
		m.act(ChangeDisputed{f.Txid})
	case f != nil:
		m.dropFunding(f.Txid)
		m.act(ChangeAborted{reason})
		m.echo()
	case m.change != nil && m.change.step != waitQuiescence:
		m.forgetChange(reason)
		m.echo()
	case m.on(rule.PCF145):
		m.warn(rule.PCF145, "factory_change_abort without a change that can be aborted")
	}
}

// echo answers factory_change_abort and leaves quiescence (PCF-141).
func (m *Machine) echo() {
	if m.on(rule.PCF141) {
		m.sendAbort("")
	}
	m.leaveQuiescence()
}
