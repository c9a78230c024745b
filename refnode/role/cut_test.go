package role_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// bought is what the first client buys in these tests, in sat; inFlight an HTLC that
// it is offered before and takes afterwards, paid what it has before, in msat.
const (
	bought   = 20_000
	paid     = 12_000_000
	inFlight = 7_000_000
)

var preimages = [2][32]byte{{1}, {2}}

// offer makes the LSP offer an HTLC.
func (w *cutWorld) offer(client int, preimage [32]byte, amount channel.MilliSat) {
	w.t.Helper()
	w.offerOn(w.lsp().with(w.parties[client].id), preimage, amount)
}

func (w *cutWorld) offerOn(c *line, preimage [32]byte, amount channel.MilliSat) {
	w.t.Helper()
	w.lsp().step(c, func(m *channel.Machine) {
		add := channel.AddHTLC{Amount: amount, Hash: sha256.Sum256(preimage[:]), Expiry: 5000, Onion: make([]byte, 1366)}
		if _, err := m.Add(add); err != nil {
			w.t.Fatalf("client %x: %v: %q", c.peer[1]-1, err, w.log)
		}
	})
	w.run()
}

// settle lets a client take every HTLC that it was offered, and fails those that it
// offered itself.
func (w *cutWorld) settle(client int) {
	w.t.Helper()
	c := w.parties[client]
	for _, h := range c.got {
		c.step(c.with(w.lsp().id), func(m *channel.Machine) {
			for _, preimage := range preimages {
				if sha256.Sum256(preimage[:]) == h.Hash {
					_ = m.Fulfil(h.ID, preimage, false) // it may have done so in a life before
				}
			}
		})
	}
	at := w.lsp().with(c.id)
	for _, h := range w.lsp().got {
		if h.Channel == at.m.ID {
			w.lsp().step(at, func(m *channel.Machine) { _ = m.Fail(h.ID, make([]byte, 292)) })
		}
	}
	w.run()
}

// before is a leaf of two clients, of whom the first has money and an HTLC on its way
// in either direction.
func before(t *testing.T) (disks []*disk, id wire.CeremonyID) {
	return beforeIn(t, "kickoff 1 / dw 2")
}

// twoLeaves is the shape of a factory in which each of two clients has a leaf.
const twoLeaves = "kickoff 1 / state 2 / kickoff 1 / dw 1"

func beforeIn(t *testing.T, shape string) (disks []*disk, id wire.CeremonyID) {
	w := newCutWorld(t, 2, nil)
	id = w.found(shape)
	w.offer(1, preimages[0], paid)
	w.settle(1)
	w.offer(1, preimages[1], inFlight)
	alice := w.parties[1]
	alice.step(alice.lines[0], func(m *channel.Machine) {
		add := channel.AddHTLC{Amount: 3_000_000, Hash: sha256.Sum256([]byte("hers")), Expiry: 5000, Onion: make([]byte, 1366)}
		if _, err := m.Add(add); err != nil {
			t.Fatal(err)
		}
	})
	w.run()
	return w.disks(), id
}

// sell orders the update.
func (w *cutWorld) sell(id wire.CeremonyID) error {
	w.orders++
	return w.sellSome(id, 0, bought)
}

func (w *cutWorld) sellSome(id wire.CeremonyID, buyer factory.ClientIndex, amount factory.Sat) error {
	_, out, err := w.lsp().lsp.Update(w.now, ceremony.Purchase{Factory: id, Buyer: buyer, Amount: amount, Wider: w.wider, From: 1})
	w.out(out)
	w.run()
	return err
}

func outputs(m *channel.Machine) (all []string) {
	for _, f := range m.Fundings {
		all = append(all, fmt.Sprint(f.Txid, f.Index, f.Value))
	}
	return all
}

// afterwards checks that the channels are on the outputs of the tree, that nobody has
// lost anything, and that payments go on.
func (w *cutWorld) afterwards(id wire.CeremonyID, what string) {
	w.t.Helper()
	w.agree(what)
	w.settle(1)
	w.offer(2, preimages[0], 1_000_000)
	w.settle(2)
	tree := w.lsp().lsp.Factory(id).Tree()
	for i, want := range []struct {
		value  commitment.Sat
		client channel.MilliSat
	}{{100_000 + bought, paid + inFlight}, {100_000, 1_000_000}} {
		c := w.parties[i+1]
		at := tree.Channels(factory.ClientIndex(i))[0]
		if held := c.client.Held(id).Tree().Channels(factory.ClientIndex(i))[0]; held.Outpoint != at.Outpoint || held.Value != at.Value {
			w.t.Errorf("%s: %s has %v in its tree, the LSP %v", what, c.name, held.Outpoint, at.Outpoint)
		}
		for _, m := range []*channel.Machine{w.lsp().with(c.id).m, c.with(w.lsp().id).m} {
			f := m.Fundings[0]
			sum := m.Balance[0] + m.Balance[1]
			if f.Txid != wire.Txid(at.Outpoint.Hash) || f.Value != want.value || sum != channel.MilliSat(1000*want.value) || len(m.HTLCs) != 0 ||
				m.Balance[commitment.Accepter] != want.client {
				w.t.Errorf("%s: %s: output %v of %d sat, balances %v, %d HTLCs: %q", what, c.name, f.Txid, f.Value, m.Balance, len(m.HTLCs), w.log)
			}
		}
	}
	for _, p := range w.parties {
		if len(p.left) > 0 {
			w.t.Errorf("%s: %s leaves: %q", what, p.name, p.left)
		}
	}
}

// sold is the update that these tests order.
var sold = update{
	order:  (*cutWorld).sell,
	stands: func(t *factory.Tree) bool { return t.Capacities(0) == 100_000+bought },
	after:  (*cutWorld).afterwards,
	each:   1, short: 7,
	enders: func(n int) []int { return []int{0, 1 + n%2} },
}

func (w *cutWorld) complete(id wire.CeremonyID) bool       { return w.done(sold, id) }
func (w *cutWorld) finish(id wire.CeremonyID, what string) { w.goOn(sold, id, what) }

// An update whose connections break and whose processes end at every message and at
// every write: afterwards both sides of every channel have the same outputs, the
// update is completed or called off on both, and no sat is lost.
func TestAnUpdateThatIsCutAnywhere(t *testing.T) {
	disks, id := before(t)
	cutAnywhere(t, disks, id, sold)
}

// The same where the stock of another leaf gives, by the state above both (CHG-015).
func TestAMoveBetweenLeavesThatIsCutAnywhere(t *testing.T) {
	disks, id := beforeIn(t, twoLeaves)
	u := sold
	u.order = func(w *cutWorld, id wire.CeremonyID) error {
		w.wider = true
		return w.sell(id)
	}
	u.each = 3
	cutAnywhere(t, disks, id, u)
}

// The same with several faults, those of the recovery included, drawn from a seed.
func TestAnUpdateThatIsCutAgainAndAgain(t *testing.T) {
	disks, id := before(t)
	seeds := 60
	if testing.Short() || raced {
		seeds = 10
	}
	faults := 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		w := newCutWorld(t, 2, disks)
		left := 5
		w.watch = func(_ int, l letter) fate {
			if left == 0 || r.IntN(20) > 0 {
				return arrives
			}
			left--
			faults++
			switch n := r.IntN(5); n {
			case 3, 4:
				return fate(n - 2)
			default:
				p := w.parties[n]
				if r.IntN(2) == 0 {
					p.dead = true
				} else {
					p.last = p.writes + 1 + r.IntN(3)
				}
				return arrives
			}
		}
		_ = w.sell(id)
		for range 4 {
			w.revive()
		}
		w.watch = nil
		for _, p := range w.parties {
			p.last = 0
		}
		w.revive()
		what := fmt.Sprintf("seed %d", seed)
		w.finish(id, what)
		w.afterwards(id, what)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d faults", faults)
}
