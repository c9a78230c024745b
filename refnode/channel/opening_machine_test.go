package channel_test

import (
	"errors"
	"strings"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// inject hands node i a message as if its peer had sent it, and returns what
// it does about it.
func (p *pair) inject(i int, msg wire.Message) []channel.Action {
	p.t.Helper()
	raw, err := p.codec.Encode(msg)
	p.must(err)
	again, err := p.codec.Decode(raw)
	p.must(err)
	n := p.nodes[i]
	n.m.Receive(again)
	return n.m.Take()
}

// reaction names what actions mean for the channel: "warn", "fail", "abort" or
// "nothing".
func reaction(actions []channel.Action) (string, string) {
	for _, a := range actions {
		if s, ok := a.(channel.Send); ok {
			switch m := s.Message.(type) {
			case *wire.Warning:
				return "warn", string(m.Data)
			case *wire.ErrorMessage:
				return "fail", string(m.Data)
			case *wire.ChangeAbort:
				return "abort", string(m.Data)
			}
		}
	}
	return "nothing", ""
}

func find[A channel.Action](actions []channel.Action) (out A, ok bool) {
	for _, a := range actions {
		if x, is := a.(A); is {
			return x, true
		}
	}
	return out, false
}

func messages(actions []channel.Action) (names []string) {
	for _, a := range actions {
		if s, ok := a.(channel.Send); ok {
			names = append(names, s.Message.Name())
		}
	}
	return names
}

// Commitments are stored before funding_signed leaves, and the outpoint is
// asked about first (PCF-080, PCF-081).
func TestFundingCreated(t *testing.T) {
	p := newPair(t, setting{})
	o, a := p.nodes[0].m, p.nodes[1].m
	if err := a.OutpointIs(""); !errors.Is(err, channel.ErrNotNow) {
		t.Errorf("an answer nobody asked for: %v", err)
	}
	if err := a.Outpoint(fill(1), 0); !errors.Is(err, channel.ErrNotNow) {
		t.Errorf("the accepter names the outpoint: %v", err)
	}
	p.must(o.Outpoint(fill(0xf0), 513))
	created, _ := find[channel.Send](o.Take())
	if _, stored := find[channel.Persist](o.Take()); stored {
		t.Error("an opener stores before funding_signed: BOLT 2 forgets until then")
	}
	ask, ok := find[channel.AskOutpoint](p.inject(1, created.Message))
	if !ok || ask != (channel.AskOutpoint{Txid: fill(0xf0), Index: 513}) {
		t.Fatalf("asked %v", ask)
	}
	p.must(a.OutpointIs(""))
	acts := a.Take()
	if _, first := acts[0].(channel.Persist); !first {
		t.Errorf("first %T, want the state stored", acts[0])
	}
	signed, _ := find[channel.Send](acts)
	acts = p.inject(0, signed.Message)
	opened, ok := find[channel.Opened](acts)
	want := wire.ChannelID(fill(0xf0))
	want[30], want[31] = 0xf0^2, 0xf0^1
	if !ok || opened.Channel != want || a.ChannelID() != want {
		t.Errorf("channel id %v and %v, want %v", opened.Channel, a.ChannelID(), want)
	}
	if _, stored := acts[0].(channel.Persist); !stored {
		t.Error("the opener tells before it stores")
	}
}

// A refused outpoint fails the channel (PCF-081); a wrong signature too.
func TestFundingRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		reason string
		spoil  func(*wire.Base)
		rules  rule.Set
		want   string
	}{
		{"the plugin does not know it", "not ours", nil, rule.Set{}, "fail"},
		{"a mutant without PCF-081", "not ours", nil, rule.Without(rule.PCF081), "nothing"},
		{"another outpoint was signed", "", func(m *wire.Base) { m.Payload[32] ^= 1 }, rule.Set{}, "fail"},
		{"a wrong signature", "", func(m *wire.Base) { m.Payload[32+34+1] ^= 1 }, rule.Set{}, "fail"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPair(t, setting{rules: [2]rule.Set{{}, c.rules}})
			p.must(p.nodes[0].m.Outpoint(fill(0xf0), 1))
			created, _ := find[channel.Send](p.nodes[0].m.Take())
			if c.spoil != nil {
				c.spoil(created.Message.(*wire.Base))
			}
			p.inject(1, created.Message)
			p.must(p.nodes[1].m.OutpointIs(c.reason))
			acts := p.nodes[1].m.Take()
			if got, text := reaction(acts); got != c.want {
				t.Errorf("%s (%s), want %s", got, text, c.want)
			}
			if _, published := find[channel.Broadcast](acts); published {
				t.Error("a commitment without a funding output is published")
			}
		})
	}
}

// channel_ready waits for the plugin on both sides (PCF-082), and is sent again
// while the peer may lack it.
func TestReadyWaits(t *testing.T) {
	p := newPair(t, setting{})
	p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
	p.drain()
	if ready := strings.Count(strings.Join(p.sent, ","), "channel_ready"); ready != 0 {
		t.Fatalf("%d channel_ready before the factory is usable", ready)
	}
	p.do(0, func(m *channel.Machine) { m.SetUsable() })
	p.drain()
	if p.nodes[0].m.Link().Up {
		t.Error("up before the peer is ready")
	}
	p.reconnect()
	p.drain()
	p.do(1, func(m *channel.Machine) { m.SetUsable() })
	p.drain()
	for _, n := range p.nodes {
		if !n.m.Link().Up {
			t.Errorf("%s is not up", n.name)
		}
	}
	p.reconnect()
	p.drain()
	if ready := strings.Count(strings.Join(p.sent, ","), "channel_ready"); ready != 5 {
		t.Errorf("%d channel_ready, want 2 and 3 repetitions", ready)
	}
	p.must(p.add(0, -1, 1_000_000))
	p.drain()
	p.reconnect()
	p.drain()
	if ready := strings.Count(strings.Join(p.sent, ","), "channel_ready"); ready != 5 {
		t.Errorf("channel_ready again after commitment 1")
	}
}

// The opener forgets an attempt that breaks off before funding_signed; from
// there on it remembers (PCF-095), and the accepter from funding_signed
// (PCF-083).
func TestWhatIsRemembered(t *testing.T) {
	p := newPair(t, setting{})
	p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
	p.nodes[0].m.Disconnected()
	if !p.nodes[0].m.Forgotten {
		t.Error("an opener without funding_signed remembers")
	}
	p = newPair(t, setting{})
	p.do(0, func(m *channel.Machine) { p.must(m.Outpoint(fill(0xf0), 1)) })
	p.drain()
	for i, n := range p.nodes {
		p.restart(i)
		if n.m.Forgotten || len(n.disk) == 0 {
			t.Errorf("the %s forgets", n.name)
		}
		n.m.Block(5000)
	}
	p.reconnect()
	p.drain()
	if n := len(p.nodes[1].m.Fundings); n != 1 {
		t.Error("after 2,016 blocks the channel is gone")
	}
}

// No commitment of an in-factory channel is published before one of its
// funding transactions is confirmed (PCF-085); outside a factory at once.
func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name  string
		plain bool
		rules rule.Set
		want  bool
	}{
		{"in a factory", false, rule.Set{}, false},
		{"outside", true, rule.Set{}, true},
		{"a mutant without PCF-085", false, rule.Without(rule.PCF085), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{plain: c.plain, rules: [2]rule.Set{c.rules, c.rules}})
			p.honest = false
			m := p.nodes[0].m
			m.ForceClose("test")
			acts := m.Take()
			if _, told := find[channel.Closed](acts); !told {
				t.Error("PCF-091: the plugin is not told")
			}
			if _, published := find[channel.Broadcast](acts); published != c.want {
				t.Errorf("published: %v", published)
			}
			p.store(0, acts)
			again, err := channel.Restore(p.nodes[0].cfg, p.nodes[0].disk)
			p.must(err)
			again.Restart()
			if _, told := find[channel.Closed](again.Take()); !told {
				t.Error("PCF-091: not told again after a restart")
			}
			again.FundingConfirmed(fill(0xf0))
			b, published := find[channel.Broadcast](again.Take())
			if !published || len(b.Tx.TxIn[0].Witness) != 4 {
				t.Error("not published once the funding transaction is confirmed")
			}
			again.Forget()
			if again.FundingConfirmed(fill(0xf0)); len(again.Take()) == 0 {
				t.Error("nothing stored")
			}
			again.Restart()
			if acts := again.Take(); len(acts) != 0 {
				t.Errorf("a forgotten channel says %v", acts)
			}
		})
	}
}

// A seed or key that is not the channel's is refused at once.
func TestRestoreWithOtherKeys(t *testing.T) {
	p := opened(t, setting{})
	cfg := p.nodes[0].cfg
	cfg.Keys.Seed = commitment.Seed{1}
	if _, err := channel.Restore(cfg, p.nodes[0].disk); !errors.Is(err, channel.ErrConfig) {
		t.Errorf("got %v", err)
	}
}
