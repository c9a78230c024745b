package storm

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/factory"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Amounts of these worlds, in sat.
const (
	coinsLSP   = 3_000_000
	coinBump   = 100_000
	capacity   = 100_000
	stockEach  = 50_000
	bumpsLSP   = 40
	bumpsOther = 20
)

// options are what worlds differ in.
type options struct {
	clients int
	poor    int      // so many clients, the last ones, have no coin
	sockets bool     // parties are nodes that listen
	zeroFee bool     // commitments pay no fee
	active  uint16   // blocks that a factory is in use
	rules   rule.Set // that channels and ways out keep
}

// newWorld makes a chain with an LSP and clients that have coins and no factory.
func newWorld(t testing.TB, seed uint64, o options) *world {
	t.Helper()
	w := &world{t: t, seed: seed, clock: newClock(), options: o}
	var err error
	w.dir, err = os.MkdirTemp(memory(), "superscalar-storm-")
	w.check(err)
	t.Cleanup(func() { _ = os.RemoveAll(w.dir) })
	w.chain, err = embedded.New(embedded.Config{Seed: seed, Dir: w.dir})
	w.check(err)
	t.Cleanup(func() { _ = w.chain.Close() })
	_, err = w.chain.Mine(120)
	w.check(err)
	w.lsp = w.party("lsp", -1)
	for i := range o.clients {
		w.clients = append(w.clients, w.party(string(rune('a'+i)), i))
	}
	for _, p := range w.all() {
		w.check(os.Mkdir(p.dir, 0o700))
		w.check(p.start())
		t.Cleanup(p.stop)
	}
	w.fill()
	return w
}

func newClock() *transport.ManualClock { return transport.NewManualClock(time.Unix(1_700_000_000, 0)) }

// memory is a folder in memory where there is one: these processes end without their
// machine, so that what a disk has in its cache is not lost.
func memory() string {
	const shm = "/dev/shm"
	if dir, err := os.Stat(shm); err == nil && dir.IsDir() {
		return shm
	}
	return ""
}

// fill gives out coins.
func (w *world) fill() {
	var outs []*btcwire.TxOut
	pay := func(p *party, sat int64, times int) {
		for range times {
			script, err := p.wallet.NewScript()
			w.check(err)
			outs = append(outs, btcwire.NewTxOut(sat, script))
		}
	}
	pay(w.lsp, coinsLSP, 1)
	ours, theirs := bumpsLSP, bumpsOther
	if w.sockets { // nobody leaves
		ours, theirs = 1, 1
	}
	pay(w.lsp, coinBump, ours)
	for _, c := range w.clients[:len(w.clients)-w.poor] {
		pay(c, coinBump, theirs)
	}
	_, err := w.chain.FundOutputs(outs...)
	w.check(err)
	_, err = w.chain.Mine(1)
	w.check(err)
	for _, p := range w.all() {
		w.check(p.wallet.Sync(context.Background(), w.chain))
	}
}

// params are short: a way out takes some hundred blocks.
func params(leaf factory.LeafKind, states uint8, active uint16) factory.Params {
	p := factory.DefaultParams(leaf)
	p.Step, p.States, p.ConfirmBlocks = 6, states, 3
	p.StockCSV, p.OmissionDelay, p.ToSelfDelay, p.Margin = 30, 20, 20, 6
	p.MaxFundingWait, p.Active, p.Dying = 100, active, 20
	return p
}

// order is that of a factory of all clients.
func (w *world) order(shape string, states uint8) ceremony.Order {
	s, err := factory.ParseShape(shape)
	w.check(err)
	o := ceremony.Order{Shape: func(int) factory.Shape { return s }, Params: params(s.Leaf, states, w.active), Stock: stockEach}
	for _, c := range w.clients {
		o.Clients = append(o.Clients, ceremony.OrderClient{Peer: c.id(), Capacity: capacity})
	}
	return o
}

// found creates a factory in a world without sockets, and confirms it.
func (w *world) found(shape string, states uint8) wire.CeremonyID {
	w.t.Helper()
	for _, c := range w.clients {
		l := &link{ends: [2]end{{p: w.lsp}, {p: c}}}
		w.links = append(w.links, l)
	}
	for _, l := range w.links {
		w.connect(l)
	}
	w.run()
	id, err := w.lsp.lsp.Create(w.order(shape, states))
	w.check(err)
	w.follow(w.lsp)
	w.run()
	w.mine(1)
	w.run()
	if len(w.lsp.lsp.Factories()) != 1 {
		w.t.Fatalf("no factory: %q, %q", w.lsp.told, w.log)
	}
	return id
}

// run delivers everything, one link after the other.
func (w *world) run() {
	for again := true; again; {
		again = false
		for _, l := range w.links {
			for side := range l.ends {
				for l.up && len(l.ends[side].waiting) > 0 {
					w.deliver(l, side)
					again = true
				}
			}
		}
	}
}

// mine adds blocks, and everybody who runs looks at them.
func (w *world) mine(n uint32) {
	w.t.Helper()
	_, err := w.chain.Mine(n)
	w.check(err)
	w.note("%d blocks", n)
	w.looks()
}

// looks shows the chain to everybody.
func (w *world) looks() {
	for _, p := range append(w.all(), w.doubles...) {
		w.look(p)
	}
}

// look shows the chain to a party.
func (w *world) look(p *party) {
	if p.hub == nil {
		return
	}
	ctx := context.Background()
	steps := []func() error{
		func() error { return p.wallet.Sync(ctx, w.chain) },
		func() error { return p.hub.Look(ctx, w.chain) },
		func() error { return p.leaves.Check() },
		func() error {
			if p.isLSP() {
				return p.lsp.CheckFunding()
			}
			return p.client.CheckFunding()
		},
		func() error { return p.wayout.Step(ctx) },
	}
	for _, step := range steps {
		if p.fault().isDead() {
			break
		}
		if err := step(); err != nil {
			w.note("%s looks at the chain: %v", p.name, err)
		}
	}
	w.follow(p)
}

// begin starts a process again.
func (w *world) begin(p *party) {
	if p.hub != nil || p.past != nil {
		return
	}
	p.set(nil)
	if err := p.start(); err != nil {
		w.t.Fatalf("%s does not start: %v: %q", p.name, err, p.told)
	}
	w.note("%s starts", p.name)
	w.look(p)
}

// everybody starts and connects everybody.
func (w *world) everybody() {
	for _, p := range w.all() {
		p.set(nil)
		w.begin(p)
	}
	for _, l := range w.links {
		w.connect(l)
	}
}

// pass lets time pass, and does what is due.
func (w *world) pass(d time.Duration) {
	w.note("%s pass", d)
	w.clock.Advance(d)
	for _, p := range w.all() {
		w.follow(p)
	}
}

// busy are the links with messages to a side.
func (w *world) busy() (out []way) {
	for _, l := range w.links {
		for side := range l.ends {
			if l.up && len(l.ends[side].waiting) > 0 {
				out = append(out, way{l, side})
			}
		}
	}
	return out
}

type way struct {
	l    *link
	side int
}

// told is what everybody said, for a failure.
func (w *world) tail() []string {
	const last = 60
	return slices.Concat(w.log[max(0, len(w.log)-last):], w.lsp.told)
}
