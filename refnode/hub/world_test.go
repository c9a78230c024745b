package hub_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"
	btcwire "github.com/btcsuite/btcd/wire"
	"go.uber.org/goleak"

	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/hub"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is when a test gives up on something that hangs.
const patience = 3 * time.Minute

// world is a chain with nodes, each with a store, a wallet and sockets of its
// own.
type world struct {
	t     testing.TB
	chain *embedded.Chain
}

func newWorld(t testing.TB) *world {
	t.Helper()
	c, err := embedded.New(embedded.Config{})
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &world{t: t, chain: c}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// party is a node with channels.
type party struct {
	w       *world
	name    string
	role    node.Role
	dir     string
	key     *btcec.PrivateKey
	store   *store.Store
	wallet  *wallet.Wallet
	hub     *hub.Hub
	node    *node.Node
	notices chan payment.Action
	hears   func(payment.Action) // takes the notices instead; see listen
	// factories answer for channels in factories; nil: there are none, and no Loopback.
	factories map[wire.ProtocolID]hub.Factory

	mu      sync.Mutex
	refuses error // what its store answers
	freezes int   // how many updates of its store pass before one hangs, when ice is there
	ice     chan struct{}
	frozen  bool // one hangs
	starts  int  // a process that starts again draws something else: onions are never sent twice
	trouble *fault
	mute    string                 // a kind of message that does not leave
	clock   *transport.ManualClock // nil: the real one
	signed  map[string][]byte      // commitment_signed by channel and number
	// cheats changes the funding transactions that this node makes.
	cheats   func(*btcwire.MsgTx)
	released int
	names    uint32 // the index it says that their output has
	// pays makes them instead of the wallet.
	pays func(*btcwire.TxOut) *btcwire.MsgTx
}

func (w *world) party(name string, role node.Role) *party {
	w.t.Helper()
	p := &party{w: w, name: name, role: role, dir: w.t.TempDir(), notices: make(chan payment.Action, 1000)}
	p.key = p.derive("node")
	p.start()
	w.t.Cleanup(p.stop)
	return p
}

func (p *party) derive(label string) *btcec.PrivateKey {
	sum := sha256.Sum256([]byte(p.name + "/" + label))
	k, _ := btcec.PrivKeyFromBytes(sum[:])
	return k
}

func (p *party) start() {
	t := p.w.t
	t.Helper()
	var err error
	p.starts++
	p.store, err = store.Open(p.dir)
	check(t, err)
	saved, _, err := p.store.Get("wallet", "state")
	check(t, err)
	p.wallet, err = wallet.New(wallet.Options{
		Keys:  func(i uint32) (*btcec.PrivateKey, error) { return p.derive(fmt.Sprint("wallet/", i)), nil },
		Saved: saved, Save: func(b []byte) error { return p.store.Put("wallet", "state", b) },
	})
	check(t, err)
	tip, err := p.w.chain.Tip(context.Background())
	check(t, err)
	clock := transport.Clock(transport.RealClock{})
	if p.clock != nil {
		clock = p.clock
	}
	p.hub, err = hub.Open(hub.Config{
		Store: p, Key: p.key, Net: &chaincfg.RegressionNetParams, Rand: source(fmt.Sprint(p.name, p.starts)),
		Derive:    func(label string) (*btcec.PrivateKey, error) { return p.derive(label), nil },
		Forward:   p.role == node.LSP,
		Wallet:    p,
		Coins:     p.wallet,
		Script:    p.closesTo(),
		Broadcast: func(tx *btcwire.MsgTx, _ string) { _ = p.w.chain.Submit(context.Background(), chain.Package{tx}) },
		Factories: p.factories,
		Notice:    p.hear,
		Clock:     clock,
	}, payment.Height(tip.Height))
	check(t, err)
	p.node, err = node.Start(node.Config{
		Role: p.role, Key: p.key, Listen: "127.0.0.1:0", Rand: source(fmt.Sprint(p.name, "/node", p.starts)),
		Derive:   func(label string) (*btcec.PrivateKey, error) { return p.derive(label), nil },
		Channels: p.hub, Outside: true, Loopback: p.factories != nil, Tamper: p.tamper, Clock: clock,
	})
	check(t, err)
	p.hub.Attach(func(id wire.Point) { p.node.Wake([33]byte(id)) })
	p.look()
}

// hear takes a notice.
func (p *party) hear(a payment.Action) {
	p.mu.Lock()
	hears := p.hears
	p.mu.Unlock()
	if hears != nil {
		hears(a)
		return
	}
	p.notices <- a
}

// listening reports whether somebody takes the notices.
func (p *party) listening() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hears != nil
}

// listen sets who takes the notices from now on.
func (p *party) listen(hears func(payment.Action)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hears = hears
}

func (p *party) stop() {
	if p.node == nil {
		return
	}
	_ = p.node.Close()
	p.hub.Close()
	_ = p.store.Close()
	p.node = nil
}

// restart is what a crash between two steps does: what is not stored is gone.
func (p *party) restart() {
	p.stop()
	p.start()
}

// Update implements hub.Store.
func (p *party) Update(fn func(*store.Tx) error) error {
	p.mu.Lock()
	ice := p.ice
	if p.freezes > 0 {
		p.freezes--
		ice = nil
	}
	p.frozen = p.frozen || ice != nil
	p.mu.Unlock()
	if ice != nil {
		<-ice
	}
	p.mu.Lock()
	err := p.refuses
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if f := p.fault(); f != nil {
		return f.update(p.store, fn)
	}
	return p.store.Update(fn)
}

// View implements hub.Store.
func (p *party) View(fn func(*store.Tx) error) error { return p.store.View(fn) }

// Fund implements hub.Wallet.
func (p *party) Fund(id string, out *btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	if p.pays != nil {
		return p.pays(out), 0, nil
	}
	if err := p.wallet.Sync(context.Background(), p.w.chain); err != nil {
		return nil, 0, err
	}
	u, err := p.wallet.FundTx(id, []*btcwire.TxOut{out}, wallet.SatPerVByte(5))
	if err != nil {
		return nil, 0, err
	}
	if p.cheats != nil {
		p.cheats(u.Tx)
	}
	tx, err := p.wallet.Sign(u)
	return tx, p.names, err
}

// Release implements hub.Wallet.
func (p *party) Release(id string) {
	if p.wallet.Release(id) == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.released++
	}
}

// wasted counts the funding transactions that were made for nothing.
func (p *party) wasted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.released
}

// coins gives a party coins.
func (p *party) coins(sat int64) {
	t := p.w.t
	t.Helper()
	script, err := p.wallet.NewScript()
	check(t, err)
	_, err = p.w.chain.FundOutputs(btcwire.NewTxOut(sat, script))
	check(t, err)
	p.w.mine(1)
}

func (w *world) mine(n uint32, parties ...*party) {
	w.t.Helper()
	_, err := w.chain.Mine(n)
	check(w.t, err)
	for _, p := range parties {
		p.look()
	}
}

func (p *party) look() {
	p.w.t.Helper()
	check(p.w.t, p.hub.Look(context.Background(), p.w.chain))
}

func (p *party) id() wire.Point { return wire.Point(p.key.PubKey().SerializeCompressed()) }

func (p *party) connect(to *party) {
	p.w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	check(p.w.t, p.node.Connect(ctx, to.node.Address()))
}

// until looks again and again whether something has happened that other
// goroutines do.
func (w *world) until(what string, happened func() bool) {
	w.t.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	give := time.NewTimer(patience)
	defer give.Stop()
	for !happened() {
		select {
		case <-again.C:
		case <-give.C:
			w.t.Fatalf("it never came to pass that %s", what)
		}
	}
}

// channel opens a channel outside a factory and waits until it can be used.
func (p *party) channel(to *party, sat, pushMsat uint64) {
	w := p.w
	w.t.Helper()
	before := p.up()
	w.until("the nodes are connected", func() bool {
		return p.node.OpenOutside([33]byte(to.id()), sat, pushMsat) == nil
	})
	w.until("the funding transaction is out", func() bool { return len(w.chain.Mempool()) > 0 })
	w.mine(3, p, to)
	w.until("the channel is up", func() bool { return p.up() > before && to.up() > 0 })
	if p.role == node.LSP && to.role == node.Client {
		w.until("the client knows what the LSP asks for", func() bool { return to.hub.Channels()[0].Policy.Known })
	}
}

// up counts the channels that take HTLCs.
func (p *party) up() int {
	n := 0
	for _, c := range p.hub.Channels() {
		if c.Link.Up {
			n++
		}
	}
	return n
}

// pay pays and waits for the end of it.
func (p *party) pay(to *party, msat payment.Msat) payment.Payment {
	w := p.w
	w.t.Helper()
	inv, err := to.hub.Invoice(payment.InvoiceRequest{Amount: msat})
	check(w.t, err)
	got, err := p.hub.Pay(payment.PayRequest{Invoice: inv.Request, MaxFee: msat})
	check(w.t, err)
	w.until("the payment is over", func() bool {
		got, _ = p.hub.Payment(inv.Hash)
		return got.State != payment.InFlight
	})
	return got
}

// source is a seeded source of randomness that goroutines may share.
func source(name string) *lockedSource {
	sum := sha256.Sum256([]byte(name))
	return &lockedSource{r: rand.NewChaCha8(sum)}
}

type lockedSource struct {
	mu sync.Mutex
	r  *rand.ChaCha8
	n  uint64
}

func (s *lockedSource) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	n, err := s.r.Read(b)
	if len(b) >= 8 {
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^s.n)
	}
	return n, err
}

// closesTo is the script of a mutual close: of version 0, which needs no feature.
func (p *party) closesTo() []byte {
	id := p.id()
	return append([]byte{0, 20}, id[1:21]...)
}
