package harness

import (
	"context"

	"superscalar/wire"
)

// Sell tells the target, an LSP, to open a channel of amountSat sat inside a
// factory to the suite's peer c. What the target says about it is no result;
// what it sends is.
func (c *Peer) Sell(amountSat uint64) {
	p := c.play
	seller, ok := p.Node.(Seller)
	if !ok {
		p.Unsupported("the target cannot be told to sell liquidity")
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.deadline)
	defer cancel()
	if err := seller.Buy(ctx, c.ID(), amountSat); err != nil {
		p.event("told to sell %d sat: %s", amountSat, oneLine(err.Error()))
		return
	}
	p.event("told to sell %d sat", amountSat)
}

// Chain is the chain hash the target works on: the first of its networks.
func (c *Peer) Chain() [32]byte {
	if c.Init != nil && len(c.Init.Networks) > 0 {
		return c.Init.Networks[0]
	}
	return c.InitMessage().Networks[0]
}

// Supports reports whether the target listed a factory protocol.
func (c *Peer) Supports(id wire.ProtocolID) bool {
	if c.Protocols == nil {
		return false
	}
	for _, x := range c.Protocols.IDs {
		if x == id {
			return true
		}
	}
	return false
}
