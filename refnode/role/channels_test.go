package role_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/role"
	"superscalar/wire"
	"superscalar/wire/rule"
)

var superscalar = wire.Codec{}.SuperScalarID()

func secret(i byte) *btcec.PrivateKey {
	key, _ := btcec.PrivKeyFromBytes([]byte{i})
	return key
}

func public(i byte) wire.Point { return wire.Point(secret(i).PubKey().SerializeCompressed()) }

// theLSP is the peer of a client; key 1 is the LSP's, key 2 the client's.
var theLSP = wire.Point{2, 7}

func expected() ceremony.ChannelOutput {
	return ceremony.ChannelOutput{
		Peer: theLSP, Attempt: wire.CeremonyID{5}, Factory: wire.CeremonyID{5}, Client: 1,
		Outpoint: btcwire.OutPoint{Hash: chainhash.Hash{9}, Index: 3}, Value: 100_000,
		LSPKey: public(1), Key: secret(2), Theirs: public(1),
		Params: factory.DefaultParams(factory.PS), Shape: factory.DefaultShape(1),
	}
}

// fitting is the open_channel that an attempt asks for.
func fitting(c *role.Channels) *wire.OpenChannel {
	return channel.NewOpen([32]byte{}, wire.ChannelID{1}, 100_000, c.InFactory(expected()), wire.ChannelKeys{Funding: public(1)})
}

// channelOn is the id of the channel on an output.
func channelOn(o ceremony.ChannelOutput) wire.ChannelID {
	return channel.ChannelIDOf(wire.Txid(o.Outpoint.Hash), uint16(o.Outpoint.Index))
}

// A client takes the channel that its attempt asks for, as long as that is going
// on, once, and no other (CHAN-003 to CHAN-005).
func TestCheckChannel(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*role.Channels, *wire.OpenChannel)
		want   string // in the refusal, "" for none
		peer   wire.Point
	}{
		{"as asked for", func(*role.Channels, *wire.OpenChannel) {}, "", theLSP},
		{"another LSP", func(*role.Channels, *wire.OpenChannel) {}, "no channel with this funding key", wire.Point{2, 8}},
		{"another instance", func(_ *role.Channels, m *wire.OpenChannel) { m.ChannelInFactory.InstanceID[0]++ }, "no channel with this funding key", theLSP},
		{"another funding key", func(_ *role.Channels, m *wire.OpenChannel) { m.Keys.Funding = public(3) }, "no channel with this funding key", theLSP},
		{"a sat less", func(_ *role.Channels, m *wire.OpenChannel) { m.FundingSat-- }, "CHAN-004", theLSP},
		{"a sat more", func(_ *role.Channels, m *wire.OpenChannel) { m.FundingSat++ }, "CHAN-004", theLSP},
		{"pushed", func(_ *role.Channels, m *wire.OpenChannel) { m.PushMsat = 1 }, "CHAN-004", theLSP},
		{"early warning", func(_ *role.Channels, m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime-- }, "factory_early_warning_time", theLSP},
		{"a day", func(_ *role.Channels, m *wire.OpenChannel) { m.ToSelfDelay = 144 }, "", theLSP},
		{"more than a day", func(_ *role.Channels, m *wire.OpenChannel) { m.ToSelfDelay = 145 }, "CHAN-005", theLSP},
		{"after the attempt", func(c *role.Channels, _ *wire.OpenChannel) { c.Keep(theLSP, wire.CeremonyID{5}) }, "CHAN-004", theLSP},
		{"open already", func(c *role.Channels, _ *wire.OpenChannel) {
			c.RestoreOpened(theLSP, public(1), wire.ChannelID{3}, false)
		}, "CHAN-004", theLSP},
		{"open before, and failed", func(c *role.Channels, _ *wire.OpenChannel) {
			c.RestoreOpened(theLSP, public(1), wire.ChannelID{3}, false)
			c.Hear(hub.Channel{Peer: theLSP, ID: wire.ChannelID{3}, Open: fitting(c)}, channel.Closed{Reason: "the LSP does not know it"})
		}, "", theLSP},
		{"used before, and failed", func(c *role.Channels, _ *wire.OpenChannel) {
			c.RestoreOpened(theLSP, public(1), wire.ChannelID{3}, true)
			c.Hear(hub.Channel{Peer: theLSP, ID: wire.ChannelID{3}, Open: fitting(c)}, channel.Closed{Reason: "the LSP does not know it"})
		}, "CHAN-004", theLSP},
		{"forgotten", func(c *role.Channels, _ *wire.OpenChannel) { c.Forget(theLSP, wire.CeremonyID{5}) }, "no channel with this funding key", theLSP},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := role.NewChannels(superscalar, rule.Set{})
			c.Expect(expected())
			open := fitting(c)
			open.ToSelfDelay = role.MaxClientDelay
			tt.change(c, open)
			err := c.CheckChannel(tt.peer, open)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("it says %v, want %q", err, tt.want)
			}
		})
	}
}

// The outpoint is the one that was computed from the ceremony, and no other
// (CHAN-007); the delay that accept_channel asks for is the factory's (CHAN-006).
func TestOutpointAndDelay(t *testing.T) {
	c := role.NewChannels(superscalar, rule.Set{})
	c.Expect(expected())
	open := fitting(c)
	txid, index := wire.Txid(expected().Outpoint.Hash), uint16(3)
	if err := c.CheckOutpoint(theLSP, open, txid, index); err != nil {
		t.Error(err)
	}
	if c.CheckOutpoint(theLSP, open, txid, index+1) == nil || c.CheckOutpoint(theLSP, open, wire.Txid{8}, index) == nil {
		t.Error("another outpoint passes")
	}
	if got := c.ToSelfDelay(theLSP, open); got != 720 {
		t.Errorf("to_self_delay %d", got)
	}
	c.Keep(theLSP, wire.CeremonyID{5})
	if c.CheckOutpoint(theLSP, open, txid, index) == nil {
		t.Error("the outpoint of an attempt that is over passes")
	}
}

// A stored channel of an attempt that ended is deleted; one of a factory whose
// records cannot be read is left alone.
func TestFundingKeyOfAStoredChannel(t *testing.T) {
	c := role.NewChannels(superscalar, rule.Set{})
	open := fitting(c)
	if _, err := c.FundingKey(theLSP, open); !errors.Is(err, hub.ErrForgotten) {
		t.Errorf("an unknown channel: %v", err)
	}
	c.RestoreAside([]role.Aside{{ID: wire.CeremonyID{5}}})
	if _, err := c.FundingKey(theLSP, open); !errors.Is(err, hub.ErrAside) || errors.Is(err, hub.ErrForgotten) {
		t.Errorf("a factory that was set aside: %v", err)
	}
	c.Restore(expected())
	if key, err := c.FundingKey(theLSP, open); err != nil || !key.PubKey().IsEqual(secret(2).PubKey()) {
		t.Errorf("a known one: %v", err)
	}
}

// A channel that names the funding key of another one and fails starts nobody's way out,
// and nothing that it tells is taken for the other's: a second open_channel for the same
// output, one that has no output yet, one on another output.
func TestWhatAnotherChannelTells(t *testing.T) {
	for _, id := range []wire.ChannelID{{}, {8}} {
		c := role.NewChannels(superscalar, rule.Set{})
		c.Restore(expected())
		c.RestoreOpened(theLSP, public(1), channelOn(expected()), true)
		for _, a := range []channel.Action{channel.Closed{Reason: "it failed"}, channel.EarlyWarning{Expiry: 77}, channel.ReplacedRevoked{}, channel.Opened{}} {
			c.Hear(hub.Channel{Peer: theLSP, ID: id, Open: fitting(c)}, a)
		}
		if orders := c.TakeOrders(); len(orders) != 0 {
			t.Errorf("channel %x: it orders %+v", id, orders)
		}
		c.Hear(hub.Channel{Peer: theLSP, ID: channelOn(expected()), Open: fitting(c)}, channel.Closed{Reason: "it failed"})
		if orders := c.TakeOrders(); len(orders) != 1 || orders[0].Kind != role.OrderLeave || orders[0].ID != channelOn(expected()) {
			t.Errorf("its own channel orders %+v", orders)
		}
	}
	c := role.NewChannels(superscalar, rule.Set{})
	c.Expect(expected())
	c.Hear(hub.Channel{Peer: theLSP, Open: fitting(c)}, channel.Closed{Reason: "another channel has this funding outpoint"})
	c.Hear(hub.Channel{Peer: theLSP, ID: channelOn(expected()), Open: fitting(c)}, channel.Opened{})
	if orders := c.TakeOrders(); len(orders) != 1 || orders[0].Kind != role.OrderOpened || !c.Opened(expected().Outpoint) {
		t.Errorf("an attempt that failed before the channel orders %+v", orders)
	}
}

// What the hub says becomes orders, in order; opening is the LSP's alone.
func TestOrders(t *testing.T) {
	c := role.NewChannels(superscalar, rule.Set{})
	c.Expect(expected())
	mine := expected()
	mine.Peer, mine.Key, mine.Theirs = wire.Point{2, 9}, secret(1), public(2)
	mine.Outpoint.Index = 4
	c.Expect(mine)
	about := hub.Channel{Peer: theLSP, ID: channelOn(expected()), Open: fitting(c)}
	c.Hear(about, channel.Opened{})
	if !c.Opened(expected().Outpoint) || c.Opened(mine.Outpoint) {
		t.Error("the wrong output is open")
	}
	c.Hear(about, channel.EarlyWarning{Expiry: 77})
	c.Hear(about, channel.Closed{Reason: "it failed"})
	c.Forget(ceremony.Everybody, wire.CeremonyID{5})
	c.Hear(about, channel.Closed{Reason: "forgotten"})
	var got []role.OrderKind
	done := make(chan struct{})
	c.Run(done, func(o role.Order) {
		if got = append(got, o.Kind); len(got) == 6 {
			close(done)
		}
	})
	want := []role.OrderKind{role.OrderOpen, role.OrderOpened, role.OrderLeave, role.OrderLeave, role.OrderForget, role.OrderForget}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("orders %v, want %v", got, want)
		}
	}
}

// What the peer says in a change has to fit the update that is going on: the funding
// keys that there are (CHG-003), and nothing of the client's (CHG-004).
func TestTheChangeOfAChannel(t *testing.T) {
	to := expected()
	to.Outpoint.Hash, to.Attempt, to.Value = chainhash.Hash{10}, wire.CeremonyID{6}, 120_000
	for _, tt := range []struct {
		name    string
		prepare func(c *role.Channels, to ceremony.ChannelOutput)
		ask     func(*channel.AskChange)
		without rule.ID
		taken   bool
	}{
		{"as the update says", func(*role.Channels, ceremony.ChannelOutput) {}, func(*channel.AskChange) {}, "", true},
		{"a sat less", func(*role.Channels, ceremony.ChannelOutput) {}, func(a *channel.AskChange) { a.ContributionSat-- }, "", false},
		{"a sat less, unchecked", func(*role.Channels, ceremony.ChannelOutput) {}, func(a *channel.AskChange) { a.ContributionSat-- }, rule.CHG004 + "/peer", true},
		{"another key", func(*role.Channels, ceremony.ChannelOutput) {}, func(a *channel.AskChange) { a.Key = public(3) }, "", false},
		{"another key, unchecked", func(*role.Channels, ceremony.ChannelOutput) {}, func(a *channel.AskChange) { a.Key = public(3) }, rule.CHG003 + "/peer", true},
		{"after the attempt", func(c *role.Channels, to ceremony.ChannelOutput) { c.CallOff(to.Peer, to.Attempt) }, func(*channel.AskChange) {}, "", false},
		{"interrupted", func(c *role.Channels, to ceremony.ChannelOutput) { c.Keep(to.Peer, to.Attempt) }, func(*channel.AskChange) {}, "", false},
		{"done", func(c *role.Channels, to ceremony.ChannelOutput) { c.Stands(to) }, func(*channel.AskChange) {}, "", false},
		{"another attempt ended", func(c *role.Channels, _ ceremony.ChannelOutput) { c.CallOff(ceremony.Everybody, wire.CeremonyID{7}) }, func(*channel.AskChange) {}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newCutWorld(t, 1, nil)
			w.found("kickoff 1 / dw 1")
			client := w.parties[1]
			m := client.lines[0].m
			c := role.NewChannels(superscalar, rule.Without(tt.without))
			o := expected()
			o.Peer, o.Theirs, o.LSPKey = w.lsp().id, m.Open.Keys.Funding, m.Open.Keys.Funding
			c.Restore(o)
			next := to
			next.Peer, next.LSPKey, next.Theirs = o.Peer, o.LSPKey, o.Theirs
			c.Move(next)
			tt.prepare(c, next)
			m.Receive(&wire.Stfu{ChannelID: m.ID, Initiator: 1})
			change := wire.Change{ChannelID: m.ID, FundingContributionSat: 20_000, FundingPubkey: m.Open.Keys.Funding}
			m.Receive(&wire.ChangeInit{Change: change})
			answered := false
			for _, a := range m.Take() {
				ask, ok := a.(channel.AskChange)
				if !ok {
					continue
				}
				tt.ask(&ask)
				c.Change(hub.Channel{Peer: o.Peer, ID: m.ID, Open: m.Open}, m, ask)
				for _, a := range m.Take() {
					if s, ok := a.(channel.Send); ok {
						_, acked := s.Message.(*wire.ChangeAck)
						answered = answered || acked
					}
				}
			}
			if answered != tt.taken {
				t.Errorf("acknowledged: %v", answered)
			}
		})
	}
}

// An LSP takes the funding key of ceremony_join alone: its own first commitment spends
// an output with that one (CHAN-003).
func TestCheckAccept(t *testing.T) {
	mine := expected()
	mine.Peer, mine.Key, mine.Theirs = wire.Point{2, 9}, secret(1), public(2)
	for _, tt := range []struct {
		name    string
		without rule.ID
		peer    wire.Point
		key     wire.Point
		taken   bool
	}{
		{"as joined", "", mine.Peer, public(2), true},
		{"another key", "", mine.Peer, public(3), false},
		{"the LSP's own key", "", mine.Peer, public(1), false},
		{"another key, unchecked", rule.CHAN003 + "/peer", mine.Peer, public(3), true},
		{"another client", "", wire.Point{2, 8}, public(2), false},
	} {
		c := role.NewChannels(superscalar, rule.Without(tt.without))
		c.Expect(mine)
		err := c.CheckAccept(tt.peer, fitting(c), &wire.AcceptChannel{Keys: wire.ChannelKeys{Funding: tt.key}})
		if (err == nil) != tt.taken {
			t.Errorf("%s: it says %v", tt.name, err)
		}
	}
}
