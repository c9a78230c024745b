package role_test

import (
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

// merger is that update, for the tests that cut it.
var merger = update{
	order:  (*cutWorld).cutThrough,
	stands: func(t *factory.Tree) bool { return len(t.Channels(0)) == 1 },
	after:  (*cutWorld).merged,
	each:   1, short: 11,
	enders: func(int) []int { return []int{0, 1} },
}

// whole reports whether the channels of the first client are one everywhere.
func (w *cutWorld) whole(id wire.CeremonyID) bool { return w.done(merger, id) }

// Wherever a connection breaks or a process ends, the channels become one on both sides
// or stay what they were, with the same balances, and are one in the end (CHG-017 to
// CHG-022).
func TestChannelsBecomeOneThoughCutAnywhere(t *testing.T) {
	disks, id := chained(t)
	cutAnywhere(t, disks, id, merger)
}
