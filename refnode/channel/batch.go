package channel

import (
	"errors"
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// maxBatch is the largest batch_size (BOLT 2), and with it 19 pending changes
// beside the current output (PCF-107).
const maxBatch = 20

// BatchFault is why signatures for the outputs of a channel are not taken.
type BatchFault struct {
	Rule   rule.ID // that asks for it
	Fails  bool    // the channel fails; else a warning, and the end of the connection
	Reason string
}

func (f *BatchFault) Error() string { return f.Reason }

// ReadBatch reads the messages with which a peer signs one commitment on the
// outputs of funding transactions, the one in use first, all of them continued.
// It returns what it takes, in the order of the outputs. The error is
// *BatchFault; signatures are not looked at.
func ReadBatch(rules rule.Set, id wire.ChannelID, fundings []wire.Txid, msgs []wire.Message) ([]*wire.CommitmentSigned, error) {
	var open *batch
	for _, msg := range msgs {
		if open != nil {
			whole, fault := open.take(rules, id, msg)
			switch {
			case fault != nil && rules.On(rule.PCF131):
				return nil, fault
			case whole:
				return inOrder(rules, fundings, open.msgs)
			}
			continue
		}
		switch msg := msg.(type) {
		case *wire.StartBatch:
			b, fault := begin(rules, msg)
			if fault != nil {
				return nil, fault
			}
			open = b
		case *wire.CommitmentSigned:
			return alone(rules, fundings, msg)
		}
	}
	return nil, &BatchFault{Rule: rule.PCF133, Reason: "there is no whole batch"}
}

// begin returns the batch that start_batch announces; nil for one that is to be
// ignored.
func begin(rules rule.Set, msg *wire.StartBatch) (*batch, *BatchFault) {
	switch {
	case msg.BatchSize > maxBatch && rules.On(rule.PCF131):
		return nil, &BatchFault{Rule: rule.PCF131, Reason: fmt.Sprintf("batch_size %d is above %d", msg.BatchSize, maxBatch)}
	case rules.On(rule.PCF132) && (msg.BatchSize < 2 || msg.MessageType == nil || *msg.MessageType != uint16(wire.TypeCommitmentSigned)):
		return nil, nil // what follows is processed one by one
	}
	return &batch{size: int(msg.BatchSize)}, nil
}

// batch collects the messages that start_batch announced.
type batch struct {
	size int
	msgs []*wire.CommitmentSigned
}

// take adds a message and reports whether the batch is whole. Anything but a
// commitment_signed of the channel breaks it off.
func (b *batch) take(rules rule.Set, id wire.ChannelID, msg wire.Message) (whole bool, fault *BatchFault) {
	commit, ok := msg.(*wire.CommitmentSigned)
	if !ok || commit.ChannelID != id {
		return false, &BatchFault{Rule: rule.PCF131, Reason: msg.Name() + " in a batch of commitment_signed of another kind or channel"}
	}
	b.msgs = append(b.msgs, commit)
	return len(b.msgs) == b.size, nil
}

// inOrder finds the message for each output in a whole batch; those for outputs
// that are none any more are left out (PCF-133, PCF-135).
func inOrder(rules rule.Set, fundings []wire.Txid, msgs []*wire.CommitmentSigned) ([]*wire.CommitmentSigned, error) {
	byTxid := map[wire.Txid]*wire.CommitmentSigned{}
	for _, msg := range msgs {
		switch {
		case msg.FundingTxid != nil:
			byTxid[*msg.FundingTxid] = msg
		case rules.On(rule.PCF133):
			return nil, &BatchFault{rule.PCF133, true, "a batch has a commitment_signed without funding_txid"}
		}
	}
	if len(fundings) == 1 && len(byTxid) > 1 && !rules.On(rule.PCF135) {
		return nil, &BatchFault{rule.PCF135, true, "a batch for outputs that are none"}
	}
	var ordered []*wire.CommitmentSigned
	for _, txid := range fundings {
		msg := byTxid[txid]
		if msg == nil && rules.On(rule.PCF133) {
			return nil, &BatchFault{rule.PCF133, true, fmt.Sprintf("a batch lacks funding transaction %v", txid)}
		}
		if msg != nil {
			ordered = append(ordered, msg)
		}
	}
	return ordered, nil
}

// alone judges a commitment_signed that is in no batch.
func alone(rules rule.Set, fundings []wire.Txid, msg *wire.CommitmentSigned) ([]*wire.CommitmentSigned, error) {
	if len(fundings) > 1 && rules.On(rule.PCF133) {
		return nil, &BatchFault{rule.PCF133, true, "an update is not signed in a batch"}
	}
	if msg.FundingTxid != nil && *msg.FundingTxid != fundings[0] {
		return nil, &BatchFault{Reason: fmt.Sprintf("commitment_signed for funding transaction %v", *msg.FundingTxid)}
	}
	return []*wire.CommitmentSigned{msg}, nil
}

// startBatch handles start_batch.
func (m *Machine) startBatch(msg *wire.StartBatch) {
	b, fault := begin(m.cfg.Rules, msg)
	if fault != nil {
		m.refuse(fault)
		return
	}
	if b != nil {
		m.batch = b
	}
}

// batched takes a message that belongs to an open batch and reports whether it
// did.
func (m *Machine) batched(msg wire.Message) bool {
	b := m.batch
	if b == nil {
		return false
	}
	whole, fault := b.take(m.cfg.Rules, m.ID, msg)
	switch {
	case fault != nil && !m.on(rule.PCF131):
		return false
	case fault != nil:
		m.refuse(fault)
	case whole:
		m.batch = nil
		m.wholeBatch(b.msgs)
	}
	return true
}

// Batching reports whether the peer is in the middle of a batch for this
// channel: whatever comes next on the connection has to be handed to Receive,
// also when it names another channel (PCF-131).
func (m *Machine) Batching() bool { return m.batch != nil && !m.over() }

// wholeBatch processes a batch: one commitment_signed for each output.
func (m *Machine) wholeBatch(msgs []*wire.CommitmentSigned) {
	if m.mayCommit() {
		ordered, err := inOrder(m.cfg.Rules, m.activeTxids(), msgs)
		m.acceptUnless(err, ordered)
	}
}

// mayCommit reports whether commitment_signed for outputs in use may come now,
// and answers it when not.
func (m *Machine) mayCommit() bool {
	switch {
	case m.stands():
		m.warn(rule.PCF138, "commitment_signed while a change stands on the last one")
	case !m.operational():
		m.early(&wire.CommitmentSigned{})
	default:
		return true
	}
	return false
}

func (m *Machine) activeTxids() []wire.Txid {
	var out []wire.Txid
	for _, f := range m.activeFundings() {
		out = append(out, f.Txid)
	}
	return out
}

// acceptUnless takes signatures, or answers what is wrong with their messages.
func (m *Machine) acceptUnless(err error, ordered []*wire.CommitmentSigned) {
	var fault *BatchFault
	switch {
	case errors.As(err, &fault):
		m.refuse(fault)
	case len(ordered) > 0:
		m.accept(ordered)
	}
}

func (m *Machine) refuse(f *BatchFault) {
	if f.Fails {
		m.fail(f.Rule, f.Reason)
	} else {
		m.warn(f.Rule, f.Reason)
	}
}
