package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/refnode/role"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// talkStation is one side of a peer's channels: the machines, and the registry of
// the role that moves them, as a hub drives them. The first channel stands in the
// station itself.
type talkStation struct {
	*talkLine
	lines  []*talkLine
	rules  rule.Set
	side   commitment.Side
	reg    *role.Channels
	record record
	height channel.Height
	firsts map[string]wire.Txid // first commitments of the LSP that were signed, by output (CHAN-035)
}

// talkLine is one channel.
type talkLine struct {
	facts   *talkFacts
	m       *channel.Machine
	disk    []byte            // what is stored of the machine
	revoked []channel.Revoked // records beside it
	timers  []talkTimer
	before  vectors.ChannelHolds
	seen    string // the state of another channel than number 0
	plain   bool   // a change without an update goes on: the ceremonies have no part in it
}

// record is what the record of the ceremonies says of the channels' outputs.
type record struct {
	at    vectors.FactoryOutput // of number 0
	alone bool                  // what it replaced is poisoned
	next  *vectors.FactoryOutput
	begun bool // phase 1 of the update to next has
	// into are the channels that the update takes into number 0, gone those that
	// it has.
	into, gone []vectors.Uint
	forgotten  bool // the attempt that makes the outputs is over
}

// talkReaction is what a side does about an event.
type talkReaction struct {
	sends                   []wire.Message
	refused, closes, leaves bool
	fails                   bool // an HTLC that the party does not take
	publishes               []vectors.Hex
	punishes                *vectors.Punished
}

// newTalkStation returns a side that has just exchanged open_channel and
// accept_channel.
func newTalkStation(f *talkFacts, side commitment.Side, rules rule.Set) (*talkStation, error) {
	s := &talkStation{rules: rules, side: side, record: record{at: f.output, alone: true}, height: f.height, firsts: map[string]wire.Txid{}}
	for n, of := range f.all() {
		if n > 0 && string(of.output.Txid) == string(f.output.Txid) {
			break // it is to be opened later
		}
		l, err := s.fresh(of)
		if err != nil {
			return nil, err
		}
		s.lines = append(s.lines, l)
	}
	s.talkLine = s.lines[0]
	s.registry()
	for _, l := range s.lines {
		s.reg.Expect(l.facts.place(side, l.facts.output, true)) // the attempt that makes the output goes on
		l.m.SetUse(l.facts.use(side))
		l.m.Block(s.height)
	}
	return s, nil
}

// fresh is a channel of which open_channel and accept_channel have been exchanged.
func (s *talkStation) fresh(of *talkFacts) (*talkLine, error) {
	create := channel.NewOpener
	if s.side == commitment.Accepter {
		create = channel.NewAccepter
	}
	m, err := create(s.config(of), of.open, of.accept)
	if err != nil {
		return nil, err
	}
	return &talkLine{facts: of, m: m, seen: "opening"}, nil
}

// reopen is a channel in the place of the last one, on the same output.
func (s *talkStation) reopen() error {
	all := s.facts.all()
	if len(s.lines) >= len(all) {
		return errors.New("there is no other channel")
	}
	l, err := s.fresh(all[len(s.lines)])
	if err != nil {
		return err
	}
	s.lines = append(s.lines, l)
	l.m.Block(s.height)
	return nil
}

func (s *talkStation) config(f *talkFacts) channel.Config {
	return channel.Config{
		Keys: f.keys[s.side], Rules: s.rules, Alias: uint64(100 + s.side),
		Features: wire.NewFeatures(wire.FeatureQuiesce, wire.FeatureUpfrontShutdown, wire.FeatureAnySegwit),
	}
}

// places are the outputs that an update takes its channels to; number 0 comes first.
func (s *talkStation) places(to vectors.FactoryOutput, into []vectors.Uint, alone bool) []ceremony.ChannelOutput {
	out := []ceremony.ChannelOutput{s.facts.place(s.side, to, alone)}
	for _, n := range into {
		o := s.lines[n].facts.place(s.side, to, alone)
		o.Into = s.facts.open.Keys.Funding
		out = append(out, o)
	}
	return out
}

// now are the outputs that stand.
func (s *talkStation) now() []ceremony.ChannelOutput {
	out := s.places(s.record.at, s.record.gone, s.record.alone)
	for n, l := range s.lines[1:] {
		if !slices.Contains(s.record.gone, vectors.Uint(n+1)) {
			out = append(out, l.facts.place(s.side, l.facts.output, true))
		}
	}
	return out
}

// next are those that the update brings.
func (s *talkStation) next() []ceremony.ChannelOutput {
	return s.places(*s.record.next, s.record.into, false)
}

// registry makes the registry of the role from the record.
func (s *talkStation) registry() {
	s.reg = role.NewChannels(s.facts.open.ChannelInFactory.ProtocolID, s.rules)
	if s.record.forgotten {
		return
	}
	for _, o := range s.now() {
		s.reg.Restore(o)
		if l := s.lineOf(o.LSPKey); l.opened() {
			s.reg.RestoreOpened(o.Peer, o.LSPKey, l.m.ChannelID(), l.m.SentReady && l.m.GotReady)
		}
	}
	s.reg.AttachHub(func(id wire.ChannelID, command func(*channel.Machine) error) error {
		for _, l := range s.lines {
			if l.m.ChannelID() == id {
				return command(l.m)
			}
		}
		return hub.ErrNoChannel
	})
	if s.record.next != nil && s.record.begun {
		for _, o := range s.next() {
			s.reg.RestoreMove(o)
		}
	}
}

// opened reports whether both first commitments are signed.
func (l *talkLine) opened() bool {
	return len(l.m.Fundings) > 0 && (l.m.Side == commitment.Accepter || l.m.GotSigned)
}

// lineOf is the channel with a funding key of the LSP, the last one that has it.
func (s *talkStation) lineOf(lsp wire.Point) *talkLine {
	for _, l := range slices.Backward(s.lines) {
		if l.facts.open.Keys.Funding == lsp {
			return l
		}
	}
	return nil
}

// ends is the end of the attempt.
func (s *talkStation) ends() {
	if s.record.next == nil {
		return
	}
	o := s.next()[0]
	if s.record.begun {
		s.reg.Keep(o.Peer, o.Attempt)
	} else {
		s.reg.CallOff(o.Peer, o.Attempt)
		s.record.next, s.record.into = nil, nil
	}
	s.follow()
}

func (s *talkStation) follow() {
	for _, l := range s.lines {
		if !l.plain {
			s.reg.Follow(s.peer(), l.m)
		}
	}
}

// peer names the other side: by its key in the first channel.
func (s *talkStation) peer() wire.Point { return s.facts.peers[s.side.Other()] }

// settle lets an input happen and machines and role answer one another until all
// are silent, and stores.
func (s *talkStation) settle(input func()) talkReaction {
	input()
	var r talkReaction
	store := map[*talkLine]bool{}
	take := func(l *talkLine) (some bool) {
		for _, a := range l.m.Take() {
			some = true
			store[l] = s.act(l, a, &r) || store[l]
		}
		return some
	}
	for again := true; again; {
		again = false
		for _, l := range s.lines {
			again = take(l) || again
		}
		if again {
			continue
		}
		for _, l := range s.lines {
			l.m.Commit()
			again = take(l) || again
		}
		for s.reg.Obey(func(o role.Order) { again = s.obey(o, &r) || again }) {
		}
	}
	for l, changed := range store {
		if changed {
			l.disk = l.m.Encode()
		}
	}
	return r
}

// obey carries out an order of the registry and reports whether something may
// follow from it.
func (s *talkStation) obey(o role.Order, r *talkReaction) bool {
	l := s.lineOf(o.Output.LSPKey)
	switch o.Kind {
	case role.OrderLeave:
		r.leaves = r.leaves || l.m.Usable // else there is nothing to leave yet
	case role.OrderMove:
		if !l.plain {
			s.reg.Follow(s.peer(), l.m)
		}
		return true
	case role.OrderForget:
		l.m.Forget()
		return true
	}
	return false
}

// act carries out an action and reports whether the machine is to be stored.
func (s *talkStation) act(l *talkLine, a channel.Action, r *talkReaction) (store bool) {
	about := hub.Channel{Peer: s.peer(), ID: l.m.ChannelID(), Open: l.m.Open}
	switch a := a.(type) {
	case channel.Persist:
		return true
	case channel.Append:
		l.revoked = append(l.revoked, a.Revoked)
	case channel.Send:
		r.sends = append(r.sends, a.Message)
	case channel.Broadcast:
		r.publishes = append(r.publishes, transaction(a.Tx))
	case channel.Disconnect:
		r.closes = true
		for _, other := range s.lines {
			if other != l {
				other.m.Disconnected()
			}
		}
	case channel.SetTimer:
		l.timers = append(l.timers, talkTimer{a.ID, a.After})
	case channel.HTLCReceived:
		if a.Refuse != 0 {
			_ = l.m.Fail(a.ID, make([]byte, 32)) // as a router must
			r.fails = true
		}
	case channel.AskOutpoint:
		_ = l.m.OutpointIs(s.judgeOutpoint(l, a))
	default:
		if l.plain {
			if _, locked := a.(channel.ChangeLocked); locked {
				l.m.Round()
			}
			return false
		}
		s.reg.Hear(about, a)
		s.reg.Change(about, l.m, a)
	}
	return false
}

// judgeOutpoint says what is wrong with an outpoint, as a hub does: it is not that
// of the factory, or another first commitment was signed on it (CHAN-035).
func (s *talkStation) judgeOutpoint(l *talkLine, a channel.AskOutpoint) string {
	if err := s.reg.CheckOutpoint(s.peer(), l.m.Open, a.Txid, a.Index); err != nil {
		return err.Error()
	}
	txid, err := l.m.TheirFirst(a.Txid, a.Index)
	if err != nil {
		return err.Error()
	}
	name := fmt.Sprintf("%x/%d", a.Txid[:], a.Index)
	if kept, found := s.firsts[name]; found && hub.OtherFirst(kept[:], txid) && s.rules.On(rule.CHAN035) {
		return "another first commitment was signed on this output"
	}
	s.firsts[name] = txid
	return ""
}

func transaction(tx *btcwire.MsgTx) vectors.Hex {
	var b bytes.Buffer
	if err := tx.Serialize(&b); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// receive hands the side a message as it arrives.
func (s *talkStation) receive(raw []byte) (talkReaction, error) {
	m, err := (wire.Codec{Rules: s.rules}).Decode(raw)
	if err != nil {
		return talkReaction{}, fmt.Errorf("the message does not decode: %w", err)
	}
	lines, id := s.lines, channelIn(m, raw)
	if _, failed := m.(*wire.ErrorMessage); !failed || id != (wire.ChannelID{}) || !s.rules.On(rule.CHAN022) {
		if lines = s.named(id); len(lines) == 0 {
			return s.unknown(m, id), nil
		}
	}
	return s.settle(func() {
		for _, l := range lines {
			l.m.Receive(m)
		}
	}), nil
}

// named are the channels that a message is for; before funding_created a temporary
// id names them.
func (s *talkStation) named(id wire.ChannelID) []*talkLine {
	for _, l := range s.lines {
		if l.m.Batching() {
			return []*talkLine{l} // whatever comes next
		}
	}
	for _, l := range slices.Backward(s.lines) { // the last one where one has taken the place of another
		if (l.m.ChannelID() == id || l.m.TemporaryID() == id) && !l.m.Forgotten {
			return []*talkLine{l}
		}
	}
	return nil
}

// unknown answers a message for no channel of the party, as a base node does
// (PCF-106, TRN-072).
func (s *talkStation) unknown(m wire.Message, id wire.ChannelID) talkReaction {
	_, changes := m.(wire.FactoryMessage)
	_, failure := m.(*wire.ErrorMessage)
	if !failure && (!changes || s.rules.On(rule.PCF106)) {
		return talkReaction{sends: []wire.Message{&wire.ErrorMessage{ChannelID: id, Data: []byte("there is no such channel")}}}
	}
	return talkReaction{}
}

// channelIn is the channel id of a message: behind the type, and in the envelope
// behind the submessage and the header of its record.
func channelIn(m wire.Message, raw []byte) wire.ChannelID {
	if f, ok := m.(wire.FactoryMessage); ok {
		if id, ok := wire.ChangedChannel(f); ok {
			return id
		}
	}
	if len(raw) < 34 {
		return wire.ChannelID{}
	}
	return wire.ChannelID(raw[2:34])
}
