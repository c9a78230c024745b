package peer

import (
	"superscalar/refnode/channel"
	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Channels are the channels of the node, from accept_channel on. Package hub
// implements them. Each method but Pass returns once what it led to is stored; what
// is to be said waits in Outgoing.
type Channels interface {
	// NewKeys returns the points of a new channel, and what they come from.
	NewKeys(peer plugin.PeerID, open *wire.OpenChannel) (salt [32]byte, keys wire.ChannelKeys, err error)
	// Connected says that init was exchanged, and what both sides offered.
	Connected(peer plugin.PeerID, negotiated wire.Features)
	// Opened takes over a channel after accept_channel.
	Opened(peer plugin.PeerID, o Opening) error
	// Abandon forgets a channel that has a temporary id only.
	Abandon(peer plugin.PeerID, temporary wire.ChannelID)
	// Receive handles a message that names a channel; false: the peer has none
	// with this id.
	Receive(peer plugin.PeerID, id wire.ChannelID, m wire.Message) bool
	// Pass is Receive for an update or a commitment of a channel: it does not
	// wait. False, and nothing was done: it has to go through Receive.
	Pass(peer plugin.PeerID, id wire.ChannelID, m wire.Message) bool
	// Wait returns once what was passed is stored and answered in Outgoing.
	Wait()
	// Fail handles an error that names all channels.
	Fail(peer plugin.PeerID, m *wire.ErrorMessage)
	// Update handles a channel_update.
	Update(peer plugin.PeerID, m *wire.Base)
	// Outgoing takes what waits for the peer, in order.
	Outgoing(peer plugin.PeerID) []Outgoing
}

// Opening is a channel after accept_channel.
type Opening struct {
	Salt   [32]byte // of our keys
	Open   *wire.OpenChannel
	Accept *wire.AcceptChannel
	Ours   bool // we sent open_channel
}

// Outgoing is a message to send or, with Message nil, the end of the
// connection.
type Outgoing struct {
	Message wire.Message
	Rule    rule.ID // that asks for the end, if one does
	Reason  string
}

// Types of messages that end an attempt or belong to no channel.
const (
	typeFundingCreated = 34
	typeAddHTLC        = 128 // the first of the updates
	typeFailMalformed  = 135 // and the last
	typeChannelUpdate  = 258
)

// toChannel hands a message to the channel it names; false: there is none.
func (m *Machine) toChannel(id wire.ChannelID, msg wire.Message) bool {
	if m.cfg.Channels == nil {
		return false
	}
	if base, ok := msg.(*wire.Base); ok && base.Kind == typeFundingCreated {
		delete(m.opening, id) // no attempt any more: the channel has an outpoint
	}
	if streamed(msg) && m.cfg.Channels.Pass(m.peer, id, msg) {
		m.behind = true
		return true
	}
	m.catchUp()
	return m.cfg.Channels.Receive(m.peer, id, msg)
}

// catchUp lets the channels answer what they were given: whatever the peer says
// next, a ping too, is answered after it.
func (m *Machine) catchUp() {
	if m.behind {
		m.behind = false
		m.cfg.Channels.Wait()
		m.flushChannels()
	}
}

// streamed reports whether a message is one of those that travel in numbers:
// start_batch, the updates of BOLT 2, commitment_signed and revoke_and_ack.
func streamed(msg wire.Message) bool {
	switch msg := msg.(type) {
	case *wire.StartBatch, *wire.CommitmentSigned:
		return true
	case *wire.Base:
		return msg.Kind >= typeAddHTLC && msg.Kind <= typeFailMalformed
	}
	return false
}

// named handles a message about a channel.
func (m *Machine) named(msg wire.Message) {
	if base, ok := msg.(*wire.Base); ok && base.Kind == typeChannelUpdate && m.cfg.Channels != nil {
		m.cfg.Channels.Update(m.peer, base)
		return
	}
	if id, ok := wire.ChannelOf(msg); ok && m.toChannel(id, msg) {
		return
	}
	m.unknownChannel(msg)
}

// flushChannels sends what channels have to say.
func (m *Machine) flushChannels() {
	if m.cfg.Channels == nil || m.state != ready {
		return
	}
	for _, o := range m.cfg.Channels.Outgoing(m.peer) {
		if o.Message == nil {
			m.end(o.Rule, o.Reason)
			return
		}
		if base, ok := o.Message.(*wire.Base); ok && base.Kind == typeFundingCreated {
			if id, ok := wire.ChannelOf(base); ok {
				delete(m.opening, id)
			}
		}
		m.send(o.Message)
	}
}

// opened hands a channel over; when that fails the attempt is over.
func (m *Machine) opened(o Opening) {
	if m.cfg.Channels == nil {
		return
	}
	if err := m.cfg.Channels.Opened(m.peer, o); err != nil {
		m.refuse(o.Open.TemporaryChannelID, "internal error: the channel cannot be set up")
		m.event(EventRefused, err.Error())
	}
}

// forget ends an attempt.
func (m *Machine) forget(id wire.ChannelID) {
	delete(m.opening, id)
	if m.cfg.Channels != nil {
		m.cfg.Channels.Abandon(m.peer, id)
	}
}

// newKeys returns the points of a channel that open describes.
func (m *Machine) newKeys(open *wire.OpenChannel) (salt [32]byte, keys wire.ChannelKeys, err error) {
	if m.cfg.Channels != nil {
		return m.cfg.Channels.NewKeys(m.peer, open)
	}
	keys, err = m.cfg.Keys()
	return salt, keys, err
}

// takesOutside reports whether an open_channel is for a channel outside a
// factory that this node wants.
func (m *Machine) takesOutside(open *wire.OpenChannel) bool {
	return open.ChannelInFactory == nil && m.cfg.Outside && m.cfg.Channels != nil
}

// OpenOutside proposes a channel outside a factory, of amount sat of which push
// msat are the peer's from the start.
func (m *Machine) OpenOutside(amountSat, pushMsat uint64) ([]Action, error) {
	switch {
	case m.state != ready:
		return nil, ErrNotReady
	case len(m.opening) >= maxAttempts:
		return nil, ErrTooManyAttempts
	}
	id, err := m.cfg.TemporaryID()
	if err != nil {
		return nil, err
	}
	open := channel.NewOutsideOpen(m.cfg.ChainHash, id, amountSat, pushMsat, wire.ChannelKeys{})
	salt, keys, err := m.newKeys(open)
	if err != nil {
		return nil, err
	}
	open.Keys = keys
	check := channel.OpenContext{Negotiated: m.negotiated(), ChainHash: m.cfg.ChainHash}
	if err := channel.CheckOutsideOpen(check, open); err != nil {
		return nil, err
	}
	m.opening[id] = &attempt{open: open, ours: true, salt: salt}
	m.send(open)
	return m.take(), nil
}
