package role_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
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

// agree checks that both sides of each channel have the same outputs, and a commitment
// of their own on each.
func (w *cutWorld) agree(what string) {
	w.t.Helper()
	for _, c := range w.parties[1:] {
		ours, theirs := w.lsp().with(c.id).m, c.with(w.lsp().id).m
		if a, b := outputs(ours), outputs(theirs); !slices.Equal(a, b) {
			w.t.Fatalf("%s: %s: the LSP has the channel on %v, the client on %v: %q", what, c.name, a, b, w.log)
		}
		for _, m := range []*channel.Machine{ours, theirs} {
			for _, f := range m.Fundings {
				if _, err := m.LatestCommitment(f.Txid); err != nil {
					w.t.Fatalf("%s: %s: %v: %q", what, c.name, err, w.log)
				}
			}
			if m.Failure != "" {
				w.t.Fatalf("%s: %s: the channel failed: %s: %q", what, c.name, m.Failure, w.log)
			}
		}
	}
}

func outputs(m *channel.Machine) (all []string) {
	for _, f := range m.Fundings {
		all = append(all, fmt.Sprint(f.Txid, f.Index, f.Value))
	}
	return all
}

// complete reports whether the update is done everywhere.
func (w *cutWorld) complete(id wire.CeremonyID) bool {
	f := w.lsp().lsp.Factory(id)
	if f.Interrupted() != "" || f.Tree().Capacities(0) != 100_000+bought {
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

// unmoved checks that an update that was called off has left nothing behind (CHG-009).
func (w *cutWorld) unmoved(what string) {
	w.t.Helper()
	for _, p := range w.parties {
		for _, c := range p.lines {
			if len(c.m.Fundings) != 1 || !c.m.Link().Up {
				w.t.Fatalf("%s: %s: called off, and the channel is on %v, in use: %v: %q", what, p.name, outputs(c.m), c.m.Link().Up, w.log)
			}
		}
	}
}

// finish brings everybody back and repeats the order until the update is done.
func (w *cutWorld) finish(id wire.CeremonyID, what string) {
	w.t.Helper()
	for range 6 {
		w.revive()
		if w.complete(id) {
			return
		}
		w.late()
		w.revive()
		w.agree(what)
		if w.complete(id) {
			return
		}
		if f := w.lsp().lsp.Factory(id); f.Interrupted() == "" && f.Tree().Capacities(0) == 100_000 {
			w.unmoved(what)
			w.note("ordered again: %v", w.sell(id))
		}
	}
	w.t.Fatalf("%s: not done: %q", what, w.log)
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

// at is the fate of message n.
func at(n int, f fate) func(int, letter) fate {
	return func(i int, _ letter) fate {
		if i == n {
			return f
		}
		return arrives
	}
}

// An update whose connections break and whose processes end at every message and at
// every write: afterwards both sides of every channel have the same outputs, the
// update is completed or called off on both, and no sat is lost.
func TestAnUpdateThatIsCutAnywhere(t *testing.T) {
	disks, id := before(t)
	cutAnywhere(t, disks, id, false)
}

// The same where the stock of another leaf gives, by the state above both (CHG-015).
func TestAMoveBetweenLeavesThatIsCutAnywhere(t *testing.T) {
	disks, id := beforeIn(t, twoLeaves)
	cutAnywhere(t, disks, id, true)
}

func cutAnywhere(t *testing.T, disks []*disk, id wire.CeremonyID, wider bool) {
	t.Helper()
	w := newCutWorld(t, 2, disks)
	w.wider = wider
	var letters []string
	w.watch = func(_ int, l letter) fate { letters = append(letters, l.String()); return arrives }
	w.delivered = 0
	writes := make([]int, len(w.parties))
	for i, p := range w.parties {
		writes[i] = -p.writes
	}
	if err := w.sell(id); err != nil {
		t.Fatal(err)
	}
	if !w.complete(id) {
		t.Fatalf("not done without a cut: %q, %v", w.log, letters)
	}
	for i, p := range w.parties {
		writes[i] += p.writes
	}
	w.watch = nil
	w.afterwards(id, "without a cut")
	t.Logf("%d messages, writes %v", len(letters), writes)

	scenarios, orders := 0, 0
	try := func(what string, prepare func(w *cutWorld)) {
		t.Helper()
		scenarios++
		if (testing.Short() || raced) && scenarios%7 != 0 || wider && scenarios%3 != 0 {
			return
		}
		w := newCutWorld(t, 2, disks)
		w.wider = wider
		w.delivered = 0
		prepare(w)
		_ = w.sell(id)
		w.watch = nil
		w.finish(id, what)
		w.afterwards(id, what)
		orders += w.orders
	}
	for k, name := range letters {
		n := k + 1
		try(fmt.Sprintf("message %d, %s, is lost", n, name), func(w *cutWorld) {
			w.watch = at(n, lost)
		})
		try(fmt.Sprintf("cut after message %d, %s", n, name), func(w *cutWorld) {
			w.watch = at(n, lastOne)
		})
		for _, who := range []int{0, 1 + n%2} {
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
	t.Logf("%d scenarios, the update was ordered %d times in all", scenarios, orders)
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
