package role

import (
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What the hub and the base node ask the registry.

// find is the entry that open_channel is about.
func (c *Channels) find(peer ceremony.Peer, open *wire.OpenChannel) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[channelKey{peer, open.Keys.Funding}]
	if e == nil || open.ChannelInFactory == nil || e.Factory != wire.CeremonyID(open.ChannelInFactory.InstanceID) {
		return nil
	}
	return e
}

// errNoOutput : no attempt makes an output for the channel, and no factory has it.
var errNoOutput = errors.New("no factory has an output for this channel")

// FundingKey implements hub.Factory (CHAN-003). A channel that no factory knows is
// one of an attempt that ended (CHAN-008): hub.ErrForgotten.
func (c *Channels) FundingKey(peer wire.Point, open *wire.OpenChannel) (*btcec.PrivateKey, error) {
	if e := c.find(peer, open); e != nil {
		if !c.rules.On(rule.CHAN003) {
			return nil, nil
		}
		return e.Key, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if in := open.ChannelInFactory; in != nil && c.aside[wire.CeremonyID(in.InstanceID)] {
		return nil, hub.ErrAside
	}
	if !c.rules.On(rule.PCF061) {
		return nil, nil
	}
	return nil, fmt.Errorf("%w: %w", hub.ErrForgotten, errNoOutput)
}

// CheckAccept implements hub.Agreer: with another funding key of the client the LSP's
// first commitment would spend an output that there is not, and the client has all of
// the channel at T (CHAN-003).
func (c *Channels) CheckAccept(peer wire.Point, open *wire.OpenChannel, accept *wire.AcceptChannel) error {
	e := c.find(peer, open)
	switch {
	case e == nil:
		return errNoOutput
	case accept.Keys.Funding != e.Theirs && c.rules.On(rule.CHAN003+"/peer"):
		return errors.New("the funding_pubkey is not the channel_key of ceremony_join (CHAN-003)")
	default:
		return nil
	}
}

// Outpoint implements hub.Factory (PCF-080).
func (c *Channels) Outpoint(peer wire.Point, open *wire.OpenChannel) (txid wire.Txid, index uint16, err error) {
	e := c.find(peer, open)
	if e == nil {
		return txid, 0, errNoOutput
	}
	return wire.Txid(e.Outpoint.Hash), uint16(e.Outpoint.Index), nil
}

// CheckOutpoint implements hub.Factory (PCF-081, CHAN-007).
func (c *Channels) CheckOutpoint(peer wire.Point, open *wire.OpenChannel, txid wire.Txid, index uint16) error {
	e := c.find(peer, open)
	switch {
	case e == nil || !c.isLive(e) && c.rules.On(rule.CHAN004):
		return errNoOutput
	case (wire.Txid(e.Outpoint.Hash) != txid || uint16(e.Outpoint.Index) != index) && c.rules.On(rule.CHAN007):
		return fmt.Errorf("the channel's output is %s", e.Outpoint)
	default:
		return nil
	}
}

func (c *Channels) isLive(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return e.live
}

// CheckChannel says whether open_channel is one that an attempt of the peer asks
// for: its instance, its funding keys, the value of its output, nothing pushed,
// the factory's early warning time (PCF-061, CHAN-003, CHAN-004).
func (c *Channels) CheckChannel(peer ceremony.Peer, open *wire.OpenChannel) error {
	e := c.find(peer, open)
	in := open.ChannelInFactory
	switch {
	case e == nil:
		return fmt.Errorf("factory instance %x has no channel with this funding key", in.InstanceID)
	case e.lsp:
		return errors.New("the LSP opens the channels of a factory")
	case !c.isLive(e) && c.rules.On(rule.CHAN004) || !c.free(e):
		return errors.New("no attempt that is going on asks for this channel (CHAN-004)")
	case open.FundingSat != uint64(e.Value) && c.rules.On(rule.CHAN004):
		return fmt.Errorf("funding_satoshis is %d, the output has %d (CHAN-004)", open.FundingSat, e.Value)
	case open.PushMsat != 0 && c.rules.On(rule.CHAN004):
		return errors.New("push_msat in a channel of a factory (CHAN-004)")
	case int(in.EarlyWarningTime) != int(e.Params.EarlyWarningTime(e.Shape)):
		return fmt.Errorf("factory_early_warning_time is %d, that of the factory %d", in.EarlyWarningTime, e.Params.EarlyWarningTime(e.Shape))
	case open.ToSelfDelay > MaxClientDelay && c.rules.On(rule.CHAN005):
		return fmt.Errorf("to_self_delay %d is above %d (CHAN-005)", open.ToSelfDelay, MaxClientDelay)
	case open.ChannelReserveSat > MaxClientReserveSat && c.rules.On(rule.CHAN037):
		return fmt.Errorf("channel_reserve_satoshis %d is above %d (CHAN-037)", open.ChannelReserveSat, MaxClientReserveSat)
	default:
		c.replace(e)
		return nil
	}
}

// MaxClientReserveSat is the most that an LSP may ask a client to keep in a channel of a
// factory, in sat: the largest dust limit (CHAN-037, CHAN-036).
const MaxClientReserveSat = channel.MaxDustLimitSat

// free reports whether an output has no channel, or one that failed: the LSP opens
// another when the connection took away our signature on its first commitment, and
// an attempt goes on that needs one. Both are on the same keys and pay the same. A
// channel that was ready before it failed has a balance: it is on its way to the
// chain, and nothing takes its place.
func (c *Channels) free(e *entry) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !e.opened || e.failed && !e.used
}

// replace forgets a channel that failed for the one that takes its place.
func (c *Channels) replace(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.opened {
		e.opened, e.failed = false, false
		c.orderOf(OrderForget, e, "")
	}
}

// MaxClientDelay is the longest to_self_delay that an LSP may ask of a client's
// commitments, in blocks (CHAN-005).
const MaxClientDelay = 144

// ToSelfDelay is what accept_channel asks of the LSP's commitments, in blocks
// (CHAN-006); 0 leaves it to the base node.
func (c *Channels) ToSelfDelay(peer ceremony.Peer, open *wire.OpenChannel) uint16 {
	if e := c.find(peer, open); e != nil && c.rules.On(rule.CHAN006) {
		return e.Params.ToSelfDelay
	}
	return 0
}

// Use says what a channel may be used for now.
func (c *Channels) Use(peer wire.Point, open *wire.OpenChannel) channel.Use {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[channelKey{peer, open.Keys.Funding}]; e != nil {
		return e.use
	}
	return channel.Use{}
}

// hears is the entry of a channel, nil for a channel that is none of ours: one that names
// the funding key of another and has no output yet, or another one. The caller holds c.mu.
func (c *Channels) hears(peer ceremony.Peer, lsp wire.Point, id wire.ChannelID) *entry {
	e := c.entries[channelKey{peer, lsp}]
	if e == nil || id == (wire.ChannelID{}) || e.opened && e.id() != id {
		return nil
	}
	return e
}

// Hear implements hub.Factory.
func (c *Channels) Hear(about hub.Channel, a channel.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.hears(about.Peer, about.Open.Keys.Funding, about.ID)
	if e == nil {
		return
	}
	switch a := a.(type) {
	case channel.Opened:
		e.opened, e.failed, e.known = true, false, about.ID
		c.orderOf(OrderOpened, e, "")
	case channel.ChangeCommitted:
		c.orderOf(OrderOpened, e, "")
	case channel.ReplacedRevoked:
		c.orderOf(OrderDue, e, "")
	case channel.EarlyWarning:
		if c.rules.On(rule.CHAN010) {
			c.orderOf(OrderLeave, e, fmt.Sprintf("an HTLC expires at height %d", a.Expiry))
		}
	case channel.Closed:
		e.failed = true
		if c.rules.On(rule.CHAN021) {
			c.orderOf(OrderLeave, e, a.Reason)
		}
	}
}
