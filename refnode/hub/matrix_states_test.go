package hub_test

import (
	"superscalar/refnode/channel"
	"superscalar/refnode/payment"
	peers "superscalar/refnode/peer"
	"superscalar/refnode/transport"
	"superscalar/wire"

	"github.com/btcsuite/btcd/chaincfg"
)

// state is a row of the table: how the channel comes there, by messages alone and what
// the node's own side orders.
type state struct {
	name  string
	reach func(x *scripted)
	// temporary says that the channel has no id but that of open_channel.
	temporary bool
	// first says that the state comes before it matters who opened the channel, or that it
	// says so itself.
	first bool
	// batch says that the node waits for the rest of a batch.
	batch bool
	// callsOff says that what is going on is called off to use the channel again.
	callsOff bool
	// rest is what a channel that lives is good for afterwards.
	rest rest
}

// rest is what can be asked of a channel that lives, once its connection was made again.
type rest int

const (
	works rest = iota // an HTLC goes over it, once what was going on is over
	stays             // it is reestablished: it shuts down, or has gone into another one
	over              // it has come to its end: nothing is asked
	young             // nothing of it is stored: it is forgotten with the connection
)

// states are the rows of the table, in its order.
var states = []state{
	{name: "`open_channel` sent", first: true, temporary: true, rest: young, reach: proposed},
	{name: "`accept_channel` sent", first: true, temporary: true, rest: young, reach: accepted},
	{name: "`funding_created` sent", first: true, rest: young, reach: created},
	{name: "opened, factory not usable", first: true, rest: works, reach: func(x *scripted) { x.opened(unusable, unusable) }},
	{name: "the same, `channel_ready` received", first: true, rest: works, reach: func(x *scripted) { x.opened(unusable, usable) }},
	{name: "`channel_ready` sent", first: true, rest: works, reach: func(x *scripted) { x.opened(usable, unusable) }},
	{name: "normal", rest: works, reach: normal},
	{name: "normal, an HTLC of the node pending", rest: works, reach: withHTLC},
	{name: "an update received, not signed", rest: works, reach: updated},
	{name: "`revoke_and_ack` awaited", rest: works, reach: awaiting},
	{name: "in a batch", batch: true, rest: works, reach: batching},
	{name: "`stfu` sent", rest: works, reach: asked},
	{name: "`stfu` received, not answered", rest: works, reach: unanswered},
	{name: "quiescent", rest: works, reach: quiescent},
	{name: "`factory_change_init` sent", rest: works, reach: func(x *scripted) { x.byNode("factory_change_ack") }},
	{name: "`factory_change_init` received, not answered", rest: works, reach: judging},
	{name: "acknowledged", rest: works, reach: acknowledged},
	{name: "funded", rest: works, reach: funded},
	{name: "committed", rest: works, reach: committed},
	{name: "pending", rest: works, reach: pending},
	{name: "called off", rest: works, reach: calledOff},
	{name: "continued by the node", rest: works, reach: func(x *scripted) { x.byPeer("factory_change_continue") }},
	{name: "continued by the peer", rest: works, reach: aheadOf},
	{name: "continued", rest: works, reach: func(x *scripted) { x.continued() }},
	{name: "`stfu` sent, a change continued", rest: works, reach: askedAgain},
	{name: "locked by the node", rest: works, reach: lockedByNode},
	{name: "locked by the peer", rest: works, reach: lockedByPeer},
	{name: "locked, the round not done", rest: works, reach: inRound},
	{name: "`channel_reestablish` awaited", rest: works, reach: func(x *scripted) { normal(x); x.late() }},
	{name: "the same, a change committed", rest: works, reach: func(x *scripted) { committed(x); x.late() }},
	{name: "a committed change taken up again", rest: works, reach: func(x *scripted) { committed(x); x.come(); x.settle() }},
	{name: "`shutdown` sent", rest: stays, reach: closes},
	{name: "`shutdown` on both sides, an HTLC pending", rest: stays, reach: halfClosed},
	{name: "`shutdown` on both sides", rest: stays, reach: drained},
	{name: "frozen", callsOff: true, rest: works, reach: frozen},
	{name: "frozen, continued", rest: stays, reach: frozenOn},
	{name: "absorbed", rest: stays, reach: absorbed},
	{name: "failed", rest: over, reach: func(x *scripted) { normal(x); x.force() }},
	{name: "failed by the peer", rest: over, reach: func(x *scripted) { normal(x); x.say(&wire.ErrorMessage{ChannelID: x.m.ID}); x.fence() }},
	{name: "forgotten", rest: over, reach: forgotten},
}

const (
	usable   = true
	unusable = false
)

func isReady(a channel.Action) bool { _, ok := a.(channel.Opened); return ok }

func isAsk[A channel.Action](a channel.Action) bool { _, ok := a.(A); return ok }

func (x *scripted) need(ok bool, what string) {
	x.t.Helper()
	if !ok {
		x.t.Fatalf("%s: the node said %v, connection ended: %v", what, names(x.log), x.ended)
	}
}

func names(ms []wire.Message) (out []string) {
	for _, m := range ms {
		text := m.Name()
		switch m := m.(type) {
		case *wire.Warning:
			text += " " + string(m.Data)
		case *wire.ErrorMessage:
			text += " " + string(m.Data)
		}
		out = append(out, text)
	}
	return out
}

// heard returns the last message of a kind.
func heard[M wire.Message](x *scripted) M {
	x.t.Helper()
	for i := len(x.log) - 1; i >= 0; i-- {
		if m, ok := x.log[i].(M); ok {
			return m
		}
	}
	x.need(false, "waiting for another message")
	panic("unreachable")
}

func (x *scripted) machine(m *channel.Machine, err error) {
	x.t.Helper()
	check(x.t, err)
	x.m = m
	height, err := x.table.hub.Height()
	check(x.t, err)
	m.Block(channel.Height(height))
}

func accepted(x *scripted) {
	x.open = x.proposal(sha(x.key.Serialize()))
	x.say(x.open)
	x.fence()
	accept := heard[*wire.AcceptChannel](x)
	x.machine(channel.NewOpener(x.cfg, x.open, accept))
	x.withhold("funding_created")
	f := x.make(capacity, x.open.Keys.Funding, accept.Keys.Funding)
	x.next = f
	check(x.t, x.m.Outpoint(f.txid, f.index))
	x.flush()
}

// opened opens a channel of the peer, and lets each side be ready or not.
func (x *scripted) opened(node, peer bool) {
	x.t.Helper()
	x.silent = isReady
	x.set(func(m *mode) { m.silent = isReady })
	accepted(x)
	x.release()
	x.settle()
	if peer {
		x.m.SetUsable()
	}
	if node {
		x.command(func(m *channel.Machine) error { m.SetUsable(); return nil })
	}
	if node && !peer {
		x.withhold("channel_ready")
		x.m.SetUsable()
	}
	x.settle()
	x.silent = nil
	x.set(func(m *mode) { m.silent = nil })
	x.need(!x.ended, "a channel opens")
}

// proposed has the node open a channel to its peer.
func proposed(x *scripted) {
	if x.kind != outside {
		x.set(func(m *mode) { m.first = x.outpoint })
	}
	peer := transport.NodeID(x.id())
	switch x.kind {
	case anchors:
		check(x.t, x.table.node.Buy(peer, capacity))
	case zeroFee:
		in := inFactory(wire.ChannelID(sha(x.key.Serialize())))
		check(x.t, x.table.node.OpenInFactory(peer, peers.InFactory{In: in, FundingSat: capacity, ToSelfDelay: delay, ZeroFee: true}))
	case outside:
		x.paysFor()
		check(x.t, x.table.node.OpenOutside(peer, capacity, 0))
	}
	x.fence()
	x.open = heard[*wire.OpenChannel](x)
	accept := x.accept(x.open)
	accept.ToSelfDelay = delay
	x.kept = []wire.Message{accept}
}

// outpoint makes the output of a channel that the node opens.
func (x *scripted) outpoint(open *wire.OpenChannel) (wire.Txid, uint16) {
	x.next = x.make(open.FundingSat, open.Keys.Funding, x.points().Funding)
	return x.next.txid, x.next.index
}

func created(x *scripted) {
	proposed(x)
	accept, ok := x.kept[0].(*wire.AcceptChannel)
	x.need(ok, "accept_channel")
	x.machine(channel.NewAccepter(x.cfg, x.open, accept))
	x.release()
	x.withhold("funding_signed")
	x.w.until("funding_created", func() bool { x.settle(); return len(x.kept) > 0 || x.ended })
	x.need(!x.ended, "funding_created")
	x.next = funding{txid: x.m.Fundings[0].Txid, tx: x.next.tx}
}

// normal opens a channel until HTLCs can be offered.
func normal(x *scripted) {
	x.t.Helper()
	if x.bought {
		bought(x)
		return
	}
	x.opened(usable, usable)
	x.need(x.m.Link().Up, "a channel of the peer opens")
}

func bought(x *scripted) {
	created(x)
	x.release()
	x.settle()
	x.deep()
	x.need(x.m.Link().Up, "a channel of the node opens")
	x.fill()
}

// fill gives the peer something of its own in a channel of the node.
func (x *scripted) fill() {
	x.t.Helper()
	x.pay(pushed)
	n, preimage := x.offered()
	check(x.t, x.m.Fulfil(channel.HTLCID(n), preimage, false))
	x.settle()
	x.events = nil
}

// pay has the node offer an HTLC.
func (x *scripted) pay(msat payment.Msat) {
	x.t.Helper()
	x.invoices++
	preimage := x.preimage()
	inv := payment.Bolt11{
		Hash: sha(preimage[:]), Payee: x.id(), Amount: msat, Secret: sha([]byte("secret")), Description: "matrix",
		Timestamp: payment.UnixTime(start.Unix()), Expiry: 36000, FinalDelta: 300, MPP: true,
	}
	text, err := inv.Encode(&chaincfg.RegressionNetParams, payment.NewKey(x.key))
	check(x.t, err)
	_, err = x.table.hub.Pay(payment.PayRequest{Invoice: text, MaxFee: msat})
	check(x.t, err)
	x.settle()
}

// withHTLC has the node offer an HTLC that is not removed.
func withHTLC(x *scripted) {
	normal(x)
	x.pay(20_000_000)
	_, preimage := x.offered()
	x.need(preimage != [32]byte{}, "the node offers an HTLC")
}

func updated(x *scripted) {
	normal(x)
	x.withhold("commitment_signed")
	x.offer()
	x.settle()
}

func (x *scripted) offer() {
	x.t.Helper()
	_, err := x.m.Add(channel.AddHTLC{Origin: channel.Origin{1}, Amount: 5_000_000, Hash: sha([]byte("offer")), Expiry: x.m.Height() + 1000, Onion: make([]byte, 1366)})
	check(x.t, err)
}

// awaiting has the node sign an HTLC, and its peer not hear of it.
func awaiting(x *scripted) {
	normal(x)
	x.deaf = func(m wire.Message) bool { return m.Name() == "commitment_signed" }
	x.pay(20_000_000)
	x.need(len(x.unheard) > 0, "commitment_signed of the node")
}

func batching(x *scripted) {
	normal(x)
	kind := uint16(wire.TypeCommitmentSigned)
	x.say(&wire.StartBatch{ChannelID: x.m.ID, BatchSize: 2, MessageType: &kind})
	x.fence()
}

// changeTo makes the output that the next change leads to.
func (x *scripted) changeTo() {
	current := x.m.Fundings[0]
	f := x.make(uint64(current.Value), current.Keys[0], current.Keys[1])
	x.moveTo(f)
}

func (x *scripted) moveTo(f funding) {
	x.next = f
	x.set(func(m *mode) { m.next = f })
}

func (x *scripted) order() {
	x.t.Helper()
	x.command(func(m *channel.Machine) error { return m.StartChange(x.next.contribution(m), nil) })
}

func asked(x *scripted) {
	normal(x)
	x.changeTo()
	x.withhold("stfu")
	x.order()
	x.settle()
	x.need(len(x.kept) > 0, "stfu of the node")
}

func unanswered(x *scripted) {
	awaiting(x) // with an update of its own on the way the node cannot agree yet
	x.say(&wire.Stfu{ChannelID: x.m.ID, Initiator: 1})
	x.fence()
}

// byPeer begins a change, as far as its messages before the one that is kept back.
func (x *scripted) byPeer(kept string) {
	x.t.Helper()
	normal(x)
	x.changes(kept)
}

// changes is byPeer for a channel that is open.
func (x *scripted) changes(kept string) {
	x.t.Helper()
	x.changeTo()
	x.withhold(kept)
	check(x.t, x.m.StartChange(0, nil))
	x.settle()
	x.need(len(x.kept) > 0 && !x.ended, "a change gets as far as "+kept)
}

// byNode has the node begin one.
func (x *scripted) byNode(kept string) {
	x.t.Helper()
	normal(x)
	x.changeTo()
	x.withhold(kept)
	x.order()
	x.settle()
	x.need(len(x.kept) > 0 && !x.ended, "a change of the node gets as far as "+kept)
}

// acknowledged has the node's factory_change_ack and factory_change_funding be lost on the
// way: its peer has begun a change and not gone on.
func acknowledged(x *scripted) {
	normal(x)
	x.changeTo()
	x.deaf = func(m wire.Message) bool { return m.Name() == "factory_change_ack" }
	check(x.t, x.m.StartChange(0, nil))
	x.settle()
	x.need(len(x.unheard) > 0 && !x.ended, "factory_change_ack of the node")
}

func quiescent(x *scripted) { x.byPeer("factory_change_init") }

func judging(x *scripted) {
	x.set(func(m *mode) { m.silent = isAsk[channel.AskChange] })
	x.quietChange()
}

// quietChange begins a change of the peer without anything kept back.
func (x *scripted) quietChange() {
	x.t.Helper()
	normalKeeping(x)
	x.changeTo()
	check(x.t, x.m.StartChange(0, nil))
	x.settle()
	x.need(!x.ended, "a change begins")
}

// normalKeeping is normal with the mode that is set.
func normalKeeping(x *scripted) {
	var was mode
	x.set(func(m *mode) { was = *m })
	normal(x)
	x.set(func(m *mode) { m.silent, m.pending = was.silent, was.pending })
}

// continues keeps both sides from continuing.
func (x *scripted) committed(nodePending bool) {
	x.t.Helper()
	x.set(func(m *mode) { m.silent, m.pending = isAsk[channel.AskContinue], nodePending })
	normalKeeping(x)
	x.silent = isAsk[channel.AskContinue]
	x.changeTo()
	check(x.t, x.m.StartChange(0, nil))
	x.settle()
	x.need(!x.ended && len(x.m.Fundings) == 2 && x.m.Committed(x.next.txid), "a change is committed")
}

func funded(x *scripted) {
	normal(x)
	x.silent = isAsk[channel.AskContinue]
	x.changes("commitment_signed")
}

func committed(x *scripted) { x.committed(false) }
func pending(x *scripted)   { x.committed(true) }

func calledOff(x *scripted) {
	committed(x)
	x.withhold("factory_change_abort")
	x.command(func(m *channel.Machine) error { return m.AbortChange("by order") })
	x.settle()
	x.need(len(x.kept) > 0, "factory_change_abort of the node")
}

func aheadOf(x *scripted) {
	committed(x)
	check(x.t, x.m.ChangeStored())
	x.settle()
}

// continued takes the channel through a change as far as both sides continue, and
// keeps them from locking it.
func (x *scripted) continued() {
	x.t.Helper()
	normal(x)
	x.changeTo()
	check(x.t, x.m.StartChange(0, nil))
	x.settle()
	x.need(!x.ended && len(x.m.Fundings) == 2 && x.m.Link().Up, "a change is continued")
}

// askedAgain has the node begin a second change, of which the peer hears nothing, while
// the first one is not locked.
func askedAgain(x *scripted) {
	x.continued()
	first := x.next
	x.changeTo()
	x.deaf = func(m wire.Message) bool { return m.Name() == "stfu" }
	x.order()
	x.settle()
	x.next = first
	x.need(len(x.unheard) > 0, "stfu of the node")
}

func lockedByNode(x *scripted) {
	x.continued()
	x.withhold("factory_change_locked")
	x.command(func(m *channel.Machine) error { return m.Lock(x.next.txid) })
	x.settle()
	x.need(len(x.kept) > 0, "factory_change_locked of the node")
}

func lockedByPeer(x *scripted) {
	x.continued()
	x.set(func(m *mode) { m.silent = isAsk[channel.AskLock] })
	check(x.t, x.m.Lock(x.next.txid))
	x.settle()
}

func inRound(x *scripted) {
	x.continued()
	x.withhold("commitment_signed")
	check(x.t, x.m.Lock(x.next.txid))
	x.settle()
	x.need(len(x.kept) > 0 && len(x.m.Fundings) == 1, "the round after a change")
}

// late connects again and keeps channel_reestablish back.
func (x *scripted) late() {
	x.drop()
	x.withhold("channel_reestablish")
	x.dial()
	x.m.SetFeatures(features())
	x.m.Connected()
	x.flush()
	x.need(len(x.kept) == 1, "channel_reestablish")
}

func closes(x *scripted) {
	normal(x)
	x.withhold("shutdown")
	check(x.t, x.table.hub.CloseChannel(x.m.ID, nil, false))
	x.settle()
	x.need(len(x.kept) > 0, "shutdown of the node")
}

func halfClosed(x *scripted) {
	withHTLC(x)
	check(x.t, x.m.Shutdown(nil))
	x.settle()
}

func drained(x *scripted) {
	normal(x)
	check(x.t, x.m.Shutdown(nil))
	x.settle()
}

// absorb makes the change by which the channel goes into another one.
func (x *scripted) absorb() {
	x.t.Helper()
	x.moveTo(funding{txid: sha(append([]byte("into"), x.key.Serialize()...)), into: true})
	whole, _ := x.m.Whole()
	check(x.t, x.m.StartChange(-whole[x.m.Side], nil))
	x.settle()
}

func frozen(x *scripted) {
	normal(x)
	x.silent = isAsk[channel.AskContinue]
	x.set(func(m *mode) { m.silent = isAsk[channel.AskContinue] })
	x.absorb()
	x.need(!x.ended && len(x.m.Fundings) == 2, "a channel is frozen")
}

func frozenOn(x *scripted) {
	frozen(x)
	check(x.t, x.m.ChangeStored())
	x.command(func(m *channel.Machine) error { return m.ChangeStored() })
	x.settle()
}

func absorbed(x *scripted) {
	frozenOn(x)
	check(x.t, x.m.Lock(x.next.txid))
	x.settle()
	x.need(!x.ended && x.m.Ended(), "a channel is absorbed")
}

// force has the node fail the channel.
func (x *scripted) force() {
	check(x.t, x.table.hub.CloseChannel(x.m.ID, nil, true))
	x.fence()
}

func forgotten(x *scripted) {
	normal(x)
	x.command(func(m *channel.Machine) error { m.Forget(); return nil })
	x.fence()
}
