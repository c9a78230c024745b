package channel_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// secret returns a private key that depends on its arguments alone.
func secret(parts ...any) *btcec.PrivateKey {
	sum := sha256.Sum256(fmt.Append(nil, parts...))
	key, _ := btcec.PrivKeyFromBytes(sum[:])
	return key
}

func keysFor(owner string) channel.Keys {
	return channel.Keys{
		Secrets: &commitment.Secrets{
			Revocation: secret(owner, "revocation"), Payment: secret(owner, "payment"),
			Delayed: secret(owner, "delayed"), HTLC: secret(owner, "htlc"),
		},
		Seed:    commitment.Seed(sha256.Sum256([]byte(owner + "seed"))),
		Funding: func(i uint32) *btcec.PrivateKey { return secret(owner, "funding", i) },
	}
}

func wireKeys(k channel.Keys) wire.ChannelKeys {
	point := func(p *btcec.PublicKey) wire.Point { return wire.Point(p.SerializeCompressed()) }
	first, err := k.Seed.Point(0)
	if err != nil {
		panic(err)
	}
	b := k.Secrets.Basepoints()
	return wire.ChannelKeys{
		Funding: point(k.Funding(0).PubKey()), Revocation: point(b.Revocation), Payment: point(b.Payment),
		DelayedPayment: point(b.Delayed), HTLC: point(b.HTLC), FirstPerCommitment: point(first),
	}
}

// setting is what a pair of channels is made with.
type setting struct {
	fundingSat, pushMsat uint64
	plain                bool // outside a factory
	rules                [2]rule.Set
	limits               [2]channel.Limits
	alter                func(*wire.OpenChannel, *wire.AcceptChannel)
}

func script(b byte) []byte { return append([]byte{0, 20}, bytes.Repeat([]byte{b}, 20)...) }

func (s setting) machines(t testing.TB) [2]*node {
	t.Helper()
	if s.fundingSat == 0 {
		s.fundingSat, s.pushMsat = 1_000_000, 400_000_000
	}
	owners := [2]string{"opener", "accepter"}
	in := wire.ChannelInFactory{ProtocolID: loopback, InstanceID: fill(9), EarlyWarningTime: 144}
	open := channel.NewOpen(chain, fill(1), s.fundingSat, in, wireKeys(keysFor(owners[0])))
	open.PushMsat = s.pushMsat
	if s.plain {
		open.ChannelInFactory = nil
		open.ChannelType = wire.NewFeatures(wire.FeatureStaticRemoteKey, wire.FeatureAnchors)
	}
	accept := channel.NewAccept(open, wireKeys(keysFor(owners[1])))
	if s.alter != nil {
		s.alter(open, accept)
	}
	var out [2]*node
	for i, owner := range owners {
		cfg := channel.Config{
			Keys: keysFor(owner), Limits: s.limits[i], Alias: uint64(100 + i), Script: script(byte(i)), Rules: s.rules[i],
			Features: wire.NewFeatures(wire.FeatureQuiesce, wire.FeatureUpfrontShutdown, wire.FeatureAnySegwit),
		}
		create := []func(channel.Config, *wire.OpenChannel, *wire.AcceptChannel) (*channel.Machine, error){channel.NewOpener, channel.NewAccepter}[i]
		m, err := create(cfg, open, accept)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = &node{name: owner, cfg: cfg, m: m, router: newRouter(), commitments: map[string]string{}}
	}
	return out
}
