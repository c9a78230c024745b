package conformance

import (
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/btcec/v2"

	"superscalar/harness"
	"superscalar/refnode/channel"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// points returns n valid points that depend on the case alone.
func points(p *harness.Play, n int) []wire.Point {
	out := make([]wire.Point, n)
	for i := range out {
		seed := p.Seed(fmt.Sprintf("point %d", i))
		key, _ := btcec.PrivKeyFromBytes(seed[:])
		copy(out[i][:], key.PubKey().SerializeCompressed())
	}
	return out
}

func channelKeys(p *harness.Play) wire.ChannelKeys {
	k := points(p, 6)
	return wire.ChannelKeys{Funding: k[0], Revocation: k[1], Payment: k[2], DelayedPayment: k[3], HTLC: k[4], FirstPerCommitment: k[5]}
}

// fundingSat is the size of the channels the suite opens, in sat.
const fundingSat = 100_000

// openIn returns a right open_channel inside an instance of a protocol.
func openIn(p *harness.Play, c *harness.Peer, protocol wire.ProtocolID) *wire.OpenChannel {
	in := wire.ChannelInFactory{ProtocolID: protocol, InstanceID: randomChannel(p), EarlyWarningTime: 144}
	return channel.NewOpen(c.Chain(), randomChannel(p), fundingSat, in, channelKeys(p))
}

// A factory message that can be sent well-formed or spoiled.
type form struct {
	name string
	sub  wire.SubType
	// stream is a valid tlv_stream; known the type of its last known record.
	stream func(*harness.Play) wire.Stream
}

// forms are the factory messages a node may receive at any time. (A valid
// supported_factory_protocols is allowed once only, and that was sent.)
func forms() []form {
	return []form{
		{"piggyback", wire.SubPiggyback, func(p *harness.Play) wire.Stream {
			id := p.Codec.SuperScalarID()
			return wire.Stream{{Type: 0, Value: id[:]}, {Type: 1024, Value: []byte{0x7f, 0xff}}}
		}},
		{"change-init", wire.SubChangeInit, changeStream},
		{"change-ack", wire.SubChangeAck, changeStream},
		{"change-funding", wire.SubChangeFunding, outpointStream(2560)},
		{"change-continue", wire.SubChangeContinue, outpointStream(3072)},
		{"change-locked", wire.SubChangeLocked, func(p *harness.Play) wire.Stream {
			id, txid := randomChannel(p), randomChannel(p)
			return wire.Stream{{Type: 3584, Value: slices.Concat(id[:], txid[:])}}
		}},
		{"change-abort", wire.SubChangeAbort, func(p *harness.Play) wire.Stream {
			id := randomChannel(p)
			return wire.Stream{{Type: 4096, Value: append(id[:], "no"...)}}
		}},
	}
}

func changeStream(p *harness.Play) wire.Stream {
	id, point := randomChannel(p), points(p, 1)[0]
	return wire.Stream{{Type: 1536, Value: slices.Concat(id[:], make([]byte, 8), point[:])}}
}

func outpointStream(record uint64) func(*harness.Play) wire.Stream {
	return func(p *harness.Play) wire.Stream {
		id, txid := randomChannel(p), randomChannel(p)
		return wire.Stream{{Type: record, Value: slices.Concat(id[:], txid[:], []byte{0, 1})}}
	}
}

// encode returns the message with the given stream, and the offset in bytes at
// which the stream begins.
func (f form) encode(p *harness.Play, stream wire.Stream) (raw []byte, at int) {
	b, err := p.Codec.AppendStream(nil, stream)
	if err != nil {
		panic(err)
	}
	return f.raw(p, b)
}

// raw returns the message with the given bytes as its stream.
func (f form) raw(p *harness.Play, stream []byte) (raw []byte, at int) {
	envelope := p.Codec.Envelope
	if envelope == 0 {
		envelope = wire.TypeFactory
	}
	head := []byte{byte(envelope >> 8), byte(envelope), byte(f.sub >> 8), byte(f.sub)}
	return append(head, stream...), len(head)
}

// factoryControl is the positive control of cases that send one bad factory
// message: a harmless one, of an unknown odd submessage id, is ignored on the
// same connection just before.
func factoryControl(p *harness.Play, c *harness.Peer) {
	raw, _ := form{sub: 0x7fff}.raw(p, nil)
	c.Provoke(rule.PCF011, harness.Stimulus{Raw: raw, Planted: -1, Control: true, What: "control: an unknown odd submessage"}, harness.Ignored)
}

// proveRead shows that a target which ignored something did read it, and does
// not ignore everything: an unknown even submessage, sent right behind, is
// refused (PCF-012). On a connection that is closed already there is nothing
// to show.
func proveRead(p *harness.Play, c *harness.Peer) {
	if !c.Open() {
		return
	}
	raw, _ := form{sub: 0x7ffe}.raw(p, nil)
	c.Provoke(rule.PCF012, harness.Stimulus{Raw: raw, Planted: 2, What: "an unknown even submessage behind it"}, harness.WarnAndClose...)
}

// payloadControl is the same for SuperScalar messages.
func payloadControl(p *harness.Play, c *harness.Peer) {
	m := &wire.Piggyback{ProtocolID: p.Codec.SuperScalarID(), Payload: []byte{0x7f, 0xfd}}
	c.Provoke(rule.PCF042, harness.Stimulus{Message: m, Control: true, What: "control: an unknown odd SuperScalar message"}, harness.Ignored)
}

// messageControl is the same for base messages.
func messageControl(c *harness.Peer) {
	m := &wire.Unknown{Kind: 40003, Payload: []byte{1}}
	c.Provoke(rule.TRN020, harness.Stimulus{Message: m, Control: true, What: "control: an unknown odd message"}, harness.Ignored)
}
