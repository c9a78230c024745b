package payment

import (
	"fmt"
	"maps"
	"math/rand"
	"slices"

	"github.com/btcsuite/btcd/chaincfg"
	"pgregory.net/rapid"

	"superscalar/refnode/expiry"
	"superscalar/wire"
)

// network is a client with two channels to its LSP, another with two, and a node
// outside with one. Channels are simple and honest: what one side sends arrives
// once, in order, after any number of disconnections and crashes. A step of a
// node is durable as a whole or not at all.
type network struct {
	t      *rapid.T
	nodes  map[byte]*simNode
	wires  []*simWire
	random *rand.Rand // refusals of channels
	height Height
	now    UnixTime
}

// simWire is a channel between two nodes.
type simWire struct {
	n         byte
	ends      [2]byte
	connected bool
	closed    bool
	capacity  Msat
	ewt       Blocks
}

// simNode is a node: what it has in memory, and what is durable.
type simNode struct {
	net   *network
	id    byte
	cfg   Config
	lag   Height // it sees blocks this much later
	r     *Router
	sides map[byte]*simSide
	store map[string][]byte
	saved map[byte]*simSide
	fees  Msat // earned, of durable steps
	// What durable steps told, by payment hash.
	settled, paid map[Hash]int
}

// simSide is one side of a channel.
type simSide struct {
	wire     *simWire
	peer     byte
	balance  Msat
	offered  map[uint64]AddHTLC
	received map[uint64]simHTLC
	next     uint64
	sent     []simMessage // everything it ever sent, in order
	read     int          // messages of the peer that it took in
}

type simHTLC struct {
	add     AddHTLC
	decided simKind // 0: not yet
}

type simKind byte

const (
	simAdd simKind = 1 + iota
	simFulfil
	simFail
	simMalformed
	simGone         // the removal is irrevocable
	simChainFulfil  // from here on told by the chain
	simChainTimeout //
)

type simMessage struct {
	kind   simKind
	id     uint64
	add    AddHTLC
	pre    Preimage
	reason []byte
	bad    Malformed
}

func (s *simSide) clone() *simSide {
	c := *s
	c.offered, c.received, c.sent = maps.Clone(s.offered), maps.Clone(s.received), slices.Clip(s.sent)
	return &c
}

func cloneSides(m map[byte]*simSide) map[byte]*simSide {
	out := map[byte]*simSide{}
	for n, s := range m {
		out[n] = s.clone()
	}
	return out
}

const (
	simLSP     = 2
	simOutside = 5
)

func newNetwork(t *rapid.T, seed int64) *network {
	net := &network{t: t, nodes: map[byte]*simNode{}, random: rand.New(rand.NewSource(seed)), height: 1000, now: 1_000_000}
	for _, id := range []byte{1, simLSP, 3, simOutside} {
		cfg := Config{Key: testKey(id), Net: &chaincfg.RegressionNetParams, Forward: id == simLSP, Rand: rand.New(rand.NewSource(seed + int64(id)))}
		net.nodes[id] = &simNode{net: net, id: id, cfg: cfg, lag: Height(id % 2), sides: map[byte]*simSide{}, store: map[string][]byte{}, saved: map[byte]*simSide{},
			settled: map[Hash]int{}, paid: map[Hash]int{}}
	}
	for i, end := range []byte{1, 1, 3, 3, simOutside} {
		w := &simWire{n: byte(10 + i), ends: [2]byte{end, simLSP}, connected: true, capacity: 2_000_000, ewt: Blocks(50 * i)}
		if end == simOutside {
			w.ewt, w.capacity = 0, 10_000_000
		}
		net.wires = append(net.wires, w)
		for k, id := range w.ends {
			net.nodes[id].sides[w.n] = &simSide{wire: w, peer: w.ends[1-k], balance: w.capacity / 2, offered: map[uint64]AddHTLC{}, received: map[uint64]simHTLC{}}
		}
	}
	for _, n := range net.each() {
		n.saved = cloneSides(n.sides)
		n.start()
	}
	return net
}

func (net *network) each() []*simNode {
	var all []*simNode
	for _, id := range slices.Sorted(maps.Keys(net.nodes)) {
		all = append(all, net.nodes[id])
	}
	return all
}

// start makes the router of a node of what is durable, as after a crash.
func (n *simNode) start() {
	n.sides = cloneSides(n.saved)
	var records []Record
	for k, v := range n.store {
		records = append(records, Record{[]byte(k), v})
	}
	r, err := Load(n.cfg, records)
	if err != nil {
		n.net.t.Fatal(err)
	}
	n.r = r
	n.event(false, Block{n.net.height - n.lag})
	n.event(false, Tick{n.net.now})
	n.event(false, Started{})
	for _, c := range slices.Sorted(maps.Keys(n.sides)) {
		for _, id := range slices.Sorted(maps.Keys(n.sides[c].received)) {
			n.event(false, n.sides[c].announce(id))
		}
	}
}

func (s *simSide) announce(id uint64) HTLCReceived {
	a := s.received[id].add
	return HTLCReceived{Channel: channelID(s.wire.n), ID: id, Amount: a.Amount, Hash: a.Hash, Expiry: a.Expiry, Onion: a.Onion}
}

// step runs f and makes what it did durable, or forgets it all in a crash.
func (n *simNode) step(crash bool, f func() []Action) bool {
	actions := f()
	if crash {
		n.start()
		return false
	}
	for _, a := range actions {
		switch a := a.(type) {
		case Persist:
			for _, rec := range a.Puts {
				n.store[string(rec.Key)] = rec.Value
			}
			for _, k := range a.Deletes {
				delete(n.store, string(k))
			}
		case Forwarded:
			n.fees += a.Fee
		case InvoiceSettled:
			n.settled[a.Hash]++
		case PaymentSucceeded:
			n.paid[a.Hash]++
		}
	}
	n.saved = cloneSides(n.sides)
	return true
}

func (n *simNode) event(crash bool, e Event) bool {
	return n.step(crash, func() []Action { return n.r.Handle(n, e) })
}

// read takes in the next message of a channel, if there is one.
func (n *simNode) read(w *simWire, crash bool) bool {
	s := n.sides[w.n]
	from := n.net.nodes[s.peer].saved[w.n]
	if s.read >= len(from.sent) || !w.connected && !w.closed {
		return false
	}
	m := from.sent[s.read]
	origin := s.offered[m.id].Origin
	done := n.step(crash, func() []Action {
		s.read++
		e := s.take(m)
		if e == nil {
			return nil
		}
		return n.r.Handle(n, e)
	})
	if done && (m.kind == simFulfil || m.kind == simChainFulfil) {
		n.checkUpstream(origin)
	}
	return true
}

// take moves the state of a side by a message.
func (s *simSide) take(m simMessage) Event {
	c := channelID(s.wire.n)
	switch m.kind {
	case simAdd:
		s.received[m.id] = simHTLC{add: m.add}
		return s.announce(m.id)
	case simGone:
		h := s.received[m.id]
		if h.decided == simFulfil {
			s.balance += h.add.Amount
		}
		delete(s.received, m.id)
		return HTLCRemoved{c, m.id}
	}
	a := s.offered[m.id]
	delete(s.offered, m.id)
	if m.kind == simFulfil || m.kind == simFail || m.kind == simMalformed {
		s.sent = append(s.sent, simMessage{kind: simGone, id: m.id})
	}
	switch m.kind {
	case simFulfil, simChainFulfil:
		return HTLCFulfilled{c, m.id, m.pre}
	case simMalformed:
		s.balance += a.Amount
		return HTLCFailed{Channel: c, ID: m.id, Malformed: &m.bad}
	}
	s.balance += a.Amount
	return HTLCFailed{Channel: c, ID: m.id, Reason: m.reason}
}

// checkUpstream fails when a node knows the preimage of an HTLC that it
// forwarded and has not given it upstream.
func (n *simNode) checkUpstream(o Origin) {
	side := n.saved[o[0]]
	if side == nil || wire.ChannelID(o[:32]) != channelID(o[0]) {
		return // a payment of its own
	}
	for id, h := range side.received {
		if (Origin(HTLCKey{channelID(o[0]), id}.bytes())) == o && h.decided != simFulfil {
			n.net.t.Fatalf("node %d knows the preimage of %d:%d and keeps it", n.id, o[0], id)
		}
	}
}

// The methods of Channels.

func (n *simNode) link(s *simSide) Link {
	w := s.wire
	up := w.connected && !w.closed
	p := Policy{Known: n.id == simLSP, FeeBaseMsat: 1000, FeePPM: 500, CLTVDelta: 40, HTLCMinimum: 1}
	theirs := p
	theirs.Known = s.peer == simLSP
	return Link{
		Channel: channelID(w.n), Peer: nodeID(s.peer), InFactory: w.ewt > 0, EarlyWarning: w.ewt, SCIDs: []SCID{SCID(w.n)}, HintSCID: SCID(w.n),
		Policy: p, PeerPolicy: theirs, Up: up, Receives: !w.closed, CanSend: s.balance, CanReceive: w.capacity - s.balance, HTLCMinimum: 1,
	}
}

func (n *simNode) All() (all []Link) {
	for _, c := range slices.Sorted(maps.Keys(n.sides)) {
		all = append(all, n.link(n.sides[c]))
	}
	return all
}

func (n *simNode) where(f func(Link) bool) []Link {
	return slices.DeleteFunc(n.All(), func(l Link) bool { return !f(l) })
}

func (n *simNode) Link(c wire.ChannelID) (Link, bool) {
	s := n.sides[c[0]]
	if s == nil {
		return Link{}, false
	}
	return n.link(s), true
}

func (n *simNode) BySCID(id SCID) (Link, bool) { return n.Link(channelID(byte(id))) }

func (n *simNode) To(p wire.Point) []Link {
	return n.where(func(l Link) bool { return l.Peer == p })
}

func (n *simNode) Add(c wire.ChannelID, a AddHTLC) (uint64, error) {
	s := n.sides[c[0]]
	if s.wire.closed || !s.wire.connected || a.Amount > s.balance || n.net.random.Intn(8) == 0 {
		return 0, errFull
	}
	if before(a.Expiry, n.net.height-n.lag, s.wire.ewt, expiry.ClaimMargin) && s.wire.ewt > 0 {
		n.net.t.Fatalf("node %d offers an HTLC that PCF-086 forbids", n.id)
	}
	id := s.next
	s.next++
	s.balance -= a.Amount
	s.offered[id] = a
	s.sent = append(s.sent, simMessage{kind: simAdd, id: id, add: a})
	return id, nil
}

// decide notes a removal. The same again is nothing; another one is a fault.
func (n *simNode) decide(c wire.ChannelID, m simMessage) error {
	s := n.sides[c[0]]
	h, ok := s.received[m.id]
	if !ok {
		return fmt.Errorf("no HTLC %d", m.id)
	}
	if h.decided == m.kind {
		return nil
	}
	if h.decided != 0 {
		n.net.t.Fatalf("node %d decides twice about %d:%d: %d, %d", n.id, c[0], m.id, h.decided, m.kind)
	}
	h.decided = m.kind
	s.received[m.id] = h
	s.sent = append(s.sent, m)
	return nil
}

func (n *simNode) Fulfil(c wire.ChannelID, id uint64, p Preimage, _ bool) error {
	return n.decide(c, simMessage{kind: simFulfil, id: id, pre: p})
}

func (n *simNode) Fail(c wire.ChannelID, id uint64, reason []byte) error {
	return n.decide(c, simMessage{kind: simFail, id: id, reason: reason})
}

func (n *simNode) FailMalformed(c wire.ChannelID, id uint64, sha [32]byte, code Code) error {
	return n.decide(c, simMessage{kind: simMalformed, id: id, bad: Malformed{sha, code}})
}

// disconnect ends a connection. A node takes back some of what it added last and
// the peer has not seen.
func (net *network) disconnect(w *simWire, crash bool) {
	w.connected = false
	for _, id := range w.ends {
		n := net.nodes[id]
		s := n.sides[w.n]
		seen := net.nodes[s.peer].sides[w.n].read
		for last := len(s.sent) - 1; last >= seen && s.sent[last].kind == simAdd && net.random.Intn(2) == 0; last-- {
			m := s.sent[last]
			n.step(crash, func() []Action {
				s.sent, s.next = s.sent[:last:last], m.id
				s.balance += s.offered[m.id].Amount
				delete(s.offered, m.id)
				return n.r.Handle(n, HTLCFailed{Channel: channelID(w.n), ID: m.id, Dropped: true})
			})
			if crash {
				return
			}
		}
	}
}

// close takes a channel to the chain: what was under way is lost, what nobody
// else saw is over.
func (net *network) close(w *simWire) {
	if w.closed {
		return
	}
	w.closed = true
	var sides [2]*simSide
	for k, id := range w.ends {
		sides[k] = net.nodes[id].sides[w.n]
	}
	for k, s := range sides {
		s.sent = s.sent[:sides[1-k].read:sides[1-k].read]
	}
	for k, s := range sides {
		peer := sides[1-k]
		for _, id := range slices.Sorted(maps.Keys(s.offered)) {
			if _, both := peer.received[id]; !both {
				peer.sent = append(peer.sent, simMessage{kind: simChainTimeout, id: id})
			}
		}
		for _, id := range slices.Sorted(maps.Keys(s.received)) {
			if _, both := peer.offered[id]; !both {
				peer.sent = append(peer.sent, simMessage{kind: simGone, id: id})
			}
		}
	}
	for _, id := range w.ends {
		net.nodes[id].saved = cloneSides(net.nodes[id].sides)
	}
}

// chain resolves an HTLC of a closed channel that its receiver decided about.
func (net *network) chain(w *simWire) {
	for k, id := range w.ends {
		s, peer := net.nodes[id].sides[w.n], net.nodes[w.ends[1-k]].sides[w.n]
		for _, h := range slices.Sorted(maps.Keys(s.received)) {
			decided := s.received[h].decided
			told := slices.ContainsFunc(s.sent, func(m simMessage) bool { return m.kind >= simChainFulfil && m.id == h })
			if _, both := peer.offered[h]; !both || decided == 0 || told {
				continue
			}
			m := simMessage{kind: simChainTimeout, id: h}
			if decided == simFulfil {
				m.kind, m.pre = simChainFulfil, net.nodes[id].r.incoming[HTLCKey{channelID(w.n), h}].Preimage
			}
			s.sent = append(s.sent, m)
			peer.sent = append(peer.sent, simMessage{kind: simGone, id: h})
		}
	}
	for _, id := range w.ends {
		net.nodes[id].saved = cloneSides(net.nodes[id].sides)
	}
}
