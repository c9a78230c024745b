package ceremony

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Purchase is liquidity that moves to a client inside a factory. Wider says that the
// stock of another group gives it: that of the client From, anywhere in the factory
// (CHG-015). It takes an update; a sale has none but its own stock.
type Purchase struct {
	Factory wire.CeremonyID
	Buyer   factory.ClientIndex
	Amount  factory.Sat
	Wider   bool
	From    factory.ClientIndex
}

// Errors of changes.
var (
	ErrUnknownFactory = errors.New("unknown factory")
	ErrUnknownClient  = errors.New("no such client in the factory")
	ErrBusy           = errors.New("another change has a client in common (CER-042)")
	ErrAbsent         = errors.New("a client that has to sign is not connected")
	ErrUsedUp         = errors.New("no state that covers the client can change any more")
	ErrSoldOut        = errors.New("the stock is too small")
	ErrUnknownNode    = errors.New("no such transaction in the factory")
	// ErrOwnStock : the stock of another group can be moved by an update only.
	ErrOwnStock = errors.New("a sale spends the stock of the buyer's own group")
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
	slot     int   // its place in the store, once saved
	saved    bool
	// early are nonces of the next phase of members that stored this one
	// before others did.
	early map[int]*wire.Nonces
	// signed says that every member has given its partial signatures of the
	// phase.
	signed bool
	// ready says that every member has given its nonces of the phase; moving is
	// where channels go, none where there are none.
	ready  bool
	moving []ChannelOutput
	record storedChange
	// poisoned are the clients whose leaves everybody is known to have poisoned
	// since, by themselves.
	poisoned []factory.Range
}

type changeMember struct {
	peer   Peer
	client factory.ClientIndex
	stored bool
	owes   int // messages that it was asked for and has not sent
}

func (ch *lspChange) index(peer Peer) int {
	return slices.IndexFunc(ch.members, func(m changeMember) bool { return m.peer == peer })
}

// Update starts a ceremony that moves stock into a client's channel by
// replacing the lowest state that covers the client, and the group that gives
// (DELAY-010, CHG-015).
func (l *LSP) Update(now time.Time, p Purchase) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, p)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	if old, err := l.again(ch.factory, "update", p, factory.Range{First: p.Buyer, Count: 1}); err != nil || old != nil {
		return l.orRetry(now, old, err)
	}
	node, remaining, err := p.state(ch.tree, l.cfg.Rules)
	if err != nil {
		return ch.id, nil, err
	}
	if _, err := l.again(ch.factory, "", p, ch.tree.Factory().Layout().Range(node)); err != nil {
		return ch.id, nil, err
	}
	ch.record = storedChange{Kind: "update", Node: node, Remaining: remaining, Buyer: p.Buyer, Amount: p.Amount, Wider: p.Wider, From: p.From}
	if ch.record.Capacities, ch.record.Stocks, err = p.amounts(ch.tree, node, l.cfg.Rules); err != nil {
		return ch.id, nil, err
	}
	return l.openChange(now, ch)
}

// orRetry is for a purchase that an interrupted change decides on.
func (l *LSP) orRetry(now time.Time, old *lspChange, err error) (wire.CeremonyID, []Out, error) {
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	return l.retry(now, old)
}

// Sell starts a ceremony that sells from the stock of a client's group: the
// client is asked for the key of its new channel first. A sale that was
// interrupted goes on when the very same is ordered again, and has to before
// the group sells anything else.
func (l *LSP) Sell(now time.Time, p Purchase) (wire.CeremonyID, []Out, error) {
	ch, err := l.newChange(now, p)
	if err != nil {
		return wire.CeremonyID{}, nil, err
	}
	if p.Wider {
		return ch.id, nil, ErrOwnStock
	}
	leaf, group, _ := ch.tree.Factory().Layout().Group(p.Buyer)
	owners := ch.tree.Factory().Layout().Groups(leaf)[group]
	if old, err := l.again(ch.factory, "sale", p, owners); err != nil || old != nil {
		return l.orRetry(now, old, err)
	}
	stock, ok := ch.tree.NewestStock(leaf, group)
	if !ok || stock.Value < p.Amount {
		return ch.id, nil, ErrSoldOut
	}
	ch.record = storedChange{Kind: "sale", Node: leaf, Group: group, Before: stock.Sales, Buyer: p.Buyer, Amount: p.Amount}
	return l.inviteBuyer(ch)
}

// inviteBuyer asks the buyer of a sale for the key of its new channel.
func (l *LSP) inviteBuyer(ch *lspChange) (wire.CeremonyID, []Out, error) {
	if err := ch.checkFunded(l.cfg.Config, ch.factory.ID(), 0); err != nil {
		return ch.id, nil, own(err)
	}
	ch.members = l.membersOf(ch.factory, ch.tree.Factory().Layout().Groups(ch.record.Node)[ch.record.Group])
	if err := l.present(ch); err != nil {
		return ch.id, nil, err
	}
	if err := l.lock(ch); err != nil {
		return ch.id, nil, err
	}
	ch.asked(ch.index(ch.factory.Members[ch.record.Buyer].Peer), 1)
	id := [32]byte(ch.factory.ID())
	invite := &wire.Invite{Attempt: wire.Attempt{Ceremony: ch.id}, Capacity: uint64(ch.record.Amount), Factory: &id}
	return ch.id, []Out{{ch.factory.Members[ch.record.Buyer].Peer, invite}}, nil
}

// newChange draws an id for a change of a factory that is known.
func (l *LSP) newChange(now time.Time, p Purchase) (*lspChange, error) {
	f := l.factories[p.Factory]
	if f == nil {
		return nil, fmt.Errorf("%s: %w", p.Factory, ErrUnknownFactory)
	}
	for _, c := range []factory.ClientIndex{p.Buyer, p.giver(l.cfg.Rules)} {
		if int(c) >= len(f.Members) {
			return nil, fmt.Errorf("client %d: %w", c, ErrUnknownClient)
		}
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

// present fails when a member is not connected: nobody is asked for what cannot be
// completed, and no channel goes quiet for it.
func (l *LSP) present(ch *lspChange) error {
	for _, m := range ch.members {
		if l.cfg.Online != nil && !l.cfg.Online(m.peer) {
			return fmt.Errorf("client %d: %w", m.client, ErrAbsent)
		}
	}
	return nil
}

// lock registers a change, unless another one has a client in common, in whatever
// factory (CER-042).
func (l *LSP) lock(ch *lspChange) error {
	for _, other := range l.changes {
		for _, m := range ch.members {
			if other.index(m.peer) >= 0 && l.cfg.on(rule.CER042) && (other.factory == ch.factory || l.cfg.on(rule.CER042+"/factories")) {
				return ErrBusy
			}
		}
	}
	l.changes[ch.id] = ch
	return nil
}

// openChange computes a change, then starts it.
func (l *LSP) openChange(now time.Time, ch *lspChange) (wire.CeremonyID, []Out, error) {
	ch.record.Ceremony = ch.id.String()
	if err := ch.factory.open(l.cfg.Config, &ch.change, ch.record, ch.id); err != nil {
		return ch.id, nil, err
	}
	return l.startChange(now, ch)
}

// startChange sends a change to everybody concerned.
func (l *LSP) startChange(now time.Time, ch *lspChange) (wire.CeremonyID, []Out, error) {
	if err := ch.checkFunded(l.cfg.Config, ch.factory.ID(), 0); err != nil {
		return ch.id, nil, own(err)
	}
	if err := ch.checkChain(l.cfg.Config, 0); err != nil {
		return ch.id, nil, own(err)
	}
	if err := l.prepareMoves(ch); err != nil {
		return ch.id, nil, err
	}
	if ch.members == nil {
		ch.members = l.membersOf(ch.factory, ch.tree.Factory().Layout().Range(ch.node()))
		if err := l.present(ch); err != nil {
			return ch.id, nil, err
		}
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
	if err := l.expectSold(ch); err != nil {
		delete(l.changes, ch.id)
		return ch.id, nil, err
	}
	ch.askedAll(1)
	l.report(Event{Ceremony: ch.id, Kind: EventProposed, Clients: len(ch.members), Text: ch.record.Kind})
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
	ch.round, ch.pending, ch.early, ch.signed = newRound(ch.phase, slots, clients), nil, map[int]*wire.Nonces{}, false
	ch.ready = false
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
