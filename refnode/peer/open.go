package peer

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// maxAttempts bounds the channels one peer can be opening at a time; each
// costs memory until the connection ends.
const maxAttempts = 64

// openChannel handles open_channel up to accept_channel or error.
func (m *Machine) openChannel(msg *wire.OpenChannel) {
	id := msg.TemporaryChannelID
	if _, dup := m.opening[id]; dup && m.on(rule.PCF075) {
		m.forget(id) // one error means both
		m.refuse(id, "temporary_channel_id is in use: both attempts are over")
		return
	}
	if len(m.opening) >= maxAttempts {
		m.refuse(id, "too many channels being opened")
		return
	}
	if err := m.checkOpen(msg); err != nil {
		m.refuseFor(id, err)
		return
	}
	salt, keys, err := m.newKeys(msg)
	if err != nil {
		m.refuse(id, "internal error: no keys for a channel")
		return
	}
	accept := channel.NewAccept(msg, keys)
	if m.takesOutside(msg) {
		accept = channel.NewOutsideAccept(msg, keys)
	} else if d, ok := m.plugin(msg.ChannelInFactory.ProtocolID).(plugin.Delayer); ok {
		if blocks := d.ToSelfDelay(m.peer, msg); blocks > 0 {
			accept.ToSelfDelay = blocks
		}
	}
	m.opening[id] = &attempt{open: msg, done: true}
	m.send(accept)
	m.opened(Opening{Salt: salt, Open: msg, Accept: accept})
}

// checkOpen asks the base node's rules, then the plugin (PCF-061).
func (m *Machine) checkOpen(msg *wire.OpenChannel) error {
	ctx := channel.OpenContext{
		Negotiated: m.negotiated(),
		Common:     m.common,
		ChainHash:  m.cfg.ChainHash,
		Rules:      m.cfg.Codec.Rules,
	}
	if m.takesOutside(msg) {
		return channel.CheckOutsideOpen(ctx, msg)
	}
	if err := channel.CheckOpen(ctx, msg); err != nil {
		return err
	}
	p := m.plugin(msg.ChannelInFactory.ProtocolID)
	if p == nil { // only where PCF-060 is switched off
		return nil
	}
	return p.CheckChannel(m.peer, msg)
}

// negotiated returns the features both sides offer, by even bit.
func (m *Machine) negotiated() wire.Features {
	var both wire.Features
	for _, bit := range m.cfg.Features.Bits() {
		if m.theirs.Offers(bit) {
			both = both.With(bit &^ 1)
		}
	}
	return both
}

func (m *Machine) refuse(id wire.ChannelID, reason string) {
	m.fail(id, reason)
	m.event(EventRefused, reason)
}

// refuseFor refuses a channel because a check failed. What the plugin says
// about its own troubles is for the log, not for the peer.
func (m *Machine) refuseFor(id wire.ChannelID, err error) {
	var refusal *channel.Refusal
	var violation *plugin.Violation
	if errors.As(err, &refusal) || errors.As(err, &violation) {
		m.refuse(id, err.Error())
		return
	}
	m.fail(id, "internal error of the factory plugin")
	m.event(EventRefused, err.Error())
}

// ErrNotReady is returned by Sell before init is exchanged.
var ErrNotReady = errors.New("not connected: init is not exchanged yet")

// ErrNoCommonProtocol is returned by Sell when both sides share no factory
// protocol that has a factory for the channel (PCF-066).
var ErrNoCommonProtocol = errors.New("no factory protocol in common that has a factory for this channel")

// ErrTooManyAttempts is returned by Sell while as many channels as one
// connection may have are being opened.
var ErrTooManyAttempts = errors.New("too many channels being opened with this peer")

// Sell proposes a channel of amount sat inside a factory. The plugins that
// both sides list are asked in order of their ids.
func (m *Machine) Sell(amountSat uint64) ([]Action, error) {
	if m.state != ready {
		return nil, ErrNotReady
	}
	if len(m.opening) >= maxAttempts {
		return nil, ErrTooManyAttempts
	}
	in, err := m.offer(amountSat)
	if err != nil {
		return nil, err
	}
	id, err := m.cfg.TemporaryID()
	if err != nil {
		return nil, fmt.Errorf("drawing a temporary channel id: %w", err)
	}
	open := channel.NewOpen(m.cfg.ChainHash, id, amountSat, in, wire.ChannelKeys{})
	salt, keys, err := m.newKeys(open)
	if err != nil {
		return nil, fmt.Errorf("deriving channel keys: %w", err)
	}
	open.Keys = keys
	check := channel.OpenContext{Negotiated: m.negotiated(), Common: []wire.ProtocolID{in.ProtocolID}, ChainHash: m.cfg.ChainHash}
	if err := channel.CheckOpen(check, open); err != nil {
		return nil, fmt.Errorf("a channel of %d sat cannot be opened: %w", amountSat, err)
	}
	m.opening[open.TemporaryChannelID] = &attempt{open: open, ours: true, salt: salt}
	m.send(open)
	return m.take(), nil
}

func (m *Machine) offer(amountSat uint64) (wire.ChannelInFactory, error) {
	ids := m.common
	if !m.on(rule.PCF066) {
		ids = m.protocols()
	}
	for _, id := range slices.Clone(ids) {
		in, err := m.plugin(id).Offer(m.peer, amountSat)
		if err == nil {
			return in, nil
		}
		if !errors.Is(err, plugin.ErrNoFactory) {
			return wire.ChannelInFactory{}, err
		}
	}
	return wire.ChannelInFactory{}, ErrNoCommonProtocol
}

// acceptChannel handles the answer to our open_channel (PCF-074). What comes
// after it needs a funding outpoint, which the ceremonies provide.
func (m *Machine) acceptChannel(msg *wire.AcceptChannel) {
	id := msg.TemporaryChannelID
	a := m.opening[id]
	if a != nil && (!a.ours || a.done) && m.on(rule.PCF165) {
		m.forget(id) // who says an error about an attempt has ended it
		m.refuse(id, "accept_channel for an attempt that is past it")
		return
	}
	if a == nil || !a.ours || a.done {
		if m.on(rule.PCF079) {
			m.unknownChannel(msg)
		}
		return
	}
	check := channel.CheckAccept
	if a.open.ChannelInFactory == nil {
		check = channel.CheckOutsideAccept
	}
	if err := check(a.open, msg, m.cfg.Codec.Rules); err != nil {
		m.refuse(id, err.Error())
		return
	}
	a.done = true
	m.event(EventAccepted, id.String())
	m.opened(Opening{Salt: a.salt, Open: a.open, Accept: msg, Ours: true})
}
