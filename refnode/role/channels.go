package role

import (
	"bytes"
	"slices"
	"sync"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"

	btcwire "github.com/btcsuite/btcd/wire"
)

// Channels is what a role and its hub know together: the channel outputs of its
// factories and attempts, and the channels on them. The role's machines tell it
// which outputs there are (ceremony.Channels), the hub asks it about keys and
// outpoints (hub.Factory), the base node about open_channel.
//
// It has a lock of its own and calls nobody while it holds it, so that the hub may
// ask it inside a step while the role waits for a disk or a chain. What follows
// from what it hears is done by a goroutine, in order (Run).
type Channels struct {
	rules    rule.Set
	protocol wire.ProtocolID

	mu      sync.Mutex
	entries map[channelKey]*entry
	at      map[btcwire.OutPoint]*entry
	do      func(wire.ChannelID, func(*channel.Machine) error) error // of the hub, nil before AttachHub
	aside   map[wire.CeremonyID]bool                                 // factories whose records cannot be read
	orders  []Order
	ready   chan struct{} // an order waits
	undone  int           // orders that are not carried out yet
	settled *sync.Cond    // undone is 0, or nobody carries out orders any more
	stopped bool
}

// channelKey names a channel of a factory for good: whose it is, and the LSP's
// funding key, which no two channels share.
type channelKey struct {
	peer ceremony.Peer
	lsp  wire.Point
}

// entry is a channel output with what is known of its channel.
type entry struct {
	ceremony.ChannelOutput
	live   bool // an attempt that makes it is going on
	opened bool // there is a channel on it
	failed bool // the channel on it did
	used   bool // it was ready: there may be a balance of ours
	lsp    bool // Key is LSPKey: we are the LSP
	use    channel.Use
	// known is the id of the channel, zero before there is one; it stays when the
	// output moves. next is where that goes, nil for nowhere.
	known wire.ChannelID
	next  *move
}

func (e *entry) id() wire.ChannelID {
	if e.known != (wire.ChannelID{}) {
		return e.known
	}
	return channel.ChannelIDOf(wire.Txid(e.Outpoint.Hash), uint16(e.Outpoint.Index))
}

// Order is something that follows from what the registry heard.
type Order struct {
	Kind   OrderKind
	Output ceremony.ChannelOutput // none for OrderCheck
	ID     wire.ChannelID         // of its channel
	Reason string                 // why to leave
}

// OrderKind is the kind of an Order.
type OrderKind int

// The orders.
const (
	// OrderOpen: the LSP opens the channel.
	OrderOpen OrderKind = iota
	// OrderOpened: the channel is opened; ceremonies wait for it.
	OrderOpened
	// OrderForget: the channel's attempt is over (CHAN-008).
	OrderForget
	// OrderCheck: an attempt is over, its outputs are made; the channels on them
	// may be usable.
	OrderCheck
	// OrderLeave: the way out starts (CHAN-010, CHAN-021).
	OrderLeave
	// OrderMove: the channel is to be brought to where its factory is (Follow).
	OrderMove
	// OrderDue: no commitment on an earlier output of the channel is valid any more
	// (CHG-008).
	OrderDue
)

// NewChannels returns a registry without outputs.
func NewChannels(protocol wire.ProtocolID, rules rule.Set) *Channels {
	c := &Channels{
		rules: rules, protocol: protocol, entries: map[channelKey]*entry{}, at: map[btcwire.OutPoint]*entry{},
		aside: map[wire.CeremonyID]bool{}, ready: make(chan struct{}, 1),
	}
	c.settled = sync.NewCond(&c.mu)
	return c
}

// order queues. The caller holds c.mu.
func (c *Channels) order(o Order) {
	c.orders = append(c.orders, o)
	c.undone++
	select {
	case c.ready <- struct{}{}:
	default:
	}
}

// orderOf queues an order about an entry. The caller holds c.mu.
func (c *Channels) orderOf(kind OrderKind, e *entry, reason string) {
	c.order(Order{Kind: kind, Output: e.ChannelOutput, ID: e.id(), Reason: reason})
}

// Run hands orders to do, one after the other, until done is closed. The messages
// of the machine whose call led to an order are in its role's tray, or its role's
// lock is held, when the order comes.
func (c *Channels) Run(done <-chan struct{}, do func(Order)) {
	defer c.stop()
	for {
		select {
		case <-c.ready:
		case <-done:
			return
		}
		c.mu.Lock()
		orders := c.orders
		c.orders = nil
		c.mu.Unlock()
		for _, o := range orders {
			select {
			case <-done:
				return
			default:
				do(o)
				c.carriedOut()
			}
		}
	}
}

// Obey hands the first order that waits to do, on this goroutine; false: none does. It
// is for who drives everything from one goroutine, instead of Run.
func (c *Channels) Obey(do func(Order)) bool {
	c.mu.Lock()
	if len(c.orders) == 0 {
		c.mu.Unlock()
		return false
	}
	o := c.orders[0]
	c.orders = c.orders[1:]
	c.mu.Unlock()
	do(o)
	c.carriedOut()
	return true
}

func (c *Channels) carriedOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.undone--; c.undone == 0 {
		c.settled.Broadcast()
	}
}

func (c *Channels) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	c.settled.Broadcast()
}

// Settle returns when no order waits or is being carried out, or when Run has
// returned.
func (c *Channels) Settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.undone > 0 && !c.stopped {
		c.settled.Wait()
	}
}

// Expect implements ceremony.Channels. A channel with the same key on another output
// is left alone: nothing opens on it.
func (c *Channels) Expect(o ceremony.ChannelOutput) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.add(o)
	if e.Factory != o.Factory || e.Outpoint != o.Outpoint {
		return
	}
	e.live = true
	if e.lsp && !e.opened {
		c.orderOf(OrderOpen, e, "")
	}
}

// add files an output. The caller holds c.mu.
func (c *Channels) add(o ceremony.ChannelOutput) *entry {
	key := channelKey{o.Peer, o.LSPKey}
	e := c.entries[key]
	if e == nil {
		// Nothing before somebody has looked: the chain and the wallet decide.
		use := channel.Use{Suspended: true, Until: channel.Height(o.Params.ExitHeight(o.Shape))}
		e = &entry{ChannelOutput: o, lsp: o.ByLSP(), use: use}
		c.entries[key] = e
		if !o.Absorbed() {
			c.at[o.Outpoint] = e
		}
	}
	return e
}

// Restore files an output that the store knows of.
func (c *Channels) Restore(o ceremony.ChannelOutput) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(o)
}

// RestoreAside says which factories cannot be read: their channels are left alone.
func (c *Channels) RestoreAside(list []Aside) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range list {
		c.aside[a.ID] = true
	}
}

// RestoreOpened says which channels the hub has: by peer and by the funding key in
// open_channel, the LSP's. used says that the channel was ready.
func (c *Channels) RestoreOpened(peer ceremony.Peer, lsp wire.Point, id wire.ChannelID, used bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[channelKey{peer, lsp}]; e != nil {
		e.opened, e.known, e.used = true, id, e.used || used
	}
}

// Opened implements ceremony.Channels.
func (c *Channels) Opened(o btcwire.OutPoint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[o]
	return e != nil && e.opened
}

// of reports whether an entry is of an attempt with a peer.
func (e *entry) of(peer ceremony.Peer, attempt wire.CeremonyID) bool {
	return e.Attempt == attempt && (e.Peer == peer || peer == ceremony.Everybody)
}

// Keep implements ceremony.Channels.
func (c *Channels) Keep(peer ceremony.Peer, attempt wire.CeremonyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := false
	for _, e := range c.sorted() {
		c.endMove(e, peer, attempt, true)
		if e.of(peer, attempt) {
			e.live, made = false, true
		}
	}
	if made {
		c.order(Order{Kind: OrderCheck})
	}
}

// Forget implements ceremony.Channels.
func (c *Channels) Forget(peer ceremony.Peer, attempt wire.CeremonyID) {
	c.forget(func(e *entry) bool { return e.of(peer, attempt) })
}

// CallOff implements ceremony.Channels.
func (c *Channels) CallOff(peer ceremony.Peer, attempt wire.CeremonyID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		c.endMove(e, peer, attempt, false)
	}
}

// ForgetFactory forgets what a factory has: it was never funded.
func (c *Channels) ForgetFactory(id wire.CeremonyID) {
	c.forget(func(e *entry) bool { return e.Factory == id })
}

func (c *Channels) forget(which func(*entry) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		if !which(e) {
			continue
		}
		if !c.rules.On(rule.CHAN008) {
			e.live = false
			continue
		}
		delete(c.entries, channelKey{e.Peer, e.LSPKey})
		if c.at[e.Outpoint] == e {
			delete(c.at, e.Outpoint)
		}
		c.orderOf(OrderForget, e, "")
	}
}

// sorted are the entries in an order that does not depend on chance.
func (c *Channels) sorted() []*entry {
	out := make([]*entry, 0, len(c.entries))
	for _, e := range c.entries {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int {
		if d := bytes.Compare(a.Factory[:], b.Factory[:]); d != 0 {
			return d
		}
		return bytes.Compare(a.LSPKey[:], b.LSPKey[:])
	})
	return out
}

// InFactory is the base node's order to open the channel of an output.
func (c *Channels) InFactory(o ceremony.ChannelOutput) wire.ChannelInFactory {
	return wire.ChannelInFactory{
		ProtocolID: c.protocol, InstanceID: [32]byte(o.Factory), EarlyWarningTime: uint16(o.Params.EarlyWarningTime(o.Shape)),
	}
}

// Channel is a channel that is opened.
type Channel struct {
	ceremony.ChannelOutput
	ID wire.ChannelID
}

// Channels are the opened channels of a factory that have an output in its tree. in
// looks for that by the LSP's key.
func (c *Channels) Channels(id wire.CeremonyID, in func(client factory.ClientIndex, lsp wire.Point) bool) []Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Channel
	for _, e := range c.sorted() {
		if e.Factory == id && e.opened && !e.Absorbed() && in(e.Client, e.LSPKey) {
			out = append(out, Channel{e.ChannelOutput, e.id()})
		}
	}
	return out
}

// SetUse keeps what a channel may be used for, for a machine that is made of its
// record again.
func (c *Channels) SetUse(o ceremony.ChannelOutput, u channel.Use) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[channelKey{o.Peer, o.LSPKey}]; e != nil {
		e.use = u
	}
}
