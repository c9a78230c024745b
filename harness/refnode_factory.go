package harness

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/client"
	"superscalar/refnode/factory"
	"superscalar/refnode/leaves"
	"superscalar/refnode/lsp"
	"superscalar/refnode/node"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

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
	coins  *wallet.Wallet
	lsp    *lsp.LSP
	client *client.Client
	err    error
	online map[plugin.PeerID]bool // who is connected

	wayout  *role.WayOut
	stop    context.CancelFunc // ends it, and the keeper
	running sync.WaitGroup

	// channels are those on the outputs of the factories, keeper looks after
	// them; nil in a node without.
	channels *role.Channels
	keeper   *leaves.Keeper
	coinless bool        // its wallet is empty
	leaving  atomic.Bool // the keeper has begun a way out that nobody has looked at
}

// get returns the role behind it, nil when it could not be made.
func (f *factorySide) get() plugin.Ceremonies {
	r, missed := f.begun()
	for _, peer := range missed {
		r.Connected(peer)
	}
	return r
}

// begun is get, and whose connections the role does not know of.
func (f *factorySide) begun() (r plugin.Ceremonies, missed []plugin.PeerID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lsp == nil && f.client == nil && f.err == nil {
		if f.err = f.make(); f.err == nil {
			f.err = f.keep()
		}
		if f.err == nil && f.lsp != nil {
			missed = slices.SortedFunc(maps.Keys(f.online), func(a, b plugin.PeerID) int { return bytes.Compare(a[:], b[:]) })
		}
	}
	switch {
	case f.err != nil:
		return nil, nil
	case f.lsp != nil:
		return f.lsp, missed
	default:
		return f.client, nil
	}
}

// make opens the store and the role, the first time or again.
func (f *factorySide) make() (err error) {
	backend, err := f.node.world.open()
	if err != nil {
		return err
	}
	if f.dir == "" {
		if f.dir, err = os.MkdirTemp(memory(), "superscalar-node-"); err != nil {
			return err
		}
	}
	again := strings.Repeat(" again", f.node.restarts)
	if f.store, err = store.OpenWith(f.dir, store.Options{Rules: f.rules, Random: f.random("store" + again)}); err != nil {
		return err
	}
	wake := func(peer ceremony.Peer) { f.node.Wake(transport.NodeID(peer)) }
	if f.coins == nil {
		if f.coins, err = f.node.world.purse(f.coinless); err != nil {
			return err
		}
	}
	if f.role == node.LSP {
		f.lsp, err = lsp.New(lsp.Config{
			Rules: f.rules, Bounds: factory.Other, Rand: f.random("lsp" + again), Derive: f.derive, Store: f.store,
			Chain: backend, Clock: f.node.clock, Channels: f.channels,
			Wallet: &role.Purse{Wallet: f.coins, Chain: role.Chain{Backend: backend}, Rate: wallet.SatPerVByte(2)},
		})
		if err == nil {
			f.lsp.Attach(wake)
		}
		return err
	}
	f.client, err = client.New(client.Config{
		Rules: f.rules, Bounds: factory.Other, Rand: f.random("client" + again), Derive: f.derive, Store: f.store,
		Chain: backend, Clock: f.node.clock, Channels: f.channels,
	})
	if err == nil {
		f.client.Attach(wake)
	}
	return err
}

// keep lets the node look after the way out of its factories and the channels in
// them, as a node in use does.
func (f *factorySide) keep() error {
	backend, err := f.node.world.open()
	if err != nil {
		return err
	}
	var exits func() ([]role.Exit, error)
	if f.lsp != nil {
		exits = f.lsp.Exits
	} else {
		exits = f.client.Exits
	}
	if f.wayout, err = role.NewWayOut(role.WayOutConfig{Exits: exits, Rules: f.rules, Chain: backend, Wallet: f.coins}); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.running.Go(func() { f.wayout.Run(ctx) })
	if f.channels == nil {
		return nil
	}
	f.node.hub.AttachCoins(f.coins)
	f.keeper = leaves.New(leaves.Config{
		Rules: f.rules, Registry: f.channels, Hub: f.node.hub, LSP: f.lsp, Client: f.client,
		Chain: role.Chain{Backend: backend}, Confirmations: 1, Coins: func(factory.Sat) bool { return !f.coinless },
		Leave: func() { f.leaving.Store(true) }, Tell: func(string) {},
	})
	f.keeper.Attach(func(id transport.NodeID, o peer.InFactory) error {
		o.TemporaryID = derive(f.seed, "temporary "+o.Funding.String()) // channels are opened side by side
		return f.node.OpenInFactory(id, o)
	})
	f.running.Go(func() { f.keeper.Run(ctx.Done()) })
	return nil
}

// settle returns when the node has done what follows from what it heard, also
// where it does so in other threads.
func (f *factorySide) settle() {
	f.mu.Lock()
	keeper, wayout := f.keeper, f.wayout
	f.mu.Unlock()
	if keeper == nil {
		return
	}
	keeper.Settle()
	if f.leaving.Swap(false) {
		_ = wayout.Step(context.Background()) // what fails is tried again after the next block
	}
	_, _ = f.node.hub.Height() // what was posted before is done
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

// shut ends the role; what it has stored is there when it is made again.
func (f *factorySide) shut() {
	if f.stop != nil {
		f.stop()
		f.running.Wait()
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
	f.lsp, f.client, f.keeper, f.wayout, f.stop, f.store = nil, nil, nil, nil, nil, nil
}

func (f *factorySide) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut()
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
	f.err = errors.New("the node is closed")
}

// Hears implements plugin.Ceremonies without waking the role.
func (f *factorySide) Hears(t wire.CeremonyType) bool {
	if f.role == node.LSP {
		return (&lsp.LSP{}).Hears(t)
	}
	return (&client.Client{}).Hears(t)
}

// CheckChannel implements plugin.ChannelTaker.
func (f *factorySide) CheckChannel(from plugin.PeerID, open *wire.OpenChannel) error {
	if taker, ok := f.made().(plugin.ChannelTaker); ok {
		return taker.CheckChannel(from, open)
	}
	return fmt.Errorf("factory instance %x is unknown", open.ChannelInFactory.InstanceID)
}

// ToSelfDelay implements plugin.ChannelTaker.
func (f *factorySide) ToSelfDelay(from plugin.PeerID, open *wire.OpenChannel) uint16 {
	if taker, ok := f.made().(plugin.ChannelTaker); ok {
		return taker.ToSelfDelay(from, open)
	}
	return 0
}

// Receive implements plugin.Ceremonies.
func (f *factorySide) Receive(peer plugin.PeerID, m wire.Ceremony) {
	if r := f.get(); r != nil {
		r.Receive(peer, m)
	}
}

// made returns the role if it was made already.
func (f *factorySide) made() plugin.Ceremonies {
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

// Connected implements plugin.Ceremonies. Of who connected before the role was made an
// LSP hears when it is.
func (f *factorySide) Connected(peer plugin.PeerID) {
	f.mu.Lock()
	if f.online == nil {
		f.online = map[plugin.PeerID]bool{}
	}
	f.online[peer] = true
	f.mu.Unlock()
	if r := f.made(); r != nil {
		r.Connected(peer)
	}
}

// Disconnected implements plugin.Ceremonies.
func (f *factorySide) Disconnected(peer plugin.PeerID) {
	f.mu.Lock()
	delete(f.online, peer)
	f.mu.Unlock()
	if r := f.made(); r != nil {
		r.Disconnected(peer)
	}
}

// Outgoing implements plugin.Ceremonies.
func (f *factorySide) Outgoing(peer plugin.PeerID) []wire.Ceremony {
	if r := f.made(); r != nil {
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
	if !n.away {
		if err := n.hub.Look(context.Background(), backend); err != nil {
			return nil, err
		}
	}
	return watchedChain{Regtest: backend, node: n}, nil
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
	if update {
		return n.order(p, n.factories.lsp.Update)
	}
	return n.order(p, n.factories.lsp.Sell)
}

// Move implements Mover.
func (n *refnodeNode) Move(_ context.Context, id [32]byte, buyer, from uint16, amountSat uint64) error {
	if n.factories.lsp == nil {
		return node.ErrUnsupported
	}
	p := ceremony.Purchase{Factory: id, Buyer: factory.ClientIndex(buyer), Amount: factory.Sat(amountSat), Wider: true, From: factory.ClientIndex(from)}
	return n.order(p, n.factories.lsp.Update)
}

// order starts a change, or goes on with the one that was interrupted.
func (n *refnodeNode) order(p ceremony.Purchase, start func(ceremony.Purchase) (wire.CeremonyID, error)) error {
	id := p.Factory
	_, err := start(p)
	if errors.Is(err, ceremony.ErrInterrupted) { // as an operator would: that first
		_, again := n.factories.lsp.Resume(id)
		err = errors.Join(err, again)
	}
	if err != nil {
		return fmt.Errorf("factory %s: %w", hex.EncodeToString(id[:4]), err)
	}
	return nil
}
