package channel_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"testing"

	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated; -rapid.seed sets another.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("56"); err != nil {
			panic(err)
		}
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func fill(x byte) [32]byte { return [32]byte(bytes.Repeat([]byte{x}, 32)) }

var (
	chain    = fill(0xc4)
	loopback = wire.Codec{}.LoopbackID()
	other    = fill(0x70)
)

// keys returns keys that name their owner. Whether they are points is the
// codec's to check.
func keys(owner byte) (out wire.ChannelKeys) {
	for i, k := range []*wire.Point{&out.Funding, &out.Revocation, &out.Payment, &out.DelayedPayment, &out.HTLC, &out.FirstPerCommitment} {
		*k = wire.Point{0: 2, 31: byte(i), 32: owner}
	}
	return out
}

// context is a node that negotiated what a factory needs and lists two
// protocols with its peer.
func context(more ...wire.Feature) channel.OpenContext {
	return channel.OpenContext{
		Negotiated: wire.NewFeatures(append(more, 12, 22, 34, 44, 46, 50, 270)...),
		Common:     []wire.ProtocolID{other, loopback},
		ChainHash:  chain,
	}
}

// goodOpen is an open_channel far from every border. Its commitment fee, two
// anchors included, is 1124*253/1000 + 660 = 944 sat.
func goodOpen() *wire.OpenChannel {
	return &wire.OpenChannel{
		ChainHash: chain, TemporaryChannelID: fill(1),
		FundingSat: 1_000_000, DustLimitSat: 500, MaxHTLCInFlightMsat: 1_000_000_000, ChannelReserveSat: 10_000,
		HTLCMinimumMsat: 1, FeeratePerKw: 253, ToSelfDelay: 144, MaxAcceptedHTLCs: 30,
		Keys: keys(1), ChannelType: wire.NewFeatures(12, 22, 46, 50),
		ChannelInFactory: &wire.ChannelInFactory{ProtocolID: loopback, InstanceID: fill(9), EarlyWarningTime: 144},
	}
}

const goodOpenFee = 944 // sat

// refusal returns the rule that an error names, "" for none. It fails the test
// when the error is not a *Refusal with a printable reason.
func refusal(t *testing.T, err error) (rule.ID, bool) {
	t.Helper()
	if err == nil {
		return "", false
	}
	var r *channel.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is a %T, want a *Refusal", err, err)
	}
	if r.Reason == "" || r.Error() != r.Reason {
		t.Fatalf("refusal without a reason: %#v", r)
	}
	for _, c := range []byte(r.Reason) {
		if c < 32 || c > 126 {
			t.Fatalf("the reason %q is not printable", r.Reason)
		}
	}
	return r.Rule, true
}
