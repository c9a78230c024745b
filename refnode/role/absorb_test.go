package role_test

import (
	"fmt"
	"slices"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// A chain of sales that is cut through: a client's channels in its ps leaf become one.

// chained is a ps leaf of two clients, of whom the first has bought twice and has money
// in each of its three channels, with a part of a satoshi.
func chained(t *testing.T) (disks []*disk, id wire.CeremonyID) {
	w := newCutWorld(t, 2, nil)
	id = w.chained()
	return w.disks(), id
}

func (w *cutWorld) chained() wire.CeremonyID {
	w.t.Helper()
	id := w.found("kickoff 1 / ps 2")
	for _, amount := range []factory.Sat{20_000, 30_000} {
		w.sale(id, amount)
	}
	alice := w.parties[1]
	for i, c := range w.lsp().all(alice.id) {
		w.pays(c, held[i])
	}
	return id
}

// held is what the first client has in its channels, in msat.
var held = [3]channel.MilliSat{12_000_300, 9_000_400, 7_000_999}

func (w *cutWorld) sale(id wire.CeremonyID, amount factory.Sat) {
	w.t.Helper()
	_, out, err := w.lsp().lsp.Sell(w.now, ceremony.Purchase{Factory: id, Buyer: 0, Amount: amount})
	if err != nil {
		w.t.Fatal(err)
	}
	w.out(out)
	w.run()
	for _, p := range w.parties {
		for _, c := range p.lines {
			p.step(c, (*channel.Machine).SetUsable)
		}
	}
	w.run()
}

// pays moves msat to the client in one channel.
func (w *cutWorld) pays(c *line, amount channel.MilliSat) {
	w.t.Helper()
	w.offerOn(c, preimages[0], amount)
	client := w.parties[int(c.peer[1])]
	theirs := client.lineOf(w.lsp().id, c.m.ID)
	for _, h := range client.got {
		if h.Channel == c.m.ID {
			client.step(theirs, func(m *channel.Machine) { _ = m.Fulfil(h.ID, preimages[0], false) })
		}
	}
	w.run()
}

// whole reports whether the channels of the first client are one everywhere.
func (w *cutWorld) whole(id wire.CeremonyID) bool {
	f := w.lsp().lsp.Factory(id)
	if f.Interrupted() != "" || len(f.Tree().Channels(0)) != 1 || len(f.Tree().Unpoisoned()) > 0 {
		return false
	}
	for _, p := range w.parties {
		for _, c := range p.lines {
			if !c.m.Settled(c.m.Fundings[0].Txid) || c.m.LastLocked == (wire.Txid{}) {
				return false
			}
		}
	}
	return true
}

// merged checks what became of it: one channel has everything, the others nothing, no
// msat is lost but what falls off a satoshi, which the LSP has, and payments go on.
func (w *cutWorld) merged(id wire.CeremonyID, what string) {
	w.t.Helper()
	alice, tree := w.parties[1], w.lsp().lsp.Factory(id).Tree()
	at := tree.Channels(0)[0]
	for _, p := range []*party{w.lsp(), alice} {
		peer := alice.id
		if p == alice {
			peer = w.lsp().id
		}
		lines := p.all(peer)
		if len(lines) != 3 {
			w.t.Fatalf("%s: %s has %d channels: %q", what, p.name, len(lines), w.log)
		}
		for _, c := range lines {
			m := c.m
			if m.Failure != "" || m.Fundings[0].Txid != wire.Txid(at.Outpoint.Hash) || uint32(m.Fundings[0].Index) != at.Outpoint.Index {
				w.t.Errorf("%s: %s: %q, on %v: %q", what, p.name, m.Failure, outputs(m), w.log)
			}
			if m.Ended() {
				if m.Balance[0] > 999 || m.Balance[1] > 999 || m.Link().Up || m.Value() > 1 {
					w.t.Errorf("%s: %s: %v is left of %d sat, up %v", what, p.name, m.Balance, m.Value(), m.Link().Up)
				}
				if _, err := m.LatestCommitment(m.Replaced[0].Funding.Txid); err == nil {
					w.t.Errorf("%s: %s: a commitment on the old output is not revoked", what, p.name)
				}
				continue
			}
			if m.Value() != 170_000 || m.Balance[0]+m.Balance[1] != 170_000_000 || m.Balance[commitment.Accepter] != w.has || !m.Link().Up {
				w.t.Errorf("%s: %s: %d sat, %v, want %d, up %v: %q", what, p.name, m.Value(), m.Balance, w.has, m.Link().Up, w.log)
			}
		}
	}
	for _, c := range w.lsp().all(alice.id) {
		if !c.m.Ended() {
			before := c.m.Balance[commitment.Accepter]
			w.pays(c, 60_000_000) // more than any of them had
			if got := c.m.Balance[commitment.Accepter]; got != before+60_000_000 {
				w.t.Errorf("%s: the client has %d msat after a payment: %q", what, got, w.log)
			}
		}
	}
	for _, p := range w.parties {
		if len(p.left) > 0 {
			w.t.Errorf("%s: %s leaves: %q", what, p.name, p.left)
		}
	}
}

func (w *cutWorld) cutThrough(id wire.CeremonyID) error {
	w.has = held[0] + 9_000_000 + 7_000_000
	w.orders++
	_, out, err := w.lsp().lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: 0, Amount: 20_000})
	w.out(out)
	w.run()
	return err
}

// pairs calls f with both sides of each channel of the first client.
func (w *cutWorld) pairs(f func(ours, theirs *channel.Machine)) {
	alice := w.parties[1]
	for _, c := range w.lsp().all(alice.id) {
		if theirs := alice.lineOf(w.lsp().id, c.m.ID); theirs != nil {
			f(c.m, theirs.m)
		}
	}
}

// sameSet checks that both sides of each channel have the same outputs and balances,
// and a commitment of their own on each that is theirs.
func (w *cutWorld) sameSet(what string) {
	w.t.Helper()
	w.pairs(func(ours, theirs *channel.Machine) {
		if a, b := outputs(ours), outputs(theirs); !slices.Equal(a, b) || ours.Balance != theirs.Balance {
			w.t.Fatalf("%s: the LSP has the channel on %v with %v, the client on %v with %v: %q", what, a, ours.Balance, b, theirs.Balance, w.log)
		}
		for _, m := range []*channel.Machine{ours, theirs} {
			for _, f := range m.Fundings {
				if _, err := m.LatestCommitment(f.Txid); (err == nil) == f.Absorbed() {
					w.t.Fatalf("%s: a commitment on an output, absorbed %v: %v: %q", what, f.Absorbed(), err, w.log)
				}
			}
			if m.Failure != "" {
				w.t.Fatalf("%s: the channel failed: %s: %q", what, m.Failure, w.log)
			}
		}
	})
}

// goOn brings everybody back and repeats the order until the channels are one.
func (w *cutWorld) goOn(id wire.CeremonyID, what string) {
	w.t.Helper()
	for range 6 {
		w.revive()
		if w.whole(id) {
			return
		}
		w.late()
		w.revive()
		w.sameSet(what)
		if w.whole(id) {
			return
		}
		if f := w.lsp().lsp.Factory(id); f.Interrupted() == "" && len(f.Tree().Channels(0)) == 3 {
			w.pairs(func(ours, theirs *channel.Machine) {
				if len(ours.Fundings) != 1 || !ours.Link().Up || !theirs.Link().Up {
					w.t.Fatalf("%s: called off, and a channel is on %v, in use: %v, %v: %q", what, outputs(ours), ours.Link().Up, theirs.Link().Up, w.log)
				}
			})
			w.note("ordered again: %v", w.cutThrough(id))
		}
	}
	w.t.Fatalf("%s: not done: %q", what, w.log)
}

// Wherever a connection breaks or a process ends, the channels become one on both sides
// or stay what they were, with the same balances, and are one in the end (CHG-017 to
// CHG-022).
func TestChannelsBecomeOneThoughCutAnywhere(t *testing.T) {
	disks, id := chained(t)
	w := newCutWorld(t, 2, disks)
	var letters []string
	w.watch = func(_ int, l letter) fate { letters = append(letters, l.String()); return arrives }
	w.delivered = 0
	writes := make([]int, len(w.parties))
	for i, p := range w.parties {
		writes[i] = -p.writes
	}
	if err := w.cutThrough(id); err != nil || !w.whole(id) {
		t.Fatalf("not done without a cut: %v: %q, %v", err, w.log, letters)
	}
	for i, p := range w.parties {
		writes[i] += p.writes
	}
	w.watch = nil
	w.merged(id, "without a cut")
	w.revive()
	for _, p := range w.parties {
		p.dead = true
	}
	w.revive()
	w.sameSet("after a restart of everybody")

	scenarios, orders := 0, 0
	try := func(what string, prepare func(w *cutWorld)) {
		t.Helper()
		if scenarios++; (testing.Short() || raced) && scenarios%11 != 0 {
			return
		}
		w := newCutWorld(t, 2, disks)
		w.delivered = 0
		prepare(w)
		_ = w.cutThrough(id)
		w.watch = nil
		w.goOn(id, what)
		w.merged(id, what)
		orders += w.orders
	}
	for k, name := range letters {
		n := k + 1
		for _, f := range []fate{lost, lastOne} {
			try(fmt.Sprintf("message %d, %s, fate %d", n, name, f), func(w *cutWorld) { w.watch = at(n, f) })
		}
		for who := range 2 {
			try(fmt.Sprintf("%s ends before message %d, %s", w.parties[who].name, n, name), func(w *cutWorld) {
				w.watch = func(i int, _ letter) fate {
					if i == n {
						w.parties[who].dead = true
					}
					return arrives
				}
			})
		}
	}
	for who := range w.parties {
		for n := 1; n <= writes[who]; n++ {
			try(fmt.Sprintf("%s ends with its write %d", w.parties[who].name, n), func(w *cutWorld) {
				p := w.parties[who]
				p.last = p.writes + n
			})
		}
	}
	t.Logf("%d messages, %d scenarios, the update was ordered %d times in all", len(letters), scenarios, orders)
}
