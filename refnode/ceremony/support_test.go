package ceremony_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// seeded is a reader of pseudo-random bytes.
func seeded(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// keys derives keys by hashing.
type keys struct{ seed string }

func (k keys) derive(use string, id wire.CeremonyID, i uint32) (*btcec.PrivateKey, error) {
	h := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%x/%d", k.seed, use, id, i))
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

// memory is a store without a disk.
type memory struct {
	ledger *ledger.Ledger
	parts  map[wire.CeremonyID]ceremony.Parts
	broken error // returned by every call
	signed int
	// recorded is what ledger holds, in order; life may end at any write.
	recorded []ledger.Entry
	life     *mortal
}

func newMemory() *memory {
	l, err := ledger.New(rule.Set{}, nil)
	if err != nil {
		panic(err)
	}
	return &memory{ledger: l, parts: map[wire.CeremonyID]ceremony.Parts{}}
}

func (m *memory) Sign(_ wire.CeremonyID, entries []ledger.Entry) error {
	if m.broken != nil {
		return m.broken
	}
	if m.life.dies("before recording") {
		return errDead
	}
	fresh, err := m.ledger.Fresh(entries)
	if err != nil {
		return err
	}
	m.signed += len(entries)
	m.recorded = append(m.recorded, fresh...)
	if err := m.ledger.Add(entries); err != nil {
		return err
	}
	if m.life.dies("after recording") {
		return errDead
	}
	return nil
}

func (m *memory) Put(id wire.CeremonyID, part string, data []byte) error {
	if m.broken != nil {
		return m.broken
	}
	if m.life.dies("before writing " + part) {
		return errDead
	}
	if m.parts[id] == nil {
		m.parts[id] = ceremony.Parts{}
	}
	m.parts[id][part] = slices.Clone(data)
	if m.life.dies("after writing " + part) {
		return errDead
	}
	return nil
}

// purse funds anything and remembers what it broadcast.
type purse struct {
	n         uint32
	reserved  map[wire.CeremonyID]bool
	broadcast []*btcwire.MsgTx
	life      *mortal
}

func (p *purse) Fund(id wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	p.n++
	p.reserved[id] = true
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(btcwire.NewTxIn(&btcwire.OutPoint{Hash: chainhash.Hash{1}, Index: p.n}, nil, nil))
	tx.AddTxOut(&out)
	return tx, 0, nil
}

func (p *purse) Sign(_ wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) { return tx, nil }
func (p *purse) Release(id wire.CeremonyID)                                        { delete(p.reserved, id) }
func (p *purse) Broadcast(tx *btcwire.MsgTx) error {
	if p.life.dies("before broadcasting") {
		return errDead
	}
	p.broadcast = append(p.broadcast, tx)
	if p.life.dies("after broadcasting") {
		return errDead
	}
	return nil
}

// world is an LSP and its clients with wires between them that a test can
// bend. Messages travel encoded.
type world struct {
	t       *testing.T
	now     time.Time
	height  factory.Height
	seen    map[btcwire.OutPoint]bool
	lsp     *ceremony.LSP
	store   *memory
	purse   *purse
	clients []*ceremony.Client
	stores  []*memory
	events  []ceremony.Event
	queue   []packet
	// bend may change or swallow a message on its way; nil passes all.
	bend func(p packet) []packet
	log  []string
	// lives of the clients, then of the LSP; nil when nobody dies.
	lives []*mortal
	died  string
	// channels of the parties that have any, by name.
	channels map[string]*channels
}

type packet struct {
	toLSP  bool
	client int
	m      wire.Ceremony
}

var lspID = wire.Point{2, 0xff}

func peerID(i int) wire.Point { return wire.Point{2, byte(i >> 8), byte(i)} }

func newWorld(t *testing.T, n int) *world { return newWorldWith(t, n, rule.Set{}, rule.Set{}) }

func newWorldWith(t *testing.T, n int, lspRules, clientRules rule.Set) *world {
	w := emptyWorld(t)
	w.populate(n, lspRules, clientRules)
	return w
}

func emptyWorld(t *testing.T) *world {
	return &world{
		t: t, now: time.Unix(1_700_000_000, 0), height: 1000, seen: map[btcwire.OutPoint]bool{},
		store: newMemory(), purse: &purse{reserved: map[wire.CeremonyID]bool{}},
	}
}

func (w *world) populate(n int, lspRules, clientRules rule.Set) {
	w.lsp = ceremony.NewLSP(ceremony.LSPConfig{
		Config: w.config(lspRules, "lsp", 1, w.store), Funder: w.purse,
		Report: func(e ceremony.Event) { w.events = append(w.events, e) },
	}, nil)
	for i := range n {
		w.stores = append(w.stores, newMemory())
		w.clients = append(w.clients, ceremony.NewClient(ceremony.ClientConfig{Config: w.clientConfig(i, clientRules)}, lspID, nil))
	}
}

func (w *world) clientConfig(i int, rules rule.Set) ceremony.Config {
	return w.config(rules, fmt.Sprintf("client %d", i), uint64(100+i), w.stores[i])
}

func (w *world) config(rules rule.Set, name string, seed uint64, store *memory) ceremony.Config {
	cfg := ceremony.Config{
		Rules: rules, Chain: factory.Other, Rand: seeded(seed), Keys: keys{name}, Store: store,
		Seen: func(o btcwire.OutPoint) (bool, error) { return w.seen[o], nil },
		Tip:  func() (factory.Height, error) { return w.height, nil },
	}
	if c := w.channels[name]; c != nil {
		cfg.Channels = c
	}
	return cfg
}

// order is a factory for all clients of the world.
func (w *world) order(shape string) ceremony.Order {
	s, err := factory.ParseShape(shape)
	if err != nil {
		w.t.Fatal(err)
	}
	o := ceremony.Order{
		Shape:  func(int) factory.Shape { return s },
		Params: factory.DefaultParams(s.Leaf), Stock: 50_000,
	}
	if s.StateLevels() > 1 {
		o.Params.Step, o.Params.ConfirmBlocks = 72, 6
	}
	for i := range w.clients {
		o.Clients = append(o.Clients, ceremony.OrderClient{Peer: peerID(i), Capacity: 100_000})
	}
	return o
}

// create starts a ceremony and runs it until nobody has anything to say.
func (w *world) create(shape string) wire.CeremonyID {
	id, out, err := w.lsp.Create(w.now, w.order(shape))
	if err != nil {
		w.t.Fatal(err)
	}
	w.send(out)
	w.run()
	return id
}

// send puts the LSP's messages on the wire.
func (w *world) send(out []ceremony.Out) {
	for _, o := range out {
		if w.life(theLSP).dies("before sending " + o.Message.Name()) {
			return
		}
		i := int(o.To[1])<<8 | int(o.To[2])
		w.queue = append(w.queue, packet{client: i, m: o.Message})
	}
}

// run delivers messages in order until there are none.
func (w *world) run() {
	for len(w.queue) > 0 {
		p := w.queue[0]
		w.queue = w.queue[1:]
		list := []packet{p}
		if w.bend != nil {
			list = w.bend(p)
		}
		for _, p := range list {
			w.deliver(p)
		}
	}
}

func (w *world) deliver(p packet) {
	raw, err := wire.Codec{}.EncodeCeremony(p.m)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := wire.Codec{}.DecodeCeremony(raw)
	if err != nil {
		w.t.Fatal(err)
	}
	to := p.client
	if p.toLSP {
		to = theLSP
	}
	if w.life(to).dies("on receiving " + m.Name()) {
		return
	}
	if p.toLSP {
		w.log = append(w.log, fmt.Sprintf("%d>%s", p.client, m.Name()))
		w.send(w.lsp.Receive(w.now, peerID(p.client), m))
		return
	}
	w.log = append(w.log, fmt.Sprintf("%d<%s", p.client, m.Name()))
	for _, reply := range w.clients[p.client].Receive(w.now, m) {
		if w.life(p.client).dies("before sending " + reply.Name()) {
			return
		}
		w.queue = append(w.queue, packet{toLSP: true, client: p.client, m: reply})
	}
}

// late lets the deadline pass.
func (w *world) late() {
	w.now = w.now.Add(ceremony.DefaultDeadline)
	w.send(w.lsp.Tick(w.now))
	w.run()
}

// funded are the factories that were paid for, oldest first.
func (w *world) funded() []wire.CeremonyID {
	var ids []wire.CeremonyID
	for _, e := range w.events {
		if e.Kind == ceremony.EventFunded {
			ids = append(ids, e.Ceremony)
		}
	}
	return ids
}

// reopened reads a client's factory from its store again.
func (w *world) reopened(i int, id wire.CeremonyID) *ceremony.Held {
	w.t.Helper()
	h, err := ceremony.OpenHeld(w.clientConfig(i, rule.Set{}), id, maps.Clone(w.stores[i].parts[id]))
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}
