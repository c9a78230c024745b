package peer

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// InFactory is a channel on an output that a ceremony makes.
type InFactory struct {
	In         wire.ChannelInFactory
	FundingSat uint64     // value of the output
	Funding    wire.Point // our funding key, which the ceremony has fixed (CHAN-003)
	// ToSelfDelay is asked of the peer's commitments, in blocks.
	ToSelfDelay uint16
	// ZeroFee asks for zero_fee_commitments where the peer offers them, instead
	// of anchors.
	ZeroFee bool
	// TemporaryID names the channel until it has an outpoint; drawn when zero.
	TemporaryID wire.ChannelID
}

// ErrNotInCommon is returned by OpenInFactory for a protocol that the peer does
// not list (PCF-066).
var ErrNotInCommon = errors.New("the peer does not speak this factory protocol")

// OpenInFactory proposes a channel that a plugin asks for (PCF-054). What plugins
// have to say leaves before it: the ceremony message that makes the output.
func (m *Machine) OpenInFactory(o InFactory) ([]Action, error) {
	switch {
	case m.state != ready:
		return nil, ErrNotReady
	case len(m.opening) >= maxAttempts:
		return nil, ErrTooManyAttempts
	case !slices.Contains(m.common, o.In.ProtocolID) && m.on(rule.PCF066):
		return nil, ErrNotInCommon
	}
	m.out = append(m.out, m.Flush()...)
	id := o.TemporaryID
	if id == (wire.ChannelID{}) {
		var err error
		if id, err = m.cfg.TemporaryID(); err != nil {
			return nil, fmt.Errorf("drawing a temporary channel id: %w", err)
		}
	}
	open := channel.NewOpen(m.cfg.ChainHash, id, o.FundingSat, o.In, wire.ChannelKeys{Funding: o.Funding})
	open.ToSelfDelay = o.ToSelfDelay
	if o.ZeroFee && m.negotiated().Offers(wire.FeatureZeroFee) {
		channel.ZeroFee(open)
	}
	salt, keys, err := m.newKeys(open)
	if err != nil {
		return m.take(), fmt.Errorf("deriving channel keys: %w", err)
	}
	open.Keys = keys
	check := channel.OpenContext{Negotiated: m.negotiated(), Common: []wire.ProtocolID{o.In.ProtocolID}, ChainHash: m.cfg.ChainHash}
	if err := channel.CheckOpen(check, open); err != nil {
		return m.take(), fmt.Errorf("a channel of %d sat cannot be opened: %w", o.FundingSat, err)
	}
	m.opening[id] = &attempt{open: open, ours: true, salt: salt}
	m.send(open)
	return m.take(), nil
}
