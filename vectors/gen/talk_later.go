package gen

import (
	"crypto/sha256"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// laterTales are more of one channel.
func laterTales() []tale {
	return slices.Concat(openedTales(), endedTales(), wrongOrders(), wrongSecond(), againTales())
}

// secondTo is where a second update takes the channel.
func secondTo() vectors.FactoryOutput {
	txid := sha256.Sum256([]byte("superscalar vectors channel conversation second change"))
	return vectors.FactoryOutput{Txid: txid[:], Index: 0, Value: 1_070_000}
}

// openedTales are about what makes the output of a channel, and about a channel that
// opens.
func openedTales() []tale {
	return []tale{
		{
			name: "made", story: func(w *talkScene) {
				w.orders("open", talkLSP)
				w.orders("make", talkLSP, talkClient)
				w.orders("usable", talkLSP, talkClient)
			},
			rules:   [2][]rule.ID{{rule.CHAN001}, {rule.CHAN002, rule.PCF081}},
			comment: "What makes the output goes on when both first commitments are signed.",
		},
		{
			name: "attempt-dropped", after: "open", at: "signed", story: func(w *talkScene) {
				w.connects()
				w.orders("drop", talkLSP, talkClient)
			},
			rules: bothRules(rule.CHAN008), comment: "The attempt has ended before its output was made.",
		},
		{
			name: "waits-for-its-factory", after: "open", at: "signed", story: func(w *talkScene) {
				w.connects()
				w.blocks(800_000 + 2_016)
				w.orders("usable", talkLSP, talkClient)
			},
			rules: [2][]rule.ID{{rule.PCF095}, {rule.PCF083}}, comment: "The factory is usable after 2,016 blocks.",
		},
		{
			name: "forgotten", after: "pay", story: func(w *talkScene) {
				w.orders("forget", talkLSP, talkClient)
				w.connects()
			},
			rules: bothRules(rule.PCF092),
		},
		bad0("what makes the output before the first commitments", talkLSP, "refused", "make", rule.CHAN001, func(w *talkScene) {
			w.loses(talkLSP, "funding_signed")
			w.orders("open", talkLSP)
			w.wrong(talkLSP, vectors.ChannelStep{Event: "make"})
		}),
		bad0("what makes the output before the first commitments", talkClient, "refused", "make", rule.CHAN002, func(w *talkScene) {
			w.loses(talkClient, "funding_created")
			w.orders("open", talkLSP)
			w.wrong(talkClient, vectors.ChannelStep{Event: "make"})
		}),
		bad0("funding_created when the attempt is over", talkClient, "error", "funding_txid", rule.PCF081, func(w *talkScene) {
			w.happen(talkClient, vectors.ChannelStep{Event: "end"})
			w.swap(talkClient, "funding_created", func(m wire.Message) wire.Message { return m })
			w.orders("open", talkLSP)
		}),
	}
}

// bad0 is a bad tale of a channel that is not open yet.
func bad0(name string, party int, kind, field string, id rule.ID, story func(w *talkScene)) tale {
	t := bad(name, party, "", kind, field, id, story)
	t.after = ""
	return t
}

// endedTales are about attempts that end, and about what was signed in them.
func endedTales() []tale {
	out := []tale{
		{
			name: "goes-on", after: "pay", rules: bothRules(rule.CHG025, rule.PCF122, rule.PCF138),
			comment: "The attempt ends after phase 1 began, on a connection that stays: the client continues the change, the LSP does then, and payments go on in batches. The same update is made again.",
			story: func(w *talkScene) {
				w.connects()
				w.moves(changeTo(), nil)
				w.orders("begin", talkLSP)
				w.orders("begin", talkClient)
				w.mark("begun")
				w.orders("end", talkLSP)
				w.mark("ended at the lsp")
				w.orders("end", talkClient)
				w.mark("goes on")
				w.adds(talkLSP, 4, 9_000_000)
				w.run()
				w.moves(changeTo(), nil)
				w.lands()
			},
		},
		{
			name: "called-off-made-again", after: "pay", rules: bothRules(rule.CHG026, rule.CHG009, rule.PCF141),
			comment: "What was signed for the change that was called off is kept until it is revoked: the same update has the same output.",
			story:   storyMadeAgain(func(*talkScene) {}),
		},
		{
			name: "abort-ordered", after: "pay", rules: bothRules(rule.PCF140, rule.PCF141),
			comment: "abort: the change of the channel is to be called off.",
			story: func(w *talkScene) {
				w.connects()
				w.moves(changeTo(), nil)
				w.orders("abort", talkLSP)
				w.adds(talkLSP, 4, 9_000_000)
				w.run()
			},
		},
		{
			name: "changes-again", after: "change", rules: bothRules(rule.CHG012, rule.CHG014),
			comment: "A second update when the channel has done with the first.",
			story: func(w *talkScene) {
				w.connects()
				w.moves(secondTo(), nil)
				w.lands()
			},
		},
	}
	for _, c := range []struct {
		name, field string
		change      func(m *wire.ChangeContinue)
	}{
		{"continue with another txid when the attempt has ended", "funding_txid", func(m *wire.ChangeContinue) { m.Outpoint.FundingTxid[0] ^= 1 }},
		{"continue with another index when the attempt has ended", "funding_output_index", func(m *wire.ChangeContinue) { m.Outpoint.FundingOutputIndex++ }},
	} {
		out = append(out, bothParties(func(party int) tale {
			t := bad(c.name, party, "begun", "warning", c.field, rule.PCF147, func(w *talkScene) {
				w.swap(party, "factory_change_continue", func(m wire.Message) wire.Message {
					c.change(m.(*wire.ChangeContinue))
					return m
				})
				w.connects()
			})
			t.after, t.rules = "goes-on", bothRules(rule.PCF147, rule.CHG025)
			return t
		})...)
	}
	return out
}

// storyMadeAgain calls a change off, revokes what was signed, and makes the same update
// again. when is called when it is committed for the first time.
func storyMadeAgain(when func(w *talkScene)) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.moves(changeTo(), nil)
		when(w)
		w.orders("end", talkLSP)
		w.adds(talkLSP, 4, 9_000_000)
		w.run()
		w.moves(changeTo(), nil)
		w.lands()
	}
}

// wrongOrders are what a side is told to do, and must not.
func wrongOrders() []tale {
	update := func(to vectors.FactoryOutput) vectors.ChannelStep {
		return vectors.ChannelStep{Event: "update", Output: &to}
	}
	committed := func(w *talkScene) {
		w.connects()
		w.moves(changeTo(), nil)
	}
	out := slices.Concat(
		bothParties(func(party int) tale {
			return bad("update before the change before has locked", party, "continued", "refused", "update", rule.CHG012, func(w *talkScene) {
				w.connects()
				w.wrong(party, update(secondTo()))
			})
		}),
		bothParties(func(party int) tale {
			return bad("abort of what it has begun", party, "", "refused", "abort", rule.PCF140, func(w *talkScene) {
				committed(w)
				w.orders("begin", talkLSP, talkClient)
				w.orders("sign", talkLSP)
				w.wrong(party, vectors.ChannelStep{Event: "abort"})
			})
		}),
		bothParties(func(party int) tale {
			return bad("change while another is committed", party, "", "refused", "change", rule.PCF111, func(w *talkScene) {
				committed(w)
				w.wrong(party, vectors.ChannelStep{Event: "change"})
			})
		}),
		bothParties(func(party int) tale {
			t := bad("change before channel_ready", party, "signed", "refused", "change", rule.PCF111, func(w *talkScene) {
				w.connects()
				w.wrong(party, vectors.ChannelStep{Event: "change"})
			})
			t.after = "open"
			return t
		}),
		bothParties(func(party int) tale {
			return bad("error of the peer", party, "", "leaves", "error", rule.CHAN021, func(w *talkScene) {
				w.connects()
				w.plant(party, &wire.ErrorMessage{ChannelID: w.channelID(), Data: []byte("enough")})
			})
		}),
	)
	return append(out, bad("update while a change is being called off", talkLSP, "", "refused", "update", rule.CHG014, func(w *talkScene) {
		committed(w)
		w.loses(talkLSP, "factory_change_abort")
		w.orders("end", talkLSP)
		w.wrong(talkLSP, update(secondTo()))
	}))
}

// wrongSecond are signatures for an output in use while a change stands on the
// commitments of now (PCF-138), and changes of unknown channels (PCF-106).
func wrongSecond() []tale {
	var out []tale
	for _, begun := range []bool{false, true} {
		name := "commitment_signed while a change is committed"
		if begun {
			name = "commitment_signed while a change is pending"
		}
		out = append(out, bothParties(func(party int) tale {
			t := bad(name, party, "", "warning", "funding_txid", rule.PCF138, func(w *talkScene) {
				w.connects()
				w.moves(changeTo(), nil)
				if begun {
					w.orders("begin", talkLSP, talkClient)
				}
				w.plant(party, w.signsNext(1-party))
			})
			t.comment = "The signatures are right."
			return t
		})...)
	}
	for _, c := range []struct {
		name string
		msg  func(w *talkScene, to int, id wire.ChannelID) wire.Message
	}{
		{"init of an unknown channel", func(w *talkScene, to int, id wire.ChannelID) wire.Message {
			m := &wire.ChangeInit{Change: w.changeOf(to, 0)}
			m.Change.ChannelID = id
			return m
		}},
		{"continue of an unknown channel", func(w *talkScene, _ int, id wire.ChannelID) wire.Message {
			m := &wire.ChangeContinue{Outpoint: w.outpoint(changeTo())}
			m.Outpoint.ChannelID = id
			return m
		}},
		{"abort of an unknown channel", func(_ *talkScene, _ int, id wire.ChannelID) wire.Message {
			return &wire.ChangeAbort{ChannelID: id, Data: []byte("no")}
		}},
	} {
		out = append(out, bothParties(func(party int) tale {
			return bad(c.name, party, "", "error", "channel_id", rule.PCF106, func(w *talkScene) {
				w.connects()
				id := w.channelID()
				id[0] ^= 1
				w.plant(party, c.msg(w, party, id))
			})
		})...)
	}
	return out
}

// signsNext is what side i would send to sign the next commitment of the other on the
// output in use, without updates.
func (w *talkScene) signsNext(i int) *wire.CommitmentSigned { return w.signsNextOn(i, 0) }

// signsNextOn is the same on one of the outputs that updates are signed for.
func (w *talkScene) signsNextOn(i, n int) *wire.CommitmentSigned {
	m := w.sides[i].m
	f := m.Fundings[n]
	theirs, err := m.TheirCommitments(f.Txid)
	if err != nil {
		panic(err)
	}
	state := theirs[0].State
	state.Number++
	point, err := commitment.ParseKey(m.TheirNext)
	if err != nil {
		panic(err)
	}
	on := m.Outputs()[n]
	params := m.Parameters()
	c, err := params.Build(m.Side.Other(), &on.Funding, &state, point)
	if err != nil {
		panic(err)
	}
	sig, htlcs, err := c.Sign(on.Key, m.Secrets())
	if err != nil {
		panic(err)
	}
	return &wire.CommitmentSigned{ChannelID: m.ChannelID(), Signature: sig, HTLCSignatures: htlcs, FundingTxid: &f.Txid}
}
