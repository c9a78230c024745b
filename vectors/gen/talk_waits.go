package gen

import (
	"slices"
	"time"

	"superscalar/refnode/channel"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Who waits for whom in a change: the answer to stfu, to factory_change_locked and to
// factory_change_abort.

func waitTales() []tale { return slices.Concat(crossingLocks(), unanswered(), callingOff()) }

// crosses has side i send stfu while factory_change_locked of the other one is on its way;
// ready says whether i has the poison too by then.
func crosses(i int, ready bool) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.happen(i, vectors.ChannelStep{Event: "change"})
		w.happen(1-i, vectors.ChannelStep{Event: "poison"})
		if ready {
			w.happen(i, vectors.ChannelStep{Event: "poison"})
		}
		w.loses(i, "stfu") // what follows it is another matter
		w.run()
		if !ready {
			w.orders("poison", i)
		}
	}
}

// crossingLocks are stfu and factory_change_locked that cross (PCF-172).
func crossingLocks() []tale {
	const comment = "stfu and factory_change_locked cross: who has sent stfu answers the lock, and the other one sends its stfu when both have locked and the round is over."
	rules := func(i int) (out [2][]rule.ID) {
		out[i] = ids(rule.PCF172, rule.CHG007)
		out[1-i] = ids(rule.PCF125, rule.CHG007)
		return out
	}
	var out []tale
	for _, i := range []int{talkLSP, talkClient} {
		out = append(out,
			tale{name: "lock-crosses-stfu-of-the-" + talkNames[i], after: "change", at: "continued", rules: rules(i), story: crosses(i, true),
				comment: comment + " Its own factory_change_locked waits for that of the other one."},
			tale{name: "lock-crosses-stfu-early-of-the-" + talkNames[i], after: "change", at: "continued", rules: rules(i), story: crosses(i, false), only: []int{i},
				comment: comment + " It has the poison later."},
		)
	}
	// asked has party lock, and the other one send stfu.
	asked := func(name, kind, field string, id rule.ID, plant func(w *talkScene, party int) wire.Message) []tale {
		return bothParties(func(party int) tale {
			t := bad(name, party, "continued", kind, field, id, func(w *talkScene) {
				w.connects()
				w.happen(party, vectors.ChannelStep{Event: "poison"})
				w.happen(1-party, vectors.ChannelStep{Event: "change"})
				w.arrives(party)
				w.plant(party, plant(w, party))
			})
			t.rules = bothRules(id, rule.PCF172)
			t.comment = "The other side has sent stfu, and keeps its factory_change_locked back."
			return t
		})
	}
	return slices.Concat(out,
		asked("init instead of the lock that stfu crosses", "warning", "factory_change", rule.PCF112, func(w *talkScene, party int) wire.Message {
			return &wire.ChangeInit{Change: w.changeOf(party, 0)}
		}),
		asked("round without the lock that stfu crosses", "error", "start_batch", rule.PCF133, func(w *talkScene, party int) wire.Message {
			return w.signsNextOn(1-party, 1)
		}),
		bothParties(func(party int) tale {
			t := bad("locked of another output that crosses stfu", party, "continued", "warning", "locked_funding_txid", rule.PCF124, func(w *talkScene) {
				w.connects()
				w.happen(party, vectors.ChannelStep{Event: "change"})
				w.plant(party, &wire.ChangeLocked{ChannelID: w.channelID(), LockedFundingTxid: wire.Txid(otherOutput().Txid)})
			})
			t.rules = bothRules(rule.PCF124, rule.PCF172)
			return t
		}),
	)
}

// quiets has side i send stfu: the LSP for an update.
func (w *talkScene) quiets(i int) {
	if i == talkLSP {
		w.update(changeTo(), nil, talkClient, talkLSP)
		return
	}
	w.happen(i, vectors.ChannelStep{Event: "change"})
}

func (w *talkScene) waits(i int, seconds uint32) {
	w.happen(i, vectors.ChannelStep{Event: "wait", Seconds: seconds})
}

// unanswered are about the minute that stfu waits (PCF-173), and quiescence (PCF-146).
func unanswered() []tale {
	return slices.Concat([]tale{
		{
			name: "stfu-unanswered", after: "pay", only: []int{talkLSP}, rules: bothRules(rule.PCF173),
			comment: "stfu of the client does not come: the connection ends after 60 seconds, not before, and the channel goes on.",
			story: func(w *talkScene) {
				w.connects()
				w.loses(talkLSP, "stfu")
				w.quiets(talkLSP)
				w.run()
				w.waits(talkLSP, 59)
				w.waits(talkLSP, 1)
				w.watch = nil
				w.connects()
			},
		},
		{
			name: "stfu-answered-late", after: "pay", only: []int{talkLSP}, rules: bothRules(rule.PCF173, rule.PCF146),
			comment: "With HTLCs pending the minute of quiescence begins when stfu is answered.",
			story: func(w *talkScene) {
				w.connects()
				w.quiets(talkLSP)
				w.waits(talkLSP, 59)
				w.loses(talkLSP, "factory_change_ack")
				w.run()
				w.waits(talkLSP, 59)
			},
		},
		{
			name: "quiet-without-htlcs", after: "open", only: []int{talkLSP}, rules: bothRules(rule.PCF146),
			comment: "Without HTLCs quiescence has no end by time.",
			story: func(w *talkScene) {
				w.connects()
				w.loses(talkLSP, "factory_change_ack")
				w.moves(changeTo(), nil)
				w.waits(talkLSP, 600)
			},
		},
	}, bothParties(func(party int) tale {
		t := bad("stfu that is not answered", party, "", "closed", "stfu", rule.PCF173, func(w *talkScene) {
			w.connects()
			w.quiets(party)
			w.wrong(party, vectors.ChannelStep{Event: "wait", Seconds: 60})
		})
		t.after = "open"
		return t
	}), []tale{
		bad("quiescence that is not used", talkClient, "", "closed", "factory_change_init", rule.PCF146, func(w *talkScene) {
			w.connects()
			w.loses(talkClient, "factory_change_init")
			w.moves(changeTo(), nil)
			w.wrong(talkClient, vectors.ChannelStep{Event: "wait", Seconds: 60})
		}),
	})
}

// callingOff are about signatures that come before factory_change_abort is answered
// (PCF-138).
func callingOff() []tale {
	calledOff := func(party int, then func(w *talkScene)) func(w *talkScene) {
		return func(w *talkScene) {
			w.connects()
			w.moves(changeTo(), nil)
			w.loses(party, "factory_change_abort")
			w.orders("end", party)
			w.watch = nil
			then(w)
		}
	}
	good := func(party int) tale {
		return tale{
			name: "call-off-crosses-commitment-signed", after: "pay", only: []int{party}, rules: bothRules(rule.PCF138, rule.CHG009),
			comment: "The attempt ends while the other side's commitment_signed on the new output is on its way: that is ignored. What it signs on the output in use counts once it has answered factory_change_abort.",
			story: func(w *talkScene) {
				w.connects()
				w.watch = func(to int, raw []byte) ([]byte, bool) {
					if to == party && talkMessage(raw).Name == "commitment_signed" {
						w.watch = nil
						w.happen(party, vectors.ChannelStep{Event: "end"})
					}
					return raw, false
				}
				w.moves(changeTo(), nil)
				w.adds(1-party, 4, 9_000_000)
				w.run()
			},
		}
	}
	return slices.Concat(
		[]tale{good(talkLSP), good(talkClient)},
		bothParties(func(party int) tale {
			t := bad("commitment_signed before factory_change_abort is answered", party, "", "warning", "funding_txid", rule.PCF138,
				calledOff(party, func(w *talkScene) { w.plant(party, w.signsNext(1-party)) }))
			t.comment = "The signatures are right."
			return t
		}),
		bothParties(func(party int) tale {
			t := bad("batch before factory_change_abort is answered", party, "", "warning", "funding_txid", rule.PCF138,
				calledOff(party, func(w *talkScene) {
					m := w.signsNext(1 - party)
					off, txid := *m, wire.Txid(changeTo().Txid)
					off.FundingTxid = &txid
					w.tells(party, encoded(&wire.StartBatch{ChannelID: m.ChannelID, BatchSize: 2, MessageType: kindOf(132)}), false)
					w.tells(party, encoded(m), false)
					w.plant(party, &off)
				}))
			t.comment = "The signatures for the output in use are right. Nothing is ignored in a batch."
			return t
		}),
	)
}

// talkTimer is a time that a machine waits for.
type talkTimer struct {
	id   channel.TimerID
	left time.Duration
}

// pass lets time pass for a channel. What it does not wait for any more it has to know
// itself.
func (l *talkLine) pass(d time.Duration) {
	var left []talkTimer
	for _, t := range l.timers {
		if t.left -= d; t.left > 0 {
			left = append(left, t)
			continue
		}
		l.m.Timer(t.id)
	}
	l.timers = left
}
