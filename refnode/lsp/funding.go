package lsp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// buried is the number of confirmations after which no reorganisation undoes a
// transaction: the maturity of a coinbase.
const buried = 100

// settle gives back the coins of attempts that a crash ended: no signed funding
// transaction of theirs was stored, so none has left the process (CER-024).
func (l *LSP) settle() error {
	s, ok := l.cfg.Wallet.(role.Settler)
	if !ok {
		return nil
	}
	return s.Settle(l.knows)
}

// knows reports whether a factory was paid for, as far as its records can be
// read.
func (l *LSP) knows(id wire.CeremonyID) bool {
	return l.machine.Factory(id) != nil || slices.ContainsFunc(l.aside, func(a role.Aside) bool { return a.ID == id })
}

// clear deletes the records of attempts that were not paid for: nobody can sign
// their funding transactions any more.
func (l *LSP) clear() error { return role.Prune(l.cfg.Store, l.knows) }

// CheckFunding looks after the funding transaction of every factory. It hands out
// those that the network does not have, while they are in time: a crash or a
// silent backend can come between storing and broadcasting, a reorganisation
// after it. It spends the coins of those that are too late otherwise (CER-035),
// and forgets a factory when that is buried. What goes wrong is reported, and
// tried again the next time: the role calls it when it starts, its owner when the
// chain has changed.
func (l *LSP) CheckFunding() error {
	var errs []error
	for _, f := range l.funded() {
		if err := l.checkFunding(f); err != nil {
			errs = append(errs, fmt.Errorf("factory %s: its funding transaction: %w", f.ID(), err))
		}
	}
	return errors.Join(errs...)
}

func (l *LSP) funded() []*ceremony.Factory {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.Factories()
}

func (l *LSP) backend() role.Chain {
	return role.Chain{Backend: l.cfg.Chain, Timeout: l.cfg.ChainTimeout}
}

// checkFunding looks after one. A funding transaction that confirmed stays, however
// late: then the LSP has to leave the factory (DIST-008), which nobody uses
// (CER-025).
func (l *LSP) checkFunding(f *ceremony.Factory) error {
	var tx btcwire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(f.Funding)); err != nil {
		return err
	}
	known, found, err := l.backend().Transaction(tx.TxHash())
	if err != nil || found && known.Confirmed {
		return err
	}
	tip, err := l.backend().Tip()
	if err != nil {
		return err
	}
	late := tip >= f.Params.FundingEnd()
	switch {
	case late && l.cfg.Rules.On(rule.CER035):
		return l.takeBack(f, &tx, tip)
	case found || late && l.cfg.Rules.On(rule.CER034):
		return nil
	default:
		return l.cfg.Wallet.Broadcast(&tx)
	}
}

// takeBack spends the coins of a funding transaction otherwise, until one of them
// is spent by something else for good.
func (l *LSP) takeBack(f *ceremony.Factory, tx *btcwire.MsgTx, tip factory.Height) error {
	for _, in := range tx.TxIn {
		spend, found, err := l.backend().Spend(in.PreviousOutPoint)
		if err != nil {
			return err
		}
		if !found || !spend.Confirmed {
			continue
		}
		if spend.Tx.TxHash() == tx.TxHash() {
			return nil // the funding transaction itself, which the backend did not find by its id
		}
		if spend.Confirmations(chain.Height(tip)) < buried {
			return nil
		}
		return l.forget(f)
	}
	purse, ok := l.cfg.Wallet.(role.Reclaimer)
	if !ok {
		return fmt.Errorf("height %d is too late, and the wallet cannot take it back", tip)
	}
	return purse.TakeBack(f.ID(), tx, uint32(tip-f.Params.FundingEnd()))
}

// forget drops a factory that never was, its records and what is reserved for it.
// Should a step fail, the start after it does the same.
func (l *LSP) forget(f *ceremony.Factory) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.machine.Forget(f.ID()); err != nil {
		return err
	}
	if l.cfg.Channels != nil {
		l.cfg.Channels.ForgetFactory(f.ID())
	}
	if err := role.Prune(l.cfg.Store, func(id wire.CeremonyID) bool { return id != f.ID() }); err != nil {
		return err
	}
	l.cfg.Wallet.Release(f.ID())
	return l.settle()
}
