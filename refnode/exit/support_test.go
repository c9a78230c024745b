package exit_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"
	"go.uber.org/goleak"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeded is a reader of pseudo-random bytes.
func seeded(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)

	return rand.NewChaCha8(key)
}

// keys derives keys by hashing.
type keys string

func (k keys) derive(use string, id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%x/%d", string(k), use, id, i))
	key, _ := btcec.PrivKeyFromBytes(h[:])

	return key, nil
}

func (k keys) Factory(id wire.CeremonyID) (*btcec.PrivateKey, error) {
	return k.derive("factory", id, 0)
}

func (k keys) Payout(id wire.CeremonyID) (*btcec.PrivateKey, error) { return k.derive("payout", id, 0) }

func (k keys) Channel(id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	return k.derive("channel", id, i)
}

func (k keys) wallet(i uint32) (*btcec.PrivateKey, error) {
	return k.derive("wallet", wire.CeremonyID{}, i)
}

// memory is a store without a disk that remembers what was signed, in order.
type memory struct {
	ledger *ledger.Ledger
	signed []ledger.Entry
}

func (m *memory) Sign(_ wire.CeremonyID, entries []ledger.Entry) error {
	if err := m.ledger.Add(entries); err != nil {
		return err
	}
	m.signed = append(m.signed, entries...)

	return nil
}

func (m *memory) Put(wire.CeremonyID, string, []byte) error { return nil }

type packet struct {
	toLSP  bool
	client int
	m      wire.Ceremony
}

// world is an LSP and clients without sockets on a chain that validates.
type world struct {
	t       *testing.T
	ctx     context.Context
	now     time.Time
	chain   *embedded.Chain // nil in a world without one
	height  factory.Height  // used without a chain
	funder  ceremony.Funder
	lsp     *ceremony.LSP
	clients []*ceremony.Client
	stores  map[string]*memory // by name
	wallets []*wallet.Wallet   // the LSP's is the last
	id      wire.CeremonyID
	queue   []packet
	bend    func(packet) []packet
	changed int
}

// delays are short enough for a test to wait for.
func delays(leaf factory.LeafKind) factory.Params {
	p := factory.Params{
		Step: 4, States: 3, ConfirmBlocks: 2, MaxChain: 2, StockCSV: 10, OmissionDelay: 6, ToSelfDelay: 4,
		Margin: 2, MaxFundingWait: 6, Active: 40, Dying: 10,
	}
	if leaf == factory.DW {
		p.MaxChain = 0
	}

	return p
}

// newWorld builds a factory on a fresh chain. coins[i] is the number of coins
// of client i; clients without an entry have none.
func newWorld(t *testing.T, n int, shape string, coins map[int]int) *world {
	t.Helper()
	c, err := embedded.New(embedded.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t: t, ctx: t.Context(), chain: c}
	for i := range n + 1 {
		purse, err := wallet.New(wallet.Options{Keys: keys(w.name(i, n)).wallet})
		if err != nil {
			t.Fatal(err)
		}
		w.wallets = append(w.wallets, purse)
	}
	w.fund(n, 50_000_000, 1)
	w.fund(n, 100_000, 40)
	for i, count := range coins {
		w.fund(i, 100_000, count)
	}
	w.mine(1)
	if err := w.wallets[n].Sync(w.ctx, c); err != nil {
		t.Fatal(err)
	}
	w.funder = &role.Purse{Wallet: w.wallets[n], Chain: role.Chain{Backend: c}, Rate: wallet.SatPerVByte(3)}
	s := w.build(n, shape)
	w.create(s, delays(s.Leaf), 100_000, 50_000)
	w.mine(1)

	return w
}

func (w *world) name(i, n int) string {
	if i == n {
		return "lsp"
	}

	return fmt.Sprintf("client %d", i)
}

// fund pays a party's wallet.
func (w *world) fund(i int, value factory.Sat, count int) {
	w.t.Helper()
	var outs []*btcwire.TxOut
	for range count {
		script, err := w.wallets[i].NewScript()
		if err != nil {
			w.t.Fatal(err)
		}
		outs = append(outs, btcwire.NewTxOut(int64(value), script))
	}
	if _, err := w.chain.FundOutputs(outs...); err != nil {
		w.t.Fatal(err)
	}
}

// build starts the machines of the ceremonies.
func (w *world) build(n int, shape string) factory.Shape {
	w.t.Helper()
	s, err := factory.ParseShape(shape)
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = time.Unix(1_700_000_000, 0)
	lsp := w.config("lsp", 1)
	// An adversary passes over changes that it interrupted, as far as clients let
	// it: the histories are theirs to allow.
	lsp.Rules = rule.Without(rule.POI009)
	w.lsp = ceremony.NewLSP(ceremony.LSPConfig{
		Config: lsp, Funder: w.funder,
		Report: func(e ceremony.Event) {
			switch e.Kind {
			case ceremony.EventFunded:
				w.id = e.Ceremony
			case ceremony.EventChanged:
				w.changed++
			}
		},
	}, nil)
	for i := range n {
		w.clients = append(w.clients, ceremony.NewClient(
			ceremony.ClientConfig{Config: w.config(w.name(i, n), uint64(100+i))}, wire.Point{2, 0xff}, nil))
	}

	return s
}

func (w *world) config(name string, seed uint64) ceremony.Config {
	l, err := ledger.New(rule.Set{}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := ceremony.Config{Chain: factory.Other, Rand: seeded(seed), Keys: keys(name), Store: &memory{ledger: l}}
	if w.stores == nil {
		w.stores = map[string]*memory{}
	}
	w.stores[name] = cfg.Store.(*memory)
	cfg.Seen = func(btcwire.OutPoint) (bool, error) { return false, nil }
	cfg.Tip = func() (factory.Height, error) { return w.height, nil }
	if w.chain != nil {
		backend := role.Chain{Backend: w.chain}
		cfg.Seen, cfg.Tip = backend.Seen, backend.Tip
	}

	return cfg
}

// create runs the creation.
func (w *world) create(s factory.Shape, p factory.Params, capacity, stock factory.Sat) {
	w.t.Helper()
	o := ceremony.Order{Shape: func(int) factory.Shape { return s }, Params: p, Stock: stock}
	for i := range w.clients {
		o.Clients = append(o.Clients, ceremony.OrderClient{Peer: peer(i), Capacity: capacity})
	}
	w.run(w.lsp.Create(w.now, o))
	if w.lsp.Factory(w.id) == nil {
		w.t.Fatal("no factory was made")
	}
}

func peer(i int) wire.Point { return wire.Point{2, byte(i >> 8), byte(i)} }

// run delivers messages until there are none.
func (w *world) run(_ wire.CeremonyID, out []ceremony.Out, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(out)
	for len(w.queue) > 0 {
		p := w.queue[0]
		w.queue = w.queue[1:]
		list := []packet{p}
		if w.bend != nil {
			list = w.bend(p)
		}
		for _, p := range list {
			if p.toLSP {
				w.send(w.lsp.Receive(w.now, peer(p.client), p.m))

				continue
			}
			for _, reply := range w.clients[p.client].Receive(w.now, p.m) {
				w.queue = append(w.queue, packet{true, p.client, reply})
			}
		}
	}
}

func (w *world) send(out []ceremony.Out) {
	for _, o := range out {
		w.queue = append(w.queue, packet{client: int(o.To[1])<<8 | int(o.To[2]), m: o.Message})
	}
}

// update moves stock into a channel by a new state.
func (w *world) update(buyer factory.ClientIndex, amount factory.Sat) {
	w.t.Helper()
	before := w.changed
	w.run(w.lsp.Update(w.now, ceremony.Purchase{Factory: w.id, Buyer: buyer, Amount: amount}))
	if w.changed != before+1 {
		w.t.Fatal("the update was not completed")
	}
}

// sell sells from the stock of the buyer's group.
func (w *world) sell(buyer factory.ClientIndex, amount factory.Sat) {
	w.t.Helper()
	before := w.changed
	w.run(w.lsp.Sell(w.now, ceremony.Purchase{Factory: w.id, Buyer: buyer, Amount: amount}))
	if w.changed != before+1 {
		w.t.Fatal("the sale was not completed")
	}
}

// cutOff runs a change in which one client's signature on what spends an
// existing outpoint is lost: the change fails, and everybody has signed it.
func (w *world) cutOff(silent factory.ClientIndex, start func() (wire.CeremonyID, []ceremony.Out, error)) (sale *wire.Sale) {
	w.t.Helper()
	w.bend = func(p packet) []packet {
		switch m := p.m.(type) {
		case *wire.Sale:
			sale = m
		case *wire.Partials:
			if m.Phase == 1 && p.client == int(silent) {
				return nil
			}
		}

		return []packet{p}
	}
	before := w.changed
	w.run(start())
	w.now = w.now.Add(ceremony.DefaultDeadline)
	w.run(w.id, w.lsp.Tick(w.now), nil)
	w.bend = nil
	if w.changed != before {
		w.t.Fatal("the change was completed")
	}

	return sale
}

func (w *world) factory() *ceremony.Factory { return w.lsp.Factory(w.id) }
func (w *world) held(i int) *ceremony.Held  { return w.clients[i].Held(w.id) }

// node returns a transaction of the LSP's live tree.
func (w *world) node(level, position int) *factory.Node {
	w.t.Helper()
	n, ok := w.factory().Tree().Node(factory.NodeID{Level: uint8(level), Position: uint16(position)})
	if !ok {
		w.t.Fatalf("no transaction %d/%d", level, position)
	}

	return n
}
