package wire_test

import (
	"bytes"
	"slices"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"pgregory.net/rapid"

	"superscalar/wire"
)

// generator draws messages of one type, in the form that Decode gives them.
type generator struct {
	name string
	draw func(*rapid.T) wire.Message
}

// generators has one entry for every message type; TestEveryTypeHasAGenerator
// fails when one is missing.
var generators = []generator{
	{"warning", func(t *rapid.T) wire.Message {
		return &wire.Warning{ChannelID: array32(t), Data: data(t), Extra: extra(t)}
	}},
	{"stfu", func(t *rapid.T) wire.Message {
		return &wire.Stfu{ChannelID: array32(t), Initiator: rapid.Byte().Draw(t, "initiator"), Extra: extra(t)}
	}},
	{"init", func(t *rapid.T) wire.Message {
		return &wire.Init{
			GlobalFeatures: data(t), Features: data(t),
			Networks: hashes(t), RemoteAddr: optionalData(t), Extra: extra(t, 1, 3),
		}
	}},
	{"error", func(t *rapid.T) wire.Message {
		return &wire.ErrorMessage{ChannelID: array32(t), Data: data(t), Extra: extra(t)}
	}},
	{"ping", func(t *rapid.T) wire.Message {
		return &wire.Ping{NumPongBytes: rapid.Uint16().Draw(t, "num_pong_bytes"), Ignored: data(t), Extra: extra(t)}
	}},
	{"pong", func(t *rapid.T) wire.Message { return &wire.Pong{Ignored: data(t), Extra: extra(t)} }},
	{"open_channel", drawOpenChannel},
	{"accept_channel", drawAcceptChannel},
	{"start_batch", func(t *rapid.T) wire.Message {
		return &wire.StartBatch{
			ChannelID: array32(t), BatchSize: rapid.Uint16().Draw(t, "batch_size"),
			MessageType: optional(t, rapid.Uint16()), Extra: extra(t, 1),
		}
	}},
	{"commitment_signed", func(t *rapid.T) wire.Message {
		m := &wire.CommitmentSigned{ChannelID: array32(t), Signature: signature(t), Extra: extra(t, 1)}
		for range rapid.IntRange(0, 3).Draw(t, "num_htlcs") {
			m.HTLCSignatures = append(m.HTLCSignatures, signature(t))
		}
		m.FundingTxid = optional(t, rapid.Custom(func(t *rapid.T) wire.Txid { return array32(t) }))
		return m
	}},
	{"channel_reestablish", func(t *rapid.T) wire.Message {
		state := rapid.Custom(func(t *rapid.T) wire.FundingState {
			return wire.FundingState{Txid: array32(t), RetransmitFlags: rapid.Byte().Draw(t, "retransmit_flags")}
		})
		return &wire.ChannelReestablish{
			ChannelID:                   array32(t),
			NextCommitmentNumber:        rapid.Uint64().Draw(t, "next_commitment_number"),
			NextRevocationNumber:        rapid.Uint64().Draw(t, "next_revocation_number"),
			YourLastPerCommitmentSecret: array32(t),
			MyCurrentPerCommitmentPoint: point(t),
			NextFunding:                 optional(t, state),
			MyCurrentFundingLocked:      optional(t, state),
			Extra:                       extra(t, 1, 5),
		}
	}},
	{"unknown", func(t *rapid.T) wire.Message {
		unknown := func(k uint16) bool {
			_, ok := wire.EmptyOf(wire.MsgType(k), 0).(*wire.Unknown)
			return ok && wire.MsgType(k) != wire.TypeFactoryCompat
		}
		return &wire.Unknown{Kind: wire.MsgType(rapid.Uint16().Filter(unknown).Draw(t, "type")), Payload: data(t)}
	}},
	{"base", func(t *rapid.T) wire.Message {
		kind := rapid.SampledFrom(slices.Concat(parsedKinds, gossipKinds)).Draw(t, "type")
		return &wire.Base{Kind: kind, Payload: basePayload(t, kind)}
	}},
	{"supported_factory_protocols", func(t *rapid.T) wire.Message {
		m := &wire.SupportedProtocols{IDs: hashes(t), Extra: extra(t)}
		if m.IDs == nil {
			m.IDs = [][32]byte{}
		}
		return m
	}},
	{"factory_piggyback", func(t *rapid.T) wire.Message {
		return &wire.Piggyback{ProtocolID: array32(t), Payload: data(t), Extra: extra(t)}
	}},
	{"factory_change_init", func(t *rapid.T) wire.Message {
		return &wire.ChangeInit{Change: change(t), Payload: optionalData(t), Extra: extra(t)}
	}},
	{"factory_change_ack", func(t *rapid.T) wire.Message {
		return &wire.ChangeAck{Change: change(t), Payload: optionalData(t), Extra: extra(t)}
	}},
	{"factory_change_funding", func(t *rapid.T) wire.Message {
		return &wire.ChangeFunding{Outpoint: changeOutpoint(t), Extra: extra(t)}
	}},
	{"factory_change_continue", func(t *rapid.T) wire.Message {
		return &wire.ChangeContinue{Outpoint: changeOutpoint(t), Extra: extra(t)}
	}},
	{"factory_change_locked", func(t *rapid.T) wire.Message {
		return &wire.ChangeLocked{ChannelID: array32(t), LockedFundingTxid: array32(t), Extra: extra(t)}
	}},
	{"factory_change_abort", func(t *rapid.T) wire.Message {
		return &wire.ChangeAbort{ChannelID: array32(t), Data: data(t), Extra: extra(t)}
	}},
	{"factory_message", func(t *rapid.T) wire.Message {
		unknown := func(id uint16) bool { return id == 0 || id%2 == 1 || id > 16 }
		return &wire.UnknownFactory{Sub: wire.SubType(rapid.Uint16().Filter(unknown).Draw(t, "submessage")), Rest: data(t)}
	}},
}

func drawOpenChannel(t *rapid.T) wire.Message {
	amount := rapid.Uint64()
	m := &wire.OpenChannel{
		ChainHash: array32(t), TemporaryChannelID: array32(t),
		FundingSat: amount.Draw(t, "funding_satoshis"), PushMsat: amount.Draw(t, "push_msat"),
		DustLimitSat:        amount.Draw(t, "dust_limit_satoshis"),
		MaxHTLCInFlightMsat: amount.Draw(t, "max_htlc_value_in_flight_msat"),
		ChannelReserveSat:   amount.Draw(t, "channel_reserve_satoshis"),
		HTLCMinimumMsat:     amount.Draw(t, "htlc_minimum_msat"),
		FeeratePerKw:        rapid.Uint32().Draw(t, "feerate_per_kw"),
		ToSelfDelay:         rapid.Uint16().Draw(t, "to_self_delay"),
		MaxAcceptedHTLCs:    rapid.Uint16().Draw(t, "max_accepted_htlcs"),
		Keys:                keys(t),
		ChannelFlags:        rapid.Byte().Draw(t, "channel_flags"),
		UpfrontShutdown:     optionalData(t),
		ChannelType:         optionalData(t),
		Extra:               extra(t, 1),
	}
	m.ChannelInFactory = optional(t, rapid.Custom(func(t *rapid.T) wire.ChannelInFactory {
		return wire.ChannelInFactory{
			ProtocolID: array32(t), InstanceID: array32(t),
			EarlyWarningTime: rapid.Uint16().Draw(t, "factory_early_warning_time"),
		}
	}))
	return m
}

func drawAcceptChannel(t *rapid.T) wire.Message {
	amount := rapid.Uint64()
	return &wire.AcceptChannel{
		TemporaryChannelID:  array32(t),
		DustLimitSat:        amount.Draw(t, "dust_limit_satoshis"),
		MaxHTLCInFlightMsat: amount.Draw(t, "max_htlc_value_in_flight_msat"),
		ChannelReserveSat:   amount.Draw(t, "channel_reserve_satoshis"),
		HTLCMinimumMsat:     amount.Draw(t, "htlc_minimum_msat"),
		MinimumDepth:        rapid.Uint32().Draw(t, "minimum_depth"),
		ToSelfDelay:         rapid.Uint16().Draw(t, "to_self_delay"),
		MaxAcceptedHTLCs:    rapid.Uint16().Draw(t, "max_accepted_htlcs"),
		Keys:                keys(t),
		UpfrontShutdown:     optionalData(t),
		ChannelType:         optionalData(t),
		Extra:               extra(t, 1),
	}
}

func keys(t *rapid.T) wire.ChannelKeys {
	return wire.ChannelKeys{
		Funding: point(t), Revocation: point(t), Payment: point(t),
		DelayedPayment: point(t), HTLC: point(t), FirstPerCommitment: point(t),
	}
}

func change(t *rapid.T) wire.Change {
	return wire.Change{
		ChannelID:              array32(t),
		FundingContributionSat: rapid.Int64().Draw(t, "funding_contribution_satoshis"),
		FundingPubkey:          point(t),
	}
}

func changeOutpoint(t *rapid.T) wire.ChangeOutpoint {
	return wire.ChangeOutpoint{
		ChannelID: array32(t), FundingTxid: array32(t),
		FundingOutputIndex: rapid.Uint16().Draw(t, "funding_output_index"),
	}
}

// The types of Base: those that lnwire parses, and gossip.
var (
	parsedKinds = []wire.MsgType{34, 35, 36, 38, 39, 128, 130, 131, 133, 134, 135}
	gossipKinds = []wire.MsgType{256, 257, 258, 259, 261, 262, 263, 264, 265}
)

// basePayload is random bytes for gossip; for the rest it is the sample of
// its type with every field drawn anew, known records there or not, and
// unknown odd ones.
func basePayload(t *rapid.T, kind wire.MsgType) []byte {
	i := slices.IndexFunc(baseSamples, func(build func() sample) bool { return build().message.(*wire.Base).Kind == kind })
	if i < 0 {
		return data(t)
	}
	s := baseSamples[i]()
	var out []byte
	for _, f := range s.fixed {
		out = append(out, redrawn(t, f)...)
	}
	var known []uint64
	for _, r := range s.records[:len(s.records)-1] { // the last one is unknown
		known = append(known, r.typ)
		if rapid.Bool().Draw(t, r.name) {
			out = append(out, tlvRecord(r.typ, redrawn(t, r.fields[0]))...)
		}
	}
	// Known types are 0 and 1, so what follows is in order.
	for _, r := range extra(t, append(known, 1)...) {
		out = append(out, tlvRecord(r.Type, r.Value)...)
	}
	return out
}

// redrawn is another value of the same length.
func redrawn(t *rapid.T, f field) []byte {
	switch {
	case f.isPoint():
		p := point(t)
		return p[:]
	case f.name == "len":
		return f.bytes
	case len(f.bytes) > 64:
		return bytes.Repeat([]byte{rapid.Byte().Draw(t, f.name)}, len(f.bytes))
	default:
		return rapid.SliceOfN(rapid.Byte(), len(f.bytes), len(f.bytes)).Draw(t, f.name)
	}
}

func array32(t *rapid.T) (out [32]byte) {
	copy(out[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "32 bytes"))
	return out
}

func signature(t *rapid.T) (out wire.Signature) {
	a, b := array32(t), array32(t)
	return wire.Signature(slices.Concat(a[:], b[:]))
}

// point is scalar times the generator, so that it is on the curve.
func point(t *rapid.T) wire.Point {
	scalar := array32(t)
	scalar[31] |= 1 // not 0
	return wire.Point(secp256k1.PrivKeyFromBytes(scalar[:]).PubKey().SerializeCompressed())
}

// data is a field that has to be there: never nil, now and then longer than a
// one-byte length can say.
func data(t *rapid.T) []byte {
	if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
		return bytes.Repeat([]byte{rapid.Byte().Draw(t, "filling")}, rapid.IntRange(250, 700).Draw(t, "length"))
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "data")...)
}

// optionalData is nil when absent and empty when there without a byte.
func optionalData(t *rapid.T) []byte {
	if !rapid.Bool().Draw(t, "present") {
		return nil
	}
	return data(t)
}

func optional[T any](t *rapid.T, g *rapid.Generator[T]) *T {
	return rapid.Ptr(g, true).Draw(t, "optional")
}

// hashes is nil, empty or a list.
func hashes(t *rapid.T) [][32]byte {
	if !rapid.Bool().Draw(t, "present") {
		return nil
	}
	out := [][32]byte{}
	for range rapid.IntRange(0, 3).Draw(t, "count") {
		out = append(out, array32(t))
	}
	return out
}

// extra is unknown odd records in order, of types of every encoded length; nil
// when there is none. The types the message knows are left out.
func extra(t *rapid.T, known ...uint64) wire.Stream {
	typ := rapid.Custom(func(t *rapid.T) uint64 {
		return 1 | rapid.OneOf(
			rapid.Uint64Range(0, 0xff), rapid.Uint64Range(0x100, 0x10fff), rapid.Uint64Range(0xffff0000, 0x10000ffff), rapid.Uint64(),
		).Draw(t, "type")
	}).Filter(func(typ uint64) bool { return !slices.Contains(known, typ) })
	types := rapid.SliceOfNDistinct(typ, 0, 4, rapid.ID[uint64]).Draw(t, "unknown records")
	slices.Sort(types)
	var out wire.Stream
	for _, typ := range types {
		out = append(out, wire.Record{Type: typ, Value: data(t)})
	}
	return out
}
