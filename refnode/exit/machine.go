package exit

import (
	"cmp"
	"slices"

	"github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// Machine decides what a party publishes.
type Machine struct {
	holder Holder
	who    Party
	rules  rule.Set
	known  *known // of the tree it was made from
}

// New returns the machine of a party. A rule that is switched off in rules is
// not followed.
func New(h Holder, who Party, rules rule.Set) *Machine {
	return &Machine{holder: h, who: who, rules: rules}
}

// Hold gives the machine the factory as it stands now, after a ceremony.
func (m *Machine) Hold(h Holder) { m.holder = h }

// ExitHeight is T - exit_time: the LSP leaves from it on, and a client that
// cannot rely on its cover does so if the LSP has not.
func (m *Machine) ExitHeight() factory.Height {
	t := m.holder.Tree().Factory().Terms()

	return t.Params.ExitHeight(t.Shape)
}

// Plan says what to publish now.
func (m *Machine) Plan(v View, i Intent) Plan {
	tree := m.holder.Tree()
	if m.known == nil || m.known.tree != tree {
		m.known = knowledge(tree)
	}
	terms := tree.Factory().Terms()
	w := &walk{
		m: m, k: m.known, view: v, intent: i, params: terms.Params, tip: v.Height(),
		leaving: i.Leave,
	}
	if exit := terms.Params.ExitHeight(terms.Shape); m.who.LSP && m.rules.On(rule.DELAY008) {
		w.leaving = w.leaving || w.tip >= exit
		w.again(exit)
	}
	if !m.who.LSP {
		w.again(terms.Params.Expiry)
	}
	if at, ok := v.Confirmed(tree.Funding().Hash); ok {
		w.plan.Funded = true
		w.spot(tree.Funding(), at)
	}
	slices.SortStableFunc(w.plan.Publish, func(a, b Action) int { return cmp.Compare(a.Deadline, b.Deadline) })

	return w.plan
}

// walk goes from the funding output down to what is on the chain and unspent,
// and decides about each such output.
type walk struct {
	m       *Machine
	k       *known
	view    View
	intent  Intent
	params  factory.Params
	tip     factory.Height
	leaving bool
	plan    Plan
}

// confirm is S as a height.
func (w *walk) confirm() factory.Height { return factory.Height(w.params.ConfirmBlocks) }

// expired reports whether distributions are valid in the next block.
func (w *walk) expired() bool { return w.tip >= w.params.Expiry }

// matured reports whether a delay from a confirmation is over in the next
// block; if not, it asks to look again when it is.
func (w *walk) matured(at, delay factory.Height) bool {
	if w.tip+1 >= at+delay {
		return true
	}
	w.again(at + delay - 1)

	return false
}

// again asks to look again at a height in the future.
func (w *walk) again(h factory.Height) {
	if h > w.tip && (w.plan.Again == 0 || h < w.plan.Again) {
		w.plan.Again = h
	}
}

// spot looks at an output of the tree that a block at height at holds.
func (w *walk) spot(o wire.OutPoint, at factory.Height) {
	s := w.k.spots[o]
	if s == nil {
		return // not in view
	}
	spend, spent := w.view.Spend(o)
	if !spent || !spend.Confirmed {
		w.plan.Open++
		w.decide(s, at)

		return
	}
	if v, ok := s.version(spend.Txid); ok {
		w.below(v, spend.Height)
	} else if s.distribution.Txid == spend.Txid {
		w.distributed(s.distribution, s.nested, spend.Height)
	}
}

// decide chooses what spends an output of the tree.
func (w *walk) decide(s *spot, at factory.Height) {
	switch {
	case w.expired() && !w.m.who.LSP && w.m.rules.On(rule.DIST009):
		w.publish(s.distribution, w.tip+w.confirm(), rule.DIST009, "the factory has expired")
	case s.kind == factory.State:
		w.state(s, at)
	case w.onPath(s) && !w.leaving:
		w.publish(s.versions[0].node.Tx, w.tip+w.confirm(), rule.CHAN021, "a channel below it has to reach the chain")
	case w.leaving && w.m.who.LSP:
		w.publish(s.versions[0].node.Tx, w.tip+w.confirm(), rule.DELAY008, "the LSP leaves before the factory expires")
	case w.leaving:
		w.publish(s.versions[0].node.Tx, w.tip+w.confirm(), rule.DELAY004, "own way out")
	}
}

// onPath reports whether the LSP was told to publish the path of a client below.
func (w *walk) onPath(s *spot) bool {
	r := w.k.tree.Factory().Layout().Range(s.id)
	return w.m.who.LSP && slices.ContainsFunc(w.intent.Paths, r.Contains)
}

// state publishes the latest state of a kickoff that is confirmed, before an
// older one matures.
func (w *walk) state(s *spot, at factory.Height) {
	v, ok := s.latest(w.m.holder)
	if !ok || !w.m.rules.On(rule.DELAY009) {
		return
	}
	delay := factory.Height(v.node.Tx.Sequence())
	if _, out := w.view.Spend(v.node.Tx.Outpoint()); !w.matured(at, delay) || out && !w.m.rules.On(rule.DELAY009+"/mempool") {
		return
	}
	deadline := at + delay + w.confirm()
	reason := "its kickoff is confirmed"
	if rival, ok := s.rivalAfter(v); ok {
		deadline = at + rival - 1
		reason = "its kickoff is confirmed, and an older state matures later"
	}
	w.publish(v.node.Tx, deadline, rule.DELAY009, reason)
}

// below goes on under a transaction of the tree that is confirmed.
func (w *walk) below(v version, at factory.Height) {
	n := v.node
	w.done(n.Tx, at)
	if len(n.Channels) > 0 {
		w.leaf(v, at)

		return
	}
	for j := range len(n.Tx.Msg.TxOut) - 1 {
		w.spot(n.Tx.Output(j), at)
	}
}

// distributed goes on under a distribution that is confirmed: the nested ones
// that spend it (DIST-004).
func (w *walk) distributed(tx *factory.Tx, nested []*factory.Tx, at factory.Height) {
	w.done(tx, at)
	w.paid(tx)
	for _, next := range nested {
		if next.Outpoint().Hash != tx.Txid {
			continue
		}
		spend, spent := w.view.Spend(next.Outpoint())
		switch {
		case !spent || !spend.Confirmed:
			w.plan.Open++
			if !w.m.who.LSP && w.m.rules.On(rule.DIST009) && w.expired() {
				w.publish(next, at+w.confirm(), rule.DIST009, "the distribution above it is confirmed")
			}
		case spend.Txid == next.Txid:
			w.distributed(next, nested, spend.Height)
		}
	}
}

// done notes a transaction that a block holds.
func (w *walk) done(tx *factory.Tx, at factory.Height) {
	w.plan.Confirmed = append(w.plan.Confirmed, Confirmed{Tx: tx, Height: at})
}

// paid counts what a confirmed transaction pays the client.
func (w *walk) paid(tx *factory.Tx) {
	if !w.m.who.LSP {
		w.plan.Paid += tx.Pays(w.m.who.Client)
	}
}

// publish adds a transaction to the plan, unless the party lacks signatures or
// the coins to pay for it.
func (w *walk) publish(tx *factory.Tx, deadline factory.Height, id rule.ID, reason string) {
	if tx == nil {
		return
	}
	if _, err := w.m.holder.Complete(tx); err != nil {
		return
	}
	a := Action{Tx: tx, Outpoint: tx.Outpoint(), Deadline: deadline, Rule: id, Reason: reason}
	if !w.affordable(tx) {
		w.plan.Unpaid = append(w.plan.Unpaid, a)

		return
	}
	w.add(a)
}

// affordable reports whether the party can pay for a transaction: with a coin,
// or out of what it is paid.
func (w *walk) affordable(tx *factory.Tx) bool {
	return w.intent.Coins || !w.m.who.LSP && tx.Pays(w.m.who.Client) > 0
}

func (w *walk) add(a Action) {
	if spend, ok := w.view.Spend(a.Outpoint); ok && !spend.Confirmed {
		a.Pending = a.Tx != nil && spend.Txid == a.Tx.Txid
		if !a.Pending && a.Tx != nil {
			a.Rival = &spend.Txid
		}
	}
	w.plan.Publish = append(w.plan.Publish, a)
}
