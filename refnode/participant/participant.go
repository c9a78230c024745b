// Package participant puts a node's factory side together: its store and its
// wallet in the data directory, the role of an LSP or a client around them, and
// a watch on the chain.
//
// It promises that a restart finds everything again that was promised to
// anybody, and that a chain that does not answer never ends the node: what needs
// it fails with the reason, and the rest goes on. It hands the base node a
// plugin.Ceremonies and obeys the orders of package control. It implements no
// rule of SPEC.md itself: after each block, and when it starts, role.WayOut
// publishes of every factory what is to be published.
package participant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/client"
	"superscalar/refnode/control"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/lsp"
	"superscalar/refnode/node"
	"superscalar/refnode/plugin"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/wallet"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Confirmations is how many a funding transaction needs before the factory
// counts as usable: one, on a chain for tests (CER-026).
const Confirmations = 1

// DefaultRate is the fee rate of funding transactions.
var DefaultRate = wallet.SatPerVByte(5)

// Config is what a participant is made of. All but Birthday, Rate, Fees, Retry,
// LSPs and Tell is required.
type Config struct {
	Role   node.Role
	Path   string      // data directory, locked by its owner; holds the store
	Derive role.Derive // datadir.Dir.DeriveKey
	// NodeKey signs invoices and reads onions; nil: the node has no channels.
	NodeKey *btcec.PrivateKey
	Rand    io.Reader // safe for concurrent use
	Chain   chain.Interface
	// Birthday is a block before the first coin of the wallet, where it counts
	// only when the store is new, and before every factory in the store.
	Birthday chain.BlockID
	Rate     wallet.FeeRate // DefaultRate when 0
	// Fees bound what the way out pays, exit.DefaultFees when zero; Retry is how
	// long it waits after the chain failed, role's default when 0.
	Fees  exit.Fees
	Retry time.Duration
	// ZeroFee has an LSP open channels with zero_fee_commitments where the client
	// offers them, instead of anchors (SPEC.md 3.7).
	ZeroFee bool
	// LSPs are those whose invitations a client takes; none is anybody's.
	LSPs []ceremony.Peer
	// Tell hears what happens, one line each; nil is silence. It must not call
	// back.
	Tell func(string)
}

// Participant is a running factory side.
type Participant struct {
	cfg    Config
	store  *store.Store
	wallet *wallet.Wallet
	lsp    *lsp.LSP       // of an LSP
	client *client.Client // of a client
	wayout *role.WayOut
	hub    *hub.Hub // nil without a node key
	// channels are those of the factories, leaves keeps them; nil without a node key.
	channels *role.Channels
	leaves   *leaves.Keeper

	stop context.CancelFunc
	wg   sync.WaitGroup

	known reached
	// answered is true when the chain told its tip as the channels were opened.
	answered bool

	mu     sync.Mutex
	heard  []control.CeremonyStatus
	silent string // why the chain did not answer last time
}

// Open reads the store of a data directory, making it when there is none, and
// starts the role. Errors are those of package store, of a saved wallet that
// cannot be read, of factories in the store that do not check out, and
// ErrBirthday.
func Open(cfg Config) (p *Participant, err error) {
	cfg.Rate = cmp.Or(cfg.Rate, DefaultRate)
	if cfg.Tell == nil {
		cfg.Tell = func(string) {}
	}
	p = &Participant{cfg: cfg}
	if p.store, err = store.Open(cfg.Path); err != nil {
		return nil, err
	}
	for _, open := range []func() error{p.readReached, p.open, p.checkBirthday, p.openWayOut, p.openChannels} {
		if err = open(); err != nil {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	if p.hub != nil && p.answered {
		p.noteSilence(p.look(ctx)) // until then channels in factories carry nothing: no peer is heard before
	}
	p.wg.Go(func() { p.watch(ctx) })
	p.wg.Go(func() { p.wayout.Run(ctx) })
	if p.leaves != nil {
		p.wg.Go(func() { p.leaves.Run(ctx.Done()) })
	}
	return p, nil
}

func (p *Participant) open() (err error) {
	if p.wallet, err = p.openWallet(); err != nil {
		return err
	}
	if p.cfg.NodeKey != nil {
		p.channels = role.NewChannels(leaves.Protocol, rule.Set{})
	}
	if p.cfg.Role == node.LSP {
		p.lsp, err = lsp.New(lsp.Config{
			Bounds: factory.Other, Rand: p.cfg.Rand, Derive: p.cfg.Derive, Store: p.store, Chain: p.cfg.Chain, Report: p.report,
			Wallet:   &role.Purse{Wallet: p.wallet, Chain: role.Chain{Backend: p.cfg.Chain, Timeout: askTimeout}, Rate: p.cfg.Rate},
			Channels: p.channels, ChainTimeout: askTimeout,
		})
		return err
	}
	p.client, err = client.New(client.Config{
		Bounds: factory.Other, Rand: p.cfg.Rand, Derive: p.cfg.Derive, Store: p.store, Chain: p.cfg.Chain,
		LSPs: p.cfg.LSPs, Reached: p.Reached, Report: p.received, Failed: p.failed, Channels: p.channels, ChainTimeout: askTimeout,
	})
	return err
}

// The records of the wallet in the store.
const (
	walletBucket = "wallet"
	walletState  = "state"
	walletScript = "receive"
)

func (p *Participant) openWallet() (*wallet.Wallet, error) {
	saved, _, err := p.store.Get(walletBucket, walletState)
	if err != nil {
		return nil, err
	}
	w, err := wallet.New(wallet.Options{
		Keys:     func(i uint32) (*btcec.PrivateKey, error) { return p.cfg.Derive("wallet", i) },
		Birthday: p.cfg.Birthday, Saved: saved,
		Save: func(state []byte) error { return p.store.Put(walletBucket, walletState, state) },
	})
	if err != nil {
		return nil, fmt.Errorf("the wallet in %s: %w", p.cfg.Path, err)
	}
	return w, nil
}

// Ceremonies is what the base node hands messages to.
func (p *Participant) Ceremonies() plugin.Ceremonies {
	if p.lsp != nil {
		return p.lsp
	}
	return p.client
}

// Attach says how the base node is told that messages wait.
func (p *Participant) Attach(wake func(ceremony.Peer)) {
	if p.lsp != nil {
		p.lsp.Attach(wake)
	} else {
		p.client.Attach(wake)
	}
	if p.hub != nil {
		p.hub.Attach(wake)
	}
}

// Close stops everything and closes the store. The base node is stopped before,
// the chain after it. Closing again does nothing.
func (p *Participant) Close() error {
	p.stop()
	p.wg.Wait()
	if p.hub != nil {
		p.hub.Close()
	}
	if p.lsp != nil {
		p.lsp.Close()
	} else {
		p.client.Close()
	}
	return p.store.Close()
}

// Times of the watch.
const (
	lookTimeout = 30 * time.Second // for one look at the chain
	lookAgain   = 5 * time.Second  // after a look that failed
	askTimeout  = 5 * time.Second  // for a question of a ceremony, which waits for the answer
)

// watch looks at the chain whenever it changes.
func (p *Participant) watch(ctx context.Context) {
	for {
		changed := p.cfg.Chain.Changed()
		err := p.look(ctx)
		if errors.Is(err, chain.ErrClosed) || ctx.Err() != nil {
			return
		}
		var retry <-chan time.Time
		if p.noteSilence(err) {
			retry = time.After(lookAgain)
		}
		select {
		case <-changed:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// look brings the wallet up to date and hands out funding transactions that the
// network lacks.
func (p *Participant) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := p.wallet.Sync(ctx, p.cfg.Chain)
	if err != nil {
		return err
	}
	if p.hub != nil {
		err = errors.Join(p.hub.Look(ctx, p.cfg.Chain), p.leaves.Check())
	}
	if p.lsp != nil {
		return errors.Join(err, p.lsp.CheckFunding())
	}
	return errors.Join(err, p.client.CheckFunding())
}

// noteSilence remembers whether the chain answers, and tells when that changes.
func (p *Participant) noteSilence(err error) (silent bool) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	p.mu.Lock()
	before := p.silent
	p.silent = text
	p.mu.Unlock()
	switch {
	case text != "" && before == "":
		p.cfg.Tell("chain: " + text)
	case text == "" && before != "":
		p.cfg.Tell("chain: it answers again")
	}
	return text != ""
}

// keepHeard is how many ceremonies status tells of.
const keepHeard = 16

// note keeps what was heard last of a ceremony.
func (p *Participant) note(id wire.CeremonyID, event, text string) {
	entry := control.CeremonyStatus{CeremonyID: id.String(), Event: event, Text: text}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.heard {
		if p.heard[i].CeremonyID == entry.CeremonyID {
			p.heard = append(p.heard[:i], p.heard[i+1:]...)
			break
		}
	}
	p.heard = append(p.heard, entry)
	p.heard = p.heard[max(0, len(p.heard)-keepHeard):]
}

// report hears the LSP's ceremonies.
func (p *Participant) report(e ceremony.Event) {
	p.note(e.Ceremony, string(e.Kind), e.Text)
	line := fmt.Sprintf("ceremony %.8s: %s", e.Ceremony, e.Kind)
	if e.Clients > 0 {
		line += fmt.Sprintf(", %d clients", e.Clients)
	}
	if e.Peer != (ceremony.Peer{}) {
		line += fmt.Sprintf(", client %.8s", e.Peer)
	}
	if e.Text != "" {
		line += ": " + e.Text
	}
	p.cfg.Tell(line)
}

// received hears what the client handled.
func (p *Participant) received(_ ceremony.Peer, m wire.Ceremony) {
	switch m := m.(type) {
	case *wire.Abort:
		p.hear(m.ID(), "failed", m.Reason.String()+": "+printable(m.Text))
	case *wire.Invite:
		p.hear(m.ID(), "invited", "")
	case *wire.Proposal, *wire.Update, *wire.Sale, *wire.Poison:
		p.hear(m.ID(), "proposed", "")
	case *wire.Funded:
		p.hear(m.ID(), "funded", "")
	}
}

// failed hears why the client ended an attempt.
func (p *Participant) failed(_ ceremony.Peer, id wire.CeremonyID, reason error) {
	p.hear(id, "failed", reason.Error())
}

func (p *Participant) hear(id wire.CeremonyID, event, text string) {
	p.note(id, event, text)
	line := fmt.Sprintf("ceremony %.8s: %s", id, event)
	if text != "" {
		line += ": " + text
	}
	p.cfg.Tell(line)
}
