package gen

import (
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// wrongOpening are faults between accept_channel and channel_ready.
func wrongOpening() []tale {
	opening := func(party int, message, field string, name string, id rule.ID, at int) tale {
		t := bad(name, party, "", "error", field, id, func(w *talkScene) {
			w.swap(party, message, func(m wire.Message) wire.Message {
				b := m.(*wire.Base)
				b.Payload[at] ^= 1
				return b
			})
			w.orders("open", talkLSP)
		})
		t.after = ""
		return t
	}
	const txid, index, sig = 32, 32 + 32 + 1, 32 + 34 + 40
	return []tale{
		opening(talkClient, "funding_created", "funding_txid", "funding_created of another transaction", rule.CHAN007, txid),
		opening(talkClient, "funding_created", "funding_output_index", "funding_created of another index", rule.CHAN007, index),
		opening(talkClient, "funding_created", "signature", "signature of funding_created", rule.CHAN032, sig),
		opening(talkLSP, "funding_signed", "signature", "signature of funding_signed", rule.CHAN032, 32+40),
	}
}

// wrongBatches are batches, of an HTLC that is fulfilled while a change is
// continued and not locked, with one thing wrong.
func wrongBatches() []tale {
	var out []tale
	for _, c := range []struct {
		name, message, field, kind string
		nth                        int // of the messages of that name
		rule                       rule.ID
		change                     func(w *talkScene, m wire.Message) wire.Message
	}{
		{"batch of 21", "start_batch", "batch_size", "warning", 1, rule.PCF131, func(_ *talkScene, m wire.Message) wire.Message {
			m.(*wire.StartBatch).BatchSize = 21
			return m
		}},
		{"batch with a message for another channel", "commitment_signed", "channel_id", "warning", 2, rule.PCF131, func(_ *talkScene, m wire.Message) wire.Message {
			m.(*wire.CommitmentSigned).ChannelID[0] ^= 1
			return m
		}},
		{"batch with something in between", "commitment_signed", "start_batch", "warning", 2, rule.PCF131, func(w *talkScene, _ wire.Message) wire.Message {
			return &wire.ChangeContinue{Outpoint: w.outpoint(changeTo())}
		}},
		{"batch without a funding_txid", "commitment_signed", "funding_txid", "error", 2, rule.PCF133, func(_ *talkScene, m wire.Message) wire.Message {
			m.(*wire.CommitmentSigned).FundingTxid = nil
			return m
		}},
		{"batch that lacks an output", "commitment_signed", "funding_txid", "error", 2, rule.PCF133, func(_ *talkScene, m wire.Message) wire.Message {
			other := wire.Txid(otherOutput().Txid)
			m.(*wire.CommitmentSigned).FundingTxid = &other
			return m
		}},
		{"batch with one output twice", "commitment_signed", "funding_txid", "error", 2, rule.PCF133, func(w *talkScene, m wire.Message) wire.Message {
			first := w.sides[0].m.Fundings[0].Txid
			m.(*wire.CommitmentSigned).FundingTxid = &first
			return m
		}},
		{"batch with a wrong signature", "commitment_signed", "signature", "warning", 2, rule.CHAN032, func(_ *talkScene, m wire.Message) wire.Message {
			m.(*wire.CommitmentSigned).Signature[40] ^= 1
			return m
		}},
	} {
		out = append(out, bothParties(func(party int) tale {
			return bad(c.name, party, "continued", c.kind, c.field, c.rule, func(w *talkScene) {
				w.connects()
				w.swapNth(party, c.message, c.nth, func(m wire.Message) wire.Message { return c.change(w, m) })
				w.answers(1 - party)
				w.run()
			})
		})...)
	}
	for _, c := range []struct {
		name string
		rule rule.ID
		with *wire.StartBatch // in place of start_batch; nil: none
	}{
		{"update signed without a batch", rule.PCF133, nil},
		{"batch of 1", rule.PCF132, &wire.StartBatch{BatchSize: 1, MessageType: kindOf(132)}},
		{"batch without a type", rule.PCF132, &wire.StartBatch{BatchSize: 2}},
		{"batch of another type", rule.PCF132, &wire.StartBatch{BatchSize: 2, MessageType: kindOf(133)}},
	} {
		out = append(out, bothParties(func(party int) tale {
			t := bad(c.name, party, "continued", "error", "start_batch", c.rule, ignoredBatch(party, c.with))
			t.rules = bothRules(slices.Compact([]rule.ID{c.rule, rule.PCF133})...)
			if c.rule == rule.PCF132 {
				t.comment = "What start_batch says is ignored, so that the first commitment_signed stands alone."
			}
			return t
		})...)
	}
	return out
}

// answers has side i fulfil the HTLC of the other that is pending.
func (w *talkScene) answers(i int) {
	w.fulfils(i, []int{talkLSP: 3, talkClient: 2}[i], 1)
}

// kindOf is a message_type of start_batch.
func kindOf(n uint16) *uint16 { return &n }

// ignoredBatch replaces start_batch by one that is ignored; the first
// commitment_signed behind it is the fault.
func ignoredBatch(party int, with *wire.StartBatch) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.watch = func(to int, raw []byte) ([]byte, bool) {
			name := talkMessage(raw).Name
			switch {
			case to != party || name != "start_batch" && name != "commitment_signed":
				return raw, false
			case name == "commitment_signed":
				return raw, true
			case with == nil:
				return nil, false
			}
			m := *with
			m.ChannelID = w.channelID()
			return encoded(&m), false
		}
		w.answers(1 - party)
		w.run()
	}
}

// swapNth is swap for the nth message of a name.
func (w *talkScene) swapNth(i int, name string, nth int, change func(m wire.Message) wire.Message) {
	w.watch = func(to int, raw []byte) ([]byte, bool) {
		if to != i || talkMessage(raw).Name != name {
			return raw, false
		}
		if nth--; nth != 0 {
			return raw, false
		}
		m, err := wire.Codec{}.Decode(raw)
		if err != nil {
			panic(err)
		}
		return encoded(change(m)), true
	}
}

// wrongReconnects are faults in channel_reestablish.
func wrongReconnects() []tale {
	var out []tale
	other := wire.FundingState{Txid: wire.Txid(otherOutput().Txid)}
	for _, c := range []struct {
		name, at, kind, field string
		rule                  rule.ID
		change                func(m *wire.ChannelReestablish)
	}{
		{"next_funding of both differs", "pending", "error", "next_funding", rule.PCF155, func(m *wire.ChannelReestablish) { m.NextFunding = &other }},
		{"next_funding that nobody knows", "", "abort", "next_funding", rule.PCF154, func(m *wire.ChannelReestablish) { m.NextFunding = &other }},
		{"next_funding that is in use", "", "ignored", "next_funding", rule.PCF159, func(m *wire.ChannelReestablish) {
			m.NextFunding = &wire.FundingState{Txid: m.MyCurrentFundingLocked.Txid, RetransmitFlags: 1}
		}},
		{"proof that this side fell behind", "", "error", "next_revocation_number", rule.CHAN023, nil},
	} {
		both := bothParties
		if c.rule == rule.PCF155 { // a client goes on by itself (CHG-025)
			both = func(tell func(party int) tale) []tale { return []tale{tell(talkLSP)} }
		}
		out = append(out, both(func(party int) tale {
			return bad(c.name, party, c.at, c.kind, c.field, c.rule, func(w *talkScene) {
				w.swap(party, "channel_reestablish", func(m wire.Message) wire.Message {
					r := m.(*wire.ChannelReestablish)
					if c.change != nil {
						c.change(r)
						return r
					}
					s := w.sides[party]
					r.NextRevocationNumber = uint64(s.m.LocalNumber) + 2
					r.YourLastPerCommitmentSecret = s.facts.keys[party].Seed.Secret(s.m.LocalNumber + 1)
					return r
				})
				w.connects()
			})
		})...)
	}
	return out
}
