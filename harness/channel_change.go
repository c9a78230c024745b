package harness

import (
	"encoding/binary"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// LoopbackChange is the payload of a change (PCF-161).
type LoopbackChange struct {
	Txid  wire.Txid
	Index uint16
	Flags byte
}

// Flags of a LoopbackChange.
const (
	NeverStored = 1 << iota
	NeverLocked
	Refused
)

// Payload is its encoding.
func (c LoopbackChange) Payload() []byte {
	b := binary.BigEndian.AppendUint16(slices.Clone(c.Txid[:]), c.Index)
	if c.Flags != 0 {
		b = append(b, c.Flags)
	}
	return b
}

// Fresh makes a change to an outpoint that nobody knows, the next one that the
// suite's side names.
func (ch *Channel) Fresh(flags byte) LoopbackChange {
	ch.next = LoopbackChange{Txid: ch.play.Random32(), Index: 1, Flags: flags}
	return ch.next
}

// Start begins a change; without talking it as far as it goes.
func (ch *Channel) Start(flags byte) LoopbackChange {
	c := ch.Fresh(flags)
	if err := ch.M.StartChange(0, c.Payload()); err != nil {
		ch.play.controlFailed("a change can begin", oneLine(err.Error()))
	}
	return c
}

// Change takes the channel through a change as far as both sides continue, and
// ends the case when it does not come so far.
func (ch *Channel) Change() LoopbackChange {
	c := ch.Start(0)
	ch.Settle()
	ch.MustBeUp("a change of a Loopback channel")
	return c
}

// Order has the target begin, abort or lock a change (PCF-162).
func (ch *Channel) Order(kind byte, rest ...[]byte) Reaction {
	id := ch.M.ChannelID()
	payload := slices.Concat([]byte{kind}, id[:], slices.Concat(rest...))
	ch.Peer.Send(&wire.Piggyback{ProtocolID: ch.play.Codec.LoopbackID(), Payload: payload})
	return ch.Settle()
}

// Kinds of orders.
const (
	OrderChange = 16 + iota
	OrderAbort
	OrderLock
)

// OrderStart has the target begin a change.
func (ch *Channel) OrderStart(flags byte) LoopbackChange {
	c := ch.Fresh(flags)
	ch.Order(OrderChange, make([]byte, 8), c.Payload())
	return c
}

// Offer offers an HTLC with an onion that nobody can open, and talks until it is
// over: a round of commitments in which both sides have updates. It is the
// positive control that a channel works; the case ends when it does not.
func (ch *Channel) Offer() {
	before := ch.ended()
	ch.Add()
	ch.Settle()
	if ch.ended() == before {
		ch.play.controlFailed("an HTLC is offered, refused and removed", fmt.Sprintf("after %v%s", ch.Names(), ch.Peer.how()))
	}
}

// Works is Offer as a requirement.
func (ch *Channel) Works(id rule.ID, what string) bool {
	before, from := ch.ended(), len(ch.Log)
	_, err := ch.M.Add(ch.htlc())
	if err == nil {
		ch.Settle()
	}
	if ch.ended() > before {
		return true
	}
	received := fmt.Sprintf("%v%s", ch.Names()[from:], ch.Peer.how())
	if err != nil {
		received = oneLine(err.Error())
	}
	ch.play.fail(id, mismatch{message: "no HTLC can be offered and removed: " + what, planted: -1,
		expected: []string{what}, received: received, frame: lastFrame(ch.play.frames)})
	return false
}

func (ch *Channel) ended() (n int) {
	for _, e := range ch.Events {
		if f, ok := e.(channel.HTLCFailed); ok && !f.Dropped {
			n++
		}
	}
	return n
}

// Add offers such an HTLC.
func (ch *Channel) Add() {
	if _, err := ch.M.Add(ch.htlc()); err != nil {
		ch.play.controlFailed("an HTLC can be offered", oneLine(err.Error()))
	}
}

func (ch *Channel) htlc() channel.AddHTLC {
	hash := ch.play.Random32()
	var origin channel.Origin
	copy(origin[:], hash[:])
	return channel.AddHTLC{Origin: origin, Amount: 5_000_000, Hash: hash, Expiry: ch.M.Height() + 1000, Onion: make([]byte, 1366)}
}

// Provoke sends something bent and requires one of the outcomes. When the
// connection survives, what came is handed on.
func (ch *Channel) Provoke(id rule.ID, m wire.Message, what string, want ...Outcome) Reaction {
	r := ch.Peer.Provoke(id, Stimulus{Message: m, What: what}, want...)
	if slices.Contains(want, r.Outcome) && ch.Peer.Open() && r.Outcome == Ignored {
		ch.Take(r)
	}
	return r
}

// Withhold runs do, talks, and returns what the suite's side would have sent from
// the first message of type M on. Without one the case ends.
func Withhold[M wire.Message](ch *Channel, do func()) []wire.Message {
	var kept []wire.Message
	before := ch.Bend
	ch.Bend = func(m wire.Message) []wire.Message {
		if _, ok := m.(M); ok || len(kept) > 0 {
			kept = append(kept, m)
			return nil
		}
		return []wire.Message{m}
	}
	do()
	ch.Settle()
	ch.Bend = before
	if len(kept) == 0 {
		ch.play.controlFailed(fmt.Sprintf("the conversation reaches the suite's %T", *new(M)), fmt.Sprintf("after %v%s", ch.Names(), ch.Peer.how()))
	}
	return kept
}

// Refuse is "sends a warning and closes the connection, or fails the channel".
var Refuse = []Outcome{WarnedClosed, Errored, ErroredClosed}

// SignsUnasked is the commitment_signed, without updates, that the suite's side could
// send now for the output in use: what it signs is not sent, and its machine does
// not know of it. The connection is made again for it.
func (ch *Channel) SignsUnasked() wire.Message {
	hello := ch.Reconnect()
	if hello == nil {
		ch.play.controlFailed("the channel is reestablished", fmt.Sprintf("after %v%s", ch.Names(), ch.Peer.how()))
	}
	twin, err := channel.Restore(ch.cfg, ch.M.Encode())
	if err != nil {
		panic(err) // its own encoding
	}
	twin.Connected()
	twin.Receive(hello)
	twin.Round()
	twin.Take()
	twin.Commit()
	for _, a := range twin.Take() {
		if s, ok := a.(channel.Send); ok && s.Message.Name() == "commitment_signed" {
			return s.Message
		}
	}
	panic("a channel at rest signs nothing") // the suite's own side
}

// Drop ends the connection and makes a new one, as far as init; Resume goes on.
func (ch *Channel) Drop() Reaction {
	if ch.Peer.Open() {
		ch.Peer.Close()
	}
	ch.M.Disconnected()
	ch.Held = nil
	ch.Flush()
	ch.Peer = ch.play.DialAs(ch.identity)
	if ch.leaf != nil {
		ch.leaf.Attach(ch.Peer)
	}
	return ch.Peer.Exchange()
}

// Reconnect drops the connection and reestablishes the channel on a new one. It
// returns the target's channel_reestablish, nil when there was none.
func (ch *Channel) Reconnect() *wire.ChannelReestablish {
	from := len(ch.Log)
	r := ch.Drop()
	ch.M.SetFeatures(ch.Peer.negotiated())
	ch.M.Connected()
	ch.Flush()
	ch.Take(r)
	ch.Settle()
	for _, m := range ch.Log[from:] {
		if m, ok := m.(*wire.ChannelReestablish); ok {
			return m
		}
	}
	return nil
}
