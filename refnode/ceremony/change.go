package ceremony

import (
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
	if err := c.taken(m); err != nil {
		return []wire.Ceremony{asFailure(err).abort(m.ID())}
	}
	a := &clientAttempt{id: m.ID(), lsp: c.lsp, deadline: c.patience(now)}
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
	if sale, ok := m.(*wire.Sale); ok && factory.ClientIndex(sale.Buyer) == held.Client() {
		if err := c.freshKey(sale.LSPChannelKey, sale.Ceremony); err != nil {
			return nil, err
		}
	}
	ch, err := held.openChange(m, a)
	if err != nil {
		return nil, err
	}
	a.change = ch
	c.expectChannel(a)
	if err := c.startMove(a); err != nil {
		return nil, err
	}
	return c.offerChange(a)
}

// offerChange starts the next phase of a change.
func (c *Client) offerChange(a *clientAttempt) ([]wire.Ceremony, error) {
	if err := a.change.checkFunded(c.cfg.Config, a.change.held.ID(), a.phase); err != nil {
		return nil, err
	}
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

// changeSignatures completes a phase of a change and starts the next.
func (c *Client) changeSignatures(a *clientAttempt, m *wire.Signatures) ([]wire.Ceremony, error) {
	ch := a.change
	if err := ch.held.checkPhase(ch, a.phase, m, c.cfg.on(rule.CER022)); err != nil {
		return nil, err
	}
	if err := c.storePhase(ch, a.phase, m); err != nil {
		return nil, err
	}
	a.state = stored
	return c.sayStored(a)
}

// storePhase stores a phase, then takes it in. One that was stored in an attempt
// before is on the disk already.
func (c *Client) storePhase(ch *clientChange, phase uint8, m *wire.Signatures) error {
	record := ch.held.Changes[ch.index]
	if int(phase) < len(record.Phases) {
		return nil
	}
	record.Phases = append(record.Phases, m)
	if err := ch.held.saveChange(c.cfg.Store, ch.index); err != nil {
		record.Phases = record.Phases[:phase]
		return err
	}
	if err := ch.held.takeIn(ch, phase, m); err != nil {
		return err
	}
	return c.stand(ch)
}

// begin notes, durably, that the step of a state is about to be used up
// (DELAY-002).
func (c *Client) begin(ch *clientChange) error {
	record := ch.held.Changes[ch.index]
	if record.Begun {
		return nil
	}
	record.Begun = true
	err := ch.held.saveChange(c.cfg.Store, ch.index)
	if err != nil {
		record.Begun = false
	}
	return err
}

// abandon ends a change that may not be complete: what is not on the disk is
// forgotten, a state that was signed has used up its step.
func (ch *clientChange) abandon(a *clientAttempt) {
	record := ch.held.Changes[ch.index]
	switch {
	case !record.Begun && len(record.Phases) == 0:
		ch.nothingMade(a)
		ch.held.Changes = ch.held.Changes[:ch.index]
	case !record.Begun && ch.update != nil: // no channel moves before phase 1 (CHG-009)
		ch.nothingMade(a)
	default:
		ch.held.cfg.keepChannels(a.lsp, a.id)
		_ = ch.failIfBegun()
	}
}

// nothingMade says that an attempt ends without an output. Only that of a sale that
// said what it makes has a channel to forget.
func (ch *clientChange) nothingMade(a *clientAttempt) {
	switch {
	case ch.sale == nil:
		ch.held.cfg.callOffMoves(a.lsp, a.id)
	case a.expects:
		ch.held.cfg.forgetChannels(a.lsp, a.id)
	}
}
