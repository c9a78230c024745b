package channel_test

import (
	"errors"
	"slices"
	"testing"

	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Both sides close a channel with an HTLC in flight: no new HTLC after
// shutdown, the old one is resolved, both publish the same transaction.
func TestMutualClose(t *testing.T) {
	for _, first := range []int{0, 1} {
		for _, crashed := range []bool{false, true} {
			p := opened(t, setting{plain: true})
			p.offer(0)
			p.do(first, func(m *channel.Machine) { p.must(m.Shutdown(nil)) })
			p.drain()
			for i := range p.nodes {
				if err := p.add(i, -1, 5_000_000); err == nil {
					t.Error("an HTLC after shutdown")
				}
			}
			if n := count(p.sent, "closing_signed"); n != 0 {
				t.Error("closing_signed with an HTLC in flight")
			}
			if crashed {
				p.restart(first)
				p.reconnect()
				p.drain()
			}
			p.resolve(1, -1, 0, 0)
			p.drain()
			var txids []string
			for _, n := range p.nodes {
				b, ok := find[channel.Broadcast](n.events)
				if !ok || b.What != "mutual close" {
					t.Fatalf("the %s publishes %v: %v", n.name, b, last(p.sent, 12))
				}
				txids = append(txids, b.Tx.TxHash().String())
				if b.Tx.TxOut[0].Value+b.Tx.TxOut[1].Value >= 1_000_000 {
					t.Error("no fee")
				}
			}
			if txids[0] != txids[1] {
				t.Errorf("two closing transactions: %v", txids)
			}
		}
	}
}

// shutdown waits for updates of its sender; it is not sent twice, and sent
// again after a reconnection.
func TestShutdown(t *testing.T) {
	p := opened(t, setting{plain: true})
	p.must(p.add(0, -1, 5_000_000))
	p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(script(9))) })
	if n := count(p.sent, "shutdown"); n != 0 {
		t.Error("shutdown with an HTLC on its way")
	}
	p.drain()
	if n := count(p.sent, "shutdown"); n != 2 {
		t.Errorf("%d shutdown", n)
	}
	var refused *channel.Refused
	if err := p.nodes[0].m.Shutdown(nil); !errors.As(err, &refused) {
		t.Errorf("twice: %v", err)
	}
	p.reconnect()
	p.drain()
	if n := count(p.sent, "shutdown"); n != 4 {
		t.Errorf("%d shutdown after a reconnection, want 4", n)
	}
	p.honest = false
	if got, _ := reaction(p.inject(1, base(p.nodes[1].m, 38, append([]byte{0, 22}, script(8)...)))); got != "warn" {
		t.Errorf("another script: %s", got)
	}
}

// upfront_shutdown_script binds its sender.
func TestUpfrontShutdown(t *testing.T) {
	fix := func(o *wire.OpenChannel, _ *wire.AcceptChannel) { o.UpfrontShutdown = script(5) }
	p := opened(t, setting{plain: true, alter: fix})
	p.honest = false
	var refused *channel.Refused
	if err := p.nodes[0].m.Shutdown(script(6)); !errors.As(err, &refused) {
		t.Errorf("another script: %v", err)
	}
	if got, _ := reaction(p.inject(1, base(p.nodes[1].m, 38, append([]byte{0, 22}, script(6)...)))); got != "warn" {
		t.Errorf("the peer's other script: %s", got)
	}
	p = opened(t, setting{plain: true, alter: fix})
	p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(nil)) })
	p.drain()
	b, ok := find[channel.Broadcast](p.nodes[1].events)
	if !ok || !slices.ContainsFunc(b.Tx.TxOut, func(o *btcwire.TxOut) bool { return string(o.PkScript) == string(script(5)) }) {
		t.Error("the closing transaction does not pay to it")
	}
}

// Inside a factory nothing is closed before the funding transaction is on
// chain; shutdown only stops HTLCs.
func TestNoClosingInFactory(t *testing.T) {
	p := opened(t, setting{})
	p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(nil)) })
	p.drain()
	if n := count(p.sent, "closing_signed"); n != 0 {
		t.Errorf("%d closing_signed", n)
	}
	if l := p.nodes[1].m.Link(); !l.Shutdown || l.Up {
		t.Errorf("link %+v", l)
	}
	for i := range p.nodes {
		p.do(i, func(m *channel.Machine) { m.FundingConfirmed(fill(0xf0)); m.Commit() })
	}
	p.drain()
	if n := count(p.sent, "closing_signed"); n != 2 {
		t.Errorf("%d closing_signed once the funding transaction is confirmed", n)
	}
}

// What the fee of the other side leads to.
func TestClosingFees(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits [2]channel.Limits
		want   int // closing_signed in all
	}{
		{"one offer and its echo", [2]channel.Limits{{ClosingFee: 700}, {}}, 2},
		{"under the accepter's least", [2]channel.Limits{{ClosingFee: 10, MaxClosingFee: 10}, {}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{plain: true, limits: c.limits})
			p.honest = false
			p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(nil)) })
			p.drain()
			if n := count(p.sent, "closing_signed"); n != c.want {
				t.Errorf("%d closing_signed: %v", n, last(p.sent, 5))
			}
		})
	}
}

// Early warnings: at the height of the rule and not a block before, and with every
// block, after a restart too, as long as the HTLC is there: whoever hears them may not
// have been able to do anything (PCF-089, PCF-090).
func TestEarlyWarnings(t *testing.T) {
	p := opened(t, setting{})
	p.offer(0) // expires at 1,000
	offered, received := p.nodes[0].m, p.nodes[1].m
	for _, c := range []struct {
		m      *channel.Machine
		height channel.Height
		want   bool
	}{
		{offered, 1000 - 144 - 1, false}, {offered, 1000 - 144, true}, {offered, 1000 - 144 + 1, true},
		{received, 1000 - 144 - 18, false}, // no preimage yet
	} {
		c.m.Block(c.height)
		if _, warned := find[channel.EarlyWarning](c.m.Take()); warned != c.want {
			t.Errorf("height %d: %v, want %v", c.height, warned, c.want)
		}
	}
	again, err := channel.Restore(p.nodes[0].cfg, offered.Encode())
	p.must(err)
	again.Block(1000 - 144 + 2)
	if _, warned := find[channel.EarlyWarning](again.Take()); !warned {
		t.Error("a restarted node is not warned of an HTLC that it was warned of before")
	}
	h := p.nodes[1].router.received[0]
	received.Block(500)
	received.Disconnected() // so that the removal stays on its way
	p.must(received.Fulfil(0, p.preimages[h.Hash], true))
	received.Take()
	received.Block(1000 - 144 - 19)
	if _, warned := find[channel.EarlyWarning](received.Take()); warned {
		t.Error("warned a block early")
	}
	received.Block(1000 - 144 - 18)
	if w, warned := find[channel.EarlyWarning](received.Take()); !warned || w.Offered || w.Expiry != 1000 {
		t.Errorf("warned %v: %+v", warned, w)
	}
}

// Nobody leaves a factory for an HTLC that costs it nothing: for one that it offered and whose
// preimage it has, though its peer went away before it was removed, and for one that
// is on no commitment.
func TestNothingToLeaveFor(t *testing.T) {
	late := channel.Height(1000)
	for _, c := range []struct {
		name string
		msat channel.MilliSat
		do   func(p *pair)
		node int
		want bool
	}{
		{"one that nobody resolves", 3_000_000, func(*pair) {}, 0, true},
		{"its preimage came, and the peer went away", 3_000_000, goesAway, 0, false},
		{"the one who gave the preimage", 3_000_000, goesAway, 1, true},
		{"dust that nobody resolves", 353_999, func(*pair) {}, 0, false},
		{"dust whose preimage was given", 353_999, goesAway, 1, false},
	} {
		p := opened(t, setting{})
		p.must(p.add(0, -1, c.msat))
		p.drain()
		c.do(p)
		n := p.nodes[c.node]
		n.m.Take()
		if least := n.m.Link().Untrimmed; (c.msat < least) != (c.msat == 353_999) {
			t.Errorf("%s: %d msat are the least that is on a commitment", c.name, least)
		}
		for _, restarted := range []bool{false, true} {
			m := n.m
			if restarted {
				var err error
				m, err = channel.Restore(n.cfg, n.m.Encode())
				p.must(err)
				m.Restart()
			}
			m.Block(late)
			if _, warned := find[channel.EarlyWarning](m.Take()); warned != c.want {
				t.Errorf("%s, restarted %v: %v, want %v", c.name, restarted, warned, c.want)
			}
		}
	}
}

// goesAway has node 1 give the preimage of an HTLC, and the connection end before node 0
// answers.
func goesAway(p *pair) {
	h := p.nodes[1].router.received[0]
	p.must(p.nodes[1].m.Fulfil(h.ID, p.preimages[h.Hash], true))
	for _, a := range p.nodes[1].m.Take() {
		if s, ok := a.(channel.Send); ok {
			p.nodes[0].m.Receive(s.Message)
		}
	}
	for _, n := range p.nodes {
		n.m.Disconnected()
	}
}

// Outside a factory an HTLC that is due fails the channel.
func TestDeadlineOutside(t *testing.T) {
	p := opened(t, setting{plain: true})
	p.offer(0)
	m := p.nodes[0].m
	m.Block(1001)
	if m.Failure != "" {
		t.Error("failed within the grace period")
	}
	m.Block(1002)
	if _, published := find[channel.Broadcast](m.Take()); !published {
		t.Error("an HTLC that nobody resolves does not reach the chain")
	}
}

// A preimage is taken after the channel failed: the claim on chain needs it.
// Forgetting ends what was offered.
func TestAfterTheEnd(t *testing.T) {
	p := opened(t, setting{rules: [2]rule.Set{}})
	p.offer(0)
	p.offer(0)
	h := p.nodes[1].router.received[0]
	p.honest = false
	for _, n := range p.nodes {
		n.m.ForceClose("test")
		n.m.Take()
	}
	p.must(p.nodes[1].m.Fulfil(0, p.preimages[h.Hash], true))
	acts := p.nodes[1].m.Take()
	if _, stored := find[channel.Persist](acts); !stored || len(messages(acts)) != 0 {
		t.Errorf("%v", acts)
	}
	p.nodes[0].m.Preimage(p.preimages[h.Hash])
	if f, told := find[channel.HTLCFulfilled](p.nodes[0].m.Take()); !told || f.Preimage != p.preimages[h.Hash] {
		t.Error("a preimage from the chain is not told")
	}
	p.nodes[0].m.Preimage(p.preimages[h.Hash])
	p.nodes[0].m.Gone(0)
	if acts := p.nodes[0].m.Take(); len(acts) != 0 {
		t.Errorf("an HTLC that has ended ends again: %v", acts)
	}
	p.nodes[0].m.Forget()
	if f, told := find[channel.HTLCFailed](p.nodes[0].m.Take()); !told || f.ID != 1 || f.Dropped || f.Reason != nil {
		t.Error("a forgotten channel leaves its HTLC without an end (PCF-092)")
	}
	p.nodes[1].m.Removed(1)
	if r, told := find[channel.HTLCRemoved](p.nodes[1].m.Take()); !told || r.ID != 1 {
		t.Error("an HTLC of the peer that ended on chain is not told")
	}
	p.nodes[1].m.Removed(1)
	if acts := p.nodes[1].m.Take(); len(acts) != 0 {
		t.Errorf("an HTLC that was removed is removed again: %v", acts)
	}
}

// A balance that is dust for one side alone does not keep a channel from being closed: the
// closing transaction of an offer leaves out what is dust for who signs it (BOLT 3).
func TestClosingWithTwoDustLimits(t *testing.T) {
	for _, larger := range []int{0, 1} {
		for _, msat := range []uint64{353_000, 354_000, 999_999, 1_000_000} { // of the accepter, who need not keep a reserve at first
			p := opened(t, setting{plain: true, fundingSat: 1_000_000, pushMsat: msat, alter: func(o *wire.OpenChannel, a *wire.AcceptChannel) {
				*[2]*uint64{&o.DustLimitSat, &a.DustLimitSat}[larger] = 1000
			}})
			p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(nil)) })
			p.drain()
			for _, n := range p.nodes {
				b, ok := find[channel.Broadcast](n.events)
				if !ok || b.What != "mutual close" {
					t.Errorf("%d msat, the dust limit of side %d is larger: the %s does not close: %v", msat, larger, n.name, last(p.sent, 3))
					continue
				}
				if m := b.Tx.TxOut[0].Value; m < 354 {
					t.Errorf("an output of %d sat", m)
				}
			}
		}
	}
}
