package exit_test

import (
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/wire/rule"
)

// The model is a chain without scripts: outpoints, heights, relative and
// absolute locks. One client, the victim, follows its machine. Everybody else,
// the LSP included, is one adversary that also chooses what goes into each
// block: any set of valid transactions among all that were ever signed, in
// front of the victim's, which confirm within S blocks as long as they can.
//
// Only outpoints that the victim co-owns matter to it: those of its path, stocks
// of its group, its own channels, of all versions. What the adversary does
// elsewhere changes none of them.

// mtx is a transaction in the model.
type mtx struct {
	tx     *factory.Tx // nil for the LSP's claim of a stock
	spends int         // outpoint
	outs   []int       // outpoints that matter
	delay  int         // relative lock in blocks
	locked bool        // not valid before T
	foe    bool        // the adversary can publish it
	pays   factory.Sat // to the victim
}

// model is what can happen to a victim.
type model struct {
	t        *testing.T
	name     string
	victim   factory.ClientIndex
	coins    bool
	machine  *exit.Machine
	tree     *factory.Tree // the victim's
	confirm  int           // S
	expiry   factory.Height
	ewt      int
	oldest   uint8 // ages are not told apart from here on
	txs      []mtx // each after what it spends
	creator  []int // of an outpoint; -1 is the funding transaction
	outpoint map[btcwire.OutPoint]int
	txid     map[chainhash.Hash]int

	states, schedules float64
	fail              func(text string)
}

// place is a state of the chain: for each transaction 0, or 1 and its age in
// blocks; then for each how long the victim has tried to get it into a block.
type place string

func (m *model) age(p place, i int) uint8   { return p[i] }
func (m *model) tried(p place, i int) uint8 { return p[len(m.txs)+i] }

// held is a holder that signs each transaction once.
type held struct {
	exit.Holder
	done map[*factory.Tx]*btcwire.MsgTx
}

func (h held) Complete(tx *factory.Tx) (*btcwire.MsgTx, error) {
	if signed := h.done[tx]; signed != nil {
		return signed, nil
	}
	signed, err := h.Holder.Complete(tx)
	if err == nil {
		h.done[tx] = signed
	}

	return signed, err
}

// newModel builds the model of a victim that holds h. All are the transactions
// that were ever signed, stocks the stock outputs; the adversary has those that
// the victim signed.
func newModel(t *testing.T, name string, h exit.Holder, victim factory.ClientIndex, coins bool,
	all []*factory.Tx, stocks map[btcwire.OutPoint]bool, signed func(*factory.Tx) bool,
) *model {
	f := h.Tree().Factory()
	p, layout := f.Terms().Params, f.Layout()
	m := &model{
		t: t, name: name, victim: victim, coins: coins, tree: h.Tree(), confirm: int(p.ConfirmBlocks), expiry: p.Expiry,
		machine:  exit.New(held{h, map[*factory.Tx]*btcwire.MsgTx{}}, exit.Client(victim), rule.Set{}),
		ewt:      int(p.EarlyWarningTime(layout.Shape())),
		oldest:   uint8(max(int(p.StockCSV), int(p.Step)*int(p.States-1))) + 2,
		outpoint: map[btcwire.OutPoint]int{}, txid: map[chainhash.Hash]int{},
	}
	m.fail = func(text string) { t.Fatalf("%s: %s", name, text) }
	m.outpoint[h.Tree().Funding()], m.creator = 0, []int{-1}
	for grown := true; grown; { // parents first, whatever the order of all
		grown = false
		for _, tx := range all {
			at, ok := m.outpoint[tx.Outpoint()]
			if _, known := m.txid[tx.Txid]; ok && !known && tx.Signers.Contains(victim) {
				m.add(tx, at, signed(tx))
				grown = true
			}
		}
	}
	m.settle(stocks, int(p.StockCSV))

	return m
}

// add enters a transaction and the outpoints it makes that the victim co-owns.
func (m *model) add(tx *factory.Tx, at int, signed bool) {
	i := len(m.txs)
	m.txid[tx.Txid] = i
	n := mtx{tx: tx, spends: at, locked: tx.Msg.LockTime > 0, pays: tx.Pays(m.victim)}
	// What spends its channel lacks the victim's own signature.
	n.foe = signed && tx.Spends != factory.SpendChannel
	if s := tx.Sequence(); s <= 0xffff {
		n.delay = int(s)
	}
	m.txs = append(m.txs, n)
	for j := range len(tx.Msg.TxOut) - 1 {
		m.creator = append(m.creator, i)
		m.outpoint[tx.Output(j)] = len(m.creator) - 1
	}
}

// settle keeps the outpoints that some transaction spends, and lets the LSP
// claim every stock.
func (m *model) settle(stocks map[btcwire.OutPoint]bool, csv int) {
	used := map[int]bool{}
	for _, tx := range m.txs {
		used[tx.spends] = true
	}
	for o, at := range m.outpoint {
		if stocks[o] {
			used[at] = true
		}
	}
	for o, at := range m.outpoint {
		if c := m.creator[at]; c >= 0 && used[at] {
			m.txs[c].outs = append(m.txs[c].outs, at)
		}
		if !used[at] {
			delete(m.outpoint, o)
		}
	}
	for at := range m.creator { // in order: the states must not depend on a map
		for o := range stocks {
			if i, ok := m.outpoint[o]; ok && i == at {
				m.txs = append(m.txs, mtx{spends: at, delay: csv, foe: true})
			}
		}
	}
}

// spender is the transaction that spends an outpoint, -1 when none does.
func (m *model) spender(ages []byte, at int) int {
	for i := range m.txs {
		if ages[i] > 0 && m.txs[i].spends == at {
			return i
		}
	}

	return -1
}

// valid reports whether a transaction may be in the block at a height, given
// the ages after it.
func (m *model) valid(ages []byte, i int, height factory.Height) bool {
	tx := &m.txs[i]
	if tx.locked && height <= m.expiry || m.spender(ages, tx.spends) >= 0 {
		return false
	}
	c := m.creator[tx.spends]

	return c < 0 || ages[c] > 0 && int(ages[c])-1 >= tx.delay
}

// chainOf is the view that the machine gets.
type chainOf struct {
	m    *model
	ages []byte
	tip  factory.Height
}

func (v chainOf) Height() factory.Height { return v.tip }

func (v chainOf) Confirmed(chainhash.Hash) (factory.Height, bool) { return 1, true }

func (v chainOf) Spend(o btcwire.OutPoint) (exit.Spend, bool) {
	at, ok := v.m.outpoint[o]
	if !ok {
		return exit.Spend{Confirmed: true}, true // not the victim's: gone, one way or another
	}
	i := v.m.spender(v.ages, at)
	if i < 0 {
		return exit.Spend{}, false
	}
	s := exit.Spend{Confirmed: true, Height: v.tip - factory.Height(v.ages[i]-1)}
	if v.m.txs[i].tx != nil {
		s.Txid = v.m.txs[i].tx.Txid
	}

	return s, true
}

// plan asks the machine, and returns the numbers of what it publishes.
func (m *model) plan(p place, tip factory.Height, leave bool) (exit.Plan, []int) {
	plan := m.machine.Plan(chainOf{m, []byte(p), tip}, exit.Intent{Leave: leave, Coins: m.coins})
	var own []int
	for _, a := range plan.Publish {
		i, ok := m.txid[a.Tx.Txid]
		if !ok && a.Tx.Signers.Contains(m.victim) {
			m.fail("the machine publishes a " + a.Kind() + " that nobody enumerated")
		}
		if ok {
			own = append(own, i)
		}
	}

	return plan, own
}

// next calls emit with every state of the chain that one more block can lead
// to.
func (m *model) next(p place, tip factory.Height, own []int, emit func(place)) {
	ages := []byte(p[:len(m.txs)])
	for i := range ages {
		if ages[i] > 0 {
			ages[i] = min(ages[i]+1, m.oldest)
		}
	}
	for _, i := range own {
		if !m.valid(ages, i, tip+1) {
			m.fail("the machine publishes a " + m.txs[i].tx.Kind.String() + " too early or twice")
		}
	}
	var adversary, victim func(from int)
	victim = func(from int) {
		for k := from; k < len(own); k++ {
			i := own[k]
			if !m.valid(ages, i, tip+1) {
				continue // the adversary was faster
			}
			if int(m.tried(p, i)) < m.confirm-1 {
				victim(k + 1) // it waits
			}
			ages[i] = 1
			victim(k + 1)
			ages[i] = 0

			return
		}
		emit(m.canonical(p, ages, own))
	}
	adversary = func(from int) {
		victim(0)
		for i := from; i < len(m.txs); i++ {
			if m.txs[i].foe && m.valid(ages, i, tip+1) {
				ages[i] = 1
				adversary(i + 1)
				ages[i] = 0
			}
		}
	}
	adversary(0)
}

// canonical forgets ages that no longer matter: what a transaction made is
// spent, or makes nothing.
func (m *model) canonical(p place, ages []byte, own []int) place {
	out := make([]byte, 2*len(m.txs))
	copy(out, ages)
	for i := range m.txs {
		if out[i] == 0 {
			continue
		}
		open := false
		for _, at := range m.txs[i].outs {
			open = open || m.spender(ages, at) < 0
		}
		if !open {
			out[i] = m.oldest
		}
	}
	for _, i := range own {
		if out[i] == 0 {
			out[len(m.txs)+i] = min(m.tried(p, i)+1, uint8(m.confirm))
		}
	}

	return place(out)
}
