package wire

import "superscalar/wire/rule"

// ChannelInFactory is record 65600 of open_channel: the channel is inside a
// factory. bLIP-56; section 3.7 of SPEC.md.
type ChannelInFactory struct {
	ProtocolID       [32]byte
	InstanceID       [32]byte
	EarlyWarningTime uint16 // blocks, at most 1,997 (PCF-069)
}

// TypeChannelInFactory is the record type of ChannelInFactory.
const TypeChannelInFactory = 65600

// ChannelKeys are the points both sides send when a channel opens, in wire
// order.
type ChannelKeys struct {
	Funding            Point
	Revocation         Point
	Payment            Point
	DelayedPayment     Point
	HTLC               Point
	FirstPerCommitment Point
}

func (k *ChannelKeys) read(r *Reader) {
	k.Funding = r.Point("funding_pubkey")
	k.Revocation = r.Point("revocation_basepoint")
	k.Payment = r.Point("payment_basepoint")
	k.DelayedPayment = r.Point("delayed_payment_basepoint")
	k.HTLC = r.Point("htlc_basepoint")
	k.FirstPerCommitment = r.Point("first_per_commitment_point")
}

func (k *ChannelKeys) write(w *writer) {
	for _, p := range []Point{k.Funding, k.Revocation, k.Payment, k.DelayedPayment, k.HTLC, k.FirstPerCommitment} {
		w.bytes(p[:])
	}
}

// OpenChannel proposes a channel (version 1). BOLT 2; section 3.7 of SPEC.md.
type OpenChannel struct {
	ChainHash           [32]byte
	TemporaryChannelID  ChannelID
	FundingSat          uint64 // sat
	PushMsat            uint64 // msat
	DustLimitSat        uint64 // sat
	MaxHTLCInFlightMsat uint64 // msat
	ChannelReserveSat   uint64 // sat
	HTLCMinimumMsat     uint64 // msat
	FeeratePerKw        uint32 // sat per 1,000 weight units
	ToSelfDelay         uint16 // blocks
	MaxAcceptedHTLCs    uint16
	Keys                ChannelKeys
	ChannelFlags        uint8             // bit 0: announce_channel
	UpfrontShutdown     []byte            // script; nil when absent, empty when sent empty
	ChannelType         Features          // nil when absent
	ChannelInFactory    *ChannelInFactory // nil when absent
	Extra               Stream
}

// Name implements Message.
func (*OpenChannel) Name() string          { return "open_channel" }
func (*OpenChannel) msgType(Codec) MsgType { return TypeOpenChannel }

func (m *OpenChannel) read(r *Reader) {
	m.ChainHash = r.Array32("chain_hash")
	m.TemporaryChannelID = r.Array32("temporary_channel_id")
	m.FundingSat = r.U64("funding_satoshis")
	m.PushMsat = r.U64("push_msat")
	m.DustLimitSat = r.U64("dust_limit_satoshis")
	m.MaxHTLCInFlightMsat = r.U64("max_htlc_value_in_flight_msat")
	m.ChannelReserveSat = r.U64("channel_reserve_satoshis")
	m.HTLCMinimumMsat = r.U64("htlc_minimum_msat")
	m.FeeratePerKw = r.U32("feerate_per_kw")
	m.ToSelfDelay = r.U16("to_self_delay")
	m.MaxAcceptedHTLCs = r.U16("max_accepted_htlcs")
	m.Keys.read(r)
	m.ChannelFlags = r.U8("channel_flags")
	m.Extra = r.Stream(
		RecordType{0, "upfront_shutdown_script", func(v *Reader) { m.UpfrontShutdown = v.Rest() }},
		RecordType{1, "channel_type", func(v *Reader) { m.ChannelType = v.Rest() }},
		RecordType{TypeChannelInFactory, "channel_in_factory", func(v *Reader) {
			m.ChannelInFactory = &ChannelInFactory{
				ProtocolID:       v.Array32("factory_protocol_id"),
				InstanceID:       v.Array32("factory_instance_id"),
				EarlyWarningTime: v.U16("factory_early_warning_time"),
			}
		}},
	)
}

func (m *OpenChannel) write(w *writer) {
	w.bytes(m.ChainHash[:])
	w.bytes(m.TemporaryChannelID[:])
	for _, v := range []uint64{m.FundingSat, m.PushMsat, m.DustLimitSat, m.MaxHTLCInFlightMsat, m.ChannelReserveSat, m.HTLCMinimumMsat} {
		w.u64(v)
	}
	w.u32(m.FeeratePerKw)
	w.u16(m.ToSelfDelay)
	w.u16(m.MaxAcceptedHTLCs)
	m.Keys.write(w)
	w.u8(m.ChannelFlags)
	known := openRecords(m.UpfrontShutdown, m.ChannelType)
	if f := m.ChannelInFactory; f != nil {
		first, second := f.ProtocolID[:], f.InstanceID[:]
		if !w.codec.Rules.On(rule.PCF059) {
			first, second = second, first
		}
		v := append(append([]byte{}, first...), second...)
		known = append(known, Record{TypeChannelInFactory, append(v, byte(f.EarlyWarningTime>>8), byte(f.EarlyWarningTime))})
	}
	w.stream(known, m.Extra)
}

// openRecords are the records that open_channel and accept_channel share.
func openRecords(shutdown []byte, channelType Features) Stream {
	var known Stream
	if shutdown != nil {
		known = append(known, Record{0, shutdown})
	}
	if channelType != nil {
		known = append(known, Record{1, channelType})
	}
	return known
}

// AcceptChannel accepts a proposed channel. BOLT 2; PCF-073, PCF-074.
type AcceptChannel struct {
	TemporaryChannelID  ChannelID
	DustLimitSat        uint64 // sat
	MaxHTLCInFlightMsat uint64 // msat
	ChannelReserveSat   uint64 // sat
	HTLCMinimumMsat     uint64 // msat
	MinimumDepth        uint32 // blocks, 0 inside a factory
	ToSelfDelay         uint16 // blocks
	MaxAcceptedHTLCs    uint16
	Keys                ChannelKeys
	UpfrontShutdown     []byte   // script; nil when absent, empty when sent empty
	ChannelType         Features // nil when absent
	Extra               Stream
}

// Name implements Message.
func (*AcceptChannel) Name() string          { return "accept_channel" }
func (*AcceptChannel) msgType(Codec) MsgType { return TypeAcceptChannel }

func (m *AcceptChannel) read(r *Reader) {
	m.TemporaryChannelID = r.Array32("temporary_channel_id")
	m.DustLimitSat = r.U64("dust_limit_satoshis")
	m.MaxHTLCInFlightMsat = r.U64("max_htlc_value_in_flight_msat")
	m.ChannelReserveSat = r.U64("channel_reserve_satoshis")
	m.HTLCMinimumMsat = r.U64("htlc_minimum_msat")
	m.MinimumDepth = r.U32("minimum_depth")
	m.ToSelfDelay = r.U16("to_self_delay")
	m.MaxAcceptedHTLCs = r.U16("max_accepted_htlcs")
	m.Keys.read(r)
	m.Extra = r.Stream(
		RecordType{0, "upfront_shutdown_script", func(v *Reader) { m.UpfrontShutdown = v.Rest() }},
		RecordType{1, "channel_type", func(v *Reader) { m.ChannelType = v.Rest() }},
	)
}

func (m *AcceptChannel) write(w *writer) {
	w.bytes(m.TemporaryChannelID[:])
	for _, v := range []uint64{m.DustLimitSat, m.MaxHTLCInFlightMsat, m.ChannelReserveSat, m.HTLCMinimumMsat} {
		w.u64(v)
	}
	w.u32(m.MinimumDepth)
	w.u16(m.ToSelfDelay)
	w.u16(m.MaxAcceptedHTLCs)
	m.Keys.write(w)
	w.stream(openRecords(m.UpfrontShutdown, m.ChannelType), m.Extra)
}
