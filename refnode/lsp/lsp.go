// Package lsp is the role of the Lightning Service Provider: it turns messages,
// time and its operator's orders into calls on package ceremony's machine and
// what comes out into messages, disk writes and broadcasts.
//
// It implements plugin.Ceremonies and is safe for concurrent use.
package lsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/chain"
	"superscalar/refnode/factory"
	"superscalar/refnode/role"
	"superscalar/refnode/transport"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Config is what an LSP is made of.
type Config struct {
	Rules    rule.Set
	Bounds   factory.Chain
	Rand     io.Reader
	Derive   role.Derive
	Store    role.Store
	Chain    chain.Interface
	Wallet   ceremony.Funder
	Clock    transport.Clock
	Deadline time.Duration // ceremony.DefaultDeadline when 0
	// ChainTimeout bounds a question to the chain; role.DefaultChainTimeout
	// when 0. The role waits for the answer.
	ChainTimeout time.Duration
	Report       func(ceremony.Event)
	// Channels opens channels on the outputs that are made; nil: there are none.
	Channels *role.Channels
}

// LSP is the role.
type LSP struct {
	cfg Config

	mu      sync.Mutex
	machine *ceremony.LSP
	aside   []role.Aside
	tray    role.Tray
	online  map[ceremony.Peer]bool
	joined  chan struct{} // closed and replaced when a client connects
	closed  bool
	pause   *role.Pause // the clock of the machine
	// paths are the clients whose paths are published, by factory.
	paths map[wire.CeremonyID][]factory.ClientIndex
}

// New opens the factories of the store and returns the role. It looks after their
// funding transactions (CheckFunding); coins of attempts that ended with the
// process are free again. A silent chain does not keep it from starting.
func New(cfg Config) (*LSP, error) {
	if cfg.Clock == nil {
		cfg.Clock = transport.RealClock{}
	}
	l := &LSP{cfg: cfg, pause: &role.Pause{Clock: cfg.Clock}, online: map[ceremony.Peer]bool{}, joined: make(chan struct{}), tray: role.Tray{Clock: cfg.Clock}, paths: map[wire.CeremonyID][]factory.ClientIndex{}}
	machine := l.config()
	factories, aside, err := role.Load(cfg.Store, func(id wire.CeremonyID, parts ceremony.Parts) (*ceremony.Factory, error) {
		l.paths[id] = readPaths(parts[pathsPart])
		return ceremony.OpenFactory(machine.Config, id, parts)
	})
	if err != nil {
		return nil, err
	}
	l.machine, l.aside = ceremony.NewLSP(machine, factories), aside
	for _, a := range aside {
		l.tell(ceremony.Event{Ceremony: a.ID, Kind: ceremony.EventFailed, Text: "set aside: " + a.Err.Error()})
	}
	if err := l.settle(); err != nil {
		return nil, err
	}
	if err := l.restoreChannels(); err != nil {
		return nil, err
	}
	for _, err := range []error{l.clear(), l.CheckFunding()} {
		if err != nil {
			l.tell(ceremony.Event{Kind: ceremony.EventFailed, Text: err.Error()})
		}
	}
	return l, nil
}

func (l *LSP) tell(e ceremony.Event) {
	if l.cfg.Report != nil {
		l.cfg.Report(e)
	}
}

// Aside returns the factories whose records cannot be read, by id. It never
// changes.
func (l *LSP) Aside() []role.Aside { return l.aside }

func (l *LSP) config() ceremony.LSPConfig {
	backend := role.Chain{Backend: l.cfg.Chain, Timeout: l.cfg.ChainTimeout}
	cfg := ceremony.LSPConfig{
		Config: ceremony.Config{
			Rules: l.cfg.Rules, Chain: l.cfg.Bounds, Rand: l.cfg.Rand, Keys: role.Keys{Derive: l.cfg.Derive},
			Store: role.Disk{Store: l.cfg.Store}, Deadline: l.cfg.Deadline, Seen: backend.Seen, Tip: backend.Tip,
			Funded: func(_ wire.CeremonyID, t *factory.Tree) error { return backend.Funded(t, l.cfg.Rules, 1) },
		},
		Funder: l.pause.Funder(l.cfg.Wallet), Report: l.cfg.Report,
		Online: func(p ceremony.Peer) bool { return l.online[p] }, // with l.mu held, as everything of the machine
	}
	l.pause.Over(&cfg.Config)
	if l.cfg.Channels != nil {
		cfg.Channels = l.cfg.Channels
	}
	return cfg
}

// Attach says how the base node is told that messages wait.
func (l *LSP) Attach(wake func(ceremony.Peer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tray.Wake = wake
}

// Close stops the role's timer.
func (l *LSP) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.tray.Alarm(time.Time{}, false, nil)
}

// out puts messages into the tray and sets the alarm. The caller holds l.mu.
func (l *LSP) out(messages []ceremony.Out) {
	l.tray.Put(messages)
	if freed := l.machine.Freed(); len(freed) > 0 {
		l.goOn(freed...)
	}
	at, ok := l.machine.Deadline()
	l.tray.Alarm(l.pause.Due(at), ok && !l.closed, l.tick)
}

func (l *LSP) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.out(l.machine.Tick(l.pause.Now()))
	}
}

// Hears implements plugin.Ceremonies: what clients send (section 5.2).
func (l *LSP) Hears(t wire.CeremonyType) bool {
	switch t {
	case wire.TypeJoin, wire.TypeNonces, wire.TypePartials, wire.TypeStored, wire.TypeAbort:
		return true
	default:
		return false
	}
}

// Receive implements plugin.Ceremonies.
func (l *LSP) Receive(peer ceremony.Peer, m wire.Ceremony) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out(l.machine.Receive(l.pause.Now(), peer, m))
}

// Connected implements plugin.Ceremonies.
func (l *LSP) Connected(peer ceremony.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.online[peer] = true
	l.tray.Drop(peer) // what waits is of attempts that went on without it
	close(l.joined)
	l.joined = make(chan struct{})
	l.goOn(peer)
}

// goOn goes on with what was interrupted in the factories of clients that have come
// back, or that something else does not keep busy any more, where everybody whom it
// concerns is there. Whoever refuses is asked again when somebody connects. The
// caller holds l.mu.
func (l *LSP) goOn(peers ...ceremony.Peer) {
	for _, f := range l.machine.Factories() {
		member := slices.ContainsFunc(f.Members, func(m ceremony.FactoryMember) bool { return slices.Contains(peers, m.Peer) })
		if !member || f.Interrupted() == "" {
			continue
		}
		_, out, err := l.machine.ResumeWith(l.pause.Now(), f.ID(), func(p ceremony.Peer) bool { return l.online[p] })
		l.out(out)
		waits := errors.Is(err, ceremony.ErrNothingInterrupted) || errors.Is(err, ceremony.ErrBusy) || errors.Is(err, ceremony.ErrAnswerDue)
		if err != nil && !waits {
			l.tell(ceremony.Event{Ceremony: f.ID(), Kind: ceremony.EventFailed, Text: "going on with " + f.Interrupted() + ": " + err.Error()})
		}
	}
}

// Disconnected implements plugin.Ceremonies.
func (l *LSP) Disconnected(peer ceremony.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.online, peer)
	l.out(l.machine.Disconnected(l.pause.Now(), peer))
	l.tray.Drop(peer)
}

// Outgoing implements plugin.Ceremonies.
func (l *LSP) Outgoing(peer ceremony.Peer) []wire.Ceremony {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tray.Take(peer)
}

// Await returns when a client is connected and speaks the protocol.
func (l *LSP) Await(ctx context.Context, peer ceremony.Peer) error {
	for {
		l.mu.Lock()
		online, changed := l.online[peer], l.joined
		l.mu.Unlock()
		if online {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for client %s: %w", peer, ctx.Err())
		}
	}
}

// Create starts a factory.
func (l *LSP) Create(order ceremony.Order) (wire.CeremonyID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, out, err := l.machine.Create(l.pause.Now(), order)
	l.out(out)
	return id, err
}

// Update moves stock into a client's channel by replacing a state.
func (l *LSP) Update(p ceremony.Purchase) (wire.CeremonyID, error) {
	return l.change(func(now time.Time) (wire.CeremonyID, []ceremony.Out, error) { return l.machine.Update(now, p) })
}

// Sell sells from the stock of a client's group.
func (l *LSP) Sell(p ceremony.Purchase) (wire.CeremonyID, error) {
	return l.change(func(now time.Time) (wire.CeremonyID, []ceremony.Out, error) { return l.machine.Sell(now, p) })
}

func (l *LSP) change(start func(time.Time) (wire.CeremonyID, []ceremony.Out, error)) (wire.CeremonyID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, out, err := start(l.pause.Now())
	l.out(out)
	return id, err
}

// Resume goes on with the change of a factory that was interrupted last:
// ceremony.LSP.Resume.
func (l *LSP) Resume(id wire.CeremonyID) (wire.CeremonyID, error) {
	return l.change(func(now time.Time) (wire.CeremonyID, []ceremony.Out, error) { return l.machine.Resume(now, id) })
}

// Standing is a factory as it stands at one moment.
type Standing struct {
	ID          wire.CeremonyID
	Members     []ceremony.FactoryMember // in client order; never changes
	Tree        *factory.Tree            // never changes
	Interrupted string                   // the change to complete first, empty when there is none
	Paths       []factory.ClientIndex    // of the clients whose paths are published (LeaveFor)
}

// Factories returns the factories that were paid for, by id.
func (l *LSP) Factories() []Standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Standing
	for _, f := range l.machine.Factories() {
		out = append(out, Standing{ID: f.ID(), Members: f.Members, Tree: f.Tree(), Interrupted: f.Interrupted(), Paths: slices.Clone(l.paths[f.ID()])})
	}
	return out
}

// Factory returns a factory by its id, nil when there is none. What it returns
// must not be used while a change of it is going on.
func (l *LSP) Factory(id wire.CeremonyID) *ceremony.Factory {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.machine.Factory(id)
}
