package harness

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"superscalar/harness/report"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Play is one run of one case: the scripted peer's side of the conversation.
// It collects every mismatch; only a failed control, without which nothing that
// follows means anything, ends the body early.
type Play struct {
	Case  *Case
	Role  Role
	Node  Node       // the target
	Rand  *rand.Rand // seeded by the run's seed and the case's name
	Codec wire.Codec // as the suite writes, all rules on

	ctx       context.Context
	seed      [32]byte
	deadline  time.Duration
	settle    time.Duration
	peers     []*Peer
	listeners int
	frames    []report.Frame
	digest    []byte // what the suite sent
	failures  []report.Failure
	position  string
	// unreached is why the target could not be reached at all.
	unreached error
}

// Controls of the body's flow; the runner recovers them.
type (
	abort       struct{}
	unsupported struct{ reason string }
)

// Seed returns 32 bytes that depend on the case, the run's seed and label.
func (p *Play) Seed(label string) [32]byte { return derive(p.seed, label) }

// Step names the part of the conversation the body is in, for failures.
func (p *Play) Step(format string, args ...any) { p.position = fmt.Sprintf(format, args...) }

// Unsupported ends the case: the target lacks what reason names.
func (p *Play) Unsupported(reason string) { panic(unsupported{reason}) }

// Check records a failure of requirement id unless actual matches.
func (p *Play) Check(id rule.ID, actual any, matcher types.GomegaMatcher, what string) bool {
	ok := true
	g := gomega.NewGomega(func(message string, _ ...int) {
		ok = false
		p.fail(id, mismatch{message: "not as required: " + what, received: oneLine(message), expected: []string{what}, frame: lastFrame(p.frames)})
	})
	g.Expect(actual).To(matcher)
	return ok
}

// mismatch is what is known of a failure besides its requirement.
type mismatch struct {
	message  string
	sent     []byte
	planted  int
	expected []string
	received string
	frame    *report.Frame
	blame    string
}

func (p *Play) fail(id rule.ID, m mismatch) {
	q, ok := rule.Embedded().Lookup(id)
	if !ok {
		panic(fmt.Sprintf("case %s names %s, which SPEC.md does not have", p.Case.Name, id))
	}
	f := report.Failure{
		Rule: string(id), Quote: q.Text, Section: q.Section,
		Message: m.message, PlantedOffset: -1, Expected: m.expected, Received: m.received,
		ReceivedFrame: m.frame, Position: p.position, Blame: m.blame,
	}
	if f.Blame == "" {
		f.Blame = "the target, if SPEC.md says what the quote says; the suite, if it does not"
	}
	if f.Position == "" {
		f.Position = "start of the case"
	}
	if m.sent != nil {
		frame := p.frame("sent", m.sent)
		f.Sent, f.PlantedOffset = &frame, min(m.planted, len(m.sent))
	} else {
		f.Sent = p.lastStimulus()
	}
	p.failures = append(p.failures, f)
}

// lastStimulus is the last message sent that is not the ping of a fence.
func (p *Play) lastStimulus() *report.Frame {
	for i := len(p.frames) - 1; i >= 0; i-- {
		f := p.frames[i]
		if f.Direction == "sent" && f.Type != uint16(wire.TypePing) {
			return &f
		}
	}
	return nil
}

// controlFailed records that a positive control failed, and ends the body.
func (p *Play) controlFailed(what, received string) {
	p.fail(p.Case.Rules[0], mismatch{
		message:  "positive control failed: " + what,
		expected: []string{what},
		received: received,
		planted:  -1,
		blame:    "the target: without this answer nothing can be said about the requirement",
	})
	panic(abort{})
}

func (p *Play) frame(direction string, raw []byte) report.Frame {
	f := report.Frame{Direction: direction, Hex: hex.EncodeToString(raw)}
	if typ, err := wire.TypeOf(raw); err == nil {
		f.Type = uint16(typ)
	}
	f.Name, f.Decoded = Describe(p.Codec, raw)
	return f
}

func (p *Play) event(format string, args ...any) {
	p.frames = append(p.frames, report.Frame{Direction: "event", Name: fmt.Sprintf(format, args...)})
}

// deadlineAt is when the target is called hung.
func (p *Play) deadlineAt() time.Time { return time.Now().Add(p.deadline) }

// Deadline is how long the target has to react at all.
func (p *Play) Deadline() time.Duration { return p.deadline }

// Context ends with the run.
func (p *Play) Context() context.Context { return p.ctx }

// key is the node key of the suite's n-th identity in this case.
func (p *Play) options(n int) transport.Options {
	return transport.Options{Key: deriveKey(p.seed, fmt.Sprintf("peer %d", n)), HandshakeTimeout: p.deadline}
}

// Dial opens a connection and completes the handshake; nothing is said yet.
// Each call is another peer, with a node id of its own. A handshake that fails
// is a failed control.
func (p *Play) Dial() *Peer { return p.DialAs(len(p.peers)) }

// DialAs is Dial with the identity of the n-th peer.
func (p *Play) DialAs(n int) *Peer {
	c, err := p.TryDial(n)
	if err != nil {
		p.unreached = err
		p.controlFailed("the BOLT 8 handshake completes", "handshake failed: "+oneLine(err.Error()))
	}
	return c
}

// TryDial is DialAs for cases in which the handshake itself is the question.
func (p *Play) TryDial(n int) (*Peer, error) { return p.tryDial(p.options(n)) }

func (p *Play) tryDial(opts transport.Options) (*Peer, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.deadline)
	defer cancel()
	tc, err := transport.Dial(ctx, p.Node.Address(), opts)
	if err != nil {
		return nil, err
	}
	p.event("handshake complete as %s", tc.LocalID())
	return p.adopt(tc), nil
}

// Fail records a failure of requirement id that no other method finds.
func (p *Play) Fail(id rule.ID, message, expected, received string) {
	p.fail(id, mismatch{message: message, planted: -1, expected: []string{expected}, received: received, frame: lastFrame(p.frames)})
}

func (p *Play) adopt(tc *transport.Conn) *Peer {
	c := &Peer{play: p, tc: tc}
	context.AfterFunc(p.ctx, func() { _ = tc.Close() }) // an interrupted run waits for nothing
	p.peers = append(p.peers, c)
	return c
}

// Connect opens a connection, exchanges init and factory protocols, makes
// sure that the target answers a ping, and that it offers what the case
// needs. It is the positive control every case begins with.
func (p *Play) Connect() *Peer {
	c := p.Dial()
	c.Exchange()
	return c
}

// Features are what the suite's peer offers: everything a factory needs, all
// optional.
func Features() wire.Features {
	return wire.NewFeatures(
		wire.FeatureDataLossProtect+1, wire.FeatureVarOnion+1, wire.FeatureStaticRemoteKey+1,
		wire.FeaturePaymentSecret+1, wire.FeatureAnchors+1, wire.FeatureQuiesce+1, wire.FeatureZeroFee+1,
		wire.FeatureChannelType+1, wire.FeatureScidAlias+1, wire.FeatureZeroConf+1,
		wire.FeatureFactories+1)
}

// Protocols are the ids the suite's peer lists.
func (p *Play) Protocols() []wire.ProtocolID {
	ids := []wire.ProtocolID{p.Codec.SuperScalarID(), p.Codec.LoopbackID()}
	slices.SortFunc(ids, func(a, b wire.ProtocolID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

func oneLine(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r == '\n' || r == '\t' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

// close ends every connection of the case.
func (p *Play) close() {
	for _, c := range p.peers {
		_ = c.tc.Close()
	}
}

// Pass lets time pass for the target: on its clock where the suite can set it,
// else by waiting, which only slow cases do.
func (p *Play) Pass(d time.Duration) {
	if c, ok := p.Node.(Clocked); ok {
		c.Advance(d)
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}
