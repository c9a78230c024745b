package plugin

import (
	"errors"
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// ErrNoFactory is returned by Offer while there is no factory with the peer.
var ErrNoFactory = errors.New("no factory with this peer")

// Ceremonies is what the plugin hands ceremony messages to: one role's
// machines (package ceremony) and what they need. It is safe for concurrent
// use.
type Ceremonies interface {
	// Hears reports whether the role receives messages of a type (CER-008).
	Hears(wire.CeremonyType) bool
	// Receive handles a message; answers wait in Outgoing.
	Receive(peer PeerID, m wire.Ceremony)
	// Connected and Disconnected are those of Talker.
	Connected(peer PeerID)
	Disconnected(peer PeerID)
	// Outgoing takes the messages that wait for a peer, in order.
	Outgoing(peer PeerID) []wire.Ceremony
}

// SuperScalar is the plugin of this protocol: it reads and writes the framing
// of its messages and hands them to the ceremonies.
type SuperScalar struct {
	codec      wire.Codec
	ceremonies Ceremonies
}

// NewSuperScalar returns the plugin. The codec's rules are all on, except in
// mutants. A node that takes part in no ceremony passes nil.
func NewSuperScalar(codec wire.Codec, ceremonies Ceremonies) *SuperScalar {
	return &SuperScalar{codec: codec, ceremonies: ceremonies}
}

// ProtocolID implements Plugin.
func (s *SuperScalar) ProtocolID() wire.ProtocolID { return s.codec.SuperScalarID() }

// Receive implements Plugin: odd messages it does not know are ignored
// (PCF-042), even ones refused (PCF-043), malformed ones too (PCF-041,
// PCF-044, CER-001).
func (s *SuperScalar) Receive(peer PeerID, payload []byte) ([][]byte, error) {
	rules := s.codec.Rules
	p, err := s.codec.DecodePayload(payload)
	if err != nil {
		return nil, s.violation(err)
	}
	t := wire.CeremonyType(p.Type)
	if s.ceremonies == nil || wire.NewCeremony(t) == nil || !s.ceremonies.Hears(t) && rules.On(rule.CER008) {
		return nil, s.unknown(p.Type)
	}
	m, err := s.codec.DecodeCeremony(payload)
	if err != nil {
		return nil, s.violation(err)
	}
	s.ceremonies.Receive(peer, m)
	return s.Outgoing(peer), nil
}

// violation is the answer to a payload that does not decode.
func (s *SuperScalar) violation(err error) error {
	var bad *wire.Error
	if !errors.As(err, &bad) {
		return err
	}
	if !s.codec.Rules.On(bad.Rule) {
		return nil
	}
	return &Violation{Rule: bad.Rule, Reason: bad.Error()}
}

// unknown is the answer to a type that nobody here hears.
func (s *SuperScalar) unknown(t uint16) error {
	rules := s.codec.Rules
	even := t%2 == 0
	if even && rules.On(rule.PCF043) || !even && !rules.On(rule.PCF042) {
		return &Violation{Rule: rule.PCF043, Reason: fmt.Sprintf("superscalar message type %d is unknown", t)}
	}
	return nil
}

// Connected implements Talker.
func (s *SuperScalar) Connected(peer PeerID) {
	if s.ceremonies != nil {
		s.ceremonies.Connected(peer)
	}
}

// Disconnected implements Talker.
func (s *SuperScalar) Disconnected(peer PeerID) {
	if s.ceremonies != nil {
		s.ceremonies.Disconnected(peer)
	}
}

// Outgoing implements Talker. A message of ours that does not fit an envelope
// is a defect; it is left out, and its attempt runs into its deadline.
func (s *SuperScalar) Outgoing(peer PeerID) [][]byte {
	if s.ceremonies == nil {
		return nil
	}
	var out [][]byte
	for _, m := range s.ceremonies.Outgoing(peer) {
		if raw, err := s.codec.EncodeCeremony(m); err == nil {
			out = append(out, raw)
		}
	}
	return out
}

// ChannelTaker is Ceremonies of a role that has channels in its factories.
type ChannelTaker interface {
	// CheckChannel says what is wrong with an open_channel, in printable ASCII.
	CheckChannel(peer PeerID, open *wire.OpenChannel) error
	// ToSelfDelay is what accept_channel asks of the opener's commitments, in
	// blocks; 0 leaves it to the base node.
	ToSelfDelay(peer PeerID, open *wire.OpenChannel) uint16
}

// CheckChannel implements Plugin.
func (s *SuperScalar) CheckChannel(peer PeerID, open *wire.OpenChannel) error {
	if !s.codec.Rules.On(rule.PCF061) {
		return nil
	}
	taker, ok := s.ceremonies.(ChannelTaker)
	if !ok {
		return &Violation{Rule: rule.PCF061, Reason: fmt.Sprintf("factory instance %x is unknown", open.ChannelInFactory.InstanceID)}
	}
	if err := taker.CheckChannel(peer, open); err != nil {
		return &Violation{Rule: rule.PCF061, Reason: err.Error()}
	}
	return nil
}

// ToSelfDelay implements Delayer.
func (s *SuperScalar) ToSelfDelay(peer PeerID, open *wire.OpenChannel) uint16 {
	if taker, ok := s.ceremonies.(ChannelTaker); ok {
		return taker.ToSelfDelay(peer, open)
	}
	return 0
}

// Offer implements Plugin.
func (s *SuperScalar) Offer(PeerID, uint64) (wire.ChannelInFactory, error) {
	return wire.ChannelInFactory{}, ErrNoFactory
}
