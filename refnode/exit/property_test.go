package exit_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/wire"
)

// purse funds anything.
type purse struct{}

func (purse) Fund(_ wire.CeremonyID, out btcwire.TxOut) (*btcwire.MsgTx, uint32, error) {
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(btcwire.NewTxIn(&btcwire.OutPoint{Hash: chainhash.Hash{1}}, nil, nil))
	tx.AddTxOut(&out)

	return tx, 0, nil
}

func (purse) Sign(_ wire.CeremonyID, tx *btcwire.MsgTx) (*btcwire.MsgTx, error) { return tx, nil }
func (purse) Release(wire.CeremonyID)                                           {}
func (purse) Broadcast(*btcwire.MsgTx) error                                    { return nil }

// history is what happened to a factory before the adversary strikes: a letter
// for each change. u and U are updates in favour of client 0 and of the last
// one, s and S sales to them, f an update and x a sale that failed after
// everybody had signed. B and b are a large U and a large s: after B a share of
// the stock is worth less than what is sold of it.
type history struct {
	clients int
	shape   string
	changes string
	params  func(*factory.Params)
}

// amounts are what moves from the stock, in sat.
var amounts = map[rune]factory.Sat{
	'u': 10_000, 'U': 10_000, 'B': 100_000, 's': 10_000, 'S': 10_000, 'b': 18_000, 'f': 10_000, 'x': 10_000,
}

// stockShare is what there is in stock for each client of a group, in sat.
const stockShare = 60_000

func (h history) String() string {
	return fmt.Sprintf("%d clients, %s, changes %q", h.clients, h.shape, h.changes)
}

// past builds the factory of a history without a chain, and returns with it
// every transaction that was signed.
func (h history) past(t *testing.T) (*world, []*factory.Tx, map[btcwire.OutPoint]bool) {
	t.Helper()
	w := &world{t: t, height: 1000, funder: purse{}}
	s := w.build(h.clients, h.shape)
	p := factory.Params{
		Step: 2, States: 4, ConfirmBlocks: 1, MaxChain: 2, StockCSV: 5, OmissionDelay: 2, ToSelfDelay: 4,
		MaxFundingWait: 1, Active: 5000, Dying: 1,
	}
	if s.Leaf == factory.DW {
		p.MaxChain = 0
	}
	if h.params != nil {
		h.params(&p)
	}
	w.create(s, p, 100_000, stockShare)
	var lost []*factory.Tx
	stocks := map[btcwire.OutPoint]bool{}
	last := factory.ClientIndex(h.clients - 1)
	for _, c := range h.changes {
		switch c {
		case 'u':
			w.update(0, amounts[c])
		case 'U', 'B':
			w.update(last, amounts[c])
		case 's', 'b':
			w.sell(0, amounts[c])
		case 'S':
			w.sell(last, amounts[c])
		case 'f':
			w.cutOff(0, func() (wire.CeremonyID, []ceremony.Out, error) {
				return w.lsp.Update(w.now, ceremony.Purchase{Factory: w.id, Buyer: 0, Amount: 10_000})
			})
		case 'x':
			lost = append(lost, w.lostSale(stocks)...)
		}
	}

	return w, append(everything(w.factory().Tree(), stocks), lost...), stocks
}

// lostSale makes a sale to client 0 fail and returns its transactions, which
// the LSP may complete.
func (w *world) lostSale(stocks map[btcwire.OutPoint]bool) []*factory.Tx {
	w.t.Helper()
	leaf, group, _ := w.factory().Tree().Factory().Layout().Group(0)
	silent := factory.ClientIndex(w.factory().Tree().Factory().Layout().Groups(leaf)[group].End() - 1)
	m := w.cutOff(silent, func() (wire.CeremonyID, []ceremony.Out, error) {
		return w.lsp.Sell(w.now, ceremony.Purchase{Factory: w.id, Buyer: 0, Amount: 10_000})
	})
	if m == nil {
		w.t.Fatal("no sale was proposed")
	}
	key, err := keys("client 0").Channel(m.Ceremony, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	channel, err := factory.NewChannel([33]byte(key.PubKey().SerializeCompressed()), m.LSPChannelKey)
	if err != nil {
		w.t.Fatal(err)
	}
	sale, err := w.factory().Tree().Sell(factory.Order{
		Leaf: leaf, Group: group, Before: m.Before, Buyer: 0, Amount: factory.Sat(m.Amount), Channel: channel,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if sale.Change != nil {
		stocks[sale.Change.Outpoint] = true
	}

	return append(append(sale.Phase0(), sale.Phase1()...), sale.NewChannel.Distribution)
}

// everything lists each transaction that some participant signed, and notes
// the stock outputs.
func everything(tree *factory.Tree, stocks map[btcwire.OutPoint]bool) []*factory.Tx {
	var all []*factory.Tx
	node := func(n *factory.Node, sales [][]*factory.Sale) {
		all = append(append(all, n.Tx, n.Distribution), n.Nested...)
		for _, c := range n.Channels {
			all = append(all, c.Distribution)
		}
		for _, s := range n.Stocks {
			if s != nil {
				all = append(all, s.Distribution)
				stocks[s.Outpoint] = true
			}
		}
		for _, s := range slices.Concat(sales...) {
			all = append(append(append(all, s.Phase0()...), s.Phase1()...), s.NewChannel.Distribution)
			if s.Change != nil {
				stocks[s.Change.Outpoint] = true
			}
		}
	}
	for _, n := range tree.Nodes() {
		var sales [][]*factory.Sale
		for g := range tree.Factory().Layout().Groups(n.ID) {
			sales = append(sales, tree.Sales(n.ID, uint8(g)))
		}
		node(n, sales)
	}
	for _, f := range tree.Former() {
		node(f.Node, f.Sales)
	}

	return append(all, tree.SignedPoison()...)
}

// describe lists what is in the chain, for a failure.
func (m *model) describe(p place) string {
	var lines []string
	for i, tx := range m.txs {
		if m.age(p, i) == 0 {
			continue
		}
		what := "claim of stock"
		if tx.tx != nil {
			what = fmt.Sprintf("%s %s, nSequence %d", tx.tx.Kind, tx.tx.Node, tx.tx.Sequence())
		}
		lines = append(lines, fmt.Sprintf("  %s, age %d", what, m.age(p, i)-1))
	}

	return strings.Join(lines, "\n")
}

// explored sums up what was checked.
type explored struct{ histories, victims, states, schedules float64 }

func (e *explored) add(t *testing.T, h history) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Log(h)
		}
	}()
	w, all, stocks := h.past(t)
	checkRecords(w, all)
	checkPoison(w)
	e.histories++
	for c := range factory.ClientIndex(h.clients) {
		recorded := map[[32]byte]bool{}
		for _, entry := range w.stores[w.name(int(c), h.clients)].signed {
			recorded[entry.Sighash] = true
		}
		signed := func(tx *factory.Tx) bool { return recorded[tx.Sighash] }
		e.check(t, h, w.held(int(c)), c, all, stocks, signed)
	}
}

// check explores everything that can happen to a victim, with coins and
// without.
func (e *explored) check(t *testing.T, h history, holder exit.Holder, c factory.ClientIndex, all []*factory.Tx,
	stocks map[btcwire.OutPoint]bool, signed func(*factory.Tx) bool,
) {
	t.Helper()
	for _, coins := range []bool{true, false} {
		m := newModel(t, fmt.Sprintf("%s: client %d, coins %v", h, c, coins), holder, c, coins, all, stocks, signed)
		if coins {
			m.checkExit()
		} else {
			m.checkCover(h.floor(t, m))
		}
		e.victims++
		e.states += m.states
		e.schedules += m.schedules
	}
}

// floor is what the victim is sure of without a coin: its cover.
func (h history) floor(t *testing.T, m *model) factory.Sat {
	t.Helper()
	floor, err := m.tree.Cover(m.victim)
	if err != nil {
		t.Fatal(err)
	}

	return floor
}

func (e *explored) plus(other explored) {
	e.histories += other.histories
	e.victims += other.victims
	e.states += other.states
	e.schedules += other.schedules
}

func (e *explored) String() string {
	return fmt.Sprintf("%.0f histories, %.0f victims, %.0f states, %.4g schedules", e.histories, e.victims, e.states, e.schedules)
}

// TestEverySchedule is the promise of this package, for all small factories:
// with a coin for each bump a client has its channels on the chain within the
// early warning time of starting; without one it is paid at least its cover.
func TestEverySchedule(t *testing.T) {
	twoLayers := func(p *factory.Params) { p.States = 3 }
	slow := func(p *factory.Params) { p.Step, p.ConfirmBlocks, p.StockCSV, p.OmissionDelay = 4, 2, 8, 4 }
	var total explored
	for _, tt := range []struct {
		name    string
		shape   string
		clients []int
		most    int
		params  func(*factory.Params)
	}{
		{"dw", "kickoff 1 / dw 5", []int{1, 2, 3, 4, 5}, 3, nil},
		{"ps", "kickoff 1 / ps 2", []int{1, 2}, 3, nil},
		{"ps, two groups", "kickoff 1 / ps 2", []int{3, 4}, 2, nil},
		{"ps, a group of three", "kickoff 1 / ps 3", []int{3, 5}, 2, nil},
		{"static", "static 2 / kickoff 1 / ps 2", []int{2, 5}, 2, nil},
		{"wide kickoff", "kickoff 2 / ps 2", []int{3, 5}, 2, nil},
		{"two layers, dw", "kickoff 1 / state 2 / kickoff 1 / dw 3", []int{2, 3, 5}, 3, twoLayers},
		{"two layers, ps", "kickoff 1 / state 2 / kickoff 1 / ps 2", []int{2, 3}, 2, twoLayers},
		{"large amounts, dw", "kickoff 1 / dw 2", []int{2}, 3, nil},
		{"large amounts, ps", "kickoff 1 / ps 2", []int{2}, 3, nil},
		{"slow blocks, dw", "kickoff 1 / dw 3", []int{1, 3}, 2, slow},
		{"slow blocks, ps", "kickoff 1 / ps 2", []int{1, 2}, 2, slow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var sum explored
			letters := lettersOf(tt.shape)
			if strings.HasPrefix(tt.name, "large") {
				letters = strings.NewReplacer("U", "B", "S", "b").Replace(letters)
			}
			for _, n := range tt.clients {
				for _, changes := range histories(tt.shape, letters, n, tt.most) {
					sum.add(t, history{clients: n, shape: tt.shape, changes: changes, params: tt.params})
				}
			}
			t.Log(&sum)
			total.plus(sum)
		})
	}
	t.Logf("in all: %s", &total)
}

// TestEveryScheduleLarger takes histories of larger factories by chance, and
// for each every schedule.
func TestEveryScheduleLarger(t *testing.T) {
	var sum explored
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 3))
		shapes := []string{
			"static 3 / kickoff 1 / ps 2", "kickoff 1 / state 3 / kickoff 2 / ps 2", "kickoff 1 / state 4 / kickoff 1 / dw 4", "kickoff 1 / ps 3",
		}
		h := history{clients: 6 + r.IntN(4), shape: shapes[seed%4], params: func(p *factory.Params) { p.States = 3 }}
		letters := lettersOf(h.shape)
		for range 20 {
			next := h.changes + string(letters[r.IntN(len(letters))])
			if allowed(next, h.shape, h.clients) && strings.Count(next, "u")+strings.Count(next, "U")+strings.Count(next, "f") <= 2 {
				h.changes = next
			}
		}
		sum.add(t, h)
		t.Log(h)
	}
	t.Log(&sum)
}
