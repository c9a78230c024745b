package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Purchase is liquidity that moves to a client inside a factory.
type Purchase struct {
	Factory wire.CeremonyID
	Buyer   factory.ClientIndex
	Amount  factory.Sat
}

// Errors of changes.
var (
	ErrUnknownFactory = errors.New("unknown factory")
	ErrUnknownClient  = errors.New("no such client in the factory")
	ErrBusy           = errors.New("another change has a client in common (CER-042)")
	ErrUsedUp         = errors.New("no state that covers the client can change any more")
	ErrSoldOut        = errors.New("the stock is too small")
)

// changeState is where a change stands within its phase.
type changeState int

const (
	changeJoining changeState = iota // a buyer's key is awaited
	changeNonces
	changePartials
	changeStoring
)

// lspChange is a change as the LSP runs it.
type lspChange struct {
	change
	id       wire.CeremonyID
	factory  *Factory
	order    Purchase
	state    changeState
	deadline time.Time
	phase    uint8
	members  []changeMember
	round    *round
	pending  []Out // aggregates that wait for the buyer (PS-014)
	// early are nonces of the next phase of members that stored this one
	// before others did.
	early  map[int]*wire.Nonces
	record storedChange
}

type changeMember struct {
	peer   Peer
	client factory.ClientIndex
	stored bool
}

func (ch *lspChange) index(peer Peer) int {
	return slices.IndexFunc(ch.members, func(m changeMember) bool { return m.peer == peer })
}

// Update starts a ceremony that moves stock into a client's channel by
// replacing the lowest state that covers the client (DELAY-010).
func (l *LSP) Update(now time.Time, p Purchase) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, p)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	node, ok := ch.tree.Lowest([]factory.ClientIndex{p.Buyer})
	if !ok {
		return ch.id, nil, ErrUsedUp
	}
	remaining, _ := ch.tree.NextRemaining(node)
	record := storedChange{Kind: "update", Node: node, Remaining: remaining}
	if record.Capacities, record.Stocks, err = l.moved(ch.factory, node, p); err != nil {
		return ch.id, nil, err
	}
	return l.startChange(now, ch, record)
}

// Sell starts a ceremony that sells from the stock of a client's group: the
// client is asked for the key of its new channel first.
func (l *LSP) Sell(now time.Time, p Purchase) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, p)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	leaf, group, _ := ch.tree.Factory().Layout().Group(p.Buyer)
	stock, ok := ch.tree.NewestStock(leaf, group)
	if !ok || stock.Value < p.Amount {
		return ch.id, nil, ErrSoldOut
	}
	ch.record = storedChange{Kind: "sale", Node: leaf, Group: group, Before: stock.Sales, Buyer: p.Buyer, Amount: p.Amount}
	ch.members = l.membersOf(ch.factory, stock.Owners)
	if err := l.lock(ch); err != nil {
		return ch.id, nil, err
	}
	id := [32]byte(p.Factory)
	invite := &wire.Invite{Attempt: wire.Attempt{Ceremony: ch.id}, Capacity: uint64(p.Amount), Factory: &id}
	return ch.id, []Out{{ch.factory.Members[p.Buyer].Peer, invite}}, nil
}

// Poison starts a ceremony for the poison that an interrupted update left
// unsigned (POI-006).
func (l *LSP) Poison(now time.Time, id wire.CeremonyID, node factory.NodeID) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, Purchase{Factory: id})
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	return l.startChange(now, ch, storedChange{Kind: "poison", Node: node})
}

// newChange draws an id for a change of a factory that is known.
func (l *LSP) newChange(now time.Time, p Purchase) (*lspChange, error) {
	f := l.factories[p.Factory]
	if f == nil {
		return nil, fmt.Errorf("%s: %w", p.Factory, ErrUnknownFactory)
	}
	if int(p.Buyer) >= len(f.Members) {
		return nil, fmt.Errorf("client %d: %w", p.Buyer, ErrUnknownClient)
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	return &lspChange{change: change{tree: f.tree}, id: id, factory: f, order: p, deadline: now.Add(l.cfg.deadline())}, nil
}

// membersOf are the clients of a range.
func (l *LSP) membersOf(f *Factory, r factory.Range) []changeMember {
	out := make([]changeMember, 0, r.Count)
	for i := int(r.First); i < r.End(); i++ {
		out = append(out, changeMember{peer: f.Members[i].Peer, client: factory.ClientIndex(i)})
	}
	return out
}

// lock registers a change, unless another one has a client in common
// (CER-042).
func (l *LSP) lock(ch *lspChange) error {
	for _, other := range l.changes {
		for _, m := range ch.members {
			if other.factory == ch.factory && other.index(m.peer) >= 0 && l.cfg.on(rule.CER042) {
				return ErrBusy
			}
		}
	}
	l.changes[ch.id] = ch
	return nil
}

// moved are the amounts below a transaction after a purchase.
func (l *LSP) moved(f *Factory, node factory.NodeID, p Purchase) (capacities, stocks []factory.Sat, err error) {
	layout := f.tree.Factory().Layout()
	r := layout.Range(node)
	for i := int(r.First); i < r.End(); i++ {
		c := factory.ClientIndex(i)
		v := f.tree.Capacities(c)
		if c == p.Buyer {
			v += p.Amount
		}
		capacities = append(capacities, v)
	}
	leaf, group, _ := layout.Group(p.Buyer)
	for _, id := range layout.Below(node) {
		for g := range layout.Groups(id) {
			v := factory.Sat(0)
			if stock, ok := f.tree.NewestStock(id, uint8(g)); ok {
				v = stock.Value
			}
			if id == leaf && uint8(g) == group {
				if v < p.Amount {
					return nil, nil, ErrSoldOut
				}
				v -= p.Amount
			}
			stocks = append(stocks, v)
		}
	}
	return capacities, stocks, nil
}

// startChange computes a change and sends it to everybody concerned.
func (l *LSP) startChange(now time.Time, ch *lspChange, record storedChange) (wire.CeremonyID, []Out, error) {
	ch.record = record
	ch.record.Ceremony = ch.id.String()
	if err := ch.factory.open(l.cfg.Config, &ch.change, record, ch.id); err != nil {
		return ch.id, nil, err
	}
	if err := ch.checkChain(l.cfg.Config, 0); err != nil {
		return ch.id, nil, err
	}
	if ch.members == nil {
		ch.members = l.membersOf(ch.factory, ch.tree.Factory().Layout().Range(ch.node()))
		if err := l.lock(ch); err != nil {
			return ch.id, nil, err
		}
	}
	var out []Out
	for _, m := range ch.members {
		msg, err := ch.message(m.client)
		if err != nil {
			delete(l.changes, ch.id)
			return ch.id, nil, err
		}
		out = append(out, Out{m.peer, msg})
	}
	return ch.id, out, l.startPhase(now, ch)
}

// startPhase lays out the round of a phase.
func (l *LSP) startPhase(now time.Time, ch *lspChange) error {
	slots, _, err := ch.txs(ch.phase)
	if err != nil {
		return err
	}
	clients := make([]factory.ClientIndex, len(ch.members))
	for i := range ch.members {
		clients[i] = ch.members[i].client
		ch.members[i].stored = false
	}
	ch.round, ch.pending, ch.early = newRound(ch.phase, slots, clients), nil, map[int]*wire.Nonces{}
	ch.state, ch.deadline = changeNonces, now.Add(l.cfg.deadline())
	return nil
}

// message is what the LSP proposes to a client.
func (ch *lspChange) message(c factory.ClientIndex) (wire.Ceremony, error) {
	attempt, id := wire.Attempt{Ceremony: ch.id}, [32]byte(ch.factory.ID())
	node := wire.NodeRecord{Level: ch.record.Node.Level, Position: ch.record.Node.Position}
	switch {
	case ch.update != nil:
		part, err := ch.tree.Factory().ChangeFor(c, ch.update.Change)
		if err != nil {
			return nil, err
		}
		m := &wire.Update{
			Attempt: attempt, Factory: id, Node: node, Remaining: ch.record.Remaining,
			Sums: flatSums(part.Amounts.Sums), Capacities: numbers(part.Amounts.Capacities), Stocks: numbers(part.Amounts.Stocks),
		}
		for _, channel := range part.Channels {
			m.ChannelScripts = append(m.ChannelScripts, channel.Script)
		}
		return m, nil
	case ch.sale != nil:
		key, err := ch.factory.saleKey(ch.id)
		if err != nil {
			return nil, err
		}
		return &wire.Sale{
			Attempt: attempt, Factory: id, Leaf: node, Group: ch.record.Group, Before: ch.record.Before, Buyer: uint16(ch.record.Buyer),
			Amount: uint64(ch.record.Amount), ChannelScript: ch.sale.Order.Channel.Script[:], LSPChannelKey: compressed(key),
		}, nil
	default:
		return &wire.Poison{Attempt: attempt, Factory: id, Node: node}, nil
	}
}

// changeMessage handles a message of a change.
func (l *LSP) changeMessage(now time.Time, ch *lspChange, i int, m wire.Ceremony) []Out {
	out, err := l.handleChange(now, ch, i, m)
	if err == nil {
		return out
	}
	var named *guilty
	if errors.As(err, &named) {
		for k := range ch.members {
			if f := named.clients[k]; f != nil {
				return append(out, l.failChange(ch, k, f)...)
			}
		}
	}
	return append(out, l.failChange(ch, i, asFailure(err))...)
}

func (l *LSP) handleChange(now time.Time, ch *lspChange, i int, m wire.Ceremony) ([]Out, error) {
	switch m := m.(type) {
	case *wire.Abort:
		return nil, fail(m.Reason, "", "the client ended the attempt: %s", m.Reason)
	case *wire.Join:
		if ch.state == changeJoining && ch.members[i].client == ch.record.Buyer {
			return l.buyerJoined(now, ch, m)
		}
	case *wire.Nonces:
		if ch.state == changeNonces && m.Phase == ch.phase && ch.round.waitsFor(i) {
			return l.changeNonces(now, ch, i, m)
		}
		if ch.state == changeStoring && m.Phase == ch.phase+1 && ch.members[i].stored && ch.early[i] == nil && ch.phase < ch.last() {
			ch.early[i] = m
			return nil, nil
		}
	case *wire.Partials:
		if ch.state == changePartials && m.Phase == ch.phase && ch.round.waitsFor(i) {
			return l.changePartials(now, ch, i, m)
		}
	case *wire.Stored:
		if ch.state == changeStoring && m.Phase == ch.phase && !ch.members[i].stored {
			return l.changeStored(now, ch, i)
		}
	}
	if !l.cfg.on(rule.CER007) {
		return nil, nil
	}
	return nil, fail(wire.ReasonUnexpected, rule.CER007, "%s is not what this attempt waits for", m.Name())
}

// buyerJoined goes on with a sale once the buyer's key is known.
func (l *LSP) buyerJoined(now time.Time, ch *lspChange, m *wire.Join) ([]Out, error) {
	record := ch.record
	record.ChannelKey = m.ChannelKey.String()
	_, out, err := l.startChange(now, ch, record)
	return out, err
}

// changeNonces takes nonces; the last ones bring the aggregates. In the phase
// that signs a sale the buyer gets its aggregate first (PS-014).
func (l *LSP) changeNonces(now time.Time, ch *lspChange, i int, m *wire.Nonces) ([]Out, error) {
	done, err := ch.round.addNonces(l.cfg.Rules, l.used, i, m.Nonces)
	if err != nil || !done {
		return nil, err
	}
	if err := ch.checkChain(l.cfg.Config, ch.phase); err != nil {
		return nil, err
	}
	aggregates, err := ch.round.aggregate(l.cfg.Rand, ch.factory.key)
	if err != nil {
		return nil, err
	}
	if ch.commits(ch.phase) {
		ch.record.Begun = true
		if err := ch.factory.saveChange(l.cfg.Store, ch); err != nil {
			return nil, err
		}
	}
	ch.state, ch.deadline = changePartials, now.Add(l.cfg.deadline())
	peers := make([]Peer, len(ch.members))
	for k, member := range ch.members {
		peers[k] = member.peer
	}
	out := aggregatesFor(ch.id, ch.round, peers, aggregates)
	if ch.sale == nil || ch.phase != 1 || !l.cfg.on(rule.PS014) {
		return out, nil
	}
	buyer := slices.IndexFunc(ch.members, func(m changeMember) bool { return m.client == ch.record.Buyer })
	ch.pending = slices.Delete(slices.Clone(out), buyer, buyer+1)
	return out[buyer : buyer+1], nil
}

// changePartials takes partial signatures; after the last ones the LSP records,
// signs, checks, stores and sends.
func (l *LSP) changePartials(now time.Time, ch *lspChange, i int, m *wire.Partials) ([]Out, error) {
	done, err := ch.round.addPartials(l.cfg.Rules, i, m.Partials)
	if err != nil {
		return nil, err
	}
	if ch.pending != nil {
		out := ch.pending
		ch.pending = nil
		if err := ch.round.checkMember(i); err != nil {
			return nil, err
		}
		if !done {
			return out, nil
		}
	}
	if !done {
		return nil, nil
	}
	if err := ch.checkChain(l.cfg.Config, ch.phase); err != nil {
		return nil, err
	}
	return l.completePhase(now, ch)
}

// completePhase makes the signatures of a phase.
func (l *LSP) completePhase(now time.Time, ch *lspChange) ([]Out, error) {
	_, channels, err := ch.txs(ch.phase)
	if err != nil {
		return nil, err
	}
	if err := l.cfg.Store.Sign(ch.factory.ID(), entries(append(slices.Clone(ch.round.slots), channels...))); err != nil {
		return nil, err
	}
	signatures, err := ch.round.complete(l.cfg.Rules, l.cfg.Rand, ch.factory.key)
	if err != nil {
		return nil, err
	}
	ecdsa := make([][64]byte, len(channels))
	for k, t := range channels {
		key, err := ch.factory.channelKey(t)
		if err != nil {
			return nil, err
		}
		ecdsa[k] = signChannel(key, t)
	}
	ch.record.Phases = append(ch.record.Phases, storedPhase{hexes(signatures), hexes(ecdsa)})
	if err := ch.factory.saveChange(l.cfg.Store, ch); err != nil {
		ch.record.Phases = ch.record.Phases[:ch.phase]
		return nil, err
	}
	addSigned(ch.factory.live, ch.round.slots, signatures)
	addSigned(ch.factory.live, channels, ecdsa)
	var out []Out
	for k, m := range ch.members {
		msg := &wire.Signatures{Attempt: wire.Attempt{Ceremony: ch.id}, Phase: ch.phase, Signatures: pick(ch.round, k, signatures)}
		for j, t := range channels {
			if t.Signers.Contains(m.client) {
				msg.Channels = append(msg.Channels, ecdsa[j])
			}
		}
		out = append(out, Out{m.peer, msg})
	}
	ch.state, ch.deadline = changeStoring, now.Add(l.cfg.deadline())
	return out, nil
}

// changeStored counts; the last client starts the next phase or ends the
// change (CER-040).
func (l *LSP) changeStored(now time.Time, ch *lspChange, i int) ([]Out, error) {
	ch.members[i].stored = true
	for _, m := range ch.members {
		if !m.stored {
			return nil, nil
		}
	}
	if err := ch.advance(ch.phase); err != nil {
		return nil, err
	}
	ch.factory.tree = ch.tree
	if ch.phase == ch.last() {
		l.finish(ch)
		l.report(Event{Ceremony: ch.id, Kind: EventChanged, Clients: len(ch.members), Text: ch.record.Kind})
		return nil, nil
	}
	ch.phase++
	early := ch.early
	if err := l.startPhase(now, ch); err != nil {
		return nil, err
	}
	for k := range ch.members {
		if m := early[k]; m != nil {
			out, err := l.changeNonces(now, ch, k, m)
			if err != nil || out != nil {
				return out, err
			}
		}
	}
	return nil, nil
}

// finish closes a change that used something up.
func (l *LSP) finish(ch *lspChange) {
	delete(l.changes, ch.id)
	ch.round.forget()
	ch.factory.count++
}

// failChange ends a change for everybody and names who stopped it. A state
// whose aggregate was sent has used up its step.
func (l *LSP) failChange(ch *lspChange, i int, f *Failure) []Out {
	client := ch.members[i].client
	f.Guilty = &client
	switch {
	case ch.record.Begun && len(ch.record.Phases) == 1:
		if tree, err := ch.failed(); err == nil {
			ch.factory.tree = tree
		}
		l.finish(ch)
	case ch.record.Begun:
		l.finish(ch)
	default:
		ch.round.forget()
		delete(l.changes, ch.id)
	}
	l.report(Event{Ceremony: ch.id, Kind: EventFailed, Peer: ch.members[i].peer, Text: f.Error()})
	var out []Out
	for _, m := range ch.members {
		out = append(out, Out{m.peer, f.abort(ch.id)})
	}
	return out
}

// lateChange ends a change whose clients are silent.
func (l *LSP) lateChange(ch *lspChange) []Out {
	for i := range ch.members {
		late := ch.state == changeStoring && !ch.members[i].stored ||
			ch.state == changeJoining && ch.members[i].client == ch.record.Buyer ||
			(ch.state == changeNonces || ch.state == changePartials) && ch.round.waitsFor(i)
		if late {
			return l.failChange(ch, i, fail(wire.ReasonDeadline, rule.CER017, "no answer before the deadline"))
		}
	}
	return nil
}

func (l *LSP) sortedChanges() []*lspChange {
	out := make([]*lspChange, 0, len(l.changes))
	for _, ch := range l.changes {
		out = append(out, ch)
	}
	slices.SortFunc(out, func(a, b *lspChange) int { return bytes.Compare(a.id[:], b.id[:]) })
	return out
}

// checkMember verifies one member's partial signatures at once, as a buyer's
// have to be before the group signs (PS-014).
func (r *round) checkMember(m int) error {
	key := r.slots[0].Key
	for i, s := range r.of[m] {
		place, _ := r.slots[s].SignerIndex(r.clients[m])
		signer, ok := key.Signer(place)
		if !ok {
			return fail(wire.ReasonInternal, "", "no signer %d", place)
		}
		if err := r.own.sessions[s].VerifyPartial(musig.PartialSignature(r.partials[m][i]), r.nonces[m][i], signer); err != nil {
			return fail(wire.ReasonPartialSignature, rule.CER016, "the buyer's partial signature: %w", err)
		}
	}
	return nil
}
