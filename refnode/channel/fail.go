package channel

import (
	"fmt"
	"strings"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// warn answers a breach with a warning and a closed connection. The channel
// stays: where BOLT 2 leaves the choice, a connection costs less than a
// channel, and inside a factory a channel costs a tree.
func (m *Machine) warn(id rule.ID, reason string) {
	text := reason
	if id != "" {
		text = string(id) + ": " + reason
	}
	m.send(&wire.Warning{ChannelID: m.ChannelID(), Data: []byte(text)})
	m.act(Disconnect{Rule: id, Reason: reason})
	m.Disconnected()
}

// fail gives the channel up: an error for the peer, and on chain.
func (m *Machine) fail(id rule.ID, reason string) {
	if m.over() {
		return
	}
	if id != "" {
		reason = string(id) + ": " + reason
	}
	m.Failure = reason
	m.save()
	m.send(m.errorMessage())
	m.closed()
}

// broken fails a channel because this node cannot go on: a defect, or keys
// that do not fit.
func (m *Machine) broken(doing string, err error) {
	m.fail("", fmt.Sprintf("internal error while %s: %v", doing, err))
}

func (m *Machine) errorMessage() *wire.ErrorMessage {
	return &wire.ErrorMessage{ChannelID: m.ChannelID(), Data: []byte(m.Failure)}
}

// peerFailed handles an error of the peer: it has given the channel up
// (BOLT 1), so this side does too.
func (m *Machine) peerFailed(msg *wire.ErrorMessage) {
	if m.over() {
		return
	}
	m.Failure = fmt.Sprintf("the peer failed the channel: %.200q", msg.Data)
	m.save()
	m.closed()
}

// byOwner begins the Failure of a channel that its owner gave up. What a peer
// says is quoted behind other words.
const byOwner = "closed by its owner: "

// ForceClose gives the channel up because its owner says so: one that failed after
// both sides had closed it together, too.
func (m *Machine) ForceClose(reason string) {
	if m.ClosingTx != nil && m.Failure != "" && !m.Forgotten && !m.Ordered() {
		m.Failure = byOwner + reason + "; before, " + m.Failure
		m.save()
		m.broadcast()
		return
	}
	m.fail("", byOwner+reason)
}

// Ordered reports whether the owner gave the channel up.
func (m *Machine) Ordered() bool { return strings.HasPrefix(m.Failure, byOwner) }

// closed tells who has to know and goes on chain where that is possible.
func (m *Machine) closed() {
	m.established = false
	if len(m.Fundings) == 0 || m.Side == commitment.Opener && !m.GotSigned {
		m.Forgotten = true // nothing was ever signed for us
	}
	if m.on(rule.PCF091) {
		m.act(Closed{m.Failure})
	}
	m.broadcast()
	if m.inFactory() && !m.on(rule.PCF055) {
		m.Forget()
	}
}

// FundingConfirmed says that a funding transaction of the channel is in a
// block. From then on, and not before, commitments of an in-factory channel
// may be published (PCF-085).
func (m *Machine) FundingConfirmed(txid wire.Txid) {
	m.Confirmed = txid
	m.save()
	if m.Failure != "" && (!m.inFactory() || m.on(rule.CHAN024)) {
		m.broadcast()
	}
}

// broadcast publishes our latest commitment on the output that confirmed. A
// channel outside a factory needs no word of its funding: it was broadcast.
func (m *Machine) broadcast() {
	if m.Stale && m.on(rule.CHAN023) || m.Forgotten || len(m.Fundings) == 0 {
		return
	}
	txid := m.Confirmed
	if txid == (wire.Txid{}) {
		if m.inFactory() && m.on(rule.PCF085) {
			return
		}
		txid = m.Fundings[0].Txid
	}
	tx, err := m.LatestCommitment(txid)
	if err != nil {
		return // no such output, or its last commitment is revoked: Replaced tells the watcher
	}
	m.act(Broadcast{Tx: tx.Tx, What: "commitment"})
}

// Forget ends the channel as if it were closed and buried deep (PCF-092). What
// it knew of HTLCs and revocations is let go (PCF-056).
func (m *Machine) Forget() {
	if !m.on(rule.PCF092) {
		return
	}
	m.Forgotten = true
	for _, h := range m.HTLCs {
		m.end(h)
	}
	m.HTLCs, m.Feerates, m.Replaced, m.CalledOff = nil, nil, nil, nil
	for i := range m.Fundings {
		m.Fundings[i].Sig, m.Fundings[i].HTLCSigs = wire.Signature{}, nil
	}
	m.Revoked = commitment.Revocations{}
	m.established = false
	m.save()
}

// Unpaid says that the funding transaction of a channel outside a factory is in a
// block and does not pay what was agreed: there is nothing to close, and nothing was
// ever received (BOLT 2, "The channel_ready Message").
func (m *Machine) Unpaid() {
	if m.over() {
		return
	}
	m.drop("the funding transaction does not pay the funding output")
}

// GiveWay drops a channel outside a factory whose funding transaction is in no block, so
// that this node has room for others.
func (m *Machine) GiveWay(reason string) {
	if m.Side == commitment.Accepter && !m.inFactory() && !m.Usable && m.Confirmed == (wire.Txid{}) && !m.Forgotten {
		m.drop(reason)
	}
}

// drop forgets a channel on which nothing was ever received.
func (m *Machine) drop(reason string) {
	if m.Failure == "" {
		m.Failure = reason
	}
	m.Forget()
	m.send(m.errorMessage())
	m.act(Closed{m.Failure})
}

// Restart announces what a restored channel has open: it is the first input
// after Restore.
func (m *Machine) Restart() {
	m.Disconnected()
	if m.Forgotten {
		return
	}
	for _, h := range m.HTLCs {
		m.announce(h)
	}
	if m.Failure != "" && (m.Confirmed == wire.Txid{} || !m.inFactory()) {
		m.act(Closed{m.Failure})
		m.broadcast()
	}
	if f := m.changing(); f != nil && !f.Did.has(sentContinue) && m.on(rule.PCF149) {
		m.act(AskContinue{f.Txid})
	}
	for _, f := range m.Fundings {
		if f.Did.has(gotLocked) && !f.Did.has(wantLocked) {
			m.act(AskLock{f.Txid})
		}
	}
}

// Connected says that init has been exchanged on a new connection.
func (m *Machine) Connected() {
	switch {
	case m.Forgotten || m.ID == (wire.ChannelID{}):
	case m.Failure != "" && m.on(rule.PCF169):
		m.send(m.errorMessage())
	default:
		m.sayReestablish()
	}
}

// Disconnected says that the connection ended: updates that were not signed
// are taken back, by both sides, and negotiations are over.
func (m *Machine) Disconnected() {
	m.established, m.asked, m.lockedBefore = false, false, wire.Txid{}
	m.created, m.batch, m.closing = nil, nil, closing{}
	m.quiet = quiescence{}
	m.forgetChange("the connection ended")
	m.takeBack()
	if m.Side == commitment.Opener && (!m.GotSigned || m.inFactory() && !m.on(rule.PCF095)) {
		m.Forgotten = true // nothing was broadcast: BOLT 2 forgets, PCF-095 begins at funding_signed
	}
}
