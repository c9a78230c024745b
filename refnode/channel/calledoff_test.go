package channel_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// What is signed on an output stays on record when its change is called off, by
// whichever side, also after a restart, and until its number is revoked (CHG-026).
func TestWhatWasSignedOnAnOutputThatWasCalledOffIsOnRecord(t *testing.T) {
	for by := range 2 {
		p := opened(t, setting{})
		p.must(p.add(0, -1, 3_000_000))
		p.drain()
		txid := p.changeTo(committed)
		var number [2]channel.Number
		for i, n := range p.nodes {
			number[i] = n.m.State.Revoked.Next()
			p.asks[i] = nil
		}
		p.do(by, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
		p.drain()
		for i, n := range p.nodes {
			if len(n.m.Fundings) != 1 || len(n.m.CalledOff) != 1 || n.m.CalledOff[0].Txid != txid {
				t.Fatalf("the %s is on %d outputs and keeps %+v", n.name, len(n.m.Fundings), n.m.CalledOff)
			}
			p.restart(i)
		}
		p.reconnect()
		p.drain()
		p.must(p.add(1, -1, 4_000_000))
		p.drain()
		for i, n := range p.nodes {
			at := slices.IndexFunc(n.revoked, func(r channel.Revoked) bool { return r.Number == number[i] })
			if at < 0 || len(n.revoked[at].On) != 2 || n.revoked[at].On[1].Txid != txid || n.revoked[at].On[1].State.Number != number[i] {
				t.Errorf("called off by %d: on record at the %s for %d: %+v", by, n.name, number[i], n.revoked)
			}
			if len(n.m.CalledOff) != 0 {
				t.Errorf("the %s keeps %+v", n.name, n.m.CalledOff)
			}
			if later := n.revoked[len(n.revoked)-1]; later.Number > number[i] && len(later.On) != 1 {
				t.Errorf("record %d is for %d outputs", later.Number, len(later.On))
			}
		}
	}
}

// A pending change that is dead leaves what was signed for it on record too.
func TestWhatWasSignedOnADeadOutputIsOnRecord(t *testing.T) {
	p := opened(t, setting{})
	txid := p.changeTo(continued)
	p.must(p.add(0, -1, 3_000_000))
	p.drain()
	var number [2]channel.Number
	for i, n := range p.nodes {
		number[i] = n.m.State.Revoked.Next()
		p.do(i, func(m *channel.Machine) { p.must(m.ChangeDead(txid)) })
	}
	for range 2 {
		p.must(p.add(0, -1, 3_000_000))
		p.drain()
	}
	for i, n := range p.nodes {
		for _, r := range n.revoked {
			on := slices.ContainsFunc(r.On, func(on channel.RevokedOn) bool { return on.Txid == txid })
			if r.Number >= number[i] && on != (r.Number == number[i]) {
				t.Errorf("the %s, dead at %d: record %d on the output: %v", n.name, number[i], r.Number, on)
			}
		}
		if last := n.revoked[len(n.revoked)-1].Number; last <= number[i] {
			t.Errorf("the %s has records up to %d", n.name, last)
		}
	}
}

// The state is the one of before where nothing was called off, and a list of nothing is
// refused.
func TestEncodeCalledOff(t *testing.T) {
	p := opened(t, setting{})
	m := p.nodes[0].m
	plain := m.Encode()
	txid := p.changeTo(committed)
	p.asks = [2][]channel.Action{}
	p.do(0, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
	p.drain()
	raw := m.Encode()
	s, err := channel.DecodeState(raw)
	if err != nil || len(s.CalledOff) != 1 || s.CalledOff[0].Txid != txid || !bytes.Equal(s.Encode(), raw) {
		t.Fatalf("%v: %+v", err, s)
	}
	s.CalledOff = nil
	if without := s.Encode(); len(without) != len(plain) {
		t.Errorf("%d bytes, %d before", len(without), len(plain))
	}
	for n := len(s.Encode()) + 1; n < len(raw); n++ {
		if _, err := channel.DecodeState(raw[:n]); !errors.Is(err, channel.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	empty, err := wire.Codec{}.AppendStream(nil, wire.Stream{{Type: 22, Value: make([]byte, 4)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := channel.DecodeState(append(s.Encode(), empty...)); !errors.Is(err, channel.ErrCorrupt) {
		t.Errorf("a list of nothing: %v", err)
	}
}

// Changes to ever other outputs that are called off, without a payment between, leave
// no more than a few on record: the round revokes what was signed for them.
func TestWhatIsKeptOfChangesThatWereCalledOffIsBounded(t *testing.T) {
	for pending := range 2 { // changes beside them
		p := opened(t, setting{})
		if pending > 0 {
			p.changeTo(continued)
		}
		for range 20 {
			txid := p.changeTo(committed)
			p.enough()
			for _, n := range p.nodes {
				if len(n.m.Fundings) != 1+pending || len(n.m.CalledOff) > 8 {
					t.Fatalf("the %s is on %d outputs, after that of %v, and keeps %d", n.name, len(n.m.Fundings), txid, len(n.m.CalledOff))
				}
			}
		}
		if n := p.nodes[0]; len(n.revoked) == 0 || len(n.revoked[0].On) != 9+pending {
			t.Errorf("on record: %+v", n.revoked)
		}
	}
}

func (p *pair) enough() {
	p.t.Helper()
	p.asks = [2][]channel.Action{}
	p.do(0, func(m *channel.Machine) { p.must(m.AbortChange("enough")) })
	p.drain()
}

// What was signed on an output with the balances of other channels is revoked before the
// next stfu when the change is called off, by one commitment of each side (CHG-022): for
// every output in use, where another change is pending.
func TestACommitmentOfAChannelThatAbsorbsIsRevokedWhenItIsCalledOff(t *testing.T) {
	for pending := range 2 {
		p := opened(t, setting{})
		if pending > 0 {
			p.changeTo(continued)
		}
		for _, takes := range []bool{false, true} {
			var numbers [2]channel.Number
			for i, n := range p.nodes {
				numbers[i] = n.m.LocalNumber
			}
			p.takes = takes
			p.changeTo(committed)
			p.enough()
			for i, n := range p.nodes {
				if signed := n.m.LocalNumber != numbers[i]; signed != takes || n.m.LocalNumber > numbers[i]+1 || len(n.m.Fundings) != 1+pending {
					t.Errorf("%d pending, takes %v: the %s is at commitment %d after %d", pending, takes, n.name, n.m.LocalNumber, numbers[i])
				}
				if takes && len(n.m.CalledOff) != 0 {
					t.Errorf("%d pending: the %s keeps %d outputs that are on record", pending, n.name, len(n.m.CalledOff))
				}
			}
		}
		p.takes = false
		p.changeTo(committed) // and the channel can change again
	}
}
