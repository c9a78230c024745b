package channel

import (
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// What a plugin asks about the changes of a channel, and tells it, beside its
// answers: SPEC.md 8.4.

// Round asks for one commitment_signed to the peer, which may be without updates,
// as soon as it may be sent: the commitments on an output that was replaced are
// revoked by it (CHG-007). It survives a restart.
func (m *Machine) Round() {
	if len(m.Fundings) == 1 && !m.over() {
		m.Fundings[0].Did |= roundOwed
		m.save()
	}
}

// owesRound reports whether such a commitment is owed; where a change is pending it goes
// out in a batch.
func (m *Machine) owesRound() bool { return len(m.Fundings) > 0 && m.Fundings[0].Did.has(roundOwed) }

// inRound reports whether a commitment without updates is owed, or waits for its
// revoke_and_ack.
func (m *Machine) inRound() bool {
	return m.owesRound() || m.awaiting() && m.cleanOf(m.Side) && m.cleanOf(m.peer())
}

// Negotiating reports whether a change is being negotiated that is not committed
// to.
func (m *Machine) Negotiating() bool { return m.change != nil }

// Quieting reports whether the channel is quiescent, or on its way there or out of
// it: a change of it that was called off is not over before the peer has said so.
func (m *Machine) Quieting() bool { return m.quieting() }

// Changing returns the txid of the output that is committed to and not continued;
// false when there is none.
func (m *Machine) Changing() (wire.Txid, bool) {
	if f := m.changing(); f != nil {
		return f.Txid, true
	}
	return wire.Txid{}, false
}

// Committed reports whether both sides have a commitment on the output of a
// transaction: the current one, or one of a change.
func (m *Machine) Committed(txid wire.Txid) bool {
	f := m.findFunding(txid)
	return f != nil && (f == &m.Fundings[0] || f.Did.has(sentCommit|gotCommit))
}

// PeerContinues reports whether the peer has continued the change to the output of a
// transaction.
func (m *Machine) PeerContinues(txid wire.Txid) bool {
	f := m.findFunding(txid)
	return f != nil && f.Did.has(gotContinue)
}

// Knows reports whether the channel is on the output of a transaction, or on its way
// there.
func (m *Machine) Knows(txid wire.Txid) bool { return m.findFunding(txid) != nil }

// Settled reports whether the output of a transaction is the only one of the
// channel, and no commitment on an earlier one is valid any more.
func (m *Machine) Settled(txid wire.Txid) bool {
	if len(m.Fundings) != 1 || m.Fundings[0].Txid != txid || m.change != nil || m.inRound() {
		return false
	}
	for _, r := range m.Replaced {
		if !r.Told {
			return false
		}
	}
	return true
}

// PendingOn is ChangePending for the change to the output of a transaction. It
// does nothing when that change is continued already. The error is ErrNotNow.
func (m *Machine) PendingOn(txid wire.Txid) error {
	if f := m.findFunding(txid); f != nil && (f == &m.Fundings[0] || f.active()) {
		return nil
	}
	if f := m.changing(); f == nil || f.Txid != txid {
		return ErrNotNow
	}
	return m.ChangePending()
}

// frozen reports whether what the channel holds goes into another one, or has gone:
// no update changes it any more, until that is called off (CHG-018).
func (m *Machine) frozen() bool {
	n := len(m.Fundings)
	return n > 0 && m.Fundings[n-1].Absorbed() && m.on(rule.CHG018)
}

// Given returns what each side has taken out of the channel, in sat, by a change to the
// output of a transaction that is committed to; false when there is none.
func (m *Machine) Given(txid wire.Txid) (sat [2]int64, ok bool) {
	f := m.findFunding(txid)
	if f == nil || !f.Absorbed() {
		return sat, false
	}
	return [2]int64{-f.Delta[0], -f.Delta[1]}, true
}

// Added returns what a change to the output of a transaction, which is not locked, adds to
// each side, in sat; false when there is none.
func (m *Machine) Added(txid wire.Txid) (sat [2]int64, ok bool) {
	f := m.findFunding(txid)
	if f == nil || f == &m.Fundings[0] {
		return sat, false
	}
	return f.Delta, true
}

// SignedFor reports whether something that is not revoked was signed on the output of a
// transaction for a change that was called off (CHG-026).
func (m *Machine) SignedFor(txid wire.Txid) bool {
	return slices.ContainsFunc(m.CalledOff, func(o CalledOff) bool { return o.Txid == txid })
}

// Whole returns what each side would take out of the channel to leave nothing, in sat,
// a part of a sat left out; false while an HTLC is there (CHG-017).
func (m *Machine) Whole() (sat [2]int64, ok bool) {
	if len(m.Fundings) == 0 || len(m.HTLCs) > 0 {
		return sat, false
	}
	b := m.Balance
	return [2]int64{int64(b[0] / 1000), int64(b[1] / 1000)}, true
}

// Ended reports whether all that the channel held is in another one.
func (m *Machine) Ended() bool { return len(m.Fundings) == 1 && m.Fundings[0].Absorbed() }

// Value returns the value of the current output, in sat.
func (m *Machine) Value() Sat {
	if len(m.Fundings) == 0 {
		return 0
	}
	return m.Fundings[0].Value
}

// Broken reports whether the channel failed, was forgotten, is closing or is not
// open yet: it cannot be moved.
func (m *Machine) Broken() bool {
	return m.over() || m.shuttingDown() || !m.SentReady || !m.GotReady
}
