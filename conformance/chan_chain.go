package conformance

import (
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.3, and PCF-055, PCF-083 and PCF-092: channels of a factory that fail,
// that are forgotten, and that reach the chain.

func leafChainCases() []harness.Case {
	var cases []harness.Case
	both := func(name, summary string, body func(*leaf), ids ...rule.ID) {
		cases = append(cases,
			leafCase(node.LSP, name, "An LSP"+summary, func(p *harness.Play) { body(leafOfLSP(p)) }, ids...),
			leafCase(node.Client, name, "A client"+summary, func(p *harness.Play) { body(leafOfClient(p)) }, ids...))
	}
	both("failed", " whose channel fails leaves the factory.", failedLeaves, rule.CHAN021)
	both("fell-behind", " that fell behind publishes no commitment.", fellBehind, rule.CHAN023)
	both("surfaced", " that sees the output of its channel on the chain publishes its commitment.", surfaced, rule.CHAN024)
	both("revoked", " that sees a revoked commitment takes what the revocation gives it.", revoked, rule.CHAN025)
	both("failed-keeps", " publishes the latest commitment of a channel that failed, once its output is on the chain.", failedKeeps, rule.PCF055)
	cases = append(cases,
		leafCase(node.LSP, "times-out", "An LSP times out, on the chain, the HTLC that it offered.", timesOut, rule.CHAN026),
		leafCase(node.Client, "claims", "A client claims, on the chain, the HTLC whose preimage it has.", claims, rule.CHAN026),
		leafCase(node.Client, "plugin-forgets", "A client treats a channel that its plugin forgets as closed.", pluginForgets, rule.PCF092),
	)
	cases = append(cases, revokedHTLCCases()...)
	waits := loopbackCase("pcf/channel/never-confirmed", "A fundee keeps an in-factory channel whose output does not confirm.", neverConfirmed, rule.PCF083)
	waits.Tier, waits.Since = harness.Chain, "0.3"
	return append(cases, waits)
}

// leaf is a channel in a factory that both sides use, with what the suite needs to
// publish the tree.
type leaf struct {
	p     *harness.Play
	ch    *harness.Channel
	tree  *factory.Tree
	whose interface {
		Complete(*factory.Tx) (*btcwire.MsgTx, error)
	}
	nodes []*factory.Node
}

func leafOfLSP(p *harness.Play) *leaf {
	s := usedClients(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	return &leaf{p, s.Leaf[0].List[0], s.Held(0).Tree(), s.Held(0), s.Nodes()}
}

func leafOfClient(p *harness.Play) *leaf {
	s, ch := usedLSP(p, harness.FactoryPlan{Params: shortDelays(lasted)})
	return &leaf{p, ch, s.Tree(), s.Factory(), s.Tree().Nodes()}
}

// pays moves msat to the client, so that both sides have something. Every payment
// revokes a commitment of each side.
func (l *leaf) pays(msat uint64) {
	if l.p.Role == node.LSP {
		l.ch.Paid(msat)
		return
	}
	if h := payFor(l.p, l.ch, msat, channel.Height(l.p.Tip())+1000); !h.Fulfilled() {
		l.p.Check(l.p.Case.Rules[0], h.Fulfilled(), gomega.BeTrue(), "control: the target takes a payment")
	}
}

// publish puts the path to the channel output into blocks.
func (l *leaf) publish() {
	for _, n := range l.nodes {
		l.p.Publish(l.whose, n.Tx)
	}
}

func (l *leaf) output() btcwire.OutPoint { return l.tree.Channels(0)[0].Outpoint }

// commits requires that a commitment of the target spends the channel output, at once or
// within the confirm_blocks that CHAN-024 gives it: a node may wait for the leaf to be
// deeper, and the miners leave out everything meanwhile.
func (l *leaf) commits(id rule.ID, what string) bool {
	published := func() bool {
		tx, found := l.p.Spender(l.output())
		return found && l.ch.Theirs(wire.Txid(tx.TxHash()))
	}
	ok := l.p.Eventually(published)
	if !ok {
		l.p.MineEmpty(int(l.tree.Factory().Terms().Params.ConfirmBlocks) - 1)
		ok = l.p.Eventually(published)
	}
	return l.p.Check(id, ok, gomega.BeTrue(), "the target's latest commitment spends its channel output "+what)
}

// fails the channel.
func (l *leaf) fails() {
	l.ch.Peer.Send(&wire.ErrorMessage{ChannelID: l.ch.M.ChannelID(), Data: []byte("given up")})
	l.ch.Peer.Fence()
}

func failedLeaves(l *leaf) {
	p := l.p
	p.Mine(1)
	_, spent := p.Spender(l.tree.Funding())
	p.Check(rule.CHAN021, spent, gomega.BeFalse(), "control: nothing is published while the channel works")
	l.fails()
	p.Step("a block after an error for the channel")
	p.Mine(1)
	p.Published(rule.CHAN021, l.nodes[0].Tx, "its channel has failed")
}

func fellBehind(l *leaf) {
	p := l.p
	l.pays(10_000_000)
	p.Save()
	l.ch.Reconnect()
	l.pays(5_000_000)
	l.pays(5_000_000)
	p.Revert()
	p.Step("the target was set back by two payments")
	from := len(l.ch.Log)
	l.ch.Bend = silentAbout("error") // the suite's side sees that the target has lost something, and waits
	l.ch.Reconnect()
	l.ch.Want(rule.CHAN023, from, "error", true)
	l.publish()
	for range l.tree.Factory().Terms().Params.ConfirmBlocks { // as long as a node that thinks it has to publish may take
		p.MineEmpty(1)
		l.ch.Peer.Fence()
		tx, found := p.Spender(l.output())
		if !p.Check(rule.CHAN023, found && tx.TxHash() != l.ch.Commitment().Txid, gomega.BeFalse(), "no commitment of a node that fell behind is published") {
			return
		}
	}
}

// silentAbout sends everything but the messages with a name.
func silentAbout(name string) func(wire.Message) []wire.Message {
	return func(m wire.Message) []wire.Message {
		if m.Name() == name {
			return nil
		}
		return []wire.Message{m}
	}
}

func surfaced(l *leaf) {
	l.pays(10_000_000)
	l.publish()
	l.p.Step("after the leaf is confirmed")
	l.commits(rule.CHAN024, "within confirm_blocks of the leaf")
}

func failedKeeps(l *leaf) {
	l.pays(10_000_000)
	l.fails()
	l.p.Restart()
	l.publish()
	l.p.Step("after the leaf is confirmed, the channel failed before")
	l.commits(rule.PCF055, "although the channel had failed")
}

// revoked has the suite publish a commitment that it has revoked, past what the
// target does: the miners of that block help the suite.
func revoked(l *leaf) {
	p := l.p
	l.pays(20_000_000)
	old := l.ch.Commitment()
	l.pays(5_000_000)
	l.publish()
	p.Mine(0, old.Tx)
	p.Step("after a revoked commitment is confirmed")
	punished := 0
	for i, o := range old.Outputs {
		if o.Kind != commitment.ToLocal {
			continue
		}
		punished++
		p.Spent(rule.CHAN025, btcwire.OutPoint{Hash: old.Tx.TxHash(), Index: uint32(i)}, "the balance of who published a revoked commitment")
	}
	p.Check(rule.CHAN025, punished, gomega.Equal(1), "control: the revoked commitment has a to_local output")
}

// htlcOutputs are the outputs of a commitment of the target that hold an HTLC.
func (l *leaf) htlcOutputs(id rule.ID) (out []btcwire.OutPoint) {
	if !l.commits(id, "with an HTLC in it") {
		return nil
	}
	tx, _ := l.p.Spender(l.output())
	all, err := l.ch.M.TheirCommitments(l.ch.M.Fundings[0].Txid)
	if err != nil {
		l.p.Fail(id, "the suite cannot compute the target's commitment", "a commitment", err.Error())
		return nil
	}
	for _, c := range all {
		for i, o := range c.Outputs {
			if c.Txid == tx.TxHash() && o.HTLC != nil {
				out = append(out, btcwire.OutPoint{Hash: c.Txid, Index: uint32(i)})
			}
		}
	}
	l.p.Check(id, len(out), gomega.Equal(1), "control: the commitment has an HTLC output")
	return out
}

func timesOut(p *harness.Play) {
	l := leafOfLSP(p)
	h := l.ch.Offered(htlcMsat)
	l.publish()
	for _, o := range l.htlcOutputs(rule.CHAN026) {
		p.Mine(1)
		p.MineTo(factory.Height(h.Expiry) - 1)
		_, spent := p.Spender(o)
		p.Check(rule.CHAN026, spent, gomega.BeFalse(), "control: the HTLC output is unspent before its expiry")
		p.MineTo(factory.Height(h.Expiry) + 1)
		p.Spent(rule.CHAN026, o, fmt.Sprintf("the output of an HTLC that it offered and that expired at height %d", h.Expiry))
	}
}

func claims(p *harness.Play) {
	l := leafOfClient(p)
	inv := invoice(p)
	deaf(l.ch, func() { pay(p, l.ch, inv, channel.Height(p.Tip())+1000, forwardMsat) })
	if !l.ch.Want(rule.CHAN026, 0, "update_fulfill_htlc", true) {
		return
	}
	l.publish()
	for _, o := range l.htlcOutputs(rule.CHAN026) {
		p.Mine(1)
		p.Mine(1)
		p.Spent(rule.CHAN026, o, "the output of an HTLC whose preimage it has given")
	}
}

func pluginForgets(p *harness.Play) {
	s := p.Connect().LSPScript(harness.FactoryPlan{})
	s.Deaf = func(m wire.Ceremony) bool { return m.Type() == wire.TypePartials }
	s.Create()
	if !p.Check(rule.PCF092, len(s.Leaf.List), gomega.Equal(1), "control: a channel is opened") {
		return
	}
	ch := s.Leaf.List[0]
	s.Late() // the attempt ends, and the target's plugin forgets its channel
	p.Step("a new connection")
	p.Check(rule.PCF092, reestablished(ch), gomega.BeFalse(), "a channel that the plugin forgot is not reestablished")
	r := ch.Provoke(rule.PCF092, &wire.Stfu{ChannelID: ch.M.ChannelID(), Initiator: 1}, "stfu for a channel that the plugin forgot",
		harness.Warned, harness.WarnedClosed, harness.Errored, harness.ErroredClosed)
	_, answered := harness.Find[*wire.Stfu](r)
	p.Check(rule.PCF092, answered, gomega.BeFalse(), "no stfu in answer")
	goodCreation(p)
}

func neverConfirmed(p *harness.Play) {
	p.Chain()
	unusable := wire.ChannelID{}
	for i := range unusable {
		unusable[i] = 0xff
	}
	ch := p.Connect().OpenUnusable([32]byte(unusable))
	ch.Want(rule.PCF083, 0, "channel_ready", false)
	p.Mine(2020)
	p.Step("2,020 blocks later")
	from := len(ch.Log)
	ch.Reconnect()
	ch.Want(rule.PCF083, from, "channel_reestablish", true)
}
