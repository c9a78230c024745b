package node

import (
	"context"
	"time"

	"superscalar/refnode/plugin"
	"superscalar/refnode/transport"
)

// A connection with a peer that matters is dialled again when it is lost: first
// after redialFirst, then after twice as long each time, up to redialLast.
const (
	redialFirst   = time.Second
	redialLast    = time.Minute
	redialTimeout = 20 * time.Second // what one attempt may take
)

// lost dials a peer whose last connection has ended, whoever had dialled that, if this
// node has ever reached it. The caller is counted in n.wg.
func (n *Node) lost(id transport.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if to, known := n.reached[id]; known && n.cfg.Keep != nil {
		n.redial(to)
	}
}

// redial dials a lost peer until there is a connection with it, whoever dialled,
// until the peer does not matter any more, until it is lost again, or until the node
// stops. The caller is counted in n.wg, or the node is not stopped, and holds n.mu.
func (n *Node) redial(to transport.Address) {
	n.dialling[to.ID]++
	turn := n.dialling[to.ID]
	n.wg.Go(func() {
		for wait := redialFirst; n.wants(to.ID, turn) && n.pause(wait) && n.wants(to.ID, turn); wait = min(2*wait, redialLast) {
			ctx, cancel := context.WithTimeout(n.ctx, redialTimeout)
			err := n.Connect(ctx, to)
			cancel()
			if err == nil {
				return
			}
			n.cfg.Log.Info("a lost peer does not answer", "peer", to.String(), "error", err)
		}
	})
}

// Reconnect dials peers that a node with the same identity reached before it was
// stopped, those that Keep wants: as if their connections had just been lost.
func (n *Node) Reconnect(peers []transport.Address) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cfg.Keep == nil || n.ctx.Err() != nil {
		return
	}
	for _, to := range peers {
		n.reached[to.ID] = to
		n.redial(to)
	}
}

// wants reports whether a connection with a peer is missing, and nobody has begun to
// dial it later.
func (n *Node) wants(id transport.NodeID, turn uint64) bool {
	n.mu.Lock()
	missing := n.conns[id] == nil && n.dialling[id] == turn
	n.mu.Unlock()
	return missing && n.ctx.Err() == nil && n.cfg.Keep(plugin.PeerID(id))
}

// pause waits; false when the node stops.
func (n *Node) pause(d time.Duration) bool {
	over := make(chan struct{})
	timer := n.cfg.Clock.AfterFunc(d, func() { close(over) })
	defer timer.Stop()
	select {
	case <-over:
		return true
	case <-n.ctx.Done():
		return false
	}
}
