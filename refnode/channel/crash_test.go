package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
)

// story is a life of a channel in a factory: payments in both directions and
// of all ends, a feerate, a change with HTLCs pending, payments on two outputs,
// the lock, and payments after it. It goes on after a crash anywhere.
func story(p *pair) {
	live := func() {
		p.t.Helper()
		if !p.connected {
			p.reconnect()
		}
	}
	quiet := p.talk
	answer := func(how int) {
		p.t.Helper()
		for i := range p.nodes {
			for _, id := range p.nodes[i].open() {
				live()
				p.resolve(i, -1, id, how)
			}
		}
	}
	live()
	_ = p.add(0, -1, 50_000_000)
	_ = p.add(1, -1, 300_000)
	_ = p.add(1, -1, 20_000_000)
	quiet()
	answer(0)
	_ = p.add(0, -1, 7_000_000)
	p.step(0, -1, func(m *channel.Machine) { _ = m.UpdateFee(500) })
	quiet()
	live()
	p.startChange(1, -1, 0)
	quiet()
	answer(1)
	_ = p.add(1, -1, 4_000_000)
	p.deliver(0, -1)
	for i := range p.nodes {
		live()
		p.lock(i, -1)
	}
	quiet()
	answer(2)
	quiet()
}

// TestCrashEverywhere cuts every step of a story off at every point: before its
// state is stored, and after each number of messages that it sent. Whatever is
// lost, both sides go on and agree.
func TestCrashEverywhere(t *testing.T) {
	p := opened(t, setting{})
	begin := p.count
	story(p)
	if p.nodes[0].m.LastLocked == (p.nodes[0].m.Replaced[0].Funding.Txid) || len(p.nodes[0].m.Replaced) != 1 {
		t.Fatal("the story has no locked change")
	}
	p.settle()
	messages, crashes := p.messages, map[string]int{}
	stride := 1
	if testing.Short() {
		stride = 5
	}
	cases := 0
	for number := begin; number < p.count; number += stride {
		for cut := 0; cut <= messages[number]+1; cut++ {
			p := opened(t, setting{})
			p.planned, p.plannedCut, p.crashes = number, crash(cut), crashes
			story(p)
			p.settle()
			cases++
			if t.Failed() {
				t.Fatalf("step %d cut at %d", number, cut)
			}
		}
	}
	t.Logf("%d steps, %d crashes: %v", p.count-begin, cases, crashes)
}
