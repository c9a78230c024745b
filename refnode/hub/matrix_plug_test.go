package hub_test

import (
	"errors"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/hub"
	"superscalar/wire"
)

// plug answers for the channels of a node under test: yes to everything, at once,
// unless a channel's mode keeps it silent.
type plug struct {
	mu    sync.Mutex
	modes map[wire.Point]*mode // by the funding key of the scripted peer
}

// mode is how the plug answers for one channel.
type mode struct {
	silent  func(channel.Action) bool // what it does not answer
	first   func(*wire.OpenChannel) (wire.Txid, uint16)
	next    funding
	pending bool // a change is pending as soon as it is committed
}

func newPlug() *plug { return &plug{modes: map[wire.Point]*mode{}} }

// set changes the mode of a channel.
func (x *scripted) set(change func(*mode)) {
	p := x.table.plug
	p.mu.Lock()
	defer p.mu.Unlock()
	key := wire.Point(x.keys.Funding(0).PubKey().SerializeCompressed())
	if p.modes[key] == nil {
		p.modes[key] = &mode{}
	}
	change(p.modes[key])
}

func (p *plug) mode(open, accept wire.Point) (m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range []wire.Point{open, accept} {
		if found := p.modes[key]; found != nil {
			m = *found
		}
	}
	return m
}

// FundingKey implements hub.Factory.
func (p *plug) FundingKey(wire.Point, *wire.OpenChannel) (*btcec.PrivateKey, error) { return nil, nil }

// Outpoint implements hub.Factory.
func (p *plug) Outpoint(peer wire.Point, open *wire.OpenChannel) (wire.Txid, uint16, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.modes {
		if m.first != nil {
			first := m.first
			m.first = nil
			txid, index := first(open)
			return txid, index, nil
		}
	}
	return wire.Txid{}, 0, errors.New("no outpoint")
}

// CheckOutpoint implements hub.Factory.
func (p *plug) CheckOutpoint(wire.Point, *wire.OpenChannel, wire.Txid, uint16) error { return nil }

// Hear implements hub.Factory.
func (p *plug) Hear(hub.Channel, channel.Action) {}

// Answer implements hub.Answerer.
func (p *plug) Answer(m *channel.Machine, a channel.Action) {
	mode := p.mode(m.Open.Keys.Funding, m.Accept.Keys.Funding)
	if mode.silent != nil && mode.silent(a) {
		if _, ok := a.(channel.AskContinue); ok && mode.pending {
			_ = m.ChangePending()
		}
		return
	}
	p.answer(m, a, mode.next)
}

// answer says yes. A command that comes too late changes nothing.
func (p *plug) answer(m *channel.Machine, a channel.Action, next funding) {
	switch a := a.(type) {
	case channel.AskOutpoint: // of the scripted side: the hub answers itself
		_ = m.OutpointIs("")
	case channel.Opened:
		m.SetUsable()
	case channel.AskChange:
		_ = m.AnswerChange(a.ID, next.contribution(m), nil, "")
	case channel.AskChangeOutpoint:
		if next.into {
			_ = m.ChangeInto(a.ID, next.txid, next.index)
		} else {
			_ = m.ChangeOutpoint(a.ID, next.txid, next.index)
		}
	case channel.AskContinue:
		_ = m.ChangePending()
		_ = m.ChangeStored()
	case channel.AskLock:
		_ = m.Lock(a.Txid)
	case channel.ChangeLocked:
		m.Round()
	case channel.ChangeDisputed:
		m.ForceClose("the peer disowns a change that is pending (PCF-143)")
	}
}

// funding is an output for a channel. Its transaction is not sent before somebody
// does.
type funding struct {
	txid  wire.Txid
	index uint16
	into  bool // it is another channel's, which takes what this one holds
	tx    *btcwire.MsgTx
}

// contribution is what a side puts in.
func (f funding) contribution(m *channel.Machine) int64 {
	if !f.into {
		return 0
	}
	whole, _ := m.Whole()
	return -whole[m.Side]
}

// anyone is a script that anybody can spend.
func anyone() (witness, script []byte) {
	witness = []byte{txscript.OP_TRUE}
	return witness, witnessHash(witness)
}

func witnessHash(witness []byte) []byte {
	sum := sha(witness)
	return append([]byte{txscript.OP_0, 32}, sum[:]...)
}

// fundings are coins from which funding transactions are made.
type fundings struct {
	mu    sync.Mutex
	coins []btcwire.OutPoint
}

// fundingsFor makes n coins that pay for channels of so many sat.
func (w *world) fundingsFor(n int, sat int64) *fundings {
	w.t.Helper()
	const fee = 1000
	f := &fundings{}
	_, script := anyone()
	var outs []*btcwire.TxOut
	for range n {
		outs = append(outs, btcwire.NewTxOut(sat+fee, script))
	}
	tx, err := w.chain.FundOutputs(outs...)
	check(w.t, err)
	w.mine(1)
	for i := range n {
		f.coins = append(f.coins, btcwire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)})
	}
	return f
}

// make returns the transaction that funds a channel of two funding keys.
func (x *scripted) make(sat uint64, a, b wire.Point) funding {
	out := commitment.Funding{Value: commitment.Sat(sat)}
	out.Keys[0], _ = commitment.ParseKey(a)
	out.Keys[1], _ = commitment.ParseKey(b)
	tx := x.table.funds.pay(out.Output())
	f := funding{txid: wire.Txid(tx.TxHash()), tx: tx}
	x.made = append(x.made, f)
	return f
}

// pay returns a transaction with an output, of a coin that is used for nothing else.
func (f *fundings) pay(out *btcwire.TxOut) *btcwire.MsgTx {
	f.mu.Lock()
	defer f.mu.Unlock()
	coin := f.coins[0]
	f.coins = f.coins[1:]
	witness, _ := anyone()
	tx := btcwire.NewMsgTx(2)
	tx.AddTxIn(&btcwire.TxIn{PreviousOutPoint: coin, Witness: btcwire.TxWitness{witness}, Sequence: btcwire.MaxTxInSequenceNum})
	tx.AddTxOut(out)
	return tx
}

// anew lets the peer open a channel that has nothing to do with the one before.
func (x *scripted) anew() {
	x.m, x.open, x.made, x.events, x.deaf, x.keep = nil, nil, nil, nil, nil, nil
}

// confirm sends the transaction and has it confirmed.
func (x *scripted) confirm(f funding) {
	x.t.Helper()
	if err := x.w.chain.Submit(x.t.Context(), chain.Package{f.tx}); x.kind != outside { // the node has sent its own
		check(x.t, err)
	}
	x.w.mine(1, x.table.party)
}
