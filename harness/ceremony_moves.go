package harness

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// The suite's side of channels that move with an update (section 8.4): what the
// ceremony says of an output is turned into commands for the channel by follow,
// which may be called as often as anybody likes.

// leafMove is where an update takes a channel.
type leafMove struct {
	ceremony.ChannelOutput
	live    bool // its attempt is going on
	begun   bool // phase 1 has begun: it cannot be called off (CHG-010)
	started bool // the suite's LSP has begun it in this attempt
	// given is what each side takes out of a channel that is absorbed, in sat, once
	// that is committed to.
	given *[2]int64
}

func fundingTxid(o ceremony.ChannelOutput) wire.Txid { return wire.Txid(o.Outpoint.Hash) }

// Output is the transaction of the output that the factory has for the channel, as
// the suite's side knows it.
func (ch *Channel) Output() wire.Txid { return fundingTxid(ch.output) }

// foreign reports whether an output is of a client that the suite plays as well:
// there is no channel on it.
func (l *LeafChannels) foreign(o ceremony.ChannelOutput) bool {
	return l.opener && o.Peer != scriptPeer(0)
}

// of is the channel that an output is for, nil when there is none.
func (l *LeafChannels) of(o ceremony.ChannelOutput) *Channel {
	for _, ch := range slices.Backward(l.List) {
		if ch.output.Peer == o.Peer && ch.output.LSPKey == o.LSPKey {
			return ch
		}
	}
	return nil
}

// Ready brings the channels to channel_ready, in a factory that is paid for.
func (l *LeafChannels) Ready() {
	if l != nil && slices.ContainsFunc(l.List, func(ch *Channel) bool { return ch.M.Broken() }) {
		l.Use()
	}
}

// CanMove implements ceremony.Channels.
func (l *LeafChannels) CanMove(to ceremony.ChannelOutput) error {
	if l.foreign(to) {
		return nil
	}
	ch := l.of(to)
	switch {
	case ch == nil || ch.M.Broken():
		return ceremony.ErrNoChannel
	case ch.M.Knows(fundingTxid(to)), ch.to != nil && ch.to.begun && ch.to.Outpoint == to.Outpoint:
		return nil
	case l.opener && !ch.M.Settled(fundingTxid(ch.output)), len(ch.M.Fundings) > 1:
		return ceremony.ErrStillMoving
	}
	if _, whole := ch.M.Whole(); to.Absorbed() && !whole && l.Rules.On(rule.CHG020) {
		return ceremony.ErrHTLCs
	}
	return nil
}

// Move implements ceremony.Channels.
func (l *LeafChannels) Move(to ceremony.ChannelOutput) {
	ch := l.of(to)
	if l.foreign(to) || ch == nil || ch.output.Outpoint == to.Outpoint {
		return
	}
	begun := ch.to != nil && ch.to.begun && ch.to.Outpoint == to.Outpoint
	ch.to = &leafMove{ChannelOutput: to, live: true, begun: begun}
	ch.followNow()
}

// Moved implements ceremony.Channels.
func (l *LeafChannels) Moved(to ceremony.ChannelOutput) bool {
	if l.foreign(to) {
		return true
	}
	ch := l.of(to)
	return ch != nil && ch.M.Committed(fundingTxid(to))
}

// Begin implements ceremony.Channels.
func (l *LeafChannels) Begin(to ceremony.ChannelOutput) error {
	if l.foreign(to) {
		return nil
	}
	ch := l.of(to)
	if ch == nil {
		return ceremony.ErrNoChannel
	}
	if ch.to != nil && ch.to.Outpoint == to.Outpoint {
		ch.to.begun = true
	}
	err := ch.M.PendingOn(fundingTxid(to))
	ch.Flush()
	return err
}

// Stands implements ceremony.Channels.
func (l *LeafChannels) Stands(o ceremony.ChannelOutput) {
	ch := l.of(o)
	if l.foreign(o) || ch == nil || ch.output.Outpoint == o.Outpoint && ch.output.Alone == o.Alone {
		return
	}
	ch.output.Outpoint, ch.output.Value, ch.output.Alone, ch.output.Into = o.Outpoint, o.Value, o.Alone, o.Into
	if ch.to != nil && ch.to.Outpoint == o.Outpoint {
		ch.to = nil
	}
	ch.followNow()
}

// endMoves is the end of an attempt: what has not begun is called off (CHG-009),
// what has stays pending.
func (l *LeafChannels) endMoves(attempt wire.CeremonyID, keep bool) {
	for _, ch := range l.List {
		if ch.to == nil || ch.to.Attempt != attempt {
			continue
		}
		ch.to.live, ch.to.begun = false, keep
		if !keep {
			ch.to = nil
		}
		ch.followNow()
	}
}

func (ch *Channel) followNow() {
	ch.follow()
	ch.Flush()
	ch.leaf.moved = true
}

// follow brings a channel to where its factory is. What the machine cannot do yet
// it is told again when something has changed.
func (ch *Channel) follow() {
	m, at := ch.M, fundingTxid(ch.output)
	ch.callOff(at)
	if changing, ok := m.Changing(); ok && changing == at {
		_ = m.PendingOn(at)
		_ = m.ChangeStored()
	}
	if ch.output.Alone {
		_ = m.Lock(at)
	}
	if ch.to == nil {
		return
	}
	to := fundingTxid(ch.to.ChannelOutput)
	if given, ok := ch.M.Given(to); ok && ch.to.given == nil {
		ch.to.given = &given
		if stays := ch.leaf.stays(ch.to.ChannelOutput); stays != nil {
			stays.followNow()
		}
	}
	if ch.to.begun && !ch.leaf.opener {
		_ = m.PendingOn(to)
	}
	if changing, ok := m.Changing(); ok && changing == to && ch.goesOn() {
		_ = m.ChangeStored()
	}
	if ch.leaf.opener && ch.to.live && !ch.to.started && !m.Negotiating() && !m.Committed(to) {
		if part, ok := ch.parts(); ok {
			ch.to.started = m.StartChange(part[commitment.Opener], nil) == nil
		}
	}
}

// stays is the channel that absorbs the one that goes to an output.
func (l *LeafChannels) stays(to ceremony.ChannelOutput) *Channel {
	for _, ch := range l.List {
		if ch.output.Peer == to.Peer && ch.output.LSPKey == to.Into {
			return ch
		}
	}
	return nil
}

// goesInto reports whether an update takes a channel into another one.
func (ch *Channel) goesInto(stays *Channel) bool {
	return ch.to != nil && ch.output.Peer == stays.output.Peer && ch.to.Into == stays.output.LSPKey && ch.to.Outpoint == stays.to.Outpoint
}

// parts are the contributions of both sides to the change of a channel (CHG-004,
// CHG-017, CHG-019); false while what it waits for is not there.
func (ch *Channel) parts() (sat [2]int64, ok bool) {
	if ch.to.Absorbed() {
		whole, ok := ch.M.Whole()
		return [2]int64{-whole[0], -whole[1]}, ok
	}
	for _, other := range ch.leaf.List {
		if !other.goesInto(ch) {
			continue
		}
		if other.to.given == nil {
			return sat, false
		}
		sat[commitment.Accepter] += other.to.given[commitment.Accepter]
	}
	sat[commitment.Opener] = int64(ch.to.Value) - int64(ch.M.Value()) - sat[commitment.Accepter]
	return sat, true
}

// goesOn reports whether a change continues because its attempt has ended after phase
// 1 began (CHG-025): the client says so first.
func (ch *Channel) goesOn() bool {
	if ch.leaf.opener {
		return ch.to.begun && ch.M.PeerContinues(fundingTxid(ch.to.ChannelOutput))
	}
	return ch.to.begun && !ch.to.live
}

// callOff ends a change that no ceremony knows of.
func (ch *Channel) callOff(at wire.Txid) {
	changing, committed := ch.M.Changing()
	known := committed && (changing == at || ch.to != nil && changing == fundingTxid(ch.to.ChannelOutput))
	lost := ch.M.Negotiating() && (ch.to == nil || !ch.to.live)
	if lost || committed && !known {
		_ = ch.M.AbortChange("the update is over")
	}
}

// change handles what the machine of a channel that moves asks and tells, and
// reports whether it was a question.
func (l *LeafChannels) change(ch *Channel, a channel.Action) (question bool) {
	switch a := a.(type) {
	case channel.AskChange:
		question = true
		ours, reason := ch.judge(a)
		_ = ch.M.AnswerChange(a.ID, ours, nil, reason)
	case channel.AskChangeOutpoint:
		question = true
		switch {
		case ch.to == nil:
		case ch.to.Absorbed():
			_ = ch.M.ChangeInto(a.ID, fundingTxid(ch.to.ChannelOutput), uint16(ch.to.Outpoint.Index))
		case slices.ContainsFunc(ch.leaf.List, func(other *Channel) bool { return other.goesInto(ch) }):
			_ = ch.M.ChangeTaking(a.ID, fundingTxid(ch.to.ChannelOutput), uint16(ch.to.Outpoint.Index))
		default:
			_ = ch.M.ChangeOutpoint(a.ID, fundingTxid(ch.to.ChannelOutput), uint16(ch.to.Outpoint.Index))
		}
	case channel.AskLock:
		question = true
		if a.Txid != fundingTxid(ch.output) {
			ch.M.LockRefused(a.Txid)
		}
	case channel.AskContinue:
		question = true
	case channel.ChangeCommitted:
		l.news = true
	case channel.ChangeLocked:
		ch.M.Round()
	case channel.Up, channel.ChangeAborted, channel.Quiescent:
	default:
		return false
	}
	ch.follow()
	return question
}

// judge says what is wrong with the target's part in a change, and what the suite's is.
// A change that no update asks for is refused; any other fault is the target's.
func (ch *Channel) judge(a channel.AskChange) (ours int64, reason string) {
	if ch.to == nil || !ch.to.live {
		return 0, "no update that is going on moves this channel"
	}
	part, ready := ch.parts()
	err := error(nil)
	switch {
	case !ready:
		err = errors.New("a channel that is to be absorbed is not ready for it")
	case a.Key != ch.output.Theirs:
		err = errors.New("the funding_pubkey is not the one that its sender has in the channel")
	case a.ContributionSat != part[ch.M.Side.Other()]:
		err = fmt.Errorf("funding_contribution_satoshis is not what the update gives: %d, not %d", a.ContributionSat, part[ch.M.Side.Other()])
	default:
		return part[ch.M.Side], ""
	}
	ch.play.fail(ch.Rule, mismatch{message: "what the target sent is not right: " + err.Error(), planted: -1,
		expected: []string{"a part of the change that fits the update"}, received: fmt.Sprintf("%v", ch.Names()), frame: lastFrame(ch.play.frames)})
	return 0, err.Error()
}
