package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// FactoryPlan is the factory that the suite proposes, or has the target
// propose. The zero value is a ps leaf of two clients.
type FactoryPlan struct {
	Clients int    // 2 when 0
	Shape   string // "kickoff 1 / ps 2" when empty
	// Capacity of each channel and Stock for each client of a group, in sat;
	// 100,000 and 50,000 when 0.
	Capacity, Stock uint64
	// Params changes the parameters, which are the defaults; nil leaves them.
	Params func(*factory.Params)
	// Unfunded leaves the funding transaction out of every block, until the case
	// mines it.
	Unfunded bool
	// Rules are those that the suite's own side keeps: to propose what a rule
	// forbids it has to be off.
	Rules rule.Set
}

func (f FactoryPlan) filled() (FactoryPlan, factory.Shape, factory.Params) {
	if f.Clients == 0 {
		f.Clients = 2
	}
	if f.Shape == "" {
		f.Shape = "kickoff 1 / ps 2"
	}
	if f.Capacity == 0 {
		f.Capacity = 100_000
	}
	if f.Stock == 0 {
		f.Stock = 50_000
	}
	shape, err := factory.ParseShape(f.Shape)
	if err != nil {
		panic(fmt.Sprintf("the suite's shape %q: %v", f.Shape, err))
	}
	params := factory.DefaultParams(shape.Leaf)
	if f.Params != nil {
		f.Params(&params)
	}
	return f, shape, params
}

// LSPScript plays an LSP, and the other clients of its factory, against a
// client under test, which is client 0. It is right everywhere except where
// Bend says otherwise.
type LSPScript struct {
	// Bend changes what the target is sent: it returns the messages to send in
	// place of m. Nil changes nothing.
	Bend func(m wire.Ceremony) []wire.Ceremony
	// Deaf says which answers of the target the suite's LSP does not hear. Nil
	// lets it hear all.
	Deaf func(m wire.Ceremony) bool

	Got    []wire.Ceremony // from the target, in order
	Sent   []wire.Ceremony // to the target
	Funded wire.CeremonyID // the target's factory, once it is paid for

	// Leaf are the channels with the target; nil in a case without them.
	Leaf *LeafChannels

	play   *Play
	peer   *Peer
	lsp    *ceremony.LSP
	others []*ceremony.Client
	order  ceremony.Order
	inbox  []inMemory
	unsent []wire.Ceremony // to the target
	ended  Outcome
	done   int // changes that everybody has stored
}

// inMemory is a message between participants that the suite plays.
type inMemory struct {
	client int
	m      wire.Ceremony
}

// scriptNow is the time in the suite's machines. It stands still: the suite
// waits with its own deadline.
var scriptNow = time.Unix(1_800_000_000, 0)

// scriptPeer is the id of client i in the suite's machines.
func scriptPeer(i int) ceremony.Peer { return ceremony.Peer{2, 0xc1, byte(i)} }

// LSPScript returns the script for a connection to a client under test.
func (c *Peer) LSPScript(plan FactoryPlan) *LSPScript {
	p := c.play
	now := p.Tip()
	tip := func() (factory.Height, error) { return now, nil } // where the suite stands when it begins
	s := &LSPScript{play: p, peer: c}
	config := p.party(fmt.Sprintf("lsp %d", len(p.frames)), plan.Rules, tip)
	if !p.Case.Bare {
		s.Leaf = c.leafChannels(true, plan.Rules)
		config.Channels = s.Leaf
	}
	s.lsp = ceremony.NewLSP(ceremony.LSPConfig{
		Config: config, Funder: &scriptPurse{play: p, unfunded: plan.Unfunded},
		Report: func(e ceremony.Event) {
			if e.Kind == ceremony.EventChanged {
				s.done++
			}
		},
	}, nil)
	plan, shape, params := plan.filled()
	s.order = ceremony.Order{Shape: func(int) factory.Shape { return shape }, Params: params, Stock: factory.Sat(plan.Stock)}
	for i := range plan.Clients {
		s.order.Clients = append(s.order.Clients, ceremony.OrderClient{Peer: scriptPeer(i), Capacity: factory.Sat(plan.Capacity)})
		s.others = append(s.others, ceremony.NewClient(ceremony.ClientConfig{Config: p.party(fmt.Sprintf("client %d", i), plan.Rules, tip)}, ceremony.Peer{}, nil))
	}
	return s
}

// Create runs a creation until nobody has anything to say.
func (s *LSPScript) Create() {
	_, out, err := s.lsp.Create(scriptNow, s.order)
	if err != nil {
		panic(fmt.Sprintf("the suite cannot create its factory: %v", err))
	}
	s.run(out)
}

// Continue goes on when the suite's LSP has been held up.
func (s *LSPScript) Continue() {
	if s.Leaf != nil {
		s.Leaf.moved = true
	}
	s.run(nil)
}

// run delivers messages until there are none.
func (s *LSPScript) run(out []ceremony.Out) {
	s.post(out)
	for s.ended == "" && (len(s.inbox) > 0 || len(s.unsent) > 0 || s.channelsMoved()) {
		s.deliverInMemory()
		s.talk()
	}
}

// channelsMoved reports whether there may be more to hear about channels, and
// tells the ceremony of those that are opened.
func (s *LSPScript) channelsMoved() bool {
	if s.Leaf == nil {
		return false
	}
	if s.Leaf.takeNews() {
		s.post(s.lsp.ChannelOpened(scriptNow))
	}
	return s.Leaf.takeMoved()
}

// post sorts the LSP's messages.
func (s *LSPScript) post(out []ceremony.Out) {
	for _, o := range out {
		if i := int(o.To[2]); i != 0 {
			s.inbox = append(s.inbox, inMemory{i, o.Message})
			continue
		}
		s.unsent = append(s.unsent, o.Message)
	}
}

func (s *LSPScript) deliverInMemory() {
	for len(s.inbox) > 0 {
		x := s.inbox[0]
		s.inbox = s.inbox[1:]
		for _, reply := range s.others[x.client].Receive(scriptNow, x.m) {
			s.post(s.lsp.Receive(scriptNow, scriptPeer(x.client), reply))
		}
	}
}

// talk sends what waits for the target and takes its answers.
func (s *LSPScript) talk() {
	for _, m := range s.unsent {
		list := []wire.Ceremony{m}
		if s.Bend != nil {
			list = s.Bend(m)
		}
		for _, m := range list {
			s.Sent = append(s.Sent, m)
			if m.Type() == wire.TypeFunded {
				s.Funded = m.ID()
			}
			s.play.Step("after %s", m.Name())
			s.peer.SendCeremony(m)
		}
	}
	s.unsent = nil
	answers, outcome := s.listen()
	for _, m := range answers {
		s.Got = append(s.Got, m)
		if s.Deaf != nil && s.Deaf(m) {
			continue
		}
		s.post(s.lsp.Receive(scriptNow, scriptPeer(0), m))
		if m.Type() == wire.TypeNonces && s.Leaf != nil {
			s.Leaf.propose(m.ID())
			s.Leaf.moved = true
		}
	}
	if outcome != Ignored {
		s.ended = outcome
	}
}

// listen takes the target's answers until a fence, and from a target that may
// answer in another thread until the first answer.
func (s *LSPScript) listen() ([]wire.Ceremony, Outcome) {
	r := s.peer.fenceAll()
	if s.Leaf != nil && r.Outcome == Errored && s.Leaf.onlyErrors(r) {
		r.Outcome = Ignored
	}
	answers := s.peer.ceremonies(r)
	if len(answers) > 0 || s.Leaf != nil && s.Leaf.moved || r.Outcome != Ignored || s.play.settle == 0 {
		return answers, r.Outcome
	}
	until := time.Now().Add(s.play.settle)
	for {
		raw, ok := s.peer.next(until)
		if !ok {
			return nil, outcomeOf(false, false, s.peer.ended != "", true)
		}
		if m := CeremonyOf(s.play.Codec, s.peer.handle(raw)); m != nil {
			return []wire.Ceremony{m}, Ignored
		}
	}
}

// Last returns the last message of type M from the target.
func Last[M wire.Ceremony](s *LSPScript) (m M, ok bool) {
	for _, x := range slices.Backward(s.Got) {
		if m, ok = x.(M); ok {
			return m, true
		}
	}
	return m, false
}

// Complete requires that the factory was created: the positive control of
// every case about creation.
func (s *LSPScript) Complete(id rule.ID) bool {
	if s.Funded == (wire.CeremonyID{}) {
		s.play.fail(id, mismatch{
			message: "the factory was not created", planted: -1, expected: []string{"ceremony_stored, after which the LSP funds the factory"},
			received: s.received(), frame: lastFrame(s.play.frames),
		})
		return false
	}
	return true
}

// MustComplete ends the case when the factory was not created.
func (s *LSPScript) MustComplete() {
	if s.Funded == (wire.CeremonyID{}) {
		s.play.controlFailed("a factory is created", s.received())
	}
}

// Refused requires that the target ended the attempt for one of the reasons.
func (s *LSPScript) Refused(id rule.ID, what string, reasons ...wire.Reason) bool {
	for _, m := range s.Got {
		if a, ok := m.(*wire.Abort); ok && slices.Contains(reasons, a.Reason) {
			return true
		}
	}
	s.play.fail(id, mismatch{
		message: what + ": the target did not refuse it", planted: -1, expected: reasonNames(reasons),
		received: s.received(), frame: lastFrame(s.play.frames),
	})
	return false
}

func (s *LSPScript) received() string {
	list := strings.Join(names(s.Got), ", ")
	if list == "" {
		list = "nothing"
	}
	if s.ended != "" {
		list += "; " + string(s.ended) + s.peer.how()
	}
	return list
}
