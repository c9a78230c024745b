package gen

import (
	"errors"
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func openDecisions() (vectors.File, error) {
	f := file("PCF", "open_decision", "SPEC.md 3.7; BOLT 2, \"The open_channel Message\"",
		"A node that negotiated these features, listed these protocol ids in common with the peer and is on this chain reads open_channel: it accepts, as far as the base node and its protocol ids decide, or fails the channel. field is the field or record at fault; offset is that of a fixed field, counted from the first byte of open_channel.")
	b := newOpenBase()
	for _, c := range []struct {
		name   string
		rules  []rule.ID
		change func(*openCase)
	}{
		{"plain", []rule.ID{rule.PCF065, rule.PCF060}, func(*openCase) {}},
		{"second-protocol", []rule.ID{rule.PCF060}, func(c *openCase) { c.open.ChannelInFactory.ProtocolID = c.common[1] }},
		{"early-warning-time-highest", []rule.ID{rule.PCF069}, func(c *openCase) { c.open.ChannelInFactory.EarlyWarningTime = 1997 }},
		{"early-warning-time-0", []rule.ID{rule.PCF069}, func(c *openCase) { c.open.ChannelInFactory.EarlyWarningTime = 0 }},
		{"dual-fund-negotiated", []rule.ID{rule.PCF070}, func(c *openCase) { c.negotiated = c.negotiated.With(wire.FeatureDualFund) }},
		{"undefined-flags-ignored", []rule.ID{rule.PCF064, rule.PCF072}, func(c *openCase) { c.open.ChannelFlags = 0xfe }},
		{"funding-highest-without-large-channels", []rule.ID{rule.PCF072}, func(c *openCase) { c.open.FundingSat = 1<<24 - 1 }},
		{"zero-fee-negotiated", []rule.ID{rule.PCF098, rule.PCF072}, zeroFeeNegotiated},
		{"large-channel-negotiated", []rule.ID{rule.PCF072}, func(c *openCase) {
			c.negotiated = c.negotiated.With(wire.FeatureLargeChannels)
			c.open.FundingSat = 1 << 24
		}},
	} {
		v, err := b.vector(c.name, c.rules, c.change)
		if err != nil {
			return f, err
		}
		v.Decision = "accept"
		f.Vectors = append(f.Vectors, v)
	}
	for _, c := range openFaults {
		v, err := b.vector("refuse-"+c.name, append([]rule.ID{c.rule}, c.also...), c.change)
		if err != nil {
			return f, err
		}
		v.Outcome = fault("refused", c.field, openOffset(c.field), c.rule)
		f.Vectors = append(f.Vectors, v)
	}
	return f, nil
}

// openCase is what a decision depends on.
type openCase struct {
	negotiated wire.Features
	common     []wire.ProtocolID
	chain      [32]byte
	open       wire.OpenChannel
}

// regtest is the chain of the cases.
var regtest = [32]byte(unhex("06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f"))

// newOpenBase returns a case that is accepted.
func newOpenBase() openCase {
	s := newSource("open_decision")
	point := func() wire.Point { return wire.Point(s.point()) }
	var c wire.Codec
	out := openCase{
		negotiated: wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureAnchors, wire.FeatureQuiesce, wire.FeatureChannelType,
			wire.FeatureScidAlias, wire.FeatureZeroConf, wire.FeatureFactories),
		common: []wire.ProtocolID{c.SuperScalarID(), c.LoopbackID()},
		chain:  regtest,
	}
	out.open = wire.OpenChannel{
		ChainHash:          out.chain,
		TemporaryChannelID: wire.ChannelID(s.bytes(32)),
		FundingSat:         1_000_000, DustLimitSat: 354, MaxHTLCInFlightMsat: 1_000_000_000, ChannelReserveSat: 10_000,
		HTLCMinimumMsat: 1000, FeeratePerKw: 1000, ToSelfDelay: 720, MaxAcceptedHTLCs: 483,
		Keys: wire.ChannelKeys{Funding: point(), Revocation: point(), Payment: point(), DelayedPayment: point(),
			HTLC: point(), FirstPerCommitment: point()},
		UpfrontShutdown: []byte{},
		ChannelType:     wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureAnchors, wire.FeatureScidAlias, wire.FeatureZeroConf),
		ChannelInFactory: &wire.ChannelInFactory{
			ProtocolID: c.SuperScalarID(), InstanceID: [32]byte(s.bytes(32)), EarlyWarningTime: 864},
	}
	return out
}

// vector makes a vector of the base with a change.
func (b openCase) vector(name string, ids []rule.ID, change func(*openCase)) (*vectors.OpenDecision, error) {
	record := *b.open.ChannelInFactory
	b.open.ChannelInFactory = &record
	change(&b)
	bytes, err := wire.Codec{}.Encode(&b.open)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	v := &vectors.OpenDecision{Head: head("open-"+name, ids...), Negotiated: vectors.Hex(b.negotiated),
		ChainHash: b.chain[:], OpenChannel: bytes}
	v.Common = []vectors.Hex{}
	for _, id := range b.common {
		v.Common = append(v.Common, vectors.Hex(id[:]))
	}
	return v, nil
}

// openFaults are the cases that are refused.
var openFaults = []struct {
	name   string
	rule   rule.ID
	also   []rule.ID
	field  string
	change func(*openCase)
}{
	{"protocol-not-common", rule.PCF060, nil, "channel_in_factory", func(c *openCase) { c.common = c.common[1:] }},
	{"no-protocol-common", rule.PCF060, nil, "channel_in_factory", func(c *openCase) { c.common = nil }},
	{"unknown-protocol", rule.PCF060, nil, "channel_in_factory", func(c *openCase) { c.open.ChannelInFactory.ProtocolID[31] ^= 1 }},
	{"no-zeroconf", rule.PCF062, nil, "channel_type", func(c *openCase) { c.open.ChannelType = c.open.ChannelType.Without(wire.FeatureZeroConf) }},
	{"no-zeroconf-dual-fund-negotiated", rule.PCF062, []rule.ID{rule.PCF070}, "channel_type", func(c *openCase) {
		c.negotiated = c.negotiated.With(wire.FeatureDualFund)
		c.open.ChannelType = c.open.ChannelType.Without(wire.FeatureZeroConf)
	}},
	{"no-scid-alias", rule.PCF063, nil, "channel_type", func(c *openCase) { c.open.ChannelType = c.open.ChannelType.Without(wire.FeatureScidAlias) }},
	{"announced", rule.PCF064, nil, "channel_flags", func(c *openCase) { c.open.ChannelFlags = 1 }},
	{"early-warning-time-1998", rule.PCF069, nil, "channel_in_factory", func(c *openCase) { c.open.ChannelInFactory.EarlyWarningTime = 1998 }},
	{"early-warning-time-65535", rule.PCF069, nil, "channel_in_factory", func(c *openCase) { c.open.ChannelInFactory.EarlyWarningTime = 65535 }},
	{"not-in-factory-dual-fund-negotiated", rule.PCF072, []rule.ID{rule.PCF070}, "channel_in_factory", func(c *openCase) {
		c.negotiated = c.negotiated.With(wire.FeatureDualFund)
		c.open.ChannelInFactory = nil
	}},
	{"other-chain", rule.PCF072, nil, "chain_hash", func(c *openCase) { c.open.ChainHash[0] ^= 1 }},
	{"static-remotekey-alone", rule.PCF098, nil, "channel_type", func(c *openCase) { c.open.ChannelType = c.open.ChannelType.Without(wire.FeatureAnchors) }},
	{"no-channel-type", rule.PCF072, nil, "channel_type", func(c *openCase) { c.open.ChannelType = nil }},
	{"unknown-channel-type", rule.PCF098, nil, "channel_type", func(c *openCase) { c.open.ChannelType = c.open.ChannelType.With(wire.FeatureBasicMPP) }},
	{"zero-fee-not-negotiated", rule.PCF098, nil, "channel_type", func(c *openCase) { channel.ZeroFee(&c.open) }},
	{"zero-fee-with-feerate", rule.PCF072, nil, "feerate_per_kw", func(c *openCase) {
		zeroFeeNegotiated(c)
		c.open.FeeratePerKw = 253
	}},
	{"zero-fee-max-accepted-htlcs-115", rule.PCF072, nil, "max_accepted_htlcs", func(c *openCase) {
		zeroFeeNegotiated(c)
		c.open.MaxAcceptedHTLCs = 115
	}},
	{"push-above-funding", rule.PCF072, nil, "push_msat", func(c *openCase) { c.open.PushMsat = 1000*c.open.FundingSat + 1 }},
	{"max-accepted-htlcs-484", rule.PCF072, nil, "max_accepted_htlcs", func(c *openCase) { c.open.MaxAcceptedHTLCs = 484 }},
	{"dust-above-reserve", rule.PCF072, nil, "dust_limit_satoshis", func(c *openCase) { c.open.DustLimitSat = c.open.ChannelReserveSat + 1 }},
	{"dust-353", rule.PCF072, nil, "dust_limit_satoshis", func(c *openCase) { c.open.DustLimitSat = 353 }},
	{"funding-2-24-without-large-channels", rule.PCF072, nil, "funding_satoshis", func(c *openCase) { c.open.FundingSat = 1 << 24 }},
	{"feerate-0", rule.PCF072, nil, "feerate_per_kw", func(c *openCase) { c.open.FeeratePerKw = 0 }},
	{"to-self-delay-65535", rule.PCF072, nil, "to_self_delay", func(c *openCase) { c.open.ToSelfDelay = 65535 }},
	{"funder-cannot-pay-fee", rule.PCF072, nil, "push_msat", func(c *openCase) { c.open.PushMsat = 1000 * c.open.FundingSat }},
	{"both-under-reserve", rule.PCF072, nil, "channel_reserve_satoshis", func(c *openCase) { c.open.ChannelReserveSat = c.open.FundingSat }},
}

// zeroFeeNegotiated proposes commitments without a fee to a node that offers them.
func zeroFeeNegotiated(c *openCase) {
	c.negotiated = c.negotiated.With(wire.FeatureZeroFee)
	channel.ZeroFee(&c.open)
}

// openOffset returns where a fixed field begins in an open_channel, -1 for a
// record.
func openOffset(field string) int {
	l, _ := vectors.LayoutOf("open_channel")
	at := 2
	for _, f := range l.Fields {
		if f.Name == field {
			return at
		}
		at += f.Size()
	}
	return -1
}

func (r runner) openDecision(v *vectors.OpenDecision) error {
	m, err := r.codec.Decode(v.OpenChannel)
	if err != nil {
		return fmt.Errorf("open_channel: %w", err)
	}
	open, ok := m.(*wire.OpenChannel)
	if !ok {
		return fmt.Errorf("open_channel is a message %s", m.Name())
	}
	if len(v.ChainHash) != 32 {
		return fmt.Errorf("chain_hash of %d bytes", len(v.ChainHash))
	}
	ctx := channel.OpenContext{Negotiated: wire.Features(v.Negotiated), ChainHash: [32]byte(v.ChainHash), Rules: r.rules}
	for _, id := range v.Common {
		if len(id) != 32 {
			return fmt.Errorf("protocol id of %d bytes", len(id))
		}
		ctx.Common = append(ctx.Common, wire.ProtocolID(id))
	}
	var refusal *channel.Refusal
	switch err := channel.CheckOpen(ctx, open); {
	case err == nil && v.Error == nil:
		return nil
	case err == nil:
		return fmt.Errorf("accepted, want refused by %s", v.Error.Rule)
	case v.Error == nil:
		return fmt.Errorf("refused: %w", err)
	case !errors.As(err, &refusal):
		return fmt.Errorf("refused with %q, which is no *channel.Refusal", err)
	case refusal.Rule != v.Error.Rule:
		return fmt.Errorf("refused by %s (%s), want %s", refusal.Rule, refusal.Reason, v.Error.Rule)
	}
	return nil
}
