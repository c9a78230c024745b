package gen

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

const placeComment = "A party is in the conversation of chan/channel_conversation.json that in names: lived_steps of it are over, and the connection is the one of then. message arrives, which is right in itself. reaction: taken, or ignored: nothing is said and nothing has changed. Of a bad one kind says it: warning, and the end of the connection; failed: an error, and the channel is over; leaves: the channel is over, and nothing is said; ignored: nothing is said, and nothing has changed. For the channel of the message."

// outOfPlaces are messages in and out of place (SPEC.md 3.9).
func outOfPlaces() (vectors.File, error) {
	f := file("PCF", "out_of_place", "SPEC.md 3.9", placeComment)
	told, err := allTalks()
	if err != nil {
		return f, err
	}
	all := &talks{}
	for _, c := range placed() {
		for _, party := range []int{talkLSP, talkClient} {
			if c.only != nil && !slices.Contains(c.only, party) {
				continue
			}
			v, err := c.vector(all, told, party)
			if err != nil {
				return f, fmt.Errorf("%s: %w", c.name, err)
			}
			f.Vectors = append(f.Vectors, v)
		}
	}
	return f, nil
}

// place is a cell of the table of 3.9.
type place struct {
	name string
	in   string // a tale
	// at says whether a step is the last one that is over; nil: all are.
	at func(h *vectors.ChannelStep) bool
	// message is what arrives; nil: what comes next in the conversation.
	message func(p *arrival) wire.Message
	kind    string // of the reaction to a fault; empty: it is in place
	ignored bool   // what is in place does nothing
	rules   []rule.ID
	only    []int
}

// arrival is what a message is written from: the side that is under test.
type arrival struct{ *talkStation }

func (c place) vector(all *talks, told []*vectors.ChannelConversation, party int) (*vectors.OutOfPlace, error) {
	name := talkName(c.in, party)
	i := slices.IndexFunc(told, func(v *vectors.ChannelConversation) bool { return v.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("%s is not told", name)
	}
	in := told[i]
	lived := len(in.Steps)
	if c.at != nil {
		if lived = 1 + slices.IndexFunc(in.Steps, func(h vectors.ChannelStep) bool { return c.at(&h) }); lived == 0 {
			return nil, fmt.Errorf("%s has no such step", name)
		}
	}
	v := &vectors.OutOfPlace{Head: head(slug("place", c.name, talkNames[party]), c.rules...), In: in.Name, Lived: vectors.Uint(lived), Conversation: in}
	if c.message == nil {
		for lived < len(in.Steps) && in.Steps[lived].Message == nil {
			lived++
		}
		if lived == len(in.Steps) {
			return nil, errors.New("nothing comes next")
		}
		v.Lived, v.Message = vectors.Uint(lived), *in.Steps[lived].Message
	} else {
		s, err := placeStation(all, v, rule.Set{})
		if err != nil {
			return nil, err
		}
		v.Message = talkMessage(encoded(c.message(&arrival{s})))
	}
	switch {
	case c.kind != "":
		v.Outcome = blame(talkNames[1-party], c.kind, v.Message.Name, -1, c.rules[0])
	case c.ignored:
		v.Reaction = "ignored"
	default:
		v.Reaction = "taken"
	}
	return v, nil
}

// placeStation is the party at the moment when the message arrives.
func placeStation(all *talks, v *vectors.OutOfPlace, rules rule.Set) (*talkStation, error) {
	in := v.Conversation
	if in == nil || int(v.Lived) > len(in.Steps) {
		return nil, errors.New("there is no such conversation, or it has fewer steps")
	}
	s, err := all.station(in, rules)
	for i := 0; err == nil && i < int(v.Lived); i++ {
		_, err = playTalk(s, &in.Steps[i])
	}
	return s, err
}

func (r runner) outOfPlace(v *vectors.OutOfPlace) error {
	s, err := placeStation(r.talks, v, r.rules)
	if err != nil {
		return err
	}
	before := s.written()
	got, err := s.receive(v.Message.Bytes)
	if err != nil {
		return err
	}
	want := v.Reaction
	if v.Error != nil {
		want = v.Error.Kind
	}
	if kind := placeReaction(got, slices.EqualFunc(before, s.written(), bytes.Equal)); kind != want {
		return fmt.Errorf("%s is answered with %s, want %s", v.Message.Name, kind, want)
	}
	if v.Error == nil {
		return nil
	}
	return sameTalkBlame(&vectors.ChannelConversation{Outcome: v.Outcome}, got)
}

// written are the machines of a side as they would be stored.
func (s *talkStation) written() (out [][]byte) {
	for _, l := range s.lines {
		out = append(out, l.m.Encode())
	}
	return out
}

// placeReaction names what a side did about a message.
func placeReaction(r talkReaction, same bool) string {
	has := func(name string) bool {
		return slices.ContainsFunc(r.sends, func(m wire.Message) bool { return m.Name() == name })
	}
	switch {
	case has("warning") && r.closes:
		return "warning"
	case has("error") && same:
		return "error"
	case has("error"):
		return "failed"
	case r.leaves:
		return "leaves"
	case same && len(r.sends) == 0 && !r.closes:
		return "ignored"
	}
	return "taken"
}

func outOfPlaceSchema() object {
	return schema("out_of_place", "A message about a channel, in place or out of it", object{
		"in":          about("A good conversation of chan/channel_conversation.json.", object{"type": "string"}),
		"lived_steps": about("How many steps of it are over.", upTo(1<<16-1)),
		"message":     channelMessageObject(nil),
	}, object{"reaction": oneOf("taken", "ignored")}, nil, nil)
}

// The messages. Those of line n are about channel n.

func (p *arrival) id(n int) wire.ChannelID { return p.lines[n].m.ChannelID() }

func (p *arrival) peerSide() commitment.Side { return p.side.Other() }

func (p *arrival) add() wire.Message {
	return addOf(p.id(0), uint64(p.m.NextID[p.peerSide()]), offered(7, 1_000_000))
}

func (p *arrival) fee() wire.Message {
	id := p.id(0)
	return &wire.Base{Kind: 134, Payload: be(id[:], 300, 4)}
}

// fulfil takes HTLC number n of the tales, which has an id.
func fulfilOf(n int, htlc uint64) func(p *arrival) wire.Message {
	return func(p *arrival) wire.Message {
		id, preimage := p.id(0), talkPreimage(n)
		return &wire.Base{Kind: 130, Payload: append(be(id[:], htlc, 8), preimage[:]...)}
	}
}

func (p *arrival) shutdown(n int) wire.Message {
	id := p.id(n)
	return &wire.Base{Kind: 38, Payload: append(be(id[:], 22, 2), append([]byte{0, 20}, make([]byte, 20)...)...)}
}

func (p *arrival) stfu(n int) wire.Message { return &wire.Stfu{ChannelID: p.id(n), Initiator: 1} }

// revoke has the secret that the peer would give next.
func (p *arrival) revoke() wire.Message {
	id, seed, n := p.id(0), p.facts.keys[p.peerSide()].Seed, p.m.Revoked.Next()
	secret, point := seed.Secret(n), p.point(n+2)
	return &wire.Base{Kind: 133, Payload: slices.Concat(id[:], secret[:], point)}
}

func (p *arrival) point(n channel.Number) []byte {
	k, err := p.facts.keys[p.peerSide()].Seed.Point(n)
	if err != nil {
		panic(err)
	}
	return k.SerializeCompressed()
}

func (p *arrival) ready() wire.Message {
	id := p.id(0)
	return &wire.Base{Kind: 36, Payload: append(id[:], p.point(1)...)}
}

func (p *arrival) change() wire.Change {
	return wire.Change{ChannelID: p.id(0), FundingPubkey: p.facts.place(p.side, p.record.at, true).Theirs}
}
