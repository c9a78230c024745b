package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	wayout "superscalar/refnode/exit"
	"superscalar/refnode/factory"
)

// leave tells the way out that was asked for.
func (s *story) leave() error {
	switch s.exit {
	case exitUnilateral:
		return s.leaveAlone()
	case exitExpiry:
		return s.expire()
	case exitCheat:
		if s.shapeOf.Leaf == factory.DW {
			return s.cheatWithOldLeaf()
		}
		return s.cheatWithoutSale()
	default:
		s.stay()
		return nil
	}
}

// drives are the drivers of clients on their way out, in client order.
type drives struct {
	drivers []*wayout.Driver
	reports []wayout.Report
	pending []wayout.Action
	refused error // the last one, in case nothing goes on
}

// driver makes the driver of a client. Without coins, what pays the client pays
// for itself.
func (s *story) driver(client int) (*wayout.Driver, error) {
	p := s.lab.Clients[client]
	payout, err := p.Payout(s.lab.LSP.ID(), s.id)
	if err != nil {
		return nil, err
	}
	return wayout.NewDriver(wayout.Config{
		Holder: s.heldBy(client), Party: wayout.Client(factory.ClientIndex(client)), Chain: s.lab.Chain, Wallet: p.Wallet, Payout: payout,
	})
}

// drive lets drivers work block after block until done says that all is
// reached, and tells of each transaction when it is confirmed.
func (s *story) drive(d *drives, done func() bool) error {
	before, limit := s.height(), uint32(s.terms().Params.Expiry)+2*uint32(s.params.ExitTime(s.shapeOf))
	for {
		if err := s.settle(d, &before); err != nil {
			return err
		}
		again, err := d.look(s.ctx)
		if err != nil {
			return err
		}
		if done() {
			return nil
		}
		blocks := uint32(1)
		switch height := s.height(); {
		case height > limit:
			return d.stuck("the way out did not end by height %d", height)
		case len(d.pending) > 0:
		case again <= factory.Height(height):
			return d.stuck("the way out stands still at height %d", height)
		default:
			blocks = uint32(again) - height
		}
		if err := s.mine(blocks); err != nil {
			return err
		}
	}
}

// stuck is the error of a way out that does not go on, with what the network
// refused last.
func (d *drives) stuck(format string, height uint32) error {
	err := fmt.Errorf(format, height)
	if d.refused != nil {
		err = fmt.Errorf("%w: %w", err, d.refused)
	}
	return err
}

// look lets every driver act once and returns the height at which one of them
// wants to look again, 0 for none.
func (d *drives) look(ctx context.Context) (again factory.Height, err error) {
	d.reports = d.reports[:0]
	for _, driver := range d.drivers {
		r, err := driver.Step(ctx)
		if err != nil {
			return 0, fmt.Errorf("way out: %w", err)
		}
		d.reports = append(d.reports, r)
		for _, sent := range r.Sent {
			known := slices.ContainsFunc(d.pending, func(a wayout.Action) bool { return a.Outpoint == sent.Action.Outpoint })
			if d.refused = sent.Err; sent.Err == nil && !known {
				d.pending = append(d.pending, sent.Action)
			}
		}
		if r.Plan.Again > 0 && (again == 0 || r.Plan.Again < again) {
			again = r.Plan.Again
		}
	}
	return again, nil
}

// settle tells of what was confirmed since height before.
func (s *story) settle(d *drives, before *uint32) error {
	var confirmed, waiting []wayout.Action
	for _, a := range d.pending {
		tx, found, err := s.lab.Chain.Transaction(s.ctx, a.Tx.Txid)
		if err != nil {
			return err
		}
		if found && tx.Confirmed {
			confirmed = append(confirmed, a)
		} else {
			waiting = append(waiting, a)
		}
	}
	d.pending = waiting
	if len(confirmed) == 0 {
		return nil
	}
	st := step{Name: fmt.Sprintf("block %s", figure(int64(s.height()))), Height: s.height(), Blocks: s.height() - *before, Text: s.published(confirmed)}
	for _, a := range confirmed {
		if err := s.bill(&st, a.Tx); err != nil {
			return err
		}
	}
	*before = s.height()
	s.screen.end(st)
	return nil
}

// bill adds a transaction of the factory and the child that paid for it.
func (s *story) bill(st *step, tx *factory.Tx) error {
	b, err := s.billOf(tx.Txid)
	if err != nil {
		return err
	}
	b.addTo(st)
	child, found, err := s.lab.Chain.Spend(s.ctx, tx.Anchor())
	if err != nil || !found {
		return err
	}
	if b, err = s.billOf(child.Tx.TxHash()); err == nil {
		b.addTo(st)
	}
	return err
}

// published names transactions: each of a few, many by kind.
func (s *story) published(actions []wayout.Action) string {
	const few = 2
	if len(actions) <= few {
		var names []string
		for _, a := range actions {
			names = append(names, fmt.Sprintf("%s: %s (%s)", s.name(a.Tx), a.Reason, a.Rule))
		}
		return strings.Join(names, "; ")
	}
	kinds := map[string]int{}
	var order []string
	for _, a := range actions {
		what := fmt.Sprintf("%s: %s (%s)", a.Kind(), a.Reason, a.Rule)
		if kinds[what]++; kinds[what] == 1 {
			order = append(order, what)
		}
	}
	for i, what := range order {
		order[i] = fmt.Sprintf("%d x %s", kinds[what], what)
	}
	return strings.Join(order, "; ")
}

// name is what the picture calls a transaction.
func (s *story) name(tx *factory.Tx) string {
	switch {
	case tx.Kind == factory.KindState && s.tree().Factory().Layout().IsLeaf(tx.Node):
		return fmt.Sprintf("leaf %s %.8s", tx.Node, tx.Txid)
	case tx.Kind <= factory.KindState:
		return fmt.Sprintf("%s %s %.8s", tx.Kind, tx.Node, tx.Txid)
	}
	return fmt.Sprintf("%s %.8s", tx.Kind, tx.Txid)
}

// mine mines blocks, some at a time, so that it can be interrupted.
func (s *story) mine(blocks uint32) error {
	const some = 200
	for blocks > 0 {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		n := min(blocks, some)
		if _, err := s.lab.Chain.Mine(n); err != nil {
			return err
		}
		blocks -= n
		if s.screen.tty {
			s.screen.now("block", figure(int64(s.height())))
		}
	}
	return nil
}

// coin gives a client a confirmed coin to pay fees with.
func (s *story) coin(client int) error {
	const value = 100_000 // sat
	script, err := s.lab.Clients[client].Wallet.NewScript()
	if err != nil {
		return err
	}
	if _, err := s.lab.Chain.FundOutputs(btcwire.NewTxOut(value, script)); err != nil {
		return err
	}
	return s.mine(1)
}

// lspPublishes puts a transaction on the chain on the LSP's account, in the
// next block in which it is valid.
func (s *story) lspPublishes(tx *factory.Tx, why string) error {
	before := s.height()
	if tx.Kind == factory.KindState {
		if err := s.mine(tx.Sequence() - 1); err != nil {
			return err
		}
	}
	if err := s.bump(tx); err != nil {
		return fmt.Errorf("the LSP publishes %s %s: %w", tx.Kind, tx.Node, err)
	}
	if err := s.mine(1); err != nil {
		return err
	}
	st := step{Name: fmt.Sprintf("block %s", figure(int64(s.height()))), Height: s.height(), Blocks: s.height() - before,
		Text: fmt.Sprintf("the LSP publishes %s%s", s.name(tx), why)}
	if err := s.bill(&st, tx); err != nil {
		return err
	}
	s.screen.end(st)
	return nil
}

// bump submits a transaction with a child that the LSP's wallet pays.
func (s *story) bump(tx *factory.Tx) error {
	w := s.lab.LSP.Wallet
	if err := w.Sync(s.ctx, s.lab.Chain); err != nil {
		return err
	}
	signed, err := s.factory().Complete(tx)
	if err != nil {
		return err
	}
	child, err := childFor(w, tx, signed)
	if err != nil {
		return err
	}
	return s.lab.Chain.Submit(s.ctx, chain.Package{signed, child})
}
