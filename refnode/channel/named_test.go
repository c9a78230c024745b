package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
)

// A change that is called off after channel_reestablish named it, and before the peer's has
// come: whatever the peer knows of it, it answers (PCF-154), and both are in use again without
// a warning. Updates wait for that.
func TestCalledOffAfterItWasNamed(t *testing.T) {
	for _, knows := range []bool{true, false} {
		p := opened(t, setting{})
		p.changeTo(committed)
		p.asks = [2][]channel.Action{}
		if !knows { // the peer's factory_change_abort is lost
			p.do(1, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
		}
		p.disconnect()
		p.connected = true
		p.do(0, func(m *channel.Machine) { m.Connected() })
		p.do(0, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
		p.do(1, func(m *channel.Machine) { m.Connected() })
		p.deliver(0, -1)
		if err := p.add(0, -1, 1_000_000); err == nil {
			t.Errorf("the peer knows of it, %v: an update before it has answered", knows)
		}
		p.drain()
		p.must(p.add(0, -1, 2_000_000))
		p.must(p.add(1, -1, 3_000_000))
		p.drain()
		for _, n := range p.nodes {
			if len(n.m.Fundings) != 1 || !n.m.Link().Up || len(n.m.HTLCs) != 2 {
				t.Errorf("the peer knows of it, %v: %s is on %d outputs, up %v, with %d HTLCs", knows, n.name, len(n.m.Fundings), n.m.Link().Up, len(n.m.HTLCs))
			}
		}
	}
}
