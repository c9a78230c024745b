package ceremony_test

import (
	"errors"
	"testing"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// wide orders an update that takes stock of one client's group.
func (w *world) wide(p ceremony.Purchase) error {
	w.t.Helper()
	p.Factory, p.Wider = w.only(), true
	return w.purchase(func() (id wire.CeremonyID, out []ceremony.Out, err error) { return w.lsp.Update(w.now, p) })
}

// sum is what the channels and the stocks of a factory add up to.
func sum(t *factory.Tree) (channels []factory.Sat, all factory.Sat) {
	l := t.Factory().Layout()
	for c := range l.Clients() {
		v := t.Capacities(factory.ClientIndex(c))
		channels, all = append(channels, v), all+v
	}
	for _, id := range l.Nodes() {
		for g := range l.Groups(id) {
			if stock, ok := t.NewestStock(id, uint8(g)); ok {
				all += stock.Value
			}
		}
	}
	return channels, all
}

// Whoever gives to whomever: what the buyer gets is what one stock loses, nobody
// else's capacity changes, nobody has less cover, the lowest state above both is
// replaced, and everybody has the same (CHG-015, PS-005, DIST-010).
func TestStockMovesBetweenGroups(t *testing.T) {
	for _, shape := range []string{"kickoff 1 / state 2 / kickoff 1 / dw 2", "kickoff 1 / ps 2", "static 2 / kickoff 1 / state 2 / kickoff 1 / dw 1"} {
		w := newWorld(t, 4)
		w.create(shape)
		moved := 0
		for buyer := range 4 {
			for from := range 4 {
				if w.moves(ceremony.Purchase{Buyer: factory.ClientIndex(buyer), From: factory.ClientIndex(from), Amount: factory.Sat(1 + 7_919*(4*buyer+from)%40_000)}) {
					moved++
				}
			}
		}
		if moved < 3 {
			t.Errorf("%s: %d moves", shape, moved)
		}
	}
}

// moves orders a move between groups and checks what came of it; false when there
// was no stock or no state for it.
func (w *world) moves(p ceremony.Purchase) bool {
	w.t.Helper()
	id := w.only()
	tree := w.lsp.Factory(id).Tree()
	channels, all := sum(tree)
	leaf, group, _ := tree.Factory().Layout().Group(p.From)
	stock, _ := tree.NewestStock(leaf, group)
	node, ok := tree.Lowest([]factory.ClientIndex{p.Buyer, p.From})
	err := w.wide(p)
	if !ok && errors.Is(err, ceremony.ErrUsedUp) || stock != nil && stock.Value < p.Amount && errors.Is(err, ceremony.ErrSoldOut) {
		return false
	}
	if err != nil {
		w.t.Fatalf("%+v: %v", p, err)
	}
	after := w.lsp.Factory(id).Tree()
	got, total := sum(after)
	for i := range got {
		c, want := factory.ClientIndex(i), channels[i]
		if c == p.Buyer {
			want += p.Amount
		}
		cover, err := tree.Cover(c)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := after.CheckCover(c, cover); err != nil || got[i] != want {
			w.t.Errorf("%+v: client %d has %d sat, not %d: %v", p, c, got[i], want, err)
		}
	}
	left, _ := after.NewestStock(leaf, group)
	if total != all || stock.Value-left.Value != p.Amount || after.Remaining(node) != tree.Remaining(node)-1 {
		w.t.Errorf("%+v: %d sat of %d, the stock %d of %d, %s at %d of %d", p, total, all, left.Value, stock.Value, node, after.Remaining(node), tree.Remaining(node))
	}
	for _, n := range after.Nodes() { // the distribution of each output pays all of it to those below
		var paid factory.Sat
		for c := n.Clients.First; int(c) < n.Clients.End(); c++ {
			paid += after.Claim(n.ID, c)
		}
		if paid != n.Value {
			w.t.Errorf("%+v: the distribution above %s pays %d sat of %d", p, n.ID, paid, n.Value)
		}
	}
	w.sameEverywhere(id)
	return true
}

// What was interrupted goes on when the very same is ordered, also by an LSP that was
// read again; another giver is another change. A sale takes its own stock only.
func TestAMoveBetweenGroupsIsRetried(t *testing.T) {
	w := newWorld(t, 4)
	id := w.create("kickoff 1 / state 2 / kickoff 1 / dw 2")
	w.bend = func(p packet) []packet {
		if ok, phase := phaseOf(p.m); ok && phase == 1 && p.toLSP {
			return nil
		}
		return []packet{p}
	}
	p := ceremony.Purchase{Buyer: 0, From: 2, Amount: 30_000}
	if err := w.wide(p); err != nil {
		t.Fatal(err)
	}
	w.late()
	w.bend = nil
	if w.lsp.Factory(id).Interrupted() == "" {
		t.Fatalf("nothing is interrupted: %v", w.log)
	}
	again := restored(t, w.snapshot())
	for _, other := range []ceremony.Purchase{{Buyer: 0, From: 3, Amount: 30_000}, {Buyer: 0, From: 2, Amount: 29_999}} {
		if err := again.wide(other); !errors.Is(err, ceremony.ErrInterrupted) {
			t.Errorf("%+v: %v", other, err)
		}
	}
	if err := again.wide(p); err != nil {
		t.Fatal(err)
	}
	if tree := again.lsp.Factory(id).Tree(); tree.Capacities(0) != 130_000 || again.lsp.Factory(id).Interrupted() != "" {
		t.Errorf("client 0 has %d sat: %v", tree.Capacities(0), again.log)
	}
	again.sameEverywhere(id)
	p.Factory, p.Wider = id, true
	if _, _, err := again.lsp.Sell(again.now, p); !errors.Is(err, ceremony.ErrOwnStock) {
		t.Errorf("a sale from another group's stock: %v", err)
	}
	p.From = 4
	if _, _, err := again.lsp.Update(again.now, p); !errors.Is(err, ceremony.ErrUnknownClient) {
		t.Errorf("from a client that is none: %v", err)
	}
}
