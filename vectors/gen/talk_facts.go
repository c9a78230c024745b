package gen

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	btcwire "github.com/btcsuite/btcd/wire"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"superscalar/refnode/ceremony"
	"superscalar/refnode/channel"
	"superscalar/refnode/commitment"
	"superscalar/refnode/factory"
	"superscalar/refnode/musig"
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

// talkMemo is how many results are remembered of a side of a channel: those of all
// commitments of a conversation.
const talkMemo = 128

// channelKeys are the keys of one side. A factory keeps the funding key over
// its changes (CHG-003); a machine that does not takes another secret of the
// side.
func channelKeys(s vectors.ChannelSecrets) channel.Keys {
	key := func(b vectors.Hex) *btcec.PrivateKey {
		return secp256k1.PrivKeyFromBytes(b)
	}
	funding, other := key(s.Funding), key(s.Payment)
	k := channel.Keys{
		Secrets: &commitment.Secrets{Revocation: key(s.Revocation), Payment: key(s.Payment), Delayed: key(s.Delayed), HTLC: key(s.HTLC)},
		Fixed:   true,
		Memo:    commitment.NewMemo(talkMemo),
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
		Funding: point(musig.PublicKeyOf(k.Funding(0))), Revocation: point(b.Revocation), Payment: point(b.Payment),
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

// rootFacts are those of the channel conversations that begin with nothing, by name.
// plain is one channel of 1,000,000 sat, zero-fee the same without commitment fees and
// with limits, chained three channels in a ps leaf, two of which sales made, and again
// one output on which a channel is opened once more, with the same first commitment of
// the LSP (number 1) and with another one (number 2).
var rootFacts = map[string]func() (*vectors.ChannelFacts, error){
	"plain": func() (*vectors.ChannelFacts, error) {
		b := newFactsBuilder("channel conversation")
		return b.facts(1_000_000, "conversation", nil)
	},
	"zero-fee": func() (*vectors.ChannelFacts, error) {
		b := newFactsBuilder("zero-fee channel conversation")
		v, err := b.facts(1_000_000, "zero-fee conversation", func(open *wire.OpenChannel, accept *wire.AcceptChannel) {
			channel.ZeroFee(open)
			open.UpfrontShutdown = append([]byte{0, 20}, b.bytes(20)...)
			accept.UpfrontShutdown = append([]byte{0, 20}, b.bytes(20)...)
		})
		if err == nil {
			v.Limits = &vectors.ChannelLimits{Until: 800_100, MaxExposure: 20_000_000}
		}
		return v, err
	},
	"chained": func() (*vectors.ChannelFacts, error) {
		b := newFactsBuilder("chained channel conversation")
		v, err := b.facts(100_000, "chained conversation", nil)
		for n := range chainedSales {
			if err == nil {
				err = b.other(v, chainedSales[n], fmt.Sprint("sold conversation ", n), nil)
			}
		}
		return v, err
	},
	"again": func() (*vectors.ChannelFacts, error) {
		b := newFactsBuilder("channel conversation again")
		v, err := b.facts(1_000_000, "conversation again", nil)
		for n, seed := range []string{"", "another seed"} {
			if err == nil {
				err = b.again(v, seed, byte(n))
			}
		}
		return v, err
	},
}

// chainedSales are the values of the channels that sales made.
var chainedSales = [2]vectors.Uint{20_000, 30_000}

// factsBuilder makes facts with values that follow from a name.
type factsBuilder struct {
	*source
	chain, factory [32]byte
}

func newFactsBuilder(name string) *factsBuilder { return &factsBuilder{source: newSource(name)} }

func secretsOf(name string) vectors.ChannelSecrets {
	key := func(what string) vectors.Hex { return secretKey(name+" "+what, 0).Serialize() }
	return vectors.ChannelSecrets{
		Funding: key("funding"), Revocation: key("revocation"), Payment: key("payment"), Delayed: key("delayed"), HTLC: key("htlc"), Seed: key("seed"),
	}
}

// facts are those of channel number 0; alter changes the terms.
func (b *factsBuilder) facts(value vectors.Uint, name string, alter func(*wire.OpenChannel, *wire.AcceptChannel)) (*vectors.ChannelFacts, error) {
	v := &vectors.ChannelFacts{
		Height: 800_000, LSP: secretsOf("lsp " + name), Client: secretsOf("client " + name),
		Output: vectors.FactoryOutput{Txid: b.bytes(32), Index: 1, Value: value},
	}
	b.factory, b.chain = [32]byte(b.bytes(32)), [32]byte(b.bytes(32))
	var err error
	v.Open, v.Accept, err = b.channel(v.Output, v.LSP, v.Client, wire.ChannelID(b.bytes(32)), alter)
	return v, err
}

// channel are open_channel and accept_channel.
func (b *factsBuilder) channel(at vectors.FactoryOutput, lsp, client vectors.ChannelSecrets, id wire.ChannelID, alter func(*wire.OpenChannel, *wire.AcceptChannel)) (open, accept vectors.Hex, err error) {
	ours, err := wireKeysOf(channelKeys(lsp))
	if err != nil {
		return nil, nil, err
	}
	theirs, err := wireKeysOf(channelKeys(client))
	if err != nil {
		return nil, nil, err
	}
	in := wire.ChannelInFactory{ProtocolID: wire.Codec{}.SuperScalarID(), InstanceID: b.factory, EarlyWarningTime: 432}
	o := channel.NewOpen(b.chain, id, uint64(at.Value), in, ours)
	a := channel.NewAccept(o, theirs)
	if alter != nil {
		alter(o, a)
		a.ChannelType, a.MaxAcceptedHTLCs = o.ChannelType, min(a.MaxAcceptedHTLCs, o.MaxAcceptedHTLCs)
	}
	if open, err = (wire.Codec{}).Encode(o); err != nil {
		return nil, nil, err
	}
	accept, err = wire.Codec{}.Encode(a)
	return open, accept, err
}

// other adds a channel of its own.
func (b *factsBuilder) other(v *vectors.ChannelFacts, value vectors.Uint, name string, alter func(*wire.OpenChannel, *wire.AcceptChannel)) error {
	o := vectors.OtherChannel{
		LSP: secretsOf("lsp " + name), Client: secretsOf("client " + name), Output: vectors.FactoryOutput{Txid: b.bytes(32), Index: 0, Value: value},
	}
	var err error
	o.Open, o.Accept, err = b.channel(o.Output, o.LSP, o.Client, wire.ChannelID(b.bytes(32)), alter)
	v.Others = append(v.Others, o)
	return err
}

// again adds a channel on the output of number 0. With another seed of the LSP its
// first commitment is another one.
func (b *factsBuilder) again(v *vectors.ChannelFacts, seed string, n byte) error {
	o := vectors.OtherChannel{LSP: v.LSP, Client: v.Client, Output: v.Output}
	if seed != "" {
		o.LSP.Seed = secretKey(seed, 0).Serialize()
	}
	var err error
	o.Open, o.Accept, err = b.channel(o.Output, o.LSP, o.Client, wire.ChannelID(b.bytes(32)), nil)
	v.Others = append(v.Others, o)
	return err
}
