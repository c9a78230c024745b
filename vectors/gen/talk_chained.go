package gen

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"superscalar/refnode/commitment"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A chain of sales that is cut through (section 8.4): the channels that the client
// bought go into its first one.

// cutTo is the output of the one channel: the sum of the three, and 20,000 sat of
// stock that the client buys with it.
func cutTo() vectors.FactoryOutput {
	txid := sha256.Sum256([]byte("superscalar vectors channel conversation cut-through"))
	return vectors.FactoryOutput{Txid: txid[:], Index: 0, Value: 170_000}
}

// cutInto are the channels that are absorbed.
var cutInto = []vectors.Uint{1, 2}

// chainedHas is what the client has in each channel before, in msat.
var chainedHas = [3]vectors.Uint{12_000_300, 9_000_400, 7_000_999}

func cutIsDone(w, _ *talkScene) error {
	if err := w.completes(cutTo(), cutInto...); err != nil {
		return err
	}
	for i, s := range w.sides {
		for n, l := range s.lines {
			if want := map[bool]string{true: "normal", false: "over"}[n == 0]; l.state() != want {
				return fmt.Errorf("channel %d of the %s is %s: %q", n, talkNames[i], l.state(), l.m.Failure)
			}
		}
	}
	const given = 12_000_300 + 9_000_000 + 7_000_000
	if has := w.sides[talkClient].m.Balance[commitment.Accepter]; has < given {
		return fmt.Errorf("the client has %d msat, it had %d", has, given)
	}
	return w.sameBalances(170_000_000 + 2*1_000) // and what fell off the satoshi in each
}

// on is an order for one channel.
func on(n int, h vectors.ChannelStep) vectors.ChannelStep {
	if n > 0 {
		h.Channel = ptr(n)
	}
	return h
}

// pays has the LSP pay the client in one channel, where it is HTLC id.
func (w *talkScene) pays(ch, n int, id vectors.Uint, msat vectors.Uint) {
	preimage := talkPreimage(n)
	hash := sha256.Sum256(preimage[:])
	w.happen(talkLSP, on(ch, vectors.ChannelStep{Event: "add", HTLC: &vectors.OfferedHTLC{Amount: msat, Hash: hash[:], Expiry: 801_000 + uint32(n)}}))
	w.run()
	w.happen(talkClient, on(ch, vectors.ChannelStep{Event: "fulfil", ID: &id, Preimage: preimage[:]}))
	w.run()
}

func storyChained(w *talkScene) {
	for n := range w.sides[0].lines {
		w.happen(talkLSP, on(n, vectors.ChannelStep{Event: "open"}))
		w.run()
	}
	for n := range w.sides[0].lines {
		w.happen(talkLSP, on(n, vectors.ChannelStep{Event: "usable"}))
		w.happen(talkClient, on(n, vectors.ChannelStep{Event: "usable"}))
		w.run()
	}
	for n, msat := range chainedHas {
		w.pays(n, n, 0, msat)
	}
}

func storyCut(w *talkScene) {
	w.connects()
	w.mark("connected")
	w.moves(cutTo(), cutInto)
	w.mark("committed")
	w.orders("begin", talkLSP)
	w.orders("begin", talkClient)
	w.mark("begun")
	w.orders("sign", talkLSP)
	w.mark("pending")
	w.orders("store", talkLSP, talkClient)
	w.mark("continued")
	w.pays(0, 4, 1, 3_000_000)
	w.orders("poison", talkLSP, talkClient)
	w.mark("locked")
	w.pays(0, 5, 2, 60_000_000) // more than any of them had
}

// storyCutAgain calls the update off and makes it again.
func storyCutAgain(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.moves(cutTo(), cutInto)
		w.orders("end", i)
		w.mark("called off")
		w.pays(1, 4, 1, 1_000_000)
		w.moves(cutTo(), cutInto)
		w.lands()
	}
}

// chainedTales are those of three channels.
func chainedTales() []tale {
	cut := bothRules(rule.CHG017, rule.CHG018, rule.CHG019, rule.CHG021, rule.CHG007, rule.PCF125, rule.PCF127)
	good := []tale{
		{
			name: "chained", root: "chained", story: storyChained, rules: bothRules(rule.CHAN030, rule.CHAN032),
			comment: "Three channels of one client, two of which it bought, each with money of both and a part of a satoshi.",
		},
		{
			name: "cut-through", after: "chained", story: storyCut, rules: cut,
			comment: "The three become one, with 20,000 sat of stock: absorbs names the channels that go into number 0. What falls off the satoshi is the LSP's.",
		},
		{
			name: "cut-through-again", after: "chained", story: storyCutAgain(talkLSP), rules: bothRules(rule.CHG022, rule.CHG009, rule.CHG026, rule.CHG017, rule.CHG021),
			comment: "The LSP calls the update off when all is committed. Both revoke what they signed on the new output, the client gets more in a channel that was to be absorbed, and the same update is made again.",
		},
		{
			name: "cut-through-called-off-by-client", after: "chained", story: storyCutAgain(talkClient), rules: bothRules(rule.CHG022, rule.CHG009, rule.CHG026, rule.CHG017, rule.CHG021),
			comment: "The same by the client.",
		},
		{
			name: "cut-through-goes-on", after: "cut-through", at: "begun", rules: bothRules(rule.CHG025, rule.CHG018),
			comment: "The attempt has ended after its phase 1 began: the channel that stays goes on, the others stay frozen, until the update is made again.",
			story: func(w *talkScene) {
				w.connects()
				w.pays(0, 4, 1, 3_000_000)
				w.moves(cutTo(), cutInto)
				w.lands()
			},
		},
	}
	return slices.Concat(good, wrongAbsorbed(), wrongFrozen(), wrongRound(), failsAll())
}

// badChained is a bad tale of three channels.
func badChained(name string, party int, after, at, kind, field string, id rule.ID, story func(w *talkScene)) tale {
	t := bad(name, party, at, kind, field, id, story)
	t.after = after
	return t
}

// cutWith makes the update with the nth message of a name to side i being wrong.
func cutWith(i int, name string, nth int, change func(w *talkScene, m wire.Message) wire.Message) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.swapNth(i, name, nth, func(m wire.Message) wire.Message { return change(w, m) })
		w.moves(cutTo(), cutInto)
		panic(fmt.Errorf("no %s number %d has arrived", name, nth))
	}
}

// wrongAbsorbed are faults in what goes from one channel to the other: the first two
// messages of a name are about channels that are absorbed, the third about the one
// that stays.
func wrongAbsorbed() []tale {
	const field = "funding_contribution_satoshis"
	part := func(sat int64) func(*talkScene, wire.Message) wire.Message {
		return func(_ *talkScene, m wire.Message) wire.Message {
			partOf(m).FundingContributionSat += sat
			return m
		}
	}
	var out []tale
	for party, message := range []string{talkLSP: "factory_change_ack", talkClient: "factory_change_init"} {
		out = append(out,
			badChained("absorbed channel keeps a satoshi of the "+talkNames[1-party], party, "chained", "", "abort", field, rule.CHG017, cutWith(party, message, 1, part(1))),
			badChained("second absorbed channel keeps a satoshi of the "+talkNames[1-party], party, "chained", "", "abort", field, rule.CHG017, cutWith(party, message, 2, part(1))),
			badChained("channel that stays gets a satoshi too much of the "+talkNames[1-party], party, "chained", "", "abort", field, rule.CHG019, cutWith(party, message, 3, part(1))),
			badChained("channel that stays gets a satoshi too little of the "+talkNames[1-party], party, "chained", "", "abort", field, rule.CHG019, cutWith(party, message, 3, part(-1))),
		)
	}
	early := badChained("channel that stays begins before what it absorbs", talkClient, "chained", "", "abort", "factory_change", rule.CHG017, func(w *talkScene) {
		w.connects()
		w.update(cutTo(), cutInto, talkClient)
		w.tells(talkClient, encoded(&wire.Stfu{ChannelID: w.channelID(), Initiator: 1}), false)
		w.plant(talkClient, &wire.ChangeInit{Change: w.changeOf(talkClient, 170_000-100_000-9_000-7_000)})
	})
	late := badChained("absorbed channel with an htlc", talkClient, "chained", "", "abort", "factory_change", rule.CHG020, func(w *talkScene) {
		w.connects()
		w.update(cutTo(), cutInto, talkClient) // now it has none
		w.happen(talkLSP, on(1, vectors.ChannelStep{Event: "add", HTLC: offered(4, 1_000_000)}))
		w.run()
		w.tells(talkClient, encoded(&wire.Stfu{ChannelID: w.sides[0].lines[1].m.ChannelID(), Initiator: 1}), false)
		part := w.changeOfLine(talkClient, 1, -9_000)
		w.plant(talkClient, &wire.ChangeInit{Change: part})
	})
	late.comment = "The HTLC came after the client had agreed to the update."
	out = append(out, early, late)
	return append(out, bothParties(func(party int) tale {
		return badChained("update that absorbs an htlc", party, "chained", "", "refused", "update", rule.CHG020, func(w *talkScene) {
			w.connects()
			w.happen(1-party, on(2, vectors.ChannelStep{Event: "add", HTLC: offered(4, 1_000_000)}))
			w.run()
			to := cutTo()
			w.wrong(party, vectors.ChannelStep{Event: "update", Output: &to, Absorbs: cutInto})
		})
	})...)
}

// changeOfLine is a side's part in the change of another channel than number 0, as its
// peer would say it.
func (w *talkScene) changeOfLine(i, n int, sat int64) wire.Change {
	s := w.sides[i]
	return wire.Change{ChannelID: s.lines[n].m.ChannelID(), FundingContributionSat: sat, FundingPubkey: s.lines[n].facts.place(s.side, s.record.at, true).Theirs}
}

// offered is an HTLC of the tales.
func offered(n int, msat vectors.Uint) *vectors.OfferedHTLC {
	preimage := talkPreimage(n)
	hash := sha256.Sum256(preimage[:])
	return &vectors.OfferedHTLC{Amount: msat, Hash: hash[:], Expiry: 801_000 + uint32(n)}
}

// addOf is an update_add_htlc.
func addOf(id wire.ChannelID, n uint64, h *vectors.OfferedHTLC) wire.Message {
	b := append([]byte{}, id[:]...)
	b = be(b, n, 8)
	b = be(b, uint64(h.Amount), 8)
	b = append(b, h.Hash...)
	b = be(b, uint64(h.Expiry), 4)
	return &wire.Base{Kind: 128, Payload: append(b, make([]byte, 1366)...)}
}

// be appends the last n bytes of an integer, the highest first.
func be(b []byte, x uint64, n int) []byte {
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(x>>(8*i)))
	}
	return b
}

// wrongFrozen are updates on a channel whose balances count in another one already.
func wrongFrozen() []tale {
	var out []tale
	for _, at := range []string{"continued", "locked"} {
		out = append(out, bothParties(func(party int) tale {
			return badChained("order on an absorbed channel that is "+at, party, "cut-through", at, "refused", "htlc", rule.CHG018, func(w *talkScene) {
				w.connects()
				w.wrong(party, on(1, vectors.ChannelStep{Event: "add", HTLC: offered(4, 1_000_000)}))
			})
		})...)
		out = append(out, bothParties(func(party int) tale {
			return badChained("htlc on an absorbed channel that is "+at, party, "cut-through", at, "warning", "update_add_htlc", rule.CHG018, func(w *talkScene) {
				w.connects()
				m := w.sides[party].lines[1].m
				w.plant(party, addOf(m.ChannelID(), uint64(m.NextID[1-party]), offered(4, 1_000_000)))
			})
		})...)
	}
	return out
}

// wrongRound are faults in the round of an absorbed channel (CHG-021).
func wrongRound() []tale {
	round := func(party int, name, field string, change func(m *wire.CommitmentSigned)) tale {
		return badChained(name, party, "cut-through", "continued", "warning", field, rule.CHG021, func(w *talkScene) {
			w.connects()
			w.orders("poison", 1-party)
			absorbed := w.sides[party].lines[1].m.ChannelID()
			w.watch = func(to int, raw []byte) ([]byte, bool) {
				m, err := wire.Codec{}.Decode(raw)
				c, ok := m.(*wire.CommitmentSigned)
				if err != nil || !ok || to != party || c.ChannelID != absorbed {
					return raw, false
				}
				change(c)
				return encoded(c), true
			}
			w.orders("poison", party)
		})
	}
	var out []tale
	for _, party := range []int{talkLSP, talkClient} {
		out = append(out,
			round(party, "round of an absorbed channel with a signature", "signature", func(m *wire.CommitmentSigned) { m.Signature[40] = 1 }),
			round(party, "round of an absorbed channel with an htlc signature", "htlc_signatures", func(m *wire.CommitmentSigned) {
				m.HTLCSignatures = []wire.Signature{{}}
			}),
		)
	}
	return out
}

// failsAll are errors without a channel id.
func failsAll() []tale {
	return bothParties(func(party int) tale {
		t := badChained("error for all channels", party, "chained", "", "leaves", "channel_id", rule.CHAN022, func(w *talkScene) {
			w.connects()
			w.plant(party, &wire.ErrorMessage{Data: []byte("enough")})
		})
		t.rules = bothRules(rule.CHAN022, rule.CHAN021)
		return t
	})
}
