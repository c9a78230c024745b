package lsp_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/role/roletest"
	"superscalar/wire"
)

// slowChain takes a time to answer once.
type slowChain struct {
	chain.Interface
	clock interface {
		Now() time.Time
		Advance(time.Duration)
	}
	takes time.Duration
	timed chan struct{} // closed when the time is over, timers included
}

func (c *slowChain) slow() {
	d := c.takes
	if d == 0 {
		return
	}
	c.takes = 0
	start := c.clock.Now()
	go func() {
		c.clock.Advance(d)
		close(c.timed)
	}()
	for c.clock.Now().Equal(start) {
		runtime.Gosched() // the role's timer waits for the lock that it holds
	}
}

func (c *slowChain) Spend(ctx context.Context, o btcwire.OutPoint) (chain.Spend, bool, error) {
	c.slow()
	return c.Interface.Spend(ctx, o)
}

func (c *slowChain) Tip(ctx context.Context) (chain.BlockID, error) {
	c.slow()
	return c.Interface.Tip(ctx)
}

// While the LSP waits for its chain it hears nobody: the deadline that passes then
// ends no attempt and blames nobody (CER-017). A deadline that passes while it
// listens does.
func TestSlowChainBlamesNobody(t *testing.T) {
	w := roletest.New(t, 2)
	id := w.Factory("kickoff 1 / ps 2")
	slow := &slowChain{Interface: w.Regtest, clock: w.Clock, timed: make(chan struct{})}
	w.LSP.Chain.Interface = slow
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 20_000}); err != nil {
		t.Fatal(err)
	}
	w.Events = nil
	slowed := false
	w.Run(func(toLSP bool, _ int, m wire.Ceremony) bool {
		if _, ok := m.(*wire.Join); ok && toLSP {
			slow.takes, slowed = ceremony.DefaultDeadline, true
		}
		return true
	})
	if !slowed || slow.takes != 0 {
		t.Fatal("the LSP did not ask its chain")
	}
	<-slow.timed
	w.Run(nil)
	if got := w.LSP.LSP.Factory(id).Tree().Capacities(1); got != 120_000 {
		t.Errorf("client 1 has %d sat: %+v", got, w.Events)
	}
	if _, err := w.LSP.LSP.Sell(ceremony.Purchase{Factory: id, Buyer: 1, Amount: 10_000}); err != nil {
		t.Fatal(err)
	}
	w.Events = nil
	w.Clock.Advance(ceremony.DefaultDeadline)
	if len(w.Events) == 0 || w.Events[0].Kind != ceremony.EventFailed {
		t.Errorf("a client that is silent: %+v", w.Events)
	}
}
