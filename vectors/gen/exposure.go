package gen

import (
	"errors"
	"fmt"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/exit"
	"superscalar/refnode/factory"
	"superscalar/refnode/hub"
	"superscalar/refnode/leaves"
	"superscalar/refnode/wallet"
	"superscalar/vectors"
	"superscalar/wire"
	"superscalar/wire/rule"
)

const exposureComment = "A client with cover sat and these channels, factory telling which are of one. With at least the coins that pay at feerate_per_kvb for each transaction of its path and for claim_vbytes, each rounded up to a sat, it keeps every HTLC. Else those in flight towards it in all channels of the factory, htlc among them, may sum to a tenth of its cover; it fails the one that is too much, once it is committed."

// exposures are sums of HTLCs at the limit and 1 msat above it, and coins that pay for the
// way out and a sat less (CHAN-012).
func exposures() (vectors.File, error) {
	f := file("CHAN", "exposure", "SPEC.md 8.2 (CHAN-012)", exposureComment)
	type msat = []vectors.Uint
	in := func(factory vectors.Uint, incoming ...vectors.Uint) vectors.ExposureChannel {
		return vectors.ExposureChannel{Factory: factory, Incoming: append(msat{}, incoming...), Outgoing: msat{}}
	}
	type channels = []vectors.ExposureChannel
	offers := in(0, 1_500_000)
	offers.Outgoing = msat{90_000_000, 400_000}
	// At 2 sat per vbyte the path costs 554 and 1,242 sat, the claim 2,000: 3,796 together.
	for _, c := range []struct {
		name  string
		cover vectors.Uint
		coins vectors.Uint
		held  channels
		on    vectors.Uint
		most  vectors.Uint // msat that it keeps, of any amount where there is no limit
		free  bool
	}{
		{"first", 20_000, 0, channels{in(0)}, 0, 2_000_000, false},
		{"one channel", 20_000, 0, channels{in(0, 1_000_000, 400_000)}, 0, 600_000, false},
		{"two channels", 20_000, 0, channels{in(0, 1_500_000), in(0)}, 1, 500_000, false},
		{"three channels", 20_000, 0, channels{in(0, 500_000), in(0, 1, 2), in(0, 999_999)}, 1, 499_998, false},
		{"the one it comes on is empty", 20_000, 0, channels{in(0), in(0, 1_999_999)}, 0, 1, false},
		{"another factory", 20_000, 0, channels{in(0, 1_000_000), in(1, 90_000_000)}, 0, 1_000_000, false},
		{"another factory between", 20_000, 0, channels{in(0, 400_000), in(1, 1_900_000), in(0, 600_000)}, 2, 1_000_000, false},
		{"what it offers does not count", 20_000, 0, channels{offers, in(0)}, 1, 500_000, false},
		{"odd cover", 12_345, 0, channels{in(0, 1_234_000), in(0)}, 1, 500, false},
		{"a sat short", 20_000, 3_795, channels{in(0, 1_500_000), in(0)}, 1, 500_000, false},
		{"coins for the path alone", 20_000, 1_796, channels{in(0, 1_500_000), in(0)}, 1, 500_000, false},
		{"coins for the claim alone", 20_000, 2_000, channels{in(0, 1_500_000), in(0)}, 1, 500_000, false},
		{"coins for all of it", 20_000, 3_796, channels{in(0, 1_500_000), in(0)}, 1, 90_000_000, true},
	} {
		add := func(name string, amount vectors.Uint, kept bool) {
			v := &vectors.Exposure{Head: head(slug("exposure", name), rule.CHAN012), Cover: c.cover, Coins: c.coins, Feerate: 2_000,
				PathVBytes: msat{277, 621}, ClaimVBytes: 1_000, Channels: c.held, HTLC: vectors.ExposureHTLC{Channel: c.on, Amount: amount}}
			if kept {
				v.Kept = &kept
			} else {
				v.Outcome = blame("lsp", "failed", "amount_msat", -1, rule.CHAN012)
			}
			f.Vectors = append(f.Vectors, v)
		}
		add(c.name, c.most, true)
		if !c.free {
			add(c.name+" one msat more", c.most+1, false)
		}
	}
	nothing := &vectors.Exposure{Head: head("exposure-no-cover", rule.CHAN012), Feerate: 2_000, PathVBytes: msat{277, 621}, ClaimVBytes: 1_000,
		Channels: channels{in(0)}, HTLC: vectors.ExposureHTLC{Amount: 1_000}}
	nothing.Outcome = blame("lsp", "failed", "amount_msat", -1, rule.CHAN012)
	f.Vectors = append(f.Vectors, nothing)
	return f, nil
}

func (r runner) exposure(v *vectors.Exposure) error {
	var machines []*channel.Machine
	for i, c := range v.Channels {
		in := &wire.ChannelInFactory{InstanceID: wire.ChannelID{byte(c.Factory)}}
		m := &channel.Machine{State: channel.State{Side: commitment.Accepter, Open: &wire.OpenChannel{ChannelInFactory: in}}}
		put := func(by commitment.Side, amounts ...vectors.Uint) {
			for _, a := range amounts {
				m.HTLCs = append(m.HTLCs, &channel.HTLC{By: by, Amount: channel.MilliSat(a)})
			}
		}
		put(commitment.Opener, c.Incoming...)
		put(commitment.Accepter, c.Outgoing...)
		if i == int(v.HTLC.Channel) {
			put(commitment.Opener, v.HTLC.Amount)
		}
		machines = append(machines, m)
	}
	if int(v.HTLC.Channel) >= len(machines) {
		return fmt.Errorf("no channel %d", v.HTLC.Channel)
	}
	var path exit.Cost
	for _, vbytes := range v.PathVBytes {
		path.Steps = append(path.Steps, factory.Step{VBytes: int64(vbytes)})
	}
	coins := func(need factory.Sat) bool { return factory.Sat(v.Coins) >= need }
	most := leaves.MaxExposure(factory.Sat(v.Cover), path, int64(v.ClaimVBytes), wallet.FeeRate(v.Feerate), coins)
	here, elsewhere := machines[v.HTLC.Channel], channel.MilliSat(0)
	for _, m := range machines {
		elsewhere += hub.Elsewhere(here, m)
	}
	limit := channel.Use{MaxExposure: most}.Exposure(0, r.rules)
	switch fails := channel.Exposed(limit, here.Towards(), elsewhere); {
	case fails && v.Error == nil:
		return errors.New("it is failed")
	case v.Error != nil && (!fails || v.Error.Kind != "failed"):
		return fmt.Errorf("failed: %v, want %s", fails, v.Error.Kind)
	}
	return nil
}

func exposureSchema() object {
	amounts := object{"type": "array", "items": ref("uint")}
	return schema("exposure", "Whether a client keeps an HTLC", object{
		"cover": about("Sat.", ref("uint")), "coins": about("Sat.", ref("uint")), "feerate_per_kvb": about("Sat for 1,000 vbytes.", ref("uint")),
		"path_vbytes": about("Of each transaction of the path with its child.", amounts), "claim_vbytes": about("Of the commitment and the transaction of an HTLC.", ref("uint")),
		"channels": object{"type": "array", "minItems": 1, "items": closed(object{"factory": upTo(255), "incoming_msat": amounts, "outgoing_msat": amounts})},
		"htlc":     closed(object{"channel": upTo(255), "amount_msat": ref("uint")}),
	}, object{"kept": object{"const": true}}, nil, nil)
}
