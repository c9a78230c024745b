package channel_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// leastFunding is the smallest channel that NewOpen makes and CheckOpen lets
// pass, in sat: commitment fee, reserve of 354, and one more.
const leastFunding = goodOpenFee + 354 + 1

// goodAccept answers goodOpen far from every border.
func goodAccept() *wire.AcceptChannel {
	return &wire.AcceptChannel{
		TemporaryChannelID: fill(1), DustLimitSat: 1000, MaxHTLCInFlightMsat: 1, ChannelReserveSat: 20_000, HTLCMinimumMsat: 1,
		ToSelfDelay: 144, MaxAcceptedHTLCs: 30, Keys: keys(2), ChannelType: wire.NewFeatures(12, 22, 46, 50),
	}
}

// PCF-074 on both sides of every border. goodOpen has a dust limit of 500, a
// reserve of 10,000 and 1,000,000 sat.
func TestCheckAccept(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*wire.AcceptChannel)
		refused bool
	}{
		{"good", func(*wire.AcceptChannel) {}, false},
		{"no channel type", func(m *wire.AcceptChannel) { m.ChannelType = nil }, true},
		{"empty channel type", func(m *wire.AcceptChannel) { m.ChannelType = wire.Features{} }, true},
		{"type without a bit", func(m *wire.AcceptChannel) { m.ChannelType = wire.NewFeatures(12, 22, 46) }, true},
		{"type with a bit more", func(m *wire.AcceptChannel) { m.ChannelType = m.ChannelType.With(40) }, true},
		{"type in a field too long", func(m *wire.AcceptChannel) { m.ChannelType = append([]byte{0}, m.ChannelType...) }, true},
		{"depth 1", func(m *wire.AcceptChannel) { m.MinimumDepth = 1 }, true},
		{"depth 2^32-1", func(m *wire.AcceptChannel) { m.MinimumDepth = math.MaxUint32 }, true},
		{"dust limit 1,062", func(m *wire.AcceptChannel) { m.DustLimitSat = 1062 }, false},
		{"dust limit above our reserve", func(m *wire.AcceptChannel) { m.DustLimitSat = 10_001 }, true},
		{"dust limit 354", func(m *wire.AcceptChannel) { m.DustLimitSat = 354 }, false},
		{"dust limit 353", func(m *wire.AcceptChannel) { m.DustLimitSat = 353 }, true},
		{"reserve is both dust limits", func(m *wire.AcceptChannel) { m.DustLimitSat, m.ChannelReserveSat = 500, 500 }, false},
		{"reserve under our dust limit", func(m *wire.AcceptChannel) { m.DustLimitSat, m.ChannelReserveSat = 400, 499 }, true},
		{"reserve under its dust limit", func(m *wire.AcceptChannel) { m.DustLimitSat, m.ChannelReserveSat = 600, 599 }, true},
		{"reserve 1 sat under the funding", func(m *wire.AcceptChannel) { m.ChannelReserveSat = 999_999 }, false},
		{"reserve of the whole funding", func(m *wire.AcceptChannel) { m.ChannelReserveSat = 1_000_000 }, true},
		{"reserve 2^64-1", func(m *wire.AcceptChannel) { m.ChannelReserveSat = math.MaxUint64 }, true},
		{"reserve and dust limit 2^64-1", func(m *wire.AcceptChannel) { m.ChannelReserveSat, m.DustLimitSat = math.MaxUint64, math.MaxUint64 }, true},
		{"483 HTLCs", func(m *wire.AcceptChannel) { m.MaxAcceptedHTLCs = 483 }, false},
		{"484 HTLCs", func(m *wire.AcceptChannel) { m.MaxAcceptedHTLCs = 484 }, true},
		{"delay 2016", func(m *wire.AcceptChannel) { m.ToSelfDelay = 2016 }, false},
		{"delay 2017", func(m *wire.AcceptChannel) { m.ToSelfDelay = 2017 }, true},
		{"what no rule bounds", func(m *wire.AcceptChannel) {
			m.MaxHTLCInFlightMsat, m.HTLCMinimumMsat, m.ToSelfDelay = math.MaxUint64, 0, 0
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := goodAccept()
			tt.change(a)
			got, refused := refusal(t, channel.CheckAccept(goodOpen(), a, rule.Set{}))
			if refused != tt.refused || refused && got != rule.PCF074 {
				t.Errorf("refused %v for %q, want %v", refused, got, tt.refused)
			}
		})
	}
}

// CHAN-036: three times the least dust limit, and no more, inside a factory and outside.
func TestDustLimitIsBounded(t *testing.T) {
	for limit, want := range map[uint64]rule.ID{1062: "", 1063: rule.CHAN036, 10_000: rule.CHAN036} {
		a := goodAccept()
		a.DustLimitSat = limit
		if got, _ := refusal(t, channel.CheckAccept(goodOpen(), a, rule.Set{})); got != want {
			t.Errorf("accept_channel with %d: refused for %q, want %q", limit, got, want)
		}
		a.ChannelType, a.MinimumDepth = channel.OutsideType(), 3
		o := channel.NewOutsideOpen(chain, fill(1), 10_000_000, 0, keys(1)) // the reserve is 100,000
		if got, _ := refusal(t, channel.CheckOutsideAccept(o, a, rule.Set{})); got != want {
			t.Errorf("outside, accept_channel with %d: refused for %q, want %q", limit, got, want)
		}
		o.DustLimitSat = limit
		if got, _ := refusal(t, channel.CheckOutsideOpen(channel.OpenContext{ChainHash: chain}, o)); got != want {
			t.Errorf("outside, open_channel with %d: refused for %q, want %q", limit, got, want)
		}
	}
}

// An answer to an open_channel of commitments without a fee has the lower limit of
// BOLT 2 on HTLCs.
func TestAcceptOfZeroFeeCommitments(t *testing.T) {
	o := goodOpen()
	channel.ZeroFee(o)
	a := channel.NewAccept(o, keys(2))
	if a.MaxAcceptedHTLCs != 114 {
		t.Errorf("max_accepted_htlcs is %d", a.MaxAcceptedHTLCs)
	}
	if err := channel.CheckAccept(o, a, rule.Set{}); err != nil {
		t.Error(err)
	}
	a.MaxAcceptedHTLCs = 115
	if got, refused := refusal(t, channel.CheckAccept(o, a, rule.Set{})); !refused || got != rule.PCF074 {
		t.Errorf("115 HTLCs: refused %v for %q", refused, got)
	}
}

// What this node proposes for any amount it can propose passes its own checks,
// and so does its own answer; the rules about their senders hold.
func TestNewOpenAndNewAcceptPassTheChecks(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, fundingSat uint64) {
		in := wire.ChannelInFactory{ProtocolID: loopback, InstanceID: fill(9), EarlyWarningTime: 144}
		o := channel.NewOpen(chain, fill(1), fundingSat, in, keys(1))
		if err := channel.CheckOpen(context(), o); err != nil {
			t.Fatalf("%d sat: open_channel refused: %v", fundingSat, err)
		}
		a := channel.NewAccept(o, keys(2))
		if err := channel.CheckAccept(o, a, rule.Set{}); err != nil {
			t.Fatalf("%d sat: accept_channel refused: %v", fundingSat, err)
		}
		switch {
		case o.FundingSat != fundingSat || o.PushMsat != 0 || o.ChainHash != chain || o.Keys != keys(1):
			t.Fatalf("%d sat: open_channel %+v", fundingSat, o)
		case o.ChannelFlags&1 != 0 || !o.ChannelType.Bit(46) || !o.ChannelType.Bit(50): // PCF-067
			t.Fatalf("%d sat: flags %d, type %v", fundingSat, o.ChannelFlags, o.ChannelType)
		case !cmp.Equal(*o.ChannelInFactory, in):
			t.Fatalf("%d sat: channel_in_factory %+v", fundingSat, o.ChannelInFactory)
		case o.ChannelReserveSat != o.DustLimitSat: // PCF-097
			t.Fatalf("%d sat: the client's reserve is %d", fundingSat, o.ChannelReserveSat)
		case a.TemporaryChannelID != o.TemporaryChannelID || a.MinimumDepth != 0 || a.Keys != keys(2): // PCF-073
			t.Fatalf("%d sat: accept_channel %+v", fundingSat, a)
		case 100*a.ChannelReserveSat < fundingSat: // PCF-096
			t.Fatalf("%d sat: a reserve of %d is under 1 %%", fundingSat, a.ChannelReserveSat)
		}
	}
	for _, fundingSat := range []uint64{leastFunding, leastFunding + 1, 35_400, 35_401, 35_500, 35_501, 1<<24 - 1} {
		check(t, fundingSat)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, rapid.Uint64Range(leastFunding, channel.MaxFundingSat).Draw(t, "funding_satoshis"))
	})
}

// One sat less than the least, and amounts that are too large or wrap, are
// refused by the check, and make no panic before.
func TestNewOpenOfAnImpossibleAmount(t *testing.T) {
	for _, fundingSat := range []uint64{0, 1, goodOpenFee, leastFunding - 1, 1 << 24, 1 << 60, math.MaxUint64/1000 + 1, math.MaxUint64} {
		o := channel.NewOpen(chain, fill(1), fundingSat, wire.ChannelInFactory{ProtocolID: loopback}, keys(1))
		if got, _ := refusal(t, channel.CheckOpen(context(), o)); got != rule.PCF072 {
			t.Errorf("%d sat: refused for %q, want PCF-072", fundingSat, got)
		}
	}
}

// PCF-073: whatever a peer proposes and CheckOpen lets pass, the answer keeps
// both dust limits at or under both reserves, leaves something of the channel
// and passes the check of the side that proposed.
func TestNewAcceptOfAnyOpen(t *testing.T) {
	passed := 0
	rapid.Check(t, func(t *rapid.T) {
		o := goodOpen()
		// Within the bounds, and a little beyond them now and then.
		o.FundingSat = rapid.Uint64Range(10_000, 100_000).Draw(t, "funding_satoshis")
		o.PushMsat = rapid.Uint64Range(0, 1000*o.FundingSat/4).Draw(t, "push_msat")
		o.DustLimitSat = rapid.Uint64Range(channel.MinDustLimitSat-1, o.FundingSat/4).Draw(t, "dust_limit_satoshis")
		o.ChannelReserveSat = rapid.Uint64Range(o.DustLimitSat-1, o.FundingSat/3).Draw(t, "channel_reserve_satoshis")
		o.FeeratePerKw = rapid.Uint32Range(channel.MinFeeratePerKw-1, 2_000).Draw(t, "feerate_per_kw")
		if channel.CheckOpen(context(), o) != nil {
			return
		}
		passed++
		a := channel.NewAccept(o, keys(2))
		if err := channel.CheckAccept(o, a, rule.Set{}); err != nil {
			t.Fatalf("accept_channel refused: %v\n%+v\n%+v", err, o, a)
		}
		if highest := max(o.DustLimitSat, a.DustLimitSat); highest > min(o.ChannelReserveSat, a.ChannelReserveSat) {
			t.Fatalf("a dust limit of %d, reserves of %d and %d", highest, o.ChannelReserveSat, a.ChannelReserveSat)
		}
		if 100*a.ChannelReserveSat < o.FundingSat {
			t.Fatalf("a reserve of %d sat of %d", a.ChannelReserveSat, o.FundingSat)
		}
	})
	if passed < 10 {
		t.Errorf("only %d proposals passed: this test shows nothing", passed)
	}
}
