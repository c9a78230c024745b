package hub

import (
	"cmp"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// Bounds on the channels of peers that wait for a funding transaction which may never
// come: one costs its peer nothing, and this node a record for 2,016 blocks. Node ids cost
// nothing either, so all strangers have a share together. Who comes when it is used up is
// taken, and the oldest of them gives way: else a few hundred ids would lock everybody
// else out. What is lost, when it did pay, are fees, and what it pushed to us: it has this
// node's signature on a commitment that gives it the rest back.
const (
	maxUnfunded    = 4   // of one peer
	maxUnfundedAll = 256 // of all strangers
)

// unfunded reports whether a channel outside a factory waits for its peer to fund it.
func (c *entry) unfunded() bool {
	m := c.machine
	return m.Side == commitment.Accepter && m.Open.ChannelInFactory == nil && len(m.Fundings) > 0 && !m.Usable && m.Confirmed == (wire.Txid{}) && !m.Forgotten
}

// stranger reports whether a peer has nothing but channels that wait: none in a factory
// that is usable, and none that was paid for.
func (h *Hub) stranger(peer wire.Point) bool {
	return !slices.ContainsFunc(h.channels, func(c *entry) bool {
		m := c.machine
		return c.peer == peer && (m.Usable || m.Confirmed != (wire.Txid{})) && !m.Forgotten
	})
}

// makeRoom says why a channel outside a factory is not taken, "" when it is. The peer's
// own ones do not give way: it would only have to go on asking.
func (st *step) makeRoom(c *entry) string {
	h := st.hub
	var waiting []*entry
	same := 0
	for _, other := range h.channels {
		if other == c || !other.unfunded() {
			continue
		}
		if waiting = append(waiting, other); other.peer == c.peer {
			same++
		}
	}
	if same >= maxUnfunded {
		return "too many channels wait for their funding transactions"
	}
	if len(waiting) < maxUnfundedAll || !h.stranger(c.peer) {
		return ""
	}
	known := map[wire.Point]bool{}
	waiting = slices.DeleteFunc(waiting, func(other *entry) bool {
		if _, asked := known[other.peer]; !asked {
			known[other.peer] = !h.stranger(other.peer)
		}
		return known[other.peer]
	})
	for len(waiting) >= maxUnfundedAll {
		oldest := slices.MinFunc(waiting, func(a, b *entry) int { return cmp.Compare(a.opened, b.opened) })
		waiting = slices.DeleteFunc(waiting, func(other *entry) bool { return other == oldest })
		oldest.machine.GiveWay("too many channels wait for their funding transactions")
		st.touch(oldest)
	}
	return ""
}
