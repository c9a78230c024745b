package hub_test

import (
	"testing"

	"superscalar/refnode/channel"
	"superscalar/refnode/hub"
	"superscalar/refnode/peer"
	"superscalar/wire"
)

// squats has a stranger open a channel outside of factories, and name the output of a
// factory's channel as its funding: everybody in a factory knows every output of it.
func (k *taker) squats(stranger wire.Point) {
	k.t.Helper()
	keys, err := hub.Keys(deriver("stranger"), hub.Salt{7}, nil)
	check(k.t, err)
	open := channel.NewOutsideOpen(chainHash, wire.ChannelID{8}, 100_000, 0, hub.Points(keys))
	ours, theirs, err := k.hub.NewKeys(stranger, open)
	check(k.t, err)
	accept := channel.NewOutsideAccept(open, theirs)
	m, err := channel.NewOpener(channel.Config{Keys: keys}, open, accept)
	check(k.t, err)
	check(k.t, k.hub.Opened(stranger, peer.Opening{Salt: ours, Open: open, Accept: accept}))
	check(k.t, m.Outpoint(wire.Txid{5}, 1))
	for _, a := range m.Take() {
		if s, ok := a.(channel.Send); ok {
			k.hub.Receive(stranger, open.TemporaryChannelID, s.Message)
		}
	}
}

// sells opens the channel of the factory's output as an LSP does.
func (k *taker) sells(client wire.Point) {
	k.t.Helper()
	open := channel.NewOpen(chainHash, wire.ChannelID{9}, 100_000, wire.ChannelInFactory{ProtocolID: wire.ProtocolID{1}, EarlyWarningTime: 144}, wire.ChannelKeys{})
	salt, ours, err := k.hub.NewKeys(client, open)
	check(k.t, err)
	open.Keys = ours
	keys, err := hub.Keys(deriver("client"), hub.Salt{3}, nil)
	check(k.t, err)
	check(k.t, k.hub.Opened(client, peer.Opening{Salt: salt, Open: open, Accept: channel.NewAccept(open, hub.Points(keys)), Ours: true}))
}

// holder is the peer of the one channel on the output.
func (k *taker) holder() wire.Point {
	k.t.Helper()
	all := k.hub.Channels()
	if len(all) != 1 {
		k.t.Fatalf("%d channels on one output, want 1", len(all))
	}
	return all[0].Peer
}

// Two channels of one output have one id, and what the router says to one of them the other
// one hears: a preimage would not go where it is owed. The output of a factory's channel is
// that channel's, whoever named it before (PCF-046).
func TestAStrangerNamesTheOutputOfAFactory(t *testing.T) {
	stranger := wire.Point(secret("stranger").PubKey().SerializeCompressed())
	for _, c := range []struct {
		name string
		open func(*taker) bool // the factory's channel is opened; false: it was not
	}{
		{"an LSP opens", func(k *taker) bool { k.sells(k.lsp); return true }},
		{"a client accepts", func(k *taker) bool { return k.signs(1, channel.MinFeeratePerKw) }},
	} {
		for _, first := range []bool{true, false} {
			k := &taker{t: t, dir: t.TempDir(), lsp: wire.Point(secret("lsp").PubKey().SerializeCompressed())}
			k.start()
			k.hub.Connected(stranger, nil)
			if first {
				k.squats(stranger)
				if k.holder() != stranger {
					t.Fatal("control: the stranger's channel was not taken")
				}
			}
			if !c.open(k) {
				t.Errorf("%s: the factory's channel is not opened", c.name)
			}
			if !first {
				k.squats(stranger)
			}
			if k.holder() != k.lsp {
				t.Errorf("%s (stranger first: %v): the output is the stranger's", c.name, first)
			}
			k.stop()
		}
	}
}
