package gen

import (
	"crypto/sha256"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// changeTo is where the update of the tales takes the channel: the LSP puts
// 50,000 sat of stock into it.
func changeTo() vectors.FactoryOutput {
	txid := sha256.Sum256([]byte("superscalar vectors channel conversation change"))
	return vectors.FactoryOutput{Txid: txid[:], Index: 2, Value: 1_050_000}
}

func talkPreimage(n int) [32]byte { return sha256.Sum256([]byte{'p', byte(n)}) }

// adds has side i offer HTLC number n of the tales.
func (w *talkScene) adds(i, n int, msat vectors.Uint) {
	preimage := talkPreimage(n)
	hash := sha256.Sum256(preimage[:])
	w.happen(i, vectors.ChannelStep{Event: "add", HTLC: &vectors.OfferedHTLC{Amount: msat, Hash: hash[:], Expiry: 801_000 + uint32(n)}})
}

// fulfils has side i take HTLC number n, which has an id on the channel.
func (w *talkScene) fulfils(i, n int, id vectors.Uint) {
	preimage := talkPreimage(n)
	w.happen(i, vectors.ChannelStep{Event: "fulfil", ID: &id, Preimage: preimage[:]})
}

// bothRules are the same for both sides.
func bothRules(ids ...rule.ID) [2][]rule.ID { return [2][]rule.ID{ids, ids} }

// goodTales are told from both sides.
func goodTales() []tale {
	return []tale{
		{
			name: "open", story: storyOpen,
			rules:   [2][]rule.ID{{rule.PCF080, rule.PCF082, rule.CHAN030, rule.CHAN032}, {rule.CHAN009, rule.PCF082, rule.CHAN030, rule.CHAN032}},
			comment: "The factory is usable for the LSP first: the client keeps its channel_ready and answers when it may.",
		},
		{
			name: "pay", after: "open", story: storyPay, rules: bothRules(rule.PCF151, rule.CHAN030, rule.CHAN032),
			comment: "HTLCs both ways, fulfilled and failed, a feerate, and two HTLCs that cross and stay.",
		},
		{
			name: "change", after: "pay", story: storyChange,
			rules: bothRules(rule.PCF110, rule.PCF118, rule.PCF120, rule.PCF121, rule.PCF122, rule.PCF123, rule.PCF125, rule.PCF126, rule.PCF127, rule.PCF128, rule.PCF129,
				rule.PCF130, rule.PCF134, rule.PCF136, rule.PCF144, rule.PCF148, rule.CHG003, rule.CHG004, rule.CHG005, rule.CHG006, rule.CHG007),
			comment: "An update of the factory moves the channel with two HTLCs on it; while the poison is missing updates are signed in batches. update: the LSP has the nonces of all, a client has agreed with its own. begin: the LSP sends the aggregate nonces of phase 1, a client gives its partial signatures. sign: the LSP signs the new state. store: it is complete and stored, or the client said so. poison: that of the replaced state is.",
		},
		{
			name: "call-off", after: "pay", story: storyCallOff(talkLSP), rules: [2][]rule.ID{{rule.CHG009, rule.PCF142}, {rule.PCF141, rule.PCF142}},
			comment: "The attempt ends before its phase 1 has begun: the LSP calls the change off.",
		},
		{
			name: "call-off-of-client", after: "pay", story: storyCallOff(talkClient), rules: [2][]rule.ID{{rule.PCF141, rule.PCF142}, {rule.CHG009, rule.PCF142}},
			comment: "The same by the client.",
		},
		{
			name: "quiet-too-long", after: "pay", story: storyQuiet, only: []int{talkLSP}, rules: bothRules(rule.PCF146),
			comment: "factory_change_ack does not come: with HTLCs pending the connection ends after 60 seconds, and the channel goes on.",
		},
		{
			name: "pending-ends", after: "change", at: "pending", story: storyEnds, rules: bothRules(rule.CHG010),
			comment: "The attempt ends after its phase 1 began: nobody calls off anything.",
		},
		{
			name: "signs-again", after: "change", at: "pending", story: storySignsAgain(talkLSP), only: []int{talkLSP}, rules: bothRules(rule.PCF153),
			comment: "next_funding of the client says that it lacks the LSP's commitment_signed: that comes again.",
		},
		{
			name: "signs-again", after: "change", at: "pending", story: storySignsAgain(talkClient), only: []int{talkClient}, rules: bothRules(rule.PCF153),
			comment: "The same the other way.",
		},
		{
			name: "old-output-in-batch", after: "change", at: "locked", story: storyOldOutput(talkLSP), only: []int{talkLSP}, rules: bothRules(rule.PCF135),
			comment: "The client signs in a batch for an output that is none any more, too: that is ignored.",
		},
		{
			name: "old-output-in-batch", after: "change", at: "locked", story: storyOldOutput(talkClient), only: []int{talkClient}, rules: bothRules(rule.PCF135),
			comment: "The same the other way.",
		},
		{
			name: "continues-again", after: "change", at: "continued", story: storyContinuesAgain(talkLSP), only: []int{talkLSP}, rules: bothRules(rule.PCF157),
			comment: "factory_change_continue comes again, and once more.",
		},
		{
			name: "continues-again", after: "change", at: "continued", story: storyContinuesAgain(talkClient), only: []int{talkClient}, rules: bothRules(rule.PCF157),
			comment: "The same the other way.",
		},
	}
}

// storySignsAgain has the peer of side i not have its first commitment_signed.
func storySignsAgain(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.loses(1-i, "commitment_signed")
		lose := w.watch
		w.replaces(i, "channel_reestablish", func(m wire.Message) wire.Message {
			m.(*wire.ChannelReestablish).NextFunding.RetransmitFlags = 1
			return m
		})
		swap := w.watch
		w.watch = func(to int, raw []byte) ([]byte, bool) {
			if to == i {
				return swap(to, raw)
			}
			return lose(to, raw)
		}
		w.connects()
	}
}

// storyOldOutput has the peer of side i sign for the output that was replaced.
func storyOldOutput(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		old := wire.Txid(w.sides[i].facts.output.Txid)
		w.watch = func(to int, raw []byte) ([]byte, bool) {
			m, err := wire.Codec{}.Decode(raw)
			if c, ok := m.(*wire.CommitmentSigned); err == nil && ok && to == i {
				w.watch = nil
				w.tells(i, encoded(&wire.StartBatch{ChannelID: c.ChannelID, BatchSize: 2, MessageType: kindOf(132)}), false)
				stale := *c
				stale.FundingTxid = &old
				w.tells(i, encoded(&stale), false)
			}
			return raw, false
		}
		w.adds(1-i, 6, 4_000_000)
		w.run()
	}
}

// storyContinuesAgain tells side i more than once.
func storyContinuesAgain(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.tells(i, encoded(&wire.ChangeContinue{Outpoint: w.outpoint(changeTo())}), false)
	}
}

func storyOpen(w *talkScene) {
	w.orders("open", talkLSP)
	w.mark("signed")
	w.orders("usable", talkLSP)
	w.orders("usable", talkClient)
}

func storyPay(w *talkScene) {
	w.connects()
	w.adds(talkLSP, 0, 50_000_000)
	w.run()
	w.fulfils(talkClient, 0, 0)
	w.run()
	w.adds(talkClient, 1, 10_000_000)
	w.run()
	id := vectors.Uint(0)
	w.happen(talkLSP, vectors.ChannelStep{Event: "fail", ID: &id, Reason: make([]byte, 32)})
	w.run()
	w.happen(talkLSP, vectors.ChannelStep{Event: "feerate", Feerate: 500})
	w.run()
	w.adds(talkLSP, 2, 7_000_000)
	w.adds(talkClient, 3, 3_000_000)
	w.run()
}

func storyChange(w *talkScene) { storyChangeOf(1)(w) }

// storyChangeOf is storyChange where HTLC number 2 has an id on the channel.
func storyChangeOf(id vectors.Uint) func(w *talkScene) {
	return func(w *talkScene) { w.changes(id) }
}

func (w *talkScene) changes(id vectors.Uint) {
	w.connects()
	w.mark("connected")
	w.moves(changeTo(), nil)
	w.mark("committed")
	w.orders("begin", talkLSP)
	w.mark("begun by the lsp")
	w.orders("begin", talkClient)
	w.orders("sign", talkLSP)
	w.mark("pending")
	w.orders("store", talkLSP, talkClient)
	w.mark("continued")
	w.adds(talkLSP, 4, 9_000_000)
	w.run()
	w.fulfils(talkClient, 2, id)
	w.run()
	w.orders("poison", talkLSP, talkClient)
	w.mark("locked")
	w.adds(talkClient, 5, 2_000_000)
	w.run()
}

// storyCallOff has side i end the attempt after the channel has moved.
func storyCallOff(i int) func(w *talkScene) {
	return func(w *talkScene) {
		w.connects()
		w.moves(changeTo(), nil)
		w.orders("end", i)
		w.adds(talkLSP, 4, 9_000_000)
		w.run()
	}
}

func storyQuiet(w *talkScene) {
	w.connects()
	w.loses(talkLSP, "factory_change_ack")
	w.moves(changeTo(), nil)
	w.happen(talkLSP, vectors.ChannelStep{Event: "wait", Seconds: 60})
}

func storyEnds(w *talkScene) {
	w.orders("end", talkLSP, talkClient)
	w.connects()
	w.adds(talkLSP, 4, 9_000_000) // signed for both outputs
	w.run()
}
