package wire

import "superscalar/wire/rule"

// Change is the record that factory_change_init and factory_change_ack share.
type Change struct {
	ChannelID              ChannelID
	FundingContributionSat int64 // sat; negative takes out of the channel
	FundingPubkey          Point
}

// ChangeInit begins a factory change on a channel. Section 3.8 of SPEC.md.
type ChangeInit struct {
	inEnvelope
	Change  Change
	Payload []byte // piggybacked, nil when absent
	Extra   Stream
}

// Name implements Message.
func (*ChangeInit) Name() string        { return "factory_change_init" }
func (*ChangeInit) Submessage() SubType { return SubChangeInit }
func (m *ChangeInit) read(r *Reader) {
	m.Extra = readChange(r, &m.Change, &m.Payload, rule.PCF100)
}
func (m *ChangeInit) write(w *writer) {
	writeChange(w, SubChangeInit, m.Change, m.Payload, m.Extra)
}

// ChangeAck agrees to a factory change. Section 3.8 of SPEC.md.
type ChangeAck struct {
	inEnvelope
	Change  Change
	Payload []byte // piggybacked, nil when absent
	Extra   Stream
}

// Name implements Message.
func (*ChangeAck) Name() string        { return "factory_change_ack" }
func (*ChangeAck) Submessage() SubType { return SubChangeAck }
func (m *ChangeAck) read(r *Reader) {
	m.Extra = readChange(r, &m.Change, &m.Payload, rule.PCF101)
}
func (m *ChangeAck) write(w *writer) {
	writeChange(w, SubChangeAck, m.Change, m.Payload, m.Extra)
}

func readChange(r *Reader, c *Change, payload *[]byte, missing rule.ID) Stream {
	var has bool
	extra := r.Stream(payloadRecord(payload), RecordType{recordChange, "factory_change", func(v *Reader) {
		has = true
		c.ChannelID = v.Array32("channel_id")
		c.FundingContributionSat = v.S64("funding_contribution_satoshis")
		c.FundingPubkey = v.Point("funding_pubkey")
	}})
	r.require(has, "factory_change", missing)
	return extra
}

func writeChange(w *writer, sub SubType, c Change, payload []byte, extra Stream) {
	v := &writer{codec: w.codec}
	v.bytes(c.ChannelID[:])
	v.s64(c.FundingContributionSat)
	v.bytes(c.FundingPubkey[:])
	known := Stream{{recordChange, v.b}}
	if payload != nil {
		known = append(known, Record{recordPayload, payload})
	}
	w.sub(sub)
	w.stream(known, extra)
}

// ChangeOutpoint is the record that factory_change_funding and
// factory_change_continue share: the channel and its new funding outpoint.
type ChangeOutpoint struct {
	ChannelID          ChannelID
	FundingTxid        Txid
	FundingOutputIndex uint16
}

// ChangeFunding names the new funding outpoint. Section 3.8 of SPEC.md.
type ChangeFunding struct {
	inEnvelope
	Outpoint ChangeOutpoint
	Extra    Stream
}

// Name implements Message.
func (*ChangeFunding) Name() string        { return "factory_change_funding" }
func (*ChangeFunding) Submessage() SubType { return SubChangeFunding }
func (m *ChangeFunding) read(r *Reader) {
	m.Extra = readOutpoint(r, &m.Outpoint, recordChangeFunding, m.Name(), rule.PCF102)
}
func (m *ChangeFunding) write(w *writer) {
	writeOutpoint(w, SubChangeFunding, recordChangeFunding, m.Outpoint, m.Extra)
}

// ChangeContinue says that the new factory state is complete and stored.
// Section 3.8 of SPEC.md.
type ChangeContinue struct {
	inEnvelope
	Outpoint ChangeOutpoint
	Extra    Stream
}

// Name implements Message.
func (*ChangeContinue) Name() string        { return "factory_change_continue" }
func (*ChangeContinue) Submessage() SubType { return SubChangeContinue }
func (m *ChangeContinue) read(r *Reader) {
	m.Extra = readOutpoint(r, &m.Outpoint, recordChangeContinue, m.Name(), rule.PCF103)
}
func (m *ChangeContinue) write(w *writer) {
	writeOutpoint(w, SubChangeContinue, recordChangeContinue, m.Outpoint, m.Extra)
}

func readOutpoint(r *Reader, o *ChangeOutpoint, record uint64, name string, missing rule.ID) Stream {
	var has bool
	extra := r.Stream(RecordType{record, name, func(v *Reader) {
		has = true
		o.ChannelID = v.Array32("channel_id")
		o.FundingTxid = v.Array32("funding_txid")
		o.FundingOutputIndex = v.U16("funding_output_index")
	}})
	r.require(has, name, missing)
	return extra
}

func writeOutpoint(w *writer, sub SubType, record uint64, o ChangeOutpoint, extra Stream) {
	v := &writer{codec: w.codec}
	v.bytes(o.ChannelID[:])
	v.bytes(o.FundingTxid[:])
	v.u16(o.FundingOutputIndex)
	w.sub(sub)
	w.stream(Stream{{record, v.b}}, extra)
}

// ChangeLocked says that the replaced factory state is dead. Section 3.8 of
// SPEC.md.
type ChangeLocked struct {
	inEnvelope
	ChannelID         ChannelID
	LockedFundingTxid Txid
	Extra             Stream
}

// Name implements Message.
func (*ChangeLocked) Name() string        { return "factory_change_locked" }
func (*ChangeLocked) Submessage() SubType { return SubChangeLocked }

func (m *ChangeLocked) read(r *Reader) {
	var has bool
	m.Extra = r.Stream(RecordType{recordChangeLocked, m.Name(), func(v *Reader) {
		has = true
		m.ChannelID = v.Array32("channel_id")
		m.LockedFundingTxid = v.Array32("locked_funding_txid")
	}})
	r.require(has, m.Name(), rule.PCF104)
}

func (m *ChangeLocked) write(w *writer) {
	w.sub(SubChangeLocked)
	v := append(append([]byte{}, m.ChannelID[:]...), m.LockedFundingTxid[:]...)
	w.stream(Stream{{recordChangeLocked, v}}, m.Extra)
}

// ChangeAbort calls a factory change off. Section 3.8 of SPEC.md.
type ChangeAbort struct {
	inEnvelope
	ChannelID ChannelID
	Data      []byte // the reason, for a log
	Extra     Stream
}

// Name implements Message.
func (*ChangeAbort) Name() string        { return "factory_change_abort" }
func (*ChangeAbort) Submessage() SubType { return SubChangeAbort }

func (m *ChangeAbort) read(r *Reader) {
	var has bool
	m.Extra = r.Stream(RecordType{recordChangeAbort, m.Name(), func(v *Reader) {
		has = true
		m.ChannelID = v.Array32("channel_id")
		m.Data = v.Rest()
	}})
	r.require(has, m.Name(), rule.PCF105)
}

func (m *ChangeAbort) write(w *writer) {
	w.sub(SubChangeAbort)
	w.stream(Stream{{recordChangeAbort, append(append([]byte{}, m.ChannelID[:]...), m.Data...)}}, m.Extra)
}

// ChangedChannel returns the channel a factory_change_* message is about.
func ChangedChannel(m Message) (ChannelID, bool) {
	switch m := m.(type) {
	case *ChangeInit:
		return m.Change.ChannelID, true
	case *ChangeAck:
		return m.Change.ChannelID, true
	case *ChangeFunding:
		return m.Outpoint.ChannelID, true
	case *ChangeContinue:
		return m.Outpoint.ChannelID, true
	case *ChangeLocked:
		return m.ChannelID, true
	case *ChangeAbort:
		return m.ChannelID, true
	}
	return ChannelID{}, false
}
