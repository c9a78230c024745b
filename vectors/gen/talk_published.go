package gen

import (
	"errors"

	"github.com/btcsuite/btcd/chaincfg/chainhash"

	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// chainTales are about transactions of a channel in a block.
func chainTales() []tale {
	var out []tale
	for _, party := range []int{talkLSP, talkClient} {
		sees := func(name, at, comment string, output vectors.FactoryOutput) tale {
			after := "change"
			if at == "" {
				after = "pay"
			}
			return tale{
				name: name, after: after, at: at, only: []int{party}, rules: bothRules(rule.CHAN024), comment: comment,
				story: func(w *talkScene) {
					txid := output.Txid
					if txid == nil {
						txid = w.sides[party].facts.output.Txid
					}
					w.connects()
					w.happen(party, vectors.ChannelStep{Event: "confirmed", Txid: txid})
				},
			}
		}
		out = append(out,
			sees("output in a block", "", "confirmed: a block has the transaction with the output. The party publishes its latest commitment.", vectors.FactoryOutput{}),
			sees("old output in a block", "continued", "The output that the change replaces.", vectors.FactoryOutput{}),
			sees("new output in a block", "continued", "The output of the change.", changeTo()),
			tale{
				name: "latest commitment in a block", after: "pay", only: []int{party}, rules: bothRules(rule.CHAN025),
				comment: "spent: a block has a transaction that spends an output of the channel. It is the other side's latest commitment, and nothing of it is punished.",
				story: func(w *talkScene) {
					w.connects()
					w.happen(party, vectors.ChannelStep{Event: "spent", Tx: w.commits(1-party, w.sides[0].record.at)})
				},
			},
		)
		punished := func(name string, id rule.ID, comment string, rules []rule.ID, story func(w *talkScene, commits func(at vectors.FactoryOutput) vectors.Hex) vectors.Hex) tale {
			t := bad(name, party, "", "punished", "transaction", id, func(w *talkScene) {
				tx := story(w, func(at vectors.FactoryOutput) vectors.Hex { return w.commits(1-party, at) })
				w.wrong(party, vectors.ChannelStep{Event: "spent", Tx: tx})
			})
			t.comment, t.rules = comment, bothRules(append([]rule.ID{id}, rules...)...)
			return t
		}
		out = append(out,
			punished("revoked commitment in a block", rule.CHAN025, "It has HTLCs of both.", nil, func(w *talkScene, commits func(vectors.FactoryOutput) vectors.Hex) vectors.Hex {
				w.connects()
				tx := commits(w.sides[0].record.at)
				w.adds(talkLSP, 4, 9_000_000)
				w.run()
				return tx
			}),
			punished("revoked commitment on a replaced output in a block", rule.CHAN025, "The old state was published.", []rule.ID{rule.PCF127, rule.CHG007},
				func(w *talkScene, commits func(vectors.FactoryOutput) vectors.Hex) vectors.Hex {
					tx := commits(w.sides[0].record.at)
					storyChange(w)
					return tx
				}),
			punished("revoked commitment of a change that was called off in a block", rule.CHG026, "The same update was made again, on the same output.", []rule.ID{rule.CHAN025},
				func(w *talkScene, commits func(vectors.FactoryOutput) vectors.Hex) (tx vectors.Hex) {
					storyMadeAgain(func(*talkScene) { tx = commits(changeTo()) })(w)
					return tx
				}),
		)
		cheats := punished("revoked commitment of a cut-through that was called off in a block", rule.CHG026, "What the client had in the channels that go into this one has changed since.", []rule.ID{rule.CHG022, rule.CHAN025},
			func(w *talkScene, commits func(vectors.FactoryOutput) vectors.Hex) (tx vectors.Hex) {
				w.connects()
				w.moves(cutTo(), cutInto)
				tx = commits(cutTo())
				w.orders("end", talkLSP)
				w.pays(1, 4, 1, 1_000_000)
				w.moves(cutTo(), cutInto)
				w.orders("begin", talkLSP, talkClient)
				w.orders("sign", talkLSP)
				w.orders("store", talkLSP, talkClient)
				return tx
			})
		cheats.after = "chained"
		out = append(out, cheats)
	}
	return out
}

var errNoCommitment = errors.New("there is no such commitment")

// commits is the latest commitment of side i on an output, complete.
func (w *talkScene) commits(i int, at vectors.FactoryOutput) vectors.Hex {
	c, err := w.sides[i].m.LatestCommitment(wire.Txid(chainhash.Hash(at.Txid)))
	if err != nil {
		panic(errors.Join(errNoCommitment, err))
	}
	return transaction(c.Tx)
}
