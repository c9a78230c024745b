package wire_test

import (
	"strconv"

	"superscalar/wire"
	"superscalar/wire/rule"
)

func itoa(v uint64) string { return strconv.FormatUint(v, 10) }

func notice() []field {
	return []field{hash("channel_id", 0xa1), {"len", be(2, 2)}, {"data", []byte("no")}}
}

func sampleInit() sample {
	m := &wire.Init{
		GlobalFeatures: wire.Features{0x22}, Features: wire.Features{0x01, 0x80},
		Networks: [][32]byte{fill(0xb1), fill(0xb2)}, RemoteAddr: []byte{1, 127, 0, 0, 1, 0x26, 0x07},
	}
	return sample{m, be(16, 2), []field{
		{"gflen", be(1, 2)}, {"globalfeatures", be(0x22, 1)}, {"flen", be(2, 2)}, {"features", be(0x0180, 2)},
	}, []record{
		{
			typ: 1, name: "networks", fields: []field{hash("chain_hash", 0xb1), hash("chain_hash", 0xb2)},
			longer: &lengthFault{"chain_hash", 64, rule.TRN035}, drop: func() { m.Networks = nil },
		},
		{typ: 3, name: "remote_addr", fields: []field{{"", []byte{1, 127, 0, 0, 1, 0x26, 0x07}}}, free: true, drop: func() { m.RemoteAddr = nil }},
		odd(&m.Extra),
	}}
}

var sampleKeys = wire.ChannelKeys{
	Funding: multiple(1), Revocation: multiple(2), Payment: multiple(3),
	DelayedPayment: multiple(4), HTLC: multiple(5), FirstPerCommitment: multiple(6),
}

func keyFields() []field {
	return []field{
		pointField("funding_pubkey", 1), pointField("revocation_basepoint", 2), pointField("payment_basepoint", 3),
		pointField("delayed_payment_basepoint", 4), pointField("htlc_basepoint", 5), pointField("first_per_commitment_point", 6),
	}
}

func sampleOpenChannel() sample {
	m := &wire.OpenChannel{
		ChainHash: fill(0xb3), TemporaryChannelID: fill(0xb4), FundingSat: 11, PushMsat: 12, DustLimitSat: 13,
		MaxHTLCInFlightMsat: 14, ChannelReserveSat: 15, HTLCMinimumMsat: 16, FeeratePerKw: 17, ToSelfDelay: 18,
		MaxAcceptedHTLCs: 19, Keys: sampleKeys, ChannelFlags: 1,
		UpfrontShutdown: []byte{}, ChannelType: wire.Features{0x10, 0x00},
		ChannelInFactory: &wire.ChannelInFactory{ProtocolID: fill(0xb5), InstanceID: fill(0xb6), EarlyWarningTime: 1997},
	}
	fixed := []field{
		hash("chain_hash", 0xb3), hash("temporary_channel_id", 0xb4),
		{"funding_satoshis", be(11, 8)}, {"push_msat", be(12, 8)}, {"dust_limit_satoshis", be(13, 8)},
		{"max_htlc_value_in_flight_msat", be(14, 8)}, {"channel_reserve_satoshis", be(15, 8)}, {"htlc_minimum_msat", be(16, 8)},
		{"feerate_per_kw", be(17, 4)}, {"to_self_delay", be(18, 2)}, {"max_accepted_htlcs", be(19, 2)},
	}
	fixed = append(append(fixed, keyFields()...), field{"channel_flags", be(1, 1)})
	return sample{m, be(32, 2), fixed, []record{
		shutdownRecord(func() { m.UpfrontShutdown = nil }),
		{typ: 1, name: "channel_type", fields: []field{{"", be(0x1000, 2)}}, free: true, drop: func() { m.ChannelType = nil }},
		unknown(&m.Extra, 3, ""),
		{
			typ: 65600, name: "channel_in_factory",
			fields: []field{hash("factory_protocol_id", 0xb5), hash("factory_instance_id", 0xb6), {"factory_early_warning_time", be(1997, 2)}},
			drop:   func() { m.ChannelInFactory = nil },
		},
		odd(&m.Extra),
	}}
}

// shutdownRecord is there and empty, which is not the same as absent.
func shutdownRecord(drop func()) record {
	return record{typ: 0, name: "upfront_shutdown_script", free: true, drop: drop}
}

func sampleAcceptChannel() sample {
	m := &wire.AcceptChannel{
		TemporaryChannelID: fill(0xb4), DustLimitSat: 13, MaxHTLCInFlightMsat: 14, ChannelReserveSat: 15, HTLCMinimumMsat: 16,
		MinimumDepth: 20, ToSelfDelay: 18, MaxAcceptedHTLCs: 19, Keys: sampleKeys,
		UpfrontShutdown: []byte{}, ChannelType: wire.Features{0x10, 0x00},
	}
	fixed := []field{
		hash("temporary_channel_id", 0xb4), {"dust_limit_satoshis", be(13, 8)}, {"max_htlc_value_in_flight_msat", be(14, 8)},
		{"channel_reserve_satoshis", be(15, 8)}, {"htlc_minimum_msat", be(16, 8)}, {"minimum_depth", be(20, 4)},
		{"to_self_delay", be(18, 2)}, {"max_accepted_htlcs", be(19, 2)},
	}
	return sample{m, be(33, 2), append(fixed, keyFields()...), []record{
		shutdownRecord(func() { m.UpfrontShutdown = nil }),
		{typ: 1, name: "channel_type", fields: []field{{"", be(0x1000, 2)}}, free: true, drop: func() { m.ChannelType = nil }},
		odd(&m.Extra),
	}}
}

func sampleReestablish() sample {
	m := &wire.ChannelReestablish{
		ChannelID: fill(0xb7), NextCommitmentNumber: 21, NextRevocationNumber: 22, YourLastPerCommitmentSecret: fill(0xb8),
		MyCurrentPerCommitmentPoint: multiple(7),
		NextFunding:                 &wire.FundingState{Txid: fill(0xb9), RetransmitFlags: 1},
		MyCurrentFundingLocked:      &wire.FundingState{Txid: fill(0xba)},
	}
	return sample{m, be(136, 2), []field{
		hash("channel_id", 0xb7), {"next_commitment_number", be(21, 8)}, {"next_revocation_number", be(22, 8)},
		hash("your_last_per_commitment_secret", 0xb8), pointField("my_current_per_commitment_point", 7),
	}, []record{
		{typ: 1, name: "next_funding", fields: []field{hash("txid", 0xb9), {"retransmit_flags", be(1, 1)}}, drop: func() { m.NextFunding = nil }},
		{typ: 5, name: "my_current_funding_locked", fields: []field{hash("txid", 0xba), {"retransmit_flags", be(0, 1)}}, drop: func() { m.MyCurrentFundingLocked = nil }},
		odd(&m.Extra),
	}}
}

// envelope is the head of a factory message in the normative form.
func envelope(submessage uint64) []byte { return append(be(32800, 2), be(submessage, 2)...) }

func sampleSupportedProtocols() sample {
	m := &wire.SupportedProtocols{IDs: [][32]byte{fill(0xd2), fill(0xd1)}}
	fault := &lengthFault{"factory_protocol_ids", 0, rule.PCF025}
	return sample{m, envelope(2), nil, []record{{
		typ: 512, name: "factory_protocol_ids", fields: []field{hash("", 0xd2), hash("", 0xd1)},
		longer: fault, shorter: fault, required: rule.PCF024,
	}, odd(&m.Extra)}}
}

func samplePiggyback() sample {
	m := &wire.Piggyback{ProtocolID: fill(0xd3), Payload: []byte("pay")}
	return sample{m, envelope(4), nil, []record{
		{typ: 0, name: "factory_protocol_id", fields: []field{hash("factory_protocol_id", 0xd3)}, required: rule.PCF030},
		payloadRecord(nil, rule.PCF031),
		odd(&m.Extra),
	}}
}

func payloadRecord(drop func(), required rule.ID) record {
	return record{
		typ: 1024, name: "factory_piggyback_payload", fields: []field{{"", []byte("pay")}}, free: true, drop: drop, required: required,
	}
}

var (
	sampleChange   = wire.Change{ChannelID: fill(0xc1), FundingContributionSat: -2, FundingPubkey: multiple(8)}
	sampleOutpoint = wire.ChangeOutpoint{ChannelID: fill(0xc1), FundingTxid: fill(0xc2), FundingOutputIndex: 0x0304}
)

func changeRecord(required rule.ID) record {
	return record{typ: 1536, name: "factory_change", required: required, fields: []field{
		hash("channel_id", 0xc1), {"funding_contribution_satoshis", be(1<<64-2, 8)}, pointField("funding_pubkey", 8),
	}}
}

func outpointRecord(typ uint64, name string, required rule.ID) record {
	return record{typ: typ, name: name, required: required, fields: []field{
		hash("channel_id", 0xc1), hash("funding_txid", 0xc2), {"funding_output_index", be(0x0304, 2)},
	}}
}
