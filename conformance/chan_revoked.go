package conformance

import (
	"crypto/sha256"
	"fmt"

	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/node"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Section 8.3, CHAN-025: every output of a revoked commitment, not its balance alone.

// revokedHTLCs has the suite publish a commitment that it has revoked, with HTLCs of both
// sides, and take one of them by its HTLC-success transaction.
func revokedHTLCs(l *leaf) {
	p := l.p
	l.pays(60_000_000)
	taken := l.ch.Offered(htlcMsat / 2)
	l.ch.Offered(htlcMsat / 4)
	old := l.paying(htlcMsat / 8)
	if old == nil {
		return
	}
	l.publish()
	p.Mine(0, old.Tx)
	p.Step("after a revoked commitment with HTLCs of both sides is confirmed")
	var offered, received, local int
	for i, o := range old.Outputs {
		at := btcwire.OutPoint{Hash: old.Tx.TxHash(), Index: uint32(i)}
		switch {
		case o.Kind == commitment.ToLocal:
			local++
			p.Spent(rule.CHAN025, at, "the balance of who published a revoked commitment")
		case o.HTLC != nil && o.HTLC.OfferedBy == l.ch.M.Side:
			offered++
			p.Spent(rule.CHAN025, at, "the HTLC that its peer offered, in a revoked commitment")
		case o.HTLC != nil:
			received++
			p.Spent(rule.CHAN025, at, "an HTLC that it offered, in a revoked commitment")
		}
	}
	p.Check(rule.CHAN025, []int{local, offered, received}, gomega.Equal([]int{1, 1, 2}), "control: a to_local output, an HTLC of the suite and two of the target")
	second := l.secondStage(old, taken.Hash)
	if second == nil {
		return
	}
	p.Mine(0, second)
	p.Step("after an HTLC-success transaction behind it is confirmed")
	p.Spent(rule.CHAN025, btcwire.OutPoint{Hash: second.TxHash()}, "what an HTLC transaction made of a revoked commitment")
}

// paying is the commitment of the suite, revoked by now, that has an HTLC of msat which the
// suite offered and the target has taken since.
func (l *leaf) paying(msat uint64) (old *channel.SignedCommitment) {
	l.ch.Deaf = func(m wire.Message) bool {
		if m.Name() == "update_fulfill_htlc" && old == nil {
			old = l.ch.Commitment()
		}
		return false
	}
	h := payFor(l.p, l.ch, msat, channel.Height(l.p.Tip())+1000)
	l.ch.Deaf = nil
	revoked := old != nil && l.ch.Commitment().State.Number > old.State.Number
	if !l.p.Check(rule.CHAN025, h.Fulfilled() && revoked, gomega.BeTrue(), "control: the target takes a payment, and a new commitment") {
		return nil
	}
	return old
}

// secondStage is the HTLC-success transaction of a commitment of the suite, without a fee.
func (l *leaf) secondStage(c *channel.SignedCommitment, hash [32]byte) *btcwire.MsgTx {
	m := l.ch.M
	preimages := map[[32]byte][32]byte{}
	for _, preimage := range l.ch.Preimages() {
		preimages[sha256.Sum256(preimage[:])] = preimage
	}
	claims, err := c.OwnClaims(m.Secrets(), m.Outputs()[0].Key, c.HTLCSigs, preimages)
	for _, claim := range claims {
		if claim.Pair == nil || claim.HTLC.Hash != hash {
			continue
		}
		tx, err := commitment.NewSpend(c.Tx.Version, []*commitment.Claim{claim}, nil, nil)
		if err == nil {
			err = commitment.SignSpend(tx, []*commitment.Claim{claim})
		}
		if err == nil {
			return tx
		}
	}
	l.p.Fail(rule.CHAN025, "control: the suite has an HTLC-success transaction", "a claim of an HTLC that it received", fmt.Sprint(err))
	return nil
}

func revokedHTLCCases() []harness.Case {
	const summary = " that sees a revoked commitment takes its HTLCs, and what HTLC transactions made of them."
	free := leafCase(node.Client, "zero-fee-revoked-htlcs", "A client"+summary, func(p *harness.Play) { revokedHTLCs(leafWithoutFees(p)) }, rule.CHAN025)
	free.Features, free.Profile = zeroFees, harness.Extended
	return []harness.Case{
		leafCase(node.LSP, "revoked-htlcs", "An LSP"+summary, func(p *harness.Play) { revokedHTLCs(leafOfLSP(p)) }, rule.CHAN025),
		leafCase(node.Client, "revoked-htlcs", "A client"+summary, func(p *harness.Play) { revokedHTLCs(leafOfClient(p)) }, rule.CHAN025),
		free,
	}
}
