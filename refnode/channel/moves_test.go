package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// After a change is locked a round of commitments without updates revokes what is
// valid on the old output (CHG-007): one of each side, on the new output alone. It
// survives a restart, and quiescence waits for it.
func TestARoundRevokesTheOldOutput(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		p := opened(t, setting{})
		p.changeTo(locked)
		var numbers [2]channel.Number
		for i, n := range p.nodes {
			numbers[i] = n.m.LocalNumber
			if len(n.m.Replaced) != 1 || n.m.Settled(n.m.Fundings[0].Txid) {
				t.Fatalf("node %d counts as settled with a commitment on its old output", i)
			}
		}
		for i := range p.nodes {
			p.do(i, func(m *channel.Machine) { m.Round() })
			if restarts {
				p.restart(i) // what it has just said is lost
			}
		}
		if restarts {
			p.reconnect()
		}
		p.drain()
		for i, n := range p.nodes {
			if n.m.LocalNumber != numbers[i]+1 || !n.m.Settled(n.m.Fundings[0].Txid) {
				t.Errorf("restarts %v: node %d is at commitment %d after %d, settled %v", restarts, i, n.m.LocalNumber, numbers[i], n.m.Settled(n.m.Fundings[0].Txid))
			}
			if _, err := n.m.LatestCommitment(n.m.Replaced[0].Funding.Txid); err == nil {
				t.Errorf("node %d would publish a revoked commitment", i)
			}
		}
	}
}

// A plugin that fixes the script of every output keeps the funding key (CHG-003).
func TestAFixedFundingKey(t *testing.T) {
	p := opened(t, setting{})
	for i, n := range p.nodes {
		n.cfg.Keys.Fixed = true
		p.restart(i)
	}
	p.reconnect()
	p.drain()
	p.changeTo(locked)
	for i, n := range p.nodes {
		f := n.m.Fundings[0]
		if f.Key != 0 || f.Keys != [2]wire.Point{n.m.Open.Keys.Funding, n.m.Accept.Keys.Funding} || n.m.NextKey != 1 {
			t.Errorf("node %d has key %d, %v", i, f.Key, f.Keys)
		}
	}
}
