package storm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/channel"
	"superscalar/refnode/client"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/lsp"
	"superscalar/refnode/node"
	"superscalar/refnode/payment"
	"superscalar/refnode/peer"
	"superscalar/refnode/plugin"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// world is a chain, an LSP and its clients, each with a store of its own.
type world struct {
	t     testing.TB
	dir   string
	seed  uint64
	chain *embedded.Chain
	clock *transport.ManualClock
	options
	lsp     *party
	clients []*party
	handled func(*party, wire.Message) // hears what a party has handled; nil: nobody does
	doubles []*party                   // other nodes of a thief
	links   []*link                    // by client; none with sockets
	log     []string
}

func (w *world) all() []*party { return append([]*party{w.lsp}, w.clients...) }

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// party is a participant: what survives the end of its process, and the process.
type party struct {
	w     *world
	name  string
	dir   string
	key   *btcec.PrivateKey
	runs  int
	index int    // of a client, -1: the LSP
	purse string // names the coins
	rules rule.Set
	thief bool  // it has no peers any more, or is another node of such a one
	past  *past // of a thief

	disk     disk
	wallet   *wallet.Wallet
	registry *role.Channels
	lsp      *lsp.LSP       // nil at a client
	client   *client.Client // nil at the LSP
	hub      *hub.Hub       // nil: the process has ended
	leaves   *leaves.Keeper
	wayout   *role.WayOut
	plugin   *plugin.SuperScalar
	node     *node.Node // with sockets
	done     chan struct{}
	keeping  sync.WaitGroup

	mu      sync.Mutex
	trouble *fault
	opens   []opening
	told    []string
	traffic []string            // over sockets
	signed  map[string][]byte   // commitment_signed by channel, output and number
	spends  map[string][32]byte // what the factory's signatures are for
}

// opening is a channel that is to be opened.
type opening struct {
	to transport.NodeID
	o  peer.InFactory
}

func (w *world) party(name string, index int) *party {
	p := &party{w: w, name: name, dir: filepath.Join(w.dir, name), index: index, purse: "wallet", rules: w.rules, signed: map[string][]byte{}, spends: map[string][32]byte{}}
	p.key, _ = p.derive("node", 0)
	return p
}

func (p *party) id() wire.Point { return wire.Point(p.key.PubKey().SerializeCompressed()) }

func (p *party) isLSP() bool { return p.index < 0 }

func (p *party) derive(label string, index uint32) (*btcec.PrivateKey, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s/%s/%d", p.w.seed, p.name, label, index))
	key, _ := btcec.PrivKeyFromBytes(sum[:])
	return key, nil
}

func (p *party) rand(use string) io.Reader {
	return &source{r: rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d/%s/%s/%d", p.w.seed, p.name, use, p.runs)))}
}

// source is a seeded source that goroutines may share.
type source struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (s *source) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(b)
}

func (p *party) tell(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, line)
}

func (p *party) fault() *fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble
}

func (p *party) set(f *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = f
}

// start begins a process on what the disk holds. It fails where a fault strikes
// while it begins.
func (p *party) start() error {
	p.runs++
	s, err := store.OpenWith(p.dir, store.Options{Random: p.rand("store")})
	if err != nil {
		return err
	}
	p.disk, p.opens, p.done = disk{s, p}, nil, make(chan struct{})
	for _, open := range []func() error{p.openWallet, p.openRole, p.openHub, p.openNode} {
		if err := open(); err != nil {
			p.stop()
			return err
		}
	}
	_ = p.leaves.Check() // a node looks at once; one that cannot looks again with the next block
	return nil
}

func (p *party) openWallet() error {
	saved, _, err := p.disk.Get("wallet", p.purse)
	if err != nil {
		return err
	}
	p.wallet, err = wallet.New(wallet.Options{
		Keys: func(i uint32) (*btcec.PrivateKey, error) { return p.derive(p.purse, i) }, Saved: saved,
		Save: func(state []byte) error { return p.disk.Put("wallet", p.purse, state) },
	})
	return err
}

func (p *party) backend() role.Chain { return role.Chain{Backend: p.w.chain, Timeout: time.Minute} }

func (p *party) openRole() (err error) {
	p.registry = role.NewChannels(leaves.Protocol, p.rules)
	var exits func() ([]role.Exit, error)
	var ceremonies plugin.Ceremonies
	if p.isLSP() {
		p.lsp, err = lsp.New(lsp.Config{
			Bounds: factory.Other, Rand: p.rand("role"), Derive: p.derive, Store: p.disk, Chain: p.w.chain, Clock: p.w.clock, ChainTimeout: time.Minute,
			Wallet: &role.Purse{Wallet: p.wallet, Chain: p.backend(), Rate: wallet.SatPerVByte(5)}, Channels: p.registry,
			Report: func(e ceremony.Event) { p.tell(fmt.Sprint(e.Kind, ": ", e.Text)) },
		})
		if err == nil {
			exits, ceremonies = p.lsp.Exits, p.lsp
		}
	} else {
		p.client, err = client.New(client.Config{
			Bounds: factory.Other, Rand: p.rand("role"), Derive: p.derive, Store: p.disk, Chain: p.w.chain, Clock: p.w.clock, ChainTimeout: time.Minute,
			Channels: p.registry, Failed: func(_ ceremony.Peer, _ wire.CeremonyID, reason error) { p.tell(reason.Error()) },
		})
		if err == nil {
			exits, ceremonies = p.client.Exits, p.client
		}
	}
	if err != nil {
		return err
	}
	p.plugin = plugin.NewSuperScalar(wire.Codec{}, ceremonies)
	p.wayout, err = role.NewWayOut(role.WayOutConfig{Exits: exits, Rules: p.rules, Chain: p.w.chain, Wallet: p.wallet, Timeout: time.Minute, Tell: p.tell})
	return err
}

func (p *party) openHub() error {
	tip, err := p.w.chain.Tip(context.Background())
	if err != nil {
		return err
	}
	p.hub, err = hub.Open(hub.Config{
		Rules: p.rules,
		Store: p.disk, Key: p.key, Net: &chaincfg.RegressionNetParams, Rand: p.rand("hub"), Forward: p.isLSP(), Clock: p.w.clock,
		Derive: func(label string) (*btcec.PrivateKey, error) { return p.derive(label, 0) },
		Coins:  p.wallet, Factories: map[wire.ProtocolID]hub.Factory{leaves.Protocol: p.registry},
	}, payment.Height(tip.Height))
	if err != nil {
		return err
	}
	p.leaves = leaves.New(leaves.Config{
		Registry: p.registry, Hub: p.hub, LSP: p.lsp, Client: p.client, Chain: p.backend(), Confirmations: 1,
		Rules: p.rules, ZeroFee: p.w.zeroFee,
		Coins: func(enough factory.Sat) bool { return p.wallet.Balance().Available >= enough }, Leave: p.wayout.Wake, Tell: p.tell,
	})
	return nil
}

// openNode is the last step with sockets: the node listens. Without them, messages and
// orders are carried by the world.
func (p *party) openNode() (err error) {
	if !p.w.sockets {
		p.leaves.Attach(func(to transport.NodeID, o peer.InFactory) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.opens = append(p.opens, opening{to, o})
			return nil
		})
		return nil
	}
	kind := node.Client
	ceremonies := plugin.Ceremonies(p.client)
	if p.isLSP() {
		kind, ceremonies = node.LSP, p.lsp
	}
	p.node, err = node.Start(node.Config{
		Role: kind, Key: p.key, Listen: "127.0.0.1:0", Rand: p.rand("node"), Ceremonies: ceremonies, Channels: p.hub, Tamper: p.tamper,
		Derive: func(label string) (*btcec.PrivateKey, error) { return p.derive(label, 0) },
	})
	if err != nil {
		return err
	}
	wake := func(to ceremony.Peer) { p.node.Wake(transport.NodeID(to)) }
	p.attach(wake)
	p.hub.Attach(wake)
	p.leaves.Attach(p.node.OpenInFactory)
	p.keeping.Go(func() { p.leaves.Run(p.done) })
	return nil
}

func (p *party) attach(wake func(ceremony.Peer)) {
	if p.isLSP() {
		p.lsp.Attach(wake)
	} else {
		p.client.Attach(wake)
	}
}

// stop ends the process. What is not stored is gone.
func (p *party) stop() {
	if p.done == nil {
		return
	}
	if p.node != nil {
		_ = p.node.Close()
	}
	close(p.done)
	p.keeping.Wait()
	if p.hub != nil {
		p.hub.Close()
	}
	if p.lsp != nil {
		p.lsp.Close()
	}
	if p.client != nil {
		p.client.Close()
	}
	_ = p.disk.Close()
	p.hub, p.lsp, p.client, p.node, p.leaves, p.wayout, p.done = nil, nil, nil, nil, nil, nil, nil
}

// signs remembers what was signed for a commitment of the peer. A number on an output is
// signed once, and again only as it was.
func (p *party) signs(m *wire.CommitmentSigned) {
	number := ""
	err := p.hub.Do(m.ChannelID, func(c *channel.Machine) error {
		txid := c.Fundings[0].Txid
		if m.FundingTxid != nil {
			txid = *m.FundingTxid
		}
		number = fmt.Sprint(m.ChannelID, txid, c.SignedNumber)
		return nil
	})
	if err != nil {
		return // the hub is stopped: nothing leaves
	}
	raw, err := wire.Codec{}.Encode(m)
	if err != nil {
		p.w.t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if before, again := p.signed[number]; again && !bytes.Equal(before, raw) {
		p.w.t.Errorf("%s signed commitment %s twice: %q", p.name, number, p.told)
	}
	p.signed[number] = raw
}

// state is a copy of what a channel machine holds.
func (p *party) state(id wire.ChannelID) (s *channel.State) {
	_ = p.hub.Do(id, func(m *channel.Machine) (err error) {
		s, err = channel.DecodeState(m.Encode())
		return err
	})
	return s
}

// temporary draws an id for a channel.
func temporary(r io.Reader) func() (wire.ChannelID, error) {
	return func() (id wire.ChannelID, err error) {
		_, err = io.ReadFull(r, id[:])
		return id, err
	}
}
