package harness

import (
	"fmt"
	"slices"
	"time"

	"superscalar/harness/report"
	"superscalar/wire"
	"superscalar/wire/rule"
)

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
