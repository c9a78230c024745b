package gen

import (
	"maps"
	"slices"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What can be seen of a side, and what it can be started again from.

// frozen is a side as it can be started again, as often as anybody likes.
type frozen struct {
	side   commitment.Side
	record record
	height channel.Height
	firsts map[string]wire.Txid
	lines  []talkLine
}

func (s *talkStation) freeze() frozen {
	r := s.record
	if !r.begun {
		r.next, r.into = nil, nil // the attempt ends with the connection
	}
	f := frozen{s.side, r, s.height, maps.Clone(s.firsts), nil}
	for _, l := range s.lines {
		kept := *l
		kept.m, kept.revoked, kept.timers, kept.plain = nil, slices.Clip(kept.revoked), nil, false
		f.lines = append(f.lines, kept)
	}
	return f
}

// thaw starts a side again from its disk.
func (f frozen) thaw(rules rule.Set) (*talkStation, error) {
	s := &talkStation{rules: rules, side: f.side, record: f.record, height: f.height, firsts: maps.Clone(f.firsts)}
	for _, kept := range f.lines {
		l := &kept
		var err error
		if l.m, err = channel.Restore(s.config(l.facts), l.disk); err != nil {
			return nil, err
		}
		s.lines = append(s.lines, l)
	}
	s.talkLine = s.lines[0]
	s.registry()
	s.settle(func() {
		for _, l := range s.lines {
			l.m.SetUse(l.facts.use(s.side))
			l.m.Restart()
			l.m.Block(s.height)
		}
		s.follow()
	})
	return s, nil
}

// cut ends the connection while the process goes on: the attempt ends with it.
func (s *talkStation) cut() {
	s.settle(func() {
		for _, l := range s.lines {
			l.m.Disconnected()
			l.timers, l.plain = nil, false
		}
		s.ends()
	})
}

// state names where a channel is, after the tables of sections 3.8 and 8.4.
func (l *talkLine) state() string {
	m := l.m
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
	case m.Ended():
		return "over"
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
func (l *talkLine) holds() *vectors.ChannelHolds {
	m := l.m
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
	for _, o := range m.CalledOff {
		h.CalledOff = append(h.CalledOff, slices.Clone(o.Txid[:]))
	}
	if sameHolds(h, l.before) {
		return nil
	}
	l.before = h
	return &h
}

// others are the channels but number 0 of which something is not as it was.
func (s *talkStation) others() []vectors.OtherSeen {
	var out []vectors.OtherSeen
	for n, l := range s.lines[1:] {
		seen := vectors.OtherSeen{Channel: vectors.Uint(n + 1), State: l.state(), Holds: l.holds()}
		if seen.Holds != nil || seen.State != l.seen {
			out = append(out, seen)
		}
		l.seen = seen.State
	}
	return out
}

func sameHolds(a, b vectors.ChannelHolds) bool {
	same := func(x, y []vectors.Hex) bool {
		return slices.EqualFunc(x, y, func(p, q vectors.Hex) bool { return string(p) == string(q) })
	}
	return a.Own == b.Own && a.Peer == b.Peer && a.HTLCs == b.HTLCs && a.Opener == b.Opener && a.Accepter == b.Accepter &&
		string(a.Next) == string(b.Next) && same(a.Outputs, b.Outputs) && same(a.Replaced, b.Replaced) && same(a.CalledOff, b.CalledOff)
}
