package ceremony

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// ClientConfig is what a client is made of.
type ClientConfig struct {
	Config
	// Accept says whether the wallet wants to take part; nil accepts
	// everything.
	Accept func(*wire.Invite) error
	// Joins keeps the id of an attempt to create a factory, before the invitation is
	// answered. Its error refuses the invitation: ErrJoined for an id that it has kept
	// before (CER-003), ErrTooMany, or that of the disk. Quits may drop the id: the
	// connection is over on which the attempt ended, before the client accepted a
	// proposal. Nil: the Client alone remembers.
	Joins func(id wire.CeremonyID) error
	Quits func(id wire.CeremonyID)
	// Failed hears why the client ended an attempt; nil is silence.
	Failed func(id wire.CeremonyID, f *Failure)
}

// Client is a client's side of the ceremonies with one LSP, one attempt at a
// time.
type Client struct {
	cfg     ClientConfig
	lsp     Peer
	held    map[wire.CeremonyID]*Held
	joined  map[wire.CeremonyID]bool // attempts to create a factory (CER-003)
	unused  []wire.CeremonyID        // those of them whose keys did nothing
	attempt *clientAttempt
}

// NewClient returns a client of the LSP that holds the given factories.
func NewClient(cfg ClientConfig, lsp Peer, held []*Held) *Client {
	c := &Client{cfg: cfg, lsp: lsp, held: map[wire.CeremonyID]*Held{}, joined: map[wire.CeremonyID]bool{}}
	for _, h := range held {
		c.held[h.ID()] = h
	}
	return c
}

// Held returns a factory the client has stored, nil when it has not.
func (c *Client) Held(id wire.CeremonyID) *Held { return c.held[id] }

// Working reports whether the attempt that is going on is about a factory.
func (c *Client) Working(id wire.CeremonyID) bool {
	return c.attempt != nil && c.attempt.factoryID() == id
}

// Forget drops a factory that was never funded. What it stores is its owner's to
// delete before.
func (c *Client) Forget(id wire.CeremonyID) {
	if !c.Working(id) {
		delete(c.held, id)
	}
}

// Factories returns the factories the client has stored, by id.
func (c *Client) Factories() []*Held {
	return slices.SortedFunc(maps.Values(c.held), func(a, b *Held) int {
		x, y := a.ID(), b.ID()
		return bytes.Compare(x[:], y[:])
	})
}

// Busy reports whether an attempt is going on.
func (c *Client) Busy() bool { return c.attempt != nil }

// Deadline is when the attempt ends if the LSP stays silent; ok is false while
// there is none.
func (c *Client) Deadline() (at time.Time, ok bool) {
	if c.attempt == nil {
		return time.Time{}, false
	}
	return c.attempt.deadline, true
}

// clientState is a row of the client's table in section 5.3.
type clientState int

const (
	joined clientState = iota
	proposed
	signing
	stored
)

// clientAttempt is one attempt. Its secret nonces die with it.
type clientAttempt struct {
	id         wire.CeremonyID
	lsp        Peer
	state      clientState
	deadline   time.Time
	invite     *wire.Invite
	factoryKey *musig.SecretKey
	channelKey *btcec.PrivateKey
	payout     [32]byte
	phase      uint8
	signer     *signer
	proposal   *wire.Proposal
	tree       *factory.Tree
	change     *clientChange // nil while a factory is created
	held       bool          // ceremony_stored waits for a channel (CHAN-002)
	expects    bool          // it said which channel it makes an output for
	signed     bool          // it may have given a signature
	// moves are where an update takes the client's channels, none without;
	// aggregates wait for that (CHG-002).
	moves      []ChannelOutput
	aggregates *wire.AggregateNonces
}

// Receive handles a message of the LSP and returns what to answer.
func (c *Client) Receive(now time.Time, m wire.Ceremony) []wire.Ceremony {
	switch m := m.(type) {
	case *wire.Invite:
		return c.invite(now, m)
	case *wire.Abort:
		if c.attempt != nil && c.attempt.id == m.ID() {
			c.end()
		} else if !c.cfg.on(rule.CER005) {
			return c.unknown(m)
		}
		return nil
	}
	if a := c.attempt; a != nil && a.id == m.ID() {
		return c.step(now, a, m)
	}
	switch m.(type) {
	case *wire.Update, *wire.Sale, *wire.Poison:
		return c.startChange(now, m)
	}
	return c.unknown(m)
}

// unknown answers a message of an attempt that is not going on (CER-004).
func (c *Client) unknown(m wire.Ceremony) []wire.Ceremony {
	if !c.cfg.on(rule.CER004) {
		return nil
	}
	return []wire.Ceremony{fail(wire.ReasonUnknownCeremony, rule.CER004, "%s of an attempt that is not going on", m.Name()).abort(m.ID())}
}

// step is one row of the client's table.
func (c *Client) step(now time.Time, a *clientAttempt, m wire.Ceremony) []wire.Ceremony {
	out, err := c.handle(a, m)
	if err != nil {
		return c.refuse(a.id, err)
	}
	if c.attempt != nil {
		c.attempt.deadline = c.patience(now)
	}
	return out
}

func (c *Client) handle(a *clientAttempt, m wire.Ceremony) ([]wire.Ceremony, error) {
	switch m := m.(type) {
	case *wire.Proposal:
		if a.state == joined && a.change == nil && a.invite.Factory == nil {
			return c.proposal(a, m)
		}
	case *wire.Sale:
		if a.state == joined && a.invite != nil && a.invite.Factory != nil {
			return c.beginChange(a, m)
		}
	case *wire.AggregateNonces:
		if (a.state == proposed && a.aggregates == nil || a.state == signing && !c.cfg.on(rule.CER021)) && m.Phase == a.phase {
			return c.aggregate(a, m)
		}
	case *wire.Signatures:
		if a.state == signing && m.Phase == a.phase {
			return c.signatures(a, m)
		}
	case *wire.Funded:
		if a.state == stored && a.change == nil && !a.held {
			c.end()
			return nil, nil
		}
	}
	if !c.cfg.on(rule.CER007) {
		return nil, nil
	}
	return nil, fail(wire.ReasonUnexpected, rule.CER007, "%s is not what this attempt waits for", m.Name())
}

// refuse ends the attempt and says why.
func (c *Client) refuse(id wire.CeremonyID, err error) []wire.Ceremony {
	c.end()
	f := asFailure(err)
	if c.cfg.Failed != nil {
		c.cfg.Failed(id, f)
	}
	return []wire.Ceremony{f.abort(id)}
}

// end forgets the attempt and its nonces, and the channel that it made an output for;
// of one that was refused before there was any it forgets no channel.
func (c *Client) end() {
	if c.attempt != nil {
		c.attempt.signer.forget()
		switch a := c.attempt; {
		case a.change != nil:
			a.change.abandon(a)
		case a.state == stored:
			c.cfg.keepChannels(c.lsp, a.id)
		case a.expects:
			c.cfg.forgetChannels(c.lsp, a.id)
		}
		if a := c.attempt; a.creates() && !a.signed && a.proposal == nil && c.joined[a.id] {
			c.unused = append(c.unused, a.id)
		}
		c.attempt = nil
	}
}

// Disconnected ends the attempt (CER-031).
func (c *Client) Disconnected() {
	if c.cfg.on(rule.CER031) {
		c.end()
		c.quit()
	}
}

// quit drops the ids of attempts whose keys did nothing: neither the channel key, whose
// channel opens with the proposal, nor the factory key.
func (c *Client) quit() {
	for _, id := range c.unused {
		delete(c.joined, id)
		if c.cfg.Quits != nil {
			c.cfg.Quits(id)
		}
	}
	c.unused = nil
}

// Tick ends an attempt whose LSP stayed silent.
func (c *Client) Tick(now time.Time) []wire.Ceremony {
	if c.attempt == nil || now.Before(c.attempt.deadline) {
		return nil
	}
	return c.refuse(c.attempt.id, fail(wire.ReasonDeadline, "", "the LSP was silent"))
}

// patience is how long a client waits: longer than an LSP, which waits for
// others in between (CER-033).
func (c *Client) patience(now time.Time) time.Time {
	if !c.cfg.on(rule.CER033) {
		return now.Add(c.cfg.deadline())
	}
	return now.Add(4 * c.cfg.deadline())
}

// offerNonces starts a phase.
func (c *Client) offerNonces(a *clientAttempt, slots []*factory.Tx) ([]wire.Ceremony, error) {
	signer, err := newSigner(c.cfg.Rand, a.factoryKey, slots)
	if err != nil {
		return nil, err
	}
	a.signer.forget()
	a.signer, a.state = signer, proposed
	return []wire.Ceremony{&wire.Nonces{Attempt: wire.Attempt{Ceremony: a.id}, Phase: a.phase, Nonces: signer.nonces()}}, nil
}

// aggregate records what is to be signed, then signs (PS-010).
func (c *Client) aggregate(a *clientAttempt, m *wire.AggregateNonces) ([]wire.Ceremony, error) {
	aggregates, err := parseAggregates(m.Nonces, len(a.signer.slots))
	if err != nil {
		return nil, unless(c.cfg.Rules, err)
	}
	if c.waitsForMove(a) {
		a.aggregates = m
		return nil, nil
	}
	if a.change != nil {
		if err := a.change.checkChain(c.cfg.Config, a.phase); err != nil {
			return nil, err
		}
	}
	if err := a.signer.open(aggregates); err != nil {
		return nil, fail(wire.ReasonNonces, rule.CER020, "%w", err)
	}
	if a.change != nil && a.change.commits(a.phase) {
		for _, to := range a.moves { // before the record: what it says has begun ends as this change or not at all
			if err := c.cfg.Channels.Begin(to); err != nil {
				return nil, err
			}
		}
		if err := c.begin(a.change); err != nil {
			return nil, err
		}
	}
	a.signed = true
	if err := c.cfg.Store.Sign(a.factoryID(), entries(a.signer.slots)); err != nil {
		return nil, err
	}
	partials, err := a.signer.sign(a.factoryKey)
	if errors.Is(err, musig.ErrNonceUsed) {
		return nil, fail(wire.ReasonUnexpected, rule.CER021, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	a.state = signing
	return []wire.Ceremony{&wire.Partials{Attempt: wire.Attempt{Ceremony: a.id}, Phase: a.phase, Partials: partials}}, nil
}

// creates reports whether an attempt is one to create a factory.
func (a *clientAttempt) creates() bool { return a.invite != nil && a.invite.Factory == nil }

// factoryID names the factory that an attempt creates or changes.
func (a *clientAttempt) factoryID() wire.CeremonyID {
	if a.change != nil {
		return a.change.held.ID()
	}
	return a.id
}
