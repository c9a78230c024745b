package harness

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Channel is a Loopback channel with the target. The suite's side is the machine
// of the reference node, so that it is right everywhere except where a case
// bends what it sends.
type Channel struct {
	Peer *Peer // the connection of now
	M    *channel.Machine
	// Rule is what the target breaks when the suite's machine cannot take what it
	// sent.
	Rule rule.ID
	// Log is what the target sent about the channel, in order.
	Log []wire.Message
	// Bend says what is sent instead of a message; nil sends it.
	Bend func(wire.Message) []wire.Message
	// Deaf says which messages of the target the suite's side does not get.
	Deaf func(wire.Message) bool
	// Hold says which questions of the machine wait in Held; nil: none.
	Hold func(channel.Action) bool
	Held []channel.Action
	// Events are what the machine tells its node: HTLCs, changes.
	Events []channel.Action

	play     *Play
	cfg      channel.Config
	identity int
	next     LoopbackChange
	leaf     *LeafChannels // nil for a Loopback channel
	output   ceremony.ChannelOutput
	to       *leafMove // where an update takes it; nil: nowhere
	// preimages are those of the suite's invoices.
	preimages [][32]byte
}

// LoopbackOpen describes a channel to open; zero values are replaced.
type LoopbackOpen struct {
	Txid     wire.Txid // of its outpoint
	Instance [32]byte
	Warning  uint16 // early warning time, blocks
	ZeroFee  bool   // commitments pay no fee
	// Rules are those of the suite's side: a fault may be a rule that it breaks.
	Rules rule.Set
}

// Sizes of the suite's Loopback channels: the target can offer HTLCs, too.
const (
	loopbackSat      = 1_000_000
	loopbackPushMsat = 400_000_000
	loopbackWarning  = 144
)

// Random32 returns 32 bytes that nobody used.
func (p *Play) Random32() (out [32]byte) {
	for i := range out {
		out[i] = byte(p.Rand.Uint32())
	}
	return out
}

// channelKeys are the suite's keys of its n-th channel in a case.
func (p *Play) channelKeys(n string) channel.Keys {
	key := func(label string) *btcec.PrivateKey { return deriveKey(p.seed, "channel "+n+" "+label) }
	return channel.Keys{
		Secrets: &commitment.Secrets{Revocation: key("revocation"), Payment: key("payment"), Delayed: key("delayed"), HTLC: key("htlc")},
		Seed:    commitment.Seed(derive(p.seed, "channel "+n+" seed")),
		Funding: func(i uint32) *btcec.PrivateKey { return key(fmt.Sprint("funding ", i)) },
	}
}

func pointsOf(k channel.Keys) wire.ChannelKeys {
	point := func(p *btcec.PublicKey) wire.Point { return wire.Point(p.SerializeCompressed()) }
	first, err := k.Seed.Point(0)
	if err != nil {
		panic(err)
	}
	b := k.Secrets.Basepoints()
	return wire.ChannelKeys{
		Funding: point(k.Funding(0).PubKey()), Revocation: point(b.Revocation), Payment: point(b.Payment),
		DelayedPayment: point(b.Delayed), HTLC: point(b.HTLC), FirstPerCommitment: point(first),
	}
}

// negotiated are the features that both sides offered, by even bit.
func (c *Peer) negotiated() wire.Features {
	var both wire.Features
	for _, bit := range Features().Bits() {
		if c.Init.All().Offers(bit) {
			both = both.With(bit &^ 1)
		}
	}
	return both
}

// Propose opens a Loopback channel as far as accept_channel.
func (c *Peer) Propose(o LoopbackOpen) *Channel {
	p := c.play
	if o.Txid == (wire.Txid{}) {
		o.Txid = p.Random32()
	}
	if o.Instance == [32]byte{} {
		o.Instance = p.Random32()
	}
	if o.Warning == 0 {
		o.Warning = loopbackWarning
	}
	temporary := p.Random32()
	keys := p.channelKeys(fmt.Sprintf("%x", temporary[:4]))
	in := wire.ChannelInFactory{ProtocolID: p.Codec.LoopbackID(), InstanceID: o.Instance, EarlyWarningTime: o.Warning}
	open := channel.NewOpen(c.Chain(), temporary, loopbackSat, in, pointsOf(keys))
	open.PushMsat = loopbackPushMsat
	if o.ZeroFee {
		channel.ZeroFee(open)
	}
	c.Send(open)
	accept := MustAwait[*wire.AcceptChannel](c, "accept_channel for a Loopback channel")
	cfg := c.channelConfig(keys, o.Rules)
	m, err := channel.NewOpener(cfg, open, accept)
	if err != nil {
		p.controlFailed("an accept_channel that a channel can be made with", oneLine(err.Error()))
	}
	ch := &Channel{Peer: c, M: m, Rule: p.Case.Rules[0], play: p, cfg: cfg, identity: slices.Index(p.peers, c)}
	ch.next.Txid = o.Txid
	return ch
}

func (c *Peer) channelConfig(keys channel.Keys, rules rule.Set) channel.Config {
	return channel.Config{
		Keys: keys, Rules: rules, Features: c.negotiated(), Alias: 16_000_000 << 40,
		Script: append([]byte{0, 20}, bytes.Repeat([]byte{7}, 20)...),
	}
}

// Fund names the outpoint of a proposed channel and goes on as far as it goes.
func (ch *Channel) Fund() Reaction {
	if err := ch.M.Outpoint(ch.next.Txid, 0); err != nil {
		panic(err)
	}
	ch.M.SetUsable()
	return ch.Settle()
}

// OpenLoopback opens a channel until HTLCs can be offered: the positive control
// of every case about one.
func (c *Peer) OpenLoopback() *Channel { return c.OpenWith(LoopbackOpen{}) }

// OpenWith is OpenLoopback with something chosen.
func (c *Peer) OpenWith(o LoopbackOpen) *Channel {
	ch := c.Propose(o)
	ch.Fund()
	ch.MustBeUp("a Loopback channel opens")
	return ch
}

// AcceptLoopback has the target, an LSP, open a channel to the suite.
func (c *Peer) AcceptLoopback(open *wire.OpenChannel) *Channel {
	p := c.play
	keys := p.channelKeys("accepted")
	accept := channel.NewAccept(open, pointsOf(keys))
	m, err := channel.NewAccepter(c.channelConfig(keys, rule.Set{}), open, accept)
	if err != nil {
		p.controlFailed("an open_channel that a channel can be made with", oneLine(err.Error()))
	}
	c.Send(accept)
	return &Channel{Peer: c, M: m, Rule: p.Case.Rules[0], play: p, identity: slices.Index(p.peers, c)}
}

// MustBeUp ends the case unless HTLCs can be offered.
func (ch *Channel) MustBeUp(what string) {
	if !ch.M.Link().Up {
		ch.play.controlFailed(what, fmt.Sprintf("after %v%s", ch.Names(), ch.Peer.how()))
	}
}

// Settle talks until both sides are silent, and returns the last reaction.
func (ch *Channel) Settle() Reaction {
	ch.Flush()
	var r Reaction
	for range 60 {
		r = ch.Peer.Fence()
		if !ch.Take(r) {
			break
		}
	}
	if !ch.Peer.Open() {
		ch.M.Disconnected()
		ch.Flush()
	}
	return r
}

// Take hands the channel's messages of a reaction to the machine; false: there
// were none.
func (ch *Channel) Take(r Reaction) (any bool) {
	if ch.leaf != nil {
		return ch.leaf.drain()
	}
	for _, m := range r.Messages {
		if m != nil && ch.about(m) {
			any = true
			ch.take(m)
		}
	}
	return any
}

// take hands a message to the machine.
func (ch *Channel) take(m wire.Message) {
	ch.Log = append(ch.Log, m)
	if _, warning := m.(*wire.Warning); !warning && (ch.Deaf == nil || !ch.Deaf(m)) {
		ch.M.Receive(m)
		ch.Flush()
	}
}

// about reports whether a message names the channel.
func (ch *Channel) about(m wire.Message) bool {
	id := idOf(m)
	return id == ch.M.ChannelID() || id == ch.M.TemporaryID()
}

// idOf is the channel id that a message names.
func idOf(m wire.Message) wire.ChannelID {
	switch m := m.(type) {
	case *wire.Stfu:
		return m.ChannelID
	case *wire.ErrorMessage:
		return m.ChannelID
	case *wire.Warning:
		return m.ChannelID
	}
	id, ok := wire.ChangedChannel(m)
	if !ok {
		id, _ = wire.ChannelOf(m)
	}
	return id
}

// Flush carries out what the machine wants.
func (ch *Channel) Flush() {
	for {
		actions := ch.M.Take()
		ch.M.Commit()
		if actions = append(actions, ch.M.Take()...); len(actions) == 0 {
			return
		}
		for _, a := range actions {
			ch.act(a)
		}
	}
}

func (ch *Channel) act(a channel.Action) {
	if ch.Hold != nil && ch.Hold(a) {
		ch.Held = append(ch.Held, a)
		return
	}
	if ch.leaf != nil && ch.leaf.change(ch, a) {
		return
	}
	switch a := a.(type) {
	case channel.Send:
		ch.send(a.Message)
	case channel.AskOutpoint:
		_ = ch.M.OutpointIs(ch.checkOutpoint(a))
	case channel.Opened:
		ch.Events = append(ch.Events, a)
		ch.noteOpened()
	case channel.AskChange:
		_ = ch.M.AnswerChange(a.ID, 0, nil, "")
	case channel.AskChangeOutpoint:
		_ = ch.M.ChangeOutpoint(a.ID, ch.next.Txid, ch.next.Index)
	case channel.AskContinue:
		_ = ch.M.ChangePending()
		_ = ch.M.ChangeStored()
	case channel.AskLock:
		_ = ch.M.Lock(a.Txid)
	case channel.Persist, channel.Append, channel.SetTimer, channel.Broadcast, channel.Disconnect:
	default:
		ch.Events = append(ch.Events, a)
	}
}

// send sends a message of the machine. That the machine complains is a failure of
// the target: nothing has been bent by then.
func (ch *Channel) send(m wire.Message) {
	var data []byte
	switch m := m.(type) {
	case *wire.Warning:
		data = m.Data
	case *wire.ErrorMessage:
		data = m.Data
	}
	if data != nil && ch.Bend == nil {
		ch.play.fail(ch.Rule, mismatch{message: "what the target sent is not right: " + string(data), planted: -1,
			expected: []string{"a message that the suite's side of the channel can take"}, received: fmt.Sprintf("%v", ch.Names()), frame: lastFrame(ch.play.frames)})
		return
	}
	messages := []wire.Message{m}
	if ch.Bend != nil {
		messages = ch.Bend(m)
	}
	for _, m := range messages {
		ch.Peer.Send(m)
	}
}

// Names are the names of what the target sent, in order.
func (ch *Channel) Names() []string {
	names := make([]string, len(ch.Log))
	for i, m := range ch.Log {
		names[i] = m.Name()
	}
	return names
}

// Count counts what the target sent since the log had from entries.
func (ch *Channel) Count(from int, name string) (n int) {
	for _, m := range ch.Log[from:] {
		if m.Name() == name {
			n++
		}
	}
	return n
}

// Want records a failure of id unless the target sent a message since the log
// had from entries, or did not, as wanted.
func (ch *Channel) Want(id rule.ID, from int, name string, wanted bool) bool {
	if (ch.Count(from, name) > 0) == wanted {
		return true
	}
	what, message := name, name+" did not come"
	if !wanted {
		what, message = "no "+name, name+" came"
	}
	ch.play.fail(id, mismatch{message: message, planted: -1, expected: []string{what},
		received: fmt.Sprintf("%v%s", ch.Names()[from:], ch.Peer.how()), frame: lastFrame(ch.play.frames)})
	return false
}
