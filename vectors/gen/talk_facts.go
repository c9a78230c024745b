package gen

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/vectors"
	"superscalar/wire"
)

// talkFacts is what both sides of a channel conversation know, as the
// implementation takes it. It is shared and not changed.
type talkFacts struct {
	height channel.Height
	open   *wire.OpenChannel
	accept *wire.AcceptChannel
	output vectors.FactoryOutput
	keys   [2]channel.Keys // by side: the LSP is the opener
	peers  [2]wire.Point   // names of the sides, the same for all their channels
	others []*talkFacts    // channels 1, 2 and so on
	limits *vectors.ChannelLimits
}

// all are the channels of the two.
func (f *talkFacts) all() []*talkFacts { return append([]*talkFacts{f}, f.others...) }

// use is what the factory lets a side use its channels for.
func (f *talkFacts) use(side commitment.Side) (u channel.Use) {
	if f.limits == nil {
		return u
	}
	u.Until = channel.Height(f.limits.Until)
	if side == commitment.Accepter {
		u.MaxExposure = channel.MilliSat(f.limits.MaxExposure)
	}
	return u
}

func readFacts(v *vectors.ChannelFacts) (*talkFacts, error) {
	f, err := readChannel(v.Open, v.Accept, v.Output, v.LSP, v.Client)
	if err != nil {
		return nil, err
	}
	f.height, f.limits = channel.Height(v.Height), v.Limits
	f.peers = [2]wire.Point{f.open.Keys.Funding, f.accept.Keys.Funding}
	for _, o := range v.Others {
		other, err := readChannel(o.Open, o.Accept, o.Output, o.LSP, o.Client)
		if err != nil {
			return nil, err
		}
		other.height, other.limits, other.peers = f.height, f.limits, f.peers
		f.others = append(f.others, other)
	}
	return f, nil
}

func readChannel(open, accept vectors.Hex, output vectors.FactoryOutput, lsp, client vectors.ChannelSecrets) (*talkFacts, error) {
	f := &talkFacts{output: output}
	for _, raw := range []vectors.Hex{open, accept} {
		m, err := wire.Codec{}.Decode(raw)
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *wire.OpenChannel:
			f.open = m
		case *wire.AcceptChannel:
			f.accept = m
		}
	}
	if f.open == nil || f.accept == nil || f.open.ChannelInFactory == nil || len(output.Txid) != chainhash.HashSize {
		return nil, fmt.Errorf("no open_channel inside a factory, accept_channel and output")
	}
	for side, s := range []vectors.ChannelSecrets{lsp, client} {
		f.keys[side] = channelKeys(s)
	}
	return f, nil
}

// channelKeys are the keys of one side. A factory keeps the funding key over
// its changes (CHG-003); a machine that does not takes another secret of the
// side.
func channelKeys(s vectors.ChannelSecrets) channel.Keys {
	key := func(b vectors.Hex) *btcec.PrivateKey {
		k, _ := btcec.PrivKeyFromBytes(b)
		return k
	}
	funding, other := key(s.Funding), key(s.Payment)
	k := channel.Keys{
		Secrets: &commitment.Secrets{Revocation: key(s.Revocation), Payment: key(s.Payment), Delayed: key(s.Delayed), HTLC: key(s.HTLC)},
		Fixed:   true,
		Funding: func(i uint32) *btcec.PrivateKey {
			if i == 0 {
				return funding
			}
			return other
		},
	}
	copy(k.Seed[:], s.Seed)
	return k
}

// wireKeysOf are the keys as open_channel and accept_channel name them.
func wireKeysOf(k channel.Keys) (wire.ChannelKeys, error) {
	point := func(p *btcec.PublicKey) wire.Point { return wire.Point(p.SerializeCompressed()) }
	first, err := k.Seed.Point(0)
	if err != nil {
		return wire.ChannelKeys{}, err
	}
	b := k.Secrets.Basepoints()
	return wire.ChannelKeys{
		Funding: point(k.Funding(0).PubKey()), Revocation: point(b.Revocation), Payment: point(b.Payment),
		DelayedPayment: point(b.Delayed), HTLC: point(b.HTLC), FirstPerCommitment: point(first),
	}, nil
}

// place is an output of a factory as the registry of a role takes it.
func (f *talkFacts) place(side commitment.Side, at vectors.FactoryOutput, alone bool) ceremony.ChannelOutput {
	keys := [2]wire.Point{f.open.Keys.Funding, f.accept.Keys.Funding}
	o := ceremony.ChannelOutput{
		Peer: f.peers[side.Other()], Attempt: wire.CeremonyID{1}, Factory: wire.CeremonyID(f.open.ChannelInFactory.InstanceID),
		Outpoint: btcwire.OutPoint{Hash: chainhash.Hash(at.Txid), Index: uint32(at.Index)}, Value: factory.Sat(at.Value),
		LSPKey: keys[commitment.Opener], Key: f.keys[side].Funding(0), Theirs: keys[side.Other()], Alone: alone,
	}
	return o
}

// conversationFacts are those of all channel conversations of this package.
func conversationFacts() (*vectors.ChannelFacts, error) {
	secrets := func(name string) vectors.ChannelSecrets {
		key := func(what string) vectors.Hex { return secretKey(name+" conversation "+what, 0).Serialize() }
		return vectors.ChannelSecrets{
			Funding: key("funding"), Revocation: key("revocation"), Payment: key("payment"), Delayed: key("delayed"), HTLC: key("htlc"), Seed: key("seed"),
		}
	}
	s := newSource("channel conversation")
	v := &vectors.ChannelFacts{
		Height: 800_000, LSP: secrets("lsp"), Client: secrets("client"),
		Output: vectors.FactoryOutput{Txid: s.bytes(32), Index: 1, Value: 1_000_000},
	}
	lsp, err := wireKeysOf(channelKeys(v.LSP))
	if err != nil {
		return nil, err
	}
	client, err := wireKeysOf(channelKeys(v.Client))
	if err != nil {
		return nil, err
	}
	in := wire.ChannelInFactory{ProtocolID: wire.Codec{}.SuperScalarID(), InstanceID: [32]byte(s.bytes(32)), EarlyWarningTime: 432}
	open := channel.NewOpen([32]byte(s.bytes(32)), wire.ChannelID(s.bytes(32)), uint64(v.Output.Value), in, lsp)
	accept := channel.NewAccept(open, client)
	if v.Open, err = (wire.Codec{}).Encode(open); err != nil {
		return nil, err
	}
	v.Accept, err = (wire.Codec{}).Encode(accept)
	return v, err
}
