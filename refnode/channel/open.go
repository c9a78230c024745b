// Package channel is a Lightning channel between two nodes, as a pure machine:
// what may be opened, how HTLCs are added and removed, commitments signed and
// revoked, how both sides find together after a reconnection, how a channel is
// closed, and how it follows its funding output through changes of a factory.
// It implements BOLT 2 (version 1 channels with anchors, quiescence, batches)
// and sections 3.7 and 3.8 of SPEC.md on top of package commitment.
//
// A Machine takes inputs and returns Actions; it does no I/O, reads no clock
// and draws no randomness. Its State is small and is stored as a whole: a
// Persist comes before every message that binds this side, and a machine that
// is restored from any stored State comes to agree with its peer again. One
// input and everything it leads to may be stored in one transaction; losing
// that transaction as a whole loses nothing but time.
//
// An update (an HTLC, its removal, a feerate) is in one of the five stages of
// BOLT 2 (stage.go). What a commitment says is computed from the stages and
// never stored (view.go), so that both sides and every funding output always
// have the same view of the same updates.
//
// Where BOLT 2 leaves the choice between a warning with a closed connection
// and a failed channel, a Machine warns: inside a factory a failed channel costs
// a tree.
//
// It does not watch the chain, spend outputs, route payments or know a factory
// protocol: the node, the router and the plugin do. The factory's opinion is
// asked for with the actions named Ask.
package channel

import (
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Limits on what a peer may propose. BOLT 2 leaves "unreasonable" to the
// receiver; these are this node's answers.
const (
	MaxAcceptedHTLCs    = 483       // BOLT 2
	MinDustLimitSat     = 354       // sat, BOLT 3 "Dust Limits"
	MaxDustLimitSat     = 1062      // sat, three times that (CHAN-036)
	MaxFundingSat       = 1<<24 - 1 // sat, without option_support_large_channel
	MaxToSelfDelay      = 2016      // blocks
	MinFeeratePerKw     = 253       // sat per 1,000 weight units: 1 sat per virtual byte, rounded up
	MaxFeeratePerKw     = 100_000   // sat per 1,000 weight units
	MaxEarlyWarningTime = 1997      // blocks, PCF-069
	anchorsWeight       = 1124      // weight of a commitment without HTLCs (BOLT 3, option_anchors)
	anchorsSat          = 660       // sat of two anchor outputs
	announceChannel     = 1         // bit of channel_flags
)

// Refusal says why a channel is not opened, and which requirement asks for
// that. Match it with errors.As.
type Refusal struct {
	Rule   rule.ID // empty when the refusal is this node's choice alone
	Reason string  // printable ASCII, goes to the peer
}

func (r *Refusal) Error() string { return r.Reason }

// OpenContext is what a node knows when an open_channel arrives.
type OpenContext struct {
	Negotiated wire.Features     // the features both sides offered
	Common     []wire.ProtocolID // the protocols both sides listed (PCF-028)
	ChainHash  [32]byte          // of the node's chain
	Rules      rule.Set          // all, except in mutants
}

// CheckOpen decides whether open_channel m may be accepted as far as the base
// node can tell. It returns nil or a *Refusal.
func CheckOpen(ctx OpenContext, m *wire.OpenChannel) error {
	if m.ChannelInFactory == nil {
		return checkPlain(ctx)
	}
	if !ctx.Rules.On(rule.PCF070) && ctx.Negotiated.Offers(wire.FeatureDualFund) {
		return checkPlain(ctx) // a mutant that treats every open_channel alike
	}
	for _, check := range openChecks {
		if !ctx.Rules.On(check.rule) {
			continue
		}
		if reason := check.fault(ctx, m); reason != "" {
			return &Refusal{Rule: check.rule, Reason: reason}
		}
	}
	return nil
}

func checkPlain(ctx OpenContext) error {
	if ctx.Negotiated.Offers(wire.FeatureDualFund) {
		return &Refusal{Rule: rule.PCF072, Reason: "option_dual_fund is negotiated: use open_channel2 for a channel outside a factory"}
	}
	return &Refusal{Reason: "this node opens channels inside factories only"}
}

type openCheck struct {
	rule  rule.ID
	fault func(OpenContext, *wire.OpenChannel) string // "" when there is none
}

var openChecks = []openCheck{
	{rule.PCF060, func(ctx OpenContext, m *wire.OpenChannel) string {
		return when(!slices.Contains(ctx.Common, m.ChannelInFactory.ProtocolID), "factory_protocol_id is not one both sides listed")
	}},
	{rule.PCF062, func(_ OpenContext, m *wire.OpenChannel) string {
		return when(m.ChannelType != nil && !m.ChannelType.Bit(wire.FeatureZeroConf), "channel_type lacks option_zeroconf (50)")
	}},
	{rule.PCF063, func(_ OpenContext, m *wire.OpenChannel) string {
		return when(m.ChannelType != nil && !m.ChannelType.Bit(wire.FeatureScidAlias), "channel_type lacks option_scid_alias (46)")
	}},
	{rule.PCF064, func(_ OpenContext, m *wire.OpenChannel) string {
		return when(m.ChannelFlags&announceChannel != 0, "an in-factory channel is never announced")
	}},
	{rule.PCF069, func(_ OpenContext, m *wire.OpenChannel) string {
		ewt := m.ChannelInFactory.EarlyWarningTime
		return when(ewt > MaxEarlyWarningTime, fmt.Sprintf("factory_early_warning_time %d is above %d", ewt, MaxEarlyWarningTime))
	}},
	{rule.PCF098, func(ctx OpenContext, m *wire.OpenChannel) string {
		return when(m.ChannelType != nil && !knownType(m.ChannelType, ctx.Negotiated), "channel_type is not one this node opens")
	}},
	{rule.PCF072, bolt2Fault},
	{rule.CHAN036, func(_ OpenContext, m *wire.OpenChannel) string { return dustFault(m.DustLimitSat) }},
}

// dustFault refuses a dust limit with which the peer's commitment would give what
// is ours to miners (CHAN-036).
func dustFault(limit uint64) string {
	return when(limit > MaxDustLimitSat, fmt.Sprintf("dust_limit_satoshis is above %d", MaxDustLimitSat))
}

func when(bad bool, reason string) string {
	if bad {
		return reason
	}
	return ""
}

// bolt2Fault returns the first receiver's rule of BOLT 2 that m breaks. Each has
// a name under PCF-072, so that a mutant can lose it alone.
func bolt2Fault(ctx OpenContext, m *wire.OpenChannel) string {
	zeroFee := isZeroFee(m.ChannelType)
	for _, f := range []struct {
		name   rule.ID
		bad    bool
		reason string
	}{
		{"chain-hash", m.ChainHash != ctx.ChainHash, "chain_hash is not this node's chain"},
		{"no-channel-type", m.ChannelType == nil, "channel_type is missing"},
		{"large-channel", m.FundingSat > MaxFundingSat && !ctx.Negotiated.Offers(wire.FeatureLargeChannels), "funding_satoshis is 2^24 or more without option_support_large_channel"},
		{"too-large", m.FundingSat > maxSat, "funding_satoshis is more than there will ever be"},
		{"push-msat", m.PushMsat > 1000*min(m.FundingSat, maxSat), "push_msat is above 1000 * funding_satoshis"},
		{"to-self-delay", m.ToSelfDelay > MaxToSelfDelay, fmt.Sprintf("to_self_delay is above %d", MaxToSelfDelay)},
		{"max-accepted-htlcs", !zeroFee && m.MaxAcceptedHTLCs > MaxAcceptedHTLCs, fmt.Sprintf("max_accepted_htlcs is above %d", MaxAcceptedHTLCs)},
		{"zero-fee-htlcs", zeroFee && int(m.MaxAcceptedHTLCs) > maxHTLCs(m.ChannelType), fmt.Sprintf("max_accepted_htlcs is above %d, the most with zero_fee_commitments", maxHTLCs(m.ChannelType))},
		{"zero-fee-feerate", zeroFee && m.FeeratePerKw != 0, "feerate_per_kw is not 0 although commitments pay no fee"},
		{"feerate-0", !zeroFee && m.FeeratePerKw < MinFeeratePerKw, fmt.Sprintf("feerate_per_kw is under %d", MinFeeratePerKw)},
		{"feerate-huge", m.FeeratePerKw > MaxFeeratePerKw, fmt.Sprintf("feerate_per_kw is above %d", MaxFeeratePerKw)},
		{"dust-above-reserve", m.DustLimitSat > m.ChannelReserveSat, "dust_limit_satoshis is above channel_reserve_satoshis"},
		{"dust-353", m.DustLimitSat < MinDustLimitSat, fmt.Sprintf("dust_limit_satoshis is under %d", MinDustLimitSat)},
	} {
		if f.bad && ctx.Rules.On(rule.PCF072+"/"+f.name) {
			return f.reason
		}
	}
	return balanceFault(ctx, m)
}

// maxSat is 21 million bitcoin in sat.
const maxSat = 21_000_000 * 100_000_000

// balanceFault checks that the funder can pay the first commitment and that
// one side has more than its reserve. Amounts are bounded by now.
func balanceFault(ctx OpenContext, m *wire.OpenChannel) string {
	fee := uint64(m.FeeratePerKw)*anchorsWeight/1000 + anchorsSat
	if isZeroFee(m.ChannelType) {
		fee = 0 // and the anchor has what was trimmed, nothing yet
	}
	funder := m.FundingSat - (m.PushMsat+999)/1000
	switch {
	case funder < fee:
		return when(ctx.Rules.On(rule.PCF072+"/all-pushed"), fmt.Sprintf("the funder's %d sat do not pay the commitment fee of %d sat", funder, fee))
	case funder-fee <= m.ChannelReserveSat && m.PushMsat/1000 <= m.ChannelReserveSat:
		return when(ctx.Rules.On(rule.PCF072+"/all-in-reserve"), "both sides start at or under channel_reserve_satoshis")
	}
	return ""
}

// anchorsType and zeroFeeType are the channel types of section 3.7 of SPEC.md,
// without the two variation bits: the core one and the extended one.
var (
	anchorsType = wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureAnchors)
	zeroFeeType = wire.NewFeatures(wire.FeatureZeroFee)
)

// Type is the channel type this node proposes: anchors, scid alias, zeroconf.
func Type() wire.Features {
	return wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureAnchors, wire.FeatureScidAlias, wire.FeatureZeroConf)
}

// ZeroFee makes an open_channel that NewOpen returned one for commitments that
// pay no fee, to a peer with whom zero_fee_commitments is negotiated.
func ZeroFee(open *wire.OpenChannel) {
	open.ChannelType = wire.NewFeatures(wire.FeatureZeroFee, wire.FeatureScidAlias, wire.FeatureZeroConf)
	open.FeeratePerKw = 0
	open.MaxAcceptedHTLCs = uint16(commitment.ZeroFee.MaxHTLCs())
}

// isZeroFee reports whether commitments of this type pay no fee.
func isZeroFee(t wire.Features) bool {
	kind, err := commitment.TypeOf(t)
	return err == nil && kind == commitment.ZeroFee
}

// maxHTLCs is the most that max_accepted_htlcs may be (BOLT 2).
func maxHTLCs(t wire.Features) int {
	if isZeroFee(t) {
		return commitment.ZeroFee.MaxHTLCs()
	}
	return MaxAcceptedHTLCs
}

// knownType reports whether t, apart from its variation bits, is a type this
// node opens, in the shortest encoding: anchors with everybody, zero-fee
// commitments where both sides offer them.
func knownType(t, negotiated wire.Features) bool {
	if len(t) > 0 && t[0] == 0 {
		return false
	}
	var base wire.Features
	for _, bit := range t.Bits() {
		if bit != wire.FeatureScidAlias && bit != wire.FeatureZeroConf {
			base = base.With(bit)
		}
	}
	return slices.Equal(base, anchorsType) || slices.Equal(base, zeroFeeType) && negotiated.Offers(wire.FeatureZeroFee)
}
