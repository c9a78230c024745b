package peer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// protocols returns the ids of the node's plugins, in increasing order so that
// what is sent does not depend on registration (PCF-027).
func (m *Machine) protocols() []wire.ProtocolID {
	ids := []wire.ProtocolID{}
	for _, p := range m.cfg.Plugins {
		ids = append(ids, p.ProtocolID())
	}
	slices.SortFunc(ids, func(a, b wire.ProtocolID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

func (m *Machine) factory(msg wire.FactoryMessage) {
	switch msg := msg.(type) {
	case *wire.SupportedProtocols:
		m.supported(msg)
		return
	case *wire.UnknownFactory:
		m.unknownFactory(msg)
		return
	}
	if !m.listed && m.on(rule.PCF017) {
		m.close(rule.PCF017, msg.Name()+" before supported_factory_protocols")
		return
	}
	switch msg := msg.(type) {
	case *wire.Piggyback:
		m.piggyback(msg)
	default:
		m.change(msg)
	}
}

// supported stores what both sides list (PCF-028), once (PCF-022).
func (m *Machine) supported(msg *wire.SupportedProtocols) {
	if m.listed && m.on(rule.PCF022) {
		m.close(rule.PCF022, "second supported_factory_protocols")
		return
	}
	m.listed = true
	m.common = nil
	for _, id := range m.protocols() {
		if slices.Contains(msg.IDs, id) {
			m.common = append(m.common, id)
		}
	}
	for _, p := range m.talkers() {
		p.Connected(m.peer)
	}
	if len(msg.IDs) == 0 && !m.on(rule.PCF026) {
		m.end(rule.PCF026, "no factory protocol")
	}
	if len(msg.IDs) > len(m.common) && !m.on(rule.PCF029) {
		m.end(rule.PCF029, "unknown factory protocol")
	}
}

// piggyback hands a payload to its plugin and sends what it answers.
func (m *Machine) piggyback(msg *wire.Piggyback) {
	p := m.plugin(msg.ProtocolID)
	if p == nil {
		m.close(rule.PCF032, fmt.Sprintf("factory protocol %x is not one we listed", msg.ProtocolID))
		return
	}
	if !slices.Contains(m.common, msg.ProtocolID) && m.on(rule.PCF028) {
		m.close(rule.PCF028, fmt.Sprintf("factory protocol %x is not one you listed", msg.ProtocolID))
		return
	}
	payload := msg.Payload
	if !m.on(rule.PCF035) && len(payload) > 1 {
		payload = payload[:len(payload)-1]
	}
	replies, err := p.Receive(m.peer, payload)
	for _, reply := range replies {
		m.send(&wire.Piggyback{ProtocolID: msg.ProtocolID, Payload: reply})
	}
	var bad *plugin.Violation
	switch {
	case errors.As(err, &bad):
		m.close(bad.Rule, bad.Reason)
	case err != nil:
		m.warn(wire.ChannelID{}, "internal error of the factory plugin")
		m.end("", err.Error())
	}
}

// talkers are the plugins of the protocols in common that speak unasked, in
// order of their ids.
func (m *Machine) talkers() []plugin.Talker {
	var out []plugin.Talker
	for _, id := range m.common {
		if t, ok := m.plugin(id).(plugin.Talker); ok {
			out = append(out, t)
		}
	}
	return out
}

// Flush sends what plugins have to say to the peer.
func (m *Machine) Flush() []Action {
	for _, p := range m.talkers() {
		for _, payload := range p.Outgoing(m.peer) {
			m.send(&wire.Piggyback{ProtocolID: p.ProtocolID(), Payload: payload})
		}
	}
	m.flushChannels()
	return m.take()
}

func (m *Machine) unknownFactory(msg *wire.UnknownFactory) {
	if msg.Sub%2 == 1 {
		if !m.on(rule.PCF011) {
			m.end(rule.PCF011, "unknown odd factory submessage")
		}
		return
	}
	m.close(rule.PCF012, fmt.Sprintf("factory submessage %d is unknown and even", msg.Sub))
}

// change hands a factory_change_* message to its channel; it refuses one for a
// channel that is not in a factory with the peer (PCF-106).
func (m *Machine) change(msg wire.FactoryMessage) {
	id, ok := wire.ChangedChannel(msg)
	if ok && m.toChannel(id, msg) {
		return
	}
	if ok && m.on(rule.PCF106) {
		m.fail(id, msg.Name()+" for a channel that is not in a factory with you")
	}
}

func isFactory(message string) bool {
	return message == "supported_factory_protocols" || strings.HasPrefix(message, "factory_")
}

// factoryRule returns the requirement that asks for the reaction to a factory
// message that does not decode: its own where it has one, else that for
// lengths (PCF-015) or for the stream (PCF-013).
func factoryRule(e *wire.Error) rule.ID {
	switch {
	case strings.HasPrefix(string(e.Rule), "PCF"):
		return e.Rule
	case e.Kind == wire.WrongLength:
		return rule.PCF015
	default:
		return rule.PCF013
	}
}
