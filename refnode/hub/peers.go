package hub

import (
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/peer"
	"superscalar/wire"
)

// tray is what waits for a connected peer.
type tray struct{ items []peer.Outgoing }

// say puts a message for a peer into its tray once the step is stored. What is
// said to a peer that is away is lost, as on any wire: reestablishment says it
// again.
func (st *step) say(to wire.Point, m wire.Message) { st.put(to, peer.Outgoing{Message: m}) }

func (st *step) end(to wire.Point, d channel.Disconnect) {
	st.put(to, peer.Outgoing{Rule: d.Rule, Reason: d.Reason})
	st.hub.leaving[to] = true // whatever it sent after this is not looked at
}

func (st *step) put(to wire.Point, o peer.Outgoing) {
	h := st.hub
	h.mu.Lock()
	t := h.trays[to] // of this connection: what is said on it does not belong on the next
	h.mu.Unlock()
	if _, online := h.online[to]; !online || t == nil {
		return
	}
	if !slices.Contains(st.peers, to) {
		st.peers = append(st.peers, to)
	}
	st.leaves = append(st.leaves, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		t.items = append(t.items, o)
	})
}

func (h *Hub) wakePeer(peer wire.Point) {
	h.mu.Lock()
	wake := h.wake
	h.mu.Unlock()
	if wake != nil {
		wake(peer)
	}
}

// Outgoing implements peer.Channels.
func (h *Hub) Outgoing(to wire.Point) []peer.Outgoing {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.trays[to]
	if t == nil {
		return nil
	}
	items := t.items
	t.items = nil
	return items
}

// Connected says that init was exchanged on a new connection, and what both
// sides offered, by even bit.
func (h *Hub) Connected(peer wire.Point, negotiated wire.Features) {
	err := h.do(func(st *step) {
		if _, was := h.online[peer]; was {
			st.gone(peer)
		}
		delete(h.leaving, peer)
		h.mu.Lock()
		h.trays[peer] = &tray{}
		h.mu.Unlock()
		h.online[peer] = negotiated
		for _, c := range h.with(peer) {
			c.machine.SetFeatures(negotiated)
			c.machine.Connected()
			st.touch(c)
		}
	})
	if err != nil {
		h.sendAway(peer)
	}
}

// sendAway ends a connection that the channels do not know of: the peer comes back when
// the store works again.
func (h *Hub) sendAway(id wire.Point) {
	h.mu.Lock()
	h.trays[id] = &tray{items: []peer.Outgoing{storeFailed}}
	h.mu.Unlock()
	h.wakePeer(id)
}

var storeFailed = peer.Outgoing{Reason: "the store failed"}

// Disconnected says that the connection with a peer is over.
func (h *Hub) Disconnected(peer wire.Point) {
	_ = h.do(func(st *step) {
		st.gone(peer)
		delete(h.online, peer)
		delete(h.leaving, peer)
		h.mu.Lock()
		delete(h.trays, peer)
		h.mu.Unlock()
	})
}

// gone tells the channels of a peer that the connection ended. Those that were
// not opened far enough to be remembered are forgotten.
func (st *step) gone(peer wire.Point) {
	h := st.hub
	for _, c := range h.with(peer) {
		c.machine.Disconnected()
		st.touch(c)
	}
	h.channels = slices.DeleteFunc(h.channels, func(c *entry) bool {
		return c.peer == peer && (c.machine.ID == (wire.ChannelID{}) || c.dropped())
	})
}

// hangUp ends every connection: the peers come back and reestablish.
func (h *Hub) hangUp() {
	h.mu.Lock()
	var peers []wire.Point
	for p, t := range h.trays {
		t.items = append(t.items, storeFailed)
		peers = append(peers, p)
	}
	h.mu.Unlock()
	slices.SortFunc(peers, func(a, b wire.Point) int { return slices.Compare(a[:], b[:]) })
	for _, p := range peers {
		h.wakePeer(p)
	}
	clear(h.online)
	clear(h.leaving)
}

// with returns the channels with a peer, in the order of all channels.
func (h *Hub) with(peer wire.Point) []*entry {
	var out []*entry
	for _, c := range h.channels {
		if c.peer == peer {
			out = append(out, c)
		}
	}
	return out
}

// find returns a peer's channel by its id, the temporary one until its output is known.
func (h *Hub) find(peer wire.Point, id wire.ChannelID) *entry {
	for _, c := range h.with(peer) {
		if c.machine.ID == id && id != (wire.ChannelID{}) || len(c.machine.Fundings) == 0 && c.machine.TemporaryID() == id {
			return c
		}
	}
	return nil
}

// findFailing is find for an error or a warning: one about funding_created has the
// temporary id, which its sender knew first (BOLT 1, "The error and warning Messages").
func (h *Hub) findFailing(peer wire.Point, id wire.ChannelID) *entry {
	if c := h.find(peer, id); c != nil {
		return c
	}
	for _, c := range h.with(peer) {
		if m := c.machine; m.Side == commitment.Opener && !m.GotSigned && m.TemporaryID() == id {
			return c
		}
	}
	return nil
}

// batching is the channel in the middle of a batch of the peer, nil when there
// is none: whatever the peer sends about channels belongs to it (PCF-131).
func (h *Hub) batching(peer wire.Point) *entry {
	for _, c := range h.with(peer) {
		if c.machine.Batching() {
			return c
		}
	}
	return nil
}

// Receive hands over a message of a peer that names a channel. It returns false
// when the peer has no such channel, and returns only once the reaction is
// stored and waits in Outgoing.
func (h *Hub) Receive(peer wire.Point, id wire.ChannelID, m wire.Message) (known bool) {
	err := h.do(func(st *step) { known = st.receive(peer, id, m) })
	return known && err == nil || err != nil
}

// receive hands a message to the channel it belongs to and carries out what the
// channel says, but for signing: that is done once for all that came together.
func (st *step) receive(peer wire.Point, id wire.ChannelID, m wire.Message) (known bool) {
	h := st.hub
	c := h.addressee(peer, id, m)
	if c == nil || c.machine.Forgotten {
		return false
	}
	if h.leaving[peer] {
		return true
	}
	if c.machine.Bounded() {
		c.machine.SetElsewhere(h.elsewhere(c))
	}
	c.machine.Receive(m)
	st.touch(c)
	st.takeAll()
	return true
}

// elsewhere is what the HTLCs towards us in the other channels of a channel's factory sum
// to (CHAN-012).
func (h *Hub) elsewhere(c *entry) (sum channel.MilliSat) {
	for _, other := range h.with(c.peer) {
		sum += Elsewhere(c.machine, other.machine)
	}
	return sum
}

// Elsewhere is what the HTLCs towards us in another channel sum to, 0 when it is not of the
// same factory.
func Elsewhere(m, other *channel.Machine) channel.MilliSat {
	in, its := m.Open.ChannelInFactory, other.Open.ChannelInFactory
	if other == m || in == nil || its == nil || its.InstanceID != in.InstanceID {
		return 0
	}
	return other.Towards()
}

// addressee is the channel that a message goes to: the one in the middle of a batch,
// or the one it names; nil when there is none. An error or a warning belongs to no
// batch, and a message that opens a channel to nothing else.
func (h *Hub) addressee(peer wire.Point, id wire.ChannelID, m wire.Message) *entry {
	switch m.(type) {
	case *wire.ErrorMessage, *wire.Warning:
		return h.findFailing(peer, id)
	case *wire.OpenChannel, *wire.AcceptChannel:
		return h.batching(peer)
	}
	if c := h.batching(peer); c != nil {
		return c
	}
	return h.find(peer, id)
}

// Pass hands over a message as Receive does and does not wait: many messages of
// one peer share a step. It returns false, and does nothing, when the message has
// to go through Receive, because the peer has no such channel that is stored.
func (h *Hub) Pass(peer wire.Point, id wire.ChannelID, m wire.Message) bool {
	h.mu.Lock()
	known := h.known[name{peer, id}]
	h.mu.Unlock()
	if !known {
		return false
	}
	h.post(func(st *step) {
		if _, online := h.online[peer]; online { // else it is of a connection that is over
			st.receive(peer, id, m)
		}
	})
	return true
}

// Wait returns once everything that was passed on before is stored and its answers
// wait in Outgoing.
func (h *Hub) Wait() { _ = h.do(func(*step) {}) }

// name is how a peer names a channel once its funding outpoint is known.
type name struct {
	peer wire.Point
	id   wire.ChannelID
}

// publish tells Pass which of these channels there are.
func (h *Hub) publish(channels []*entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range channels {
		if id := c.machine.ID; c.machine.Forgotten {
			delete(h.known, name{c.peer, id})
		} else if id != (wire.ChannelID{}) {
			h.known[name{c.peer, id}] = true
		}
	}
}

// Abandon implements peer.Channels: an attempt is over.
func (h *Hub) Abandon(id wire.Point, temporary wire.ChannelID) {
	_ = h.do(func(*step) {
		h.channels = slices.DeleteFunc(h.channels, func(c *entry) bool {
			return c.peer == id && len(c.machine.Fundings) == 0 && c.machine.TemporaryID() == temporary
		})
	})
}

// Fail hands over an error that names every channel with the peer (CHAN-022).
func (h *Hub) Fail(peer wire.Point, m *wire.ErrorMessage) {
	_ = h.do(func(st *step) {
		for _, c := range h.with(peer) {
			c.machine.Receive(m)
			st.touch(c)
		}
	})
}
