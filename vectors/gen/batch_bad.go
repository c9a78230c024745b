package gen

import (
	"errors"
	"fmt"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// badBatch is one fault in the messages for three outputs.
type badBatch struct {
	name, kind, field string
	rule              rule.ID
	also              []rule.ID
	change            func(d *batchDraft) error
}

// badBatches have one fault each, for one owner and the other in turn.
func badBatches() ([]*vectors.Batch, error) {
	var out []*vectors.Batch
	var failed []error
	for i, c := range badBatchList() {
		owner := bothSides[i%2]
		d, err := newBatch(slug("batch bad", c.name, "of", owner), "option_anchors", owner, 2, append([]rule.ID{c.rule}, c.also...)...)
		if err == nil {
			err = c.change(d)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("batch %s: %w", c.name, err))
			continue
		}
		d.v.Outcome = blame("sender", c.kind, c.field, -1, c.rule)
		out = append(out, d.write())
	}
	return out, errors.Join(failed...)
}

func badBatchList() []badBatch {
	return append(wrongSizes(), wrongSignatures()...)
}

// says is a change that cannot fail.
func says(change func(d *batchDraft) []wire.Message) func(d *batchDraft) error {
	return func(d *batchDraft) error {
		d.msgs = change(d)
		return nil
	}
}

// wrongSizes are batches whose messages are not the right ones.
func wrongSizes() []badBatch {
	size := func(n int) func(d *batchDraft) error {
		return says(func(d *batchDraft) []wire.Message { return d.batchOf(n, kindOf(132), d.commits...) })
	}
	in := func(at int, change func(m *wire.CommitmentSigned, d *batchDraft)) func(d *batchDraft) error {
		return says(func(d *batchDraft) []wire.Message {
			m := d.copied(at)
			change(m, d)
			d.commits[at] = m
			return d.batchOf(3, kindOf(132), d.commits...)
		})
	}
	return []badBatch{
		{"lacks the output in use", "error", "funding_txid", rule.PCF133, nil, says(func(d *batchDraft) []wire.Message {
			return d.batchOf(2, kindOf(132), d.commits[1], d.commits[2])
		})},
		{"lacks a pending output", "error", "funding_txid", rule.PCF133, nil, says(func(d *batchDraft) []wire.Message {
			return d.batchOf(2, kindOf(132), d.commits[0], d.commits[2])
		})},
		{"size too small", "error", "batch_size", rule.PCF133, nil, size(2)},
		{"size too large", "warning", "batch_size", rule.PCF131, nil, says(func(d *batchDraft) []wire.Message {
			return append(d.batchOf(4, kindOf(132), d.commits...), &wire.Stfu{ChannelID: d.commits[0].ChannelID})
		})},
		{"size 0", "error", "batch_size", rule.PCF133, []rule.ID{rule.PCF132}, size(0)},
		{"size 1", "error", "batch_size", rule.PCF133, []rule.ID{rule.PCF132}, size(1)},
		{"size 21", "warning", "batch_size", rule.PCF131, nil, size(21)},
		{"other message type", "error", "message_type", rule.PCF133, []rule.ID{rule.PCF132}, says(func(d *batchDraft) []wire.Message {
			return d.batchOf(3, kindOf(133), d.commits...)
		})},
		{"no message type", "error", "message_type", rule.PCF133, []rule.ID{rule.PCF132}, says(func(d *batchDraft) []wire.Message {
			return d.batchOf(3, nil, d.commits...)
		})},
		{"no start batch", "error", "start_batch", rule.PCF133, nil, says(func(d *batchDraft) []wire.Message { return d.msgs[1:] })},
		{"start batch comes second", "error", "start_batch", rule.PCF133, nil, says(func(d *batchDraft) []wire.Message {
			return []wire.Message{d.msgs[1], d.msgs[0], d.msgs[2], d.msgs[3]}
		})},
		{"something in between", "warning", "start_batch", rule.PCF131, nil, says(func(d *batchDraft) []wire.Message {
			return []wire.Message{d.msgs[0], d.msgs[1], &wire.Stfu{ChannelID: d.commits[0].ChannelID}, d.msgs[2], d.msgs[3]}
		})},
		{"message for another channel", "warning", "channel_id", rule.PCF131, nil, in(1, func(m *wire.CommitmentSigned, _ *batchDraft) { m.ChannelID[5] ^= 1 })},
		{"no funding txid", "error", "funding_txid", rule.PCF133, nil, in(2, func(m *wire.CommitmentSigned, _ *batchDraft) { m.FundingTxid = nil })},
		{"funding txid twice", "error", "funding_txid", rule.PCF133, nil, in(2, func(m *wire.CommitmentSigned, d *batchDraft) { m.FundingTxid = d.commits[1].FundingTxid })},
		{"unknown funding txid", "error", "funding_txid", rule.PCF133, nil, in(0, func(m *wire.CommitmentSigned, _ *batchDraft) {
			other := *m.FundingTxid
			other[31] ^= 1
			m.FundingTxid = &other
		})},
	}
}

// wrongSignatures are batches in which a signature is not that of its output.
func wrongSignatures() []badBatch {
	of := func(at int, change func(m *wire.CommitmentSigned, d *batchDraft) error) func(d *batchDraft) error {
		return func(d *batchDraft) error {
			m := d.copied(at)
			err := change(m, d)
			d.commits[at] = m
			d.msgs = d.batchOf(3, kindOf(132), d.commits...)
			return err
		}
	}
	return []badBatch{
		{"signature of another output", "wrong-signature", "signature", rule.CHAN032, nil, of(1, func(m *wire.CommitmentSigned, d *batchDraft) error {
			m.Signature = d.commits[2].Signature
			return nil
		})},
		{"signature of the output in use", "wrong-signature", "signature", rule.CHAN032, nil, of(2, func(m *wire.CommitmentSigned, d *batchDraft) error {
			m.Signature = d.commits[0].Signature
			return nil
		})},
		{"htlc signatures of another output", "wrong-signature", "htlc_signatures", rule.CHAN032, nil, of(1, func(m *wire.CommitmentSigned, d *batchDraft) error {
			m.HTLCSignatures = d.commits[0].HTLCSignatures
			return nil
		})},
		{"htlc signature missing", "wrong-count", "htlc_signatures", rule.CHAN032, nil, of(2, func(m *wire.CommitmentSigned, _ *batchDraft) error {
			m.HTLCSignatures = m.HTLCSignatures[:1]
			return nil
		})},
		{"signature of the commitment before", "wrong-signature", "signature", rule.CHAN032, nil, of(1, func(m *wire.CommitmentSigned, d *batchDraft) error {
			before, err := d.signs(1, d.v.Number-1)
			if err == nil {
				m.Signature, m.HTLCSignatures = before.Signature, before.HTLCSignatures
			}
			return err
		})},
		{"contribution of the wrong side", "wrong-signature", "signature", rule.CHAN030, []rule.ID{rule.CHAN032}, of(1, func(m *wire.CommitmentSigned, d *batchDraft) error {
			right := d.v.Outputs[1]
			d.v.Outputs[1].OpenerMsat -= 10_000_000 // what the accepter takes out
			d.v.Outputs[1].AccepterMsat += 10_000_000
			wrong, err := d.signs(1, d.v.Number)
			d.v.Outputs[1] = right
			if err == nil {
				m.Signature, m.HTLCSignatures = wrong.Signature, wrong.HTLCSignatures
			}
			return err
		})},
	}
}
