// Package peer is the base node's side of one connection, as a pure state
// machine: messages in, actions out.
//
// It promises the rules of sections 2.2 to 2.6, 3.1 to 3.4, 3.7 (up to
// accept_channel) and 3.8 (as far as no channel is open) of SPEC.md; each
// check names the requirement it enforces. It does no I/O, reads no clock and
// draws no randomness of its own. Package node puts a connection around it.
package peer

import (
	"slices"

	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Config is what a Machine needs to know of its node.
type Config struct {
	Codec     wire.Codec
	Features  wire.Features
	ChainHash [32]byte
	Plugins   []plugin.Plugin
	// Keys returns fresh keys for one channel; TemporaryID a fresh id.
	Keys        func() (wire.ChannelKeys, error)
	TemporaryID func() (wire.ChannelID, error)
	// Channels are the node's; nil: it has none, and channels end at
	// accept_channel.
	Channels Channels
	// Outside says whether channels outside a factory are taken.
	Outside bool
	// Tamper is zero in a node in use.
	Tamper Tamper
}

// Tamper breaks a node on purpose. It exists for mutants: a rule about what a
// node sends cannot be switched off like a check, and a node can also be
// stricter than a rule allows. Both functions are optional.
type Tamper struct {
	// Out rewrites an outgoing message.
	Out func(wire.Message) []wire.Message
	// In looks at an incoming message before the machine does; false closes
	// the connection without a word.
	In func(raw []byte) bool
}

// Action is something the node has to do, in order: a Send, Close or Event.
type Action interface{ action() }

// Send is a message to put on the wire.
type Send struct{ Message []byte }

// Close ends the connection after everything before it has been sent.
type Close struct {
	Rule   rule.ID // the requirement that asks for it, if there is one
	Reason string
}

// Event tells the node's log, and whoever waits, what happened.
type Event struct {
	Kind EventKind
	Text string
}

// EventKind is the kind of an Event.
type EventKind string

// The events of a connection.
const (
	EventReady    EventKind = "ready"    // init exchanged
	EventAccepted EventKind = "accepted" // the peer accepted our open_channel
	EventRefused  EventKind = "refused"  // a channel was refused, by either side
	EventNotice   EventKind = "notice"   // error or warning from the peer
)

func (Send) action()  {}
func (Close) action() {}
func (Event) action() {}

// Machine is one side of one connection. It is not safe for concurrent use.
type Machine struct {
	cfg     Config
	peer    plugin.PeerID
	state   state
	theirs  wire.Features
	common  []wire.ProtocolID // after supported_factory_protocols (PCF-028)
	listed  bool              // the peer sent supported_factory_protocols
	opening map[wire.ChannelID]*attempt
	out     []Action
	behind  bool // channels were given messages that they have not answered yet
}

type state int

const (
	waiting state = iota // for the peer's init
	ready
	closed
)

// attempt is a channel being opened, known by its temporary id. Nothing of it
// survives the connection (BOLT 2: before funding_created there is nothing to
// remember).
type attempt struct {
	open *wire.OpenChannel
	ours bool // we sent open_channel
	done bool // accept_channel was exchanged
	salt [32]byte
}

// New returns the machine for a connection with the given peer.
func New(cfg Config, peer plugin.PeerID) *Machine {
	return &Machine{cfg: cfg, peer: peer, opening: map[wire.ChannelID]*attempt{}}
}

// Start begins the conversation: init is the first message (TRN-050).
func (m *Machine) Start() []Action {
	m.send(&wire.Init{Features: m.cfg.Features, Networks: [][32]byte{m.cfg.ChainHash}})
	return m.take()
}

// Ready reports whether init messages have been exchanged.
func (m *Machine) Ready() bool { return m.state == ready }

// Pending returns the number of channels being opened, accepted ones included.
func (m *Machine) Pending() int { return len(m.opening) }

// Receive handles one message, undecoded.
func (m *Machine) Receive(raw []byte) []Action {
	if m.state == closed {
		return nil
	}
	if in := m.cfg.Tamper.In; in != nil && !in(raw) {
		m.end("", "tampered with")
		return m.take()
	}
	m.receive(raw)
	return m.take()
}

func (m *Machine) receive(raw []byte) {
	typ, err := wire.TypeOf(raw)
	if err != nil {
		m.close(rule.TRN023, err.Error())
		return
	}
	if m.state == waiting && typ != wire.TypeInit {
		m.close(rule.TRN052, "the first message is not init")
		return
	}
	if m.foreign(typ) {
		m.catchUp()
		m.unknown(typ)
		return
	}
	msg, err := m.cfg.Codec.Decode(raw)
	if err != nil {
		m.catchUp()
		m.malformed(typ, raw, err)
		return
	}
	if !streamed(msg) {
		m.catchUp()
	}
	m.dispatch(typ, msg)
}

// foreign reports whether typ is the factory envelope on a connection that
// did not negotiate factories: an unknown message then (PCF-005).
func (m *Machine) foreign(typ wire.MsgType) bool {
	envelope := m.cfg.Codec.Envelope
	if envelope == 0 {
		envelope = wire.TypeFactory
	}
	return typ == envelope && !m.factories() && m.on(rule.PCF005)
}

func (m *Machine) factories() bool {
	return m.cfg.Features.Offers(wire.FeatureFactories) && m.theirs.Offers(wire.FeatureFactories)
}

func (m *Machine) dispatch(typ wire.MsgType, msg wire.Message) {
	switch msg := msg.(type) {
	case *wire.Init:
		m.init(msg)
	case *wire.Ping:
		m.ping(msg)
	case *wire.Pong:
	case *wire.ErrorMessage:
		m.errorMessage(msg)
	case *wire.Warning:
		m.warning(msg)
	case *wire.OpenChannel:
		if !m.toChannel(msg.TemporaryChannelID, msg) { // in the middle of a batch (PCF-131)
			m.openChannel(msg)
		}
	case *wire.AcceptChannel:
		if !m.toChannel(msg.TemporaryChannelID, msg) {
			m.acceptChannel(msg)
		}
	case wire.FactoryMessage:
		m.factory(msg)
	case *wire.Stfu:
		if !m.toChannel(msg.ChannelID, msg) {
			m.warn(msg.ChannelID, "stfu for an unknown channel")
		}
	case *wire.Unknown:
		m.unknown(typ)
	default:
		m.named(msg)
	}
}

func (m *Machine) on(id rule.ID) bool { return m.cfg.Codec.Rules.On(id) }

// send queues a message. A message of ours that does not encode is a defect
// of this node; it ends the connection rather than the process.
func (m *Machine) send(msg wire.Message) {
	if m.state == closed { // by a message before this one that does not encode
		return
	}
	messages := []wire.Message{msg}
	if m.cfg.Tamper.Out != nil {
		messages = m.cfg.Tamper.Out(msg)
	}
	for _, msg := range messages {
		raw, err := m.cfg.Codec.Encode(msg)
		if err != nil {
			m.end("", "internal: "+err.Error())
			return
		}
		m.out = append(m.out, Send{Message: raw})
	}
}

func (m *Machine) event(kind EventKind, text string) {
	m.out = append(m.out, Event{Kind: kind, Text: text})
}

func (m *Machine) warn(id wire.ChannelID, reason string) {
	m.send(&wire.Warning{ChannelID: id, Data: []byte(reason)})
}

// fail sends an error for one channel; the connection stays. The peer forgets
// what the error names, so an attempt with this id is over here too. An id of
// zeros would name every channel: a peer that used it is only warned.
func (m *Machine) fail(id wire.ChannelID, reason string) {
	delete(m.opening, id)
	if id == (wire.ChannelID{}) {
		m.warn(id, reason)
		return
	}
	m.send(&wire.ErrorMessage{ChannelID: id, Data: []byte(reason)})
}

// close closes the connection because requirement id asks for it. After init
// the peer is told why: BOLT 1 asks for nothing before closing, and a warning
// saves its developer an evening.
func (m *Machine) close(id rule.ID, reason string) {
	if !m.on(id) {
		return
	}
	if m.state == ready {
		text := reason
		if id != "" { // protocols of other plugins have no ids of ours
			text = string(id) + ": " + reason
		}
		m.warn(wire.ChannelID{}, text)
	}
	m.end(id, reason)
}

func (m *Machine) end(id rule.ID, reason string) {
	if m.state == closed {
		return
	}
	m.state = closed
	m.out = append(m.out, Close{Rule: id, Reason: reason})
}

func (m *Machine) take() []Action {
	out := m.out
	m.out = nil
	return out
}

// plugin returns the plugin of a protocol, or nil.
func (m *Machine) plugin(id wire.ProtocolID) plugin.Plugin {
	i := slices.IndexFunc(m.cfg.Plugins, func(p plugin.Plugin) bool { return p.ProtocolID() == id })
	if i < 0 {
		return nil
	}
	return m.cfg.Plugins[i]
}
