package node

import "sync/atomic"

// frameOverhead is what BOLT 8 adds to a message: an encrypted length of 18
// bytes and a tag of 16.
const frameOverhead = 18 + 16

// Traffic counts what a node said and heard after handshakes, in bytes on the
// wire.
type Traffic struct {
	Sent, Received uint64
	// Largest is the largest message sent, without what BOLT 8 adds.
	Largest uint64
}

type traffic struct{ out, in, largest atomic.Uint64 }

func (t *traffic) sent(n int) {
	t.out.Add(uint64(n) + frameOverhead)
	for old := t.largest.Load(); uint64(n) > old; old = t.largest.Load() {
		if t.largest.CompareAndSwap(old, uint64(n)) {
			return
		}
	}
}

func (t *traffic) received(n int) { t.in.Add(uint64(n) + frameOverhead) }

// Traffic returns the counts so far.
func (n *Node) Traffic() Traffic {
	return Traffic{Sent: n.traffic.out.Load(), Received: n.traffic.in.Load(), Largest: n.traffic.largest.Load()}
}
