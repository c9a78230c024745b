package harness

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/client"
	"superscalar/refnode/factory"
	"superscalar/refnode/lsp"
	"superscalar/refnode/node"
	"superscalar/refnode/plugin"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// world is the regtest chain of one node under test, made when the node first
// needs it: cases run side by side, and some of them mine.
type world struct {
	once  sync.Once
	chain *embedded.Chain
	paid  chain.BlockID // the block before the coins of the purse
	err   error
}

// Coins wait for the node in a few outputs: one that pays for a transaction is
// not there for another before a block holds both.
const (
	purseCoins = 8
	purseSat   = 5_000_000
)

func (w *world) open() (*embedded.Chain, error) {
	w.once.Do(func() {
		if w.chain, w.err = embedded.New(embedded.Config{Seed: 1}); w.err != nil {
			return
		}
		var mined []chain.BlockID
		if mined, w.err = w.chain.Mine(embedded.ActivationBlocks + 120); w.err == nil {
			w.paid = mined[len(mined)-1]
			w.err = w.fill()
		}
	})
	return w.chain, w.err
}

// fill pays the purse.
func (w *world) fill() error {
	purse, err := w.purse()
	if err != nil {
		return err
	}
	script, err := purse.NewScript()
	if err != nil {
		return err
	}
	var outs []*btcwire.TxOut
	for range purseCoins {
		outs = append(outs, &btcwire.TxOut{Value: purseSat, PkScript: script})
	}
	tx, err := w.chain.FundOutputs(outs...)
	if err != nil {
		return err
	}
	_, err = w.chain.MineWith(tx)
	return err
}

// purse is the wallet with those coins.
func (w *world) purse() (*wallet.Wallet, error) {
	return wallet.New(wallet.Options{Keys: purseKeys, Birthday: w.paid})
}

// purseKeys are the keys of the purse.
func purseKeys(index uint32) (*btcec.PrivateKey, error) {
	return deriveKey([32]byte{}, fmt.Sprintf("purse %d", index)), nil
}

func (w *world) close() error {
	w.once.Do(func() { w.err = chain.ErrClosed })
	if w.chain == nil {
		return nil
	}
	return w.chain.Close()
}

// factorySide is the factory side of a reference node under test, made when a
// ceremony begins: most cases never need its store and its chain.
type factorySide struct {
	node  *refnodeNode
	role  Role
	seed  [32]byte
	rules rule.Set

	mu     sync.Mutex
	dir    string
	store  *store.Store
	lsp    *lsp.LSP
	client *client.Client
	err    error

	wayout   *role.WayOut
	stopExit context.CancelFunc // ends it
	exiting  sync.WaitGroup
}

// get returns the role behind it, nil when it could not be made.
func (f *factorySide) get() plugin.Ceremonies {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lsp == nil && f.client == nil && f.err == nil {
		f.err = f.make()
	}
	switch {
	case f.err != nil:
		return nil
	case f.lsp != nil:
		return f.lsp
	default:
		return f.client
	}
}

func (f *factorySide) make() (err error) {
	backend, err := f.node.world.open()
	if err != nil {
		return err
	}
	if f.dir, err = os.MkdirTemp("", "superscalar-node-"); err != nil {
		return err
	}
	if f.store, err = store.OpenWith(f.dir, store.Options{Rules: f.rules, Random: f.random("store")}); err != nil {
		return err
	}
	wake := func(peer ceremony.Peer) { f.node.Wake(transport.NodeID(peer)) }
	coins, err := f.node.world.purse()
	if err != nil {
		return err
	}
	if f.role == node.LSP {
		if err := f.makeLSP(backend, coins, wake); err != nil {
			return err
		}
		return f.leave(backend, coins, f.lsp.Exits)
	}
	f.client, err = client.New(client.Config{
		Rules: f.rules, Bounds: factory.Other, Rand: f.random("client"), Derive: f.derive, Store: f.store,
		Chain: backend, Clock: f.node.clock,
	})
	if err != nil {
		return err
	}
	f.client.Attach(wake)
	return f.leave(backend, coins, f.client.Exits)
}

// leave lets the node look after the way out of its factories, as a node in use
// does.
func (f *factorySide) leave(backend chain.Interface, coins *wallet.Wallet, exits func() ([]role.Exit, error)) error {
	w, err := role.NewWayOut(role.WayOutConfig{Exits: exits, Rules: f.rules, Chain: backend, Wallet: coins})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	f.wayout, f.stopExit = w, stop
	f.exiting.Go(func() { w.Run(ctx) })
	return nil
}

func (f *factorySide) makeLSP(backend chain.Interface, coins *wallet.Wallet, wake func(ceremony.Peer)) (err error) {
	f.lsp, err = lsp.New(lsp.Config{
		Rules: f.rules, Bounds: factory.Other, Rand: f.random("lsp"), Derive: f.derive, Store: f.store,
		Chain: backend, Clock: f.node.clock,
		Wallet: &role.Purse{Wallet: coins, Chain: role.Chain{Backend: backend}, Rate: wallet.SatPerVByte(2)},
	})
	if err == nil {
		f.lsp.Attach(wake)
	}
	return err
}

// random is a source for one use, locked: connections share it.
func (f *factorySide) random(use string) *lockedRand {
	return &lockedRand{r: rand.NewChaCha8(derive(f.seed, "factory/"+use))}
}

type lockedRand struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *lockedRand) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}

func (f *factorySide) derive(label string, index uint32) (*btcec.PrivateKey, error) {
	return deriveKey(f.seed, fmt.Sprintf("%s/%d", label, index)), nil
}

func (f *factorySide) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopExit != nil {
		f.stopExit()
		f.exiting.Wait()
	}
	if f.lsp != nil {
		f.lsp.Close()
	}
	if f.client != nil {
		f.client.Close()
	}
	if f.store != nil {
		_ = f.store.Close()
	}
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
	f.err = errors.New("the node is closed")
	f.lsp, f.client = nil, nil
}

// Hears implements plugin.Ceremonies without waking the role.
func (f *factorySide) Hears(t wire.CeremonyType) bool {
	if f.role == node.LSP {
		return (&lsp.LSP{}).Hears(t)
	}
	return (&client.Client{}).Hears(t)
}

// Receive implements plugin.Ceremonies.
func (f *factorySide) Receive(peer plugin.PeerID, m wire.Ceremony) {
	if r := f.get(); r != nil {
		r.Receive(peer, m)
	}
}

// running returns the role if it was made already.
func (f *factorySide) running() plugin.Ceremonies {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lsp != nil:
		return f.lsp
	case f.client != nil:
		return f.client
	default:
		return nil
	}
}

// Connected implements plugin.Ceremonies. Who connected before the role was
// made does not matter to it: an LSP hears of its clients with the order.
func (f *factorySide) Connected(peer plugin.PeerID) {
	if r := f.running(); r != nil {
		r.Connected(peer)
	}
}

// Disconnected implements plugin.Ceremonies.
func (f *factorySide) Disconnected(peer plugin.PeerID) {
	if r := f.running(); r != nil {
		r.Disconnected(peer)
	}
}

// Outgoing implements plugin.Ceremonies.
func (f *factorySide) Outgoing(peer plugin.PeerID) []wire.Ceremony {
	if r := f.running(); r != nil {
		return r.Outgoing(peer)
	}
	return nil
}

// Chain implements Chained.
func (n *refnodeNode) Chain() (Regtest, error) {
	backend, err := n.world.open()
	if err != nil {
		return nil, err
	}
	if err := n.hub.Look(context.Background(), backend); err != nil {
		return nil, err
	}
	n.factories.mu.Lock()
	defer n.factories.mu.Unlock()
	return watchedChain{Regtest: backend, hub: n.hub, lsp: n.factories.lsp, wayout: n.factories.wayout}, nil
}

// Found implements Founder.
func (n *refnodeNode) Found(_ context.Context, o FactoryOrder) error {
	if n.factories.get() == nil || n.factories.lsp == nil {
		return fmt.Errorf("no factory side: %w", errors.Join(n.factories.err, node.ErrUnsupported))
	}
	order := ceremony.Order{
		Shape: func(int) factory.Shape { return o.Shape }, Params: o.Params, Stock: factory.Sat(o.StockSat),
	}
	for _, c := range o.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: ceremony.Peer(c), Capacity: factory.Sat(o.CapacitySat)})
	}
	_, err := n.factories.lsp.Create(order)
	return err
}

// Sell implements Stocker.
func (n *refnodeNode) Sell(_ context.Context, id [32]byte, buyer uint16, amountSat uint64, update bool) error {
	if n.factories.lsp == nil {
		return node.ErrUnsupported
	}
	p := ceremony.Purchase{Factory: id, Buyer: factory.ClientIndex(buyer), Amount: factory.Sat(amountSat)}
	var err error
	if update {
		_, err = n.factories.lsp.Update(p)
	} else {
		_, err = n.factories.lsp.Sell(p)
	}
	if errors.Is(err, ceremony.ErrInterrupted) { // as an operator would: that first
		_, again := n.factories.lsp.Resume(id)
		err = errors.Join(err, again)
	}
	if err != nil {
		return fmt.Errorf("factory %s: %w", hex.EncodeToString(id[:4]), err)
	}
	return nil
}
