package channel_test

import (
	"slices"
	"strings"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// reestablishOf returns what node i would send on a new connection.
func (p *pair) reestablishOf(i int) *wire.ChannelReestablish {
	p.t.Helper()
	m := p.nodes[i].m
	m.Disconnected()
	m.Take()
	m.Connected()
	sent, ok := find[channel.Send](m.Take())
	if !ok {
		p.t.Fatal("no channel_reestablish")
	}
	return sent.Message.(*wire.ChannelReestablish)
}

// What channel_reestablish may say, and the answer. Both sides have made
// commitments 0 and 1 and revoked 0.
func TestReestablish(t *testing.T) {
	for _, c := range []struct {
		name  string
		alter func(*pair, *wire.ChannelReestablish)
		want  string
		text  string
		stale bool
	}{
		{"as it is", func(*pair, *wire.ChannelReestablish) {}, "nothing", "", false},
		{"next_commitment_number 0", func(_ *pair, m *wire.ChannelReestablish) { m.NextCommitmentNumber = 0 }, "fail", "is 0", false},
		{"one commitment back", func(_ *pair, m *wire.ChannelReestablish) { m.NextCommitmentNumber-- }, "fail", "next_commitment_number", false},
		{"one commitment on", func(_ *pair, m *wire.ChannelReestablish) { m.NextCommitmentNumber++ }, "fail", "next_commitment_number", false},
		{"two revocations back", func(_ *pair, m *wire.ChannelReestablish) {
			m.NextRevocationNumber, m.YourLastPerCommitmentSecret = 0, [32]byte{}
		}, "fail", "next_revocation_number", false},
		{"another secret", func(_ *pair, m *wire.ChannelReestablish) { m.YourLastPerCommitmentSecret[3] ^= 1 }, "fail", "not ours", false},
		{"a later revocation without proof", func(_ *pair, m *wire.ChannelReestablish) { m.NextRevocationNumber++ }, "fail", "not ours", false},
		{"a later revocation with proof", func(p *pair, m *wire.ChannelReestablish) {
			m.NextRevocationNumber++
			m.YourLastPerCommitmentSecret = p.nodes[0].cfg.Keys.Seed.Secret(channel.Number(m.NextRevocationNumber - 1))
		}, "fail", "older than the peer's", true},
		{"a revocation beyond 48 bits", func(_ *pair, m *wire.ChannelReestablish) { m.NextRevocationNumber = 1 << 60 }, "fail", "not ours", false},
		{"next_funding nobody knows", func(_ *pair, m *wire.ChannelReestablish) {
			m.NextFunding = &wire.FundingState{Txid: fill(3)}
		}, "abort", "unknown", false},
		{"an unknown output locked", func(_ *pair, m *wire.ChannelReestablish) {
			m.MyCurrentFundingLocked = &wire.FundingState{Txid: fill(3)}
		}, "nothing", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, plain := range []bool{false, true} {
				p := opened(t, setting{plain: plain})
				p.honest = false
				p.offer(0)
				p.resolve(1, -1, 0, 0)
				p.drain()
				msg := p.reestablishOf(1)
				c.alter(p, msg)
				p.reestablishOf(0)
				acts := p.inject(0, msg)
				got, text := reaction(acts)
				if got != c.want || !strings.Contains(text, c.text) {
					t.Fatalf("%s: %q, want %s: %q", got, text, c.want, c.text)
				}
				m := p.nodes[0].m
				_, published := find[channel.Broadcast](acts)
				if want := c.want == "fail" && plain && !c.stale; published != want || m.Stale != c.stale {
					t.Errorf("plain %v: published %v, want %v; stale %v", plain, published, want, m.Stale)
				}
				if m.FundingConfirmed(fill(0xf0)); m.Stale {
					if _, published := find[channel.Broadcast](m.Take()); published {
						t.Error("an old state is published once the funding transaction is confirmed")
					}
				}
			}
		})
	}
}

// Both messages are lost: they come again in the order in which they were
// sent first.
func TestRetransmissionOrder(t *testing.T) {
	for _, commitLast := range []bool{true, false} {
		p := opened(t, setting{})
		p.must(p.add(0, -1, 5_000_000))
		p.must(p.add(1, -1, 6_000_000))
		// Node 1 has update_add_htlc and commitment_signed of node 0 waiting, node 0
		// those of node 1. Node 1 has signed before it revokes.
		if commitLast {
			p = opened(t, setting{})
			p.must(p.add(0, -1, 5_000_000))
		}
		p.deliver(1, -1)
		p.deliver(1, -1)
		p.reconnect()
		again := append([]string{}, last(p.sent, 2)...)
		p.drain()
		all := p.sent[slices.Index(p.sent, again[0]):]
		revoke := lastIndex(all, "accepter: revoke_and_ack")
		commit := lastIndex(all, "accepter: commitment_signed")
		if !commitLast {
			// commitment_signed was sent first, then revoke_and_ack
			first := slices.Index(all[slices.Index(all, "accepter: channel_reestablish"):], "accepter: commitment_signed")
			second := slices.Index(all[slices.Index(all, "accepter: channel_reestablish"):], "accepter: revoke_and_ack")
			if first > second {
				t.Errorf("revoke_and_ack came first: %v", all)
			}
		} else if revoke > commit {
			t.Errorf("commitment_signed came first: %v", all)
		}
		for i := range p.nodes {
			for _, id := range p.nodes[i].open() {
				p.resolve(i, -1, id, 0)
			}
		}
		p.settle()
	}
}

// Updates that were signed and lost come again in the order they were sent
// first: ids go up, a removal keeps its place.
func TestRetransmittedUpdates(t *testing.T) {
	p := opened(t, setting{})
	p.offer(1)
	p.do(0, func(m *channel.Machine) {
		for k := range 2 {
			origin := channel.Origin{9, byte(k)}
			_, err := m.Add(channel.AddHTLC{Origin: origin, Amount: 5_000_000, Hash: p.hash(), Expiry: 1000, Onion: make([]byte, 1366)})
			p.must(err)
			p.nodes[0].router.offered[origin], p.nodes[0].router.amounts[origin] = "", 5_000_000
			if k == 0 {
				p.must(m.Fail(0, []byte("between")))
				p.nodes[0].router.answered[0] = "failed"
				p.must(m.UpdateFee(300))
			}
		}
	})
	first := last(p.sent, 5)
	p.reconnect()
	p.drain()
	at := lastIndex(p.sent, "opener: channel_reestablish") + 1
	var ours []string
	for _, s := range p.sent[at:] {
		if strings.HasPrefix(s, "opener: ") && len(ours) < 5 {
			ours = append(ours, s)
		}
	}
	if !slices.Equal(ours, first) {
		t.Errorf("again %v, first %v", ours, first)
	}
	p.settle()
}

func lastIndex(s []string, v string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == v {
			return i
		}
	}
	return -1
}

// Updates that nobody signed are taken back: ours are told to the router, and
// their ids are used again. A removal is sent again.
func TestTakeBack(t *testing.T) {
	p := opened(t, setting{})
	id := p.offer(0)
	p.nodes[1].m.Take()
	p.must(p.nodes[1].m.Fail(id, []byte("late"))) // sent, not signed: no Commit
	origin := channel.Origin{7}
	hash := p.hash()
	a := channel.AddHTLC{Origin: origin, Amount: 5_000_000, Hash: hash, Expiry: 1000, Onion: make([]byte, 1366)}
	first, err := p.nodes[1].m.Add(a)
	p.must(err)
	if again, err := p.nodes[1].m.Add(a); err != nil || again != first {
		t.Errorf("the same again: %d, %v", again, err)
	}
	p.nodes[1].m.Take()
	p.nodes[1].m.Disconnected()
	dropped, ok := find[channel.HTLCFailed](p.nodes[1].m.Take())
	if !ok || !dropped.Dropped || dropped.Origin != origin || dropped.ID != first {
		t.Fatalf("told %+v", dropped)
	}
	p.nodes[0].m.Disconnected()
	p.nodes[0].m.Take()
	p.connected = false
	p.reconnect()
	p.drain()
	if len(p.nodes[0].m.HTLCs) != 0 {
		t.Error("the removal was lost")
	}
	p.do(1, func(m *channel.Machine) {
		second, err := m.Add(a)
		p.must(err)
		p.nodes[1].router.offered[origin] = ""
		if second != first {
			t.Errorf("id %d after %d was taken back", second, first)
		}
	})
	p.drain()
	if len(p.nodes[0].open()) != 1 {
		t.Error("the HTLC did not arrive")
	}
}

// A channel that failed repeats its error on a new connection and ignores the
// rest.
func TestFailedChannel(t *testing.T) {
	p := opened(t, setting{})
	p.honest = false
	m := p.nodes[0].m
	m.Receive(&wire.ErrorMessage{ChannelID: m.ChannelID(), Data: []byte("no \x00 more")})
	acts := m.Take()
	if got, _ := reaction(acts); got != "nothing" {
		t.Errorf("an error is answered with %s", got)
	}
	if closed, ok := find[channel.Closed](acts); !ok || strings.ContainsRune(closed.Reason, 0) {
		t.Errorf("the plugin is told %q (PCF-091)", closed.Reason)
	}
	m.Disconnected()
	m.Connected()
	if got, _ := reaction(m.Take()); got != "fail" {
		t.Errorf("a new connection gets %s", got)
	}
	if acts := p.inject(0, base(m, 134, uint32(300))); len(acts) != 0 {
		t.Errorf("a failed channel answers %v", acts)
	}
}

// After a disconnection every message but channel_reestablish waits for it.
func TestReestablishFirst(t *testing.T) {
	p := opened(t, setting{})
	p.honest = false
	p.reestablishOf(0)
	if got, _ := reaction(p.inject(0, add(p.nodes[0].m, 0, 5000, 600))); got != "warn" {
		t.Errorf("an HTLC before channel_reestablish: %s", got)
	}
}

// PCF-150, PCF-151: what the records of channel_reestablish name in the course
// of a change.
func TestReestablishRecords(t *testing.T) {
	none := wire.FundingState{}
	show := func(f *wire.FundingState) wire.FundingState {
		if f == nil {
			return none
		}
		return *f
	}
	p := newPair(t, setting{})
	p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
	p.drain()
	if msg := p.reestablishOf(0); msg.MyCurrentFundingLocked != nil || msg.NextFunding != nil {
		t.Error("records before channel_ready")
	}
	p = opened(t, setting{})
	first := wire.FundingState{Txid: fill(0xf0)}
	if msg := p.reestablishOf(0); show(msg.MyCurrentFundingLocked) != first || msg.NextFunding != nil {
		t.Errorf("before a change: %v, %v", msg.NextFunding, msg.MyCurrentFundingLocked)
	}
	p = opened(t, setting{})
	p.changeTo(committedHalf)
	txid := p.nodes[0].m.Fundings[1].Txid
	if msg := p.reestablishOf(0); show(msg.NextFunding) != (wire.FundingState{Txid: txid, RetransmitFlags: 1}) {
		t.Errorf("without the peer's commitment_signed: %v", msg.NextFunding)
	}
	p = opened(t, setting{})
	p.changeTo(committed)
	if msg := p.reestablishOf(0); show(msg.NextFunding) != (wire.FundingState{Txid: txid}) || show(msg.MyCurrentFundingLocked) != first {
		t.Errorf("committed: %v", msg.NextFunding)
	}
	p = opened(t, setting{})
	p.changeTo(continued)
	if msg := p.reestablishOf(0); msg.NextFunding != nil || show(msg.MyCurrentFundingLocked) != first {
		t.Errorf("continued: %v", msg.NextFunding)
	}
	p = opened(t, setting{})
	p.changeTo(locked)
	if msg := p.reestablishOf(1); msg.NextFunding != nil || show(msg.MyCurrentFundingLocked) != (wire.FundingState{Txid: txid}) {
		t.Errorf("locked: %v", msg.MyCurrentFundingLocked)
	}
	p = opened(t, setting{rules: [2]rule.Set{rule.Without(rule.PCF151), {}}})
	if msg := p.reestablishOf(0); msg.MyCurrentFundingLocked != nil {
		t.Error("a mutant without PCF-151 sends it")
	}
}
