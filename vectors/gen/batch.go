package gen

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

const batchComment = "What a side of a channel sends to sign the next commitment of the other, the owner, on every funding output: the first of outputs is in use, the others are those of changes that are continued and not locked. messages come one after the other on one connection, and nothing before them waits. taken are the txids whose signatures are taken, in the order of outputs; revoke_and_ack answers once. Bad: nothing is taken. The error is a warning with the end of the connection, or an error, the channel failing, where SPEC.md names it; or, as in kind commitment, a wrong signature."

// batches are signatures on one, two and three outputs, and what is wrong with
// such messages.
func batches() (vectors.File, error) {
	f := file("CHAN", "batch", "SPEC.md 3.8 and 8.2; values random", batchComment)
	add := func(list []*vectors.Batch, err error) error {
		for _, v := range list {
			f.Vectors = append(f.Vectors, v)
		}
		return err
	}
	err := add(goodBatches())
	if err == nil {
		err = add(badBatches())
	}
	return f, err
}

// batchDraft is a batch in the making: what is right on each output, and the
// messages, which a vector may change.
type batchDraft struct {
	v       *vectors.Batch
	commits []*wire.CommitmentSigned
	msgs    []wire.Message
}

// newBatch drafts the messages for so many pending changes.
func newBatch(name, kind, owner string, pending int, rules ...rule.ID) (*batchDraft, error) {
	c := baseCommitment(kind, owner)
	v := &vectors.Batch{
		Head: head(name, rules...), Type: kind, Owner: owner, Number: c.Number, Point: c.Point, Opener: c.Opener, Accepter: c.Accepter,
		DustLimit: c.DustLimit, Delay: c.Delay, Feerate: c.Feerate, HTLCs: mixedHTLCs(2, 20_000_000),
	}
	d := &batchDraft{v: v}
	for i := range pending + 1 {
		txid := sha256.Sum256(fmt.Append(nil, "superscalar vectors batch ", i))
		v.Outputs = append(v.Outputs, vectors.BatchOutput{
			FundingTxid: txid[:], FundingOutput: uint32(i), FundingSat: vectors.Uint(1_000_000 + 40_000*i),
			OpenerMsat: vectors.Uint(581_000_000 + 50_000_000*i), AccepterMsat: vectors.Uint(380_000_000 - 10_000_000*i),
		})
	}
	id := channel.ChannelIDOf(wire.Txid(v.Outputs[0].FundingTxid), uint16(v.Outputs[0].FundingOutput))
	v.ChannelID = id[:]
	for i := range v.Outputs {
		m, err := d.signs(i, v.Number)
		if err != nil {
			return nil, err
		}
		d.commits = append(d.commits, m)
	}
	d.msgs = d.batchOf(len(d.commits), kindOf(132), d.commits...)
	if pending == 0 {
		d.msgs = d.msgs[1:]
	}
	return d, nil
}

func (d *batchDraft) batchOf(size int, kind *uint16, commits ...*wire.CommitmentSigned) []wire.Message {
	out := []wire.Message{&wire.StartBatch{ChannelID: wire.ChannelID(d.v.ChannelID), BatchSize: uint16(size), MessageType: kind}}
	for _, m := range commits {
		out = append(out, m)
	}
	return out
}

// onOutput is the commitment on output i as a vector of its own.
func onOutput(v *vectors.Batch, i int, number vectors.Uint) *vectors.Commitment {
	o := v.Outputs[i]
	return &vectors.Commitment{
		ChannelType: v.Type, Owner: v.Owner, FundingTxid: o.FundingTxid, FundingOutput: o.FundingOutput, FundingSat: o.FundingSat,
		Number: number, Point: v.Point, Opener: v.Opener, Accepter: v.Accepter, DustLimit: v.DustLimit, Delay: v.Delay, Feerate: v.Feerate,
		OpenerMsat: o.OpenerMsat, AccepterMsat: o.AccepterMsat, HTLCs: v.HTLCs,
	}
}

// signs is the commitment_signed for output i.
func (d *batchDraft) signs(i int, number vectors.Uint) (*wire.CommitmentSigned, error) {
	c, err := runner{}.channelCase(onOutput(d.v, i, number))
	if err != nil {
		return nil, err
	}
	built, err := c.build()
	if err != nil {
		return nil, err
	}
	other := c.owner.Other()
	txid := wire.Txid(d.v.Outputs[i].FundingTxid)
	m := &wire.CommitmentSigned{ChannelID: wire.ChannelID(d.v.ChannelID), FundingTxid: &txid}
	m.Signature, m.HTLCSignatures, err = built.Sign(c.keys[other], c.secrets[other])
	return m, err
}

// copied is one of the messages that may be changed.
func (d *batchDraft) copied(i int) *wire.CommitmentSigned {
	m := *d.commits[i]
	m.HTLCSignatures = slices.Clone(m.HTLCSignatures)
	return &m
}

// write puts the messages into the vector.
func (d *batchDraft) write() *vectors.Batch {
	for _, m := range d.msgs {
		d.v.Messages = append(d.v.Messages, talkMessage(encoded(m)))
	}
	return d.v
}

// good completes a vector with its results.
func (d *batchDraft) good() (*vectors.Batch, error) {
	d.write()
	for i := range d.v.Outputs {
		o := &d.v.Outputs[i]
		done, err := signedVector(onOutput(d.v, i, d.v.Number))
		if err != nil {
			return nil, err
		}
		o.Tx, o.Txid, o.Sighash, o.HTLCTxs = done.Tx, done.Txid, done.Sighash, done.HTLCTxs
		o.Signature, o.HTLCSignatures = done.Signature, done.HTLCSignatures
		d.v.Taken = append(d.v.Taken, o.FundingTxid)
	}
	return d.v, nil
}

func goodBatches() ([]*vectors.Batch, error) {
	var out []*vectors.Batch
	var failed []error
	add := func(d *batchDraft, err error, change func(d *batchDraft)) {
		if err == nil {
			if change != nil {
				change(d)
			}
			var v *vectors.Batch
			v, err = d.good()
			out = append(out, v)
		}
		failed = append(failed, err)
	}
	all := []rule.ID{rule.PCF130, rule.PCF137, rule.PCF144, rule.CHAN030, rule.CHAN031, rule.CHAN032}
	for _, kind := range []string{"option_anchors", "zero_fee_commitments"} {
		for _, owner := range bothSides {
			for pending := range 3 {
				d, err := newBatch(slug("batch", kind, fmt.Sprint(pending), "pending of", owner), kind, owner, pending, all...)
				add(d, err, nil)
			}
		}
	}
	d, err := newBatch("batch-in-another-order", "option_anchors", "opener", 2, rule.PCF130, rule.PCF133)
	add(d, err, func(d *batchDraft) { d.msgs = d.batchOf(3, kindOf(132), d.commits[2], d.commits[0], d.commits[1]) })
	d, err = newBatch("batch-with-an-output-that-is-none-any-more", "option_anchors", "accepter", 0, rule.PCF135)
	add(d, err, func(d *batchDraft) {
		gone := d.copied(0)
		txid := wire.Txid(sha256.Sum256([]byte("superscalar vectors batch gone")))
		gone.FundingTxid = &txid
		d.msgs = d.batchOf(2, kindOf(132), gone, d.commits[0])
	})
	d, err = newBatch("batch-of-1-with-one-output", "option_anchors", "opener", 0, rule.PCF132)
	add(d, err, func(d *batchDraft) { d.msgs = d.batchOf(1, kindOf(132), d.commits[0]) })
	d, err = newBatch("batch-without-a-type-with-one-output", "option_anchors", "accepter", 0, rule.PCF132)
	add(d, err, func(d *batchDraft) { d.msgs = d.batchOf(2, nil, d.commits[0]) })
	return out, errors.Join(failed...)
}

// batch checks a vector: which messages are taken, and what they sign.
func (r runner) batch(v *vectors.Batch) error {
	msgs, err := r.batchMessages(v)
	if err != nil {
		return err
	}
	var fundings []wire.Txid
	for _, o := range v.Outputs {
		fundings = append(fundings, wire.Txid(o.FundingTxid))
	}
	taken, err := channel.ReadBatch(r.rules, wire.ChannelID(v.ChannelID), fundings, msgs)
	var fault *channel.BatchFault
	if errors.As(err, &fault) {
		return sameBatchFault(v, fault)
	}
	if err != nil {
		return err
	}
	for i, m := range taken {
		if i >= len(fundings) {
			return fmt.Errorf("%d signatures are taken for %d outputs", len(taken), len(fundings))
		}
		if done, err := r.batchOutput(v, i, m); done || err != nil {
			return err
		}
	}
	if v.Error != nil {
		return fmt.Errorf("accepted, want %s at %s", v.Error.Kind, v.Error.Field)
	}
	return sameTaken(v, taken)
}

func (r runner) batchMessages(v *vectors.Batch) ([]wire.Message, error) {
	if len(v.ChannelID) != 32 || len(v.Outputs) == 0 {
		return nil, errors.New("no channel or no output")
	}
	for _, o := range v.Outputs {
		if len(o.FundingTxid) != 32 {
			return nil, fmt.Errorf("a txid of %d bytes", len(o.FundingTxid))
		}
	}
	if id := channel.ChannelIDOf(wire.Txid(v.Outputs[0].FundingTxid), uint16(v.Outputs[0].FundingOutput)); string(id[:]) != string(v.ChannelID) {
		return nil, fmt.Errorf("the channel id is %x, want %x", id, v.ChannelID)
	}
	var out []wire.Message
	for _, said := range v.Messages {
		m, err := r.codec.Decode(said.Bytes)
		if err != nil {
			return nil, err
		}
		name, d, err := vectors.Decode(m)
		if err != nil || name != said.Name {
			return nil, fmt.Errorf("the message is %s (%v), want %s", name, err, said.Name)
		}
		if err := sameDecoded(d, said.Decoded); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, m)
	}
	return out, nil
}

// batchOutput checks the signatures for output i; done says that they were
// refused as the vector asks.
func (r runner) batchOutput(v *vectors.Batch, i int, m *wire.CommitmentSigned) (done bool, err error) {
	c, err := r.channelCase(onOutput(v, i, v.Number))
	if err != nil {
		return false, err
	}
	built, err := c.build()
	if err != nil {
		return false, err
	}
	if err := built.Verify(m.Signature, m.HTLCSignatures); err != nil {
		return true, sameRefusal(&vectors.Commitment{Outcome: v.Outcome}, err)
	}
	if v.Error != nil {
		return false, nil
	}
	got := &vectors.Commitment{Signature: m.Signature[:]}
	if err := fillCommitment(got, c, built); err != nil {
		return false, err
	}
	o := v.Outputs[i]
	err = errors.Join(sameBytes("commitment_tx", got.Tx, o.Tx), sameBytes("txid", got.Txid, o.Txid), sameBytes("sighash", got.Sighash, o.Sighash),
		sameBytes("signature", m.Signature[:], o.Signature))
	if len(got.HTLCTxs) != len(o.HTLCTxs) || len(m.HTLCSignatures) != len(o.HTLCSignatures) {
		return false, fmt.Errorf("%d HTLC transactions, want %d", len(got.HTLCTxs), len(o.HTLCTxs))
	}
	for k, h := range got.HTLCTxs {
		err = errors.Join(err, sameBytes("tx", h.Tx, o.HTLCTxs[k].Tx), sameBytes("sighash", h.Sighash, o.HTLCTxs[k].Sighash),
			sameBytes("htlc_signature", m.HTLCSignatures[k][:], o.HTLCSignatures[k]))
	}
	return false, err
}

func sameBatchFault(v *vectors.Batch, fault *channel.BatchFault) error {
	kind := "warning"
	if fault.Fails {
		kind = "error"
	}
	if want := v.Error; want == nil || want.Kind != kind || want.Rule != fault.Rule {
		return fmt.Errorf("refused with %s for %s: %s", kind, fault.Rule, fault.Reason)
	}
	return nil
}

func sameTaken(v *vectors.Batch, taken []*wire.CommitmentSigned) error {
	if len(taken) != len(v.Taken) {
		return fmt.Errorf("%d signatures are taken, want %d", len(taken), len(v.Taken))
	}
	for i, m := range taken {
		if m.FundingTxid == nil || string(m.FundingTxid[:]) != string(v.Taken[i]) {
			return fmt.Errorf("taken %d is for another output", i)
		}
	}
	return nil
}
