package interop

import (
	"errors"
	"fmt"

	"superscalar/refnode/control"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// members is how many clients the factory has.
const members = 2

// connectMembers makes the clients of the factory dial the LSP, the first one
// over the cable.
func (s *script) connectMembers() error {
	for i, m := range s.members {
		to := s.lsp.node.Address()
		if i == 0 {
			to.HostPort = s.cable.Address()
		}
		if err := m.node.Connect(s.ctx, to); err != nil {
			return err
		}
	}
	return nil
}

// foundFactory creates a factory whose leaves hold a channel of each member, and
// waits until they carry payments.
func foundFactory(s *script) (string, error) {
	if err := s.connectMembers(); err != nil {
		return "", err
	}
	shape, err := factory.ParseShape("kickoff 1 / dw 2") // a sale moves every channel of the leaf
	if err != nil {
		return "", err
	}
	order := control.Order{CapacitySat: 500_000, StockSat: 100_000, Shape: shape}
	for _, m := range s.members {
		order.Clients = append(order.Clients, m.node.Address().ID)
	}
	id, err := s.lsp.side.Found(order)
	if err != nil {
		return "", err
	}
	if err := s.until("everybody has stored the factory", func() (bool, error) {
		for _, p := range append([]*party{s.lsp}, s.members...) {
			now, err := p.side.Standing(s.ctx)
			if err != nil || len(now.Factories) == 0 {
				return false, err
			}
		}
		return true, nil
	}); err != nil {
		return "", err
	}
	if err := s.untilMempool("the funding transaction of the factory"); err != nil {
		return "", err
	}
	if err := s.mine(3); err != nil {
		return "", err
	}
	for _, m := range s.members {
		if err := s.ready(m); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%.8s, %d channels of %d sat", id, len(s.members), order.CapacitySat), s.inside()
}

// inside fails unless the only channel of each member hangs on a leaf.
func (s *script) inside() error {
	for _, m := range s.members {
		all := m.side.Channels()
		if len(all) != 1 || all[0].FactoryID == "" || all[0].Peer != s.lspID() {
			return errors.New("a member's channel is not inside the factory")
		}
	}
	return nil
}

func lndPaysMember(s *script) (string, error) { return s.fromLND(s.members[0], 45_000) }
func memberPaysLND(s *script) (string, error) { return s.payLND(s.members[0], 10_000) }

// sellInFlight sells liquidity to a client inside the factory while lnd holds an
// HTLC of it: the channel moves to another output and takes the HTLC along.
func sellInFlight(s *script) (string, error) {
	h, err := s.hold(s.members[0])
	defer h.stop()
	if err != nil {
		return "", err
	}
	const more = 60_000 // sat
	if err := s.sell(more); err != nil {
		return "", err
	}
	if err := s.reveal(h); err != nil {
		return "", err
	}
	if err := s.until("the payment is over", func() (bool, error) { return s.paid(h) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d sat more, an HTLC of %d sat went along and was paid", more, heldByLND), s.ready(s.members[0])
}

// sell sells liquidity to the first member and waits until every channel of the
// factory has moved.
func (s *script) sell(sat uint64) error {
	before := map[wire.Txid]bool{}
	for _, m := range s.members {
		for _, c := range m.side.Hub().Channels() {
			before[c.Txid] = true
		}
	}
	if _, err := s.lsp.side.Sell(control.Sale{Peer: s.members[0].node.Address().ID, AmountSat: sat}); err != nil {
		return err
	}
	return s.until("every channel has moved", func() (bool, error) { return s.moved(before), nil })
}

// moved reports whether the channels inside the factory are on other outputs than
// before, and on those alone, for both sides.
func (s *script) moved(before map[wire.Txid]bool) bool {
	n := 0
	for _, p := range append([]*party{s.lsp}, s.members...) {
		for _, c := range p.side.Hub().Channels() {
			if c.Instance == nil {
				continue
			}
			if before[c.Txid] || !c.Alone {
				return false
			}
			n++
		}
	}
	return n == 2*len(s.members)
}
