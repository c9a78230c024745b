package hub_test

import (
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// sort is what sort of channels the table is played with.
type sort int

const (
	anchors sort = iota // in a factory
	zeroFee             // in a factory, with zero_fee_commitments
	outside             // outside of factories, with anchors
)

func (k sort) String() string { return [...]string{"anchors", "zero-fee", "outside"}[k] }

// table is the table of section 3.9 of SPEC.md that says what such channels do, by the
// head of its first column, and the rows of it.
func (k sort) table() (head string, rows []state) {
	if k == outside {
		return "the channel outside a factory is", outsideStates
	}
	return "the channel is", states
}

// expects is what the table says; update_fee is the one message that channels without
// fees take otherwise (CHAN-034).
func (k sort) expects(r reaction, m *message, bought bool) reaction {
	switch {
	case r != opener:
		return r
	case bought || k == zeroFee && m.name == "update_fee":
		return warns
	}
	return takes
}

// outsideStates are the rows of the table of channels outside factories.
var outsideStates = []state{
	{name: "`open_channel` sent", first: true, temporary: true, rest: young, reach: proposed},
	{name: "`accept_channel` sent", first: true, temporary: true, rest: young, reach: accepted},
	{name: "`funding_created` sent", first: true, rest: young, reach: created},
	{name: "opened, not deep enough", first: true, rest: works, reach: func(x *scripted) { x.opened(unusable, unusable) }},
	{name: "the same, `channel_ready` received", first: true, rest: works, reach: func(x *scripted) { x.opened(unusable, usable) }},
	{name: "`channel_ready` sent", first: true, rest: works, reach: func(x *scripted) { x.opened(usable, unusable) }},
	{name: "normal", rest: works, reach: normal},
	{name: "normal, an HTLC of the node pending", rest: works, reach: withHTLC},
	{name: "an update received, not signed", rest: works, reach: updated},
	{name: "`revoke_and_ack` awaited", rest: works, reach: awaiting},
	{name: "in a batch", batch: true, rest: works, reach: batching},
	{name: "`stfu` received, not answered", rest: works, reach: unanswered},
	{name: "quiescent", rest: works, reach: silenced},
	{name: "`channel_reestablish` awaited", rest: works, reach: func(x *scripted) { normal(x); x.late() }},
	{name: "`shutdown` sent", rest: stays, reach: closes},
	{name: "`shutdown` on both sides, an HTLC pending", rest: stays, reach: halfClosed},
	{name: "`shutdown` on both sides", rest: stays, reach: negotiating},
	{name: "closed together", rest: stays, reach: drained},
	{name: "failed", rest: over, reach: func(x *scripted) { normal(x); x.force() }},
	{name: "failed by the peer", rest: over, reach: func(x *scripted) { normal(x); x.say(&wire.ErrorMessage{ChannelID: x.m.ID}); x.fence() }},
	{name: "forgotten", rest: over, reach: forgotten},
}

// paysFor has the node fund its channel outside of factories from the coins of the table.
func (x *scripted) paysFor() {
	x.table.pays = func(out *btcwire.TxOut) *btcwire.MsgTx {
		tx := x.table.funds.pay(out)
		x.made = []funding{{txid: wire.Txid(tx.TxHash()), tx: tx}}
		return tx
	}
}

// deep tells the node that the funding transaction of a channel outside is deep enough.
func (x *scripted) deep() {
	if x.kind == outside {
		x.command(func(m *channel.Machine) error { m.SetUsable(); return nil })
		x.settle()
	}
}

// silenced has both sides send stfu; the machine of the peer has no part in it.
func silenced(x *scripted) {
	normal(x)
	x.deaf = func(m wire.Message) bool { return m.Name() == "stfu" }
	x.say(&wire.Stfu{ChannelID: x.m.ID, Initiator: 1})
	x.settle()
	x.need(len(x.unheard) > 0, "stfu of the node")
}

// negotiating has both sides send shutdown, and the peer not send closing_signed.
func negotiating(x *scripted) {
	normal(x)
	x.withhold("closing_signed")
	check(x.t, x.m.Shutdown(nil))
	x.settle()
	x.need(x.m.Side == commitment.Accepter || len(x.kept) > 0, "closing_signed")
}
