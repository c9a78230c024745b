package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"superscalar/harness/report"
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

// Reaction is what a target did until a fence.
type Reaction struct {
	Outcome  Outcome
	Messages []wire.Message // decoded, in order, the fence's pong left out
	Raw      [][]byte       // the same, as received
	fenced   bool
}

// Find returns the first message of a reaction that has type M.
func Find[M wire.Message](r Reaction) (m M, ok bool) {
	for _, x := range r.Messages {
		if m, ok = x.(M); ok {
			return m, true
		}
	}
	return m, false
}

// quietTime is how long after the pong a target that may answer from another
// thread is listened to when it should not answer at all. It can miss a slow
// offender and never accuses an honest node.
const quietTime = 50 * time.Millisecond

// Fence sends a ping and reads until its pong: everything the target does in
// order about what was sent before has happened by then.
func (c *Peer) Fence() Reaction { return c.react([]Outcome{Ignored, Warned, Errored}, 0) }

// react fences. A reaction that no wanted outcome allows gets some time to
// become one that is (Options.Settle): some nodes answer from another thread,
// after the pong.
func (c *Peer) react(want []Outcome, quiet time.Duration) Reaction {
	var r Reaction
	var warned, errored bool
	length := c.ping()
	until := c.play.deadlineAt()
	for {
		r.Outcome = outcomeOf(warned, errored, c.ended != "", r.fenced)
		if r.fenced && slices.Contains(want, r.Outcome) && r.Outcome != Ignored {
			return r
		}
		if r.fenced && c.play.settle == 0 {
			return r
		}
		raw, ok := c.next(until)
		if !ok {
			r.Outcome = outcomeOf(warned, errored, c.ended != "", r.fenced)
			return r
		}
		m := c.handle(raw)
		if p, isPong := m.(*wire.Pong); isPong && len(p.Ignored) == length && !r.fenced {
			r.fenced = true
			until = time.Now().Add(c.play.settle)
			if slices.Contains(want, Ignored) {
				until = time.Now().Add(min(quiet, c.play.settle))
			}
			if quiet == 0 && slices.Contains(want, outcomeOf(warned, errored, false, true)) {
				r.Outcome = outcomeOf(warned, errored, false, true)
				return r
			}
			continue
		}
		r.Messages, r.Raw = append(r.Messages, m), append(r.Raw, raw)
		switch m.(type) {
		case *wire.Warning:
			warned = true
		case *wire.ErrorMessage:
			errored = true
		}
	}
}

// Control makes sure that the target answers a ping; if not, the case ends.
func (c *Peer) Control() Reaction {
	r := c.Fence()
	if !r.fenced {
		c.play.controlFailed("a ping is answered by its pong", string(r.Outcome)+c.how())
	}
	return r
}

func (c *Peer) how() string {
	if c.ended == "" {
		return ""
	}
	return ", " + c.ended
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

// Stimulus is what the suite sends to provoke a reaction.
type Stimulus struct {
	Message wire.Message // sent encoded, unless Raw is set
	Raw     []byte       // sent as it is
	// Planted is the offset of the fault in bytes; -1 or absent Raw: none.
	Planted int
	Control bool   // a harmless message whose being ignored is a positive control
	What    string // the fault in a few words, "a known record one byte short"
}

// Provoke sends a stimulus and requires one of the wanted outcomes, on the
// authority of requirement id.
func (c *Peer) Provoke(id rule.ID, s Stimulus, want ...Outcome) Reaction {
	raw, planted := s.Raw, s.Planted
	if raw == nil {
		raw, planted = c.Encode(s.Message), -1
	}
	c.play.Step("after %s", s.What)
	c.SendRaw(raw)
	quiet := quietTime
	if s.Control {
		quiet = 0
	}
	r := c.react(want, quiet)
	if !slices.Contains(want, r.Outcome) {
		m := mismatch{
			message:  fmt.Sprintf("%s: the target %s it", s.What, past(r.Outcome)),
			sent:     raw,
			planted:  planted,
			expected: outcomeStrings(want),
			received: string(r.Outcome) + c.how(),
		}
		if name := answer(r); name != "" {
			m.message = fmt.Sprintf("%s: the target answered it with %s", s.What, name)
			m.received = "answered with " + name
			m.frame = lastFrame(c.play.frames)
		}
		if r.Outcome != Ignored && r.Outcome != Hung {
			m.frame = lastFrame(c.play.frames)
		}
		c.play.fail(id, m)
	}
	return r
}

// answer names what a target said when it neither warned nor complained.
func answer(r Reaction) string {
	if r.Outcome != Ignored {
		return ""
	}
	for _, m := range r.Messages {
		switch m.(type) {
		case nil, *wire.Ping, *wire.Pong, *wire.Base:
		default:
			return m.Name()
		}
	}
	return ""
}

func past(o Outcome) string {
	switch o {
	case Ignored:
		return "ignored"
	case Hung:
		return "hung after"
	case Warned:
		return "only warned about"
	case Errored:
		return "answered with an error to"
	case WarnedClosed:
		return "warned and closed the connection after"
	case ErroredClosed:
		return "sent an error and closed the connection after"
	default:
		return "closed the connection without a word after"
	}
}

// lastFrame is the last message received, the pongs of fences left out.
func lastFrame(frames []report.Frame) *report.Frame {
	for i := len(frames) - 1; i >= 0; i-- {
		if frames[i].Direction == "received" && frames[i].Type != uint16(wire.TypePong) {
			f := frames[i]
			return &f
		}
	}
	return nil
}

// After is the positive control that follows a stimulus: the target is alive,
// on the same connection when it is open, else on a new one.
func (c *Peer) After() {
	c.play.Step("control after the stimulus")
	if c.Open() {
		c.Control()
		return
	}
	d := c.play.Dial()
	d.Exchange()
}

// Await reads until a message of type M arrives and returns it. It fails
// requirement id when the target closes or the deadline passes before.
func Await[M wire.Message](c *Peer, id rule.ID, what string) (m M, ok bool) {
	until := c.play.deadlineAt()
	length := -1
	if _, isPong := any(m).(*wire.Pong); c.play.settle == 0 && !isPong {
		length = c.ping() // it comes before this pong, or not at all
	}
	var seen []string
	for received := "hung"; ; {
		raw, more := c.next(until)
		p, isPong := c.decode(raw).(*wire.Pong)
		if more && isPong && len(p.Ignored) == length {
			received, more = "ignored", false
		}
		if !more {
			if c.ended != "" {
				received = c.ended
			}
			if len(seen) > 0 {
				received += fmt.Sprintf(", after %v", seen)
			}
			c.play.fail(id, mismatch{message: what + " did not come", planted: -1, expected: []string{what}, received: received, frame: lastFrame(c.play.frames)})
			return m, false
		}
		x := c.handle(raw)
		if m, ok = x.(M); ok {
			return m, true
		}
		if x != nil {
			seen = append(seen, x.Name())
		}
	}
}

// ReadToEnd reads until the target closes the connection or the deadline
// passes: Closed or Hung.
func (c *Peer) ReadToEnd() Outcome {
	until := c.play.deadlineAt()
	for {
		raw, ok := c.next(until)
		if ok {
			c.handle(raw)
			continue
		}
		if c.Open() {
			return Hung
		}
		return Closed
	}
}

// Peek returns a message that has arrived, waiting at most for d.
func (c *Peer) Peek(d time.Duration) ([]byte, bool) { return c.next(time.Now().Add(d)) }

// MustAwait is Await for a positive control: without the message the case
// ends.
func MustAwait[M wire.Message](c *Peer, what string) M {
	p := c.play
	n := len(p.failures)
	m, ok := Await[M](c, p.Case.Rules[0], what)
	if !ok {
		received := p.failures[n].Received
		p.failures = p.failures[:n]
		p.controlFailed(what, received)
	}
	return m
}
