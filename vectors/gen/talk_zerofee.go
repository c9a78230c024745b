package gen

import (
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// zeroFeeTales are those of a channel without commitment fees, whose factory limits
// what it may be used for.
func zeroFeeTales() []tale {
	out := []tale{
		{
			name: "zero-fee-open", root: "zero-fee", story: storyOpen,
			rules:   [2][]rule.ID{{rule.PCF080, rule.PCF082, rule.CHAN030, rule.CHAN032}, {rule.CHAN009, rule.PCF082, rule.CHAN030, rule.CHAN032}},
			comment: "zero_fee_commitments, with limits: until is the height from which on no HTLC is offered, max_exposure_msat what HTLCs towards the client may sum to.",
		},
		{
			name: "zero-fee-pay", after: "zero-fee-open", story: storyPayZeroFee, rules: [2][]rule.ID{{rule.CHAN030, rule.CHAN032}, {rule.CHAN030, rule.CHAN032, rule.CHAN012}},
			comment: "The client fails the HTLC that would bring what it risks above its limit. compare: failure: the same but for reason, which is free.",
		},
		{
			name: "zero-fee-change", after: "zero-fee-pay", story: storyChangeOf(2),
			rules: bothRules(rule.PCF120, rule.PCF121, rule.PCF125, rule.PCF127, rule.PCF129, rule.PCF130, rule.PCF134, rule.PCF136, rule.PCF144, rule.CHG007),
		},
		{
			name: "offers-until-the-factory-ends", after: "zero-fee-pay", rules: bothRules(rule.CHAN011),
			comment: "One block before no HTLC may be offered any more.",
			story: func(w *talkScene) {
				w.connects()
				w.blocks(800_099)
				w.adds(talkLSP, 4, 1_000_000)
				w.adds(talkClient, 5, 1_000_000)
				w.run()
			},
		},
		{
			name: "shuts-down", after: "zero-fee-open", rules: bothRules(rule.CHAN020),
			comment: "Both sides say shutdown, and nobody closing_signed: the output is not on the chain.",
			story: func(w *talkScene) {
				w.connects()
				w.orders("shutdown", talkClient)
			},
		},
	}
	for party, expiry := range []uint32{talkLSP: 801_002, talkClient: 801_003} {
		out = append(out, tale{
			name: "htlc comes close", after: "zero-fee-pay", only: []int{party}, rules: bothRules(rule.CHAN010),
			comment: "The HTLC that the party offered is still there when the early warning time before its expiry begins.",
			story: func(w *talkScene) {
				w.connects()
				for _, height := range []uint32{expiry - 432 - 1, expiry - 432, expiry - 432 + 1} {
					w.happen(party, vectors.ChannelStep{Event: "block", Height: height})
				}
			},
		})
	}
	return append(out, wrongZeroFee()...)
}

// blocks is a new best block for both.
func (w *talkScene) blocks(height uint32) {
	for _, i := range []int{talkLSP, talkClient} {
		w.happen(i, vectors.ChannelStep{Event: "block", Height: height})
	}
}

func storyPayZeroFee(w *talkScene) {
	w.connects()
	w.adds(talkLSP, 0, 15_000_000)
	w.run()
	w.fulfils(talkClient, 0, 0)
	w.run()
	w.adds(talkClient, 1, 10_000_000)
	w.run()
	id := vectors.Uint(0)
	w.happen(talkLSP, vectors.ChannelStep{Event: "fail", ID: &id, Reason: make([]byte, 32)})
	w.run()
	w.adds(talkLSP, 1, 20_000_001) // above its exposure
	w.run()
	w.adds(talkLSP, 2, 7_000_000)
	w.adds(talkClient, 3, 3_000_000)
	w.run()
}

// wrongZeroFee are faults on such a channel.
func wrongZeroFee() []tale {
	on := func(name string, party int, after, kind, field string, id rule.ID, story func(w *talkScene)) tale {
		t := bad(name, party, "", kind, field, id, story)
		t.after = after
		return t
	}
	feerate := on("feerate on commitments without a fee", talkClient, "zero-fee-pay", "warning", "update_fee", rule.CHAN034, func(w *talkScene) {
		w.connects()
		id := w.channelID()
		w.plant(talkClient, &wire.Base{Kind: 134, Payload: be(id[:], 500, 4)})
	})
	feerate.allows = []string{"ignored"}
	inChange := on("feerate on commitments without a fee in a change", talkClient, "zero-fee-change", "warning", "update_fee", rule.CHAN034, func(w *talkScene) {
		w.connects()
		id := w.channelID()
		w.plant(talkClient, &wire.Base{Kind: 134, Payload: be(id[:], 253, 4)})
	})
	inChange.at, inChange.allows = "continued", []string{"ignored"}
	out := []tale{feerate, inChange}
	out = append(out, bothParties(func(party int) tale {
		return on("htlc when the factory ends", party, "zero-fee-pay", "refused", "htlc", rule.CHAN011, func(w *talkScene) {
			w.connects()
			w.blocks(800_100)
			w.wrong(party, vectors.ChannelStep{Event: "add", HTLC: offered(4, 1_000_000)})
		})
	})...)
	atClient := on("closing_signed inside a factory", talkClient, "zero-fee-open", "warning", "closing_signed", rule.CHAN020, func(w *talkScene) {
		w.connects()
		w.swap(talkClient, "closing_signed", func(m wire.Message) wire.Message {
			b := m.(*wire.Base)
			b.Payload = b.Payload[:32+8+64] // fee_range is the sender's own choice
			return b
		})
		w.orders("shutdown", talkLSP)
	})
	atClient.without[talkLSP] = rule.Without(rule.CHAN020)
	atLSP := on("closing_signed inside a factory", talkLSP, "zero-fee-open", "warning", "closing_signed", rule.CHAN020, func(w *talkScene) {
		w.connects()
		w.orders("shutdown", talkLSP)
		id := w.channelID()
		w.plant(talkLSP, &wire.Base{Kind: 39, Payload: append(be(id[:], 183, 8), make([]byte, 64)...)})
	})
	out = append(out, atLSP, atClient)
	out = append(out, bothParties(func(party int) tale {
		return on("change of a channel that is shut down", party, "zero-fee-open", "refused", "change", rule.PCF111, func(w *talkScene) {
			w.connects()
			w.orders("shutdown", talkLSP)
			w.wrong(party, vectors.ChannelStep{Event: "change"})
		})
	})...)
	return append(out, bothParties(func(party int) tale {
		return on("zero fee first signature wrong", party, "zero-fee-pay", "warning", "signature", rule.CHAN032,
			negotiates(party, "commitment_signed", func(_ *talkScene, m wire.Message) { m.(*wire.CommitmentSigned).Signature[40] ^= 1 }))
	})...)
}
