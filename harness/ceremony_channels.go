package harness

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// LeafChannels are the channels that a participant of the suite opens with the
// target on the outputs that their ceremonies make (section 8.1). It is right
// everywhere except where a hook says otherwise. What the target says is answered
// after a fence, so that what the suite sends does not depend on when it came.
type LeafChannels struct {
	// Open changes open_channel, Accept accept_channel. Nil changes nothing.
	Open   func(*wire.OpenChannel)
	Accept func(*wire.AcceptChannel)
	// Made is told of each channel before it says anything: a case can give it a
	// Bend. Nil: nobody is told.
	Made func(*Channel)
	// Outpoint changes what the suite's LSP names in funding_created, and signs
	// for. Nil changes nothing.
	Outpoint func(*btcwire.OutPoint)
	// Draw names the keys of the channels that are opened from now on, but for the
	// funding keys: with another one they are others, on the same output, too.
	Draw string
	// FreshFunding has the channels that are opened from now on take funding keys of
	// their own, and not those of the ceremony (CHAN-003).
	FreshFunding bool
	// Rules are those that the suite's side of each channel keeps.
	Rules rule.Set

	List []*Channel     // in the order in which they were made
	Log  []wire.Message // what the target sent before there was a channel, errors about it among them

	play    *Play
	peer    *Peer
	opener  bool // the suite is the LSP
	outputs []ceremony.ChannelOutput
	next    []ceremony.ChannelOutput // the LSP has to open these
	asked   []proposed               // the LSP has sent open_channel
	early   []*wire.OpenChannel      // came before the output is known
	opened  map[btcwire.OutPoint]bool
	inbox   []wire.Message // of the target, about channels, not handled yet
	news    bool           // a channel was opened that the ceremony has not heard of
	moved   bool           // something about a channel was said
}

// proposed is a channel of the suite's LSP that waits for accept_channel.
type proposed struct {
	open   *wire.OpenChannel
	keys   channel.Keys
	output ceremony.ChannelOutput
}

// leafChannels are those of a participant with the target.
func (c *Peer) leafChannels(opener bool, rules rule.Set) *LeafChannels {
	l := &LeafChannels{play: c.play, opener: opener, opened: map[btcwire.OutPoint]bool{}, Rules: rules}
	l.Attach(c)
	return l
}

// Attach lets the channels answer on a connection.
func (l *LeafChannels) Attach(c *Peer) { l.peer, c.leaf = c, l }

// On is the channel on an output, nil when there is none.
func (l *LeafChannels) On(o btcwire.OutPoint) *Channel {
	for _, ch := range slices.Backward(l.List) {
		if ch.output.Outpoint == o {
			return ch
		}
	}
	return nil
}

// Outputs are the outputs that the suite's participant expects channels on.
func (l *LeafChannels) Outputs() []ceremony.ChannelOutput { return l.outputs }

// Expect implements ceremony.Channels.
func (l *LeafChannels) Expect(o ceremony.ChannelOutput) {
	if l.opener && o.Peer != scriptPeer(0) {
		l.opened[o.Outpoint] = true // that of another participant of the suite
		return
	}
	l.outputs = append(l.outputs, o)
	if l.opener {
		l.next = append(l.next, o)
		return
	}
	waiting := l.early
	l.early = nil
	for _, open := range waiting {
		l.accept(open)
	}
}

// Opened implements ceremony.Channels.
func (l *LeafChannels) Opened(o btcwire.OutPoint) bool { return l.opened[o] }

// Forget implements ceremony.Channels.
func (l *LeafChannels) Forget(_ ceremony.Peer, attempt wire.CeremonyID) {
	l.next = slices.DeleteFunc(l.next, func(o ceremony.ChannelOutput) bool { return o.Attempt == attempt })
	for _, ch := range l.List {
		if ch.output.Attempt == attempt {
			ch.M.Forget()
			ch.Flush()
		}
	}
}

// CallOff implements ceremony.Channels.
func (l *LeafChannels) CallOff(_ ceremony.Peer, attempt wire.CeremonyID) { l.endMoves(attempt, false) }

// Keep implements ceremony.Channels.
func (l *LeafChannels) Keep(_ ceremony.Peer, attempt wire.CeremonyID) { l.endMoves(attempt, true) }

// propose sends open_channel for the outputs of an attempt that the target takes
// part in: a client that refuses the ceremony is not asked.
func (l *LeafChannels) propose(attempt wire.CeremonyID) {
	var rest []ceremony.ChannelOutput
	for _, o := range l.next {
		if o.Attempt != attempt {
			rest = append(rest, o)
			continue
		}
		l.Propose(o)
	}
	l.next = rest
}

// Propose sends open_channel for an output.
func (l *LeafChannels) Propose(o ceremony.ChannelOutput) *wire.OpenChannel {
	p := l.play
	keys := l.keys(o)
	in := wire.ChannelInFactory{ProtocolID: p.Codec.SuperScalarID(), InstanceID: [32]byte(o.Factory), EarlyWarningTime: uint16(o.Params.EarlyWarningTime(o.Shape))}
	open := channel.NewOpen(l.peer.Chain(), p.Random32(), uint64(o.Value), in, pointsOf(keys))
	open.ToSelfDelay = leafToSelfDelay
	if l.Open != nil {
		l.Open(open)
	}
	l.asked = append(l.asked, proposed{open, keys, o})
	l.peer.Send(open)
	return open
}

// leafToSelfDelay is what the suite's LSP asks of its clients, in blocks
// (CHAN-005).
const leafToSelfDelay = 144

// keys are the suite's keys of the channel on an output: the funding key is the
// ceremony's (CHAN-003), and stays when the channel moves (CHG-003).
func (l *LeafChannels) keys(o ceremony.ChannelOutput) channel.Keys {
	keys := l.play.channelKeys(fmt.Sprintf("leaf %t %s", l.opener, o.Outpoint) + l.Draw)
	later := keys.Funding
	keys.Fixed = true
	keys.Funding = func(i uint32) *btcec.PrivateKey {
		if i == 0 && !l.FreshFunding {
			return o.Key
		}
		return later(i)
	}
	return keys
}

// hear keeps a message of the target, if it is about a channel here.
func (l *LeafChannels) hear(m wire.Message) {
	switch x := m.(type) {
	case *wire.OpenChannel:
		if in := x.ChannelInFactory; in == nil || in.ProtocolID != l.play.Codec.SuperScalarID() {
			return
		}
	case *wire.AcceptChannel:
		if !l.temporary(x.TemporaryChannelID) {
			return
		}
	default:
		if !l.concerns(m) {
			return
		}
	}
	l.inbox = append(l.inbox, m)
}

// drain handles what was kept, and reports whether there was anything.
func (l *LeafChannels) drain() (any bool) {
	for len(l.inbox) > 0 {
		any = true
		m := l.inbox[0]
		l.inbox = l.inbox[1:]
		l.handle(m)
	}
	l.moved = l.moved || any
	return any
}

func (l *LeafChannels) handle(m wire.Message) {
	switch m := m.(type) {
	case *wire.OpenChannel:
		l.Log = append(l.Log, m)
		l.accept(m)
		return
	case *wire.AcceptChannel:
		l.Log = append(l.Log, m)
		l.made(m)
		return
	}
	if l.temporary(idOf(m)) {
		l.Log = append(l.Log, m)
		return
	}
	for _, ch := range l.List {
		if ch.about(m) {
			ch.take(m)
			return
		}
	}
}

// temporary reports whether an id is that of an attempt without a channel.
func (l *LeafChannels) temporary(id wire.ChannelID) bool {
	return slices.ContainsFunc(l.asked, func(q proposed) bool { return q.open.TemporaryChannelID == id })
}

// concerns reports whether a message is about a channel of the suite's
// participant, or about one that it asked for.
func (l *LeafChannels) concerns(m wire.Message) bool {
	if idOf(m) == (wire.ChannelID{}) {
		return false
	}
	return l.temporary(idOf(m)) || slices.ContainsFunc(l.List, func(ch *Channel) bool { return ch.about(m) })
}

// onlyErrors reports whether every error of a reaction is about channels of the
// suite's participant: they are no answer to a ceremony.
func (l *LeafChannels) onlyErrors(r Reaction) bool {
	for _, m := range r.Messages {
		if e, ok := m.(*wire.ErrorMessage); ok && !l.concerns(e) {
			return false
		}
	}
	return true
}

// accept answers open_channel, or keeps it until its output is known.
func (l *LeafChannels) accept(open *wire.OpenChannel) {
	for _, o := range slices.Backward(l.outputs) {
		if o.LSPKey != open.Keys.Funding || o.Factory != wire.CeremonyID(open.ChannelInFactory.InstanceID) {
			continue
		}
		keys := l.keys(o)
		accept := channel.NewAccept(open, pointsOf(keys))
		accept.ToSelfDelay = o.Params.ToSelfDelay
		if l.Accept != nil {
			l.Accept(accept)
		}
		m, err := channel.NewAccepter(l.config(keys), open, accept)
		if err != nil {
			l.play.controlFailed("an open_channel that a channel can be made with", oneLine(err.Error()))
		}
		l.add(m, o)
		l.peer.Send(accept)
		return
	}
	l.early = append(l.early, open)
}

// Unmatched are open_channels of the target for outputs that nobody has made.
func (l *LeafChannels) Unmatched() []*wire.OpenChannel { return l.early }

// made makes the channel that the target has accepted.
func (l *LeafChannels) made(accept *wire.AcceptChannel) {
	i := slices.IndexFunc(l.asked, func(q proposed) bool { return q.open.TemporaryChannelID == accept.TemporaryChannelID })
	if i < 0 {
		return
	}
	q := l.asked[i]
	l.asked = slices.Delete(l.asked, i, i+1)
	m, err := channel.NewOpener(l.config(q.keys), q.open, accept)
	if err != nil {
		l.play.controlFailed("an accept_channel that a channel can be made with", oneLine(err.Error()))
	}
	ch := l.add(m, q.output)
	at := q.output.Outpoint
	if l.Outpoint != nil {
		l.Outpoint(&at)
	}
	_ = m.Outpoint(wire.Txid(at.Hash), uint16(at.Index)) // it was made a moment ago
	ch.Flush()
}

func (l *LeafChannels) config(keys channel.Keys) channel.Config {
	return l.peer.channelConfig(keys, l.Rules)
}

func (l *LeafChannels) add(m *channel.Machine, o ceremony.ChannelOutput) *Channel {
	p := l.play
	ch := &Channel{Peer: l.peer, M: m, Rule: p.Case.Rules[0], play: p, identity: slices.Index(p.peers, l.peer), leaf: l, output: o}
	m.Block(channel.Height(p.Tip()))
	l.List = append(l.List, ch)
	if l.Made != nil {
		l.Made(ch)
	}
	return ch
}

// checkOutpoint is the answer of the suite's client to funding_created: no target
// may name another outpoint than the one that the ceremony makes.
func (ch *Channel) checkOutpoint(a channel.AskOutpoint) string {
	if ch.leaf == nil {
		return ""
	}
	got := btcwire.OutPoint{Hash: chainhash.Hash(a.Txid), Index: uint32(a.Index)}
	if got == ch.output.Outpoint {
		return ""
	}
	ch.play.fail(ch.Rule, mismatch{message: "funding_created names another output than the one that the ceremony makes", planted: -1,
		expected: []string{ch.output.Outpoint.String()}, received: got.String(), frame: lastFrame(ch.play.frames)})
	return "not the outpoint of this channel"
}

// Withheld are messages that the suite's side has not sent yet.
type Withheld struct {
	channel  *Channel
	Messages []wire.Message
}

// Withhold keeps back the messages with a name of the channels that are made from
// now on.
func (l *LeafChannels) Withhold(name string) *Withheld {
	w := &Withheld{}
	l.Made = func(ch *Channel) {
		w.channel = ch
		ch.Bend = func(m wire.Message) []wire.Message {
			if m.Name() != name {
				return []wire.Message{m}
			}
			w.Messages = append(w.Messages, m)
			return nil
		}
	}
	return w
}

// Release sends them. Without one the case ends.
func (w *Withheld) Release(l *LeafChannels) {
	l.Made = nil
	if len(w.Messages) == 0 {
		l.play.controlFailed("a channel is opened as far as the message that the suite withholds", fmt.Sprintf("%v", l.Names()))
	}
	w.channel.Bend = nil
	for _, m := range w.Messages {
		w.channel.Peer.Send(m)
	}
	l.moved = true
}

// Names are the names of what the target sent about channels, in order.
func (l *LeafChannels) Names() []string {
	var names []string
	for _, m := range l.Log {
		names = append(names, m.Name())
	}
	for _, ch := range l.List {
		names = append(names, ch.Names()...)
	}
	return names
}

// Use says that the factory is usable for the suite's side, which sends
// channel_ready, and talks.
func (l *LeafChannels) Use() {
	for _, ch := range l.List {
		ch.M.Block(channel.Height(l.play.Tip()))
		ch.M.SetUsable()
		ch.Settle()
	}
}

// noteOpened tells the ceremony that both first commitments are signed.
func (ch *Channel) noteOpened() {
	if ch.leaf != nil {
		ch.leaf.opened[ch.output.Outpoint], ch.leaf.news = true, true
	}
}

// takeNews reports whether a channel has been opened since the last call.
func (l *LeafChannels) takeNews() bool {
	news := l.news
	l.news = false
	return news
}

// takeMoved reports whether the target has said anything about channels since the
// last call.
func (l *LeafChannels) takeMoved() bool {
	moved := l.moved
	l.moved = false
	return moved
}

// fenceAll is a fence after which the target has also done what it does in other
// threads, as far as the suite can ask it to, and the channels on the connection
// have nothing more to say.
func (c *Peer) fenceAll() Reaction {
	r := c.Fence()
	n, ok := c.play.Node.(Settler)
	for c.leaf != nil && c.Open() && r.Outcome != Hung {
		if ok {
			n.Settle()
			r = r.and(c.Fence())
		}
		if !c.leaf.drain() {
			break
		}
		r = r.and(c.Fence())
	}
	return r
}

// and is the reaction to two fences after each other.
func (r Reaction) and(next Reaction) Reaction {
	next.Messages, next.Raw = append(r.Messages, next.Messages...), append(r.Raw, next.Raw...)
	if next.Outcome == Ignored {
		next.Outcome = r.Outcome
	}
	return next
}
