package gen

import (
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Where money could be taken in a change of the factory, and where a channel lives as
// long as its factory.

func moneyTales() []tale {
	return slices.Concat(otherBalances(), untouched(), lateHTLCs(), endsOfChannels(), keptChannels(), failedTales())
}

// otherBalances are attempts at one update with different balances (CHG-022, CHG-027,
// CHG-028).
func otherBalances() []tale {
	bought := func(w *talkScene) { // the first attempt absorbs nothing
		w.connects()
		w.moves(cutTo(), nil)
		w.orders("end", talkLSP)
	}
	// withheld has the LSP go on with a change instead of revoking what the round signs.
	withheld := func(w *talkScene) {
		w.loses(talkClient, "revoke_and_ack")
		w.run()
		w.watch = nil
		w.queue[talkClient] = nil
		w.tells(talkClient, encoded(&wire.Stfu{ChannelID: w.channelID(), Initiator: 1}), false)
		w.plant(talkClient, &wire.ChangeInit{Change: w.changeOf(talkClient, 170_000-100_000-9_000-7_000)})
	}
	out := []tale{
		{
			name: "bought-before-cut-through", after: "chained", rules: bothRules(rule.CHG027, rule.CHG026),
			comment: "An update that gives the client stock is called off, and the one that cuts the chain through has the same output: what was signed there is revoked before the next stfu. The LSP, which is asked too early, is asked again.",
			story: func(w *talkScene) {
				bought(w)
				w.moves(cutTo(), cutInto) // the LSP has to wait
				w.update(cutTo(), cutInto, talkLSP)
				w.run()
				w.orders("begin", talkLSP, talkClient)
			},
		},
		{
			name: "absorbed-called-off-alone", after: "chained", only: []int{talkClient}, rules: bothRules(rule.CHG028),
			comment: "The LSP calls the change of one absorbed channel off and makes it again, with the same balances.",
			story: func(w *talkScene) {
				w.alone(0)
				w.happen(talkClient, vectors.ChannelStep{Event: "begin"})
			},
		},
	}
	took := badChained("absorbed channel that is called off alone and paid in", talkClient, "chained", "", "refused", "update", rule.CHG028, func(w *talkScene) {
		w.alone(1_000_000)
		w.wrong(talkClient, vectors.ChannelStep{Event: "begin"})
	})
	took.bad.Guilty = talkNames[talkLSP]
	took.comment = "The channel that stays takes what the client had before it was paid."
	early := badChained("init before what was signed on the same output is revoked", talkClient, "chained", "", "warning", "factory_change", rule.PCF112, func(w *talkScene) {
		bought(w)
		w.happen(talkClient, vectors.ChannelStep{Event: "update", Output: ptrTo(cutTo()), Absorbs: cutInto})
		withheld(w)
	})
	early.rules = bothRules(rule.PCF112, rule.CHG027)
	round := badChained("init before the round of a change that was called off", talkClient, "chained", "", "warning", "factory_change", rule.PCF112, func(w *talkScene) {
		w.connects()
		w.moves(cutTo(), cutInto)
		w.loses(talkClient, "revoke_and_ack")
		w.orders("end", talkLSP)
		w.happen(talkClient, vectors.ChannelStep{Event: "update", Output: ptrTo(cutTo()), Absorbs: cutInto})
		withheld(w)
	})
	round.rules = bothRules(rule.PCF112, rule.CHG022)
	again := badChained("update before the round of a change that was called off", talkLSP, "chained", "", "refused", "update", rule.CHG012, func(w *talkScene) {
		w.connects()
		w.moves(cutTo(), cutInto)
		w.loses(talkLSP, "revoke_and_ack")
		w.orders("end", talkLSP)
		w.wrong(talkLSP, vectors.ChannelStep{Event: "update", Output: ptrTo(cutTo()), Absorbs: cutInto})
	})
	again.rules = bothRules(rule.CHG012, rule.CHG022)
	return append(out, took, early, round, again)
}

func ptrTo(o vectors.FactoryOutput) *vectors.FactoryOutput { return &o }

// alone has the LSP call the change of an absorbed channel off alone, pay some msat in
// it, and begin the change again: what no role does.
func (w *talkScene) alone(msat vectors.Uint) {
	w.connects()
	w.moves(cutTo(), cutInto)
	absorbed := w.sides[talkLSP].lines[1].m
	w.does(talkLSP, func() error { return absorbed.AbortChange("alone") })
	if msat > 0 {
		w.pays(1, 4, 1, msat)
	}
	w.does(talkLSP, func() error {
		whole, _ := absorbed.Whole()
		return absorbed.StartChange(-whole[commitment.Opener], nil)
	})
}

// does has side i do something that is written down of the other side alone.
func (w *talkScene) does(i int, order func() error) {
	var err error
	r := w.sides[i].settle(func() { err = order() })
	if err != nil {
		panic(fmt.Errorf("what the other side does: %w", err))
	}
	for _, m := range r.sends {
		w.queue[1-i] = append(w.queue[1-i], encoded(m))
	}
	w.run()
}

// untouched are sales, which move no channel (CHG-011), and updates, which move all
// (CHG-013).
func untouched() []tale {
	sale := func(w *talkScene) {
		w.happen(talkLSP, vectors.ChannelStep{Event: "open"})
		w.run()
		w.orders("usable", talkLSP, talkClient)
		w.adds(talkLSP, 0, 12_000_000)
		w.run()
		w.happen(talkLSP, on(1, vectors.ChannelStep{Event: "open"}))
		w.run()
	}
	as := func() vectors.FactoryOutput { // as large as it is
		to := changeTo()
		to.Value = 1_000_000
		return to
	}
	touched := badChained("change of a channel for a sale", talkClient, "", "", "abort", "factory_change", rule.PCF114, func(w *talkScene) {
		sale(w)
		w.tells(talkClient, encoded(&wire.Stfu{ChannelID: w.channelID(), Initiator: 1}), false)
		w.plant(talkClient, &wire.ChangeInit{Change: w.changeOf(talkClient, -20_000)})
	})
	touched.root, touched.rules = "chained", bothRules(rule.PCF114, rule.CHG011)
	left := bad("phase 1 without a channel that stays as large", talkLSP, "", "refused", "update", rule.CHG001, func(w *talkScene) {
		w.connects()
		w.loses(talkLSP, "stfu")
		w.moves(as(), nil)
		w.wrong(talkLSP, vectors.ChannelStep{Event: "begin"})
	})
	left.rules = bothRules(rule.CHG001, rule.CHG013)
	return []tale{
		{
			name: "sale", root: "chained", rules: bothRules(rule.CHG011),
			comment: "The client buys a channel, number 1, while an HTLC is pending in number 0.",
			story: func(w *talkScene) {
				sale(w)
				for _, i := range []int{talkLSP, talkClient} {
					w.happen(i, on(1, vectors.ChannelStep{Event: "usable"}))
				}
				w.run()
				w.fulfils(talkClient, 0, 0)
				w.run()
			},
		},
		{
			name: "moves-as-large", after: "pay", rules: bothRules(rule.CHG013, rule.CHG004),
			comment: "The update leaves the channel as large as it was: it moves all the same.",
			story: func(w *talkScene) {
				w.connects()
				w.moves(as(), nil)
			},
		},
		touched, left,
	}
}

// lateHTLCs are HTLCs that are failed once they are committed: what comes when the
// factory ends (CHG-030), or above what a client may lose (CHAN-012).
func lateHTLCs() []tale {
	// commits is the revoke_and_ack with which an HTLC of the other side is committed.
	commits := func(w *talkScene, party int, msat vectors.Uint) {
		w.swap(party, "revoke_and_ack", func(m wire.Message) wire.Message { return m })
		w.adds(1-party, 4, msat)
		w.run()
	}
	out := bothParties(func(party int) tale {
		return tale{
			name: "htlc committed when the factory ends", after: "zero-fee-pay", only: []int{party}, rules: bothRules(rule.CHG030, rule.CHAN011),
			comment: "It was offered one block before.",
			story: func(w *talkScene) {
				w.connects()
				w.blocks(800_099)
				w.adds(1-party, 4, 1_000_000)
				w.happen(party, vectors.ChannelStep{Event: "block", Height: 800_100})
				w.run()
			},
		}
	})
	out = append(out, bothParties(func(party int) tale {
		t := bad("htlc offered when the factory ends", party, "", "failed", "height", rule.CHG030, func(w *talkScene) {
			w.connects()
			w.blocks(800_100)
			commits(w, party, 1_000_000)
		})
		t.after, t.without[1-party] = "zero-fee-pay", rule.Without(rule.CHAN011)
		t.comment = "The fault is in the step that commits it."
		return t
	})...)
	much := bad("htlc above the exposure of the client", talkClient, "", "failed", "amount_msat", rule.CHAN012, func(w *talkScene) {
		w.connects()
		commits(w, talkClient, 13_000_001)
	})
	much.after, much.comment = "zero-fee-pay", "With the HTLC of 7,000,000 msat that is pending it is 1 msat too much. The fault is in the step that commits it."
	return append(out, much, tale{
		name: "htlc at the exposure of the client", after: "zero-fee-pay", rules: bothRules(rule.CHAN012),
		story: func(w *talkScene) {
			w.connects()
			w.adds(talkLSP, 4, 13_000_000)
			w.run()
		},
	})
}

// endsOfChannels are about HTLCs that come close, outputs in blocks, and channels that
// are not there any more.
func endsOfChannels() []tale {
	var out []tale
	for party, expiry := range []uint32{talkLSP: 801_002, talkClient: 801_003} {
		t := bad("htlc that is still there", party, "", "leaves", "cltv_expiry", rule.CHAN010, func(w *talkScene) {
			w.connects()
			w.wrong(party, vectors.ChannelStep{Event: "block", Height: expiry - 432})
		})
		t.after, t.rules = "zero-fee-pay", bothRules(rule.CHAN010, rule.PCF071)
		t.comment = "The early warning time is that of open_channel, after a restart, too."
		out = append(out, t)
	}
	return append(out, slices.Concat(
		bothParties(func(party int) tale {
			t := bad("output in a block while a change is committed", party, "", "published", "txid", rule.CHAN024, func(w *talkScene) {
				w.connects()
				w.moves(changeTo(), nil)
				w.wrong(party, vectors.ChannelStep{Event: "confirmed", Txid: w.sides[party].facts.output.Txid})
			})
			t.bad.Guilty = "chain"
			return t
		}),
		bothParties(func(party int) tale {
			t := bad("channel_ready when the attempt is over", party, "signed", "error", "channel_id", rule.CHAN008, func(w *talkScene) {
				w.connects()
				w.orders("drop", party)
				w.swap(party, "channel_ready", func(m wire.Message) wire.Message { return m })
				w.orders("usable", 1-party)
			})
			t.after = "open"
			return t
		}),
		bothParties(func(party int) tale {
			return bad("channel_reestablish of a forgotten channel", party, "", "error", "channel_id", rule.PCF092, func(w *talkScene) {
				w.orders("forget", party)
				w.swap(party, "channel_reestablish", func(m wire.Message) wire.Message { return m })
				w.connects()
			})
		}),
	)...)
}

// keptChannels live as long as their factory may come.
func keptChannels() []tale {
	out := bothParties(func(party int) tale {
		t := bad("stfu before channel_ready after 2016 blocks", party, "signed", "warning", "stfu", rule.PCF166, func(w *talkScene) {
			w.connects()
			w.blocks(800_000 + 2_016)
			w.plant(party, &wire.Stfu{ChannelID: w.channelID(), Initiator: 1})
		})
		t.after = "open"
		t.rules = bothRules(rule.PCF166, []rule.ID{talkLSP: rule.PCF095, talkClient: rule.PCF083}[party])
		t.comment = "The channel is there: else the answer would be an error."
		return t
	})
	return append(out, tale{
		name: "offers-at-the-limit", after: "pay", rules: bothRules(rule.PCF071, rule.PCF086),
		comment: "An HTLC that leaves the early warning time and 18 blocks, after a restart.",
		story: func(w *talkScene) {
			w.connects()
			for _, i := range []int{talkLSP, talkClient} {
				preimage := talkPreimage(6 + i)
				w.happen(i, vectors.ChannelStep{Event: "add", HTLC: &vectors.OfferedHTLC{Amount: 1_000_000, Hash: preimage[:], Expiry: 800_000 + 432 + 18}})
			}
			w.run()
		},
	})
}
