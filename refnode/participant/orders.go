package participant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/control"
	"superscalar/refnode/factory"
	"superscalar/refnode/lsp"
	"superscalar/refnode/node"
	"superscalar/refnode/role"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Errors of orders.
var (
	// ErrNoFactory : there is no factory with this client, or none of this id.
	ErrNoFactory = errors.New("no factory with this client")
	// ErrWhichFactory : there are several.
	ErrWhichFactory = errors.New("several factories with this client: say which")
	// ErrResumed : an interrupted change had to go first, and has begun again.
	ErrResumed = errors.New("it goes on now: ask again when it is done")
)

// Found implements control.Factories.
func (p *Participant) Found(o control.Order) (wire.CeremonyID, error) {
	if p.lsp == nil {
		return wire.CeremonyID{}, fmt.Errorf("a client creating a factory: %w", node.ErrUnsupported)
	}
	shape := factory.DefaultShape
	if len(o.Shape.Levels) > 0 {
		if _, err := factory.NewLayout(len(o.Clients), o.Shape, rule.Set{}); err != nil {
			return wire.CeremonyID{}, fmt.Errorf("shape %q for %d clients: %w", o.Shape, len(o.Clients), err)
		}
		shape = func(int) factory.Shape { return o.Shape }
	}
	order := ceremony.Order{Shape: shape, Stock: factory.Sat(o.StockSat)}
	var err error
	if order.Params, err = paramsFor(shape(len(o.Clients))); err != nil {
		return wire.CeremonyID{}, err
	}
	for _, c := range o.Clients {
		order.Clients = append(order.Clients, ceremony.OrderClient{Peer: ceremony.Peer(c), Capacity: factory.Sat(o.CapacitySat)})
	}
	for _, c := range order.Clients {
		if err := p.await(c.Peer); err != nil {
			return wire.CeremonyID{}, err
		}
	}
	return p.lsp.Create(order)
}

// awaitTime is how long an order waits for a client that has just connected to
// say which protocols it speaks.
const awaitTime = 2 * time.Second

// await fails with node.ErrNotConnected for a client that is away: whoever gives
// an order wants to know before the deadline does.
func (p *Participant) await(client ceremony.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), awaitTime)
	defer cancel()
	if p.lsp.Await(ctx, client) != nil {
		return fmt.Errorf("client %s: %w", client, node.ErrNotConnected)
	}
	return nil
}

// paramsFor are the defaults of section 4.1, with as many states as the early
// warning time of the shape leaves room for (DELAY-004).
func paramsFor(s factory.Shape) (factory.Params, error) {
	const fewest = 2 // section 4.1
	params := factory.DefaultParams(s.Leaf)
	for params.EarlyWarningTime(s) > factory.MaxEarlyWarning && params.States > fewest {
		params.States--
	}
	if blocks := params.EarlyWarningTime(s); blocks > factory.MaxEarlyWarning {
		return params, fmt.Errorf("shape %q: its early warning time is %d blocks, at most %d are allowed (DELAY-004)", s, blocks, factory.MaxEarlyWarning)
	}
	return params, nil
}

// Sell implements control.Factories: by a sale in a factory of ps leaves, by an
// update in one of dw leaves, and where the stock of another group gives. A change
// that was interrupted goes first.
func (p *Participant) Sell(s control.Sale) (wire.CeremonyID, error) {
	if p.lsp == nil {
		return wire.CeremonyID{}, fmt.Errorf("a client buying liquidity: %w", node.ErrUnsupported)
	}
	f, buyer, err := p.find(s)
	if err != nil {
		return wire.CeremonyID{}, err
	}
	if _, err := (role.Chain{Backend: p.cfg.Chain}).Usable(f.Tree, rule.Set{}, Confirmations); err != nil {
		return wire.CeremonyID{}, fmt.Errorf("factory %s: %w", f.ID, err)
	}
	if err := p.await(ceremony.Peer(s.Peer)); err != nil {
		return wire.CeremonyID{}, err
	}
	start, order := p.lsp.Sell, ceremony.Purchase{Factory: f.ID, Buyer: buyer, Amount: factory.Sat(s.AmountSat)}
	if s.From != nil {
		if order.From, err = place(f, ceremony.Peer(*s.From)); err != nil {
			return wire.CeremonyID{}, err
		}
		if err := p.await(ceremony.Peer(*s.From)); err != nil {
			return wire.CeremonyID{}, err
		}
		order.Wider = true
	}
	if order.Wider || f.Tree.Factory().Terms().Shape.Leaf == factory.DW {
		start = p.lsp.Update
	}
	id, err := start(order)
	if errors.Is(err, ceremony.ErrInterrupted) {
		if _, again := p.lsp.Resume(f.ID); again != nil {
			return wire.CeremonyID{}, fmt.Errorf("factory %s: %w; resuming it: %w", f.ID, err, again)
		}
		return wire.CeremonyID{}, fmt.Errorf("factory %s: %w; %w", f.ID, err, ErrResumed)
	}
	if err != nil {
		return wire.CeremonyID{}, fmt.Errorf("factory %s: %w", f.ID, err)
	}
	return id, nil
}

// place is a client's place in a factory.
func place(f lsp.Standing, client ceremony.Peer) (factory.ClientIndex, error) {
	i := slices.IndexFunc(f.Members, func(m ceremony.FactoryMember) bool { return m.Peer == client })
	if i < 0 {
		return 0, fmt.Errorf("%s in factory %s: %w", client, f.ID, ErrNoFactory)
	}
	return factory.ClientIndex(i), nil
}

// find is the factory that a sale is about, and the client's place in it.
func (p *Participant) find(s control.Sale) (found lsp.Standing, buyer factory.ClientIndex, err error) {
	n := 0
	for _, f := range p.lsp.Factories() {
		for i, m := range f.Members {
			if m.Peer == ceremony.Peer(s.Peer) && (s.Factory == nil || *s.Factory == f.ID) {
				found, buyer = f, factory.ClientIndex(i)
				n++
			}
		}
	}
	switch {
	case n == 0:
		return found, 0, fmt.Errorf("%s: %w", s.Peer, ErrNoFactory)
	case n > 1:
		return found, 0, fmt.Errorf("%s: %w", s.Peer, ErrWhichFactory)
	default:
		return found, buyer, nil
	}
}
