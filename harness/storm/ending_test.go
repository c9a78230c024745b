package storm

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/payment"
	"superscalar/refnode/wallet"
)

// ending is a storm whose channels end on the chain.
type ending struct {
	*storm
	from    chain.Height
	started map[int]bool              // clients whose channels somebody ends
	outputs map[btcwire.OutPoint]bool // every output that a channel was or may be on
}

// mostBlocks is when channels that have not ended never will: above the expiry of any
// HTLC, what it takes to reach the chain, and the delays there.
const mostBlocks = 700

// finish ends every channel on the chain, in the middle of whatever goes on, and checks
// that everybody gets what is theirs.
func (s *storm) finish() {
	s.t.Helper()
	tip, err := s.chain.Tip(context.Background())
	s.check(err)
	e := &ending{s, tip.Height, map[int]bool{}, map[btcwire.OutPoint]bool{}}
	s.steps(40+s.r.IntN(150), s.actions())
	s.ends = true
	for block := range mostBlocks {
		if block%40 == 0 {
			e.some()
		}
		s.steps(s.r.IntN(25), e.actions())
		e.see()
		s.mine(1)
		if e.over() {
			e.account()
			return
		}
	}
	s.fail("it does not end: %s", e.open())
}

// actions go on while channels end. Nobody is away for long.
func (e *ending) actions() []action {
	s := e.storm
	return []action{
		{"messages", 800, s.someMessage}, {"payments", 10, s.somePayment}, {"disconnects", 4, s.someCut}, {"connects", 100, s.someConnect},
		{"crashes", 2, s.someCrash}, {"restarts", 200, s.someStart}, {"faults of a disk", 2, s.someFault},
	}
}

// some begins the end of the channels of a client that nobody has ended yet.
func (e *ending) some() {
	s := e.storm
	var left []*party
	for _, c := range s.clients {
		if !e.started[c.index] && !e.onChain(c) {
			left = append(left, c)
		}
	}
	if len(left) == 0 {
		return
	}
	c := left[s.r.IntN(len(left))]
	e.started[c.index] = true
	s.begin(c)
	s.begin(s.lsp)
	who, how := c, s.r.IntN(3)
	var err error
	switch how {
	case 0:
		err = c.client.Leave(s.lsp.id(), s.id)
	case 1:
		err = c.hub.CloseChannel(c.hub.Channels()[0].ID, nil, true)
	default:
		who = s.lsp
		all := slices.DeleteFunc(s.lsp.hub.Channels(), func(ch hub.Status) bool { return ch.Peer != c.id() })
		if len(all) > 0 {
			err = s.lsp.hub.CloseChannel(all[0].ID, nil, true)
		}
	}
	s.note("the channels of %s end, way %d: %v", c.name, how, err)
	if err != nil {
		e.started[c.index] = false // a fault of its disk: another time
	} else {
		s.counts["ends on the chain"]++
	}
	s.follow(who)
	s.look(who)
}

// onChain reports whether a channel of a client has ended already.
func (e *ending) onChain(c *party) bool {
	e.begin(c)
	all := c.hub.Channels()
	return len(all) == 0 || slices.ContainsFunc(all, func(ch hub.Status) bool { return ch.Closed || ch.Failure != "" })
}

// over reports whether every channel has ended for both sides, and every payment.
func (e *ending) over() bool { return e.open() == "" }

// open says what has not ended.
func (e *ending) open() string {
	for _, p := range e.all() {
		if p.hub == nil {
			return p.name + " is away"
		}
		for _, ch := range p.hub.Channels() {
			if !ch.Closed && (ch.Ready || e.sold(ch)) {
				return fmt.Sprintf("%s has a channel %s %s", p.name, ch.State(), ch.Failure)
			}
		}
		for _, paid := range p.hub.Payments() {
			if paid.State == payment.InFlight {
				return p.name + " has a payment in flight"
			}
		}
	}
	return ""
}

// see remembers the outputs of channels.
func (e *ending) see() {
	for _, p := range e.all() {
		if p.hub == nil {
			continue
		}
		for _, ch := range p.hub.Channels() {
			_ = p.hub.Do(ch.ID, func(m *channel.Machine) error {
				for _, f := range m.Fundings {
					e.outputs[btcwire.OutPoint{Hash: chainhash.Hash(f.Txid), Index: uint32(f.Index)}] = true
				}
				for _, r := range m.Replaced {
					e.outputs[btcwire.OutPoint{Hash: chainhash.Hash(r.Funding.Txid), Index: uint32(r.Funding.Index)}] = true
				}
				return nil
			})
		}
	}
}

// ownScripts are those of a wallet.
func (e *ending) ownScripts(p *party) map[string]bool {
	const most = 400
	w, err := wallet.New(wallet.Options{Keys: func(i uint32) (*btcec.PrivateKey, error) { return p.derive("wallet", i) }})
	e.check(err)
	scripts := map[string]bool{}
	for range most {
		script, err := w.NewScript()
		e.check(err)
		scripts[string(script)] = true
	}
	return scripts
}

// account checks that everybody has got onto the chain what the payments say: a client
// all of it but for dust, the LSP the rest but for the fees of commitments.
func (e *ending) account() {
	s := e.storm
	s.t.Helper()
	var blocks []chain.Block
	s.check(chain.Follow(context.Background(), s.chain, chain.BlockID{}, func(u chain.Update) error {
		blocks = append(blocks, u.Connected...)
		return nil
	}))
	outputs := map[btcwire.OutPoint]*btcwire.TxOut{}
	owners := make([]map[string]bool, len(s.all()))
	for i, p := range s.all() {
		owners[i] = e.ownScripts(p)
	}
	sum, taken, fees, left := payment.Msat(0), make([]int64, len(owners)), int64(0), map[btcwire.OutPoint]int64{}
	ended := 0
	for _, b := range blocks {
		for _, tx := range b.Transactions {
			txid := tx.TxHash()
			for i, out := range tx.TxOut {
				outputs[btcwire.OutPoint{Hash: txid, Index: uint32(i)}] = out
			}
			if b.Height <= e.from {
				continue
			}
			follows := false
			for _, in := range tx.TxIn {
				_, was := left[in.PreviousOutPoint]
				delete(left, in.PreviousOutPoint)
				follows = follows || was || e.outputs[in.PreviousOutPoint]
				if e.outputs[in.PreviousOutPoint] {
					ended++
					sum += payment.Msat(1000 * outputs[in.PreviousOutPoint].Value)
					fees += outputs[in.PreviousOutPoint].Value
					for _, out := range tx.TxOut {
						fees -= out.Value
					}
				}
			}
			for who, scripts := range owners {
				if !slices.ContainsFunc(tx.TxOut, func(out *btcwire.TxOut) bool { return scripts[string(out.PkScript)] }) {
					continue
				}
				follows = false // what it leaves is somebody's
				for _, in := range tx.TxIn {
					if out := outputs[in.PreviousOutPoint]; out != nil && !scripts[string(out.PkScript)] {
						taken[who] += out.Value
					}
				}
				for _, out := range tx.TxOut {
					if !scripts[string(out.PkScript)] {
						taken[who] -= out.Value // it is claimed later
					}
				}
			}
			for i, out := range tx.TxOut {
				if follows {
					left[btcwire.OutPoint{Hash: txid, Index: uint32(i)}] = out.Value
				}
			}
		}
	}
	channels := 0
	for _, c := range s.clients {
		channels += len(s.tree().Channels(factory.ClientIndex(c.index)))
	}
	if ended != channels && s.lsp.lsp.Factories()[0].Interrupted == "" {
		s.fail("%d of %d channels ended on the chain", ended, channels)
	}
	e.compare(s.entitled(sum), taken, fees, left, ended)
}

// What may be lost, in sat: an output under the dust limit, and the anchors, which
// whoever publishes pays for.
const (
	dust   = 354
	anchor = 330
)

// compare is the end of account. fees is what commitments paid, left what nobody took.
func (e *ending) compare(want []payment.Msat, taken []int64, fees int64, left map[btcwire.OutPoint]int64, channels int) {
	s := e.storm
	s.t.Helper()
	lost := int64(channels) * dust
	for _, value := range left {
		lost += value
	}
	text := fmt.Sprintf("on the chain everybody has %v sat, and should have %v; %d sat of fees, %d channels, left is %v", taken, want, fees, channels, left)
	for i, msat := range want {
		least, most := int64(msat/1000)-lost, int64(msat/1000)+int64(channels)*anchor+lost
		if i == 0 {
			least -= fees + int64(channels)*2*anchor
			most += stockEach * int64(len(s.clients))
		}
		if taken[i] < least || taken[i] > most {
			s.fail("%s: %s", s.all()[i].name, text)
		}
	}
	s.note("%s", text)
}
