package storm

import (
	"fmt"
	"slices"
	"time"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/payment"
	"superscalar/wire"
)

// calm brings everybody back, lets everything end, and checks what must hold then.
func (s *storm) calm() {
	s.t.Helper()
	s.blocks = 0
	reason := ""
	for round := range 12 {
		s.everybody()
		if len(s.chain.Mempool()) > 0 { // a reorganisation
			s.mine(1)
		}
		s.run()
		if reason = s.noise(); reason == "" {
			s.holds()
			return
		}
		s.note("not quiet: %s", reason)
		s.pass(61 * time.Second) // parts that wait for others, attempts that wait for an answer
		s.run()
		if round%3 == 2 { // whoever was interrupted is asked again when somebody connects
			for _, l := range s.links {
				s.cut(l)
			}
		}
	}
	s.fail("it never gets quiet: %s", reason)
}

// pair is a channel as both sides have it.
type pair struct {
	client *party
	id     wire.ChannelID
	sides  [2]*channel.State // the LSP's, the client's
}

// channels are those of a party, but for what is left over of sales that came to nothing.
// A client that has stored the first phase keeps the channel, should the sale go on, when
// its LSP has forgotten both (section 8.1). It is not in any tree, and nothing is in it. Nor
// is what another channel has absorbed.
func (s *storm) channels(p *party) []hub.Status {
	return slices.DeleteFunc(p.hub.Channels(), func(ch hub.Status) bool {
		return ch.Closed || !ch.Ready && p.index >= 0 && ch.Local == 0 && !s.sold(ch)
	})
}

// sold reports whether the LSP has the output of a channel in its tree, wherever that
// has moved to.
func (s *storm) sold(ch hub.Status) bool {
	for _, c := range s.clients {
		for _, o := range s.tree().Channels(factory.ClientIndex(c.index)) {
			if slices.Contains(o.Channel.Keys[:], [33]byte(ch.Opener)) {
				return true
			}
		}
	}
	return false
}

func (s *storm) pairs() (all []pair, problem string) {
	for _, ch := range s.channels(s.lsp) {
		i := slices.IndexFunc(s.clients, func(c *party) bool { return c.id() == ch.Peer })
		p := pair{client: s.clients[i], id: ch.ID}
		p.sides = [2]*channel.State{s.lsp.state(ch.ID), p.client.state(ch.ID)}
		if p.sides[1] == nil {
			return nil, fmt.Sprintf("%s has no channel %s", p.client.name, ch.ID)
		}
		all = append(all, p)
	}
	for _, c := range s.clients {
		for _, ch := range s.channels(c) {
			if !slices.ContainsFunc(all, func(p pair) bool { return p.id == ch.ID }) {
				return nil, fmt.Sprintf("only %s has channel %s", c.name, ch.ID)
			}
		}
	}
	return all, ""
}

// tree is the LSP's.
func (s *storm) tree() *factory.Tree {
	if s.lsp.lsp == nil {
		return s.lastTree
	}
	return s.lsp.lsp.Factories()[0].Tree
}

// noise says what is not quiet yet.
func (s *storm) noise() string {
	for _, l := range s.links {
		if !l.up {
			return "a connection is down"
		}
	}
	if f := s.lsp.lsp.Factories()[0]; f.Interrupted != "" {
		return "interrupted: " + f.Interrupted
	}
	pairs, problem := s.pairs()
	if problem != "" {
		return problem
	}
	for _, p := range pairs {
		for i, x := range p.sides {
			who := []string{"the LSP", p.client.name}[i]
			switch {
			case x.Failure != "":
				s.fail("%s fails a channel: %s", who, x.Failure)
			case len(x.HTLCs)+len(x.Feerates) > 0:
				return fmt.Sprintf("%s has %d HTLCs with %s", who, len(x.HTLCs), p.client.name)
			case x.SignedNumber != x.Revoked.Next():
				return who + " waits for a revocation"
			case len(x.Fundings) != 1 || !x.SentReady || !x.GotReady:
				return fmt.Sprintf("%s has %d outputs of a channel with %s", who, len(x.Fundings), p.client.name)
			}
		}
	}
	for _, p := range s.all() {
		for _, c := range s.channels(p) {
			if !c.Link.Up || p != s.lsp && !c.Policy.Known {
				return p.name + " has a channel that is not up"
			}
		}
	}
	return ""
}

// holds checks what must hold when everything is quiet.
func (s *storm) holds() {
	s.t.Helper()
	pairs, _ := s.pairs()
	var sum payment.Msat
	for _, p := range pairs {
		x, y := p.sides[0], p.sides[1]
		f := x.Fundings[0]
		if g := y.Fundings[0]; f.Txid != g.Txid || f.Index != g.Index || f.Value != g.Value {
			s.fail("the LSP has a channel on %v of %d sat, %s on %v of %d", f.Txid, f.Value, p.client.name, g.Txid, g.Value)
		}
		if x.LocalNumber != y.SignedNumber || y.LocalNumber != x.SignedNumber {
			s.fail("%s has commitments %d and %d, the LSP %d and %d", p.client.name, y.LocalNumber, y.SignedNumber, x.SignedNumber, x.LocalNumber)
		}
		if x.Balance != y.Balance || x.Balance[0]+x.Balance[1] != 1000*channel.MilliSat(f.Value) {
			s.fail("%s has balances %v, the LSP %v, of %d sat", p.client.name, y.Balance, x.Balance, f.Value)
		}
		for side, q := range []*party{s.lsp, p.client} {
			err := q.hub.Do(p.id, func(m *channel.Machine) error {
				_, err := m.LatestCommitment(f.Txid)
				return err
			})
			if err != nil {
				s.fail("side %d has no commitment: %v", side, err)
			}
		}
		sum += payment.Msat(1000 * f.Value)
	}
	s.sameTrees(pairs)
	s.settled(sum)
}

// sameTrees checks that the trees of both sides have the outputs that the channels are
// on, and that nobody leaves.
func (s *storm) sameTrees(pairs []pair) {
	s.t.Helper()
	standing := s.lsp.lsp.Factories()[0]
	if len(standing.Paths) > 0 {
		s.fail("the LSP leaves")
	}
	n := 0
	for _, c := range s.clients {
		f := c.client.Factories()[0]
		if f.Leaving {
			s.fail("%s leaves", c.name)
		}
		i := factory.ClientIndex(c.index)
		ours, theirs := standing.Tree.Channels(i), f.Tree.Channels(i)
		for k, o := range ours {
			if len(ours) != len(theirs) || theirs[k].Outpoint != o.Outpoint || theirs[k].Value != o.Value {
				s.fail("%s has %v in its tree, the LSP %v", c.name, theirs, ours)
			}
			n++
			if !slices.ContainsFunc(pairs, func(p pair) bool {
				at := p.sides[0].Fundings[0]
				return p.client == c && at.Txid == wire.Txid(o.Outpoint.Hash) && uint32(at.Index) == o.Outpoint.Index && at.Value == commitment.Sat(o.Value)
			}) {
				s.fail("no channel of %s on %v", c.name, o.Outpoint)
			}
		}
	}
	if n != len(pairs) {
		s.fail("%d channels on %d outputs", len(pairs), n)
	}
}
