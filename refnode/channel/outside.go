package channel

import (
	"bytes"
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// Channels outside a factory are BOLT 2's, version 1, with anchors, private:
// the LSP has them with the nodes that connect its factories to the network.

// Terms of channels outside a factory.
const (
	outsideFeerate  = 1250 // sat per 1,000 weight units: 5 sat per virtual byte
	outsideDelay    = 144  // blocks
	OutsideDepth    = 3    // blocks until channel_ready
	maxOutsideDepth = 144  // blocks a peer may ask for
)

// OutsideType is the channel type this node proposes outside a factory.
func OutsideType() wire.Features { return anchorsType }

// outsideType reports whether this node takes a channel type outside a factory:
// anchors, with or without a scid alias.
func outsideType(t wire.Features) bool {
	return bytes.Equal(t, anchorsType) || bytes.Equal(t, anchorsType.With(wire.FeatureScidAlias))
}

// NewOutsideOpen returns the open_channel of a channel outside a factory.
func NewOutsideOpen(chain [32]byte, id wire.ChannelID, fundingSat, pushMsat uint64, keys wire.ChannelKeys) *wire.OpenChannel {
	return &wire.OpenChannel{
		ChainHash:           chain,
		TemporaryChannelID:  id,
		FundingSat:          fundingSat,
		PushMsat:            pushMsat,
		DustLimitSat:        dustLimitSat,
		MaxHTLCInFlightMsat: 1000 * fundingSat,
		ChannelReserveSat:   outsideReserve(fundingSat, dustLimitSat),
		HTLCMinimumMsat:     htlcMinimumMsat,
		FeeratePerKw:        outsideFeerate,
		ToSelfDelay:         outsideDelay,
		MaxAcceptedHTLCs:    MaxAcceptedHTLCs,
		Keys:                keys,
		UpfrontShutdown:     []byte{},
		ChannelType:         OutsideType(),
	}
}

func outsideReserve(fundingSat, theirDust uint64) uint64 {
	return max((fundingSat+reserveDivisor-1)/reserveDivisor, dustLimitSat, theirDust)
}

// CheckOutsideOpen decides whether a peer's open_channel for a channel outside
// a factory may be accepted. It returns nil or a *Refusal.
func CheckOutsideOpen(ctx OpenContext, m *wire.OpenChannel) error {
	switch {
	case ctx.Negotiated.Offers(wire.FeatureDualFund):
		return &Refusal{Rule: rule.PCF072, Reason: "option_dual_fund is negotiated: use open_channel2 for a channel outside a factory"}
	case m.ChannelFlags&announceChannel != 0:
		return &Refusal{Reason: "this node takes no part in gossip: open the channel private"}
	}
	if reason := bolt2Fault(ctx, m); reason != "" {
		return &Refusal{Rule: rule.PCF072, Reason: reason}
	}
	if reason := dustFault(m.DustLimitSat); reason != "" && ctx.Rules.On(rule.CHAN036) {
		return &Refusal{Rule: rule.CHAN036, Reason: reason}
	}
	if !outsideType(m.ChannelType) {
		return &Refusal{Rule: rule.PCF072, Reason: "channel_type is not one this node opens outside a factory"}
	}
	return nil
}

// NewOutsideAccept returns the accept_channel for an open_channel that passed
// CheckOutsideOpen.
func NewOutsideAccept(m *wire.OpenChannel, keys wire.ChannelKeys) *wire.AcceptChannel {
	a := NewAccept(m, keys)
	a.MinimumDepth = OutsideDepth
	a.ToSelfDelay = outsideDelay
	a.ChannelReserveSat = outsideReserve(m.FundingSat, m.DustLimitSat)
	return a
}

// CheckOutsideAccept decides whether accept_channel a answers open_channel o of
// a channel outside a factory. It returns nil or a *Refusal.
func CheckOutsideAccept(o *wire.OpenChannel, a *wire.AcceptChannel, rules rule.Set) error {
	if a.MinimumDepth > maxOutsideDepth {
		return &Refusal{Reason: fmt.Sprintf("minimum_depth %d is above %d", a.MinimumDepth, maxOutsideDepth)}
	}
	inside := *a
	inside.MinimumDepth = 0 // PCF-074 wants it inside a factory
	return CheckAccept(o, &inside, rules)
}
