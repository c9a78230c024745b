package channel

import (
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// maxBatch is the largest batch_size (BOLT 2), and with it 19 pending changes
// beside the current output (PCF-107).
const maxBatch = 20

// batch collects the messages that start_batch announced.
type batch struct {
	size int
	msgs []*wire.CommitmentSigned
}

// startBatch handles start_batch.
func (m *Machine) startBatch(msg *wire.StartBatch) {
	switch {
	case msg.BatchSize > maxBatch && m.on(rule.PCF131):
		m.warn(rule.PCF131, fmt.Sprintf("batch_size %d is above %d", msg.BatchSize, maxBatch))
	case m.on(rule.PCF132) && (msg.BatchSize < 2 || msg.MessageType == nil || *msg.MessageType != uint16(wire.TypeCommitmentSigned)):
		// ignored: what follows is processed one by one
	default:
		m.batch = &batch{size: int(msg.BatchSize)}
	}
}

// batched takes a message that belongs to an open batch and reports whether it
// did. Anything but a commitment_signed breaks the batch off.
func (m *Machine) batched(msg wire.Message) bool {
	b := m.batch
	if b == nil {
		return false
	}
	commit, ok := msg.(*wire.CommitmentSigned)
	if !ok || commit.ChannelID != m.ID {
		if !m.on(rule.PCF131) {
			return false
		}
		m.warn(rule.PCF131, msg.Name()+" in a batch of commitment_signed of another kind or channel")
		return true
	}
	b.msgs = append(b.msgs, commit)
	if len(b.msgs) == b.size {
		m.batch = nil
		m.wholeBatch(b.msgs)
	}
	return true
}

// Batching reports whether the peer is in the middle of a batch for this
// channel: whatever comes next on the connection has to be handed to Receive,
// also when it names another channel (PCF-131).
func (m *Machine) Batching() bool { return m.batch != nil }

// wholeBatch processes a batch: one commitment_signed for each output, those
// for outputs that are none any more left out (PCF-133, PCF-135).
func (m *Machine) wholeBatch(msgs []*wire.CommitmentSigned) {
	if m.stands() {
		m.warn(rule.PCF138, "commitment_signed while a change stands on the last one")
		return
	}
	if !m.operational() {
		m.warn("", "commitment_signed before channel_ready was exchanged")
		return
	}
	byTxid := map[wire.Txid]*wire.CommitmentSigned{}
	for _, msg := range msgs {
		if msg.FundingTxid == nil {
			m.fail(rule.PCF133, "a batch has a commitment_signed without funding_txid")
			return
		}
		byTxid[*msg.FundingTxid] = msg
	}
	fundings := m.activeFundings()
	if len(fundings) == 1 && len(byTxid) > 1 && !m.on(rule.PCF135) {
		m.fail(rule.PCF135, "a batch for outputs that are none")
		return
	}
	var ordered []*wire.CommitmentSigned
	for _, f := range fundings {
		msg := byTxid[f.Txid]
		if msg == nil && m.on(rule.PCF133) {
			m.fail(rule.PCF133, fmt.Sprintf("a batch lacks funding transaction %v", f.Txid))
			return
		}
		if msg != nil {
			ordered = append(ordered, msg)
		}
	}
	if len(ordered) > 0 {
		m.accept(ordered)
	}
}
