package channel_test

import (
	"math"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// maxSat is 21 million bitcoin, the funding that no channel can exceed.
const maxSat = 21_000_000 * 100_000_000

// Every rule on both sides of its border: the last value allowed, and the
// first one that is not.
func TestCheckOpen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*wire.OpenChannel)
		more   []wire.Feature // negotiated beyond what a factory needs
		want   rule.ID        // "" when it is accepted
	}{
		{name: "good", change: func(*wire.OpenChannel) {}},

		{name: "first protocol in common", change: func(m *wire.OpenChannel) { m.ChannelInFactory.ProtocolID = other }},
		{name: "protocol not in common", change: func(m *wire.OpenChannel) { m.ChannelInFactory.ProtocolID = fill(2) }, want: rule.PCF060},
		{name: "without zeroconf", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 22, 46) }, want: rule.PCF062},
		{name: "optional zeroconf bit", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 22, 46, 51) }, want: rule.PCF062},
		{name: "without scid alias", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 22, 50) }, want: rule.PCF063},
		{name: "optional scid alias bit", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 22, 47, 50) }, want: rule.PCF063},
		{name: "announced", change: func(m *wire.OpenChannel) { m.ChannelFlags = 1 }, want: rule.PCF064},
		{name: "announced among other flags", change: func(m *wire.OpenChannel) { m.ChannelFlags = 0xff }, want: rule.PCF064},
		{name: "all other flags", change: func(m *wire.OpenChannel) { m.ChannelFlags = 0xfe }},
		{name: "no early warning", change: func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = 0 }},
		{name: "early warning 1997", change: func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = 1997 }},
		{name: "early warning 1998", change: func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = 1998 }, want: rule.PCF069},
		{name: "early warning 65535", change: func(m *wire.OpenChannel) { m.ChannelInFactory.EarlyWarningTime = math.MaxUint16 }, want: rule.PCF069},

		{name: "another chain", change: func(m *wire.OpenChannel) { m.ChainHash[31] ^= 1 }, want: rule.PCF072},
		{name: "no channel type", change: func(m *wire.OpenChannel) { m.ChannelType = nil }, want: rule.PCF072},
		{name: "without anchors", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 46, 50) }, want: rule.PCF098},
		{name: "anchors alone", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(22, 46, 50) }, want: rule.PCF098},
		{name: "one bit more", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(12, 16, 22, 46, 50) }, want: rule.PCF098},
		{name: "optional bits", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(13, 23, 46, 50) }, want: rule.PCF098},
		{name: "variations alone", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(46, 50) }, want: rule.PCF098},
		{name: "zero fee commitments, not negotiated", change: func(m *wire.OpenChannel) { m.ChannelType = wire.NewFeatures(40, 46, 50) }, want: rule.PCF098},
		{name: "zero fee commitments", change: channel.ZeroFee, more: []wire.Feature{40}},
		{name: "zero fee commitments, offered by both sides as optional", change: channel.ZeroFee, more: []wire.Feature{41}},
		{name: "zero fee commitments and anchors", change: func(m *wire.OpenChannel) {
			channel.ZeroFee(m)
			m.ChannelType = m.ChannelType.With(12).With(22)
		}, more: []wire.Feature{40}, want: rule.PCF098},
		{name: "zero fee commitments with a feerate", change: func(m *wire.OpenChannel) { channel.ZeroFee(m); m.FeeratePerKw = 253 }, more: []wire.Feature{40}, want: rule.PCF072},
		{name: "zero fee commitments with 115 HTLCs", change: func(m *wire.OpenChannel) { channel.ZeroFee(m); m.MaxAcceptedHTLCs = 115 }, more: []wire.Feature{40}, want: rule.PCF072},
		{name: "zero fee commitments, all pushed", change: func(m *wire.OpenChannel) { channel.ZeroFee(m); m.PushMsat = 1_000_000_000 }, more: []wire.Feature{40}},
		{name: "type in a field too long", change: func(m *wire.OpenChannel) { m.ChannelType = append([]byte{0}, m.ChannelType...) }, want: rule.PCF098},

		{name: "funding 2^24-1", change: func(m *wire.OpenChannel) { m.FundingSat = 1<<24 - 1 }},
		{name: "funding 2^24", change: func(m *wire.OpenChannel) { m.FundingSat = 1 << 24 }, want: rule.PCF072},
		{name: "funding 2^24, large channels", change: func(m *wire.OpenChannel) { m.FundingSat = 1 << 24 }, more: []wire.Feature{18}},
		{name: "funding of all there is", change: func(m *wire.OpenChannel) { m.FundingSat = maxSat }, more: []wire.Feature{18}},
		{name: "funding of one sat more", change: func(m *wire.OpenChannel) { m.FundingSat = maxSat + 1 }, more: []wire.Feature{18}, want: rule.PCF072},
		{name: "delay 2016", change: func(m *wire.OpenChannel) { m.ToSelfDelay = 2016 }},
		{name: "delay 2017", change: func(m *wire.OpenChannel) { m.ToSelfDelay = 2017 }, want: rule.PCF072},
		{name: "483 HTLCs", change: func(m *wire.OpenChannel) { m.MaxAcceptedHTLCs = 483 }},
		{name: "484 HTLCs", change: func(m *wire.OpenChannel) { m.MaxAcceptedHTLCs = 484 }, want: rule.PCF072},
		{name: "feerate 253", change: func(m *wire.OpenChannel) { m.FeeratePerKw = 253 }},
		{name: "feerate 252", change: func(m *wire.OpenChannel) { m.FeeratePerKw = 252 }, want: rule.PCF072},
		{name: "feerate 0", change: func(m *wire.OpenChannel) { m.FeeratePerKw = 0 }, want: rule.PCF072},
		{name: "feerate 100000", change: func(m *wire.OpenChannel) { m.FeeratePerKw = 100_000 }},
		{name: "feerate 100001", change: func(m *wire.OpenChannel) { m.FeeratePerKw = 100_001 }, want: rule.PCF072},
		{name: "dust limit is the reserve", change: func(m *wire.OpenChannel) { m.DustLimitSat, m.ChannelReserveSat = 1000, 1000 }},
		{name: "dust limit 1,062", change: func(m *wire.OpenChannel) { m.DustLimitSat = 1062 }},
		{name: "dust limit 1,063", change: func(m *wire.OpenChannel) { m.DustLimitSat = 1063 }, want: rule.CHAN036},
		{name: "a dust limit that takes nearly all", change: func(m *wire.OpenChannel) { m.DustLimitSat, m.ChannelReserveSat = 900_000, 900_000 }, want: rule.CHAN036},
		{name: "dust limit above the reserve", change: func(m *wire.OpenChannel) { m.DustLimitSat = 10_001 }, want: rule.PCF072},
		{name: "dust limit 354", change: func(m *wire.OpenChannel) { m.DustLimitSat = 354 }},
		{name: "dust limit 353", change: func(m *wire.OpenChannel) { m.DustLimitSat = 353 }, want: rule.PCF072},

		{name: "push of all but the fee", change: func(m *wire.OpenChannel) { m.PushMsat = 1000 * (1_000_000 - goodOpenFee) }},
		{name: "push of 1 msat of the fee", change: func(m *wire.OpenChannel) { m.PushMsat = 1000*(1_000_000-goodOpenFee) + 1 }, want: rule.PCF072},
		{name: "push of everything", change: func(m *wire.OpenChannel) { m.PushMsat = 1_000_000_000 }, want: rule.PCF072},
		{name: "push of 1 msat more than everything", change: func(m *wire.OpenChannel) { m.PushMsat = 1_000_000_001 }, want: rule.PCF072},
		{name: "funder 1 sat above the reserve", change: func(m *wire.OpenChannel) { m.ChannelReserveSat = 1_000_000 - goodOpenFee - 1 }},
		{name: "funder at the reserve", change: func(m *wire.OpenChannel) { m.ChannelReserveSat = 1_000_000 - goodOpenFee }, want: rule.PCF072},
		{name: "receiver 1 sat above the reserve", change: func(m *wire.OpenChannel) {
			m.ChannelReserveSat, m.PushMsat = 600_000, 600_001_000
		}},
		{name: "receiver 1 msat short of that", change: func(m *wire.OpenChannel) {
			m.ChannelReserveSat, m.PushMsat = 600_000, 600_000_999
		}, want: rule.PCF072},
		{name: "fee of the highest feerate", change: func(m *wire.OpenChannel) {
			m.FeeratePerKw, m.PushMsat = 100_000, 1000*(1_000_000-113_060)
		}},
		{name: "1 sat short of it", change: func(m *wire.OpenChannel) {
			m.FeeratePerKw, m.PushMsat = 100_000, 1000*(1_000_000-113_060)+1000
		}, want: rule.PCF072},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := goodOpen()
			tt.change(m)
			err := channel.CheckOpen(context(tt.more...), m)
			if got, refused := refusal(t, err); got != tt.want || refused != (tt.want != "") {
				t.Errorf("refused for %q (%v), want %q", got, err, tt.want)
			}
		})
	}
}

// Amounts at which a sum or a product would wrap around are refused.
func TestCheckOpenDoesNotOverflow(t *testing.T) {
	const most = math.MaxUint64
	for _, tt := range []struct {
		name   string
		change func(*wire.OpenChannel)
	}{
		{"push 2^64-1", func(m *wire.OpenChannel) { m.PushMsat = most }},
		{"push 2^64-999, which 999 more would wrap", func(m *wire.OpenChannel) { m.PushMsat = most - 998 }},
		{"push 2^63", func(m *wire.OpenChannel) { m.PushMsat = 1 << 63 }},
		{"funding 2^64-1", func(m *wire.OpenChannel) { m.FundingSat = most }},
		{"funding whose msat wrap to 384", func(m *wire.OpenChannel) { m.FundingSat = most/1000 + 1 }},
		{"funding and push 2^64-1", func(m *wire.OpenChannel) { m.FundingSat, m.PushMsat = most, most }},
		{"funding of all there is, push 2^64-1", func(m *wire.OpenChannel) { m.FundingSat, m.PushMsat = maxSat, most }},
		{"reserve 2^64-1", func(m *wire.OpenChannel) { m.ChannelReserveSat = most }},
		{"reserve and dust limit 2^64-1", func(m *wire.OpenChannel) { m.ChannelReserveSat, m.DustLimitSat = most, most }},
		{"feerate 2^32-1", func(m *wire.OpenChannel) { m.FeeratePerKw = math.MaxUint32 }},
		{"everything at its most", func(m *wire.OpenChannel) {
			m.FundingSat, m.PushMsat, m.DustLimitSat, m.ChannelReserveSat = most, most, most, most
			m.FeeratePerKw, m.ToSelfDelay, m.MaxAcceptedHTLCs = math.MaxUint32, math.MaxUint16, math.MaxUint16
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := goodOpen()
			tt.change(m)
			if got, _ := refusal(t, channel.CheckOpen(context(18), m)); got != rule.PCF072 {
				t.Errorf("refused for %q, want PCF-072", got)
			}
		})
	}
}

// Fields that no rule bounds are the peer's own affair.
func TestCheckOpenLeavesTheRest(t *testing.T) {
	m := goodOpen()
	m.MaxHTLCInFlightMsat, m.HTLCMinimumMsat, m.ToSelfDelay = math.MaxUint64, 0, 0
	m.UpfrontShutdown = []byte{}
	m.Extra = wire.Stream{{Type: 65601, Value: []byte("odd")}}
	if err := channel.CheckOpen(context(), m); err != nil {
		t.Errorf("refused: %v", err)
	}
}

// PCF-070: version 1 is right inside a factory even where BOLT 2 wants version
// 2. Outside a factory this node opens nothing.
func TestCheckOpenVersion1(t *testing.T) {
	for _, tt := range []struct {
		name      string
		inFactory bool
		more      []wire.Feature
		refused   bool
		want      rule.ID
	}{
		{"in a factory, dual funding negotiated", true, []wire.Feature{28}, false, ""},
		{"plain", false, nil, true, ""},
		{"plain, dual funding negotiated", false, []wire.Feature{28}, true, rule.PCF072},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := goodOpen()
			if !tt.inFactory {
				m.ChannelInFactory = nil
			}
			if got, refused := refusal(t, channel.CheckOpen(context(tt.more...), m)); got != tt.want || refused != tt.refused {
				t.Errorf("refused %v for %q, want %v for %q", refused, got, tt.refused, tt.want)
			}
		})
	}
}

// A node without a protocol in common opens nothing.
func TestCheckOpenNothingInCommon(t *testing.T) {
	ctx := context()
	ctx.Common = nil
	if got, _ := refusal(t, channel.CheckOpen(ctx, goodOpen())); got != rule.PCF060 {
		t.Errorf("refused for %q, want PCF-060", got)
	}
}
