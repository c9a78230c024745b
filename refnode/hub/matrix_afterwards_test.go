package hub_test

import (
	"slices"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/wire"
)

// afterwards looks what has become of the channel after a reaction.
func (x *scripted) afterwards(s *state, m *message, r reaction, before []hub.Print, n *tally) {
	x.t.Helper()
	fatal := func(what string) {
		x.t.Helper()
		x.t.Fatalf("after %s: %s; the node said %v", m.name, what, names(x.log))
	}
	switch r {
	case answers, remarks, ignores:
		if !slices.Equal(x.prints(), before) {
			fatal("the channel is not as it was")
		}
	case fails, silently:
		x.isOver(s, fatal, n)
		return
	}
	switch {
	case s.rest == over:
		x.isOver(s, fatal, n)
	case s.rest == young && !(r == takes && (m.name == "funding_created" || m.name == "funding_signed")): // these make it last
		x.come()
		if len(x.prints()) > 0 {
			fatal("an attempt outlives its connection")
		}
		x.bought = false
		x.anew()
		normal(x)
		n.lived.Add(1)
	case s.rest == stays, r == takes && (m.name == "shutdown" || s.callsOff && m.name == "factory_change_continue"):
		x.oblige()
		x.come()
		x.settle()
		if x.ended || x.hello == nil || x.failure() != "" {
			fatal("the channel is not there on the next connection")
		}
		n.lived.Add(1)
	case lies(s, m):
	default:
		x.livesOn(s, fatal)
		n.lived.Add(1)
	}
}

// lies reports whether the peer cannot keep to what it says: it has called off what it
// has continued. The channel is its own to fail then.
func lies(s *state, m *message) bool {
	return s.name == "continued by the peer" && m.name == "factory_change_abort"
}

// oblige has both sides agree to everything from now on.
func (x *scripted) oblige() {
	x.silent, x.keep = nil, nil
	x.set(func(m *mode) { m.silent, m.pending = nil, false })
}

// failure is why the node's channel failed, "" when it did not.
func (x *scripted) failure() string {
	for _, p := range x.prints() {
		if p.Failure != "" {
			return p.Failure
		}
	}
	return ""
}

// livesOn takes the channel, on a new connection, out of whatever was going on, and
// sends an HTLC over it.
func (x *scripted) livesOn(s *state, fatal func(string)) {
	x.t.Helper()
	x.oblige()
	x.come()
	x.settle()
	if x.ended || x.failure() != "" {
		fatal("the channel does not live on: " + x.failure())
	}
	goOn := func(m *channel.Machine) error {
		m.SetUsable()
		if txid, ok := m.Changing(); ok && s.callsOff {
			_ = m.AbortChange("no more")
		} else if ok {
			_ = m.PendingOn(txid)
			_ = m.ChangeStored()
		}
		return nil
	}
	x.command(goOn)
	x.settle()
	_ = goOn(x.m)
	x.settle()
	if x.m.Link().Sendable == 0 {
		x.fill()
	}
	if !x.works() {
		fatal("no HTLC goes over the channel")
	}
	if len(x.m.Fundings) == 1 {
		return
	}
	lock := func(m *channel.Machine) error { return m.Lock(x.next.txid) }
	_ = lock(x.m)
	x.command(lock)
	x.settle()
	if len(x.m.Fundings) != 1 || !x.works() {
		fatal("no HTLC goes over the channel on its new output")
	}
}

// unsigned reports whether the node has no channel with the peer that there could be a
// commitment of.
func (x *scripted) unsigned() bool {
	return !slices.ContainsFunc(x.prints(), func(p hub.Print) bool { return p.ID == x.channelID() && !p.Forgotten })
}

// isOver looks that the channel is over for good: the node says so on the next
// connection, and puts its commitment on the chain once its output is there, not
// before.
func (x *scripted) isOver(s *state, fatal func(string), n *tally) {
	x.t.Helper()
	if x.unsigned() || s.temporary {
		kept := x.kept
		if s.rest == young && len(kept) > 0 && !x.ended {
			x.say(kept[0])
			if said := x.fence(); len(said) != 1 || said[0].Name() != "error" {
				fatal("an attempt that is over goes on")
			}
		}
		n.failed.Add(1)
		return
	}
	x.come()
	x.settle()
	said := func(name string) bool {
		return slices.ContainsFunc(x.log, func(m wire.Message) bool { return m.Name() == name })
	}
	if x.failure() == "" || !said("error") || said("channel_reestablish") {
		fatal("a failed channel is not failed on the next connection")
	}
	n.failed.Add(1)
	if x.claims(s, fatal) {
		n.claimed.Add(1)
	}
}

// claims confirms an output of the channel and looks that the node takes what is its
// own. It reports false when there is no output of its own that could be confirmed.
func (x *scripted) claims(s *state, fatal func(string)) bool {
	x.t.Helper()
	made := slices.Clone(x.made)
	if x.m.ClosingTx != nil {
		made = nil // what both have signed is out
	}
	if s.first {
		slices.Reverse(made)
	}
	for _, f := range made {
		has := false
		x.command(func(m *channel.Machine) error {
			_, err := m.LatestCommitment(f.txid)
			has = err == nil
			return nil
		})
		if !has {
			continue
		}
		if x.kind != outside && len(x.w.chain.Mempool()) > 0 {
			fatal("a commitment is out before its funding transaction")
		}
		published := func() *btcwire.MsgTx { return x.w.spender(btcwire.OutPoint{Hash: f.tx.TxHash()}) }
		commitment := published() // outside of factories it does not wait for a block
		x.confirm(f)
		x.w.until("the node publishes its commitment", func() bool {
			if commitment == nil {
				commitment = published()
			}
			return commitment != nil
		})
		x.w.pass(1+delay, x.table.party)
		if !x.w.spent(commitment) {
			fatal("the node leaves its own output of the commitment")
		}
		return true
	}
	return false
}

// spent reports whether an output that is no anchor is spent in a block. The node alone
// could.
func (w *world) spent(tx *btcwire.MsgTx) bool {
	for i, out := range tx.TxOut {
		_, found, err := w.chain.Spend(w.t.Context(), btcwire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)})
		check(w.t, err)
		if found && out.Value > anchorSat {
			return true
		}
	}
	return false
}

const anchorSat = 330

// spender is the transaction of the mempool that spends an output, nil when there is
// none.
func (w *world) spender(o btcwire.OutPoint) *btcwire.MsgTx {
	for _, tx := range w.chain.Mempool() {
		for _, in := range tx.TxIn {
			if in.PreviousOutPoint == o {
				return tx
			}
		}
	}
	return nil
}
