package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// An accepter names the fee of a mutual close and does not pay it: without a limit of its
// own an opener still does not give its balance to miners.
func TestClosingFeeIsBounded(t *testing.T) {
	const most = 25_000 * 720 / 1000 // 100 sat per virtual byte
	for _, c := range []struct {
		name   string
		fee    commitment.Sat
		ranged bool
		agreed bool
	}{
		{"at the limit", most, false, true},
		{"at the limit, with a range", most, true, true},
		{"one sat above", most + 1, false, false},
		{"one sat above, with a range", most + 1, true, false},
		{"nearly all there is", 599_000, false, false},
		{"nearly all there is, with a range", 599_000, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{plain: true})
			p.honest = false
			m := p.nodes[0].m
			p.do(0, func(m *channel.Machine) { p.must(m.Shutdown(script(0))) })
			p.deliver(1, -1) // shutdown
			p.deliver(0, -1) // its answer; what the accepter says to closing_signed is ours
			tx := commitment.Closing{
				Funding:   commitment.Funding{Outpoint: m.Outputs()[0].Funding.Outpoint, Value: 1_000_000, Keys: m.Outputs()[0].Funding.Keys},
				Balance:   m.Balance,
				Scripts:   m.Scripts,
				DustLimit: [2]channel.Sat{354, 354},
			}
			sig, err := tx.Sign(c.fee, secret("accepter", "funding", uint32(0)))
			p.must(err)
			parts := []any{int(c.fee), sig[:]}
			if c.ranged {
				parts = append(parts, []byte{1, 16}, 180, int(c.fee))
			}
			acts := p.inject(0, base(m, 39, parts...))
			b, closed := find[channel.Broadcast](acts)
			if closed = closed && b.What == "mutual close"; closed != c.agreed {
				got, text := reaction(acts)
				t.Fatalf("the opener closes: %v (%v; %s: %s)", closed, b, got, text)
			}
		})
	}
}

// Feerates that a peer sends and does not let become irrevocable do not pile up.
func TestFeeratesDoNotPileUp(t *testing.T) {
	p := opened(t, setting{})
	for i := range 100 {
		if got, text := reaction(p.inject(1, base(p.nodes[1].m, 134, uint32(300+i)))); got != "nothing" {
			t.Fatalf("update_fee %d: %s: %s", i, got, text)
		}
	}
	if n := len(p.nodes[1].m.Feerates); n != 1 {
		t.Errorf("%d feerates are kept, want 1", n)
	}

	p = opened(t, setting{})
	for round := range 5 { // and across commitments the last one counts
		for i := range 3 {
			p.do(0, func(m *channel.Machine) { p.must(m.UpdateFee(channel.Feerate(300 + 10*round + i))) })
		}
	}
	p.drain()
	for _, n := range p.nodes {
		if n.m.Feerate != 342 || len(n.m.Feerates) != 0 {
			t.Errorf("%s: feerate %d, %d on their way", n.name, n.m.Feerate, len(n.m.Feerates))
		}
	}
}

// What a peer adds to update_add_htlc beyond what this node reads is not stored.
func TestRecordsOfAddAreNotStored(t *testing.T) {
	p := opened(t, setting{})
	m := p.nodes[1].m
	add := func(id int, more ...byte) *wire.Base {
		return base(m, 128, id, 5_000_000, fill(byte(id+1)), uint32(1000), make([]byte, 1366), more)
	}
	if got, text := reaction(p.inject(1, add(0))); got != "nothing" {
		t.Fatal(text)
	}
	one := len(m.Encode())
	big := append([]byte{0xfe, 0, 1, 0, 3, 0xfd, 0xea, 0x60}, make([]byte, 60_000)...)
	if got, text := reaction(p.inject(1, add(1, big...))); got != "nothing" {
		t.Fatal(text)
	}
	if grew := len(m.Encode()) - one; grew > 2000 {
		t.Errorf("an HTLC makes the stored state %d bytes longer", grew)
	}
}

// A channel that ended in the middle of a batch takes no message of other channels.
func TestNoBatchAfterTheEnd(t *testing.T) {
	p := opened(t, setting{})
	m := p.nodes[1].m
	kind := uint16(wire.TypeCommitmentSigned)
	p.inject(1, &wire.StartBatch{ChannelID: m.ChannelID(), BatchSize: 2, MessageType: &kind})
	if !m.Batching() {
		t.Fatal("control: no batch")
	}
	m.ForceClose("now")
	if m.Batching() {
		t.Error("the channel still waits for the rest of the batch")
	}
}

// An accepter forgets a channel whose funding transaction does not come, failed or not;
// one whose transaction came it keeps (BOLT 2: 2,016 blocks).
func TestUnfundedIsForgotten(t *testing.T) {
	for _, c := range []struct {
		name   string
		input  func(*channel.Machine)
		forget bool
	}{
		{"it waits", func(*channel.Machine) {}, true},
		{"it failed", func(m *channel.Machine) { m.ForceClose("now") }, true},
		{"it confirmed", func(m *channel.Machine) { m.FundingConfirmed(fill(0xf0)) }, false},
		{"it confirmed and failed", func(m *channel.Machine) { m.FundingConfirmed(fill(0xf0)); m.ForceClose("now") }, false},
	} {
		p := newPair(t, setting{plain: true})
		p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
		p.drain()
		m := p.nodes[1].m
		m.Block(100)
		c.input(m)
		m.Block(100 + 2015)
		if m.Forgotten {
			t.Errorf("%s: forgotten a block too early", c.name)
		}
		m.Block(100 + 2016)
		if m.Forgotten != c.forget {
			t.Errorf("%s: forgotten: %v", c.name, m.Forgotten)
		}
	}
}
