package plugin

import (
	"errors"
	"fmt"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// ErrNoFactory is returned by Offer while there is no factory with the peer.
var ErrNoFactory = errors.New("no factory with this peer")

// SuperScalar is the plugin of this protocol. It reads the framing of its
// messages; the messages themselves, and with them the first factory a channel
// could be in, arrive with the ceremonies (sections 4 and 5 of SPEC.md). Until
// then every instance is unknown to it.
type SuperScalar struct {
	codec wire.Codec
}

// NewSuperScalar returns the plugin. The codec's rules are all on, except in
// mutants.
func NewSuperScalar(codec wire.Codec) *SuperScalar { return &SuperScalar{codec: codec} }

// ProtocolID implements Plugin.
func (s *SuperScalar) ProtocolID() wire.ProtocolID { return s.codec.SuperScalarID() }

// Receive implements Plugin: odd messages it does not know are ignored
// (PCF-042), even ones refused (PCF-043), malformed ones too (PCF-041,
// PCF-044).
func (s *SuperScalar) Receive(_ PeerID, payload []byte) ([][]byte, error) {
	rules := s.codec.Rules
	p, err := s.codec.DecodePayload(payload)
	var bad *wire.Error
	if errors.As(err, &bad) {
		if !rules.On(bad.Rule) {
			return nil, nil
		}
		return nil, &Violation{Rule: bad.Rule, Reason: bad.Error()}
	}
	if err != nil {
		return nil, err
	}
	even := p.Type%2 == 0
	if even && rules.On(rule.PCF043) || !even && !rules.On(rule.PCF042) {
		return nil, &Violation{Rule: rule.PCF043, Reason: fmt.Sprintf("superscalar message type %d is unknown", p.Type)}
	}
	return nil, nil
}

// CheckChannel implements Plugin.
func (s *SuperScalar) CheckChannel(_ PeerID, open *wire.OpenChannel) error {
	if !s.codec.Rules.On(rule.PCF061) {
		return nil
	}
	return &Violation{Rule: rule.PCF061, Reason: fmt.Sprintf("factory instance %x is unknown", open.ChannelInFactory.InstanceID)}
}

// Offer implements Plugin.
func (s *SuperScalar) Offer(PeerID, uint64) (wire.ChannelInFactory, error) {
	return wire.ChannelInFactory{}, ErrNoFactory
}
