package ceremony

import (
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A sale that only its buyer was asked to sign is interrupted, since the buyer may
// have signed, but nobody else has: nothing can come of it unless the LSP goes on.
// A buyer that never signs must not use up the group's one sale (PS-014), so such a
// sale is marked and other changes pass it. If the buyer did sign, its record
// refuses them, and the mark goes.

// passes reports whether other changes may pass an interrupted one.
func (l *LSP) passes(old *lspChange) bool {
	return old.record.BuyerOnly && l.cfg.on(rule.PS014+"/passes")
}

// sameAs reports whether two are one change at different times. A sale that was
// marked is stored again, behind what passed it, under its id.
func (ch *lspChange) sameAs(other *lspChange) bool {
	return ch.saved && other.saved && ch.slot == other.slot || ch.sale != nil && other.sale != nil && ch.id == other.id
}

// passed are the marked sales that a change does away with: once more than its
// buyer may have signed it, their outpoint is spent otherwise or replaced.
func (f *Factory) passed(ch *lspChange) []*lspChange {
	if ch.poison != nil || ch.record.BuyerOnly || !ch.usedUp() {
		return nil
	}
	var out []*lspChange
	for _, old := range f.interrupted {
		if old.record.BuyerOnly && !old.sameAs(ch) && old.clients().Overlaps(ch.clients()) {
			out = append(out, old)
		}
	}
	return out
}

// othersSign takes the mark away, durably, before anybody but the buyer is asked to
// sign. In a retry the record goes behind those of changes that passed the sale.
func (l *LSP) othersSign(ch *lspChange) error {
	if !ch.record.BuyerOnly {
		return nil
	}
	ch.record.BuyerOnly = false
	err := ch.factory.saveChange(l.cfg.Store, ch)
	if err != nil {
		ch.record.BuyerOnly = true
	}
	return err
}

// signedBefore hears that a client's record refuses a change: if it is the buyer of
// a marked sale that the change would have passed, it has signed that.
func (l *LSP) signedBefore(ch *lspChange, member int, m wire.Ceremony) {
	a, ok := m.(*wire.Abort)
	if !ok || a.Reason != wire.ReasonRecorded || ch.record.Begun || !ch.computed() {
		return
	}
	for _, old := range ch.factory.interrupted {
		if !l.passes(old) || old.record.Buyer != ch.members[member].client || !old.clients().Overlaps(ch.clients()) {
			continue
		}
		old.saved = false // behind the change that did not pass
		if err := l.othersSign(old); err != nil {
			l.report(Event{Ceremony: old.id, Kind: EventFailed, Text: err.Error()})
			continue
		}
		for _, m := range ch.members {
			l.free(m.peer)
		}
	}
}

// computed reports whether what a change signs is known: that of a sale is when its
// buyer has joined.
func (ch *lspChange) computed() bool { return ch.update != nil || ch.sale != nil || ch.poison != nil }
