package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"superscalar/refnode/node"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Peer is the scripted peer on one connection. It is right everywhere except
// where the case plants its fault.
type Peer struct {
	play  *Play
	tc    *transport.Conn
	ended string // how the target ended the connection, "" while it is open

	// Init and Protocols are what the target sent, nil before it did.
	Init      *wire.Init
	Protocols *wire.SupportedProtocols

	leaf *LeafChannels // channels on this connection that answer as messages come; nil: none

	pongs []int // lengths already used for a fence on this connection
	pings [][]byte
}

// ID is the suite's node id on this connection.
func (c *Peer) ID() transport.NodeID { return c.tc.LocalID() }

// Send encodes and sends a message.
func (c *Peer) Send(m wire.Message) []byte {
	raw := c.Encode(m)
	c.SendRaw(raw)
	return raw
}

// Encode encodes a message of the suite's own; it cannot fail but by a
// mistake in the suite.
func (c *Peer) Encode(m wire.Message) []byte {
	raw, err := c.play.Codec.Encode(m)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot encode its %s: %v", m.Name(), err))
	}
	return raw
}

// SendRaw sends bytes as they are. A target that is gone already shows when
// reading, so a failed write is no result.
func (c *Peer) SendRaw(raw []byte) {
	c.play.frames = append(c.play.frames, c.play.frame("sent", raw))
	c.play.digest = append(append(c.play.digest, byte(len(raw)>>8), byte(len(raw))), raw...)
	_ = c.tc.SetWriteDeadline(c.play.deadlineAt())
	_ = c.tc.WriteMessage(raw)
}

// SendForged sends a message with one bit of its frame flipped, at byte i of
// the frame, from the end when negative.
func (c *Peer) SendForged(m wire.Message, i int) {
	c.play.event("sent %s with byte %d of its frame forged", m.Name(), i)
	_ = c.tc.WriteForged(c.Encode(m), i)
}

// next reads one message before the deadline. ok is false when there is none,
// because the target closed (c.ended says how) or because time is up.
func (c *Peer) next(until time.Time) (raw []byte, ok bool) {
	if c.ended != "" {
		return nil, false
	}
	_ = c.tc.SetReadDeadline(until)
	raw, err := c.tc.ReadMessage()
	switch {
	case err == nil:
		c.play.frames = append(c.play.frames, c.play.frame("received", raw))
		return raw, true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, false
	case errors.Is(err, io.EOF):
		c.ended = "closed (EOF)"
	case errors.Is(err, transport.ErrBadMAC):
		c.ended = "closed after a frame that does not authenticate"
	default:
		c.ended = "closed (" + oneLine(err.Error()) + ")"
	}
	c.play.event("target %s", c.ended)
	return nil, false
}

// handle answers what any peer has to answer, and notes what is noted once.
func (c *Peer) handle(raw []byte) wire.Message {
	m := c.decode(raw)
	switch m := m.(type) {
	case *wire.Ping:
		if m.NumPongBytes <= wire.MaxPongBytes && !c.sentPing(raw) {
			_ = c.tc.WriteMessage(c.Encode(&wire.Pong{Ignored: make([]byte, m.NumPongBytes)}))
		}
	case *wire.Init:
		if c.Init == nil {
			c.Init = m
		}
	case *wire.SupportedProtocols:
		if c.Protocols == nil {
			c.Protocols = m
		}
	}
	if c.leaf != nil && m != nil {
		c.leaf.hear(m)
	}
	return m
}

// decode decodes a message, or returns nil.
func (c *Peer) decode(raw []byte) wire.Message {
	if m, err := c.play.Codec.Decode(raw); err == nil {
		return m
	}
	return nil
}

// sentPing reports whether raw is a ping of ours coming back. Answering it
// would let a peer that echoes everything produce the pong of a fence.
func (c *Peer) sentPing(raw []byte) bool {
	return slices.ContainsFunc(c.pings, func(p []byte) bool { return bytes.Equal(p, raw) })
}

// ping sends a ping with a pong length not used before on this connection.
func (c *Peer) ping() (pongBytes int) {
	for {
		pongBytes = 16 + c.play.Rand.IntN(1000)
		if !slices.Contains(c.pongs, pongBytes) {
			break
		}
	}
	c.pongs = append(c.pongs, pongBytes)
	c.pings = append(c.pings, c.Send(&wire.Ping{NumPongBytes: uint16(pongBytes)}))
	return pongBytes
}

// Close closes the connection from the suite's side.
func (c *Peer) Close() {
	_ = c.tc.Close()
	c.ended = "closed by the suite"
}

// Open reports whether the connection is still open.
func (c *Peer) Open() bool { return c.ended == "" }

// ReadInit reads the target's first message, which has to be init (TRN-050).
// Once it is read, it does nothing.
func (c *Peer) ReadInit() {
	if c.Init != nil {
		return
	}
	raw, ok := c.next(c.play.deadlineAt())
	if !ok {
		c.play.controlFailed("the target sends init", "nothing"+c.how())
	}
	c.handle(raw)
	if c.Init == nil {
		name, text := Describe(c.play.Codec, raw)
		c.play.fail(rule.TRN050, mismatch{message: "the first message is " + name, planted: -1,
			expected: []string{"init"}, received: text})
		panic(abort{})
	}
}

// InitMessage is the suite's own init, for the target's chain as far as it
// said which.
func (c *Peer) InitMessage() *wire.Init {
	chain := node.Regtest
	if c.Init != nil && len(c.Init.Networks) > 0 {
		chain = c.Init.Networks[0]
	}
	return &wire.Init{Features: Features(), Networks: [][32]byte{chain}}
}

// Exchange exchanges init, lists factory protocols if both sides offer
// factories, and fences. It ends the case when the target does not offer what
// the case needs.
func (c *Peer) Exchange() Reaction { return c.ExchangeWith(nil, c.play.Protocols()) }

// ExchangeWith is Exchange with another init (nil for the usual one) and other
// protocols; nil protocols sends no supported_factory_protocols at all.
func (c *Peer) ExchangeWith(init *wire.Init, protocols []wire.ProtocolID) Reaction {
	c.ReadInit()
	if init == nil {
		init = c.InitMessage()
	}
	c.Send(init)
	factories := c.Init.All().Offers(wire.FeatureFactories) && init.All().Offers(wire.FeatureFactories)
	if factories && protocols != nil {
		c.Send(&wire.SupportedProtocols{IDs: protocols})
	}
	r := c.Control()
	c.requireOffered(r)
	needed := slices.Contains(c.play.Case.Features, wire.FeatureFactories)
	if needed && factories && protocols != nil && c.Protocols == nil {
		r = c.awaitList(r)
	}
	c.requireListed()
	return r
}

// awaitList waits for the target's supported_factory_protocols, which the
// positive control of every factory case includes.
func (c *Peer) awaitList(r Reaction) Reaction {
	until := time.Now().Add(c.play.settle)
	for c.Protocols == nil {
		raw, ok := c.next(until)
		if !ok {
			c.play.controlFailed("the target lists its protocols", "it did not list its protocols"+typesOf(r)+c.how())
		}
		r.Messages, r.Raw = append(r.Messages, c.handle(raw)), append(r.Raw, raw)
	}
	return r
}

// typesOf names the types of what came in place of something.
func typesOf(r Reaction) string {
	if len(r.Raw) == 0 {
		return ""
	}
	var types []wire.MsgType
	for _, raw := range r.Raw {
		typ, _ := wire.TypeOf(raw)
		types = append(types, typ)
	}
	return fmt.Sprintf(", but sent messages of type %v", types)
}

// requireOffered ends the case when a needed feature or protocol is missing,
// and fails it when the target uses what it does not offer.
func (c *Peer) requireOffered(r Reaction) {
	for _, f := range c.play.Case.Features {
		if c.Init.All().Offers(f) {
			continue
		}
		if m, used := Find[wire.FactoryMessage](r); used && f == wire.FeatureFactories {
			c.play.fail(rule.PCF001, mismatch{message: m.Name() + " without the feature", planted: -1,
				expected: []string{"no factory message"}, received: m.Name()})
			return
		}
		c.play.Unsupported(fmt.Sprintf("the target does not offer feature %d/%d", f, f+1))
	}
}

// requireListed ends the case when the protocol it needs is not listed.
func (c *Peer) requireListed() {
	if id, name, needed := c.play.needs(); needed && !c.lists(id) {
		c.play.Unsupported("the target does not list the " + name + " protocol")
	}
}

func (p *Play) needs() (wire.ProtocolID, string, bool) {
	switch p.Case.Protocol {
	case SuperScalar:
		return p.Codec.SuperScalarID(), "SuperScalar/1", true
	case Loopback:
		return p.Codec.LoopbackID(), "Loopback/1", true
	}
	return wire.ProtocolID{}, "", false
}

// lists reports whether the target listed the protocol; a target that listed
// nothing at all is a failed control elsewhere, not an unsupported case.
func (c *Peer) lists(id wire.ProtocolID) bool {
	return c.Protocols == nil || slices.Contains(c.Protocols.IDs, id)
}
