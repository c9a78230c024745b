package ceremony

import (
	"errors"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// A creation as its client runs it: from the invitation to the stored path
// (section 5.3).

// maxJoined is how many attempts a client remembers that it has joined. It takes no
// more invitations of an LSP that needs more.
const maxJoined = 1 << 16

// Errors of an invitation that is not answered with ceremony_join.
var (
	ErrJoined  = errors.New("an attempt with this ceremony_id was joined before")
	ErrTooMany = errors.New("too many attempts of this LSP were joined")
)

// invite answers with fresh keys (CER-003): they derive from the id, so that of an
// attempt that was joined before is refused.
func (c *Client) invite(now time.Time, m *wire.Invite) []wire.Ceremony {
	if c.attempt != nil && c.cfg.on(rule.CER006) {
		return []wire.Ceremony{fail(wire.ReasonBusy, rule.CER006, "another attempt is going on").abort(m.ID())}
	}
	if err := c.taken(m); err != nil && c.cfg.on(rule.CER032) {
		return []wire.Ceremony{asFailure(err).abort(m.ID())}
	}
	a, join, err := c.join(m)
	if err != nil {
		return []wire.Ceremony{asFailure(err).abort(m.ID())}
	}
	if a.creates() && c.cfg.on(rule.CER003+"/again") {
		if f := c.remember(m.ID()); f != nil {
			return []wire.Ceremony{f.abort(m.ID())}
		}
	}
	c.end()
	c.attempt = a
	a.deadline = c.patience(now)
	return []wire.Ceremony{join}
}

// remember fails for the id of an attempt that was joined before, and, which the owner
// hears, for one that cannot be kept.
func (c *Client) remember(id wire.CeremonyID) *Failure {
	err := c.keep(id)
	if err == nil {
		c.joined[id] = true
		return nil
	}
	f := notJoined(err)
	if !c.joined[id] && c.cfg.Failed != nil {
		c.cfg.Failed(id, f)
	}
	return f
}

func (c *Client) keep(id wire.CeremonyID) error {
	switch {
	case c.joined[id]:
		return ErrJoined
	case len(c.joined) >= maxJoined:
		return ErrTooMany
	case c.cfg.Joins != nil:
		return c.cfg.Joins(id)
	default:
		return nil
	}
}

// notJoined is what the LSP hears: no disk of ours is its business, and no limit is a
// fault of its id.
func notJoined(err error) *Failure {
	switch {
	case errors.Is(err, ErrJoined):
		return fail(wire.ReasonRefused, rule.CER003, "%w", err)
	case errors.Is(err, ErrTooMany):
		return fail(wire.ReasonRefused, "", "%w", err)
	default:
		return fail(wire.ReasonInternal, "", "keeping the ceremony_id: %w", err)
	}
}

func (c *Client) join(m *wire.Invite) (*clientAttempt, *wire.Join, error) {
	if c.cfg.Accept != nil {
		if err := c.cfg.Accept(m); err != nil {
			return nil, nil, &Failure{Reason: wire.ReasonRefused, Err: err}
		}
	}
	if m.Capacity < uint64(factory.MinCapacity(c.cfg.Chain)) && c.cfg.on(rule.TREE001) {
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
	a := &clientAttempt{id: m.ID(), lsp: c.lsp, invite: m}
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
	copy(a.payout[:], musig.PublicKeyOf(payout).SerializeCompressed()[1:])
	join := &wire.Join{
		Attempt:    wire.Attempt{Ceremony: m.ID()},
		FactoryKey: a.factoryKey.PublicKey().Bytes(),
		PayoutKey:  a.payout,
	}
	copy(join.ChannelKey[:], musig.PublicKeyOf(a.channelKey).SerializeCompressed())
	return a, join, nil
}

// proposal recomputes the path and answers with nonces (CER-010).
func (c *Client) proposal(a *clientAttempt, m *wire.Proposal) ([]wire.Ceremony, error) {
	tree, err := openProposal(c.cfg.Config, m, a.factoryKey.PublicKey(), a.payout, a.channelKey)
	if known, _ := factory.RuleOf(err); known == rule.CER047 && !c.cfg.on(rule.CER047) {
		c.end() // without a word
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := c.checkProposal(a, m, tree); err != nil {
		return nil, err
	}
	a.proposal, a.tree = m, tree
	c.expectChannel(a)
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
	if m.NodeKeys != nil {
		if err := f.TakeNodeKeys(i, m.NodeKeys, cfg.Rand); err != nil {
			return nil, err
		}
	}
	return f.Build(outpoint(m.Funding), factory.PathOf(i))
}

// ownChannel is the channel over the client's key and the LSP's (SCRIPT-003).
func ownChannel(key *btcec.PrivateKey, lsp wire.Point) (factory.Channel, error) {
	var own [33]byte
	copy(own[:], musig.PublicKeyOf(key).SerializeCompressed())
	return factory.NewChannel(own, lsp)
}

// checkProposal is what does not follow from the proposal alone.
func (c *Client) checkProposal(a *clientAttempt, m *wire.Proposal, tree *factory.Tree) error {
	if err := c.freshKey(m.LSPChannelKey, m.Ceremony); err != nil {
		return err
	}
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
		due: lastPoison{},
	}
	addSigned(held.live, distributions, m.Channels)
	if err := held.save(c.cfg.Store); err != nil {
		return nil, err
	}
	c.held[a.id] = held
	a.state = stored
	return c.sayStored(a)
}

// sayStored says that a phase is stored, once there is a commitment on the
// channel output that it makes (CHAN-002), and goes on to the next phase of a
// change.
func (c *Client) sayStored(a *clientAttempt) ([]wire.Ceremony, error) {
	if c.waitsForChannel(a) {
		a.held = true
		return nil, nil
	}
	out := []wire.Ceremony{&wire.Stored{Attempt: wire.Attempt{Ceremony: a.id}, Phase: a.phase}}
	switch {
	case a.change == nil:
		return out, nil
	case a.phase == a.change.last():
		c.end()
		return out, nil
	}
	a.phase++
	more, err := c.offerChange(a)
	return append(out, more...), err
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
