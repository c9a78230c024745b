package plugin

import (
	"io"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// Kinds of Loopback payloads; section 3.6 of SPEC.md.
const (
	LoopbackRequest = 0
	LoopbackReply   = 1
	loopbackOrders  = 16 // and above
)

// loopbackWarning is the early warning time of Loopback channels, in blocks.
// They are in no factory; any value that leaves room for an HTLC does.
const loopbackWarning = 144

// Loopback is the test protocol of section 3.6 of SPEC.md: it echoes requests
// and accepts channels of any instance but the zero one. It holds no money.
type Loopback struct {
	codec wire.Codec
	rand  io.Reader // for instance ids
	// Orders takes payloads of kind 16 and above, which order something of a
	// channel (PCF-162); nil: a node without channels.
	Orders func(payload []byte)
}

// NewLoopback returns the plugin; rand gives the ids of instances it offers.
func NewLoopback(codec wire.Codec, rand io.Reader) *Loopback {
	return &Loopback{codec: codec, rand: rand}
}

// ProtocolID implements Plugin.
func (l *Loopback) ProtocolID() wire.ProtocolID { return l.codec.LoopbackID() }

// Receive implements Plugin: a request is answered (PCF-051), nothing else is
// (PCF-052).
func (l *Loopback) Receive(_ PeerID, payload []byte) ([][]byte, error) {
	if len(payload) == 0 {
		return nil, nil
	}
	if payload[0] >= loopbackOrders && l.Orders != nil {
		l.Orders(payload)
	}
	request := payload[0] == LoopbackRequest
	if request && l.codec.Rules.On(rule.PCF051) || !request && !l.codec.Rules.On(rule.PCF052) {
		reply := append([]byte{LoopbackReply}, payload[1:]...)
		return [][]byte{reply}, nil
	}
	return nil, nil
}

// CheckChannel implements Plugin.
func (l *Loopback) CheckChannel(_ PeerID, open *wire.OpenChannel) error {
	if open.ChannelInFactory.InstanceID == [32]byte{} && l.codec.Rules.On(rule.PCF061) {
		return &Violation{Rule: rule.PCF061, Reason: "the zero factory instance does not exist"}
	}
	return nil
}

// Offer implements Plugin: every channel gets an instance of its own.
func (l *Loopback) Offer(PeerID, uint64) (wire.ChannelInFactory, error) {
	in := wire.ChannelInFactory{ProtocolID: l.ProtocolID(), EarlyWarningTime: loopbackWarning}
	if _, err := io.ReadFull(l.rand, in.InstanceID[:]); err != nil {
		return wire.ChannelInFactory{}, err
	}
	return in, nil
}
