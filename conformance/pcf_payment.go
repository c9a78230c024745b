package conformance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chaincfg"
	"github.com/onsi/gomega"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// The numbers of section 3.7 for the suite's channels.
const (
	earlyWarning = 144 // blocks
	claimMargin  = 18
	wayAhead     = 1000 // blocks: an expiry that nothing is wrong with
	forwardMsat  = 40_000_000
	expirySoon   = 0x100e // expiry_too_soon of BOLT 4

	amountBelowMinimum = 0x100b // BOLT 4
)

// pair is two peers of the suite with a channel each: what one offers the target
// may forward to the other.
type pair struct {
	p        *harness.Play
	from, to *harness.Channel
	height   channel.Height
}

func newPair(p *harness.Play) *pair {
	p.Chain()
	w := &pair{p: p, height: channel.Height(p.Tip())}
	w.from, w.to = p.Connect().OpenLoopback(), p.Connect().OpenLoopback()
	w.from.M.Block(w.height)
	w.to.M.Block(w.height)
	return w
}

// send offers an HTLC that the target is to forward.
func (w *pair) send(in, out channel.Height) *harness.HTLC {
	return w.sendOver(w.p.Random32(), forwardMsat, in, out)
}

// sendOver offers an HTLC of which the target is to forward msat.
func (w *pair) sendOver(hash [32]byte, msat uint64, in, out channel.Height) *harness.HTLC {
	scid := binary.BigEndian.AppendUint64(nil, w.to.M.PeerAlias)
	h := w.from.OfferOnion(hash, msat+forwardMsat, in,
		harness.Hop{Node: w.p.TargetID(), Payload: wire.Stream{
			{Type: 2, Value: harness.Truncated(msat)}, {Type: 4, Value: harness.Truncated(uint64(out))}, {Type: 6, Value: scid},
		}},
		harness.Hop{Node: w.to.PointID(), Payload: wire.Stream{
			{Type: 2, Value: harness.Truncated(msat)}, {Type: 4, Value: harness.Truncated(uint64(out))},
		}})
	w.from.Settle()
	w.to.Settle()
	return h
}

// forwarded is the positive control: a right HTLC is forwarded. The suite holds it.
func (w *pair) forwarded(id rule.ID) bool {
	w.p.Step("a right HTLC")
	w.send(w.height+wayAhead+600, w.height+wayAhead)
	return w.to.Want(id, 0, "update_add_htlc", true)
}

// Section 3.7, forwarding: only an LSP does.
func forwardCases() []harness.Case {
	lsp := []harness.Role{node.LSP}
	forward := func(name, summary string, body func(*pair), ids ...rule.ID) harness.Case {
		c := loopbackCase(name, summary, func(p *harness.Play) { body(newPair(p)) }, ids...)
		c.Roles, c.Tier = lsp, harness.Chain
		return c
	}
	refusedForward := func(w *pair, id rule.ID, in, out channel.Height) *harness.HTLC {
		if !w.forwarded(id) {
			return nil
		}
		from := len(w.to.Log)
		w.p.Step("an HTLC that is not to be forwarded")
		h := w.send(in, out)
		w.to.Want(id, from, "update_add_htlc", false)
		return h
	}
	client := forward("chan/payment/client-forwards-nothing", "A client does not forward.", func(w *pair) {
		w.from.Offer()
		w.to.Offer()
		w.p.Step("an HTLC that an LSP would forward")
		h := w.send(w.height+wayAhead+600, w.height+wayAhead)
		w.to.Want(rule.CHAN013, 0, "update_add_htlc", false)
		w.p.Check(rule.CHAN013, h.Code(), gomega.Not(gomega.BeZero()), "an error that the payer can read")
	}, rule.CHAN013)
	client.Roles = []harness.Role{node.Client}
	return []harness.Case{
		client,
		forward("pcf/payment/offered-late", "An LSP offers no HTLC that expires before it can be enforced.", func(w *pair) {
			refusedForward(w, rule.PCF086, w.height+wayAhead, w.height+earlyWarning+claimMargin-1)
		}, rule.PCF086),
		forward("pcf/payment/expiry-too-soon", "An LSP says expiry_too_soon for a forward that would expire too early.", func(w *pair) {
			if !w.forwarded(rule.PCF099) {
				return
			}
			h := w.send(w.height+wayAhead, w.height+earlyWarning+claimMargin-1)
			w.p.Check(rule.PCF099, h.Code(), gomega.BeEquivalentTo(expirySoon), "the failure code expiry_too_soon (0x100e)")
		}, rule.PCF099),
		forward("pcf/payment/forward-delta", "An LSP forwards no HTLC that leaves it less than the early warning time and its delta.", func(w *pair) {
			refusedForward(w, rule.PCF088, w.height+wayAhead+earlyWarning, w.height+wayAhead)
		}, rule.PCF088),
		forward("pcf/moving/quiet-until-the-end", "Updates wait until quiescence ends.", func(w *pair) {
			if !w.forwarded(rule.PCF142) {
				return
			}
			kept := harness.Withhold[*wire.ChangeInit](w.from, func() { w.from.Start(0) })
			from := len(w.from.Log)
			for _, h := range w.to.Received() {
				_ = w.to.M.Fail(h.ID, make([]byte, 292))
			}
			w.to.Settle()
			w.from.Settle()
			w.from.Want(rule.PCF142, from, "update_fail_htlc", false)
			w.from.Peer.Send(kept[0])
			w.from.Settle()
			w.from.Want(rule.PCF142, from, "factory_change_continue", true)
			w.from.Want(rule.PCF142, from, "update_fail_htlc", true)
		}, rule.PCF142),
		forward("pcf/moving/sixty-seconds", "A node disconnects after 60 seconds of quiescence with HTLCs pending.", func(w *pair) {
			if !w.forwarded(rule.PCF146) {
				return
			}
			quiet(w.from, 0)
			w.from.Peer.Control()
			w.p.Pass(60 * time.Second)
			w.p.Step("60 seconds later")
			if got := w.from.Peer.ReadToEnd(); got != harness.Closed {
				w.p.Fail(rule.PCF146, "the target stays quiet", "a closed connection", string(got))
				return
			}
			from := len(w.from.Log)
			w.from.Reconnect()
			w.from.Want(rule.PCF146, from, "channel_reestablish", true)
			w.from.Want(rule.PCF146, from, "error", false)
		}, rule.PCF146),
	}
}

// Section 3.7, the target as payee.
func payeeCases() []harness.Case {
	payee := func(name, summary string, body func(*harness.Play, *harness.Channel, channel.Height), ids ...rule.ID) harness.Case {
		c := loopbackCase(name, summary, func(p *harness.Play) {
			p.Chain()
			height := channel.Height(p.Tip())
			ch := p.Connect().OpenWith(harness.LoopbackOpen{Rules: rule.Without(rule.PCF086)})
			ch.M.Block(height)
			body(p, ch, height)
		}, ids...)
		c.Tier = harness.Chain
		return c
	}
	return []harness.Case{
		payee("pcf/payment/received-late", "A node fails an HTLC that expires before it could be claimed.", func(p *harness.Play, ch *harness.Channel, height channel.Height) {
			if h := pay(p, ch, invoice(p), height+wayAhead, forwardMsat); !h.Fulfilled() {
				p.Fail(rule.PCF087, "positive control failed: a right HTLC is fulfilled", "update_fulfill_htlc", fmt.Sprint(ch.Names()))
				return
			}
			h := pay(p, ch, invoice(p), height+earlyWarning+claimMargin-1, forwardMsat)
			p.Check(rule.PCF087, h.Fulfilled(), gomega.BeFalse(), "an HTLC that expires too soon is not fulfilled")
			p.Check(rule.PCF087, h.Code(), gomega.Not(gomega.BeZero()), "an error that the payer can read")
			ch.Works(rule.PCF087, "the channel stays open")
		}, rule.PCF087),
		payee("pcf/payment/released-late", "A node gives no preimage for an HTLC that it could not claim any more.", func(p *harness.Play, ch *harness.Channel, height channel.Height) {
			if h := pay(p, ch, invoice(p), height+wayAhead, forwardMsat); !h.Fulfilled() {
				p.Fail(rule.PCF094, "positive control failed: a right HTLC is fulfilled", "update_fulfill_htlc", fmt.Sprint(ch.Names()))
				return
			}
			inv := invoice(p)
			first := pay(p, ch, inv, height+earlyWarning+100, forwardMsat/2)
			p.Mine(100)
			ch.M.Block(height + 100)
			second := pay(p, ch, inv, height+wayAhead, forwardMsat/2)
			p.Check(rule.PCF094, first.Fulfilled(), gomega.BeFalse(), "no preimage for an HTLC that expires too soon")
			p.Check(rule.PCF094, second.Hash, gomega.Equal(first.Hash), "two parts of one payment")
		}, rule.PCF094),
		payee("pcf/payment/invoice-delta", "An invoice asks for the early warning time on top.", func(p *harness.Play, ch *harness.Channel, _ channel.Height) {
			ch.Offer()
			inv := invoice(p)
			p.Check(rule.PCF093, inv.FinalDelta, gomega.BeNumerically(">=", earlyWarning+claimMargin), "a min_final_cltv_expiry_delta of at least 144 + 18 blocks")
		}, rule.PCF093),
		payee("pcf/channel/restart", "A node knows after a restart that its channel is in a factory.", func(p *harness.Play, ch *harness.Channel, _ channel.Height) {
			ch.Offer()
			p.Check(rule.PCF071, invoice(p).FinalDelta, gomega.BeNumerically(">=", earlyWarning+claimMargin), "the early warning time in an invoice before the restart")
			p.Restart()
			ch.Reconnect()
			ch.Works(rule.PCF071, "the channel goes on after a restart")
			p.Check(rule.PCF071, invoice(p).FinalDelta, gomega.BeNumerically(">=", earlyWarning+claimMargin), "the early warning time in an invoice after the restart")
		}, rule.PCF071),
	}
}

// invoice has the target make an invoice.
func invoice(p *harness.Play) *payment.Bolt11 { return invoiceOver(p, forwardMsat) }

func invoiceOver(p *harness.Play, msat uint64) *payment.Bolt11 {
	text := p.Invoice(msat)
	inv, err := payment.DecodeInvoice(text, &chaincfg.RegressionNetParams)
	if err != nil {
		p.Fail(p.Case.Rules[0], "the target's invoice cannot be read", "a BOLT 11 invoice", err.Error())
		return &payment.Bolt11{Hash: sha256.Sum256([]byte(text))}
	}
	return inv
}

// pay offers an HTLC, or one of its parts, for an invoice of the target.
func pay(p *harness.Play, ch *harness.Channel, inv *payment.Bolt11, expiry channel.Height, msat uint64) *harness.HTLC {
	records := wire.Stream{
		{Type: 2, Value: harness.Truncated(msat)}, {Type: 4, Value: harness.Truncated(uint64(expiry))},
		{Type: 8, Value: append(inv.Secret[:], harness.Truncated(forwardMsat)...)},
	}
	if inv.Metadata != nil {
		records = append(records, wire.Record{Type: 16, Value: inv.Metadata})
	}
	h := ch.OfferOnion(inv.Hash, msat, expiry, harness.Hop{Node: p.TargetID(), Payload: records})
	ch.Settle()
	return h
}
