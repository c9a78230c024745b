package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
)

// factory_change_locked waits while another change is negotiated: that one
// counts balances on the current output.
func TestLockWaits(t *testing.T) {
	p := opened(t, setting{})
	txid := p.changeTo(continued)
	p.changeTo(acknowledged)
	p.do(0, func(m *channel.Machine) { p.must(m.Lock(txid)) })
	p.drain()
	if n := count(p.sent, "factory_change_locked"); n != 0 {
		t.Fatalf("%d factory_change_locked in the middle of a change", n)
	}
	p.do(1, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
	p.drain()
	if n := count(p.sent, "factory_change_locked"); n != 1 {
		t.Errorf("%d factory_change_locked after it, want 1", n)
	}
	p.do(1, func(m *channel.Machine) { p.must(m.Lock(txid)) })
	p.drain()
	for _, n := range p.nodes {
		if len(n.m.Fundings) != 1 || n.m.Fundings[0].Txid != txid {
			t.Errorf("the %s is not on the new output", n.name)
		}
	}
}

// No quiescence begins, from either side, while only one side has locked.
func TestHalfLocked(t *testing.T) {
	for starter := range 2 {
		p := opened(t, setting{})
		txid := p.changeTo(continued)
		before := count(p.sent, "stfu")
		p.do(0, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		p.drain()
		p.startChange(starter, -1, 0)
		p.drain()
		if n := count(p.sent, "stfu"); n != before {
			t.Fatalf("stfu of node %d while one side has locked", starter)
		}
		p.do(1, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		p.drain()
		if n := count(p.sent, "stfu"); n != before+2 {
			t.Errorf("%d stfu once both have locked", n-before)
		}
	}
}

// While an output is pending, an HTLC has to be affordable on it too.
func TestAffordOnEveryOutput(t *testing.T) {
	p := opened(t, setting{})
	before := p.nodes[0].m.Link().Sendable
	p.changeTo(continued) // takes 2,000 sat from node 0
	if after := p.nodes[0].m.Link().Sendable; after != before-2_000_000 {
		t.Errorf("can send %d, %d before", after, before)
	}
	if err := p.add(0, -1, before); err == nil {
		t.Error("an HTLC that the new output cannot bear")
	}
}

// One side continues, and the other has not even got its commitment_signed when
// the connection ends: that comes again first (PCF-152, PCF-153).
func TestContinueAfterLostCommitment(t *testing.T) {
	p := opened(t, setting{})
	txid := p.changeTo(committedHalf)
	p.deliver(0, -1)
	p.do(0, func(m *channel.Machine) {
		p.must(m.ChangePending())
		p.must(m.ChangeStored())
	})
	p.reconnect()
	p.talk()
	for _, n := range p.nodes {
		if f := n.m.Fundings; len(f) != 2 || f[1].Txid != txid || !n.m.Link().Up {
			t.Errorf("the %s did not continue: %v", n.name, last(p.sent, 8))
		}
	}
}

// The peer has locked what is not continued here, since its factory_change_continue
// and factory_change_locked were lost with their connection. The first comes again, the
// second only as my_current_funding_locked, which is before it (PCF-156).
func TestLockedBeforeContinued(t *testing.T) {
	for _, late := range []bool{false, true} {
		p := opened(t, setting{})
		txid := p.changeTo(committed)
		stored := func(m *channel.Machine) { p.must(m.ChangeStored()) }
		for i := range 2 {
			p.do(i, func(m *channel.Machine) { p.must(m.ChangePending()) })
		}
		p.do(0, stored)
		p.do(1, stored)
		p.deliver(0, -1)
		p.do(0, func(m *channel.Machine) { p.must(m.Lock(txid)) })
		if n := count(p.sent, "factory_change_locked"); n != 1 {
			t.Fatalf("%d factory_change_locked", n)
		}
		lock := func() { p.do(1, func(m *channel.Machine) { p.must(m.Lock(txid)) }) }
		p.reconnect()
		p.drain()
		if late { // once more: nobody has forgotten it
			p.restart(1)
			p.reconnect()
			p.drain()
		}
		lock()
		p.drain()
		for _, n := range p.nodes {
			if len(n.m.Fundings) != 1 || n.m.Fundings[0].Txid != txid || n.m.Failure != "" {
				t.Errorf("the %s is not on the new output alone: %v", n.name, last(p.sent, 8))
			}
		}
	}
}
