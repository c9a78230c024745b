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
	// Failed hears why the client ended an attempt; nil is silence.
	Failed func(id wire.CeremonyID, f *Failure)
}

// Client is a client's side of the ceremonies with one LSP, one attempt at a
// time.
type Client struct {
	cfg     ClientConfig
	lsp     Peer
	held    map[wire.CeremonyID]*Held
	attempt *clientAttempt
}

// NewClient returns a client of the LSP that holds the given factories.
func NewClient(cfg ClientConfig, lsp Peer, held []*Held) *Client {
	c := &Client{cfg: cfg, lsp: lsp, held: map[wire.CeremonyID]*Held{}}
	for _, h := range held {
		c.held[h.ID()] = h
	}
	return c
}

// Held returns a factory the client has stored, nil when it has not.
func (c *Client) Held(id wire.CeremonyID) *Held { return c.held[id] }

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
		if (a.state == proposed || a.state == signing && !c.cfg.on(rule.CER021)) && m.Phase == a.phase {
			return c.aggregate(a, m)
		}
	case *wire.Signatures:
		if a.state == signing && m.Phase == a.phase {
			return c.signatures(a, m)
		}
	case *wire.Funded:
		if a.state == stored && a.change == nil {
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

// end forgets the attempt and its nonces.
func (c *Client) end() {
	if c.attempt != nil {
		c.attempt.signer.forget()
		if c.attempt.change != nil {
			c.attempt.change.abandon()
		}
		c.attempt = nil
	}
}

// Disconnected ends the attempt (CER-031).
func (c *Client) Disconnected() {
	if c.cfg.on(rule.CER031) {
		c.end()
	}
}

// Tick ends an attempt whose LSP stayed silent.
func (c *Client) Tick(now time.Time) []wire.Ceremony {
	if c.attempt == nil || now.Before(c.attempt.deadline) {
		return nil
	}
	return c.refuse(c.attempt.id, fail(wire.ReasonDeadline, "", "the LSP was silent"))
}

// invite answers with fresh keys (CER-003).
func (c *Client) invite(now time.Time, m *wire.Invite) []wire.Ceremony {
	if c.attempt != nil && c.cfg.on(rule.CER006) {
		return []wire.Ceremony{fail(wire.ReasonBusy, rule.CER006, "another attempt is going on").abort(m.ID())}
	}
	if _, known := c.held[m.ID()]; known && c.cfg.on(rule.CER032) {
		return []wire.Ceremony{fail(wire.ReasonRefused, rule.CER032, "this ceremony_id has a factory").abort(m.ID())}
	}
	a, join, err := c.join(m)
	if err != nil {
		return []wire.Ceremony{asFailure(err).abort(m.ID())}
	}
	c.end()
	c.attempt = a
	a.deadline = c.patience(now)
	return []wire.Ceremony{join}
}

// patience is how long a client waits: longer than an LSP, which waits for
// others in between (CER-033).
func (c *Client) patience(now time.Time) time.Time {
	if !c.cfg.on(rule.CER033) {
		return now.Add(c.cfg.deadline())
	}
	return now.Add(4 * c.cfg.deadline())
}

func (c *Client) join(m *wire.Invite) (*clientAttempt, *wire.Join, error) {
	if c.cfg.Accept != nil {
		if err := c.cfg.Accept(m); err != nil {
			return nil, nil, &Failure{Reason: wire.ReasonRefused, Err: err}
		}
	}
	if m.Capacity < uint64(factory.MinCapacity(c.cfg.Chain)) {
		return nil, nil, fail(wire.ReasonRefused, rule.TREE001, "a capacity of %d sat is too small", m.Capacity)
	}
	keys := m.ID()
	if m.Factory != nil {
		if c.held[*m.Factory] == nil {
			return nil, nil, fail(wire.ReasonRefused, rule.CER041, "no such factory")
		}
		keys = *m.Factory
	}
	if !c.cfg.on(rule.CER003) {
		keys = wire.CeremonyID{}
	}
	a := &clientAttempt{id: m.ID(), invite: m}
	key, err := c.cfg.Keys.Factory(keys)
	if err != nil {
		return nil, nil, err
	}
	if a.factoryKey, err = musig.NewSecretKey(key); err != nil {
		return nil, nil, err
	}
	if a.channelKey, err = c.cfg.Keys.Channel(m.ID(), 0); err != nil {
		return nil, nil, err
	}
	payout, err := c.cfg.Keys.Payout(keys)
	if err != nil {
		return nil, nil, err
	}
	copy(a.payout[:], payout.PubKey().SerializeCompressed()[1:])
	join := &wire.Join{
		Attempt:    wire.Attempt{Ceremony: m.ID()},
		FactoryKey: a.factoryKey.PublicKey().Bytes(),
		PayoutKey:  a.payout,
	}
	copy(join.ChannelKey[:], a.channelKey.PubKey().SerializeCompressed())
	return a, join, nil
}

// proposal recomputes the path and answers with nonces (CER-010).
func (c *Client) proposal(a *clientAttempt, m *wire.Proposal) ([]wire.Ceremony, error) {
	tree, err := openProposal(c.cfg.Config, m, a.factoryKey.PublicKey(), a.payout, a.channelKey)
	if err != nil {
		return nil, err
	}
	if err := c.checkProposal(a, m, tree); err != nil {
		return nil, err
	}
	a.proposal, a.tree = m, tree
	return c.offerNonces(a, tree.Slots(factory.ClientIndex(m.ClientIndex)))
}

// openProposal computes a client's tree from a proposal: section 4. It is also
// how a stored factory is read again.
func openProposal(cfg Config, m *wire.Proposal, own *musig.PublicKey, payout [32]byte, channelKey *btcec.PrivateKey) (*factory.Tree, error) {
	channel, err := ownChannel(channelKey, m.LSPChannelKey)
	if err != nil {
		return nil, err
	}
	terms, err := termsOf(cfg, m, channel)
	if err != nil {
		return nil, err
	}
	i := factory.ClientIndex(m.ClientIndex)
	if cfg.on(rule.CER011) {
		if !terms.Keys[i].Equal(own) {
			return nil, fail(wire.ReasonKeys, rule.CER011, "the factory key of client %d is not ours", i)
		}
		if terms.Payouts[i-terms.Amounts.Region.First] != payout {
			return nil, fail(wire.ReasonKeys, rule.CER011, "the payout key of client %d is not ours", i)
		}
	}
	f, err := factory.New(terms, cfg.Rules)
	if err != nil {
		return nil, err
	}
	if uint64(f.Value()) != m.Funding.Value && cfg.on(rule.CER013) {
		return nil, fail(wire.ReasonAmounts, rule.CER013, "the values sum to %d sat, the funding output has %d", f.Value(), m.Funding.Value)
	}
	return f.Build(outpoint(m.Funding), factory.PathOf(i))
}

// ownChannel is the channel over the client's key and the LSP's (SCRIPT-003).
func ownChannel(key *btcec.PrivateKey, lsp wire.Point) (factory.Channel, error) {
	var own [33]byte
	copy(own[:], key.PubKey().SerializeCompressed())
	return factory.NewChannel(own, lsp)
}

// checkProposal is what does not follow from the proposal alone.
func (c *Client) checkProposal(a *clientAttempt, m *wire.Proposal, tree *factory.Tree) error {
	tip, err := c.cfg.Tip()
	if err != nil {
		return fail(wire.ReasonChain, "", "no height from the chain: %w", err)
	}
	if err := paramsOf(m.Parameters).CheckTip(tip, c.cfg.Rules); err != nil {
		return err
	}
	i := factory.ClientIndex(m.ClientIndex)
	first := tree.Factory().Terms().Amounts.Region.First
	capacity := m.Owners[i-first].Capacity
	if capacity < a.invite.Capacity && c.cfg.on(rule.CER012) {
		return fail(wire.ReasonAmounts, rule.CER012, "%d sat of capacity, %d were promised", capacity, a.invite.Capacity)
	}
	cover, err := tree.Cover(i)
	if err != nil {
		return err
	}
	if uint64(cover) < min(capacity, a.invite.Capacity) && c.cfg.on(rule.DIST010) {
		return fail(wire.ReasonCover, rule.DIST010, "%d sat of cover for a capacity of %d", cover, capacity)
	}
	return nil
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
	if a.change != nil {
		if err := a.change.checkChain(c.cfg.Config, a.phase); err != nil {
			return nil, err
		}
	}
	if err := a.signer.open(aggregates); err != nil {
		return nil, fail(wire.ReasonNonces, rule.CER020, "%w", err)
	}
	if a.change != nil && a.change.commits(a.phase) {
		if err := c.begin(a.change); err != nil {
			return nil, err
		}
	}
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

// factoryID names the factory that an attempt creates or changes.
func (a *clientAttempt) factoryID() wire.CeremonyID {
	if a.change != nil {
		return a.change.held.ID()
	}
	return a.id
}

// signatures checks and stores, then says so (CER-022, CER-024).
func (c *Client) signatures(a *clientAttempt, m *wire.Signatures) ([]wire.Ceremony, error) {
	if a.change != nil {
		return c.changeSignatures(a, m)
	}
	distributions := ownDistributions(a.tree, factory.ClientIndex(a.proposal.ClientIndex))
	if c.cfg.on(rule.CER022) {
		if err := checkSignatures(a.signer.slots, m.Signatures, c.cfg.Rand); err != nil {
			return nil, err
		}
		err := checkChannels(distributions, keysOf(len(distributions), a.proposal.LSPChannelKey), m.Channels)
		if err := unless(c.cfg.Rules, err); err != nil {
			return nil, err
		}
	}
	held := &Held{
		Proposal: a.proposal, Signatures: m, tree: a.tree, cfg: c.cfg.Config, live: signed(a.signer.slots, m.Signatures),
		due: map[factory.NodeID][]*factory.Tx{},
	}
	addSigned(held.live, distributions, m.Channels)
	if err := held.save(c.cfg.Store); err != nil {
		return nil, err
	}
	c.held[a.id] = held
	a.state = stored
	return []wire.Ceremony{&wire.Stored{Attempt: wire.Attempt{Ceremony: a.id}, Phase: a.phase}}, nil
}

// ownDistributions are the distributions of a client's channel outputs that a
// fresh tree has.
func ownDistributions(t *factory.Tree, c factory.ClientIndex) []*factory.Tx {
	var out []*factory.Tx
	for _, ch := range t.Channels(c) {
		out = append(out, ch.Distribution)
	}
	return out
}

// checkChannels checks the LSP's signatures for channel outpoints, each by the
// LSP's key of that channel.
func checkChannels(txs []*factory.Tx, keys []wire.Point, raw [][64]byte) error {
	if len(raw) != len(txs) {
		return fail(wire.ReasonSignature, rule.CER022, "%d channel signatures, %d channel outpoints", len(raw), len(txs))
	}
	for i, t := range txs {
		if err := checkChannel(keys[i], t, raw[i]); err != nil {
			return err
		}
	}
	return nil
}

func keysOf(n int, key wire.Point) []wire.Point { return slices.Repeat([]wire.Point{key}, n) }
