package storm

import (
	"context"
	"fmt"

	"superscalar/refnode/payment"
	"superscalar/refnode/role"
)

// stay begins an end in which nobody leaves: the LSP is gone, or it goes its own way out
// before the factory expires.
func (e *ending) stay() {
	s := e.storm
	if s.r.IntN(2) > 0 {
		return
	}
	if s.poor > 0 || s.r.IntN(2) == 0 {
		s.calm() // else HTLCs make clients leave
	}
	e.covered()
	s.leaveTheStage(s.lsp)
	s.note("the LSP is gone")
	s.counts["LSPs that go"]++
}

// covered notes the cover of each client: all that it is promised when it is away for
// long, or waits for the expiry without its LSP.
func (e *ending) covered() {
	for _, c := range e.clients {
		e.begin(c)
		cover, err := c.client.Factories()[0].Tree.Cover(c.client.Factories()[0].Index)
		e.check(err)
		e.cover = append(e.cover, payment.Msat(1000*cover))
	}
}

// untilExpiry says what is not over where the LSP is gone: distributions have paid
// everybody, but for who went to the chain with a commitment of its own before.
func (e *ending) untilExpiry() string {
	tip, err := e.chain.Tip(context.Background())
	e.check(err)
	end := e.tree().Factory().Terms().Params.Expiry + 40
	if uint32(tip.Height) < uint32(end) {
		return fmt.Sprintf("it is block %d and not %d", tip.Height, end)
	}
	for _, p := range e.clients {
		if p.hub == nil {
			return p.name + " is away"
		}
		// What the LSP offered and does not take back stays open for long.
		if what := e.unfinished(p); what != "" && uint32(tip.Height) < uint32(end)+2*role.MaxClientDelay {
			return what
		}
	}
	return ""
}
