package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
)

// upNow reports whether node i takes HTLCs.
func upNow(p *pair, i int) bool { return p.nodes[i].m.Link().Up }

// From the height that the factory names on no HTLC is offered, and none below it
// is refused (CHAN-011).
func TestNoHTLCIsOfferedFromTheExitHeightOn(t *testing.T) {
	p := opened(t, setting{})
	for i := range p.nodes {
		p.do(i, func(m *channel.Machine) { m.SetUse(channel.Use{Until: 500}) })
	}
	for _, tt := range []struct {
		height channel.Height
		up     bool
	}{{499, true}, {500, false}, {501, false}, {499, true}} {
		for i, n := range p.nodes {
			n.height = tt.height
			p.do(i, func(m *channel.Machine) { m.Block(tt.height) })
			err := p.add(i, -1, 5_000_000)
			p.drain()
			if (err == nil) != tt.up || upNow(p, i) != tt.up {
				t.Errorf("height %d: %s offers an HTLC: %v; up %v", tt.height, n.name, err, upNow(p, i))
			}
		}
	}
}

// From that height on a peer that offers all the same gets its HTLC back: what is paid
// then, beyond what the factory's distributions pay, may not reach the chain before they
// are valid (CHG-030).
func TestNoHTLCIsTakenFromTheExitHeightOn(t *testing.T) {
	for _, tt := range []struct {
		height channel.Height
		refuse channel.Refuse
	}{{499, 0}, {500, channel.RefuseShutdown}, {501, channel.RefuseShutdown}} {
		for i := range 2 {
			p := opened(t, setting{})
			for _, n := range p.nodes {
				n.height = tt.height
			}
			p.do(i, func(m *channel.Machine) { m.SetUse(channel.Use{Until: 500}); m.Block(tt.height) })
			p.do(1-i, func(m *channel.Machine) { m.Block(tt.height) })
			p.must(p.add(1-i, -1, 5_000_000))
			p.drain()
			got := p.nodes[i].router.received
			if len(got) != 1 || got[0].Refuse != tt.refuse {
				t.Errorf("height %d: the %s takes %+v", tt.height, p.nodes[i].name, got)
			}
		}
	}
}

// It is the height at which it is committed that counts: a peer could offer it in time and
// keep its commitment_signed back.
func TestAnHTLCThatIsCommittedTooLateIsFailed(t *testing.T) {
	p := opened(t, setting{})
	p.do(0, func(m *channel.Machine) { m.SetUse(channel.Use{Until: 500}); m.Block(499) })
	p.must(p.add(1, -1, 5_000_000))
	p.deliver(0, -1) // update_add_htlc
	p.do(0, func(m *channel.Machine) { m.Block(500) })
	p.drain()
	if got := p.nodes[0].router.received; len(got) != 1 || got[0].Refuse != channel.RefuseShutdown {
		t.Errorf("it takes %+v", got)
	}
}

// A channel of a factory that is not confirmed any more offers nothing, and what
// the peer adds is for the router to fail (CER-026).
func TestASuspendedChannel(t *testing.T) {
	p := opened(t, setting{})
	p.do(0, func(m *channel.Machine) { m.SetUse(channel.Use{Suspended: true}) })
	if err := p.add(0, -1, 5_000_000); err == nil || upNow(p, 0) {
		t.Errorf("it offers: %v", err)
	}
	p.must(p.add(1, -1, 5_000_000)) // the peer has not heard of it
	p.drain()
	for _, h := range p.nodes[0].router.received {
		if h.Refuse != channel.RefuseShutdown {
			t.Errorf("it takes %+v", h)
		}
	}
	if len(p.nodes[0].router.received) != 1 {
		t.Fatal("nothing came")
	}
	p.do(0, func(m *channel.Machine) { m.SetUse(channel.Use{}) })
	p.must(p.add(0, -1, 5_000_000))
}

// What a factory allows goes before the node's own limit (CHAN-012).
func TestExposureOfAChannelInAFactory(t *testing.T) {
	for _, tt := range []struct {
		limit, own channel.MilliSat
		refuse     channel.Refuse
	}{{0, 0, 0}, {6_000_000, 0, 0}, {5_999_999, 0, channel.RefuseExposure}, {6_000_000, 1_000_000, 0}, {0, 1_000_000, channel.RefuseExposure}} {
		p := opened(t, setting{limits: [2]channel.Limits{0: {MaxExposure: tt.own}}})
		p.do(0, func(m *channel.Machine) { m.SetUse(channel.Use{MaxExposure: tt.limit}) })
		p.must(p.add(1, -1, 6_000_000))
		p.drain()
		for _, h := range p.nodes[0].router.received {
			if h.Refuse != tt.refuse {
				t.Errorf("limit %d, own %d: %d, want %d", tt.limit, tt.own, h.Refuse, tt.refuse)
			}
		}
	}
}

// What comes towards a node counts from when it is irrevocably committed on, unless the
// node fails it; when it is fulfilled, until the balance has it.
func TestWhatHTLCsTowardsANodeCount(t *testing.T) {
	const amount = 5_000_000
	p := opened(t, setting{})
	m := p.nodes[0].m
	balance := m.Balance[0]
	p.must(p.add(1, -1, amount))
	committed := func() bool { return len(p.nodes[0].router.received) > 0 }
	for !committed() {
		if got := m.Incoming(); got != 0 {
			t.Fatalf("%d msat before it is committed", got)
		}
		if !p.deliver(0, -1) && !p.deliver(1, -1) {
			t.Fatal("it is never committed")
		}
	}
	if got, theirs := m.Incoming(), p.nodes[1].m.Incoming(); got != amount || theirs != 0 {
		t.Errorf("%d msat, at its sender %d", got, theirs)
	}
	p.drain()
	p.resolve(0, -1, p.nodes[0].open()[0], 0)
	for m.Balance[0] == balance {
		if got := m.Incoming(); got != amount {
			t.Fatalf("%d msat of what is fulfilled", got)
		}
		if !p.deliver(0, -1) && !p.deliver(1, -1) {
			t.Fatal("its balance never has it")
		}
	}
	if got := m.Incoming(); got != 0 || m.Balance[0] != balance+amount {
		t.Errorf("%d msat beside a balance of %d", got, m.Balance[0])
	}
	p.drain()
	p.must(p.add(1, -1, amount))
	p.drain()
	p.resolve(0, -1, p.nodes[0].open()[0], 1)
	if got := m.Incoming(); got != 0 {
		t.Errorf("%d msat of what is being failed", got)
	}
	p.drain()
	p.do(0, func(m *channel.Machine) { m.SetUse(channel.Use{MaxExposure: amount - 1}) })
	p.must(p.add(1, -1, amount))
	p.drain()
	if got := m.Incoming(); got != 0 || len(m.HTLCs) != 1 {
		t.Errorf("%d msat of what is refused", got)
	}
}
