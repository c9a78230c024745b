package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/client"
	"superscalar/refnode/datadir"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
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

// PartyOptions shape a party. Everything but Deadline, Report and Heard is
// required.
type PartyOptions struct {
	Name     string
	Role     node.Role
	Dir      string // data directory, made when missing
	Seed     uint64
	Chain    chain.Interface
	Deadline time.Duration
	Report   func(ceremony.Event)  // hears of an LSP's ceremonies
	Heard    func(m wire.Ceremony) // hears what a client was sent, after it was handled
	Channels bool                  // it has channels
}

// Party is a node with everything it keeps.
type Party struct {
	Name   string
	Node   *node.Node
	Store  *store.Store
	Wallet *wallet.Wallet
	LSP    *lsp.LSP       // of the LSP
	Client *client.Client // of a client
	Hub    *hub.Hub       // nil without channels

	dir      *datadir.Dir
	channels *role.Channels
	leaves   *leaves.Keeper
	done     chan struct{}
	keeping  sync.WaitGroup
	gone     sync.Once
	left     error // of gone
}

// ID is the party's node id.
func (p *Party) ID() ceremony.Peer { return ceremony.Peer(p.Node.Address().ID) }

// StartParty runs a party: it listens, and is connected to nobody.
func StartParty(o PartyOptions) (p *Party, err error) {
	p = &Party{Name: o.Name}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", o.Name, err), p.Close())
		}
	}()
	seed := seedOf(o.Seed, o.Name)
	if p.dir, err = datadir.Open(o.Dir, string(o.Role), datadir.Options{Random: seeded(seed, "identity")}); err != nil {
		return p, err
	}
	if p.Store, err = store.OpenWith(o.Dir, store.Options{Random: seeded(seed, "store")}); err != nil {
		return p, err
	}
	if p.Wallet, err = wallet.New(wallet.Options{Keys: func(i uint32) (*btcec.PrivateKey, error) { return p.dir.DeriveKey("wallet", i) }}); err != nil {
		return p, err
	}
	if o.Channels {
		p.channels = role.NewChannels(leaves.Protocol, rule.Set{})
	}
	ceremonies, err := p.role(o, seed)
	if err != nil {
		return p, err
	}
	if err = p.openChannels(o, seed); err != nil {
		return p, err
	}
	cfg := node.Config{
		Role: o.Role, Key: p.dir.NodeKey(), Listen: "127.0.0.1:0", Rand: seeded(seed, "node"), Ceremonies: ceremonies,
		Derive: func(label string) (*btcec.PrivateKey, error) {
			sum := sha256.Sum256([]byte(label))
			return p.dir.DeriveKey(fmt.Sprintf("node/%x", sum[:20]), 0)
		},
	}
	if p.Hub != nil {
		cfg.Channels = p.Hub
	}
	if p.Node, err = node.Start(cfg); err != nil {
		return p, err
	}
	wake := func(peer ceremony.Peer) { p.Node.Wake(transport.NodeID(peer)) }
	if p.LSP != nil {
		p.LSP.Attach(wake)
	} else {
		p.Client.Attach(wake)
	}
	if p.Hub != nil {
		p.Hub.Attach(wake)
		p.leaves.Attach(p.Node.OpenInFactory)
	}
	return p, nil
}

// role makes the party's factory side.
func (p *Party) role(o PartyOptions, seed uint64) (plugin.Ceremonies, error) {
	var err error
	if o.Role == node.LSP {
		p.LSP, err = lsp.New(lsp.Config{
			Bounds: factory.Other, Rand: seeded(seed, "lsp"), Derive: p.dir.DeriveKey, Store: p.Store, Chain: o.Chain,
			Wallet:   &role.Purse{Wallet: p.Wallet, Chain: role.Chain{Backend: o.Chain}, Rate: wallet.SatPerVByte(5)},
			Deadline: o.Deadline, Report: o.Report, Channels: p.channels,
		})
		return p.LSP, err
	}
	cfg := client.Config{
		Bounds: factory.Other, Rand: seeded(seed, "client"), Derive: p.dir.DeriveKey, Store: p.Store, Chain: o.Chain, Deadline: o.Deadline,
		Channels: p.channels,
	}
	if o.Heard != nil {
		cfg.Report = func(_ ceremony.Peer, m wire.Ceremony) { o.Heard(m) }
	}
	p.Client, err = client.New(cfg)
	return p.Client, err
}

// Vanish ends the connections of the party, for good. It can be asked still what it
// has.
func (p *Party) Vanish() error {
	p.gone.Do(func() { p.left = p.Node.Close() })
	return p.left
}

// Close stops the party.
func (p *Party) Close() error {
	var errs []error
	if p.Node != nil {
		errs = append(errs, p.Vanish())
	}
	if p.Hub != nil {
		close(p.done)
		p.keeping.Wait()
		p.Hub.Close()
	}
	if p.LSP != nil {
		p.LSP.Close()
	}
	if p.Client != nil {
		p.Client.Close()
	}
	if p.Store != nil {
		errs = append(errs, p.Store.Close())
	}
	if p.dir != nil {
		errs = append(errs, p.dir.Close())
	}
	return errors.Join(errs...)
}

// seedOf gives each party a seed of its own.
func seedOf(seed uint64, name string) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "lab/%d/%s", seed, name))
	return binary.BigEndian.Uint64(sum[:])
}

// seeded is a reproducible source of randomness for one use. It is locked:
// several connections draw from it.
func seeded(seed uint64, use string) io.Reader {
	key := sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, use))
	return &locked{r: rand.NewChaCha8(key)}
}

type locked struct {
	mu sync.Mutex
	r  io.Reader
}

func (l *locked) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(p)
}
