package gen

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// playTalk lets a step of a channel conversation happen.
func playTalk(s *talkStation, h *vectors.ChannelStep) (talkReaction, error) {
	switch h.Event {
	case "receive":
		if h.Message == nil {
			return talkReaction{}, errors.New("no message")
		}
		return s.receive(h.Message.Bytes)
	case "connect":
		return s.settle(func() {
			for _, l := range s.lines {
				l.m.Connected()
			}
		}), nil
	case "disconnect":
		s.cut()
		return talkReaction{}, nil
	case "wait":
		r := s.settle(func() {
			for _, l := range s.lines {
				l.pass(time.Duration(h.Seconds) * time.Second)
			}
		})
		if r.closes {
			s.cut()
		}
		return r, nil
	}
	if h.Event == "spent" {
		return s.spent(h.Tx)
	}
	if h.Event == "reopen" {
		if err := s.reopen(); err != nil {
			return talkReaction{}, err
		}
	}
	at := uint64(0)
	if h.Channel != nil {
		at = uint64(*h.Channel)
	}
	if at >= uint64(len(s.lines)) || slices.ContainsFunc(h.Absorbs, func(n vectors.Uint) bool { return n == 0 || uint64(n) >= uint64(len(s.lines)) }) {
		return talkReaction{}, errors.New("there is no such channel")
	}
	order, ok := talkOrders[h.Event]
	if !ok {
		return talkReaction{}, fmt.Errorf("no event is called %q", h.Event)
	}
	if h.Event == "update" && (h.Output == nil || len(h.Output.Txid) != 32) || h.Event == "add" && (h.HTLC == nil || len(h.HTLC.Hash) != 32) ||
		(h.Event == "fulfil" || h.Event == "fail") && h.ID == nil || h.Event == "confirmed" && len(h.Txid) != 32 {
		return talkReaction{}, fmt.Errorf("%s without its values", h.Event)
	}
	var err error
	on := *s // the order is for one channel
	on.talkLine = s.lines[at]
	r := s.settle(func() { err = order(&on, h) })
	s.record = on.record
	r.refused = err != nil
	return r, nil
}

// talkOrders are what the side itself, its router or its ceremony wants.
var talkOrders = map[string]func(s *talkStation, h *vectors.ChannelStep) error{
	"open": func(s *talkStation, _ *vectors.ChannelStep) error {
		txid, index, err := s.reg.Outpoint(s.peer(), s.m.Open)
		if err != nil {
			return err
		}
		return s.m.Outpoint(txid, index)
	},
	"usable": func(s *talkStation, _ *vectors.ChannelStep) error {
		s.m.SetUsable()
		return nil
	},
	"add": func(s *talkStation, h *vectors.ChannelStep) error {
		var origin channel.Origin
		copy(origin[:], h.HTLC.Hash)
		_, err := s.m.Add(channel.AddHTLC{
			Origin: origin, Amount: channel.MilliSat(h.HTLC.Amount), Hash: [32]byte(h.HTLC.Hash),
			Expiry: channel.Height(h.HTLC.Expiry), Onion: make([]byte, 1366),
		})
		return err
	},
	"fulfil": func(s *talkStation, h *vectors.ChannelStep) error {
		var preimage [32]byte
		copy(preimage[:], h.Preimage)
		return s.m.Fulfil(channel.HTLCID(*h.ID), preimage, false)
	},
	"fail":    func(s *talkStation, h *vectors.ChannelStep) error { return s.m.Fail(channel.HTLCID(*h.ID), h.Reason) },
	"feerate": func(s *talkStation, h *vectors.ChannelStep) error { return s.m.UpdateFee(channel.Feerate(h.Feerate)) },
	"update":  (*talkStation).update,
	"begin":   (*talkStation).begin,
	"sign":    (*talkStation).pending,
	"store":   func(s *talkStation, _ *vectors.ChannelStep) error { return s.stands(false) },
	"poison": func(s *talkStation, _ *vectors.ChannelStep) error {
		return s.stands(true)
	},
	"end": func(s *talkStation, _ *vectors.ChannelStep) error {
		if s.record.next == nil { // it is the one that makes the channel's output
			o := s.now()[0]
			s.reg.Keep(o.Peer, o.Attempt)
		}
		s.ends()
		return nil
	},
	"make":   (*talkStation).make,
	"reopen": func(s *talkStation, _ *vectors.ChannelStep) error { return nil },
	"drop": func(s *talkStation, _ *vectors.ChannelStep) error {
		o := s.now()[0]
		s.reg.Forget(o.Peer, o.Attempt)
		s.record.forgotten = true
		return nil
	},
	"block": func(s *talkStation, h *vectors.ChannelStep) error {
		s.height = channel.Height(h.Height)
		for _, l := range s.lines {
			l.m.Block(s.height)
		}
		return nil
	},
	"forget":   func(s *talkStation, _ *vectors.ChannelStep) error { s.m.Forget(); return nil },
	"shutdown": func(s *talkStation, _ *vectors.ChannelStep) error { return s.m.Shutdown(nil) },
	"abort":    func(s *talkStation, _ *vectors.ChannelStep) error { return s.m.AbortChange("it is ordered") },
	"change": func(s *talkStation, _ *vectors.ChannelStep) error {
		err := s.m.StartChange(0, nil)
		s.plain = err == nil
		return err
	},
	"confirmed": func(s *talkStation, h *vectors.ChannelStep) error {
		hub.OutputConfirmed(s.m, wire.Txid(h.Txid), s.rules)
		return nil
	},
}

// make asks whether what makes the channel's output may go on: the LSP signs the
// funding transaction or its part of the sale (CHAN-001), a client says that it has
// stored it (CHAN-002).
func (s *talkStation) make(*vectors.ChannelStep) error {
	id := rule.ID(rule.CHAN001)
	if s.side == commitment.Accepter {
		id = rule.CHAN002
	}
	if o := s.facts.place(s.side, s.facts.output, true); s.rules.On(id) && !s.reg.Opened(o.Outpoint) {
		return errors.New("the first commitments are not signed")
	}
	return nil
}

var errNothing = errors.New("no update is going on")

// update is the agreement to an update of the factory.
func (s *talkStation) update(h *vectors.ChannelStep) error {
	to := *h.Output
	again := s.record.begun && s.record.next != nil && string(s.record.next.Txid) == string(to.Txid)
	stands := string(to.Txid) == string(s.record.at.Txid)
	places := s.places(to, h.Absorbs, false)
	for _, o := range places {
		if err := s.reg.CanMove(o); err != nil && !stands {
			return err
		}
	}
	if !again {
		s.record.begun = false
	}
	if !stands {
		s.record.next, s.record.into = &to, h.Absorbs
	}
	for _, o := range places {
		s.reg.Move(o)
	}
	s.follow()
	return nil
}

// begin is phase 1 of an update: the LSP sends its aggregate nonces (CHG-001),
// a client gives its partial signatures (CHG-002).
func (s *talkStation) begin(h *vectors.ChannelStep) error {
	if s.record.next == nil {
		return errNothing
	}
	if s.side == commitment.Accepter {
		return s.pending(h)
	}
	for _, o := range s.next() {
		if s.rules.On(rule.CHG001) && !s.reg.Moved(o) {
			return errors.New("the channel has not moved")
		}
	}
	s.record.begun = true
	return nil
}

// pending says that this side signs the new state.
func (s *talkStation) pending(*vectors.ChannelStep) error {
	if s.record.next == nil {
		return errNothing
	}
	for _, o := range s.next() {
		if err := s.reg.Begin(o); err != nil {
			return err
		}
	}
	s.record.begun = true
	return nil
}

// stands says that the new state is complete and stored, and with alone that
// its poison is.
func (s *talkStation) stands(alone bool) error {
	if s.record.next == nil && !alone {
		return errNothing
	}
	if s.record.next != nil {
		s.record.at, s.record.gone = *s.record.next, append(slices.Clip(s.record.gone), s.record.into...)
		s.record.next, s.record.into, s.record.begun = nil, nil, false
	}
	s.record.alone = alone
	for _, o := range s.places(s.record.at, s.record.gone, alone) {
		s.reg.Stands(o)
	}
	if alone && s.plain {
		_ = s.m.Lock(wire.Txid(s.record.at.Txid))
	}
	s.follow()
	return nil
}
