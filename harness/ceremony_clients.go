package harness

import (
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// ClientsScript plays the clients of a factory against an LSP under test, each
// on a connection of its own. They are right everywhere except where Bend says
// otherwise.
type ClientsScript struct {
	// Bend changes what client i sends: it returns the messages to send in
	// place of m, none for silence. Nil changes nothing.
	Bend func(i int, m wire.Ceremony) []wire.Ceremony

	Peers []*Peer
	Got   [][]wire.Ceremony // from the target, by client
	// Leaf are the channels of each client with the target; nil in a case without
	// them.
	Leaf []*LeafChannels

	play     *Play
	machines []*ceremony.Client
	out      []bool // dropped, or not heard any more
	silent   bool   // something was withheld
	plan     FactoryPlan
	joins    map[int]*wire.Join
	early    map[int][]wire.Ceremony // came before a fence, not handled yet
}

// ClientsScript connects the clients of a plan to the LSP under test.
func (p *Play) ClientsScript(plan FactoryPlan) *ClientsScript {
	filled, _, _ := plan.filled()
	s := &ClientsScript{play: p, plan: plan, joins: map[int]*wire.Join{}, early: map[int][]wire.Ceremony{}}
	now := p.Tip()
	tip := func() (factory.Height, error) { return now, nil }
	for i := range filled.Clients {
		s.Peers = append(s.Peers, p.Connect())
		config := p.party(fmt.Sprintf("client %d", i), plan.Rules, tip)
		if !p.Case.Bare {
			leaf := s.Peers[i].leafChannels(false, plan.Rules)
			s.Leaf = append(s.Leaf, leaf)
			config.Channels = leaf
		}
		s.machines = append(s.machines, ceremony.NewClient(ceremony.ClientConfig{Config: config}, ceremony.Peer{}, nil))
		s.Got = append(s.Got, nil)
		s.out = append(s.out, false)
	}
	return s
}

// Order tells the target to create the factory.
func (s *ClientsScript) Order() {
	plan, shape, params := s.plan.filled()
	order := FactoryOrder{CapacitySat: plan.Capacity, StockSat: plan.Stock, Shape: shape, Params: params}
	for _, c := range s.Peers {
		order.Clients = append(order.Clients, transport.NodeID(c.ID()))
	}
	s.play.found(order)
}

// Create orders a factory and plays until every client that is not dropped has
// heard that it is funded, or until the target falls silent.
func (s *ClientsScript) Create() {
	s.Order()
	for !s.over() {
		s.Round()
	}
}

// over reports whether nobody waits for a message any more.
func (s *ClientsScript) over() bool {
	for i := range s.Peers {
		if !s.out[i] && !s.Funded(i) {
			return false
		}
	}
	return true
}

// Funded reports whether client i heard that its factory is funded.
func (s *ClientsScript) Funded(i int) bool {
	return slices.ContainsFunc(s.Got[i], func(m wire.Ceremony) bool { return m.Type() == wire.TypeFunded })
}

// Round lets each client take its next message and answer it. When one of
// them kept silent, the deadline passes afterwards.
func (s *ClientsScript) Round() {
	for i := range s.Peers {
		if !s.out[i] && !s.Funded(i) {
			s.exchange(i)
		}
	}
	if s.silent {
		s.silent = false
		s.play.Step("after the deadline")
		s.play.Pass(ceremony.DefaultDeadline)
	}
}

// exchange reads client i's messages until one has an answer.
func (s *ClientsScript) exchange(i int) {
	for {
		m := s.next(i)
		if news, said := s.channelOpened(i); news && m == nil || said {
			if m != nil {
				s.early[i] = append([]wire.Ceremony{m}, s.early[i]...)
			}
			if said {
				return
			}
			continue
		}
		if m == nil {
			s.out[i] = true
			return
		}
		s.Got[i] = append(s.Got[i], m)
		if a, ok := m.(*wire.Abort); ok && a.Reason != wire.ReasonRestart && a.Ceremony == s.attempt(i) {
			s.out[i] = true
		}
		if s.answer(i, s.machines[i].Receive(scriptNow, m)) || s.out[i] || s.Funded(i) {
			return
		}
	}
}

// settle makes sure that the target has handled what client i sent, before
// another client sends anything or time passes.
func (s *ClientsScript) settle(i int) {
	if c := s.Peers[i]; c.Open() {
		s.early[i] = append(s.early[i], c.ceremonies(c.fenceAll())...)
	}
}

// channelOpened reports whether a channel of client i was opened, and lets it say
// what waits for that.
func (s *ClientsScript) channelOpened(i int) (news, said bool) {
	if s.Leaf == nil || !s.Leaf[i].takeNews() {
		return false, false
	}
	return true, s.answer(i, s.machines[i].ChannelOpened(scriptNow))
}

// next is the next message for client i.
func (s *ClientsScript) next(i int) wire.Ceremony {
	if list := s.early[i]; len(list) > 0 {
		s.early[i] = list[1:]
		return list[0]
	}
	return s.Peers[i].awaitCeremony()
}

// attempt is the one client i was invited to last. What the target says of
// older ones, crossing with what the client sent, means nothing any more.
func (s *ClientsScript) attempt(i int) (id wire.CeremonyID) {
	for _, m := range s.Got[i] {
		if m.Type() == wire.TypeInvite {
			id = m.ID()
		}
	}
	return id
}

// answer sends what client i has to say and reports whether it said, or
// withheld, anything.
func (s *ClientsScript) answer(i int, replies []wire.Ceremony) bool {
	for _, m := range replies {
		list := []wire.Ceremony{m}
		if s.Bend != nil {
			list = s.Bend(i, m)
		}
		s.silent = s.silent || len(list) == 0
		for _, m := range list {
			s.play.Step("after %s of client %d", m.Name(), i)
			if join, ok := m.(*wire.Join); ok {
				s.joins[i] = join
			}
			s.Peers[i].SendCeremony(m)
			s.settle(i)
		}
	}
	return len(replies) > 0
}

// Complete requires that all clients but those named have a funded factory.
func (s *ClientsScript) Complete(id rule.ID, without ...int) bool {
	ok := true
	for i := range s.Peers {
		if slices.Contains(without, i) == s.Funded(i) {
			ok = false
			s.play.fail(id, mismatch{
				message: fmt.Sprintf("client %d: a factory was expected: %t", i, !s.Funded(i)), planted: -1,
				expected: []string{"ceremony_funded for every client that did its part, and for no other"}, received: s.received(i),
			})
		}
	}
	return ok
}

// MustComplete ends the case when the factory was not created.
func (s *ClientsScript) MustComplete() {
	for i := range s.Peers {
		if !s.Funded(i) {
			s.play.controlFailed("a factory is created", s.received(i))
		}
	}
}

// Dropped requires that client i was told why it was dropped.
func (s *ClientsScript) Dropped(id rule.ID, i int, reasons ...wire.Reason) {
	for _, m := range s.Got[i] {
		if a, ok := m.(*wire.Abort); ok && slices.Contains(reasons, a.Reason) {
			return
		}
	}
	s.play.fail(id, mismatch{
		message: fmt.Sprintf("client %d was not dropped", i), planted: -1, expected: reasonNames(reasons), received: s.received(i),
	})
}

func (s *ClientsScript) received(i int) string {
	if len(s.Got[i]) == 0 {
		return "nothing" + s.Peers[i].how()
	}
	return strings.Join(names(s.Got[i]), ", ") + s.Peers[i].how()
}

// Joined is the last ceremony_join of client i, as it was sent.
func (s *ClientsScript) Joined(i int) *wire.Join { return s.joins[i] }

// Leave closes the connection of client i.
func (s *ClientsScript) Leave(i int) {
	s.Peers[i].Close()
	s.out[i] = true
}

// CreateWithout plays a creation that client i leaves by closing its
// connection: no deadline has to pass.
func (s *ClientsScript) CreateWithout(id rule.ID, i int) {
	s.Order()
	for !s.over() {
		for k := range s.Peers {
			if !s.out[k] && !s.Funded(k) {
				s.exchange(k)
			}
		}
	}
	s.Complete(id, i)
}

// FundedYet reports whether client i was sent ceremony_funded, read or not.
func (s *ClientsScript) FundedYet(i int) bool {
	s.settle(i)
	return s.Funded(i) || slices.ContainsFunc(s.early[i], func(m wire.Ceremony) bool { return m.Type() == wire.TypeFunded })
}
