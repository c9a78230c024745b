package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// propose computes the factory and sends each client its part of it.
func (l *LSP) propose(now time.Time, c *creation) ([]Out, error) {
	if err := l.layOut(c); err != nil {
		return nil, l.giveUp(c, err)
	}
	out := make([]Out, len(c.members))
	for i, m := range c.members {
		p, err := proposalOf(c.factory, c.id, factory.ClientIndex(i), c.fundingOutpoint(), wire.Point(compressed(m.channel)))
		if err == nil && l.cfg.on(rule.CER046) {
			p.NodeKeys, err = c.factory.NodeKeys(factory.ClientIndex(i))
		}
		if err != nil {
			return nil, l.giveUp(c, err)
		}
		out[i] = Out{m.peer, p}
	}
	clients := make([]factory.ClientIndex, len(c.members))
	for i := range clients {
		clients[i] = factory.ClientIndex(i)
	}
	c.round = newRound(0, c.tree.AllSlots(), clients)
	c.state, c.deadline = lspProposed, now.Add(l.cfg.deadline())
	l.expect(c)
	l.report(Event{Ceremony: c.id, Kind: EventProposed, Clients: len(c.members)})
	return out, nil
}

func (c *creation) fundingOutpoint() btcwire.OutPoint {
	return btcwire.OutPoint{Hash: c.funding.TxHash(), Index: c.output}
}

// layOut fills in terms, reserves coins and builds the tree.
func (l *LSP) layOut(c *creation) (err error) {
	terms, err := l.terms(c)
	if err != nil {
		return err
	}
	if c.factory, err = factory.New(terms, l.cfg.Rules); err != nil {
		return err
	}
	out, err := c.factory.Funding()
	if err != nil {
		return err
	}
	if c.funding, c.output, err = l.cfg.Funder.Fund(c.id, out); err != nil {
		return fmt.Errorf("no coins for the factory: %w", err)
	}
	c.tree, err = c.factory.Build(c.fundingOutpoint(), factory.Whole())
	return err
}

// terms are the LSP's own view: everything.
func (l *LSP) terms(c *creation) (t factory.Terms, err error) {
	n := len(c.members)
	t = factory.Terms{Chain: l.cfg.Chain, Params: c.order.Params, Shape: c.order.Shape(n), LSP: c.key.PublicKey()}
	if t.Params.TipHeight, err = l.cfg.Tip(); err != nil {
		return t, failChain("", "no height from the chain: %w", err)
	}
	if t.Params.Expiry, err = t.Params.ExpiryFor(t.Shape); err != nil {
		return t, err
	}
	layout, err := factory.NewLayout(n, t.Shape, l.cfg.Rules)
	if err != nil {
		return t, err
	}
	t.Amounts.Region = factory.Range{First: 0, Count: uint16(n)}
	for i, m := range c.members {
		if err := l.addMember(&t, c.id, i, m); err != nil {
			return t, err
		}
	}
	for _, id := range layout.Nodes() {
		if layout.IsLeaf(id) {
			for _, g := range layout.Groups(id) {
				t.Amounts.Stocks = append(t.Amounts.Stocks, c.order.Stock*factory.Sat(g.Count))
			}
		}
	}
	return t, nil
}

// addMember adds a client's keys and capacity to the terms.
func (l *LSP) addMember(t *factory.Terms, id wire.CeremonyID, i int, m *member) (err error) {
	key, err := musig.ParsePublicKey(m.join.FactoryKey[:])
	if err != nil {
		return fail(wire.ReasonKeys, rule.CER014, "%w", err)
	}
	if m.channel, err = l.cfg.Keys.Channel(id, uint32(i)); err != nil {
		return err
	}
	channel, err := factory.NewChannel(compressed(m.channel), m.join.ChannelKey)
	if err != nil {
		return err
	}
	t.Keys = append(t.Keys, key)
	t.Payouts = append(t.Payouts, m.join.PayoutKey)
	t.Channels = append(t.Channels, channel)
	t.Amounts.Capacities = append(t.Amounts.Capacities, m.capacity)
	return nil
}

// giveUp ends a creation that the LSP itself cannot go on with. It returns a
// failure that blames nobody.
func (l *LSP) giveUp(_ *creation, err error) error {
	f := &Failure{Reason: wire.ReasonInternal, Err: err}
	var known *Failure
	if errors.As(err, &known) && known.Reason == wire.ReasonChain {
		f.Reason, f.Rule = known.Reason, known.Rule
	}
	return &guilty{map[int]*Failure{nobody: f}}
}

// ownFault passes on an error that names clients; any other one is the LSP's.
func (l *LSP) ownFault(c *creation, err error) error {
	var named *guilty
	if errors.As(err, &named) {
		return err
	}
	return l.giveUp(c, err)
}

// creationNonces takes nonces; the last ones bring the aggregates.
func (l *LSP) creationNonces(now time.Time, c *creation, i int, m *wire.Nonces) ([]Out, error) {
	done, err := c.round.addNonces(l.cfg.Rules, l.used, i, m.Nonces)
	if err != nil || !done {
		return nil, err
	}
	aggregates, err := c.round.aggregate(l.cfg.Rand, c.key)
	if err != nil {
		return nil, l.giveUp(c, err)
	}
	c.state, c.deadline = lspSigning, now.Add(l.cfg.deadline())
	l.report(Event{Ceremony: c.id, Kind: EventNonces, Clients: len(c.members)})
	return aggregatesFor(c.id, c.round, l.peers(c), aggregates), nil
}

// aggregatesFor are the messages that answer the last nonces.
func aggregatesFor(id wire.CeremonyID, r *round, peers []Peer, aggregates []musig.AggregateNonce) []Out {
	out := make([]Out, len(peers))
	for i, peer := range peers {
		mine := pick(r, i, aggregates)
		raw := make([][66]byte, len(mine))
		for k, n := range mine {
			raw[k] = n.Bytes()
		}
		out[i] = Out{peer, &wire.AggregateNonces{Attempt: wire.Attempt{Ceremony: id}, Phase: r.phase, Nonces: raw}}
	}
	return out
}

func (l *LSP) peers(c *creation) []Peer {
	peers := make([]Peer, len(c.members))
	for i, m := range c.members {
		peers[i] = m.peer
	}
	return peers
}

// creationPartials takes partial signatures; the last ones make the LSP record,
// sign, check and store, and only then send (PS-010, SIGN-008, CER-024).
func (l *LSP) creationPartials(now time.Time, c *creation, i int, m *wire.Partials) ([]Out, error) {
	done, err := c.round.addPartials(l.cfg.Rules, i, m.Partials)
	if err != nil || !done {
		return nil, err
	}
	channels := l.channelDistributions(c)
	if err := l.cfg.Store.Sign(c.id, entries(append(slices.Clone(c.round.slots), channels...))); err != nil {
		return nil, l.giveUp(c, err)
	}
	signatures, err := c.round.complete(l.cfg.Rules, l.cfg.Rand, c.key)
	if err != nil {
		return nil, l.ownFault(c, err)
	}
	record := newFactory(l.cfg.Keys, c, signatures)
	out := make([]Out, len(c.members))
	for k, member := range c.members {
		sig := signChannel(member.channel, channels[k])
		record.addSignature(channels[k], sig)
		out[k] = Out{member.peer, &wire.Signatures{
			Attempt: wire.Attempt{Ceremony: c.id}, Signatures: pick(c.round, k, signatures), Channels: [][64]byte{sig},
		}}
	}
	if err := record.save(l.cfg.Store); err != nil {
		return nil, l.giveUp(c, err)
	}
	c.record = record
	c.state, c.deadline = storing, now.Add(l.cfg.deadline())
	l.report(Event{Ceremony: c.id, Kind: EventSigned, Clients: len(c.members)})
	if !l.cfg.on(rule.CER023) {
		more, err := l.fund(c)
		return append(out, more...), err
	}
	return out, nil
}

// channelDistributions are those of all channels, by client.
func (l *LSP) channelDistributions(c *creation) []*factory.Tx {
	out := make([]*factory.Tx, len(c.members))
	for i := range c.members {
		out[i] = ownDistributions(c.tree, factory.ClientIndex(i))[0]
	}
	return out
}

// creationStored counts; the last client makes the LSP fund (CER-023).
func (l *LSP) creationStored(c *creation, i int) ([]Out, error) {
	c.members[i].stored = true
	return l.tryFund(c)
}

// tryFund funds once every client has stored its path and signed its LSP's first
// commitment (CER-023, CHAN-001).
func (l *LSP) tryFund(c *creation) ([]Out, error) {
	for i, m := range c.members {
		if !m.stored || !l.hasChannel(c, i) {
			return nil, nil
		}
	}
	l.report(Event{Ceremony: c.id, Kind: EventStored, Clients: len(c.members)})
	return l.fund(c)
}

// inTime refuses to fund when the next block comes too late already (CER-034).
func (l *LSP) inTime(p factory.Params) error {
	tip, err := l.cfg.Tip()
	if err != nil {
		return failChain("", "no height from the chain: %w", err)
	}
	if tip >= p.FundingEnd() && l.cfg.on(rule.CER034) {
		return failChain(rule.CER034, "height %d: funding was promised until height %d", tip, p.FundingEnd())
	}
	return nil
}

// fund signs the funding transaction, stores it, broadcasts it and says so.
func (l *LSP) fund(c *creation) ([]Out, error) {
	if err := l.inTime(c.record.Params); err != nil {
		return nil, l.giveUp(c, err)
	}
	tx, err := l.cfg.Funder.Sign(c.id, c.funding)
	if err != nil {
		return nil, l.giveUp(c, err)
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return nil, l.giveUp(c, err)
	}
	c.record.Funding = raw.Bytes()
	if err := c.record.save(l.cfg.Store); err != nil {
		return nil, l.giveUp(c, err)
	}
	l.factories[c.id] = c.record
	delete(l.creations, c.id)
	l.cfg.keepChannels(Everybody, c.id)
	if err := l.cfg.Funder.Broadcast(tx); err != nil {
		// The transaction is stored: it is broadcast again after a restart.
		l.report(Event{Ceremony: c.id, Kind: EventFailed, Text: fmt.Sprintf("broadcast: %v", err)})
	}
	out := make([]Out, len(c.members))
	for i, m := range c.members {
		out[i] = Out{m.peer, &wire.Funded{Attempt: wire.Attempt{Ceremony: c.id}, Transaction: raw.Bytes()}}
	}
	l.report(Event{Ceremony: c.id, Kind: EventFunded, Clients: len(c.members)})
	return out, nil
}

// drop ends an attempt: whoever is to blame hears why, the others are invited
// to a new one without it (CER-018, CER-019).
func (l *LSP) drop(now time.Time, c *creation, blamed map[int]*Failure) []Out {
	if f := blamed[nobody]; f != nil {
		return l.stop(c, f)
	}
	if c.state == inviting {
		return l.uninvite(now, c, blamed)
	}
	l.forget(c)
	var out []Out
	var rest []OrderClient
	named := l.firstBlamed(c, blamed)
	for i, m := range c.members {
		if f := blamed[i]; f != nil {
			index := factory.ClientIndex(i)
			f.Guilty = &index
			if !l.cfg.on(rule.CER019) {
				f.Guilty = nil
			}
			out = append(out, Out{m.peer, f.abort(c.id)})
			l.report(Event{Ceremony: c.id, Kind: EventDropped, Peer: m.peer, Text: f.Error()})
			continue
		}
		again := &Failure{Reason: wire.ReasonRestart, Guilty: named, Err: fmt.Errorf("the attempt starts again without %d of %d clients", len(blamed), len(c.members))}
		out = append(out, Out{m.peer, again.abort(c.id)})
		rest = append(rest, OrderClient{m.peer, m.capacity})
	}
	return append(out, l.restart(now, c, rest)...)
}

// firstBlamed is the lowest index that is to blame.
func (l *LSP) firstBlamed(c *creation, blamed map[int]*Failure) *factory.ClientIndex {
	for i := range c.members {
		if blamed[i] != nil && l.cfg.on(rule.CER019) {
			index := factory.ClientIndex(i)
			return &index
		}
	}
	return nil
}

// restart invites the rest again, with a new id and new keys.
func (l *LSP) restart(now time.Time, c *creation, rest []OrderClient) []Out {
	if len(rest) == 0 || !l.cfg.on(rule.CER018) {
		l.report(Event{Ceremony: c.id, Kind: EventFailed, Text: "no client is left"})
		return nil
	}
	order := c.order
	order.Clients = rest
	next, out, err := l.start(now, order)
	if err != nil {
		l.report(Event{Ceremony: c.id, Kind: EventFailed, Text: err.Error()})
		return nil
	}
	l.report(Event{Ceremony: next.id, Kind: EventRestart, Clients: len(rest), Text: c.id.String()})
	return out
}

// uninvite leaves clients out that have not joined: nothing has been proposed,
// so the attempt goes on.
func (l *LSP) uninvite(now time.Time, c *creation, blamed map[int]*Failure) []Out {
	var out []Out
	var rest []*member
	waiting := false
	for i, m := range c.members {
		f := blamed[i]
		if f == nil {
			rest = append(rest, m)
			waiting = waiting || m.join == nil
			continue
		}
		out = append(out, Out{m.peer, f.abort(c.id)})
		l.report(Event{Ceremony: c.id, Kind: EventDropped, Peer: m.peer, Text: f.Error()})
	}
	c.members = rest
	if len(rest) == 0 {
		l.forget(c)
		l.report(Event{Ceremony: c.id, Kind: EventFailed, Text: "no client is left"})
		return out
	}
	if waiting {
		return out
	}
	more, err := l.propose(now, c)
	if err != nil {
		return append(out, l.drop(now, c, l.blame(c, nobody, err))...)
	}
	return append(out, more...)
}

// stop ends an attempt for everybody.
func (l *LSP) stop(c *creation, f *Failure) []Out {
	l.forget(c)
	l.report(Event{Ceremony: c.id, Kind: EventFailed, Text: f.Error()})
	out := make([]Out, len(c.members))
	for i, m := range c.members {
		out[i] = Out{m.peer, f.abort(c.id)}
	}
	return out
}

// forget drops an attempt's nonces and coins.
func (l *LSP) forget(c *creation) {
	c.round.forget()
	delete(l.creations, c.id)
	l.cfg.forgetChannels(Everybody, c.id)
	l.cfg.Funder.Release(c.id)
}

func (l *LSP) sortedCreations() []*creation {
	out := make([]*creation, 0, len(l.creations))
	for _, c := range l.creations {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *creation) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}
