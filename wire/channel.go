package wire

import "superscalar/wire/rule"

// Stfu asks for quiescence, or agrees to it. BOLT 2, "Channel Quiescence".
type Stfu struct {
	ChannelID ChannelID
	Initiator uint8 // 1: asks; 0: answers
	Extra     Stream
}

// Name implements Message.
func (*Stfu) Name() string          { return "stfu" }
func (*Stfu) msgType(Codec) MsgType { return TypeStfu }

func (m *Stfu) read(r *Reader) {
	m.ChannelID = r.Array32("channel_id")
	m.Initiator = r.U8("initiator")
	m.Extra = r.Stream()
}

func (m *Stfu) write(w *writer) {
	w.bytes(m.ChannelID[:])
	w.u8(m.Initiator)
	w.stream(nil, m.Extra)
}

// StartBatch announces that the next BatchSize messages belong together.
// BOLT 2, "Batching channel messages"; PCF-130 to PCF-132.
type StartBatch struct {
	ChannelID   ChannelID
	BatchSize   uint16  // 2 to 20
	MessageType *uint16 // 132, nil when the record is absent
	Extra       Stream
}

// Name implements Message.
func (*StartBatch) Name() string          { return "start_batch" }
func (*StartBatch) msgType(Codec) MsgType { return TypeStartBatch }

func (m *StartBatch) read(r *Reader) {
	m.ChannelID = r.Array32("channel_id")
	m.BatchSize = r.U16("batch_size")
	m.Extra = r.Stream(RecordType{1, "message_type", func(v *Reader) {
		t := v.U16("message_type")
		m.MessageType = &t
	}})
}

func (m *StartBatch) write(w *writer) {
	w.bytes(m.ChannelID[:])
	w.u16(m.BatchSize)
	typ := uint64(1)
	if !w.codec.Rules.On(rule.PCF137) {
		typ = 3
	}
	var known Stream
	if m.MessageType != nil {
		known = Stream{{typ, []byte{byte(*m.MessageType >> 8), byte(*m.MessageType)}}}
	}
	w.stream(known, m.Extra)
}

// CommitmentSigned signs the peer's commitment and HTLC transactions on one
// funding output. BOLT 2, "Committing Updates So Far".
type CommitmentSigned struct {
	ChannelID      ChannelID
	Signature      Signature
	HTLCSignatures []Signature // at most 65,535, 483 in a valid channel
	FundingTxid    *Txid       // the funding output spent, nil when absent
	Extra          Stream
}

// Name implements Message.
func (*CommitmentSigned) Name() string          { return "commitment_signed" }
func (*CommitmentSigned) msgType(Codec) MsgType { return TypeCommitmentSigned }

func (m *CommitmentSigned) read(r *Reader) {
	m.ChannelID = r.Array32("channel_id")
	m.Signature = r.Signature("signature")
	n := int(r.U16("num_htlcs"))
	for i := 0; i < n && r.err == nil; i++ {
		m.HTLCSignatures = append(m.HTLCSignatures, r.Signature("htlc_signature"))
	}
	m.Extra = r.Stream(RecordType{1, "funding_txid", func(v *Reader) {
		id := Txid(v.Array32("funding_txid"))
		m.FundingTxid = &id
	}})
}

func (m *CommitmentSigned) write(w *writer) {
	w.bytes(m.ChannelID[:])
	w.bytes(m.Signature[:])
	if len(m.HTLCSignatures) > 0xffff {
		w.fail("num_htlcs", TooLong, "")
		return
	}
	w.u16(uint16(len(m.HTLCSignatures)))
	for _, s := range m.HTLCSignatures {
		w.bytes(s[:])
	}
	var known Stream
	if m.FundingTxid != nil {
		known = Stream{{1, m.FundingTxid[:]}}
	}
	w.stream(known, m.Extra)
}

// FundingState is a txid with flags, as channel_reestablish carries it.
type FundingState struct {
	Txid            Txid
	RetransmitFlags uint8
}

// ChannelReestablish brings both sides of a channel together after a
// reconnection. BOLT 2, "Message Retransmission"; PCF-150, PCF-151.
type ChannelReestablish struct {
	ChannelID                   ChannelID
	NextCommitmentNumber        uint64
	NextRevocationNumber        uint64
	YourLastPerCommitmentSecret [32]byte
	MyCurrentPerCommitmentPoint Point
	NextFunding                 *FundingState // nil when absent
	MyCurrentFundingLocked      *FundingState // nil when absent
	Extra                       Stream
}

// Name implements Message.
func (*ChannelReestablish) Name() string          { return "channel_reestablish" }
func (*ChannelReestablish) msgType(Codec) MsgType { return TypeChannelReestablish }

func (m *ChannelReestablish) read(r *Reader) {
	m.ChannelID = r.Array32("channel_id")
	m.NextCommitmentNumber = r.U64("next_commitment_number")
	m.NextRevocationNumber = r.U64("next_revocation_number")
	m.YourLastPerCommitmentSecret = r.Array32("your_last_per_commitment_secret")
	m.MyCurrentPerCommitmentPoint = r.Point("my_current_per_commitment_point")
	m.Extra = r.Stream(
		RecordType{1, "next_funding", func(v *Reader) { m.NextFunding = readFundingState(v) }},
		RecordType{5, "my_current_funding_locked", func(v *Reader) { m.MyCurrentFundingLocked = readFundingState(v) }},
	)
}

func (m *ChannelReestablish) write(w *writer) {
	w.bytes(m.ChannelID[:])
	w.u64(m.NextCommitmentNumber)
	w.u64(m.NextRevocationNumber)
	w.bytes(m.YourLastPerCommitmentSecret[:])
	w.bytes(m.MyCurrentPerCommitmentPoint[:])
	var known Stream
	if m.NextFunding != nil {
		known = append(known, Record{1, m.NextFunding.bytes(w)})
	}
	if m.MyCurrentFundingLocked != nil {
		known = append(known, Record{5, m.MyCurrentFundingLocked.bytes(w)})
	}
	w.stream(known, m.Extra)
}

func readFundingState(v *Reader) *FundingState {
	return &FundingState{Txid: v.Array32("txid"), RetransmitFlags: v.U8("retransmit_flags")}
}

func (f *FundingState) bytes(w *writer) []byte {
	flags := []byte{f.RetransmitFlags}
	if !w.codec.Rules.On(rule.PCF158) {
		return append(flags, f.Txid[:]...)
	}
	return append(f.Txid[:len(f.Txid):len(f.Txid)], flags...)
}
