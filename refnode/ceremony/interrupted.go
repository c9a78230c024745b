package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// A change that stops after it may have used something up is interrupted: some
// clients have signed or stored more of it than others, and nobody knows who.
// Only the very same change can go on whoever has what: it signs the same
// transactions, which the record allows with fresh nonces (PS-012), and what a
// participant has already it keeps. Everything that has a client in common waits
// for it (LSPConfig.CompleteFirst).

// Errors of changes that were interrupted.
var (
	ErrInterrupted        = errors.New("a change was interrupted and has to be completed first")
	ErrNothingInterrupted = errors.New("no change was interrupted")
)

// Interrupted names the change that has to be completed next, empty when there
// is none.
func (f *Factory) Interrupted() string {
	if n := len(f.interrupted); n > 0 {
		return f.interrupted[n-1].String()
	}
	return ""
}

// String names a change for people.
func (ch *lspChange) String() string {
	if ch.record.Kind == "poison" {
		return fmt.Sprintf("poison below transaction %s", ch.record.Node)
	}
	return fmt.Sprintf("%s of %d sat to client %d", ch.record.Kind, ch.record.Amount, ch.record.Buyer)
}

// clients are those that a change concerns.
func (ch *lspChange) clients() factory.Range {
	if ch.sale != nil {
		return ch.sale.Stock.Owners
	}
	return ch.factory.tree.Factory().Layout().Range(ch.record.Node)
}

// usedUp reports whether a change that stopped cannot be forgotten.
func (ch *lspChange) usedUp() bool {
	return ch.record.Begun || ch.record.Kind == "poison" && len(ch.record.Phases) > 0
}

// settle files a change that is over, or was when the store was written: as
// completed, as interrupted, or as one that used nothing up.
func (f *Factory) settle(ch *lspChange) error {
	f.interrupted = slices.DeleteFunc(f.interrupted, func(old *lspChange) bool { return ch.saved && old.slot == ch.slot })
	if ch.record.Stored > ch.last() {
		f.completed(ch)
		return nil
	}
	if !ch.usedUp() {
		return nil
	}
	for int(ch.reached) < len(ch.record.Phases) { // complete, though not known to be stored by everybody
		if err := f.advance(&ch.change, ch.reached); err != nil {
			return err
		}
	}
	f.interrupted = append(f.interrupted, ch)
	if ch.reached > 1 || ch.poison != nil {
		return nil
	}
	tree, err := ch.failed(f.tree)
	if err == nil {
		f.tree = tree
	}
	return err
}

// completed ends what waited for a change: poison, what it is the poison of; an
// update, everything that it replaced.
func (f *Factory) completed(ch *lspChange) {
	f.interrupted = slices.DeleteFunc(f.interrupted, func(old *lspChange) bool {
		same := old.record.Node == ch.record.Node
		switch {
		case ch.poison != nil:
			return same && (old.poison != nil || old.update != nil && old.record.Stored > 1)
		case ch.update != nil:
			return old.record.Node.Level >= ch.record.Node.Level && ch.clients().Covers(old.clients())
		default:
			return false
		}
	})
}

// again finds the interrupted change that a purchase is the retry of. It fails
// with ErrInterrupted when another one stands in the way of these clients.
func (l *LSP) again(f *Factory, kind string, p Purchase, clients factory.Range) (*lspChange, error) {
	for _, old := range slices.Backward(f.interrupted) {
		if !old.clients().Overlaps(clients) || old.update != nil && !l.cfg.CompleteFirst {
			continue
		}
		if old.record.Kind == kind && old.order == p && (old.update == nil || old.record.Stored < 2) {
			return old, nil
		}
		if l.cfg.CompleteFirst {
			return nil, fmt.Errorf("%w: %s", ErrInterrupted, old)
		}
	}
	return nil, nil
}

// Resume goes on with the change of a factory that was interrupted last: the
// very same change in a new attempt, or only its poison when everything else is
// known to be stored. It fails with ErrUnknownFactory, ErrNothingInterrupted and
// ErrBusy.
func (l *LSP) Resume(now time.Time, id wire.CeremonyID) (wire.CeremonyID, []Out, error) {
	f := l.factories[id]
	if f == nil {
		return wire.CeremonyID{}, nil, fmt.Errorf("%s: %w", id, ErrUnknownFactory)
	}
	if len(f.interrupted) == 0 {
		return wire.CeremonyID{}, nil, fmt.Errorf("factory %s: %w", id, ErrNothingInterrupted)
	}
	old := f.interrupted[len(f.interrupted)-1]
	if old.sale == nil && (old.poison != nil || old.record.Stored > 1) {
		return l.Poison(now, id, old.record.Node)
	}
	return l.retry(now, old)
}

// retry runs an interrupted update or sale again. A sale keeps its id: the keys
// of the channel that it sells derive from it.
func (l *LSP) retry(now time.Time, old *lspChange) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, old.order)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	ch.update, ch.sale, ch.due, ch.reached = old.update, old.sale, old.due, old.reached
	ch.record, ch.slot, ch.saved = old.record, old.slot, true
	ch.record.Phases = slices.Clone(old.record.Phases)
	if ch.sale == nil {
		return l.startChange(now, ch)
	}
	ch.id = old.id
	return l.inviteBuyer(ch)
}
