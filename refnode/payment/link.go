package payment

import "superscalar/wire"

// Policy is what a node asks for forwarding an HTLC into a channel.
type Policy struct {
	// Known is false when the peer has not said, or does not forward: its
	// channel gives no route hint.
	Known       bool
	FeeBaseMsat uint32 // msat
	FeePPM      uint32 // millionths of the amount
	CLTVDelta   uint16 // blocks
	HTLCMinimum Msat   // msat
}

// Link is a channel as the router sees it.
type Link struct {
	Channel wire.ChannelID
	Peer    wire.Point
	// EarlyWarning is the channel's factory_early_warning_time in blocks, 0
	// outside a factory.
	EarlyWarning Blocks
	// InFactory is true for a channel in a factory.
	InFactory bool
	// SCIDs are the ids under which an onion may name the channel as the next
	// one: the aliases we gave to the peer and the real id.
	SCIDs []SCID
	// HintSCID is the alias that the peer gave us, for our invoices; 0: none.
	HintSCID SCID
	// Policy is ours, for HTLCs that leave through the channel; PeerPolicy is
	// the peer's, for HTLCs that it sends us through it.
	Policy, PeerPolicy Policy
	// Up is true when the channel takes new HTLCs now.
	Up bool
	// Receives is true while no side sent `shutdown` and the channel is not
	// closed, whether or not the peer is connected.
	Receives bool
	// Failed is true when the channel has failed: it ends on the chain.
	Failed bool
	// CanSend is the largest HTLC in msat that Add takes now, CanReceive the
	// largest that the peer could add.
	CanSend, CanReceive Msat
	// HTLCMinimum is the smallest HTLC in msat that Add takes.
	HTLCMinimum Msat
	// Untrimmed is the smallest HTLC in msat that has an output on a commitment of
	// either side: nobody goes to the chain for a smaller one in a factory (PCF-089).
	Untrimmed Msat
}

// Origin is the router's own name for an HTLC that it offers: the received HTLC
// that is forwarded, or payment hash and part.
type Origin [40]byte

// AddHTLC is an HTLC to offer.
type AddHTLC struct {
	Origin Origin
	Amount Msat
	Hash   Hash
	Expiry Height
	Onion  Onion
}

// Channels is what the router sees of the channels of its node. The order of
// what it returns must not depend on chance. A closed channel stays visible, not
// Up, as long as it has HTLCs. Every command is idempotent; an HTLC that is
// resolved already is no fault.
type Channels interface {
	// Link returns a channel.
	Link(wire.ChannelID) (Link, bool)
	// BySCID returns the channel that an onion names.
	BySCID(SCID) (Link, bool)
	// To returns the channels with a peer.
	To(wire.Point) []Link
	// All returns every channel.
	All() []Link

	// Add offers an HTLC. After an error nothing has changed.
	Add(wire.ChannelID, AddHTLC) (id uint64, err error)
	// Fulfil gives the preimage of a received HTLC. The channel keeps it in every
	// state in which it has the HTLC, closed and on the chain included.
	// forwarded tells that the preimage came from downstream: PCF-094 does
	// not hold it back then.
	Fulfil(channel wire.ChannelID, id uint64, p Preimage, forwarded bool) error
	// Fail removes a received HTLC with an encrypted reason.
	Fail(channel wire.ChannelID, id uint64, reason []byte) error
	// FailMalformed removes a received HTLC whose onion could not be read.
	FailMalformed(channel wire.ChannelID, id uint64, sha [32]byte, code Code) error
}
