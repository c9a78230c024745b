package conformance

import (
	"encoding/binary"
	"slices"

	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.4: a chain of sales that is cut through. A client's two channels in a ps leaf
// become one.

func absorbCases() []harness.Case {
	lsp, client := harness.Role(node.LSP), harness.Role(node.Client)
	var cases []harness.Case
	holding := func(msat uint64, name, summary string, body func(func() *absorbing), id rule.ID) {
		cases = append(cases,
			leafCase(lsp, name, "An LSP"+summary, func(p *harness.Play) { body(func() *absorbing { return absorbingOfLSP(p, msat) }) }, id),
			leafCase(client, name, "A client"+summary, func(p *harness.Play) { body(func() *absorbing { return absorbingOfClient(p, msat) }) }, id))
	}
	both := func(name, summary string, body func(func() *absorbing), id rule.ID) {
		holding(soldMsat, name, summary, body, id)
	}
	both("absorbed-is-emptied", " takes its whole balance out of a channel that is absorbed, and lets its peer leave nothing there.", absorbedIsEmptied, rule.CHG017)
	both("absorbed-is-frozen", " takes no update on a channel that is absorbed.", absorbedIsFrozen, rule.CHG018)
	both("absorbed-is-contributed", " contributes what it takes out of absorbed channels to the one that stays, and no satoshi is lost.", absorbedIsContributed, rule.CHG019)
	both("absorbed-without-htlcs", " absorbs no channel with an HTLC.", absorbedWithoutHTLCs, rule.CHG020)
	both("absorbed-round", " revokes what is on the old output of a channel that is absorbed.", absorbedRound, rule.CHG021)
	both("absorbed-is-over", " refuses to shut down a channel that was absorbed.", absorbedIsOver, rule.PCF170)
	both("absorbed-called-off", " revokes its peer's commitment on the current output after a cut-through is called off, before the next one.", absorbedCalledOff, rule.CHG022)
	holding(0, "absorbed-called-off-empty", " revokes that commitment too when the client had nothing in the absorbed channel.", absorbedCalledOff, rule.CHG022)
	both("absorbed-kept", " that sees the last commitment of an absorbed channel on the old output of its sale takes what the revocation gives it.", absorbedPunished, rule.PCF127)
	return append(cases, leafCase(client, "absorbed-poisoned", "A client that sees the old output of an absorbed channel confirmed publishes its poison.", absorbedPoisoned, rule.POI007))
}

// absorbing is updating where client 0 has a second channel, which a sale made.
type absorbing struct {
	*updating
	sold   *harness.Channel
	has    uint64 // msat of the client in it
	before uint64 // and in the channel that stays
}

// Amounts of these cases: what is sold, and what the client has in that channel in most.
const (
	chainedSat = 20_000
	soldMsat   = 12_000_300

	betweenMsat = 5_000_300 // what it is paid there after an update was called off
)

func absorbingOfClient(p *harness.Play, msat uint64) *absorbing {
	m := movingOfClient(p)
	m.lsp.MustChange("a sale", func() { m.lsp.Sell(0, chainedSat) })
	m.lsp.Leaf.Use()
	a := &absorbing{updating: m, sold: m.lsp.Leaf.List[1]}
	a.paidInto(msat)
	return a
}

// absorbingOfLSP fills the first channel, so that the next payment takes the second.
func absorbingOfLSP(p *harness.Play, msat uint64) *absorbing {
	m := movingOfLSP(p)
	m.pays(95_000_000)
	m.clients.Sell(0, chainedSat, false)
	m.clients.MustSay("a sale", m.clients.Channels(0) == 2)
	for _, l := range m.clients.Leaf {
		l.Use()
	}
	a := &absorbing{updating: m, sold: m.clients.Leaf[0].List[1]}
	a.paidInto(msat)
	return a
}

// paidInto moves msat to the client in the channel of the sale.
func (a *absorbing) paidInto(msat uint64) {
	a.sold.MustBeUp("the channel of a sale is used")
	if msat > 0 {
		(&leaf{p: a.p, ch: a.sold}).pays(msat)
		a.has += msat
	}
	a.p.Check(a.p.Case.Rules[0], uint64(a.sold.M.Balance[commitment.Accepter]), gomega.Equal(a.has), "control: what the client has in the channel of the sale")
	a.before = uint64(a.ch.M.Balance[commitment.Accepter])
}

// one requires that the channels became one, to the last satoshi.
func (a *absorbing) one(id rule.ID) bool {
	m := a.ch.M
	ok := a.sold.M.Ended() && m.Settled(a.ch.Output()) && m.Value() == 100_000+chainedSat+movedSat
	return a.p.Check(id, ok, gomega.BeTrue(), "control: the channels become one") &&
		a.p.Check(id, uint64(m.Balance[commitment.Accepter]), gomega.Equal(a.before+a.has/1000*1000), "the client has what it had in both, in whole satoshis") &&
		a.p.Check(id, uint64(m.Balance[0]+m.Balance[1]), gomega.Equal(uint64(1000*(100_000+chainedSat+movedSat))), "nothing is lost")
}

// bentOn is an update in which the suite's contribution to one channel is a satoshi more
// than it should be: the target calls that off.
func (a *absorbing) bentOn(id rule.ID, ch *harness.Channel) {
	from := len(ch.Log)
	ch.Bend = func(x wire.Message) []wire.Message {
		switch x := x.(type) {
		case *wire.ChangeInit:
			x.Change.FundingContributionSat++
		case *wire.ChangeAck:
			x.Change.FundingContributionSat++
		}
		return []wire.Message{x}
	}
	a.update()
	ch.Bend = nil
	ch.Want(id, from, "factory_change_abort", true)
	a.end()
}

func absorbedIsEmptied(begin func() *absorbing) {
	a := begin()
	a.update() // the suite's side compares what the target takes out
	a.one(rule.CHG017)
	a = begin()
	a.bentOn(rule.CHG017, a.sold)
}

func absorbedIsContributed(begin func() *absorbing) {
	a := begin()
	a.update() // the suite's side compares the target's contribution
	if a.one(rule.CHG019) {
		a.pays(5_000_000)
	}
	a = begin()
	a.bentOn(rule.CHG019, a.ch)
}

// absorbedIsFrozen adds an HTLC when the channel is continued and not locked.
func absorbedIsFrozen(begin func() *absorbing) {
	a := begin()
	a.hold(2, wire.TypePartials)
	from := len(a.sold.Log)
	a.update()
	a.sold.Want(rule.CHG018, from, "factory_change_continue", true)
	a.sold.Provoke(rule.CHG018, &wire.Base{Kind: 128, Payload: addOn(a.sold)}, "an HTLC on a channel that is absorbed", harness.WarnedClosed)
}

// addOn is the payload of an update_add_htlc on a channel.
func addOn(ch *harness.Channel) []byte {
	id := ch.M.ID
	b := append([]byte{}, id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(ch.M.NextID[ch.M.Side]))
	b = append(b, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40) // 1,000,000 msat
	b = append(b, make([]byte, 32)...)             // payment_hash
	b = append(b, 0, 0, 0x10, 0)                   // cltv_expiry
	return append(b, make([]byte, 1366)...)        // the onion
}

func absorbedWithoutHTLCs(begin func() *absorbing) {
	a := begin()
	if a.clients != nil {
		a.sold.Offered(4_000_000)
		a.update()
		for i := range 2 {
			a.p.Check(rule.CHG020, ofType[*wire.Update](a.clients.Got[i]), gomega.BeEmpty(), "no update absorbs a channel with an HTLC")
		}
		return
	}
	a.sold.Offered(4_000_000)
	a.lsp.Leaf.Rules = rule.Without(rule.CHG020)
	a.update()
	a.lsp.Refused(rule.CHG020, "an update that absorbs a channel with an HTLC", wire.ReasonRefused)
}

// absorbedRound looks at the one commitment_signed on an output without a commitment.
func absorbedRound(begin func() *absorbing) {
	a := begin()
	from := len(a.sold.Log)
	a.update()
	if !a.one(rule.CHG021) {
		return
	}
	signed := 0
	for _, x := range a.sold.Log[from:] {
		if c, ok := x.(*wire.CommitmentSigned); ok {
			signed++
			a.p.Check(rule.CHG021, c.Signature == wire.Signature{} && len(c.HTLCSignatures) == 0, gomega.BeTrue(), "the signature is zeros: there is no commitment")
		}
	}
	a.p.Check(rule.CHG021, signed, gomega.Equal(1), "one commitment_signed in the absorbed channel")
	a.sold.Want(rule.CHG021, from, "revoke_and_ack", true)
}

// absorbedIsOver shuts down a channel that holds nothing any more.
func absorbedIsOver(begin func() *absorbing) {
	a := begin()
	a.update()
	if !a.one(rule.PCF170) {
		return
	}
	id := a.sold.M.ID
	script := append([]byte{0, 22, 0, 20}, make([]byte, 20)...)
	a.sold.Provoke(rule.PCF170, &wire.Base{Kind: 38, Payload: append(id[:], script...)}, "shutdown of a channel that was absorbed", harness.WarnedClosed)
}

// absorbedCalledOff ends the update when both channels are committed, and moves money in the
// absorbed one: the update that is made again has other balances on the same outpoint.
func absorbedCalledOff(begin func() *absorbing) {
	a := begin()
	a.hold(1, wire.TypeNonces)
	a.update()
	from := len(a.ch.Log)
	a.end()
	a.ch.Want(rule.CHG022, from, "factory_change_abort", true)
	if a.ch.Want(rule.CHG022, from, "commitment_signed", true) {
		a.p.Check(rule.CHG022, a.ch.M.LocalNumber > channel.Number(0) && a.ch.M.Settled(a.ch.Output()), gomega.BeTrue(), "control: the channel goes on where it was")
	}
	if a.clients != nil {
		a.release() // the answer that the LSP waits for (CER-045)
	}
	a.paidInto(betweenMsat)
	a.update()
	a.one(rule.CHG022)
}

// surface publishes the leaf that a cut-through replaced, and the sale of the channel that it
// absorbed, past what the target does against it: the miners of these blocks help the suite.
// It returns the sale.
func (a *absorbing) surface(id rule.ID) *factory.Sale {
	whose, tree := a.tree()
	former := tree.Former()
	if !a.p.Check(id, len(former) == 1 && len(former[0].Sales) > 0 && len(former[0].Sales[0]) == 1, gomega.BeTrue(), "control: the update replaces one leaf with a sale") {
		return nil
	}
	sale := former[0].Sales[0][0]
	a.p.Publish(whose, tree.Nodes()[0].Tx)
	a.p.Publish(whose, former[0].Node.Tx)
	a.p.Publish(whose, sale.Tx)
	a.p.Step("after the sale of a replaced leaf is confirmed")
	return sale
}

// absorbedPunished publishes the last commitment that the suite had in the absorbed channel.
// Where there is poison for its output, it is out before.
func absorbedPunished(begin func() *absorbing) {
	a := begin()
	old := a.sold.Commitment()
	a.update()
	if !a.one(rule.PCF127) {
		return
	}
	if sale := a.surface(rule.PCF127); sale == nil ||
		!a.p.Check(rule.PCF127, old.Tx.TxIn[0].PreviousOutPoint, gomega.Equal(sale.NewChannel.Outpoint), "control: the commitment is that of the channel of the sale") {
		return
	}
	a.punished(rule.PCF127, old, "of an absorbed channel", "the balance of who published the last commitment of a channel that was absorbed")
}

// absorbedPoisoned looks at what a client takes before its LSP does anything.
func absorbedPoisoned(p *harness.Play) {
	a := absorbingOfClient(p, soldMsat)
	a.update()
	if !a.one(rule.POI007) {
		return
	}
	sale := a.surface(rule.POI007)
	if sale == nil {
		return
	}
	_, tree := a.tree()
	poison := slices.DeleteFunc(tree.SignedPoison(), func(tx *factory.Tx) bool { return tx.Outpoint() != sale.NewChannel.Outpoint })
	if p.Check(rule.POI007, poison, gomega.HaveLen(1), "control: the output of the absorbed channel has poison") {
		p.Published(rule.POI007, poison[0], "the output of an absorbed channel is confirmed")
	}
}
