// Package client is the role of a client: one machine of package ceremony for
// each LSP it is connected to, with disk, chain and clock around it.
//
// It implements plugin.Ceremonies and is safe for concurrent use.
package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/ledger"
	"superscalar/refnode/role"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Config is what a client is made of.
type Config struct {
	Rules    rule.Set
	Bounds   factory.Chain
	Rand     io.Reader
	Derive   role.Derive
	Store    role.Store
	Chain    chain.Interface
	Clock    transport.Clock
	Deadline time.Duration // ceremony.DefaultDeadline when 0
	// ChainTimeout bounds a question to the chain; role.DefaultChainTimeout
	// when 0. The role waits for the answer.
	ChainTimeout time.Duration
	// LSPs are those whose invitations to a new factory the client takes; none
	// is anybody's.
	LSPs []ceremony.Peer
	// Reached reports whether the owner has had the node dial an LSP, which is no
	// stranger then (see joined.go); nil: none.
	Reached func(ceremony.Peer) bool
	// Channels are what the client takes on the outputs that are made; nil: there
	// are none.
	Channels *role.Channels
	// Accept says whether the wallet takes part; nil accepts everything.
	Accept func(*wire.Invite) error
	// Report hears when a message of a ceremony has been handled; nil is
	// silence.
	Report func(peer ceremony.Peer, m wire.Ceremony)
	// Failed hears why the client ended an attempt, and when it starts which
	// factories it set aside, with no LSP; nil is silence. It must not call back
	// into the role.
	Failed func(lsp ceremony.Peer, id wire.CeremonyID, reason error)
}

// Client is the role.
type Client struct {
	cfg Config

	mu       sync.Mutex
	machines map[ceremony.Peer]*ceremony.Client
	leaving  map[wire.CeremonyID]bool // it was told to leave these
	tray     role.Tray
	closed   bool
	pause    *role.Pause // the clock of the machines
	aside    []role.Aside
	// confirmed are the factories whose funding transaction it has seen in a
	// block, as its store says.
	confirmed map[wire.CeremonyID]bool
}

// New opens the factories of the store and returns the role.
func New(cfg Config) (*Client, error) {
	if cfg.Clock == nil {
		cfg.Clock = transport.RealClock{}
	}
	c := &Client{cfg: cfg, pause: &role.Pause{Clock: cfg.Clock}, machines: map[ceremony.Peer]*ceremony.Client{}, leaving: map[wire.CeremonyID]bool{}, confirmed: map[wire.CeremonyID]bool{}, tray: role.Tray{Clock: cfg.Clock}}
	byLSP := map[ceremony.Peer][]*ceremony.Held{}
	_, aside, err := role.Load(cfg.Store, func(id wire.CeremonyID, parts ceremony.Parts) (struct{}, error) {
		lsp, held, err := c.open(id, parts)
		if err == nil {
			byLSP[lsp] = append(byLSP[lsp], held)
		}
		return struct{}{}, err
	})
	if err != nil {
		return nil, err
	}
	c.aside = aside
	for _, a := range aside {
		if cfg.Failed != nil {
			cfg.Failed(ceremony.Peer{}, a.ID, fmt.Errorf("set aside: %w", a.Err))
		}
	}
	if err := c.restoreChannels(byLSP); err != nil {
		return nil, err
	}
	for lsp, held := range byLSP {
		c.machines[lsp] = ceremony.NewClient(c.config(lsp), lsp, held)
	}
	return c, nil
}

// lspPart names the record of whose factory it is.
const lspPart = "lsp"

// open reads one factory.
func (c *Client) open(id wire.CeremonyID, parts ceremony.Parts) (lsp ceremony.Peer, held *ceremony.Held, err error) {
	if len(parts[lspPart]) != len(lsp) {
		return lsp, nil, fmt.Errorf("factory %s: no LSP in its record", id)
	}
	copy(lsp[:], parts[lspPart])
	if len(parts[leavePart]) > 0 {
		c.leaving[id] = true
	}
	if len(parts[confirmedPart]) > 0 {
		c.confirmed[id] = true
	}
	held, err = ceremony.OpenHeld(c.config(lsp).Config, id, parts)
	return lsp, held, err
}

// disk writes whose factory it is with the first record.
type disk struct {
	role.Disk
	lsp ceremony.Peer
}

func (d disk) Sign(id wire.CeremonyID, entries []ledger.Entry) error { return d.Disk.Sign(id, entries) }

func (d disk) Put(id wire.CeremonyID, part string, data []byte) error {
	return d.Store.Update(func(tx *store.Tx) error {
		owner, found, err := tx.FactoryPart([32]byte(id), lspPart)
		if err != nil {
			return err
		}
		if found && !bytes.Equal(owner, d.lsp[:]) {
			return fmt.Errorf("%w: %s", ErrForeignID, id)
		}
		if err := tx.PutFactory([32]byte(id), lspPart, bytes.Clone(d.lsp[:])); err != nil {
			return err
		}
		return tx.PutFactory([32]byte(id), part, data)
	})
}

// ErrForeignID says that a ceremony_id names a factory of another LSP, or one that
// was set aside.
var ErrForeignID = errors.New("this ceremony_id has a factory already")

// ErrNotOurLSP says that a peer invites that the owner did not name.
var ErrNotOurLSP = errors.New("not an LSP of this client")

// accept refuses who is not one of the owner's LSPs, and an id that any factory
// has, whosever it is: its record must not be written over (CER-032).
func (c *Client) accept(lsp ceremony.Peer, m *wire.Invite) error {
	if m.Factory == nil && len(c.cfg.LSPs) > 0 && !slices.Contains(c.cfg.LSPs, lsp) {
		return ErrNotOurLSP
	}
	if c.cfg.Rules.On(rule.CER032) {
		_, found, err := c.cfg.Store.Factory([32]byte(m.ID()))
		if err != nil {
			return err
		}
		if found {
			return ErrForeignID
		}
	}
	if c.cfg.Accept == nil {
		return nil
	}
	return c.cfg.Accept(m)
}

func (c *Client) config(lsp ceremony.Peer) ceremony.ClientConfig {
	backend := role.Chain{Backend: c.cfg.Chain, Timeout: c.cfg.ChainTimeout}
	cfg := ceremony.ClientConfig{
		Config: ceremony.Config{
			Rules: c.cfg.Rules, Chain: c.cfg.Bounds, Rand: c.cfg.Rand, Keys: role.Keys{Derive: c.cfg.Derive, LSP: lsp},
			Store: disk{role.Disk{Store: c.cfg.Store}, lsp}, Deadline: c.cfg.Deadline, Seen: backend.Seen, Tip: backend.Tip,
			Funded: c.funded,
		},
		Accept: func(m *wire.Invite) error { return c.accept(lsp, m) },
		Joins:  func(id wire.CeremonyID) error { return c.joins(lsp, id) },
		Quits:  func(id wire.CeremonyID) { c.quits(lsp, id) },
		Failed: func(id wire.CeremonyID, f *ceremony.Failure) {
			if c.cfg.Failed != nil {
				c.cfg.Failed(lsp, id, f)
			}
		},
	}
	c.pause.Over(&cfg.Config)
	if c.cfg.Channels != nil {
		cfg.Channels = c.cfg.Channels
	}
	return cfg
}

// Attach says how the base node is told that messages wait.
func (c *Client) Attach(wake func(ceremony.Peer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tray.Wake = wake
}

// Close stops the role's timer.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.tray.Alarm(time.Time{}, false, nil)
}

// machine is the side of the ceremonies with one LSP. The caller holds c.mu.
func (c *Client) machine(lsp ceremony.Peer) *ceremony.Client {
	m := c.machines[lsp]
	if m == nil {
		m = ceremony.NewClient(c.config(lsp), lsp, nil)
		c.machines[lsp] = m
	}
	return m
}

// answer puts answers into the tray and sets the alarm. The caller holds c.mu.
func (c *Client) answer(lsp ceremony.Peer, messages []wire.Ceremony) {
	for _, m := range messages {
		c.tray.Put([]ceremony.Out{{To: lsp, Message: m}})
	}
	var due time.Time
	found := false
	for _, m := range c.machines {
		if at, ok := m.Deadline(); ok && (!found || at.Before(due)) {
			due, found = at, true
		}
	}
	c.tray.Alarm(c.pause.Due(due), found && !c.closed, c.tick)
}

func (c *Client) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	for lsp, m := range c.machines {
		c.answer(lsp, m.Tick(c.pause.Now()))
	}
}

// Hears implements plugin.Ceremonies: what LSPs send (section 5.2).
func (c *Client) Hears(t wire.CeremonyType) bool {
	switch t {
	case wire.TypeJoin, wire.TypeNonces, wire.TypePartials, wire.TypeStored:
		return false
	default:
		return true
	}
}

// Receive implements plugin.Ceremonies.
func (c *Client) Receive(lsp ceremony.Peer, m wire.Ceremony) {
	c.mu.Lock()
	c.answer(lsp, c.machine(lsp).Receive(c.pause.Now(), m))
	c.mu.Unlock()
	if c.cfg.Report != nil {
		c.cfg.Report(lsp, m)
	}
}

// Connected implements plugin.Ceremonies.
func (c *Client) Connected(ceremony.Peer) {}

// Disconnected implements plugin.Ceremonies.
func (c *Client) Disconnected(lsp ceremony.Peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.machines[lsp]; m != nil {
		m.Disconnected()
		if !m.Busy() && len(m.Factories()) == 0 {
			delete(c.machines, lsp) // a stranger leaves nothing behind
		}
		c.answer(lsp, nil)
	}
	c.tray.Drop(lsp)
}

// Outgoing implements plugin.Ceremonies.
func (c *Client) Outgoing(lsp ceremony.Peer) []wire.Ceremony {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tray.Take(lsp)
}

// Held returns a factory that the client has stored, nil when it has not.
func (c *Client) Held(lsp ceremony.Peer, id wire.CeremonyID) *ceremony.Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.machines[lsp]; m != nil {
		return m.Held(id)
	}
	return nil
}

// Aside returns the factories whose records cannot be read, by id. It never
// changes.
func (c *Client) Aside() []role.Aside { return c.aside }

// Standing is a factory as it stands at one moment.
type Standing struct {
	LSP   ceremony.Peer
	ID    wire.CeremonyID
	Index factory.ClientIndex // of this client
	Tree  *factory.Tree       // never changes
	// Leaving is true when the client was told to leave.
	Leaving bool
}

// Factories returns the factories that the client has stored, by LSP, then id.
func (c *Client) Factories() []Standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Standing
	for _, lsp := range slices.SortedFunc(maps.Keys(c.machines), comparePeers) {
		for _, h := range c.machines[lsp].Factories() {
			out = append(out, Standing{LSP: lsp, ID: h.ID(), Index: h.Client(), Tree: h.Tree(), Leaving: c.leaving[h.ID()]})
		}
	}
	return out
}

func comparePeers(a, b ceremony.Peer) int { return bytes.Compare(a[:], b[:]) }
