package ceremony

import (
	"slices"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// change is an update, a sale, or the poison that an earlier update left
// unsigned: exactly one of them, on a live tree. Both sides compute it from
// the same message; section 5.4.
type change struct {
	tree   *factory.Tree // as it was when the attempt began
	update *factory.Update
	sale   *factory.Sale
	poison *factory.NodeID
	// due is the poison to sign, known once the state stands that makes it
	// safe (POI-001).
	due []*factory.Tx
	// reached counts the phases that the live tree has taken in, in this
	// attempt or in one before that was interrupted.
	reached uint8
}

// last is the last phase.
func (ch *change) last() uint8 {
	switch {
	case ch.update != nil:
		return 2
	case ch.sale != nil:
		return 1
	default:
		return 0
	}
}

// commits reports whether a phase signs what spends an existing outpoint: the
// point from which a state has used up its step.
func (ch *change) commits(phase uint8) bool { return ch.poison == nil && phase == 1 }

// poisons reports whether a phase signs poison.
func (ch *change) poisons(phase uint8) bool { return ch.poison != nil || phase == 2 }

// node is the transaction of the tree that is concerned.
func (ch *change) node() factory.NodeID {
	switch {
	case ch.update != nil:
		return ch.update.Change.Node
	case ch.sale != nil:
		return ch.sale.Leaf
	default:
		return *ch.poison
	}
}

// txs are all transactions of a phase in view: first those that are co-signed
// with BIP-327, then those on channel outputs.
func (ch *change) txs(phase uint8) (slots, channels []*factory.Tx, err error) {
	var all []*factory.Tx
	switch {
	case ch.poisons(phase):
		all = ch.due
	case ch.update != nil && phase == 0:
		all = ch.update.Phase0All()
		for _, out := range ch.update.Channels() {
			all = append(all, out.Distribution)
		}
	case ch.update != nil:
		all = []*factory.Tx{ch.update.State}
	case phase == 0:
		all = append(ch.sale.Phase0(), ch.sale.NewChannel.Distribution)
	default:
		all = ch.sale.Phase1()
	}
	for _, t := range all {
		switch {
		case t == nil: // a channel that is not in view
		case t.Spends == factory.SpendChannel:
			channels = append(channels, t)
		default:
			slots = append(slots, t)
		}
	}
	return slots, channels, err
}

// of are those transactions that client c signs.
func of(c factory.ClientIndex, all []*factory.Tx) []*factory.Tx {
	var out []*factory.Tx
	for _, t := range all {
		if t.Signers.Contains(c) {
			out = append(out, t)
		}
	}
	return out
}

// advance returns the live tree once a phase is complete and stored. A phase
// that an earlier attempt completed changes nothing any more.
func (ch *change) advance(live *factory.Tree, phase uint8) (next *factory.Tree, err error) {
	next = live
	switch {
	case phase < ch.reached:
		return live, nil
	case ch.poisons(phase):
		next = live.Poisoned(ch.node())
	case ch.update != nil && phase == 1:
		if next, err = live.Replace(ch.update); err == nil {
			ch.due, err = next.Poisons(ch.node())
		}
	case ch.sale != nil && phase == 1:
		next, err = live.Sold(ch.sale)
	}
	if err != nil {
		return live, err
	}
	ch.reached = phase + 1
	return next, nil
}

// failed is the live tree after an attempt in which a state may have been
// signed and did not become complete (DELAY-002).
func (ch *change) failed(live *factory.Tree) (*factory.Tree, error) {
	if ch.update == nil {
		return live, nil
	}
	return live.Fail(ch.update)
}

// lastPoison is the poison that was computed last below transactions.
type lastPoison map[factory.NodeID][]*factory.Tx

// set notes the poison below a transaction; it is newer than any below that.
func (p lastPoison) set(l *factory.Layout, node factory.NodeID, txs []*factory.Tx) {
	for _, id := range l.Below(node) {
		delete(p, id)
	}
	p[node] = txs
}

// at returns it: that of the transaction, or what its part is of the next one
// above.
func (p lastPoison) at(l *factory.Layout, node factory.NodeID) []*factory.Tx {
	r := l.Range(node)
	for id, ok := node, true; ok; id, ok = l.Parent(id) {
		if all := p[id]; all != nil {
			return slices.DeleteFunc(slices.Clone(all), func(t *factory.Tx) bool { return !r.Covers(l.Range(t.Node)) })
		}
	}
	return nil
}

// due is the poison below a transaction: what a live tree waits for, or once it
// has that, what was signed last. Somebody else may still lack it.
func (p lastPoison) due(live *factory.Tree, node factory.NodeID) ([]*factory.Tx, error) {
	due, err := live.Poisons(node)
	if err == nil && len(due) == 0 {
		due = p.at(live.Factory().Layout(), node)
	}
	return due, err
}

// checkFunded refuses to sign what would change a factory that is not on the chain
// (CER-044). Poison is safe to sign at any time.
func (ch *change) checkFunded(cfg Config, id wire.CeremonyID, phase uint8) error {
	if cfg.Funded == nil || ch.poisons(phase) || !cfg.on(rule.CER044) {
		return nil
	}
	if err := cfg.Funded(id, ch.tree); err != nil {
		return failChain(rule.CER044, "no change before the factory is funded: %w", err)
	}
	return nil
}

// checkChain says what the chain forbids: no state on a kickoff that is out
// (DELAY-006), no sale on a leaf that is (PS-004), nothing once the LSP is on
// its way out (DELAY-007). It is asked again before poison (POI-008).
func (ch *change) checkChain(cfg Config, phase uint8) error {
	if ch.poisons(phase) && !cfg.on(rule.POI008) {
		return nil
	}
	f := ch.tree.Factory()
	terms := f.Terms()
	tip, err := cfg.Tip()
	if err != nil {
		return failChain("", "no height from the chain: %w", err)
	}
	if tip >= terms.Params.ExitHeight(terms.Shape) && cfg.on(rule.DELAY007) {
		return failChain(rule.DELAY007, "height %d: the factory is being left", tip)
	}
	id := rule.DELAY006
	if ch.sale != nil {
		id = rule.PS004
	}
	for at, ok := f.Layout().Parent(ch.node()); ok; at, ok = f.Layout().Parent(at) {
		if err := ch.checkKickoff(cfg, id, at); err != nil {
			return err
		}
	}
	return nil
}

// checkKickoff refuses when a kickoff above the change is out.
func (ch *change) checkKickoff(cfg Config, id rule.ID, at factory.NodeID) error {
	n, built := ch.tree.Node(at)
	if !built || n.Kind != factory.Kickoff || !cfg.on(id) {
		return nil
	}
	seen, err := cfg.Seen(n.Tx.Outpoint())
	if err != nil {
		return failChain(id, "the chain does not say whether kickoff %s is out: %w", at, err)
	}
	if seen {
		return failChain(id, "kickoff %s is out", at)
	}
	return nil
}
