package storm

import (
	"context"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/hub"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// ending is a storm whose channels end on the chain.
type ending struct {
	*storm
	early   map[chainhash.Hash]bool           // transactions from before: a reorganisation may move them up
	started map[int]bool                      // clients whose channels somebody ends
	revoked map[wire.ChannelID]channel.Number // commitments of a thief below it are revoked
	current map[btcwire.OutPoint]bool         // where its channels were then
	driver  *closing.Driver                   // the thief's, nil: it has mined nothing yet
	purse   []byte                            // where it claims to
	asleep  int                               // blocks that the honest parties sleep at most
	woken   int                               // blocks that they sleep once the thief has a leaf on the chain
	cover   []payment.Msat                    // of clients, where it is all that is promised
	awake   chain.Height                      // when they began again, 0: they did not sleep
}

// mostBlocks is when channels that have not ended never will: above the expiry of any
// HTLC, what it takes to reach the chain, and the delays there.
const mostBlocks = 700

// finish ends every channel on the chain, in the middle of whatever goes on, and checks
// that everybody gets what is theirs.
func (s *storm) finish() {
	s.t.Helper()
	s.steps(40+s.r.IntN(150), s.actions())
	e := &ending{storm: s, early: s.transactions(), started: map[int]bool{}}
	s.ends = true
	switch s.plan {
	case cheating:
		e.breakOff()
	case staying:
		e.stay()
	}
	for block := range mostBlocks {
		if block%40 == 0 && s.plan != staying && e.asleep == 0 {
			e.some()
		}
		s.steps(s.r.IntN(25), e.actions())
		s.see()
		e.rob()
		s.mine(1)
		e.wake()
		if e.over() {
			e.account()
			return
		}
	}
	s.fail("it does not end: %s", e.open())
}

// transactions are all that there are so far, in blocks and in the mempool.
func (s *storm) transactions() map[chainhash.Hash]bool {
	all := map[chainhash.Hash]bool{}
	s.check(chain.Follow(context.Background(), s.chain, chain.BlockID{}, func(u chain.Update) error {
		for _, block := range u.Connected {
			for _, tx := range block.Transactions {
				all[tx.TxHash()] = true
			}
		}
		return nil
	}))
	for _, tx := range s.chain.Mempool() {
		all[tx.TxHash()] = true
	}
	return all
}

// actions go on while channels end. Nobody is away for long.
func (e *ending) actions() []action {
	s := e.storm
	all := []action{
		{"messages", 800, s.someMessage}, {"payments", 10, s.somePayment}, {"disconnects", 4, s.someCut},
		{"crashes", 5, s.someCrash}, {"faults of a disk", 5, s.someFault}, {"reorganisations", 2, e.someReorg},
	}
	if e.asleep == 0 {
		all = append(all, action{"connects", 100, s.someConnect}, action{"restarts", 200, s.someStart})
	}
	return all
}

// some begins the end of the channels of a client that nobody has ended yet.
func (e *ending) some() {
	s := e.storm
	var left []*party
	for _, c := range s.clients {
		if c == s.thief {
			e.giveUp(c)
		} else if c.index < len(s.clients)-s.poor && !e.started[c.index] && !e.onChain(c) {
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
	if s.lsp.past != nil {
		how = s.r.IntN(2)
	}
	var err error
	switch how {
	case 0:
		err = c.client.Leave(s.lsp.id(), s.id)
	case 1:
		err = c.hub.CloseChannel(c.live()[0].ID, nil, true)
	default:
		who = s.lsp
		all := slices.DeleteFunc(s.lsp.live(), func(ch hub.Status) bool { return ch.Peer != c.id() })
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

// giveUp ends the channels with a client that is a thief, should it have none of its own on the chain.
func (e *ending) giveUp(c *party) {
	e.begin(e.lsp)
	for _, ch := range e.lsp.live() {
		if ch.Peer == c.id() && ch.Failure == "" {
			e.note("the LSP gives the thief up: %v", e.lsp.hub.CloseChannel(ch.ID, nil, true))
			e.follow(e.lsp)
			return
		}
	}
}

// onChain reports whether a channel of a client has ended already.
func (e *ending) onChain(c *party) bool {
	e.begin(c)
	all := c.live()
	return len(all) == 0 || slices.ContainsFunc(all, func(ch hub.Status) bool { return ch.Failure != "" })
}

// live are the channels of a party that are not over.
func (p *party) live() []hub.Status {
	return slices.DeleteFunc(p.hub.Channels(), func(ch hub.Status) bool { return ch.Closed })
}

// over reports whether every channel has ended for both sides, and every payment.
func (e *ending) over() bool { return e.open() == "" }

// never reports whether a channel never comes onto the chain: its sale was withheld, or its
// leaf replaced, by an LSP that is gone. Its client has it all the same.
func (e *ending) never(ch hub.Status) bool {
	_, there, err := e.chain.Transaction(context.Background(), chainhash.Hash(ch.Txid))
	e.check(err)
	return !there && e.late()
}

// late reports whether the factory has expired, and its LSP is gone.
func (e *ending) late() bool {
	tip, err := e.chain.Tip(context.Background())
	e.check(err)
	return e.lsp.past != nil && uint32(tip.Height) > uint32(e.tree().Factory().Terms().Params.Expiry)+60
}

// open says what has not ended.
func (e *ending) open() string {
	if e.plan == staying && e.lsp.past != nil {
		return e.untilExpiry()
	}
	for _, p := range e.all() {
		if p.past != nil {
			continue
		}
		if p.hub == nil {
			return p.name + " is away"
		}
		if what := e.unfinished(p); what != "" {
			return what
		}
		for _, paid := range p.hub.Payments() {
			if paid.State == payment.InFlight && !e.late() {
				return p.name + " has a payment in flight"
			}
		}
	}
	return ""
}

// unfinished says what channel of a party has not ended.
func (e *ending) unfinished(p *party) string {
	for _, ch := range p.hub.Channels() {
		if !ch.Closed && (ch.Ready || e.sold(ch)) && !e.never(ch) {
			return fmt.Sprintf("%s has a channel %s %s", p.name, ch.State(), ch.Failure)
		}
	}
	return ""
}

// see remembers the outputs of channels.
func (s *storm) see() {
	for _, p := range s.all() {
		if p.hub == nil {
			continue
		}
		for _, ch := range p.hub.Channels() {
			_ = p.hub.Do(ch.ID, func(m *channel.Machine) error {
				for _, f := range m.Fundings {
					s.outputs[btcwire.OutPoint{Hash: chainhash.Hash(f.Txid), Index: uint32(f.Index)}] = true
				}
				for _, r := range m.Replaced {
					s.outputs[btcwire.OutPoint{Hash: chainhash.Hash(r.Funding.Txid), Index: uint32(r.Funding.Index)}] = true
				}
				return nil
			})
		}
	}
}
