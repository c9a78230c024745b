package channel_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// node is one side with its disk.
type node struct {
	name    string
	cfg     channel.Config
	m       *channel.Machine
	disk    []byte
	router  router
	stored  router // as of disk
	revoked []channel.Revoked
	events  []channel.Action // everything that is neither Persist nor Send
	// commitments remembers, by funding txid and number, the transaction that
	// was the latest of this side.
	commitments map[string]string
	seen        string // what observe has looked at
	height      channel.Height
}

// router is what the router of a node knows, as far as these tests go.
type router struct {
	offered  map[channel.Origin]string // "", "fulfilled", "failed", "dropped"
	amounts  map[channel.Origin]channel.MilliSat
	received map[channel.HTLCID]channel.HTLCReceived
	answered map[channel.HTLCID]string
	changes  map[wire.Txid]string // committed, continued, locked
}

func newRouter() router {
	return router{
		map[channel.Origin]string{}, map[channel.Origin]channel.MilliSat{},
		map[channel.HTLCID]channel.HTLCReceived{}, map[channel.HTLCID]string{}, map[wire.Txid]string{},
	}
}

func (r router) clone() router {
	out := newRouter()
	for k, v := range r.offered {
		out.offered[k] = v
	}
	for k, v := range r.amounts {
		out.amounts[k] = v
	}
	for k, v := range r.received {
		out.received[k] = v
	}
	for k, v := range r.answered {
		out.answered[k] = v
	}
	for k, v := range r.changes {
		out.changes[k] = v
	}
	return out
}

// pair is two nodes and what travels between them.
type pair struct {
	t         testing.TB
	nodes     [2]*node
	queue     [2][][]byte // to node i
	connected bool
	preimages map[[32]byte][32]byte
	next      uint64
	sent      []string // names of all messages, "opener: stfu"
	codec     wire.Codec
	honest    bool // warnings and errors are defects
	crashes   map[string]int
	timers    [2]channel.TimerID
	lockedOn  wire.Txid          // what both plugins agreed to lock
	agreed    map[wire.Txid]bool // every such output so far
	aborted   map[wire.Txid]bool // called off by a plugin
	pending   map[wire.Txid]bool // by a plugin
	// contributed is what each side adds with the change to an output, in sat.
	contributed map[wire.Txid][2]int64
	attempts    uint64
	asks        [2][]channel.Action
	takes       bool      // changes are of a channel that takes what others hold
	current     [2]string // payload of the change that is being negotiated
	restarts    [2]bool   // node i announces again
	// A crash can be planned: step number planned is cut at plannedCut.
	count, planned int
	plannedCut     crash
	messages       []int // how many each step sent, by number
}

func newPair(t testing.TB, s setting) *pair {
	p := &pair{
		t: t, nodes: s.machines(t), connected: true, preimages: map[[32]byte][32]byte{}, honest: true,
		crashes: map[string]int{}, plannedCut: -1, aborted: map[wire.Txid]bool{}, pending: map[wire.Txid]bool{},
		contributed: map[wire.Txid][2]int64{}, agreed: map[wire.Txid]bool{},
	}
	return p
}

// opened returns a pair whose channel is ready on both sides.
func opened(t testing.TB, s setting) *pair {
	t.Helper()
	p := newPair(t, s)
	p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
	p.drain()
	for i := range p.nodes {
		p.do(i, func(m *channel.Machine) { m.SetUsable() })
	}
	p.drain()
	for _, n := range p.nodes {
		if !n.m.Link().Up {
			t.Fatalf("%s is not up: %v", n.name, p.sent)
		}
	}
	return p
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// crash says where a step of a node is cut off: -1 nowhere, 0 before its state
// is stored, k+1 after k of its messages are out.
type crash int

// do runs one step of node i: input, commands, commit, store, send.
func (p *pair) do(i int, input func(*channel.Machine)) { p.t.Helper(); p.step(i, -1, input) }

func (p *pair) step(i int, cut crash, input func(*channel.Machine)) {
	p.t.Helper()
	n := p.nodes[i]
	if number := p.count; !p.restarts[0] && !p.restarts[1] {
		p.count++
		if number == p.planned && p.plannedCut >= 0 {
			cut = p.plannedCut
		}
	}
	input(n.m)
	actions := n.m.Take()
	p.answer(i, actions)
	n.m.Commit()
	more := n.m.Take()
	p.answer(i, more)
	actions = append(append(actions, more...), n.m.Take()...)
	if cut == 0 {
		p.crashes["before the store"]++
		p.restart(i)
		return
	}
	p.store(i, actions)
	sent, over := 0, false
	if !p.restarts[0] && !p.restarts[1] {
		p.messages = append(p.messages, sends(actions))
	}
	for _, a := range actions {
		switch a := a.(type) {
		case channel.Send:
			if cut > 0 && sent == int(cut)-1 { // the step before is whole
				p.crashes[fmt.Sprintf("after %d messages", sent)]++
				p.restart(i)
				return
			}
			sent++
			p.transmit(i, a.Message)
		case channel.Disconnect:
			over = true
		case channel.SetTimer:
			p.timers[i] = a.ID
		}
	}
	if since := p.count - p.planned; p.plannedCut < 0 || since > 0 && since < 15 { // before it all is as in the run without a crash
		p.observe(i)
	}
	if cut > 0 {
		p.crashes["after the step"]++
		p.restart(i)
	} else if over {
		p.disconnect()
	}
}

func sends(actions []channel.Action) (n int) {
	for _, a := range actions {
		if _, ok := a.(channel.Send); ok {
			n++
		}
	}
	return n
}

func (p *pair) store(i int, actions []channel.Action) {
	n := p.nodes[i]
	persist := slices.ContainsFunc(actions, func(a channel.Action) bool { _, ok := a.(channel.Persist); return ok })
	for _, a := range actions {
		switch a := a.(type) {
		case channel.Append:
			n.revoked = append(n.revoked, a.Revoked)
			if !persist {
				p.t.Fatalf("%s: a record without a stored state", n.name)
			}
		case channel.Persist, channel.Send:
		default:
			n.events = append(n.events, a)
		}
	}
	if persist {
		n.disk = n.m.Encode()
	}
	if persist && p.plannedCut < 0 {
		again, err := channel.Restore(n.cfg, n.disk)
		if len(n.m.Fundings) > 0 {
			p.must(err)
			if !bytes.Equal(again.Encode(), n.disk) {
				p.t.Fatalf("%s: decode and encode give other bytes", n.name)
			}
		}
	}
	n.stored = n.router.clone()
}

func (p *pair) transmit(i int, msg wire.Message) {
	p.t.Helper()
	raw, err := p.codec.Encode(msg)
	p.must(err)
	p.sent = append(p.sent, p.nodes[i].name+": "+msg.Name())
	if p.honest {
		switch msg := msg.(type) {
		case *wire.Warning:
			p.t.Fatalf("%s warns: %s\n%v", p.nodes[i].name, msg.Data, last(p.sent, 60))
		case *wire.ErrorMessage:
			p.t.Fatalf("%s fails the channel: %s\n%v", p.nodes[i].name, msg.Data, last(p.sent, 60))
		}
	}
	if p.connected {
		p.queue[1-i] = append(p.queue[1-i], raw)
	}
}

func last[T any](s []T, n int) []T { return s[max(0, len(s)-n):] }

// deliver hands node i its next message, if there is one.
func (p *pair) deliver(i int, cut crash) bool {
	p.t.Helper()
	if len(p.queue[i]) == 0 {
		return false
	}
	raw := p.queue[i][0]
	p.queue[i] = p.queue[i][1:]
	msg, err := p.codec.Decode(raw)
	p.must(err)
	p.step(i, cut, func(m *channel.Machine) { m.Receive(msg) })
	return true
}

// drain delivers until nothing travels.
func (p *pair) drain() {
	p.t.Helper()
	for n := 0; p.deliver(0, -1) || p.deliver(1, -1); n++ {
		if n > 5000 {
			p.t.Fatalf("messages without end: %v", last(p.sent, 40))
		}
	}
}

func (p *pair) disconnect() {
	p.t.Helper()
	p.connected = false
	p.queue = [2][][]byte{}
	for i := range p.nodes {
		p.asks[i] = slices.DeleteFunc(p.asks[i], volatile)
		p.do(i, func(m *channel.Machine) { m.Disconnected() })
	}
}

// volatile reports whether a question is void once the connection is gone.
func volatile(ask channel.Action) bool {
	switch ask.(type) {
	case channel.AskContinue, channel.AskLock:
		return false
	}
	return true
}

func (p *pair) reconnect() {
	p.t.Helper()
	if p.connected {
		p.disconnect()
	}
	p.connected = true
	for i := range p.nodes {
		p.do(i, func(m *channel.Machine) { m.Connected() })
	}
}

// restart throws away what node i has in memory.
func (p *pair) restart(i int) {
	p.t.Helper()
	n := p.nodes[i]
	m, err := channel.Restore(n.cfg, n.disk)
	p.must(err)
	n.m, n.router = m, n.stored.clone()
	p.connected = false
	p.queue = [2][][]byte{}
	p.asks[i], p.asks[1-i] = nil, slices.DeleteFunc(p.asks[1-i], volatile)
	p.restarts[i] = true
	p.do(i, func(m *channel.Machine) {
		m.Restart()
		m.Block(n.height)
	})
	p.do(1-i, func(m *channel.Machine) { m.Disconnected() })
	p.restarts[i] = false
}

// hash returns a payment hash with a preimage that the test knows.
func (p *pair) hash() [32]byte {
	p.next++
	var preimage [32]byte
	binary.BigEndian.PutUint64(preimage[:], p.next)
	hash := sha256.Sum256(preimage[:])
	p.preimages[hash] = preimage
	return hash
}

// add offers an HTLC from node i and returns its error.
func (p *pair) add(i int, cut crash, amount channel.MilliSat) (err error) {
	p.t.Helper()
	hash := p.hash()
	origin := channel.Origin{0: byte(i)}
	copy(origin[1:], hash[:])
	p.step(i, cut, func(m *channel.Machine) {
		n := p.nodes[i]
		_, err = m.Add(channel.AddHTLC{Origin: origin, Amount: amount, Hash: hash, Expiry: n.height + 1000, Onion: make([]byte, 1366)})
		if err == nil {
			n.router.offered[origin], n.router.amounts[origin] = "", amount
		}
	})
	return err
}
