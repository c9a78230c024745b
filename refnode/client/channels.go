package client

import (
	"fmt"

	"superscalar/refnode/ceremony"
	"superscalar/wire"
)

// restoreChannels tells the registry which outputs the stored factories have.
func (c *Client) restoreChannels(byLSP map[ceremony.Peer][]*ceremony.Held) error {
	r := c.cfg.Channels
	if r == nil {
		return nil
	}
	r.RestoreAside(c.aside)
	for lsp, list := range byLSP {
		for _, h := range list {
			outputs, err := h.ChannelOutputs()
			if err != nil {
				return err
			}
			for _, o := range outputs {
				o.Peer = lsp
				r.Restore(o)
			}
			moves, err := h.Moves()
			if err != nil {
				return err
			}
			for _, to := range moves {
				to.Peer = lsp
				r.RestoreMove(to)
			}
		}
	}
	return nil
}

// ChannelOpened says that a channel with an LSP has been opened: what waits for
// it goes on.
func (c *Client) ChannelOpened(lsp ceremony.Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.machines[lsp]; m != nil {
		c.answer(lsp, m.ChannelOpened(c.pause.Now()))
	}
}

// CheckChannel implements plugin.ChannelTaker.
func (c *Client) CheckChannel(lsp ceremony.Peer, open *wire.OpenChannel) error {
	if c.cfg.Channels == nil {
		return fmt.Errorf("factory instance %x is unknown", open.ChannelInFactory.InstanceID)
	}
	return c.cfg.Channels.CheckChannel(lsp, open)
}

// ToSelfDelay implements plugin.ChannelTaker.
func (c *Client) ToSelfDelay(lsp ceremony.Peer, open *wire.OpenChannel) uint16 {
	if c.cfg.Channels == nil {
		return 0
	}
	return c.cfg.Channels.ToSelfDelay(lsp, open)
}
