package storm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/chain"
	"superscalar/refnode/channel"
	"superscalar/refnode/closing"
	"superscalar/refnode/factory"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// record is a copy of what a party had on its disk once. Whoever starts a node on it
// publishes the tree, the sales and the commitments of then.
type record struct {
	p   *party
	dir string
}

// loot is a commitment that was complete on its owner's side once: on an output that it
// had, one that a change that was called off or is not complete would have had, or that of a channel that
// another one absorbed.
type loot struct {
	owner  *party
	id     wire.ChannelID
	number channel.Number
	spends btcwire.OutPoint
	tx     *btcwire.MsgTx
	then   *closing.Channel // what claims its outputs
	mined  bool
}

// mostRecords bounds the copies of a party's disk.
const mostRecords = 6

// someRecord copies a disk.
func (s *storm) someRecord() bool {
	p := s.anybody()
	if p == nil || p.fault() != nil {
		return false
	}
	n := 0
	for _, r := range s.records {
		if r.p == p {
			n++
		}
	}
	if n < mostRecords {
		s.copyDisk(p)
	}
	return true
}

func (s *storm) copyDisk(p *party) {
	r := record{p, filepath.Join(s.dir, fmt.Sprintf("record %d", len(s.records)))}
	s.check(os.CopyFS(r.dir, os.DirFS(p.dir)))
	s.records = append(s.records, r)
	s.note("record %d is of %s", len(s.records)-1, p.name)
}

// pocket keeps commitments that a party could publish now, with what follows them.
func (s *storm) pocket(p *party, id wire.ChannelID) {
	if p.hub == nil {
		return
	}
	one := s.r.IntN(3) == 0
	_ = p.hub.Do(id, func(m *channel.Machine) error {
		for _, f := range m.Fundings {
			if len(m.Fundings) == 1 && !one {
				break // it takes time; while a change goes on none is left out
			}
			c, err := m.LatestCommitment(f.Txid)
			if err != nil || s.pocketed[c.Tx.TxHash()] != nil {
				continue // none, or an absorbed channel
			}
			l := &loot{owner: p, id: id, number: m.LocalNumber, spends: c.Tx.TxIn[0].PreviousOutPoint, tx: c.Tx, then: closing.Of(m)}
			s.pocketed[c.Tx.TxHash()] = l
			s.loot = append(s.loot, l)
		}
		return nil
	})
}

// breakOff makes a party a thief: it answers nobody any more, and its other nodes start, each
// on what the disk held at another moment, with coins of their own. Sometimes it is the
// LSP, and all clients sleep until it has an old leaf on the chain: poison and penalties are for that.
func (e *ending) breakOff() {
	s := e.storm
	p := s.all()[s.cheat]
	sleep := p.isLSP() && s.r.IntN(2) == 0
	if s.poor > 0 || sleep {
		s.calm() // an HTLC does not wait for who sleeps, or has no coin
		e.covered()
	}
	if sleep {
		e.asleep, e.woken = 100, s.r.IntN(10)
		s.counts["LSPs that cheat who sleeps"]++
	}
	s.begin(p)
	if !sleep || !slices.ContainsFunc(s.records, func(r record) bool { return r.p == p }) {
		s.copyDisk(p)
	}
	s.leaveTheStage(p)
	p.thief, s.thief = true, p
	e.revocations()
	if e.asleep > 0 {
		for _, c := range s.clients {
			s.end(c)
		}
	}
	var own []record
	for _, r := range s.records {
		if r.p == p {
			own = append(own, r)
		}
	}
	for k := range 1 + s.r.IntN(2) {
		i := s.r.IntN(len(own))
		r := own[i]
		own = slices.Delete(own, i, i+1)
		s.double(r, k)
		if len(own) == 0 {
			break
		}
	}
	s.note("%s is a thief with %d nodes and %d commitments", p.name, len(s.doubles), len(s.loot))
}

// leaveTheStage ends a party for good.
func (s *storm) leaveTheStage(p *party) {
	s.begin(p)
	s.lastTree = s.tree()
	past := p.remember()
	s.end(p)
	p.past = past
}

// wake lets the clients begin again, some blocks after the thief has a leaf on the chain.
func (e *ending) wake() {
	if e.asleep == 0 {
		return
	}
	e.asleep--
	for at := range e.outputs {
		if _, there, err := e.chain.Transaction(context.Background(), at.Hash); err == nil && there {
			e.asleep = min(e.asleep, e.woken)
		}
	}
	if e.asleep == 0 {
		e.awakes()
	}
}

// double starts another node of a thief, and has it leave.
func (s *storm) double(r record, k int) {
	q := s.party(r.p.name, r.p.index)
	q.dir, q.thief, q.purse, q.runs = r.dir, true, fmt.Sprint("purse ", k), 1000*(k+1)
	if s.r.IntN(2) == 0 { // it keeps what it sold
		q.rules = rule.Without(rule.PS023, rule.PS024)
	}
	s.check(q.start())
	s.t.Cleanup(q.stop)
	var outs []*btcwire.TxOut
	for range bumpsOther {
		script, err := q.wallet.NewScript()
		s.check(err)
		outs = append(outs, btcwire.NewTxOut(coinBump, script))
	}
	_, err := s.chain.FundOutputs(outs...)
	s.check(err)
	s.doubles = append(s.doubles, q)
	s.note("another node of %s starts on %s", q.name, filepath.Base(q.dir))
	if q.isLSP() {
		for i := range s.clients {
			s.check(q.lsp.LeaveFor(s.id, factory.ClientIndex(i)))
		}
	} else {
		s.check(q.client.Leave(s.lsp.id(), s.id))
	}
}

// rob puts a commitment of the thief into a block, as somebody may who mines: in place of
// what others have in the mempool. The thief claims what comes out of those that it has mined.
func (e *ending) rob() {
	s := e.storm
	if s.thief == nil {
		return
	}
	e.claim()
	how := s.r.IntN(8)
	if how == 0 {
		return
	}
	for _, i := range s.r.Perm(len(s.loot)) {
		l := s.loot[i]
		if l.owner != s.thief || how > 1 && !e.mines(l) || how == 1 && !e.rewrites(l) {
			continue
		}
		l.mined = true
		what := "commitments"
		if e.isRevoked(l.tx) {
			what = "revoked commitments"
		}
		if !e.current[l.spends] {
			what += " on other outputs"
		}
		s.note("the thief mines commitment %d of %.8s, one of its %s", l.number, l.id, what)
		s.counts[what+" that a thief mines"]++
		if s.r.IntN(2) == 0 {
			e.claim() // before anybody else has seen it
		}
		s.looks()
		return
	}
}

// mines puts a commitment into the next block, if its output is there and nobody has spent it.
func (e *ending) mines(l *loot) bool {
	if _, unspent, err := e.chain.Output(context.Background(), l.spends); err != nil || !unspent {
		return false
	}
	_, err := e.chain.MineWith(l.tx)
	return err == nil
}

// rewrites puts a commitment into a block in place of what spent its output in the last ones.
func (e *ending) rewrites(l *loot) bool {
	depth := uint32(1 + e.r.IntN(e.deepest()))
	spend, spent, err := e.chain.Spend(context.Background(), l.spends)
	tip, failed := e.chain.Tip(context.Background())
	if err != nil || failed != nil || !spent || spend.Block.Height == 0 || spend.Block.Height+chain.Height(depth) <= tip.Height || spend.Tx.TxHash() == l.tx.TxHash() {
		return false
	}
	if err := e.chain.Reorg(depth, []*btcwire.MsgTx{l.tx}); err != nil {
		return false
	}
	e.counts["blocks that a thief rewrites"] += int(depth)
	return true
}

// claim takes a step for each commitment that the thief has mined.
func (e *ending) claim() {
	for _, l := range e.loot {
		if !l.mined {
			continue
		}
		if e.driver == nil {
			e.driver = &closing.Driver{Wallet: e.doubles[0].wallet}
			var err error
			e.purse, err = e.driver.Wallet.NewScript()
			e.check(err)
		}
		report, err := e.driver.Step(context.Background(), e.chain, l.then, e.purse)
		if err != nil {
			e.note("the thief: %v", err)
		}
		for _, sent := range report.Sent {
			if sent.Err == nil {
				e.counts["claims of a thief"]++
			}
		}
	}
}

// isRevoked reports whether a transaction is a commitment of the thief that it had
// revoked when it broke off.
func (e *ending) isRevoked(tx *btcwire.MsgTx) bool {
	if e.thief == nil {
		return false
	}
	l := e.pocketed[tx.TxHash()]
	return l != nil && l.owner == e.thief && l.number < e.revoked[l.id]
}

// revocations notes what the peers of the thief hold: the outputs of their channels, and the numbers
// that they wait for.
func (e *ending) revocations() {
	s := e.storm
	e.revoked, e.current = map[wire.ChannelID]channel.Number{}, map[btcwire.OutPoint]bool{}
	for _, p := range s.all() {
		if p == s.thief {
			continue
		}
		s.begin(p)
		for _, ch := range p.hub.Channels() {
			if x := p.state(ch.ID); x != nil && (s.thief.isLSP() || ch.Peer == s.thief.id()) {
				e.revoked[ch.ID] = x.Revoked.Next()
				for _, f := range x.Fundings {
					e.current[btcwire.OutPoint{Hash: chainhash.Hash(f.Txid), Index: uint32(f.Index)}] = true
				}
			}
		}
	}
}

// forfeits checks who takes in a transaction that spends a revoked commitment, or what the thief
// made of one, and reports whether what it leaves is forfeit still: a second stage.
func (b *books) forfeits(who int, tx *btcwire.MsgTx) bool {
	s := b.e.storm
	if who != b.e.thiefIndex() {
		s.counts["transactions that punish"]++
		return false
	}
	gain := int64(0)
	for _, in := range tx.TxIn {
		if at := in.PreviousOutPoint; b.forfeit[at] {
			gain += b.outputs[at].Value
		}
	}
	for _, out := range tx.TxOut {
		if !b.owners[who][string(out.PkScript)] {
			gain -= out.Value
		}
	}
	if gain > crumb {
		s.fail("the thief %s takes %d sat of a revoked commitment: %s", s.thief.name, gain, tx.TxHash())
	}
	return true
}

// thiefIndex is that of the thief in all, -1: there is none.
func (e *ending) thiefIndex() int { return slices.Index(e.all(), e.thief) }
