// Package plugin is the border between the base node and factory protocols:
// the "pluggable" in pluggable channel factories.
//
// The base node (package peer) runs connections and channels and knows only
// that a channel is inside some factory; a Plugin knows one factory protocol.
// A node registers any number of them. This package has two: SuperScalar
// (section 3.5 of SPEC.md) and Loopback, a trivial one for tests (section
// 3.6). Plugins are pure: they take an event and return what to do.
package plugin

import (
	"superscalar/wire"
	"superscalar/wire/rule"
)

// PeerID is the node id of a peer, a compressed point.
type PeerID = wire.Point

// Plugin is one factory protocol.
type Plugin interface {
	// ProtocolID names the protocol. It does not change while a node runs.
	ProtocolID() wire.ProtocolID
	// Receive handles a payload from a peer that also lists the protocol and
	// returns the payloads to send back, in order. A *Violation makes the base
	// node send a warning and close the connection.
	Receive(peer PeerID, payload []byte) (replies [][]byte, err error)
	// CheckChannel says whether a channel that the peer wants to open is one
	// the factory expects. A *Violation makes the base node fail the channel.
	CheckChannel(peer PeerID, open *wire.OpenChannel) error
	// Offer names the factory in which a channel of fundingSat sat to the peer
	// can be opened. It fails when there is none.
	Offer(peer PeerID, fundingSat uint64) (wire.ChannelInFactory, error)
}

// Talker is a Plugin that also speaks without being asked. The base node calls
// its methods from several connections; a Talker is safe for that.
type Talker interface {
	Plugin
	// Connected says that the peer lists the protocol, on a new connection.
	Connected(peer PeerID)
	// Disconnected says that this connection ended.
	Disconnected(peer PeerID)
	// Outgoing takes the payloads that wait for a peer, in order. The base node
	// asks after every payload it handed over, and when it is told to.
	Outgoing(peer PeerID) [][]byte
}

// Delayer is a Plugin that decides how long the opener of a channel waits for its
// own money after it published a commitment.
type Delayer interface {
	// ToSelfDelay is what accept_channel asks for, in blocks; 0 leaves it to the
	// base node.
	ToSelfDelay(peer PeerID, open *wire.OpenChannel) uint16
}

// Violation says that the peer broke a rule of the factory protocol. Match it
// with errors.As.
type Violation struct {
	Rule   rule.ID
	Reason string // printable ASCII, goes to the peer
}

func (v *Violation) Error() string { return v.Reason }
