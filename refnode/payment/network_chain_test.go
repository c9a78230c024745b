package payment

import (
	"maps"
	"slices"

	"pgregory.net/rapid"
)

// simDust is the least amount in msat that has an output on a commitment.
const simDust Msat = 3_000

// simChain is what the chain knows of a channel that has failed.
type simChain struct {
	commitment Height // of the block with a commitment; 0: the channel lives
	over       map[simPlace]bool
	claim      map[simPlace]Height // the first block that could have a claim
	timeout    map[simPlace]Height // and a time-out
}

// simPlace is an HTLC of a channel, by the node that received it.
type simPlace struct {
	node byte
	id   uint64
}

func newSimChain() simChain {
	return simChain{over: map[simPlace]bool{}, claim: map[simPlace]Height{}, timeout: map[simPlace]Height{}}
}

// fail takes a channel to the chain: what was under way is lost. Its commitment confirms
// within the early warning time, at once outside a factory.
func (net *network) fail(w *simWire) {
	if w.closed {
		return
	}
	w.closed = true
	w.chain.commitment = net.height + 1
	if w.ewt > 0 {
		w.chain.commitment = net.height + 1 + Height(net.random.Intn(int(w.ewt)))
	}
	a, b := net.nodes[w.ends[0]].sides[w.n], net.nodes[w.ends[1]].sides[w.n]
	a.sent, b.sent = a.sent[:b.read:b.read], b.sent[:a.read:a.read]
	net.save(w)
}

func (net *network) save(w *simWire) {
	for _, id := range w.ends {
		net.nodes[id].saved = cloneSides(net.nodes[id].sides)
	}
}

// mine adds a block with what channels have on the chain.
func (net *network) mine() {
	net.height++
	for _, w := range net.wires {
		if !w.closed || net.height < w.chain.commitment {
			continue
		}
		before := len(w.chain.over)
		for k, id := range w.ends {
			net.confirm(w, id, net.nodes[id].sides[w.n], net.nodes[w.ends[1-k]].sides[w.n])
		}
		if len(w.chain.over) > before {
			net.save(w)
		}
	}
}

// confirm ends the HTLCs that to received from from, as far as a block does. What one side
// never saw, or both have removed, is on no commitment, and what is trimmed is on none.
func (net *network) confirm(w *simWire, node byte, to, from *simSide) {
	for _, id := range slices.Sorted(maps.Keys(from.offered)) {
		if _, both := to.received[id]; !both && !w.chain.over[simPlace{node, id}] {
			w.chain.over[simPlace{node, id}] = true
			to.sent = append(to.sent, simMessage{kind: simChainTimeout, id: id, block: net.height})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(to.received)) {
		h, place := to.received[id], simPlace{node, id}
		_, both := from.offered[id]
		_, withheld := to.withheld[id]
		switch {
		case w.chain.over[place]:
			continue
		case !both:
			from.sent = append(from.sent, simMessage{kind: simGone, id: id, block: net.height})
		case h.add.Amount >= simDust && h.decided == simFulfil && !(withheld && net.waits(h.add.Hash)) && net.within(w.chain.claim, place):
			to.sent = append(to.sent, simMessage{kind: simChainFulfil, id: id, pre: h.pre, block: net.height})
			from.sent = append(from.sent, simMessage{kind: simGone, id: id, block: net.height})
		case h.add.Amount < simDust || net.height > h.add.Expiry && !net.dear && net.within(w.chain.timeout, place):
			if h.decided == simFulfil {
				net.odd[h.add.Hash] = true
			}
			to.sent = append(to.sent, simMessage{kind: simChainTimeout, id: id, block: net.height})
			from.sent = append(from.sent, simMessage{kind: simGone, id: id, block: net.height, timeout: true})
		default:
			continue
		}
		w.chain.over[place] = true
	}
}

// waits reports whether a payee that let an HTLC lie does so for another block. It likes best
// to come when the sender of what it is paid with is about to leave.
func (net *network) waits(hash Hash) bool {
	lsp := net.nodes[simLSP]
	for _, c := range slices.Sorted(maps.Keys(lsp.sides)) {
		for id, h := range lsp.sides[c].received {
			if left := lsp.sides[c].left(id, net.height); h.add.Hash == hash && left >= 0 && left <= 4 {
				return net.random.Intn(4) > 0
			}
		}
	}
	return net.random.Intn(net.patience) > 0
}

// within reports whether a transaction confirms in this block: it does within three.
func (net *network) within(first map[simPlace]Height, p simPlace) bool {
	if first[p] == 0 {
		first[p] = net.height
	}
	return net.height >= first[p]+2 || net.random.Intn(3) == 0
}

// release sends what the payees on a channel kept to themselves.
func (net *network) release(w *simWire) {
	for _, id := range w.ends {
		s := net.nodes[id].sides[w.n]
		for _, htlc := range slices.Sorted(maps.Keys(s.withheld)) {
			if !w.closed {
				s.sent = append(s.sent, s.withheld[htlc])
			}
			delete(s.withheld, htlc)
		}
	}
	net.save(w)
}

// see shows a node the blocks that are new, as a node does that looks at its chain: the
// height, then what the blocks have of its channels, then that it has looked. A crash ends
// it anywhere.
func (n *simNode) see(crash func() bool) {
	at := n.net.height - n.lag
	if !n.step(crash(), func() []Action {
		n.seen = at
		return n.r.Handle(n, Block{at})
	}) {
		return
	}
	for _, w := range n.net.wires {
		for process := n.r; w.closed && n.sides[w.n] != nil && n.read(w, crash()); {
			if n.r != process {
				return
			}
		}
	}
	n.leave()
	if n.event(crash(), Looked{}) {
		n.looks = append(n.looks, at)
		n.checkLying()
	}
}

// leave fails the channels that have an HTLC which has to be ended on the chain (PCF-089,
// PCF-090). In a factory nobody leaves for what is trimmed.
func (n *simNode) leave() {
	for _, c := range slices.Sorted(maps.Keys(n.sides)) {
		s := n.sides[c]
		if s.wire.closed {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(s.offered)) {
			if a := s.offered[id]; !s.trimmed(a) && n.seen+Height(s.wire.ewt) >= a.Expiry {
				n.checkMayLeave(s, id)
				n.net.fail(s.wire)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(s.received)) {
			h := s.received[id]
			_, withheld := s.withheld[id]
			if h.decided == simFulfil && !withheld && !s.trimmed(h.add) && n.seen+Height(s.wire.ewt)+18 >= h.add.Expiry {
				n.net.fail(s.wire)
			}
		}
	}
}

// trimmed reports whether nobody leaves for an HTLC.
func (s *simSide) trimmed(a AddHTLC) bool {
	return s.wire.ewt > 0 && !s.wire.closed && a.Amount < simDust
}

// outgoing is the HTLC that forwards a received one, as long as it has no end.
func (n *simNode) outgoing(in HTLCKey) (s *simSide, id uint64, found bool) {
	for _, c := range slices.Sorted(maps.Keys(n.sides)) {
		for id, a := range n.sides[c].offered {
			if a.Origin == Origin(in.bytes()) {
				return n.sides[c], id, true
			}
		}
	}
	return nil, 0, false
}

// left is how many blocks are left until the sender of a received HTLC leaves.
func (s *simSide) left(id uint64, at Height) int {
	return int(s.received[id].add.Expiry) - int(s.wire.ewt) - int(at)
}

// warned reports whether a node has looked at the chain before, at a height under its last,
// and an HTLC had at most four blocks left then.
func (n *simNode) warned(s *simSide, id uint64) bool {
	return slices.ContainsFunc(n.looks, func(h Height) bool { return h < n.seen && s.left(id, h) <= 4 })
}

// checkGivenUp fails when a node fails an HTLC whose outgoing one has no end, and may not:
// CHAN-040 has three blocks for it, and only once the chain was looked at.
func (n *simNode) checkGivenUp(s *simSide, id uint64) {
	out, outID, _ := n.outgoing(HTLCKey{channelID(s.wire.n), id})
	left := s.left(id, n.seen)
	unread := slices.ContainsFunc(n.net.nodes[out.peer].saved[out.wire.n].sent[out.read:], func(m simMessage) bool { return m.block != 0 && m.block <= n.seen })
	switch {
	case s.wire.closed:
		n.net.t.Fatalf("node %d gives up an HTLC of a channel that has failed", n.id)
	case left < 1 || left > 3:
		n.net.t.Fatalf("node %d gives up an HTLC %d blocks before its sender leaves", n.id, left)
	case unread:
		n.net.t.Fatalf("node %d gives up an HTLC without a look at the chain", n.id)
	case out.trimmed(out.offered[outID]):
		n.net.t.Fatalf("node %d gives up an HTLC whose outgoing one is on no commitment", n.id)
	case !n.warned(s, id):
		n.net.t.Fatalf("node %d gives up an HTLC at the first sight of it", n.id)
	}
	n.net.givenUp++
}

// checkLying fails when a node has looked at the chain and lets an HTLC lie that it has to
// give up.
func (n *simNode) checkLying() {
	for _, c := range slices.Sorted(maps.Keys(n.sides)) {
		s := n.sides[c]
		for id, h := range s.received {
			out, outID, forwarded := n.outgoing(HTLCKey{channelID(c), id})
			left := s.left(id, n.seen)
			if forwarded && h.decided == 0 && !s.wire.closed && left >= 1 && left <= 3 && n.warned(s, id) && !out.trimmed(out.offered[outID]) {
				n.net.t.Fatalf("node %d lets an HTLC lie whose sender leaves in %d blocks", n.id, left)
			}
		}
	}
}

// checkMayLeave fails when somebody leaves for an HTLC that the LSP could have given up.
func (n *simNode) checkMayLeave(s *simSide, id uint64) {
	if !n.net.steady || n.id == simLSP {
		return
	}
	if out, outID, found := n.net.nodes[simLSP].outgoing(HTLCKey{channelID(s.wire.n), id}); !found || !out.trimmed(out.offered[outID]) {
		n.net.t.Fatalf("node %d leaves for an HTLC of %d msat that the LSP has forwarded", n.id, s.offered[id].Amount)
	}
}

// blocks adds some: one, or as many as it takes until something is about to happen.
func (s *story) blocks() {
	to := s.height + 1
	if s.random.Intn(3) > 0 {
		to, _ = s.next()
	}
	s.pass(to, s.crash)
}

// pass lets the blocks up to a height come. Who is not steady may look at them up to five
// blocks later, at several together, or begin anew before.
func (s *story) pass(to Height, crash func() bool) {
	if !s.steady {
		to += []Height{0, 0, 0, 1, 2, 4}[s.random.Intn(6)]
	}
	for s.height < to {
		s.mine()
	}
	for _, n := range s.each() {
		if !s.steady && s.random.Intn(8) == 0 {
			n.start()
		}
		if s.steady || s.height-n.lag-n.seen > 5 || s.random.Intn(4) > 0 {
			n.see(crash)
		}
	}
}

// next is the next height at which something may happen because of an expiry or on the chain;
// where there is none it is the next one.
func (s *story) next() (at Height, found bool) {
	next := Height(1 << 31)
	from := func(h, blocks Height) {
		if h+blocks > s.height {
			next = min(next, max(h, s.height+1))
		}
	}
	for _, w := range s.wires {
		if w.closed {
			from(w.chain.commitment, 5)
		}
		for _, id := range w.ends {
			for _, a := range s.nodes[id].sides[w.n].offered {
				from(a.Expiry-Height(w.ewt)-18, 3)
				from(a.Expiry-Height(w.ewt)-5, 8)
				from(a.Expiry+1, 5)
			}
		}
	}
	if next == 1<<31 {
		return s.height + 1, false
	}
	return next, true
}

// settle lets everything arrive, and does so again when time has gone by.
func (s *story) settle(times int) {
	for idle := 0; idle < times; {
		moved := false
		for _, w := range s.wires {
			w.connected = true
			for _, id := range w.ends {
				for s.nodes[id].read(w, false) {
					moved = true
				}
			}
		}
		if moved {
			idle = 0
			continue
		}
		if idle++; times == 1 {
			return
		}
		s.now += 100
		for _, n := range s.each() {
			n.event(false, Tick{s.now})
		}
	}
}

// busy reports whether a channel has HTLCs.
func (s *story) busy(w *simWire) bool {
	a, b := s.nodes[w.ends[0]].sides[w.n], s.nodes[w.ends[1]].sides[w.n]
	return len(a.offered)+len(a.received)+len(b.offered)+len(b.received) > 0
}

// end lets everything arrive until nothing is left to do, and what lies end on the chain.
func (s *story) end() {
	never := func() bool { return false }
	for _, n := range s.each() {
		n.see(never)
	}
	s.settle(3)
	if rapid.Bool().Draw(s.t, "release") {
		for _, w := range s.wires {
			s.release(w)
		}
		s.settle(3)
	}
	for slices.ContainsFunc(s.wires, s.busy) {
		to, found := s.next()
		s.pass(to, never)
		s.settle(3)
		switch {
		case found:
		case s.dear:
			s.dear = false
		default: // what is on no commitment does not end by itself
			for _, w := range s.wires {
				if s.busy(w) {
					s.fail(w)
				}
			}
		}
	}
}
