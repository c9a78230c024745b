package channel_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// plugin plays the plugin of node i: it answers the oldest question. Both
// plugins take the outpoint of a change from its payload.
func (p *pair) plugin(i int, cut crash) {
	p.t.Helper()
	if len(p.asks[i]) == 0 {
		return
	}
	ask := p.asks[i][0]
	p.asks[i] = p.asks[i][1:]
	p.step(i, cut, func(m *channel.Machine) {
		switch ask := ask.(type) {
		case channel.AskChange:
			if !ask.Ack {
				p.current[i] = string(ask.Payload)
			}
			var sat int64
			if !ask.Ack {
				sat = p.contributed[wire.Txid(sha256.Sum256(ask.Payload))][i]
			}
			p.fine(m.AnswerChange(ask.ID, sat, nil, ""))
		case channel.AskChangeOutpoint:
			p.fine(m.ChangeOutpoint(ask.ID, wire.Txid(sha256.Sum256([]byte(p.current[i]))), 3))
		case channel.AskContinue:
			if p.aborted[ask.Txid] { // the node may have ended before it was done
				p.fine(m.AbortChange("called off before"))
				return
			}
			p.pending[ask.Txid] = true
			p.fine(m.ChangePending())
			p.fine(m.ChangeStored())
		case channel.AskLock:
			if !p.agreed[ask.Txid] {
				p.t.Fatalf("%s: the peer locks %v, agreed on %v", p.nodes[i].name, ask.Txid, p.lockedOn)
			}
			p.fine(m.Lock(ask.Txid))
		}
	})
}

// fine lets a question be answered too late.
func (p *pair) fine(err error) {
	if err != nil && err != channel.ErrNotNow {
		p.t.Fatal(err)
	}
}

// startChange has node i begin a change that moves sat out of or into its
// balance.
func (p *pair) startChange(i int, cut crash, sat int64) {
	p.attempts++
	payload := fmt.Sprintf("attempt %d of %d", p.attempts, i)
	txid := wire.Txid(sha256.Sum256([]byte(payload)))
	p.contributed[txid] = [2]int64{500, 500}
	if i == 0 {
		p.contributed[txid] = [2]int64{sat, 500}
	} else {
		p.contributed[txid] = [2]int64{500, sat}
	}
	p.step(i, cut, func(m *channel.Machine) {
		if m.StartChange(sat, []byte(payload)) == nil {
			p.current[i] = payload
		}
	})
}

// abort calls off a change on node i, unless a plugin regards it as pending.
func (p *pair) abort(i int, cut crash) {
	f := p.nodes[i].m.Fundings
	txid := f[len(f)-1].Txid
	if p.pending[txid] {
		return
	}
	if len(f) > 1 {
		p.aborted[txid] = true
	}
	p.step(i, cut, func(m *channel.Machine) { p.fine(m.AbortChange("changed our mind")) })
}

// callOff has node i begin a change, which both sides commit to unless something stands in
// the way, and call it off.
func (p *pair) callOff(i int, cut crash, sat int64) {
	p.t.Helper()
	p.startChange(i, -1, sat)
	for range 4 {
		p.drain()
		for k := range p.nodes {
			for len(p.asks[k]) > 0 && volatile(p.asks[k][0]) {
				p.plugin(k, -1)
			}
		}
	}
	p.abort(i, cut)
}

// lock has node i lock the pending output that both plugins agree on.
func (p *pair) lock(i int, cut crash) {
	for _, n := range p.nodes {
		if len(n.m.Fundings) > 0 && n.m.Fundings[0].Txid == p.lockedOn {
			continue
		}
		if n.m.State.Fundings != nil && !slices.ContainsFunc(n.m.Fundings, func(f channel.Funding) bool { return f.Txid == p.lockedOn }) {
			p.lockedOn = wire.Txid{}
		}
	}
	if p.lockedOn == (wire.Txid{}) || p.bothOn(p.lockedOn) {
		p.lockedOn = wire.Txid{}
		for txid, state := range p.nodes[i].router.changes {
			if state == "continued" && p.nodes[1-i].router.changes[txid] == "continued" && (p.lockedOn == wire.Txid{} || slices.Compare(txid[:], p.lockedOn[:]) < 0) {
				p.lockedOn = txid
			}
		}
	}
	if p.lockedOn != (wire.Txid{}) {
		p.agreed[p.lockedOn] = true
		p.step(i, cut, func(m *channel.Machine) { p.fine(m.Lock(p.lockedOn)) })
	}
}

func (p *pair) bothOn(txid wire.Txid) bool {
	return p.nodes[0].m.Fundings[0].Txid == txid && p.nodes[1].m.Fundings[0].Txid == txid
}

// talk lets everything travel and answers the questions of both plugins.
func (p *pair) talk() {
	p.t.Helper()
	for tries := 0; tries < 8; tries++ {
		if !p.connected {
			p.reconnect()
		}
		p.drain()
		for i := range p.nodes {
			for k := len(p.asks[i]); k > 0; k-- {
				p.plugin(i, -1)
			}
		}
	}
}

// settle brings everything to its end: reconnects, answers every question and
// every HTLC, and checks that both sides agree.
func (p *pair) settle() {
	p.t.Helper()
	for round := 0; ; round++ {
		if round > 60 {
			p.t.Fatalf("no end: %v", last(p.sent, 60))
		}
		if !p.connected || round%10 == 9 {
			p.reconnect()
		}
		p.drain()
		busy := false
		for i := range p.nodes {
			for len(p.asks[i]) > 0 {
				p.plugin(i, -1)
				busy = true
			}
			p.drain()
			for _, id := range p.nodes[i].open() {
				p.resolve(i, -1, id, 0)
				busy = true
			}
			p.drain()
		}
		if !busy && p.idle() {
			break
		}
	}
	p.agree()
}

func (p *pair) idle() bool {
	for _, n := range p.nodes {
		if len(n.m.HTLCs) > 0 || len(n.m.Feerates) > 0 {
			return false
		}
	}
	return p.connected && len(p.queue[0])+len(p.queue[1]) == 0
}

// agree compares both sides when nothing is on its way, and with what the
// routers booked.
func (p *pair) agree() {
	p.t.Helper()
	a, b := p.nodes[0], p.nodes[1]
	var contributed [2]int64
	for txid, state := range a.router.changes {
		if state == "locked" {
			contributed[0] += p.contributed[txid][0]
			contributed[1] += p.contributed[txid][1]
		}
	}
	if a.m.Balance != b.m.Balance || a.m.Feerate != b.m.Feerate {
		p.t.Fatalf("balances %v and %v, feerates %d and %d", a.m.Balance, b.m.Balance, a.m.Feerate, b.m.Feerate)
	}
	if len(a.m.Fundings) != len(b.m.Fundings) {
		p.t.Fatalf("%d and %d outputs: %v", len(a.m.Fundings), len(b.m.Fundings), last(p.sent, 80))
	}
	for i := range a.m.Fundings {
		if a.m.Fundings[i].Txid != b.m.Fundings[i].Txid {
			p.t.Fatalf("output %d differs", i)
		}
	}
	want := [2]int64{600_000_000 + 1000*contributed[0], 400_000_000 + 1000*contributed[1]}
	for i, n := range p.nodes {
		for origin, state := range n.router.offered {
			if state == "" {
				p.t.Fatalf("%s: HTLC %x has no end", n.name, origin[:8])
			}
			if state == "fulfilled" {
				want[i] -= int64(n.router.amounts[origin])
				want[1-i] += int64(n.router.amounts[origin])
			}
		}
	}
	for i := range want {
		if int64(a.m.Balance[i]) != want[i] {
			p.t.Fatalf("balance %d is %d, the routers count %d", i, a.m.Balance[i], want[i])
		}
	}
}

// TestScripts runs random scripts of payments, feerates, factory changes,
// disconnections and crashes at every point of a step, with changes that are called off after
// both sides committed to them. Both sides have to see
// the same commitments after every step (observe), and in the end nothing is
// lost, doubled or forgotten.
func TestScripts(t *testing.T) {
	crashes := map[string]int{}
	kinds := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		p := opened(t, setting{})
		p.crashes = crashes
		for k := rapid.IntRange(10, 90).Draw(rt, "steps"); k > 0; k-- {
			p.random(rt, kinds)
		}
		p.settle()
		for _, n := range p.nodes {
			for _, e := range n.events {
				kinds[fmt.Sprintf("%T", e)]++
			}
			kinds["revoked"] += len(n.revoked)
		}
		for _, msg := range p.sent {
			kinds[msg]++
		}
	})
	t.Logf("crashes %v", crashes)
	t.Logf("operations %v", kinds)
	for _, point := range []string{"before the store", "after 0 messages", "after the step"} {
		if crashes[point] == 0 && !testing.Short() {
			t.Errorf("no crash %s", point)
		}
	}
}

// random does one operation.
func (p *pair) random(rt *rapid.T, kinds map[string]int) {
	p.t.Helper()
	i := rapid.IntRange(0, 1).Draw(rt, "node")
	cut := crash(-1)
	if rapid.IntRange(0, 9).Draw(rt, "crash") == 9 {
		cut = crash(rapid.IntRange(0, 5).Draw(rt, "at"))
	}
	kind := rapid.SampledFrom([]string{
		"deliver", "deliver", "deliver", "deliver", "deliver", "deliver", "add", "add", "resolve", "resolve",
		"fee", "reconnect", "change", "plugin", "plugin", "abort", "call off", "lock", "lock", "drain", "talk", "talk",
	}).Draw(rt, "kind")
	kinds[kind]++
	switch kind {
	case "deliver":
		p.deliver(i, cut)
	case "add":
		_ = p.add(i, cut, channel.MilliSat(rapid.SampledFrom([]int{1_000, 300_000, 2_000_000, 90_000_000}).Draw(rt, "amount")))
	case "resolve":
		if open := p.nodes[i].open(); len(open) > 0 {
			p.resolve(i, cut, rapid.SampledFrom(open).Draw(rt, "id"), rapid.IntRange(0, 2).Draw(rt, "how"))
		}
	case "fee":
		p.step(0, cut, func(m *channel.Machine) { _ = m.UpdateFee(channel.Feerate(rapid.IntRange(253, 2000).Draw(rt, "rate"))) })
	case "reconnect":
		p.reconnect()
	case "change":
		p.startChange(i, cut, int64(rapid.IntRange(-2000, 3000).Draw(rt, "contribution")))
	case "plugin":
		p.plugin(i, cut)
	case "abort":
		p.abort(i, cut)
	case "call off":
		p.callOff(i, cut, int64(rapid.IntRange(-2000, 3000).Draw(rt, "contribution")))
	case "lock":
		p.lock(i, cut)
	case "drain":
		p.drain()
	case "talk":
		p.talk()
	}
}
