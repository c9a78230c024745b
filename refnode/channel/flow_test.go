package channel_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
)

// A payment each way, to the end, on channels in a factory, outside, and with zero-fee
// commitments.
func TestPayments(t *testing.T) {
	zeroFee := func(o *wire.OpenChannel, a *wire.AcceptChannel) {
		o.FeeratePerKw = 0
		o.ChannelType = wire.NewFeatures(wire.FeatureZeroFee, wire.FeatureScidAlias, wire.FeatureZeroConf)
		a.ChannelType = o.ChannelType
	}
	for _, kind := range []setting{{}, {plain: true}, {alter: zeroFee}} {
		p := opened(t, kind)
		p.must(p.add(0, -1, 50_000_000))
		p.must(p.add(1, -1, 20_000_000))
		p.drain()
		for i := range p.nodes {
			for _, id := range p.nodes[i].open() {
				p.resolve(i, -1, id, 0)
			}
		}
		p.drain()
		for i, want := range [2]channel.MilliSat{570_000_000, 430_000_000} {
			m := p.nodes[i].m
			if got := m.Balance[m.Side]; got != want || len(m.HTLCs) != 0 {
				t.Errorf("%s has %d msat and %d HTLCs, want %d and none", p.nodes[i].name, got, len(m.HTLCs), want)
			}
		}
	}
}
