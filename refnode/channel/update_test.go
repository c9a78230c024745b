package channel_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// raw builds a base message for the channel of m.
func base(m *channel.Machine, kind wire.MsgType, parts ...any) *wire.Base {
	id := m.ChannelID()
	b := append([]byte{}, id[:]...)
	for _, part := range parts {
		switch v := part.(type) {
		case []byte:
			b = append(b, v...)
		case [32]byte:
			b = append(b, v[:]...)
		case wire.Point:
			b = append(b, v[:]...)
		case int:
			b = binary.BigEndian.AppendUint64(b, uint64(v))
		case uint32:
			b = binary.BigEndian.AppendUint32(b, v)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, v)
		}
	}
	return &wire.Base{Kind: kind, Payload: b}
}

func add(m *channel.Machine, id, amount int, expiry uint32) *wire.Base {
	return base(m, 128, id, amount, fill(7), expiry, make([]byte, 1366))
}

// What a peer may not do, and the reaction that BOLT 2 names.
func TestWrongUpdates(t *testing.T) {
	type msgs = []wire.Message
	for _, c := range []struct {
		name string
		to   int // who receives it
		send func(p *pair, m *channel.Machine) msgs
		want string
		text string
	}{
		{"a good HTLC", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 5_000_000, 600)} }, "nothing", ""},
		{"amount 0", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 0, 600)} }, "warn", "amount_msat is 0"},
		{"under htlc_minimum_msat", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 999, 600)} }, "warn", "htlc_minimum_msat"},
		{"a time for an expiry", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 5000, 500_000_000)} }, "warn", "is a time"},
		{"a highest expiry", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 5000, 499_999_999)} }, "nothing", ""},
		{"id 1 first", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 1, 5000, 600)} }, "warn", "id 1, expected 0"},
		{"the same id twice", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 5000, 600), add(m, 0, 5000, 600)} }, "warn", "expected 1"},
		{"more than it has", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 400_000_001, 600)} }, "warn", "reserve"},
		{"into its reserve", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 400_000_000-354_000+1, 600)} }, "warn", "reserve"},
		{"down to its reserve", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 400_000_000-354_000, 600)} }, "nothing", ""},
		{"more than 2^64", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, -1, 600)} }, "warn", "more than the channel holds"},
		{"opener down to reserve, fee and anchors", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 600_000_000-10_000_000-987_000, 600)} }, "nothing", ""},
		{"opener under it", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{add(m, 0, 600_000_000-10_000_000-987_000+1, 600)} }, "warn", "reserve"},
		{"fulfil of an unknown HTLC", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 130, 9, fill(1))} }, "warn", "not committed"},
		{"fail of an unknown HTLC", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 131, 9, []byte{0, 0})} }, "warn", "not committed"},
		{"wrong preimage", 0, func(p *pair, m *channel.Machine) msgs { p.offer(0); return msgs{base(m, 130, 0, fill(1))} }, "warn", "wrong preimage"},
		{"fail it", 0, func(p *pair, m *channel.Machine) msgs { p.offer(0); return msgs{base(m, 131, 0, []byte{0, 1, 7})} }, "nothing", ""},
		{"fail it twice", 0, func(p *pair, m *channel.Machine) msgs {
			p.offer(0)
			return msgs{base(m, 131, 0, []byte{0, 0}), base(m, 131, 0, []byte{0, 0})}
		}, "warn", "being removed already"},
		{"malformed without BADONION", 0, func(p *pair, m *channel.Machine) msgs { p.offer(0); return msgs{base(m, 135, 0, fill(1), uint16(4))} }, "warn", "BADONION"},
		{"malformed", 0, func(p *pair, m *channel.Machine) msgs {
			p.offer(0)
			return msgs{base(m, 135, 0, fill(1), uint16(0x8004))}
		}, "nothing", ""},
		{"update_fee from the accepter", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 134, uint32(300))} }, "warn", "does not pay"},
		{"update_fee", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 134, uint32(300))} }, "nothing", ""},
		{"feerate 252", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 134, uint32(252))} }, "warn", "under 253"},
		{"feerate 100,001", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 134, uint32(100_001))} }, "warn", "above 100000"},
		{"feerate that costs everything", 1, func(p *pair, m *channel.Machine) msgs {
			p.must(p.add(0, -1, 500_000_000))
			p.drain()
			return msgs{base(m, 134, uint32(80_000))}
		}, "warn", "update_fee: the opener"},
		{"commitment_signed with a wrong signature", 0, func(_ *pair, m *channel.Machine) msgs {
			return msgs{&wire.CommitmentSigned{ChannelID: m.ChannelID()}}
		}, "warn", "commitment_signed"},
		{"revoke_and_ack unasked", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 133, fill(1), m.Open.Keys.HTLC)} }, "fail", "without a commitment"},
		{"revoke_and_ack with a wrong secret", 0, func(p *pair, m *channel.Machine) msgs {
			p.must(p.add(0, -1, 5_000_000))
			return msgs{base(m, 133, fill(1), m.Open.Keys.HTLC)}
		}, "fail", "revoke_and_ack"},
		{"funding_signed again", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 35, make([]byte, 64))} }, "warn", "out of place"},
		{"funding_created again", 1, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 34, make([]byte, 98))} }, "warn", "out of place"},
		{"channel_ready again", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 36, m.Open.Keys.HTLC)} }, "nothing", ""},
		{"channel_reestablish in between", 0, func(_ *pair, m *channel.Machine) msgs {
			return msgs{&wire.ChannelReestablish{ChannelID: m.ChannelID(), MyCurrentPerCommitmentPoint: m.Open.Keys.HTLC}}
		}, "warn", "twice"},
		{"closing_signed before shutdown", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 39, 500, make([]byte, 64))} }, "warn", "before shutdown"},
		{"shutdown to an odd script", 0, func(_ *pair, m *channel.Machine) msgs { return msgs{base(m, 38, []byte{0, 2, 0x6a, 0})} }, "warn", "does not allow"},
		{"an HTLC after shutdown", 0, func(_ *pair, m *channel.Machine) msgs {
			return msgs{base(m, 38, append([]byte{0, 22}, script(3)...)), add(m, 0, 5000, 600)}
		}, "warn", "after shutdown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{})
			p.honest = false
			m := p.nodes[c.to].m
			var acts []channel.Action
			for _, msg := range c.send(p, m) {
				acts = append(acts, p.inject(c.to, msg)...)
			}
			got, text := reaction(acts)
			if got != c.want || !strings.Contains(text, c.text) {
				t.Fatalf("%s: %q, want %s: %q", got, text, c.want, c.text)
			}
			if _, over := find[channel.Disconnect](acts); over != (c.want == "warn") {
				t.Errorf("disconnects: %v", over)
			}
			if failed := m.Failure != ""; failed != (c.want == "fail") {
				t.Errorf("the channel failed: %v", failed)
			}
		})
	}
}

// offer commits one HTLC from node i on both sides.
func (p *pair) offer(i int) channel.HTLCID {
	p.t.Helper()
	p.must(p.add(i, -1, 5_000_000))
	p.drain()
	return 0
}

// What this side refuses to send, with nothing done.
func TestRefusedCommands(t *testing.T) {
	good := func(p *pair) channel.AddHTLC {
		return channel.AddHTLC{Amount: 5_000_000, Hash: p.hash(), Expiry: 1000, Onion: make([]byte, 1366)}
	}
	for _, c := range []struct {
		name  string
		alter func(*channel.AddHTLC)
		rules rule.Set
		text  string
	}{
		{"nothing wrong", func(*channel.AddHTLC) {}, rule.Set{}, ""},
		{"no amount", func(a *channel.AddHTLC) { a.Amount = 0 }, rule.Set{}, "amount_msat is 0"},
		{"too small", func(a *channel.AddHTLC) { a.Amount = 999 }, rule.Set{}, "htlc_minimum"},
		{"a short onion", func(a *channel.AddHTLC) { a.Onion = nil }, rule.Set{}, "onion"},
		{"an even record", func(a *channel.AddHTLC) { a.Extra = wire.Stream{{Type: 65538}} }, rule.Set{}, "even"},
		{"an odd record", func(a *channel.AddHTLC) { a.Extra = wire.Stream{{Type: 65539, Value: []byte{1}}} }, rule.Set{}, ""},
		{"one record twice", func(a *channel.AddHTLC) { a.Extra = wire.Stream{{Type: 65539}, {Type: 65539}} }, rule.Set{}, "two records"},
		{"too close (PCF-086)", func(a *channel.AddHTLC) { a.Expiry = 100 + 144 + 17 }, rule.Set{}, "PCF-086"},
		{"just far enough", func(a *channel.AddHTLC) { a.Expiry = 100 + 144 + 18 }, rule.Set{}, ""},
		{"a mutant without PCF-086", func(a *channel.AddHTLC) { a.Expiry = 100 + 144 + 17 }, rule.Without(rule.PCF086), ""},
		{"a time", func(a *channel.AddHTLC) { a.Expiry = 500_000_000 }, rule.Set{}, "is a time"},
		{"more than the reserve leaves", func(a *channel.AddHTLC) { a.Amount = 400_000_000 - 354_000 + 1 }, rule.Set{}, "reserve"},
		{"all but the reserve", func(a *channel.AddHTLC) { a.Amount = 400_000_000 - 354_000 }, rule.Set{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{rules: [2]rule.Set{{}, c.rules}})
			m := p.nodes[1].m
			m.Block(100)
			a := good(p)
			c.alter(&a)
			_, err := m.Add(a)
			var refused *channel.Refused
			if (err != nil) != (c.text != "") || err != nil && (!errors.As(err, &refused) || !strings.Contains(refused.Reason, c.text)) {
				t.Fatalf("got %v, want %q", err, c.text)
			}
			if sent := messages(m.Take()); (err == nil) != (len(sent) == 1) {
				t.Errorf("sent %v", sent)
			}
			if n := len(m.HTLCs); (err == nil) != (n == 1) {
				t.Errorf("%d HTLCs", n)
			}
		})
	}
}

// The opener keeps what a doubled feerate and one more HTLC would cost; what
// Link says it can send is what Add takes, to the millisatoshi.
func TestSendable(t *testing.T) {
	for i := range 2 {
		for _, more := range []channel.MilliSat{0, 1} {
			p := opened(t, setting{})
			p.offer(1 - i)
			most := p.nodes[i].m.Link().Sendable
			err := p.add(i, -1, most+more)
			if (err != nil) != (more > 0) {
				t.Errorf("node %d: %d msat more than it can send: %v", i, more, err)
			}
			if err == nil {
				p.drain()
			}
		}
	}
}

// HTLC counts: 483 with anchors, unless the peer allows fewer.
func TestMaxAcceptedHTLCs(t *testing.T) {
	p := opened(t, setting{alter: func(_ *wire.OpenChannel, a *wire.AcceptChannel) { a.MaxAcceptedHTLCs = 2 }})
	p.must(p.add(0, -1, 5_000_000))
	p.must(p.add(0, -1, 5_000_000))
	if err := p.add(0, -1, 5_000_000); err == nil {
		t.Error("a third HTLC")
	}
	p.drain()
	if got, text := reaction(p.inject(1, add(p.nodes[1].m, 2, 5000, 600))); got != "warn" || !strings.Contains(text, "max_accepted_htlcs") {
		t.Errorf("%s: %s", got, text)
	}
}

// HTLCs that must be failed once they are committed: the channel stays open.
func TestRefusedHTLCs(t *testing.T) {
	for _, c := range []struct {
		name    string
		amount  int
		expiry  uint32
		limits  channel.Limits
		rules   rule.Set
		prepare func(*pair)
		want    channel.Refuse
	}{
		{"nothing wrong", 5_000_000, 1000, channel.Limits{}, rule.Set{}, nil, 0},
		{"just late enough", 5_000_000, 100 + 144 + 18, channel.Limits{}, rule.Set{}, nil, 0},
		{"too late (PCF-087)", 5_000_000, 100 + 144 + 17, channel.Limits{}, rule.Set{}, nil, channel.RefuseExpiry},
		{"a mutant without PCF-087", 5_000_000, 100 + 144 + 17, channel.Limits{}, rule.Without(rule.PCF087), nil, 0},
		{"dust", 353_000, 1000, channel.Limits{MaxDustExposure: 352_999}, rule.Set{}, nil, channel.RefuseDust},
		{"dust within the limit", 353_000, 1000, channel.Limits{MaxDustExposure: 353_000}, rule.Set{}, nil, 0},
		{"not dust", 354_000, 1000, channel.Limits{MaxDustExposure: 1}, rule.Set{}, nil, 0},
		{"more than max_exposure", 5_000_001, 1000, channel.Limits{MaxExposure: 5_000_000}, rule.Set{}, nil, channel.RefuseExposure},
		{"max_exposure", 5_000_000, 1000, channel.Limits{MaxExposure: 5_000_000}, rule.Set{}, nil, 0},
		{"after our shutdown", 5_000_000, 1000, channel.Limits{}, rule.Set{}, func(p *pair) {
			p.must(p.nodes[1].m.Shutdown(nil))
			p.nodes[1].m.Take()
		}, channel.RefuseShutdown},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := opened(t, setting{limits: [2]channel.Limits{{}, c.limits}, rules: [2]rule.Set{rule.Without(rule.PCF086), c.rules}})
			p.nodes[1].m.Block(100)
			if c.prepare != nil {
				c.prepare(p)
			}
			a := channel.AddHTLC{Amount: channel.MilliSat(c.amount), Hash: p.hash(), Expiry: channel.Height(c.expiry), Onion: make([]byte, 1366)}
			p.do(0, func(m *channel.Machine) {
				_, err := m.Add(a)
				p.must(err)
				p.nodes[0].router.offered[channel.Origin{}] = ""
			})
			p.drain()
			h, ok := p.nodes[1].router.received[0]
			if !ok || h.Refuse != c.want {
				t.Errorf("announced %v, refuse %d, want %d", ok, h.Refuse, c.want)
			}
			if p.nodes[1].m.Failure != "" {
				t.Error("the channel failed")
			}
		})
	}
}

// A preimage is not released when the claim would come too late (PCF-094),
// unless the HTLC was forwarded; a wrong one never. Repeating is no error.
func TestFulfil(t *testing.T) {
	p := opened(t, setting{})
	id := p.offer(0)
	m := p.nodes[1].m
	h := p.nodes[1].router.received[id]
	preimage := p.preimages[h.Hash]
	var refused *channel.Refused
	if err := m.Fulfil(id, fill(1), true); !errors.As(err, &refused) {
		t.Errorf("wrong preimage: %v", err)
	}
	if err := m.Fulfil(7, preimage, true); !errors.Is(err, channel.ErrUnknownHTLC) {
		t.Errorf("unknown HTLC: %v", err)
	}
	m.Block(1000 - 144 - 17)
	if err := m.Fulfil(id, preimage, false); !errors.As(err, &refused) {
		t.Errorf("too late: %v", err)
	}
	p.must(m.Fulfil(id, preimage, true))
	p.must(m.Fulfil(id, preimage, true))
	if err := m.Fail(id, nil); !errors.As(err, &refused) {
		t.Errorf("failed after it was fulfilled: %v", err)
	}
	if n := len(messages(m.Take())); n != 1 {
		t.Errorf("%d messages, want one update_fulfill_htlc", n)
	}
	if sha256.Sum256(preimage[:]) != h.Hash {
		t.Error("another preimage")
	}
}

// An update is told to nobody before it is irrevocable: the HTLC is announced
// with the last revoke_and_ack, not with any message before it.
func TestAnnouncedWhenIrrevocable(t *testing.T) {
	p := opened(t, setting{})
	p.must(p.add(0, -1, 5_000_000))
	for n := 0; p.deliver(1, -1) || p.deliver(0, -1); n++ {
		state := p.nodes[0].m.State.Revoked.Next()
		if _, told := p.nodes[1].router.received[0]; told && (state < 1 || p.nodes[1].m.State.Revoked.Next() < 1) {
			t.Fatal("announced while the sender could still go back")
		}
	}
	if len(p.nodes[1].router.received) != 1 {
		t.Error("not announced")
	}
	onion := p.nodes[1].router.received[0].Onion
	if !bytes.Equal(onion, make([]byte, 1366)) {
		t.Error("the onion is another one")
	}
}
