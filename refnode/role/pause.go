package role

import (
	"context"
	"errors"
	"fmt"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// Pause is the clock of a role's ceremonies. It stands while the role waits for
// the chain, with its lock held: an answer that comes then is not read, and its
// sender must not be blamed for that (CER-017). It belongs to a role, which locks
// around it.
type Pause struct {
	Clock transport.Clock

	lost   time.Duration
	silent time.Time // until then the chain is not asked again
	err    error     // why
}

// Now is the time that counts for deadlines.
func (p *Pause) Now() time.Time { return p.Clock.Now().Add(-p.lost) }

// Due is when the clock of the machine shows a deadline.
func (p *Pause) Due(at time.Time) time.Time { return at.Add(p.lost) }

// ask puts a question to the chain. After one that ran out of time the next ones
// fail at once for as long as it took, so that the role hears its peers at least
// half of the time.
func (p *Pause) ask(question func() error) error {
	start := p.Clock.Now()
	if start.Before(p.silent) {
		return fmt.Errorf("the chain did not answer before: %w", p.err)
	}
	err := question()
	end := p.Clock.Now()
	p.lost += end.Sub(start)
	if errors.Is(err, context.DeadlineExceeded) {
		p.silent, p.err = end.Add(end.Sub(start)), err
	}
	return err
}

// Over lets the clock stand while the machines of a config ask the chain.
func (p *Pause) Over(cfg *ceremony.Config) {
	seen, tip, funded := cfg.Seen, cfg.Tip, cfg.Funded
	cfg.Seen = func(o btcwire.OutPoint) (found bool, err error) {
		err = p.ask(func() error { found, err = seen(o); return err })
		return found, err
	}
	cfg.Tip = func() (height factory.Height, err error) {
		err = p.ask(func() error { height, err = tip(); return err })
		return height, err
	}
	cfg.Funded = func(id wire.CeremonyID, t *factory.Tree) error {
		return p.ask(func() error { return funded(id, t) })
	}
}

// Funder lets the clock stand while a purse asks the chain.
func (p *Pause) Funder(f ceremony.Funder) ceremony.Funder { return pausing{f, p} }

type pausing struct {
	ceremony.Funder
	pause *Pause
}

// Fund implements ceremony.Funder.
func (f pausing) Fund(id wire.CeremonyID, out btcwire.TxOut) (tx *btcwire.MsgTx, index uint32, err error) {
	err = f.pause.ask(func() error { tx, index, err = f.Funder.Fund(id, out); return err })
	return tx, index, err
}

// Broadcast implements ceremony.Funder. It is tried whatever the chain did before:
// the transaction is signed.
func (f pausing) Broadcast(tx *btcwire.MsgTx) error {
	f.pause.silent = time.Time{}
	return f.pause.ask(func() error { return f.Funder.Broadcast(tx) })
}
