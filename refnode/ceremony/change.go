package ceremony

import (
	"errors"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// clientChange is a change that a client takes part in.
type clientChange struct {
	change
	held  *Held
	index int // in held.Changes
}

// startChange begins a change whose first message this is.
func (c *Client) startChange(now time.Time, m wire.Ceremony) []wire.Ceremony {
	if c.attempt != nil && c.cfg.on(rule.CER006) {
		return []wire.Ceremony{fail(wire.ReasonBusy, rule.CER006, "another attempt is going on").abort(m.ID())}
	}
	a := &clientAttempt{id: m.ID(), deadline: now.Add(c.cfg.deadline())}
	c.end()
	c.attempt = a
	out, err := c.beginChange(a, m)
	if err != nil && asFailure(err).Rule == rule.CER041 && !c.cfg.on(rule.CER041) {
		c.end()
		return nil
	}
	if err != nil {
		return c.refuse(a.id, err)
	}
	return out
}

// beginChange checks a change and answers with the nonces of its first phase.
func (c *Client) beginChange(a *clientAttempt, m wire.Ceremony) ([]wire.Ceremony, error) {
	held, err := c.factoryOf(m)
	if err != nil {
		return nil, err
	}
	if a.factoryKey, _, _, err = ownKeys(c.cfg.Keys, held.ID()); err != nil {
		return nil, err
	}
	ch, err := held.openChange(m, a)
	if err != nil {
		return nil, err
	}
	a.change = ch
	held.Changes = append(held.Changes, &HeldChange{Message: m})
	return c.offerChange(a)
}

// offerChange starts the next phase of a change.
func (c *Client) offerChange(a *clientAttempt) ([]wire.Ceremony, error) {
	if err := a.change.checkChain(c.cfg.Config, a.phase); err != nil {
		return nil, err
	}
	slots, _, err := a.change.txs(a.phase)
	if err != nil {
		return nil, err
	}
	return c.offerNonces(a, of(a.change.held.Client(), slots))
}

// factoryOf finds the factory that a change is about (CER-041).
func (c *Client) factoryOf(m wire.Ceremony) (*Held, error) {
	var id wire.CeremonyID
	switch m := m.(type) {
	case *wire.Update:
		id = m.Factory
	case *wire.Sale:
		id = m.Factory
	case *wire.Poison:
		id = m.Factory
	}
	held := c.held[id]
	if held == nil {
		return nil, fail(wire.ReasonRefused, rule.CER041, "no factory %s", id)
	}
	return held, nil
}

// openChange computes a change on the live tree. The attempt is nil when a
// stored change is read again.
func (h *Held) openChange(m wire.Ceremony, a *clientAttempt) (*clientChange, error) {
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
	default:
		err = errors.New(m.Name() + " is no change")
	}
	return ch, err
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
	return h.tree.Update(factory.Change{Node: node, Remaining: m.Remaining, Amounts: amounts, ChannelsFirst: first, Channels: channels})
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
	if a != nil && (a.invite == nil || m.Amount < a.invite.Capacity) && h.cfg.on(rule.CER012) {
		return factory.Channel{}, fail(wire.ReasonAmounts, rule.CER012, "a sale of %d sat that was not agreed on", m.Amount)
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

// changeSignatures completes a phase of a change and starts the next.
func (c *Client) changeSignatures(a *clientAttempt, m *wire.Signatures) ([]wire.Ceremony, error) {
	ch := a.change
	if err := ch.held.addPhase(ch, m, c.cfg.on(rule.CER022)); err != nil {
		return nil, err
	}
	if err := ch.held.saveChange(c.cfg.Store, ch.index); err != nil {
		return nil, err
	}
	out := []wire.Ceremony{&wire.Stored{Attempt: wire.Attempt{Ceremony: a.id}, Phase: a.phase}}
	if a.phase == ch.last() {
		c.end()
		return out, nil
	}
	a.phase++
	more, err := c.offerChange(a)
	return append(out, more...), err
}

// addPhase checks the signatures of the next phase and takes them in.
func (h *Held) addPhase(ch *clientChange, m *wire.Signatures, check bool) error {
	record := h.Changes[ch.index]
	phase := uint8(len(record.Phases))
	slots, channels, err := ch.txs(phase)
	if err != nil {
		return err
	}
	slots, channels = of(h.Client(), slots), of(h.Client(), channels)
	if check {
		if err := checkSignatures(slots, m.Signatures, h.cfg.Rand); err != nil {
			return err
		}
		if err := h.checkChannels(channels, m.Channels); err != nil {
			return err
		}
	}
	record.Phases = append(record.Phases, m)
	addSigned(h.live, slots, m.Signatures)
	addSigned(h.live, channels, m.Channels)
	err = ch.advance(phase)
	h.tree = ch.tree
	return err
}

// begin notes, durably, that the step of a state is about to be used up
// (DELAY-002).
func (c *Client) begin(ch *clientChange) error {
	ch.held.Changes[ch.index].Begun = true
	return ch.held.saveChange(c.cfg.Store, ch.index)
}

// abandon ends a change that may not be complete: what nobody signed is
// forgotten, a state that was signed has used up its step.
func (ch *clientChange) abandon() {
	if ch.index >= len(ch.held.Changes) {
		return
	}
	record := ch.held.Changes[ch.index]
	if !record.Begun && len(record.Phases) <= int(ch.last()) {
		ch.held.Changes = ch.held.Changes[:ch.index]
		return
	}
	_ = ch.failIfBegun()
}

// failIfBegun uses up the step of a state that was signed but not completed.
func (ch *clientChange) failIfBegun() error {
	record := ch.held.Changes[ch.index]
	if !record.Begun || len(record.Phases) != 1 {
		return nil
	}
	tree, err := ch.failed()
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
	h.Changes = append(h.Changes, &HeldChange{Message: list[0], Begun: raw[0] == 1})
	for _, m := range list[1:] {
		sigs, ok := m.(*wire.Signatures)
		if !ok {
			return errors.New("something else than signatures in its record")
		}
		if err := h.addPhase(ch, sigs, true); err != nil {
			return err
		}
	}
	return ch.failIfBegun()
}
