package gen

import (
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/refnode/role"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// talkStation is one side of a channel: the machine, and the registry of the
// role that moves it, as a hub drives them.
type talkStation struct {
	rules  rule.Set
	facts  *talkFacts
	side   commitment.Side
	m      *channel.Machine
	reg    *role.Channels
	record record
	disk   []byte // what is stored of the machine
	timer  channel.TimerID
	before vectors.ChannelHolds
}

// record is what the record of the ceremonies says of the channel's outputs.
type record struct {
	at    vectors.FactoryOutput
	alone bool // what it replaced is poisoned
	next  *vectors.FactoryOutput
	begun bool // phase 1 of the update to next has
}

// talkReaction is what a side does about an event.
type talkReaction struct {
	sends           []wire.Message
	refused, closes bool
}

// newTalkStation returns a side that has just exchanged open_channel and
// accept_channel.
func newTalkStation(f *talkFacts, side commitment.Side, rules rule.Set) (*talkStation, error) {
	s := &talkStation{rules: rules, facts: f, side: side, record: record{at: f.output, alone: true}}
	create := channel.NewOpener
	if side == commitment.Accepter {
		create = channel.NewAccepter
	}
	var err error
	if s.m, err = create(s.config(), f.open, f.accept); err != nil {
		return nil, err
	}
	s.registry()
	s.reg.Expect(f.place(side, f.output, true)) // the attempt that makes the output goes on
	s.m.Block(f.height)
	return s, nil
}

func (s *talkStation) config() channel.Config {
	return channel.Config{
		Keys: s.facts.keys[s.side], Rules: s.rules, Alias: uint64(100 + s.side),
		Features: wire.NewFeatures(wire.FeatureQuiesce, wire.FeatureUpfrontShutdown, wire.FeatureAnySegwit),
	}
}

// registry makes the registry of the role from the record.
func (s *talkStation) registry() {
	s.reg = role.NewChannels(s.facts.open.ChannelInFactory.ProtocolID, s.rules)
	o := s.facts.place(s.side, s.record.at, s.record.alone)
	s.reg.Restore(o)
	s.reg.RestoreOpened(o.Peer, o.LSPKey, s.m.ChannelID(), true)
	s.reg.AttachHub(func(_ wire.ChannelID, command func(*channel.Machine) error) error { return command(s.m) })
	if s.record.next != nil && s.record.begun {
		s.reg.RestoreMove(s.facts.place(s.side, *s.record.next, false))
	}
}

// frozen is a side as it can be started again, as often as anybody likes.
type frozen struct {
	facts  *talkFacts
	side   commitment.Side
	record record
	disk   []byte
	before vectors.ChannelHolds
}

func (s *talkStation) freeze() frozen {
	r := s.record
	if !r.begun {
		r.next = nil // the attempt ends with the connection
	}
	return frozen{s.facts, s.side, r, s.disk, s.before}
}

// thaw starts a side again from its disk.
func (f frozen) thaw(rules rule.Set) (*talkStation, error) {
	s := &talkStation{rules: rules, facts: f.facts, side: f.side, record: f.record, disk: f.disk, before: f.before}
	var err error
	if s.m, err = channel.Restore(s.config(), f.disk); err != nil {
		return nil, err
	}
	s.registry()
	s.settle(func() {
		s.m.Restart()
		s.m.Block(f.facts.height)
		s.follow()
	})
	return s, nil
}

// cut ends the connection while the process goes on: the attempt ends with it.
func (s *talkStation) cut() {
	s.settle(func() {
		s.m.Disconnected()
		s.ends()
	})
}

// ends is the end of the attempt.
func (s *talkStation) ends() {
	if s.record.next == nil {
		return
	}
	o := s.facts.place(s.side, *s.record.next, false)
	if s.record.begun {
		s.reg.Keep(o.Peer, o.Attempt)
	} else {
		s.reg.CallOff(o.Peer, o.Attempt)
		s.record.next = nil
	}
	s.follow()
}

func (s *talkStation) follow() { s.reg.Follow(s.peer(), s.m) }

func (s *talkStation) peer() wire.Point {
	return [2]wire.Point{s.facts.accept.Keys.Funding, s.facts.open.Keys.Funding}[s.side]
}

// settle lets an input happen and machine and role answer one another until
// both are silent, and stores.
func (s *talkStation) settle(input func()) talkReaction {
	input()
	var r talkReaction
	store := false
	for again := true; again; {
		again = false
		for _, a := range s.m.Take() {
			again = true
			store = s.act(a, &r) || store
		}
		if again {
			continue
		}
		s.m.Commit()
		for _, a := range s.m.Take() {
			again = true
			store = s.act(a, &r) || store
		}
	}
	if store {
		s.disk = s.m.Encode()
	}
	return r
}

// act carries out an action and reports whether the machine is to be stored.
func (s *talkStation) act(a channel.Action, r *talkReaction) (store bool) {
	switch a := a.(type) {
	case channel.Persist:
		return true
	case channel.Send:
		r.sends = append(r.sends, a.Message)
	case channel.Disconnect:
		r.closes = true
	case channel.SetTimer:
		s.timer = a.ID
	case channel.AskOutpoint:
		reason := ""
		if err := s.reg.CheckOutpoint(s.peer(), s.m.Open, a.Txid, a.Index); err != nil {
			reason = err.Error()
		}
		_ = s.m.OutpointIs(reason)
	default:
		s.reg.Change(hub.Channel{Peer: s.peer(), ID: s.m.ChannelID(), Open: s.m.Open}, s.m, a)
	}
	return false
}

// receive hands the side a message as it arrives.
func (s *talkStation) receive(raw []byte) (talkReaction, error) {
	m, err := (wire.Codec{Rules: s.rules}).Decode(raw)
	if err != nil {
		return talkReaction{}, fmt.Errorf("the message does not decode: %w", err)
	}
	return s.settle(func() { s.m.Receive(m) }), nil
}

// state names where the channel is, after the table of section 3.8.
func (s *talkStation) state() string {
	m := s.m
	txid, changing := m.Changing()
	switch {
	case m.Failure != "":
		return "failed"
	case m.Forgotten:
		return "forgotten"
	case !m.SentReady || !m.GotReady:
		return "opening"
	case m.Negotiating():
		return "negotiating"
	case changing && !m.Committed(txid):
		return "funded"
	case changing:
		return "committed"
	case len(m.Fundings) > 1:
		return "continued"
	}
	return "normal"
}

// holds is what the machine knows; nil where that is what it knew before.
func (s *talkStation) holds() *vectors.ChannelHolds {
	m := s.m
	h := vectors.ChannelHolds{
		Own: vectors.Uint(m.LocalNumber), Peer: vectors.Uint(m.Revoked.Next()), HTLCs: vectors.Uint(len(m.HTLCs)),
		Opener: vectors.Uint(m.Balance[commitment.Opener]), Accepter: vectors.Uint(m.Balance[commitment.Accepter]), Outputs: []vectors.Hex{},
	}
	next, changing := m.Changing()
	for _, f := range m.Fundings {
		if changing && f.Txid == next {
			h.Next = slices.Clone(f.Txid[:])
		} else {
			h.Outputs = append(h.Outputs, slices.Clone(f.Txid[:]))
		}
	}
	for _, r := range m.Replaced {
		h.Replaced = append(h.Replaced, slices.Clone(r.Funding.Txid[:]))
	}
	if sameHolds(h, s.before) {
		return nil
	}
	s.before = h
	return &h
}

func sameHolds(a, b vectors.ChannelHolds) bool {
	same := func(x, y []vectors.Hex) bool {
		return slices.EqualFunc(x, y, func(p, q vectors.Hex) bool { return string(p) == string(q) })
	}
	return a.Own == b.Own && a.Peer == b.Peer && a.HTLCs == b.HTLCs && a.Opener == b.Opener && a.Accepter == b.Accepter &&
		string(a.Next) == string(b.Next) && same(a.Outputs, b.Outputs) && same(a.Replaced, b.Replaced)
}
