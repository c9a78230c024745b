package gen

import (
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// openingCase is a vector of kind opening: a message that is right but for what change
// does to it. The first rule is the one that is broken in field.
type openingCase struct {
	op, name string
	value    vectors.Uint // of the output, in sat; 0: 100,000
	rules    []rule.ID
	field    string // empty: nothing is wrong
	change   func(p *openingPair)
}

func ids(list ...rule.ID) []rule.ID { return list }

var openingCases = []openingCase{
	{"take-open", "as asked", 0, ids(rule.CHAN003, rule.CHAN004, rule.CHAN005, rule.PCF061), "", nil},
	{"take-open", "to_self_delay of 143", 0, ids(rule.CHAN005), "", func(p *openingPair) { p.open.ToSelfDelay-- }},
	{"take-open", "dust limit of 1062", 0, ids(rule.CHAN036), "", func(p *openingPair) { p.open.DustLimitSat, p.open.ChannelReserveSat = 1062, 1062 }},
	{"take-open", "dust limit of 1063", 0, ids(rule.CHAN036), "dust_limit_satoshis", func(p *openingPair) { p.open.DustLimitSat, p.open.ChannelReserveSat = 1063, 1063 }},
	{"take-open", "dust limit of half of the channel", 0, ids(rule.CHAN036), "dust_limit_satoshis", func(p *openingPair) { p.open.DustLimitSat, p.open.ChannelReserveSat = 50_000, 50_000 }},
	{"take-open", "another funding key", 0, ids(rule.PCF061, rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.open.Keys.Funding = p.open.Keys.HTLC }},
	{"take-open", "funding key of the client", 0, ids(rule.PCF061, rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.open.Keys.Funding = wire.Point(p.asked.Key) }},
	{"take-open", "another instance", 0, ids(rule.PCF061), "channel_in_factory", func(p *openingPair) { p.open.ChannelInFactory.InstanceID[31] ^= 1 }},
	{"take-open", "a block less of early warning", 0, ids(rule.PCF061), "channel_in_factory", func(p *openingPair) { p.open.ChannelInFactory.EarlyWarningTime-- }},
	{"take-open", "a sat less", 0, ids(rule.CHAN004), "funding_satoshis", func(p *openingPair) { p.open.FundingSat-- }},
	{"take-open", "a sat more", 0, ids(rule.CHAN004), "funding_satoshis", func(p *openingPair) { p.open.FundingSat++ }},
	{"take-open", "one msat pushed", 0, ids(rule.CHAN004), "push_msat", func(p *openingPair) { p.open.PushMsat = 1 }},
	{"take-open", "when the attempt is over", 0, ids(rule.CHAN004), "channel_in_factory", func(p *openingPair) { p.asked.Live = false }},
	{"take-open", "to_self_delay of 145", 0, ids(rule.CHAN005), "to_self_delay", func(p *openingPair) { p.open.ToSelfDelay++ }},
	{"take-open", "reserve of 1062", 0, ids(rule.CHAN037), "", func(p *openingPair) { p.open.ChannelReserveSat = 1062 }},
	{"take-open", "reserve of 1063", 0, ids(rule.CHAN037), "channel_reserve_satoshis", func(p *openingPair) { p.open.ChannelReserveSat = 1063 }},
	{"take-open", "reserve of half of the channel", 0, ids(rule.CHAN037), "channel_reserve_satoshis", func(p *openingPair) { p.open.ChannelReserveSat = 50_000 }},

	{"take-accept", "as joined", 0, ids(rule.CHAN003, rule.PCF074), "", nil},
	{"take-accept", "dust limits at their reserves", 0, ids(rule.PCF074), "", func(p *openingPair) {
		p.open.ChannelReserveSat, p.accept.DustLimitSat, p.accept.ChannelReserveSat = 400, 400, 400
	}},
	{"take-accept", "dust limit of 1062", 0, ids(rule.CHAN036), "", func(p *openingPair) {
		p.open.ChannelReserveSat, p.accept.DustLimitSat, p.accept.ChannelReserveSat = 2000, 1062, 2000
	}},
	{"take-accept", "dust limit of 1063", 0, ids(rule.CHAN036), "dust_limit_satoshis", func(p *openingPair) {
		p.open.ChannelReserveSat, p.accept.DustLimitSat, p.accept.ChannelReserveSat = 2000, 1063, 2000
	}},
	{"take-accept", "another funding key", 0, ids(rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.accept.Keys.Funding = p.accept.Keys.HTLC }},
	{"take-accept", "funding key of the lsp", 0, ids(rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.accept.Keys.Funding = wire.Point(p.asked.LSPKey) }},
	{"take-accept", "another channel type", 0, ids(rule.PCF074), "channel_type", func(p *openingPair) {
		p.accept.ChannelType = wire.NewFeatures(wire.FeatureZeroFee, wire.FeatureScidAlias, wire.FeatureZeroConf)
	}},
	{"take-accept", "no channel type", 0, ids(rule.PCF074), "channel_type", func(p *openingPair) { p.accept.ChannelType = nil }},
	{"take-accept", "minimum_depth of 1", 0, ids(rule.PCF074), "minimum_depth", func(p *openingPair) { p.accept.MinimumDepth = 1 }},
	{"take-accept", "dust limit above the reserve of open_channel", 0, ids(rule.PCF074), "dust_limit_satoshis", func(p *openingPair) { p.accept.DustLimitSat++ }},
	{"take-accept", "dust limit above its own reserve", 0, ids(rule.PCF074), "dust_limit_satoshis", func(p *openingPair) {
		p.open.ChannelReserveSat, p.accept.DustLimitSat, p.accept.ChannelReserveSat = 1000, 500, 499
	}},
	{"take-accept", "dust limit of 353", 0, ids(rule.PCF074), "dust_limit_satoshis", func(p *openingPair) { p.accept.DustLimitSat-- }},
	{"take-accept", "reserve under the dust limit of open_channel", 0, ids(rule.PCF074), "channel_reserve_satoshis", func(p *openingPair) {
		p.open.DustLimitSat, p.open.ChannelReserveSat, p.accept.ChannelReserveSat = 400, 400, 399
	}},
	{"take-accept", "reserve of the whole channel", 0, ids(rule.PCF074), "channel_reserve_satoshis", func(p *openingPair) { p.accept.ChannelReserveSat = 100_000 }},
	{"take-accept", "484 htlcs", 0, ids(rule.PCF074), "max_accepted_htlcs", func(p *openingPair) { p.accept.MaxAcceptedHTLCs = 484 }},
	{"take-accept", "to_self_delay of 65535", 0, ids(rule.PCF074), "to_self_delay", func(p *openingPair) { p.accept.ToSelfDelay = 65535 }},

	{"say-open", "as asked", 0, ids(rule.CHAN003, rule.CHAN004, rule.CHAN005, rule.PCF097, rule.PCF066, rule.PCF067), "", nil},
	{"say-open", "another funding key", 0, ids(rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.open.Keys.Funding = p.open.Keys.HTLC }},
	{"say-open", "a sat more", 0, ids(rule.CHAN004), "funding_satoshis", func(p *openingPair) { p.open.FundingSat++ }},
	{"say-open", "to_self_delay of 145", 0, ids(rule.CHAN005), "to_self_delay", func(p *openingPair) { p.open.ToSelfDelay = 145 }},
	{"say-open", "to_self_delay of the parameters", 0, ids(rule.CHAN005), "to_self_delay", func(p *openingPair) { p.open.ToSelfDelay = p.asked.ToSelfDelay }},
	{"say-open", "reserve of one percent", 0, ids(rule.PCF097), "channel_reserve_satoshis", func(p *openingPair) { p.open.ChannelReserveSat = 1000 }},
	{"say-open", "reserve of 0", 0, ids(rule.PCF097), "channel_reserve_satoshis", func(p *openingPair) { p.open.ChannelReserveSat = 0 }},
	{"say-open", "announced", 0, ids(rule.PCF067), "channel_flags", func(p *openingPair) { p.open.ChannelFlags = 1 }},
	{"say-open", "without zeroconf", 0, ids(rule.PCF067), "channel_type", func(p *openingPair) { p.open.ChannelType = p.open.ChannelType.Without(wire.FeatureZeroConf) }},
	{"say-open", "another protocol", 0, ids(rule.PCF066), "channel_in_factory", func(p *openingPair) { p.open.ChannelInFactory.ProtocolID[0] ^= 1 }},

	{"say-accept", "as joined", 0, ids(rule.CHAN003, rule.CHAN006, rule.PCF073, rule.PCF096), "", nil},
	{"say-accept", "a large channel", 1_000_050, ids(rule.PCF096), "", nil},
	{"say-accept", "a small channel", 20_000, ids(rule.PCF073), "", nil},
	{"say-accept", "larger reserve", 0, ids(rule.PCF096), "", func(p *openingPair) { p.accept.ChannelReserveSat = 5_000 }},
	{"say-accept", "a sat under one percent", 0, ids(rule.PCF096), "channel_reserve_satoshis", func(p *openingPair) { p.accept.ChannelReserveSat-- }},
	{"say-accept", "one percent rounded down", 1_000_050, ids(rule.PCF096), "channel_reserve_satoshis", func(p *openingPair) { p.accept.ChannelReserveSat = 10_000 }},
	{"say-accept", "reserve under the dust limits", 20_000, ids(rule.PCF073), "channel_reserve_satoshis", func(p *openingPair) { p.accept.ChannelReserveSat = 353 }},
	{"say-accept", "dust limit above the reserve of open_channel", 0, ids(rule.PCF073), "dust_limit_satoshis", func(p *openingPair) { p.accept.DustLimitSat++ }},
	{"say-accept", "another id", 0, ids(rule.PCF073), "temporary_channel_id", func(p *openingPair) { p.accept.TemporaryChannelID[0] ^= 1 }},
	{"say-accept", "another channel type", 0, ids(rule.PCF073), "channel_type", func(p *openingPair) {
		p.accept.ChannelType = wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureScidAlias, wire.FeatureZeroConf)
	}},
	{"say-accept", "minimum_depth of 3", 0, ids(rule.PCF073), "minimum_depth", func(p *openingPair) { p.accept.MinimumDepth = 3 }},
	{"say-accept", "to_self_delay of a channel outside", 0, ids(rule.CHAN006), "to_self_delay", func(p *openingPair) { p.accept.ToSelfDelay = 720 }},
	{"say-accept", "a block less of to_self_delay", 0, ids(rule.CHAN006), "to_self_delay", func(p *openingPair) { p.accept.ToSelfDelay-- }},
	{"say-accept", "a fresh funding key", 0, ids(rule.CHAN003), "funding_pubkey", func(p *openingPair) { p.accept.Keys.Funding = p.accept.Keys.HTLC }},
}
