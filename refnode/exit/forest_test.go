package exit_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// sprout is a factory after some changes, made without signatures: trees are
// immutable, so that one grows into many.
type sprout struct {
	tree    *factory.Tree
	changes string
	lost    []*factory.Tx           // of failed sales
	half    map[chainhash.Hash]bool // not completely signed, as far as clients know
	only    *factory.NodeID         // the one leaf whose poison is signed; nil: all
}

// Tree and Complete make it a holder that has every signature but those.
func (s sprout) Tree() *factory.Tree { return s.tree }

var (
	errHalf    = errors.New("signatures are missing")
	errNoState = errors.New("no state is left")
)

func (s sprout) Complete(tx *factory.Tx) (*btcwire.MsgTx, error) {
	if s.half[tx.Txid] {
		return nil, errHalf
	}

	return tx.Msg, nil
}

// grow applies one more change; an error means that it cannot be made.
func (s sprout) grow(c rune) (sprout, error) {
	next := sprout{changes: s.changes + string(c), lost: s.lost, only: s.only, half: map[chainhash.Hash]bool{}}
	for id := range s.half {
		next.half[id] = true
	}
	buyer := factory.ClientIndex(0)
	if strings.ContainsRune("USB", c) {
		buyer = factory.ClientIndex(s.tree.Factory().Layout().Clients() - 1)
	}
	var err error
	if strings.ContainsRune("sSbx", c) {
		err = s.sell(&next, c, buyer)
	} else {
		err = s.update(&next, c, buyer)
	}

	return next, err
}

func (s sprout) sell(next *sprout, c rune, buyer factory.ClientIndex) error {
	leaf, group, _ := s.tree.Factory().Layout().Group(buyer)
	stock, ok := s.tree.NewestStock(leaf, group)
	if !ok {
		return errors.New("sold out")
	}
	// A channel of its own for each sale.
	key, err := keys(next.changes).Channel(wire.CeremonyID{}, 0)
	if err != nil {
		return err
	}
	other, err := keys("lsp").Channel(wire.CeremonyID{}, 0)
	if err != nil {
		return err
	}
	channel, err := factory.NewChannel([33]byte(key.PubKey().SerializeCompressed()), [33]byte(other.PubKey().SerializeCompressed()))
	if err != nil {
		return err
	}
	sale, err := s.tree.Sell(factory.Order{Leaf: leaf, Group: group, Before: stock.Sales, Buyer: buyer, Amount: amounts[c], Channel: channel})
	if err != nil {
		return err
	}
	if c == 'x' {
		next.tree, next.half[sale.Tx.Txid] = s.tree, true
		next.lost = append(append(append(next.lost[:len(next.lost):len(next.lost)], sale.Phase0()...), sale.Phase1()...), sale.NewChannel.Distribution)

		return nil
	}
	next.tree, err = s.tree.Sold(sale)

	return err
}

func (s sprout) update(next *sprout, c rune, buyer factory.ClientIndex) error {
	layout := s.tree.Factory().Layout()
	node, ok := s.tree.Lowest([]factory.ClientIndex{buyer})
	if !ok {
		return errNoState
	}
	remaining, _ := s.tree.NextRemaining(node)
	r := layout.Range(node)
	change := factory.Change{Node: node, Remaining: remaining, ChannelsFirst: r.First, Amounts: factory.Amounts{Region: r}}
	for i := int(r.First); i < r.End(); i++ {
		client := factory.ClientIndex(i)
		v := s.tree.Capacities(client)
		if client == buyer {
			v += amounts[c]
		}
		change.Amounts.Capacities = append(change.Amounts.Capacities, v)
		change.Channels = append(change.Channels, s.tree.Channels(client)[0].Channel)
	}
	leaf, group, _ := layout.Group(buyer)
	for _, id := range layout.Below(node) {
		for g := range layout.Groups(id) {
			var v factory.Sat
			if stock, ok := s.tree.NewestStock(id, uint8(g)); ok {
				v = stock.Value
			}
			if id == leaf && uint8(g) == group {
				v -= amounts[c]
			}
			change.Amounts.Stocks = append(change.Amounts.Stocks, v)
		}
	}
	u, err := s.tree.Update(change)
	if err != nil {
		return err
	}
	if c == 'f' {
		next.half[u.State.Txid] = true
		next.tree, err = s.tree.Fail(u)

		return err
	}
	if s.only != nil && layout.Range(node).Covers(layout.Range(*s.only)) {
		node = *s.only
	}
	if next.tree, err = s.tree.Replace(u); err == nil {
		next.tree = next.tree.Poisoned(node)
	}

	return err
}

// TestEveryHistory goes through all orders of two updates, a failed one, two
// sales and a failed one, with all their beginnings.
func TestEveryHistory(t *testing.T) {
	for _, tt := range []struct {
		name, shape, letters string
		clients, most        int
		states               uint8 // 4 when 0
	}{
		{"one client, dw", "kickoff 1 / dw 1", "uf", 1, 3, 0},
		{"one client, ps", "kickoff 1 / ps 1", "ufsx", 1, 6, 0},
		{"two clients, dw", "kickoff 1 / dw 2", "uUBf", 2, 4, 0},
		{"two clients, ps", "kickoff 1 / ps 2", "uUfsSx", 2, 6, 0},
		{"two clients, ps, large amounts", "kickoff 1 / ps 2", "uBfsbx", 2, 5, 0},
		{"three clients, one group", "kickoff 1 / ps 3", "uUfsSx", 3, 4, 0},
		{"five clients, dw", "kickoff 1 / dw 5", "uUf", 5, 3, 0},
		{"five clients, ps", "kickoff 1 / ps 3", "uUfsSx", 5, 4, 0},
		{"two layers, dw", "kickoff 1 / state 2 / kickoff 1 / dw 2", "uUf", 4, 3, 2},
		{"two layers, ps", "kickoff 1 / state 2 / kickoff 1 / ps 2", "uUfsSx", 4, 4, 3},
		{"wide kickoff", "kickoff 2 / ps 2", "uUfsSx", 4, 4, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first, _, _ := history{clients: tt.clients, shape: tt.shape, params: func(p *factory.Params) {
				if tt.states > 0 {
					p.States = tt.states
				}
			}}.past(t)
			list := []sprout{{tree: first.factory().Tree()}}
			var sum explored
			for i := 0; i < len(list); i++ {
				s := list[i]
				sum.sprout(t, history{clients: tt.clients, shape: tt.shape, changes: s.changes}, s)
				for _, c := range tt.letters {
					next := s.changes + string(c)
					if len(next) > tt.most || !allowed(next, tt.shape, tt.clients) {
						continue
					}
					grown, err := s.grow(c)
					if id, _ := factory.RuleOf(err); errors.Is(err, errNoState) || id == rule.POI005 {
						continue // a failed attempt above it has to be replaced first
					} else if err != nil {
						t.Fatalf("%q: %v", next, err)
					}
					list = append(list, grown)
				}
				list[i] = sprout{} // done with it
			}
			t.Log(&sum)
		})
	}
}

func (e *explored) sprout(t *testing.T, h history, s sprout) {
	t.Helper()
	stocks := map[btcwire.OutPoint]bool{}
	all := append(everything(s.tree, stocks), s.lost...)
	for _, tx := range s.lost {
		if tx.Kind == factory.KindSale && len(tx.Msg.TxOut) == 3 {
			stocks[tx.Output(1)] = true
		}
	}
	e.histories++
	for c := range factory.ClientIndex(h.clients) {
		if c > 0 && int(c) < h.clients-1 && c != 1 {
			continue // the clients between do as the second
		}
		e.check(t, h, s, c, all, stocks, func(*factory.Tx) bool { return true })
	}
	if t.Failed() {
		t.Log(fmt.Sprint(h))
	}
}

// TestModelFindsFaults switches rules of the machine off, and the exploration
// has to notice.
func TestModelFindsFaults(t *testing.T) {
	for _, tt := range []struct {
		id      rule.ID
		shape   string
		changes string
		coins   bool
		victim  factory.ClientIndex
	}{
		{rule.DELAY009, "kickoff 1 / dw 2", "u", true, 0},
		{rule.POI007, "kickoff 1 / ps 2", "u", false, 1},
		{rule.DIST009, "kickoff 1 / dw 2", "", false, 0},
		{rule.PS025, "kickoff 1 / ps 2", "Bb", false, 0},
	} {
		t.Run(string(tt.id), func(t *testing.T) {
			first, _, _ := history{clients: 2, shape: tt.shape}.past(t)
			s := sprout{tree: first.factory().Tree()}
			for _, c := range tt.changes {
				var err error
				if s, err = s.grow(c); err != nil {
					t.Fatal(err)
				}
			}
			stocks := map[btcwire.OutPoint]bool{}
			all := everything(s.tree, stocks)
			for _, off := range []bool{false, true} {
				m := newModel(t, string(tt.id), s, tt.victim, tt.coins, all, stocks, func(*factory.Tx) bool { return true })
				if off {
					m.machine = exit.New(held{s, map[*factory.Tx]*btcwire.MsgTx{}}, exit.Client(tt.victim), rule.Without(tt.id))
				}
				var faults []string
				m.fail = func(text string) { faults = append(faults, text) }
				if tt.coins {
					m.checkExit()
				} else {
					floor, err := s.tree.Cover(tt.victim)
					if err != nil {
						t.Fatal(err)
					}
					m.checkCover(floor)
				}
				if off != (len(faults) > 0) {
					t.Errorf("rule off %v: %d faults found", off, len(faults))
				}
			}
		})
	}
}
