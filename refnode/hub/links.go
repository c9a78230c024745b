package hub

import (
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// links shows the channels to the router and takes its commands.
type links struct{ st *step }

func (l links) hub() *Hub { return l.st.hub }

// Link implements payment.Channels.
func (l links) Link(id wire.ChannelID) (payment.Link, bool) {
	if c := l.hub().byID(id); c != nil {
		return l.hub().link(c), true
	}
	return payment.Link{}, false
}

// BySCID implements payment.Channels.
func (l links) BySCID(scid payment.SCID) (payment.Link, bool) {
	for _, c := range l.hub().channels {
		if slices.Contains(c.names(), scid) {
			return l.hub().link(c), true
		}
	}
	return payment.Link{}, false
}

// To implements payment.Channels.
func (l links) To(peer wire.Point) []payment.Link {
	var out []payment.Link
	for _, c := range l.hub().with(peer) {
		out = append(out, l.hub().link(c))
	}
	return out
}

// All implements payment.Channels.
func (l links) All() []payment.Link {
	var out []payment.Link
	for _, c := range l.hub().channels {
		out = append(out, l.hub().link(c))
	}
	return out
}

func (h *Hub) byID(id wire.ChannelID) *entry {
	for _, c := range h.channels {
		if c.machine.ID == id && id != (wire.ChannelID{}) && !c.machine.Forgotten {
			return c
		}
	}
	return nil
}

// link is a channel as the router sees it.
func (h *Hub) link(c *entry) payment.Link {
	v := c.machine.Link()
	ours := h.cfg.Policy
	return payment.Link{
		Channel: c.machine.ID, Peer: c.peer, EarlyWarning: payment.Blocks(v.EarlyWarning), InFactory: v.InFactory,
		SCIDs: c.names(), HintSCID: payment.SCID(v.PeerAlias),
		Policy:     payment.Policy{Known: true, FeeBaseMsat: ours.FeeBaseMsat, FeePPM: ours.FeePPM, CLTVDelta: ours.CLTVDelta, HTLCMinimum: payment.Msat(v.HTLCMinimum)},
		PeerPolicy: c.theirs, Up: v.Up, Receives: c.receives(), Failed: c.machine.Failure != "",
		CanSend: payment.Msat(v.Sendable), CanReceive: payment.Msat(v.Receivable), HTLCMinimum: payment.Msat(v.HTLCMinimum),
		Untrimmed: payment.Msat(v.Untrimmed),
	}
}

// receives reports whether the channel may receive, whether or not its peer is
// connected.
func (c *entry) receives() bool {
	m := c.machine
	return m.SentReady && m.GotReady && !m.Link().Shutdown && m.Failure == "" && !m.Forgotten
}

// on gives a command to a channel.
func (l links) on(id wire.ChannelID, command func(*channel.Machine) error) error {
	c := l.hub().byID(id)
	if c == nil {
		return ErrNoChannel
	}
	l.st.touch(c)
	return command(c.machine)
}

// Add implements payment.Channels.
func (l links) Add(id wire.ChannelID, a payment.AddHTLC) (htlc uint64, err error) {
	err = l.on(id, func(m *channel.Machine) error {
		n, err := m.Add(channel.AddHTLC{
			Origin: channel.Origin(a.Origin), Amount: channel.MilliSat(a.Amount), Hash: a.Hash, Expiry: a.Expiry, Onion: a.Onion[:],
		})
		htlc = uint64(n)
		return err
	})
	return htlc, err
}

// Fulfil implements payment.Channels.
func (l links) Fulfil(id wire.ChannelID, htlc uint64, p payment.Preimage, forwarded bool) error {
	return l.on(id, func(m *channel.Machine) error { return m.Fulfil(channel.HTLCID(htlc), p, forwarded) })
}

// Fail implements payment.Channels.
func (l links) Fail(id wire.ChannelID, htlc uint64, reason []byte) error {
	return l.on(id, func(m *channel.Machine) error { return m.Fail(channel.HTLCID(htlc), reason) })
}

// FailMalformed implements payment.Channels.
func (l links) FailMalformed(id wire.ChannelID, htlc uint64, sha [32]byte, code payment.Code) error {
	return l.on(id, func(m *channel.Machine) error { return m.FailMalformed(channel.HTLCID(htlc), sha, uint16(code)) })
}

// routed translates what a channel tells the router.
func routed(a channel.Action) (payment.Event, bool) {
	switch a := a.(type) {
	case channel.HTLCReceived:
		e := payment.HTLCReceived{
			Channel: a.Channel, ID: uint64(a.ID), Amount: payment.Msat(a.Amount), Hash: a.Hash, Expiry: a.Expiry, PathKey: a.PathKey,
			Refuse: refusal(a.Refuse),
		}
		copy(e.Onion[:], a.Onion)
		return e, true
	case channel.HTLCFulfilled:
		return payment.HTLCFulfilled{Channel: a.Channel, ID: uint64(a.ID), Preimage: a.Preimage}, true
	case channel.HTLCFailed:
		e := payment.HTLCFailed{Channel: a.Channel, ID: uint64(a.ID), Reason: a.Reason, Dropped: a.Dropped}
		if a.Malformed != nil {
			e.Malformed = &payment.Malformed{SHA: a.Malformed.SHA, Code: payment.Code(a.Malformed.Code)}
		}
		return e, true
	case channel.HTLCRemoved:
		return payment.HTLCRemoved{Channel: a.Channel, ID: uint64(a.ID)}, true
	default:
		return nil, false
	}
}

func refusal(r channel.Refuse) payment.Refuse {
	switch r {
	case 0:
		return payment.RefuseNothing
	case channel.RefuseExpiry:
		return payment.RefuseExpiry
	default:
		return payment.RefuseLimit
	}
}
