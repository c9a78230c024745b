package ceremony

import (
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// waitsForChannel reports whether the phase that a client has just stored makes
// a channel output of its own on which it has no commitment yet (CHAN-002).
func (c *Client) waitsForChannel(a *clientAttempt) bool {
	if c.cfg.Channels == nil || !c.cfg.on(rule.CHAN002) {
		return false
	}
	switch ch := a.change; {
	case ch == nil:
		i := factory.ClientIndex(a.proposal.ClientIndex)
		return !c.cfg.Channels.Opened(a.tree.Channels(i)[0].Outpoint)
	case ch.sale != nil && a.phase == 1 && ch.sale.Buyer == ch.held.Client():
		return !c.cfg.Channels.Opened(ch.sale.NewChannel.Outpoint)
	default:
		return false
	}
}

// ChannelOpened says that a channel has been opened, or has its commitments on a
// new output: ceremony_stored or partial signatures that were held back for it go
// out.
func (c *Client) ChannelOpened(now time.Time) []wire.Ceremony {
	if out := c.moved(now); out != nil {
		return out
	}
	a := c.attempt
	if a == nil || !a.held || c.waitsForChannel(a) {
		return nil
	}
	a.held = false
	a.deadline = c.patience(now)
	out, err := c.sayStored(a)
	if err != nil {
		return append(out, c.refuse(a.id, err)...)
	}
	return out
}

// expectChannel says which channel output an attempt makes for this client. That of
// a sale that is complete here stands, with a channel on it: the LSP, which asks once
// more because it does not know that, gets no other.
func (c *Client) expectChannel(a *clientAttempt) {
	if c.cfg.Channels == nil {
		return
	}
	switch ch := a.change; {
	case ch == nil:
		o := outputOf(a.tree, a.tree.Channels(factory.ClientIndex(a.proposal.ClientIndex))[0], a.channelKey, false)
		o.Peer, o.Attempt, o.Factory = c.lsp, a.id, a.id
		a.expects = true
		c.cfg.Channels.Expect(o)
	case ch.sale != nil && ch.sale.Buyer == ch.held.Client():
		if ch.reached > ch.last() && c.cfg.Channels.Opened(ch.sale.NewChannel.Outpoint) {
			return
		}
		if o, err := ch.held.soldOutput(ch, a.id); err == nil { // else open_channel is refused, and the LSP waits in vain
			o.Peer = c.lsp
			a.expects = true
			c.cfg.Channels.Expect(o)
		}
	}
}

func (h *Held) soldOutput(ch *clientChange, attempt wire.CeremonyID) (ChannelOutput, error) {
	key, err := h.cfg.Keys.Channel(attempt, 0)
	if err != nil {
		return ChannelOutput{}, err
	}
	o := outputOf(h.tree, ch.sale.NewChannel, key, false)
	o.Attempt, o.Factory = attempt, h.ID()
	return o, nil
}

// ChannelOutputs are the client's own channel outputs in the factory, those of
// sales that may still be completed too. A key that cannot be derived is an
// error. Peer is for the caller to fill in.
func (h *Held) ChannelOutputs() ([]ChannelOutput, error) {
	out, err := h.standing()
	if err != nil {
		return nil, err
	}
	for _, change := range h.Changes {
		if run := change.run; run != nil && run.sale != nil && run.sale.Buyer == h.Client() && run.reached < 2 {
			o, err := h.soldOutput(run, change.Message.ID())
			if err != nil {
				return nil, err
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// standing are the client's channel outputs in the live tree, those that updates have
// absorbed last.
func (h *Held) standing() ([]ChannelOutput, error) {
	var out []ChannelOutput
	for _, ch := range h.tree.Channels(h.Client()) {
		o, err := h.outputOf(ch)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	sold, at := tookIn(h.tree, h.Client())
	for k := range sold {
		o, err := h.outputOf(sold[k])
		if err != nil {
			return nil, err
		}
		stays, err := h.outputOf(at[k])
		if err != nil {
			return nil, err
		}
		out = append(out, into(o, stays))
	}
	return out, nil
}

// outputOf describes a channel output of the client that is made.
func (h *Held) outputOf(ch factory.ChannelOutput) (ChannelOutput, error) {
	attempt := h.ID()
	for _, change := range h.Changes {
		if sale, ok := change.Message.(*wire.Sale); ok && factory.ClientIndex(sale.Buyer) == h.Client() && string(sale.ChannelScript) == string(ch.Channel.Script[:]) {
			attempt = sale.Ceremony
		}
	}
	key, err := h.cfg.Keys.Channel(attempt, 0)
	if err != nil {
		return ChannelOutput{}, err
	}
	o := outputOf(h.tree, ch, key, false)
	o.Attempt, o.Factory, o.Alone = attempt, h.ID(), alone(h.tree, h.Client())
	return o, nil
}
