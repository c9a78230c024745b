package role

import (
	"errors"
	"fmt"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Channels move when their factory changes (section 8.4 of SPEC.md). What is where
// is decided by the records of the ceremonies alone: an output that stands, and one
// that an update may bring. follow compares that with what a channel machine has and
// gives the commands that are missing, and may be called at any time: after a
// restart, a reconnection or an attempt that ended, as often as anybody likes.

// move is an output that an update takes a channel to.
type move struct {
	ceremony.ChannelOutput
	live bool // its attempt is going on
	// begun says that phase 1 has begun: the state may become complete (CHG-010).
	begun bool
	// started says that the LSP has begun the change of the channel in this attempt:
	// one that the client calls off is not begun twice.
	started bool
	// given is what each side takes out of a channel that is absorbed, in sat, once
	// that is committed to.
	given *[2]int64
}

func fundingTxid(o ceremony.ChannelOutput) wire.Txid { return wire.Txid(o.Outpoint.Hash) }

// AttachHub says how commands reach channels: hub.Hub.Do, which returns when what
// follows from a command is stored.
func (c *Channels) AttachHub(do func(wire.ChannelID, func(*channel.Machine) error) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = do
}

// of is the entry of an output. The caller holds c.mu.
func (c *Channels) of(o ceremony.ChannelOutput) *entry {
	return c.entries[channelKey{o.Peer, o.LSPKey}]
}

// ask runs a command in the channel of an output.
func (c *Channels) ask(o ceremony.ChannelOutput, command func(*channel.Machine) error) error {
	c.mu.Lock()
	e, do := c.of(o), c.do
	open := e != nil && e.opened && !e.failed
	var id wire.ChannelID
	if open {
		id = e.id()
	}
	c.mu.Unlock()
	if !open || do == nil {
		return ceremony.ErrNoChannel
	}
	err := do(id, command)
	if errors.Is(err, hub.ErrNoChannel) {
		return ceremony.ErrNoChannel
	}
	return err
}

// CanMove implements ceremony.Channels.
func (c *Channels) CanMove(to ceremony.ChannelOutput) error {
	c.mu.Lock()
	var at wire.Txid
	again := false // it completes what was interrupted: what is left over of that ends by itself
	takes := false // there are others of the client, which it absorbs
	if e := c.of(to); e != nil {
		at = fundingTxid(e.ChannelOutput)
		again = e.next != nil && e.next.begun && e.next.Outpoint == to.Outpoint
		takes = !to.Absorbed() && c.hasOthers(e)
	}
	c.mu.Unlock()
	return c.ask(to, func(m *channel.Machine) error {
		switch {
		case m.Broken():
			return ceremony.ErrNoChannel
		case again, m.Knows(fundingTxid(to)):
			return nil
		}
		if takes && m.SignedFor(fundingTxid(to)) && c.rules.On(rule.CHG027) {
			m.Round() // what was signed there before is revoked before the next stfu
		}
		switch {
		case to.ByLSP() && m.Quieting() && c.rules.On(rule.CHG014):
			return ceremony.ErrStillMoving
		case !c.rules.On(rule.CHG012):
			return nil
		case to.ByLSP() && !m.Settled(at), len(m.Fundings) > 1:
			return ceremony.ErrStillMoving
		}
		if _, whole := m.Whole(); to.Absorbed() && !whole && c.rules.On(rule.CHG020) {
			return ceremony.ErrHTLCs
		}
		return nil
	})
}

// Move implements ceremony.Channels.
func (c *Channels) Move(to ceremony.ChannelOutput) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.of(to)
	if e == nil || e.Outpoint == to.Outpoint {
		return // the factory has it already: an attempt that completes what was interrupted
	}
	begun := e.next != nil && e.next.Outpoint == to.Outpoint && e.next.begun
	e.next = &move{ChannelOutput: to, live: true, begun: begun}
	c.orderOf(OrderMove, e, "")
}

// Moved implements ceremony.Channels.
func (c *Channels) Moved(to ceremony.ChannelOutput) bool {
	moved, added := false, [2]int64{}
	err := c.ask(to, func(m *channel.Machine) error {
		moved = m.Committed(fundingTxid(to))
		added, _ = m.Added(fundingTxid(to))
		return nil
	})
	return err == nil && moved && c.takesAll(to, added[commitment.Accepter]) == nil
}

// Begin implements ceremony.Channels.
func (c *Channels) Begin(to ceremony.ChannelOutput) error {
	c.mu.Lock()
	if e := c.of(to); e != nil && e.next != nil && e.next.Outpoint == to.Outpoint {
		e.next.begun = true
	}
	c.mu.Unlock()
	var added [2]int64
	err := c.ask(to, func(m *channel.Machine) error {
		added, _ = m.Added(fundingTxid(to))
		return m.PendingOn(fundingTxid(to))
	})
	if err == nil {
		err = c.takesAll(to, added[commitment.Accepter]) // those that it absorbs are pending before it
	}
	if errors.Is(err, channel.ErrNotNow) && !(c.rules.On(rule.CHG001) && c.rules.On(rule.CHG002)) {
		return nil
	}
	return err
}

// Stands implements ceremony.Channels.
func (c *Channels) Stands(o ceremony.ChannelOutput) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.of(o)
	if e == nil || e.Outpoint == o.Outpoint && e.Alone == o.Alone {
		return
	}
	if c.at[e.Outpoint] == e {
		delete(c.at, e.Outpoint)
	}
	if !o.Absorbed() { // else it is that of another channel
		c.at[o.Outpoint] = e
	}
	e.Outpoint, e.Value, e.Alone, e.Into = o.Outpoint, o.Value, o.Alone, o.Into
	if e.next != nil && e.next.Outpoint == o.Outpoint {
		e.next = nil
	}
	c.orderOf(OrderMove, e, "")
}

// RestoreMove files where an update that was interrupted takes a channel, as the
// store says.
func (c *Channels) RestoreMove(to ceremony.ChannelOutput) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.of(to); e != nil && e.Outpoint != to.Outpoint {
		e.next = &move{ChannelOutput: to, begun: true}
	}
}

// FollowAll orders every opened channel to be brought to where its factory is.
func (c *Channels) FollowAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		if e.opened {
			c.orderOf(OrderMove, e, "")
		}
	}
}

// endMove is the end of the attempt of a move: what has not begun is called off
// (CHG-009), what has stays pending (CHG-010). The caller holds c.mu.
func (c *Channels) endMove(e *entry, peer ceremony.Peer, attempt wire.CeremonyID, keep bool) {
	if e.next == nil || e.next.Attempt != attempt || e.Peer != peer && peer != ceremony.Everybody {
		return
	}
	e.next.live = false
	if keep && c.rules.On(rule.CHG010) {
		e.next.begun = true
	} else {
		e.next = nil
	}
	c.orderOf(OrderMove, e, "")
}

// Follow brings a channel to where its factory is. It is called in a step of the hub.
func (c *Channels) Follow(peer ceremony.Peer, m *channel.Machine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.hears(peer, m.Open.Keys.Funding, m.ID); e != nil {
		c.follow(e, m)
	}
}

// follow is Follow. Commands that the channel cannot obey now are given again when
// something has changed. The caller holds c.mu.
func (c *Channels) follow(e *entry, m *channel.Machine) {
	at := fundingTxid(e.ChannelOutput)
	c.callOff(e, m, at)
	if changing, ok := m.Changing(); ok && changing == at {
		_ = m.PendingOn(at)
		_ = m.ChangeStored()
	}
	if e.Alone || !c.rules.On(rule.CHG006) {
		_ = m.Lock(at)
	}
	if e.next == nil {
		return
	}
	to := fundingTxid(e.next.ChannelOutput)
	c.gave(e, m, to)
	if e.next.begun && !e.lsp {
		_ = m.PendingOn(to)
	}
	if changing, ok := m.Changing(); ok && changing == to && (c.goesOn(e, m) || !c.rules.On(rule.CHG005)) {
		_ = m.ChangeStored()
	}
	if e.lsp && e.next.live && !e.next.started && !m.Negotiating() && !m.Committed(to) {
		if part, ok := c.parts(e, m); ok {
			e.next.started = m.StartChange(c.contribution(e, part), nil) == nil
		}
	}
}

// goesOn reports whether a change continues although its state may never be complete:
// the attempt has ended after its phase 1 began, and payments do not wait for whoever
// stopped it (CHG-025). The client speaks first. It knows whether it has begun; a change
// that it has not it calls off, and the LSP must not have continued that.
func (c *Channels) goesOn(e *entry, m *channel.Machine) bool {
	switch {
	case !e.next.begun || !c.rules.On(rule.CHG025):
		return false
	case e.lsp:
		return m.PeerContinues(fundingTxid(e.next.ChannelOutput)) || !e.next.live && !c.rules.On(rule.CHG025+"/first")
	default:
		return !e.next.live
	}
}

// callOff ends what no record knows of (CHG-009).
func (c *Channels) callOff(e *entry, m *channel.Machine, at wire.Txid) {
	changing, committed := m.Changing()
	known := committed && (changing == at || e.next != nil && changing == fundingTxid(e.next.ChannelOutput))
	lost := m.Negotiating() && (e.next == nil || !e.next.live)
	if !lost && (!committed || known) {
		return
	}
	if !c.rules.On(rule.CHG010) && committed && m.AbortChange("the update is over") != nil {
		_ = m.ChangeDead(changing)
	}
	if c.rules.On(rule.CHG009) {
		m.ChangeUnsigned() // the record has the last word
		_ = m.AbortChange("the update is over")
	}
}

// contribution is what the LSP puts into a channel that moves, in sat (CHG-004).
func (c *Channels) contribution(e *entry, part [2]int64) int64 {
	sat := part[commitment.Opener]
	if !c.rules.On(rule.CHG004) {
		sat--
	}
	return sat
}

// Change implements hub.Changer.
func (c *Channels) Change(about hub.Channel, m *channel.Machine, a channel.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.hears(about.Peer, about.Open.Keys.Funding, about.ID)
	if e == nil {
		return
	}
	e.used = e.used || m.SentReady && m.GotReady // asked at every event, so before Hear learns that it failed
	switch a := a.(type) {
	case channel.AskChange:
		ours, reason := c.judge(e, m, a)
		_ = m.AnswerChange(a.ID, ours, nil, reason)
	case channel.AskChangeOutpoint:
		switch {
		case e.next == nil:
		case e.next.Absorbed():
			_ = m.ChangeInto(a.ID, fundingTxid(e.next.ChannelOutput), uint16(e.next.Outpoint.Index))
		case c.absorbs(e):
			_ = m.ChangeTaking(a.ID, fundingTxid(e.next.ChannelOutput), uint16(e.next.Outpoint.Index))
		default:
			_ = m.ChangeOutpoint(a.ID, fundingTxid(e.next.ChannelOutput), uint16(e.next.Outpoint.Index))
		}
	case channel.AskLock:
		if a.Txid != fundingTxid(e.ChannelOutput) {
			m.LockRefused(a.Txid)
		} // else it waits for the poison, and follow locks
	case channel.ChangeLocked:
		if c.rules.On(rule.CHG007) {
			m.Round()
		}
	case channel.ChangeDisputed:
		m.ForceClose("the peer disowns a change of its factory that may be valid")
		return
	case channel.Up, channel.AskContinue, channel.ChangeCommitted, channel.ChangeAborted, channel.Quiescent:
	default:
		return
	}
	c.follow(e, m)
}

// judge says what is wrong with the part of the peer in a change (PCF-114): no
// update that is going on asks for it, it takes another funding key (CHG-003), or
// another amount (CHG-004, CHG-017, CHG-019); and what our own part is.
func (c *Channels) judge(e *entry, m *channel.Machine, a channel.AskChange) (ours int64, reason string) {
	if e.next == nil || !e.next.live {
		return 0, "no update that is going on moves this channel"
	}
	part, ready := c.parts(e, m)
	mine, theirs := m.Side, m.Side.Other()
	amounts := rule.ID(rule.CHG004)
	switch {
	case e.next.Absorbed():
		amounts = rule.CHG017
	case part[commitment.Accepter] != 0:
		amounts = rule.CHG019
	}
	switch {
	case e.lsp && !a.Ack:
		return 0, "the LSP begins the changes of a factory"
	case !ready:
		return 0, "a channel that is to be absorbed is not ready for it (CHG-017, CHG-020)"
	case a.Key != e.Theirs && c.rules.On(rule.CHG003+"/peer"):
		return 0, "the funding_pubkey is not that of the channel (CHG-003)"
	case a.ContributionSat != part[theirs] && c.rules.On(amounts+"/peer"):
		return 0, fmt.Sprintf("funding_contribution_satoshis is %d, the update gives %d (%s)", a.ContributionSat, part[theirs], amounts)
	default:
		return part[mine], ""
	}
}
