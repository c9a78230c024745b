package ceremony

import (
	"bytes"
	"errors"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A change as the factory it is about sees it: what it computes, what has to be
// out of the way, how far it got. Client runs it (change.go).

// openChange computes a change on the live tree, and takes up the last one again
// when this is the same. The attempt is nil when a stored change is read again.
func (h *Held) openChange(m wire.Ceremony, a *clientAttempt) (*clientChange, error) {
	if n := len(h.Changes); n > 0 && sameChange(h.Changes[n-1].Message, m) {
		return h.again(h.Changes[n-1].run, m, a)
	}
	if err := h.makeRoom(m, a); err != nil {
		return nil, err
	}
	ch := &clientChange{change: change{tree: h.tree}, held: h, index: len(h.Changes)}
	var err error
	switch m := m.(type) {
	case *wire.Update:
		ch.update, err = h.openUpdate(m)
	case *wire.Sale:
		ch.sale, err = h.openSale(m, a)
	case *wire.Poison:
		node := nodeOf(m.Node)
		if !h.tree.Factory().Layout().Range(node).Contains(h.Client()) {
			return nil, fail(wire.ReasonRefused, rule.CER041, "transaction %s is not on our path", node)
		}
		ch.poison = &node
		if ch.due, err = h.due.due(h.tree, node); err == nil && len(ch.due) == 0 {
			err = fail(wire.ReasonRefused, rule.POI002, "no poison is due below transaction %s", node)
		}
		if err == nil && len(ch.due) == 0 {
			err = fail(wire.ReasonAmounts, rule.POI002, "nothing below transaction %s waits for poison", node)
		}
	default:
		err = errors.New(m.Name() + " is no change")
	}
	if err == nil {
		err = h.checkCover(ch)
	}
	if err != nil {
		return nil, err
	}
	h.Changes = append(h.Changes, &HeldChange{Message: m, run: ch})
	return ch, nil
}

// makeRoom forgets the last change when nothing of it was signed that spends an
// existing outpoint: another one may take its place. A sale that was signed and
// is not complete may still come out, so nothing is built on its stock before it
// is completed (POI-009).
func (h *Held) makeRoom(m wire.Ceremony, a *clientAttempt) error {
	n := len(h.Changes)
	if n == 0 {
		return nil
	}
	last := h.Changes[n-1]
	complete := last.run != nil && len(last.Phases) > int(last.run.last())
	switch {
	case complete:
		return nil
	case !last.Begun:
		if _, sale := last.Message.(*wire.Sale); sale && a != nil { // else nobody has heard of it yet
			h.cfg.forgetChannels(a.lsp, last.Message.ID())
		}
		h.Changes = h.Changes[:n-1]
		return nil
	case last.run != nil && last.run.sale != nil && h.cfg.on(rule.POI009):
		return fail(wire.ReasonRecorded, rule.POI009, "%s while a sale that was signed is not complete", m.Name())
	}
	return nil
}

// checkCover refuses a change that leaves the client with less cover
// (DIST-010).
func (h *Held) checkCover(ch *clientChange) (err error) {
	var after *factory.Tree
	switch {
	case ch.update != nil:
		after, err = h.tree.Replace(ch.update)
	case ch.sale != nil:
		after, err = h.tree.Sold(ch.sale)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	before, err := h.tree.Cover(h.Client())
	if err != nil {
		return err
	}
	return after.CheckCover(h.Client(), before)
}

// again takes up the last change in a new attempt: the same transactions, with
// fresh nonces (PS-012). What is stored of it stays. The LSP asks for it when the
// attempt before was interrupted and it cannot know who has what.
func (h *Held) again(last *clientChange, m wire.Ceremony, a *clientAttempt) (*clientChange, error) {
	if sale, ok := m.(*wire.Sale); ok && factory.ClientIndex(sale.Buyer) == h.Client() {
		if err := h.agreed(sale, a); err != nil {
			return nil, err
		}
	}
	last.tree = h.tree
	return last, nil
}

// sameChange reports whether two messages ask for the same change. The id of an
// update or of poison is that of an attempt; that of a sale is part of it.
func sameChange(a, b wire.Ceremony) bool {
	switch a := a.(type) {
	case *wire.Update:
		b, ok := b.(*wire.Update)
		if !ok {
			return false
		}
		x, y := *a, *b
		x.Attempt, y.Attempt = wire.Attempt{}, wire.Attempt{}
		return sameMessage(&x, &y)
	case *wire.Poison:
		b, ok := b.(*wire.Poison)
		return ok && a.Factory == b.Factory && a.Node == b.Node
	default:
		return sameMessage(a, b)
	}
}

func sameMessage(a, b wire.Ceremony) bool {
	x, err := wire.Codec{}.EncodeCeremony(a)
	if err != nil {
		return false
	}
	y, err := wire.Codec{}.EncodeCeremony(b)
	return err == nil && bytes.Equal(x, y)
}

func nodeOf(n wire.NodeRecord) factory.NodeID {
	return factory.NodeID{Level: n.Level, Position: n.Position}
}

// openUpdate computes what an update would sign.
func (h *Held) openUpdate(m *wire.Update) (*factory.Update, error) {
	l, node := h.tree.Factory().Layout(), nodeOf(m.Node)
	amounts, err := amountsOf(l, h.Client(), node, m.Sums, m.Capacities, m.Stocks)
	if err != nil {
		return nil, err
	}
	own := h.tree.Channels(h.Client())[0].Channel
	channels, first, err := channelsOf(l, h.Client(), m.ChannelScripts, own, h.cfg.Rules)
	if err != nil {
		return nil, err
	}
	u, err := h.tree.Update(factory.Change{Node: node, Remaining: m.Remaining, Amounts: amounts, ChannelsFirst: first, Channels: channels})
	if err == nil && !h.cfg.Rules.On(rule.CHG016) {
		err = h.keepsStock(u)
	}
	return u, err
}

// keepsStock refuses an update that leaves the stock of our group smaller without a
// channel of ours getting larger: a mutant takes what it has no right to for its own.
func (h *Held) keepsStock(u *factory.Update) error {
	leaf, group, _ := h.tree.Factory().Layout().Group(h.Client())
	before, ok := h.tree.NewestStock(leaf, group)
	n, built := u.Node(leaf)
	if !ok || !built || n.Stocks[group] != nil && n.Stocks[group].Value >= before.Value {
		return nil
	}
	if n.Channels[h.Client()-n.Clients.First].Value > h.tree.Capacities(h.Client()) {
		return nil
	}
	return fail(wire.ReasonRefused, rule.CHG016, "the stock of our group gets smaller")
}

// openSale computes what a sale would sign. The buyer joined with the key of
// its new channel; the others see a script.
func (h *Held) openSale(m *wire.Sale, a *clientAttempt) (*factory.Sale, error) {
	channel, err := factory.ChannelFromScript(m.ChannelScript)
	if err == nil && factory.ClientIndex(m.Buyer) == h.Client() {
		channel, err = h.soldChannel(m, a)
	}
	if err != nil {
		return nil, err
	}
	for _, own := range h.tree.Channels(h.Client()) {
		if own.Channel.Script == channel.Script {
			return nil, fail(wire.ReasonKeys, rule.CER011, "the script of the sold channel is that of a channel there is")
		}
	}
	return h.tree.Sell(factory.Order{
		Leaf: nodeOf(m.Leaf), Group: m.Group, Before: m.Before,
		Buyer: factory.ClientIndex(m.Buyer), Amount: factory.Sat(m.Amount), Channel: channel,
	})
}

// soldChannel is the buyer's view of its new channel.
func (h *Held) soldChannel(m *wire.Sale, a *clientAttempt) (factory.Channel, error) {
	key, err := h.cfg.Keys.Channel(m.Ceremony, 0)
	if err != nil {
		return factory.Channel{}, err
	}
	if err := h.agreed(m, a); err != nil {
		return factory.Channel{}, err
	}
	channel, err := ownChannel(key, m.LSPChannelKey)
	if err != nil {
		return factory.Channel{}, err
	}
	if string(channel.Script[:]) != string(m.ChannelScript) && h.cfg.on(rule.CER011) {
		return factory.Channel{}, fail(wire.ReasonKeys, rule.CER011, "the script of the sold channel is not the one of its keys")
	}
	return channel, nil
}

// agreed checks that the buyer was asked before (CER-012).
func (h *Held) agreed(m *wire.Sale, a *clientAttempt) error {
	if a == nil || !h.cfg.on(rule.CER012) {
		return nil
	}
	if a.invite == nil || a.invite.Factory == nil || *a.invite.Factory != m.Factory || m.Amount < a.invite.Capacity {
		return fail(wire.ReasonAmounts, rule.CER012, "a sale of %d sat that was not agreed on", m.Amount)
	}
	return nil
}

// phaseOf are the transactions of a phase that the client signs.
func (h *Held) phaseOf(ch *clientChange, phase uint8) (slots, channels []*factory.Tx, err error) {
	slots, channels, err = ch.txs(phase)
	return of(h.Client(), slots), of(h.Client(), channels), err
}

// checkPhase checks the signatures of a phase.
func (h *Held) checkPhase(ch *clientChange, phase uint8, m *wire.Signatures, check bool) error {
	slots, channels, err := h.phaseOf(ch, phase)
	if err != nil || !check {
		return err
	}
	if err := checkSignatures(slots, m.Signatures, h.cfg.Rand); err != nil {
		return err
	}
	return h.checkChannels(channels, m.Channels)
}

// takeIn adds signatures that are checked and stored.
func (h *Held) takeIn(ch *clientChange, phase uint8, m *wire.Signatures) error {
	slots, channels, err := h.phaseOf(ch, phase)
	if err != nil {
		return err
	}
	addSigned(h.live, slots, m.Signatures)
	addSigned(h.live, channels, m.Channels)
	if h.tree, err = ch.advance(h.tree, phase); err == nil && ch.due != nil {
		h.due.set(h.tree.Factory().Layout(), ch.node(), ch.due)
	}
	return err
}

// failIfBegun uses up the step of a state that was signed but not completed.
func (ch *clientChange) failIfBegun() error {
	record := ch.held.Changes[ch.index]
	if !record.Begun || len(record.Phases) != 1 {
		return nil
	}
	tree, err := ch.failed(ch.held.tree)
	if err == nil {
		ch.held.tree = tree
	}
	return err
}

// reopenChange reads a stored change and checks it again.
func (h *Held) reopenChange(raw []byte) error {
	if len(raw) == 0 {
		return errors.New("empty record")
	}
	list, err := unpackMessages(raw[1:])
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("no message")
	}
	ch, err := h.openChange(list[0], nil)
	if err != nil {
		return err
	}
	h.Changes[ch.index].Begun = raw[0] == 1
	for phase, m := range list[1:] {
		sigs, ok := m.(*wire.Signatures)
		if !ok || phase > int(ch.last()) {
			return errors.New("something else than signatures in its record")
		}
		if err := h.checkPhase(ch, uint8(phase), sigs, true); err != nil {
			return err
		}
		h.Changes[ch.index].Phases = append(h.Changes[ch.index].Phases, sigs)
		if err := h.takeIn(ch, uint8(phase), sigs); err != nil {
			return err
		}
	}
	return ch.failIfBegun()
}
