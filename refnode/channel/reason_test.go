package channel_test

import (
	"bytes"
	"testing"

	"superscalar/refnode/channel"
)

// The reason of a failure is kept until the HTLC is gone, and passed on: one that is
// longer than failures get is not (CHAN-017).
func TestReasonsAreBounded(t *testing.T) {
	for _, c := range []struct {
		size int
		kept bool
	}{{292, true}, {1060, true}, {1061, false}, {65000, false}} {
		p := opened(t, setting{})
		p.must(p.add(0, -1, 5_000_000))
		p.drain()
		reason := bytes.Repeat([]byte{7}, c.size)
		p.do(1, func(m *channel.Machine) { p.must(m.Fail(0, reason)) })
		size := 0
		for p.deliver(0, -1) || p.deliver(1, -1) {
			size = max(size, len(p.nodes[0].disk))
		}
		failed, told := find[channel.HTLCFailed](p.nodes[0].events)
		if !told {
			t.Fatalf("%d bytes: the HTLC has not failed", c.size)
		}
		if kept := bytes.Equal(failed.Reason, reason); kept != c.kept {
			t.Errorf("%d bytes: a reason of %d bytes is told", c.size, len(failed.Reason))
		}
		if !c.kept && (failed.Malformed == nil || failed.Malformed.Code != 0x1007 || size > 10_000) {
			t.Errorf("%d bytes: %+v, %d bytes stored", c.size, failed.Malformed, size)
		}
	}
}
