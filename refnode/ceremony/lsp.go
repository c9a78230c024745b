package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Funder pays for a factory with the LSP's coins.
type Funder interface {
	// Fund reserves coins and returns an unsigned transaction that pays the
	// output, and the index of that output. All inputs are segwit, so its txid
	// stays. The reservation carries the attempt's id.
	Fund(id wire.CeremonyID, out btcwire.TxOut) (tx *btcwire.MsgTx, index uint32, err error)
	// Sign signs the transaction of an attempt.
	Sign(id wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error)
	// Release gives the coins of an attempt back.
	Release(id wire.CeremonyID)
	// Broadcast hands a signed transaction to the network.
	Broadcast(tx *btcwire.MsgTx) error
}

// LSPConfig is what an LSP is made of.
type LSPConfig struct {
	Config
	Funder Funder
	// Online reports whether a client is connected; nil: all are.
	Online func(Peer) bool
	// Report hears what happens; nil is silence.
	Report func(Event)
}

// Event is one thing that happened in a ceremony, for logs and for people.
type Event struct {
	Ceremony wire.CeremonyID
	Kind     EventKind
	Clients  int    // that take part, where it says something
	Peer     Peer   // of the client concerned, else zero
	Text     string // why
}

// EventKind is the kind of an Event.
type EventKind string

// The events of a ceremony.
const (
	EventInvited  EventKind = "invited"
	EventProposed EventKind = "proposed"
	EventNonces   EventKind = "nonces"
	EventSigned   EventKind = "signed"
	EventStored   EventKind = "stored"
	EventFunded   EventKind = "funded"
	EventChanged  EventKind = "changed"
	EventDropped  EventKind = "dropped"
	EventRestart  EventKind = "restart"
	EventFailed   EventKind = "failed"
)

// Order is a factory to create.
type Order struct {
	Clients []OrderClient
	// Shape gives the shape for a number of clients: it changes when clients
	// drop out.
	Shape func(clients int) factory.Shape
	// Params without tip height and expiry, which the LSP fills in.
	Params factory.Params
	// Stock is the amount in each stock output for each client of its group.
	Stock factory.Sat
}

// OrderClient is a client to invite.
type OrderClient struct {
	Peer     Peer
	Capacity factory.Sat
}

// LSP is the LSP's side of all ceremonies.
type LSP struct {
	cfg       LSPConfig
	creations map[wire.CeremonyID]*creation
	changes   map[wire.CeremonyID]*lspChange
	factories map[wire.CeremonyID]*Factory
	used      map[[66]byte]bool // public nonces seen (SIGN-006)
	// debts are answers that are due of sales that were interrupted, by id; freed
	// is for Freed.
	debts map[wire.CeremonyID]*debt
	freed []Peer
}

// NewLSP returns an LSP that has the given factories. Those without a funding
// transaction are records of attempts that ended: it leaves them out.
func NewLSP(cfg LSPConfig, factories []*Factory) *LSP {
	l := &LSP{
		cfg:       cfg,
		creations: map[wire.CeremonyID]*creation{},
		changes:   map[wire.CeremonyID]*lspChange{},
		factories: map[wire.CeremonyID]*Factory{},
		used:      map[[66]byte]bool{},
		debts:     map[wire.CeremonyID]*debt{},
	}
	for _, f := range factories {
		if len(f.Funding) > 0 { // else the attempt ended before it was paid for
			l.factories[f.ID()] = f
		}
	}
	return l
}

// Factories returns the factories that were paid for, by id.
func (l *LSP) Factories() []*Factory {
	return slices.SortedFunc(maps.Values(l.factories), func(a, b *Factory) int { return bytes.Compare(a.Ceremony[:], b.Ceremony[:]) })
}

// Factory returns a factory by its id, nil when there is none.
func (l *LSP) Factory(id wire.CeremonyID) *Factory { return l.factories[id] }

// ErrNoClients is returned by Create for an order without clients.
var ErrNoClients = errors.New("a factory needs at least one client")

// creationState is a row of the LSP's table in section 5.3.
type creationState int

const (
	inviting creationState = iota
	lspProposed
	lspSigning
	storing
)

// creation is one attempt to create a factory.
type creation struct {
	id       wire.CeremonyID
	order    Order
	state    creationState
	deadline time.Time
	members  []*member // in client order
	key      *musig.SecretKey
	factory  *factory.Factory
	tree     *factory.Tree
	funding  *btcwire.MsgTx
	output   uint32
	round    *round
	record   *Factory
}

// member is a client in an attempt.
type member struct {
	peer     Peer
	capacity factory.Sat
	join     *wire.Join
	channel  *btcec.PrivateKey // the LSP's key of its channel
	stored   bool
}

// Create starts a ceremony.
func (l *LSP) Create(now time.Time, order Order) (wire.CeremonyID, []Out, error) {
	if len(order.Clients) == 0 {
		return wire.CeremonyID{}, nil, ErrNoClients
	}
	if len(order.Clients) > factory.MaxClients {
		return wire.CeremonyID{}, nil, fmt.Errorf("%d clients, at most %d fit", len(order.Clients), factory.MaxClients)
	}
	c, out, err := l.start(now, order)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	return c.id, out, nil
}

// newID draws a ceremony id (CER-002).
func (l *LSP) newID() (id wire.CeremonyID, err error) {
	_, err = io.ReadFull(l.cfg.Rand, id[:])
	return id, err
}

// start begins an attempt: invitations to everybody in the order.
func (l *LSP) start(now time.Time, order Order) (*creation, []Out, error) {
	id, err := l.newID()
	if err != nil {
		return nil, nil, err
	}
	if !l.cfg.on(rule.CER002) {
		id = wire.CeremonyID{1}
	}
	c := &creation{id: id, order: order, deadline: now.Add(l.cfg.deadline())}
	secret, err := l.cfg.Keys.Factory(id)
	if err != nil {
		return nil, nil, err
	}
	if c.key, err = musig.NewSecretKey(secret); err != nil {
		return nil, nil, err
	}
	var out []Out
	for _, client := range order.Clients {
		c.members = append(c.members, &member{peer: client.Peer, capacity: client.Capacity})
		out = append(out, Out{client.Peer, &wire.Invite{Attempt: wire.Attempt{Ceremony: id}, Capacity: uint64(client.Capacity)}})
	}
	l.creations[id] = c
	l.report(Event{Ceremony: id, Kind: EventInvited, Clients: len(c.members)})
	return c, out, nil
}

func (l *LSP) report(e Event) {
	if l.cfg.Report != nil {
		l.cfg.Report(e)
	}
}

// Receive handles a message of a client and returns what to send, to it and
// to others.
func (l *LSP) Receive(now time.Time, peer Peer, m wire.Ceremony) []Out {
	if c := l.creations[m.ID()]; c != nil {
		if i := c.index(peer); i >= 0 {
			return l.creationMessage(now, c, i, m)
		}
	}
	if ch := l.changes[m.ID()]; ch != nil {
		if i := ch.index(peer); i >= 0 {
			return l.changeMessage(now, ch, i, m)
		}
	}
	l.pay(peer, m)
	_, abort := m.(*wire.Abort)
	if abort && l.cfg.on(rule.CER005) || !abort && !l.cfg.on(rule.CER004) {
		return nil
	}
	return []Out{{peer, fail(wire.ReasonUnknownCeremony, rule.CER004, "%s of an attempt that is not going on", m.Name()).abort(m.ID())}}
}

// index is the place of a peer among the members, -1 for a stranger.
func (c *creation) index(peer Peer) int {
	for i, m := range c.members {
		if m.peer == peer {
			return i
		}
	}
	return -1
}

// Disconnected drops a client from everything that is going on (CER-031).
func (l *LSP) Disconnected(now time.Time, peer Peer) []Out {
	if !l.cfg.on(rule.CER031) {
		return nil
	}
	gone := func() *Failure { return fail(wire.ReasonDeadline, rule.CER031, "the connection ended") }
	var out []Out
	for _, c := range l.sortedCreations() {
		if i := c.index(peer); i >= 0 && !c.members[i].stored {
			out = append(out, l.drop(now, c, map[int]*Failure{i: gone()})...)
		}
	}
	for _, ch := range l.sortedChanges() {
		if i := ch.index(peer); i >= 0 {
			out = append(out, l.failChange(ch, i, gone())...)
		}
	}
	for id := range l.debts {
		l.release(id, peer) // what it owed on this connection never comes
	}
	return out
}

// Deadline is when the next attempt runs out of time.
func (l *LSP) Deadline() (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	for _, c := range l.creations {
		earliest(c.deadline)
	}
	for _, ch := range l.changes {
		earliest(ch.deadline)
	}
	return at, ok
}

// Tick drops who did not answer in time (CER-017).
func (l *LSP) Tick(now time.Time) []Out {
	var out []Out
	for _, c := range l.sortedCreations() {
		if !now.Before(c.deadline) && l.cfg.on(rule.CER017) {
			out = append(out, l.late(now, c)...)
		}
	}
	for _, ch := range l.sortedChanges() {
		if !now.Before(ch.deadline) {
			out = append(out, l.lateChange(ch)...)
		}
	}
	return out
}

// late handles the deadline of a creation: while inviting, who joined goes
// on; later, who is silent is dropped.
func (l *LSP) late(now time.Time, c *creation) []Out {
	silent := map[int]*Failure{}
	for i := range c.members {
		if c.waitsFor(i) {
			silent[i] = fail(wire.ReasonDeadline, rule.CER017, "no answer before the deadline")
		} else if c.state == storing && !l.hasChannel(c, i) {
			silent[i] = fail(wire.ReasonDeadline, rule.CHAN001, "no signature on our first commitment of the channel")
		}
	}
	return l.drop(now, c, silent)
}

// waitsFor reports whether a client owes the next message.
func (c *creation) waitsFor(i int) bool {
	switch c.state {
	case inviting:
		return c.members[i].join == nil
	case storing:
		return !c.members[i].stored
	default:
		return c.round.waitsFor(i)
	}
}

// creationMessage is one row of the LSP's table.
func (l *LSP) creationMessage(now time.Time, c *creation, i int, m wire.Ceremony) []Out {
	out, err := l.handleCreation(now, c, i, m)
	if err != nil {
		return append(out, l.drop(now, c, l.blame(c, i, err))...)
	}
	return out
}

// blame says who is dropped for an error: those it names, else its sender.
func (l *LSP) blame(c *creation, sender int, err error) map[int]*Failure {
	var many *guilty
	if errors.As(err, &many) {
		return many.clients
	}
	return map[int]*Failure{sender: asFailure(err)}
}

func (l *LSP) handleCreation(now time.Time, c *creation, i int, m wire.Ceremony) ([]Out, error) {
	switch m := m.(type) {
	case *wire.Abort:
		return nil, fail(m.Reason, "", "the client ended the attempt: %s", m.Reason)
	case *wire.Join:
		if c.state == inviting && c.members[i].join == nil {
			return l.joined(now, c, i, m)
		}
	case *wire.Nonces:
		if c.state == lspProposed && m.Phase == 0 && c.round.waitsFor(i) {
			return l.creationNonces(now, c, i, m)
		}
	case *wire.Partials:
		if c.state == lspSigning && m.Phase == 0 && c.round.waitsFor(i) {
			return l.creationPartials(now, c, i, m)
		}
	case *wire.Stored:
		if c.state == storing && m.Phase == 0 && !c.members[i].stored {
			return l.creationStored(c, i)
		}
	}
	if !l.cfg.on(rule.CER007) {
		return nil, nil
	}
	return nil, fail(wire.ReasonUnexpected, rule.CER007, "%s is not what this attempt waits for", m.Name())
}

// joined takes a client's keys (CER-014).
func (l *LSP) joined(now time.Time, c *creation, i int, m *wire.Join) ([]Out, error) {
	if l.cfg.on(rule.CER014) {
		if m.FactoryKey == wire.Point(c.key.PublicKey().Bytes()) {
			return nil, fail(wire.ReasonKeys, rule.CER014, "the factory key is the LSP's")
		}
		for _, other := range c.members {
			if other.join != nil && (other.join.FactoryKey == m.FactoryKey || other.join.ChannelKey == m.ChannelKey) {
				return nil, fail(wire.ReasonKeys, rule.CER014, "another client joined with the same key")
			}
		}
	}
	c.members[i].join = m
	for k := range c.members {
		if c.members[k].join == nil {
			return nil, nil
		}
	}
	return l.propose(now, c)
}
