package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A change that stops after it may have used something up is interrupted: some
// clients have signed or stored more of it than others, and nobody knows who.
// Only the very same change can go on whoever has what: it signs the same
// transactions, which the record allows with fresh nonces (PS-012), and what a
// participant has already it keeps. Everything that has a client in common waits
// for it (ErrInterrupted): to pass over a state works only when all of its
// clients have signed it, which an LSP cannot know, and would leave a sale that
// everybody has signed without poison.

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
	if ch.record.Wider {
		return fmt.Sprintf("%s of %d sat to client %d from the stock of client %d", ch.record.Kind, ch.record.Amount, ch.record.Buyer, ch.record.From)
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
	passed := f.passed(ch)
	f.interrupted = slices.DeleteFunc(f.interrupted, func(old *lspChange) bool { return old.sameAs(ch) || slices.Contains(passed, old) })
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

// completed ends what waited for a change: poison, that of its leaves; an update,
// everything that it replaced.
func (f *Factory) completed(ch *lspChange) {
	f.interrupted = slices.DeleteFunc(f.interrupted, func(old *lspChange) bool {
		switch {
		case ch.poison != nil && old.poison != nil:
			return old.record.Node == ch.record.Node
		case ch.poison != nil:
			old.poisoned = append(old.poisoned, ch.clients())
			return old.update != nil && old.record.Stored > 1 && len(old.lacking()) == 0
		case ch.update != nil:
			return old.record.Node.Level >= ch.record.Node.Level && ch.clients().Covers(old.clients())
		default:
			return false
		}
	})
}

// lacking are the leaves that an update replaced and whose poison somebody may
// lack; none before everybody has stored its state.
func (ch *lspChange) lacking() []factory.NodeID {
	if ch.update == nil || ch.record.Stored < 2 {
		return nil
	}
	layout := ch.factory.tree.Factory().Layout()
	var leaves []factory.NodeID
	for _, t := range ch.due {
		done := slices.ContainsFunc(ch.poisoned, func(r factory.Range) bool { return r.Covers(layout.Range(t.Node)) })
		if !done && !slices.Contains(leaves, t.Node) {
			leaves = append(leaves, t.Node)
		}
	}
	return leaves
}

// bars reports whether an interrupted change stands in the way of any other one
// of these clients. Once everybody has the state of an update it does so only in
// the leaves that lack poison (POI-010).
func (l *LSP) bars(old *lspChange, clients factory.Range) bool {
	if old.update == nil || old.record.Stored < 2 || !l.cfg.on(rule.POI010) {
		return old.clients().Overlaps(clients)
	}
	layout := old.factory.tree.Factory().Layout()
	return slices.ContainsFunc(old.lacking(), func(leaf factory.NodeID) bool { return layout.Range(leaf).Overlaps(clients) })
}

// again finds the interrupted change that a purchase is the retry of. It fails
// with ErrInterrupted when another one stands in the way of these clients.
func (l *LSP) again(f *Factory, kind string, p Purchase, clients factory.Range) (*lspChange, error) {
	for _, old := range slices.Backward(f.interrupted) {
		if !l.bars(old, clients) {
			continue
		}
		if old.record.Kind == kind && old.order == p && (old.update == nil || old.record.Stored < 2) {
			return old, nil
		}
		if !l.passes(old) && l.cfg.on(rule.POI009) {
			return nil, fmt.Errorf("%w: %s", ErrInterrupted, old)
		}
	}
	return nil, nil
}

// Resume goes on with every change of a factory that was interrupted: the very
// same change in a new attempt, or only its poison, leaf by leaf, when everything
// else is known to be stored. It returns the id of the first that it starts. It
// fails with ErrUnknownFactory and ErrNothingInterrupted, and when it can start
// none with the reason of the first, such as ErrBusy.
func (l *LSP) Resume(now time.Time, id wire.CeremonyID) (wire.CeremonyID, []Out, error) {
	return l.resume(now, id, func(Peer) bool { return true })
}

// ResumeWith is Resume for those changes whose clients are all online.
func (l *LSP) ResumeWith(now time.Time, id wire.CeremonyID, online func(Peer) bool) (wire.CeremonyID, []Out, error) {
	return l.resume(now, id, online)
}

func (l *LSP) resume(now time.Time, id wire.CeremonyID, online func(Peer) bool) (wire.CeremonyID, []Out, error) {
	f := l.factories[id]
	if f == nil {
		return wire.CeremonyID{}, nil, fmt.Errorf("%s: %w", id, ErrUnknownFactory)
	}
	var s starts
	for _, old := range slices.Backward(slices.Clone(f.interrupted)) {
		if old.sale == nil && (old.poison != nil || old.record.Stored > 1) {
			l.poisonBelow(now, &s, f, old.record.Node, online)
		} else if l.ready(f, old.clients(), online) {
			s.add(l.retry(now, old))
		}
	}
	return s.result(id)
}

// ready reports whether all clients of a range are online.
func (l *LSP) ready(f *Factory, r factory.Range, online func(Peer) bool) bool {
	for i := int(r.First); i < r.End(); i++ {
		if !online(f.Members[i].Peer) {
			return false
		}
	}
	return true
}

// starts collects ceremonies that are started at once.
type starts struct {
	id     wire.CeremonyID // of the first
	out    []Out
	some   bool
	failed error // the first
}

func (s *starts) add(id wire.CeremonyID, out []Out, err error) {
	switch {
	case err != nil && s.failed == nil:
		s.failed = err
	case err == nil && !s.some:
		s.id, s.some = id, true
	}
	s.out = append(s.out, out...)
}

func (s *starts) result(factory wire.CeremonyID) (wire.CeremonyID, []Out, error) {
	switch {
	case s.some:
		return s.id, s.out, nil
	case s.failed != nil:
		return wire.CeremonyID{}, nil, s.failed
	default:
		return wire.CeremonyID{}, nil, fmt.Errorf("factory %s: %w", factory, ErrNothingInterrupted)
	}
}

// Poison starts ceremonies for the poison below a transaction that interrupted
// updates left unsigned (POI-006), one for each leaf (POI-010). When it is not known
// whether everybody has the new state, the whole update runs again.
func (l *LSP) Poison(now time.Time, id wire.CeremonyID, node factory.NodeID) (wire.CeremonyID, []Out, error) {
	f := l.factories[id]
	if f == nil {
		return wire.CeremonyID{}, nil, fmt.Errorf("%s: %w", id, ErrUnknownFactory)
	}
	if !f.tree.Factory().Layout().Has(node) {
		return wire.CeremonyID{}, nil, fmt.Errorf("transaction %s: %w", node, ErrUnknownNode)
	}
	for _, old := range slices.Backward(f.interrupted) {
		if old.update != nil && old.record.Node == node && old.record.Stored < 2 {
			return l.retry(now, old) // somebody may lack the state that makes the poison safe
		}
	}
	var s starts
	l.poisonBelow(now, &s, f, node, func(Peer) bool { return true })
	return s.result(id)
}

// poisonBelow starts the ceremonies for the poison below a transaction.
func (l *LSP) poisonBelow(now time.Time, s *starts, f *Factory, node factory.NodeID, online func(Peer) bool) {
	for _, at := range l.unpoisoned(f, node) {
		r := f.tree.Factory().Layout().Range(at)
		if !l.ready(f, r, online) {
			continue
		}
		ch, err := l.newChange(now, Purchase{Factory: f.ID()})
		if err != nil {
			s.add(wire.CeremonyID{}, nil, err)
			continue
		}
		ch.record = storedChange{Kind: "poison", Node: at}
		s.add(l.openChange(now, ch))
	}
}

// unpoisoned are the transactions at or below node to sign poison for, each by
// itself: those of poison that was interrupted, then leaves.
func (l *LSP) unpoisoned(f *Factory, node factory.NodeID) []factory.NodeID {
	layout := f.tree.Factory().Layout()
	var list []factory.NodeID
	add := func(at factory.NodeID) {
		r := layout.Range(at)
		covered := slices.ContainsFunc(list, func(other factory.NodeID) bool { return layout.Range(other).Covers(r) })
		if !covered && layout.Range(node).Covers(r) {
			list = append(list, at)
		}
	}
	for _, old := range f.interrupted {
		if old.poison != nil {
			add(old.record.Node)
		}
	}
	for _, old := range f.interrupted {
		if !l.cfg.on(rule.POI010) && len(old.lacking()) > 0 {
			add(old.record.Node)
		}
		for _, leaf := range old.lacking() {
			add(leaf)
		}
	}
	return list
}

// retry runs an interrupted update or sale again. A sale keeps its id: the keys
// of the channel that it sells derive from it.
func (l *LSP) retry(now time.Time, old *lspChange) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, old.order)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	ch.update, ch.sale, ch.due, ch.reached = old.update, old.sale, old.due, old.reached
	ch.record, ch.slot, ch.saved = old.record, old.slot, !old.record.BuyerOnly
	ch.record.Phases = slices.Clone(old.record.Phases)
	if ch.sale == nil {
		return l.startChange(now, ch)
	}
	ch.id = old.id
	if err := l.mayGoOn(ch); err != nil {
		return wire.CeremonyID{}, nil, err
	}
	return l.inviteBuyer(ch)
}
