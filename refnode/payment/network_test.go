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
// node is durable as a whole or not at all. Payees may let HTLCs lie.
type network struct {
	t      *rapid.T
	nodes  map[byte]*simNode
	wires  []*simWire
	random *rand.Rand // refusals of channels, lies, what the chain takes first
	height Height
	now    UnixTime
	// lies says that payees but the LSP may keep their decisions to themselves.
	lies bool
	// patience is after how many blocks such a payee claims on the chain, on average.
	patience int
	// dear says that the time-outs of HTLCs do not confirm, for what they are worth;
	// wasDear that it was so at some time.
	dear, wasDear bool
	// steady says that everybody is there and looks at the blocks one by one.
	steady bool
	// odd are the hashes of which an HTLC may have ended otherwise than its payee said.
	odd map[Hash]bool
	// givenUp counts the HTLCs that CHAN-040 failed, lost those that cost the LSP something.
	givenUp, lost int
}

// simWire is a channel between two nodes.
type simWire struct {
	n         byte
	ends      [2]byte
	connected bool
	closed    bool // failed: it ends on the chain
	capacity  Msat
	ewt       Blocks
	chain     simChain
}

// simNode is a node: what it has in memory, and what is durable.
type simNode struct {
	net   *network
	id    byte
	cfg   Config
	lag   Height   // it sees blocks this much later
	seen  Height   // the last block that it took in
	looks []Height // at which this process looked at the chain
	r     *Router
	sides map[byte]*simSide
	store map[string][]byte
	saved map[byte]*simSide
	block Height // durable
	fees  Msat   // earned, of durable steps
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
	withheld map[uint64]simMessage
	given    map[uint64]simEnd // what became of the HTLCs that it offered
	taken    map[uint64]simEnd // and received
}

type simHTLC struct {
	add     AddHTLC
	decided simKind // 0: not yet
	pre     Preimage
}

// simEnd is what became of an HTLC.
type simEnd struct {
	add   AddHTLC
	paid  bool
	told  bool   // the receiver gave the preimage
	chain bool   // it ended on the chain
	at    Height // of the network when the node learnt it
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
	// Of what the chain told: the block, and that a claim came too late.
	block   Height
	timeout bool
}

func (s *simSide) clone() *simSide {
	c := *s
	c.offered, c.received, c.sent = maps.Clone(s.offered), maps.Clone(s.received), slices.Clip(s.sent)
	c.withheld, c.given, c.taken = maps.Clone(s.withheld), maps.Clone(s.given), maps.Clone(s.taken)
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
	net := &network{t: t, nodes: map[byte]*simNode{}, random: rand.New(rand.NewSource(seed)), height: 1000, now: 1_000_000, patience: 20, odd: map[Hash]bool{}}
	for _, id := range []byte{1, simLSP, 3, simOutside} {
		cfg := Config{Key: testKey(id), Net: &chaincfg.RegressionNetParams, Forward: id == simLSP, Rand: rand.New(rand.NewSource(seed + int64(id)))}
		net.nodes[id] = &simNode{net: net, id: id, cfg: cfg, lag: Height(id % 2), sides: map[byte]*simSide{}, store: map[string][]byte{}, saved: map[byte]*simSide{},
			settled: map[Hash]int{}, paid: map[Hash]int{}, block: net.height - Height(id%2)}
	}
	for i, end := range []byte{1, 1, 3, 3, simOutside} {
		w := &simWire{n: byte(10 + i), ends: [2]byte{end, simLSP}, connected: true, capacity: 2_000_000, ewt: Blocks(50 * i), chain: newSimChain()}
		if end == simOutside {
			w.ewt, w.capacity = 0, 10_000_000
		}
		net.wires = append(net.wires, w)
		for k, id := range w.ends {
			net.nodes[id].sides[w.n] = &simSide{wire: w, peer: w.ends[1-k], balance: w.capacity / 2, offered: map[uint64]AddHTLC{}, received: map[uint64]simHTLC{},
				withheld: map[uint64]simMessage{}, given: map[uint64]simEnd{}, taken: map[uint64]simEnd{}}
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
	n.sides, n.seen, n.looks = cloneSides(n.saved), n.block, nil
	var records []Record
	for k, v := range n.store {
		records = append(records, Record{[]byte(k), v})
	}
	r, err := Load(n.cfg, records)
	if err != nil {
		n.net.t.Fatal(err)
	}
	n.r = r
	n.event(false, Block{n.seen})
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
	n.saved, n.block = cloneSides(n.sides), n.seen
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
	if m.block > n.seen {
		return false
	}
	origin := s.offered[m.id].Origin
	done := n.step(crash, func() []Action {
		s.read++
		e := s.take(m, n.net.height)
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
func (s *simSide) take(m simMessage, now Height) Event {
	c := channelID(s.wire.n)
	switch m.kind {
	case simAdd:
		s.received[m.id] = simHTLC{add: m.add}
		return s.announce(m.id)
	case simGone:
		h := s.received[m.id]
		end := simEnd{add: h.add, paid: h.decided == simFulfil && !m.timeout, told: h.decided == simFulfil, chain: m.block != 0, at: now}
		if end.paid {
			s.balance += h.add.Amount
		}
		s.taken[m.id] = end
		delete(s.received, m.id)
		delete(s.withheld, m.id)
		return HTLCRemoved{c, m.id}
	}
	a := s.offered[m.id]
	delete(s.offered, m.id)
	paid := m.kind == simFulfil || m.kind == simChainFulfil
	s.given[m.id] = simEnd{add: a, paid: paid, told: paid, chain: m.block != 0, at: now}
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
// forwarded, has not given it upstream, and had not failed the HTLC there (CHAN-040).
func (n *simNode) checkUpstream(o Origin) {
	side := n.saved[o[0]]
	if side == nil || wire.ChannelID(o[:32]) != channelID(o[0]) {
		return // a payment of its own
	}
	for id, h := range side.received {
		if (Origin(HTLCKey{channelID(o[0]), id}.bytes())) == o && h.decided == 0 {
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
		Failed: w.closed, Untrimmed: simDust,
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
	if before(a.Expiry, n.seen, s.wire.ewt, expiry.ClaimMargin) && s.wire.ewt > 0 {
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
	_, _, forwarded := n.outgoing(HTLCKey{c, m.id})
	if forwarded && m.kind == simFail {
		n.checkGivenUp(s, m.id)
	}
	h.decided, h.pre = m.kind, m.pre
	s.received[m.id] = h
	switch {
	case s.wire.closed: // the chain tells it
	case n.net.lies && n.id != simLSP && n.net.random.Intn(2) == 0:
		s.withheld[m.id] = m
		n.net.odd[h.add.Hash] = true
	default:
		s.sent = append(s.sent, m)
	}
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
