package channel

import (
	"bytes"
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// Terms of the channels this node opens and accepts. The delays of those in a
// SuperScalar factory are the factory's (CHAN-005, CHAN-006).
const (
	dustLimitSat    = MinDustLimitSat
	htlcMinimumMsat = 1000
	toSelfDelay     = 720 // blocks, of the LSP (section 6 of SPEC.md)
	feeratePerKw    = MinFeeratePerKw
	reserveDivisor  = 100 // the reserve is 1 % of the channel
)

// NewOpen returns the open_channel of an LSP that puts fundingSat into a
// channel inside the given factory. It announces nothing and asks for zero
// confirmations, as PCF-067 wants.
func NewOpen(chain [32]byte, id wire.ChannelID, fundingSat uint64, in wire.ChannelInFactory, keys wire.ChannelKeys) *wire.OpenChannel {
	return &wire.OpenChannel{
		ChainHash:           chain,
		TemporaryChannelID:  id,
		FundingSat:          fundingSat,
		DustLimitSat:        dustLimitSat,
		MaxHTLCInFlightMsat: 1000 * fundingSat,
		ChannelReserveSat:   dustLimitSat, // what the client keeps: the least there is
		HTLCMinimumMsat:     htlcMinimumMsat,
		FeeratePerKw:        feeratePerKw,
		ToSelfDelay:         toSelfDelay,
		MaxAcceptedHTLCs:    MaxAcceptedHTLCs,
		Keys:                keys,
		UpfrontShutdown:     []byte{},
		ChannelType:         Type(),
		ChannelInFactory:    &in,
	}
}

// NewAccept returns the accept_channel for an open_channel that passed
// CheckOpen. The reserve it asks of the LSP is 1 % of the channel, rounded up
// (PCF-096), and not less than either dust limit (PCF-073).
func NewAccept(m *wire.OpenChannel, keys wire.ChannelKeys) *wire.AcceptChannel {
	return &wire.AcceptChannel{
		TemporaryChannelID:  m.TemporaryChannelID,
		DustLimitSat:        dustLimitSat,
		MaxHTLCInFlightMsat: 1000 * m.FundingSat,
		ChannelReserveSat:   max((m.FundingSat+reserveDivisor-1)/reserveDivisor, dustLimitSat, m.DustLimitSat),
		HTLCMinimumMsat:     htlcMinimumMsat,
		ToSelfDelay:         toSelfDelay,
		MaxAcceptedHTLCs:    uint16(maxHTLCs(m.ChannelType)),
		Keys:                keys,
		UpfrontShutdown:     []byte{},
		ChannelType:         m.ChannelType,
	}
}

// CheckAccept decides whether accept_channel a answers open_channel o rightly
// (PCF-074). It returns nil or a *Refusal.
func CheckAccept(o *wire.OpenChannel, a *wire.AcceptChannel, rules rule.Set) error {
	if !rules.On(rule.PCF074) {
		return nil
	}
	for _, f := range []struct {
		bad    bool
		reason string
	}{
		{a.ChannelType == nil, "channel_type is missing"},
		{!bytes.Equal(a.ChannelType, o.ChannelType), "channel_type is not the one proposed"},
		{a.MinimumDepth != 0, "minimum_depth is not 0 although option_zeroconf is set"},
		{a.ChannelReserveSat < o.DustLimitSat, "channel_reserve_satoshis is under our dust limit"},
		{a.DustLimitSat > o.ChannelReserveSat, "dust_limit_satoshis is above the reserve we asked for"},
		{a.DustLimitSat < MinDustLimitSat, fmt.Sprintf("dust_limit_satoshis is under %d", MinDustLimitSat)},
		{a.DustLimitSat > a.ChannelReserveSat, "dust_limit_satoshis is above channel_reserve_satoshis"},
		{int(a.MaxAcceptedHTLCs) > maxHTLCs(o.ChannelType), fmt.Sprintf("max_accepted_htlcs is above %d", maxHTLCs(o.ChannelType))},
		{a.ToSelfDelay > MaxToSelfDelay, fmt.Sprintf("to_self_delay is above %d", MaxToSelfDelay)},
		{a.ChannelReserveSat >= o.FundingSat, "channel_reserve_satoshis leaves nothing of the channel"},
	} {
		if f.bad {
			return &Refusal{Rule: rule.PCF074, Reason: f.reason}
		}
	}
	if reason := dustFault(a.DustLimitSat); reason != "" && rules.On(rule.CHAN036) {
		return &Refusal{Rule: rule.CHAN036, Reason: reason}
	}
	return nil
}
