package ceremony

import (
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// What an attempt may not begin with: the id or the key of something that stands. Its
// end would forget a channel that is in use.

// taken fails when the id of an attempt that is about to begin is that of a factory
// (CER-032), or of a sale. An LSP takes up its last sale again under the same id.
func (c *Client) taken(m wire.Ceremony) error {
	if c.held[m.ID()] != nil {
		return fail(wire.ReasonRefused, rule.CER032, "this ceremony_id has a factory")
	}
	for _, h := range c.Factories() {
		for i, ch := range h.Changes {
			if _, sale := ch.Message.(*wire.Sale); !sale || ch.Message.ID() != m.ID() {
				continue
			}
			if i+1 == len(h.Changes) && sells(m, h.ID()) {
				continue
			}
			return fail(wire.ReasonRefused, rule.CER032, "this ceremony_id has a sale")
		}
	}
	return nil
}

// sells reports whether a message begins a sale in a factory.
func sells(m wire.Ceremony, id wire.CeremonyID) bool {
	switch m := m.(type) {
	case *wire.Invite:
		return m.Factory != nil && *m.Factory == id
	case *wire.Sale:
		return m.Factory == id
	default:
		return false
	}
}

// freshKey fails when the LSP's key for a new channel is that of a channel that an
// attempt before has made: no two channels with one peer share it (CER-011).
func (c *Client) freshKey(key wire.Point, attempt wire.CeremonyID) error {
	for _, h := range c.Factories() {
		used := h.Proposal.LSPChannelKey == key && h.ID() != attempt
		for _, ch := range h.Changes {
			sale, ok := ch.Message.(*wire.Sale)
			used = used || ok && factory.ClientIndex(sale.Buyer) == h.Client() && sale.LSPChannelKey == key && sale.Ceremony != attempt
		}
		if used {
			return fail(wire.ReasonKeys, rule.CER011, "the lsp_channel_key is that of a channel there is")
		}
	}
	return nil
}
