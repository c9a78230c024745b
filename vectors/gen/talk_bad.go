package gen

import (
	"fmt"
	"slices"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// badTales have one fault each: of what a message of the other side, or an order,
// has wrong. Where both sides must see it, it is told of both.
func badTales() []tale {
	return slices.Concat(outOfPlace(), wrongParts(), wrongCommitted(), wrongOpening(), wrongBatches(), wrongReconnects())
}

// bad makes a bad tale: party's reaction to a fault in field, for a rule.
func bad(name string, party int, at, kind, field string, id rule.ID, story func(w *talkScene)) tale {
	after := "change"
	if at == "" {
		after = "pay"
	}
	guilty := talkNames[1-party]
	if kind == "refused" {
		guilty = talkNames[party]
	}
	t := tale{
		name: "bad " + name, after: after, at: at, story: story, only: []int{party}, rules: bothRules(id),
		bad: &vectors.Failure{Kind: kind, Field: field, Rule: id, Guilty: guilty},
	}
	if slices.Contains(eitherWay, id) {
		t.allows = []string{map[string]string{"warning": "error", "error": "warning"}[kind]}
	}
	return t
}

// eitherWay are the rules that let a receiver choose between a warning with the
// end of the connection, and failing the channel.
var eitherWay = []rule.ID{rule.PCF112, rule.PCF113, rule.PCF116, rule.PCF119, rule.PCF124, rule.PCF131, rule.CHAN032}

// bothSides tells a bad tale of both.
func bothParties(tell func(party int) tale) []tale { return []tale{tell(talkLSP), tell(talkClient)} }

func (w *talkScene) channelID() wire.ChannelID { return w.sides[0].m.ChannelID() }

func (w *talkScene) changeOf(i int, sat int64) wire.Change {
	s := w.sides[i]
	return wire.Change{ChannelID: s.m.ChannelID(), FundingContributionSat: sat, FundingPubkey: s.facts.place(s.side, s.record.at, true).Theirs}
}

func (w *talkScene) outpoint(at vectors.FactoryOutput) wire.ChangeOutpoint {
	return wire.ChangeOutpoint{ChannelID: w.channelID(), FundingTxid: wire.Txid(at.Txid), FundingOutputIndex: uint16(at.Index)}
}

// otherOutput is one that no factory of the tales has.
func otherOutput() vectors.FactoryOutput {
	to := changeTo()
	to.Txid = slices.Clone(to.Txid)
	to.Txid[0] ^= 1
	return to
}

// outOfPlace are messages that a channel on which nothing goes on does not take.
func outOfPlace() []tale {
	var out []tale
	for _, c := range []struct {
		name, field string
		rule        rule.ID
		msg         func(w *talkScene, to int) wire.Message
	}{
		{"init without quiescence", "factory_change", rule.PCF112, func(w *talkScene, to int) wire.Message {
			return &wire.ChangeInit{Change: w.changeOf(to, 50_000)}
		}},
		{"ack without init", "factory_change", rule.PCF116, func(w *talkScene, to int) wire.Message { return &wire.ChangeAck{Change: w.changeOf(to, 0)} }},
		{"funding without ack", "factory_change_funding", rule.PCF118, func(w *talkScene, _ int) wire.Message {
			return &wire.ChangeFunding{Outpoint: w.outpoint(changeTo())}
		}},
		{"continue of nothing", "factory_change_continue", rule.PCF147, func(w *talkScene, _ int) wire.Message {
			return &wire.ChangeContinue{Outpoint: w.outpoint(changeTo())}
		}},
		{"locked of nothing", "locked_funding_txid", rule.PCF124, func(w *talkScene, _ int) wire.Message {
			return &wire.ChangeLocked{ChannelID: w.channelID(), LockedFundingTxid: wire.Txid(changeTo().Txid)}
		}},
		{"locked of the output in use", "locked_funding_txid", rule.PCF124, func(w *talkScene, to int) wire.Message {
			return &wire.ChangeLocked{ChannelID: w.channelID(), LockedFundingTxid: wire.Txid(w.sides[to].record.at.Txid)}
		}},
		{"abort of nothing", "factory_change_abort", rule.PCF145, func(w *talkScene, _ int) wire.Message {
			return &wire.ChangeAbort{ChannelID: w.channelID(), Data: []byte("no")}
		}},
	} {
		out = append(out, bothParties(func(party int) tale {
			return bad(c.name, party, "", "warning", c.field, c.rule, func(w *talkScene) {
				w.connects()
				w.plant(party, c.msg(w, party))
			})
		})...)
	}
	return out
}

// negotiates starts a change with one wrong message to side i.
func negotiates(i int, name string, change func(w *talkScene, m wire.Message)) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.swap(i, name, func(m wire.Message) wire.Message {
			change(w, m)
			return m
		})
		w.moves(changeTo(), nil)
		panic(fmt.Errorf("no %s has arrived", name))
	}
}

// partOf is the part of a change in factory_change_init or factory_change_ack.
func partOf(m wire.Message) *wire.Change {
	if init, ok := m.(*wire.ChangeInit); ok {
		return &init.Change
	}
	return &m.(*wire.ChangeAck).Change
}

// wrongParts are wrong messages in the negotiation of a change.
func wrongParts() []tale {
	var out []tale
	for party, name := range []string{talkLSP: "ack", talkClient: "init"} {
		message := "factory_change_" + name
		out = append(out,
			bad(name+" takes more than its sender has", party, "", "warning", "funding_contribution_satoshis", rule.PCF113,
				negotiates(party, message, func(_ *talkScene, m wire.Message) { partOf(m).FundingContributionSat = -999_999 })),
			bad(name+" with another contribution", party, "", "abort", "funding_contribution_satoshis", rule.CHG004,
				negotiates(party, message, func(_ *talkScene, m wire.Message) { partOf(m).FundingContributionSat++ })),
			bad(name+" with another funding key", party, "", "abort", "funding_pubkey", rule.CHG003,
				negotiates(party, message, func(w *talkScene, m wire.Message) {
					partOf(m).FundingPubkey = w.sides[party].facts.accept.Keys.HTLC
				})),
		)
	}
	out = append(out, bothParties(func(party int) tale {
		return bad("funding of another output", party, "", "warning", "funding_txid", rule.PCF119,
			negotiates(party, "factory_change_funding", func(_ *talkScene, m wire.Message) { m.(*wire.ChangeFunding).Outpoint.FundingTxid[0] ^= 1 }))
	})...)
	out = append(out, bothParties(func(party int) tale {
		return bad("funding of another index", party, "", "warning", "funding_output_index", rule.PCF119,
			negotiates(party, "factory_change_funding", func(_ *talkScene, m wire.Message) { m.(*wire.ChangeFunding).Outpoint.FundingOutputIndex++ }))
	})...)
	out = append(out, bothParties(func(party int) tale {
		return bad("first signature wrong", party, "", "warning", "signature", rule.CHAN032,
			negotiates(party, "commitment_signed", func(_ *talkScene, m wire.Message) { m.(*wire.CommitmentSigned).Signature[40] ^= 1 }))
	})...)
	out = append(out, bothParties(func(party int) tale {
		return bad("first htlc signatures too few", party, "", "warning", "htlc_signatures", rule.CHAN032,
			negotiates(party, "commitment_signed", func(_ *talkScene, m wire.Message) {
				c := m.(*wire.CommitmentSigned)
				c.HTLCSignatures = c.HTLCSignatures[1:]
			}))
	})...)
	return append(out,
		bad("init that no update asks for", talkClient, "", "abort", "factory_change", rule.PCF114, func(w *talkScene) {
			w.connects()
			w.swap(talkClient, "factory_change_init", func(m wire.Message) wire.Message { return m })
			w.update(changeTo(), nil, talkLSP)
			w.run()
		}),
		bad("init of the client", talkLSP, "", "abort", "factory_change", rule.PCF114, func(w *talkScene) {
			w.connects()
			w.tells(talkLSP, encoded(&wire.Stfu{ChannelID: w.channelID(), Initiator: 1}), false)
			w.plant(talkLSP, &wire.ChangeInit{Change: w.changeOf(talkLSP, 0)})
		}),
		bad("init of who did not begin quiescence", talkLSP, "", "warning", "factory_change", rule.PCF112, func(w *talkScene) {
			w.connects()
			w.loses(talkLSP, "factory_change_ack")
			w.moves(changeTo(), nil)
			w.plant(talkLSP, &wire.ChangeInit{Change: w.changeOf(talkLSP, 0)})
		}),
		bad("init twice", talkClient, "", "warning", "factory_change", rule.PCF112, func(w *talkScene) {
			w.connects()
			w.loses(talkClient, "factory_change_funding")
			w.moves(changeTo(), nil)
			w.plant(talkClient, &wire.ChangeInit{Change: w.changeOf(talkClient, 50_000)})
		}),
	)
}

func encoded(m wire.Message) []byte {
	raw, err := wire.Codec{}.Encode(m)
	if err != nil {
		panic(err)
	}
	return raw
}

// wrongCommitted are faults about a change that is committed, pending or
// continued.
func wrongCommitted() []tale {
	cont := func(w *talkScene) *wire.ChangeContinue { return &wire.ChangeContinue{Outpoint: w.outpoint(changeTo())} }
	abort := func(w *talkScene) *wire.ChangeAbort {
		return &wire.ChangeAbort{ChannelID: w.channelID(), Data: []byte("no")}
	}
	each := func(name, at, kind, field string, id rule.ID, story func(w *talkScene, party int)) []tale {
		return bothParties(func(party int) tale {
			return bad(name, party, at, kind, field, id, func(w *talkScene) {
				w.connects()
				story(w, party)
			})
		})
	}
	return slices.Concat(
		each("continue before commitment_signed", "", "warning", "factory_change_continue", rule.PCF147, func(w *talkScene, party int) {
			w.loses(party, "commitment_signed")
			w.moves(changeTo(), nil)
			w.plant(party, cont(w))
		}),
		each("continue with another index", "pending", "warning", "funding_output_index", rule.PCF147, func(w *talkScene, party int) {
			m := cont(w)
			m.Outpoint.FundingOutputIndex++
			w.plant(party, m)
		}),
		each("continue with another txid", "pending", "warning", "funding_txid", rule.PCF147, func(w *talkScene, party int) {
			m := cont(w)
			m.Outpoint.FundingTxid[0] ^= 1
			w.plant(party, m)
		}),
		each("abort of what is pending", "", "error", "factory_change_abort", rule.PCF143, func(w *talkScene, party int) {
			w.moves(changeTo(), nil)
			w.orders("begin", talkLSP, talkClient)
			w.orders("sign", talkLSP)
			w.plant(party, abort(w))
		}),
		each("abort of what is continued", "continued", "warning", "factory_change_abort", rule.PCF145, func(w *talkScene, party int) { w.plant(party, abort(w)) }),
		each("locked of another output", "continued", "warning", "locked_funding_txid", rule.PCF124, func(w *talkScene, party int) {
			w.plant(party, &wire.ChangeLocked{ChannelID: w.channelID(), LockedFundingTxid: wire.Txid(otherOutput().Txid)})
		}),
		each("locked once more", "locked", "warning", "locked_funding_txid", rule.PCF124, func(w *talkScene, party int) {
			w.plant(party, &wire.ChangeLocked{ChannelID: w.channelID(), LockedFundingTxid: wire.Txid(changeTo().Txid)})
		}),
		each("a wrong secret", "", "error", "per_commitment_secret", rule.CHAN033, func(w *talkScene, party int) {
			w.swap(party, "revoke_and_ack", func(m wire.Message) wire.Message {
				m.(*wire.Base).Payload[40] ^= 1
				return m
			})
			w.adds(party, 6, 4_000_000)
			w.run()
		}),
		[]tale{
			bad("phase 1 before the channel has moved", talkLSP, "", "refused", "update", rule.CHG001, phaseOneTooEarly(talkLSP)),
			bad("phase 1 before the channel has moved", talkClient, "", "refused", "update", rule.CHG002, phaseOneTooEarly(talkClient)),
			bad("an htlc that expires too early", talkLSP, "", "refused", "cltv_expiry", rule.PCF086, expiresTooEarly(talkLSP)),
			bad("an htlc that expires too early", talkClient, "", "refused", "cltv_expiry", rule.PCF086, expiresTooEarly(talkClient)),
		},
	)
}

// phaseOneTooEarly has the commitment of side i on the new output not arrive.
func phaseOneTooEarly(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.loses(i, "commitment_signed")
		w.moves(changeTo(), nil)
		w.wrong(i, vectors.ChannelStep{Event: "begin"})
	}
}

// expiresTooEarly is one block under the height, the early warning time and 18.
func expiresTooEarly(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		hash := talkPreimage(6)
		w.wrong(i, vectors.ChannelStep{Event: "add", HTLC: &vectors.OfferedHTLC{Amount: 1_000_000, Hash: hash[:], Expiry: 800_000 + 432 + 18 - 1}})
	}
}
