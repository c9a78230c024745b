package peer

import (
	"errors"
	"fmt"
	"slices"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// init handles the peer's init. A node that refuses it says why: both sides'
// init are on the wire by then.
func (m *Machine) init(msg *wire.Init) {
	if m.state == ready {
		m.close(rule.TRN053, "second init")
		return
	}
	m.state = ready
	m.theirs = msg.All()
	if !m.on(rule.TRN056) {
		m.theirs = msg.Features
	}
	if !m.initAllowed(msg) {
		return
	}
	m.event(EventReady, printable(fmt.Appendf(nil, "features %v", m.theirs.Bits())))
	if m.factories() {
		m.send(&wire.SupportedProtocols{IDs: m.protocols()})
	}
	if m.cfg.Channels != nil {
		m.cfg.Channels.Connected(m.peer, m.negotiated())
	}
}

// initAllowed checks init and closes the connection when it is refused.
func (m *Machine) initAllowed(msg *wire.Init) bool {
	for _, bit := range m.theirs.Bits() {
		if bit%2 == 0 && !knownFeature(bit) && m.on(rule.TRN054) {
			m.close(rule.TRN054, fmt.Sprintf("feature bit %d is required and unknown", bit))
			return false
		}
		if bit%2 == 1 && !knownFeature(bit) && !m.on(rule.TRN055) {
			m.end(rule.TRN055, "unknown odd feature")
			return false
		}
	}
	if id, missing, ok := m.dependenciesMet(); !ok {
		m.close(id, missing)
		return false
	}
	if len(msg.Networks) > 0 && !slices.Contains(msg.Networks, m.cfg.ChainHash) && m.on(rule.TRN063) {
		m.close(rule.TRN063, "no chain in common")
		return false
	}
	return true
}

// dependenciesMet checks TRN-057, and PCF-003 for the factory feature. What
// an unknown feature depends on is no concern of this node (TRN-055).
func (m *Machine) dependenciesMet() (rule.ID, string, bool) {
	for _, bit := range m.theirs.Bits() {
		if !knownFeature(bit) {
			continue
		}
		id := rule.TRN057
		if bit&^1 == wire.FeatureFactories {
			id = rule.PCF003
		}
		for _, needed := range wire.Dependencies(bit) {
			if !m.theirs.Offers(needed) && m.on(id) {
				return id, fmt.Sprintf("feature %d needs feature %d", bit, needed), false
			}
		}
	}
	return "", "", true
}

// known are the features this node understands, whether it offers them or
// not, by even bit: it does not close a connection for requiring one of them.
var known = []wire.Feature{
	wire.FeatureDataLossProtect, wire.FeatureUpfrontShutdown, wire.FeatureGossipQueries,
	wire.FeatureVarOnion, wire.FeatureStaticRemoteKey, wire.FeaturePaymentSecret,
	wire.FeatureBasicMPP, wire.FeatureLargeChannels, wire.FeatureAnchors,
	wire.FeatureAnySegwit, wire.FeatureQuiesce, wire.FeatureZeroFee, wire.FeatureChannelType,
	wire.FeatureScidAlias, wire.FeatureZeroConf, wire.FeatureFactories,
}

func knownFeature(bit wire.Feature) bool { return slices.Contains(known, bit&^1) }

// Features returns what a reference node offers: what a channel in a factory
// needs, and the factory feature itself.
func Features() wire.Features {
	return wire.NewFeatures(
		wire.FeatureDataLossProtect+1, wire.FeatureVarOnion, wire.FeatureStaticRemoteKey,
		wire.FeaturePaymentSecret, wire.FeatureAnchors+1, wire.FeatureAnySegwit+1, wire.FeatureQuiesce+1,
		wire.FeatureZeroFee+1, wire.FeatureChannelType, wire.FeatureScidAlias+1, wire.FeatureZeroConf+1,
		wire.FeatureFactories+1,
	)
}

// noPong is the least num_pong_bytes that asks for no pong (TRN-081).
const noPong = wire.MaxPongBytes + 1

func (m *Machine) ping(msg *wire.Ping) {
	if msg.NumPongBytes >= noPong {
		if !m.on(rule.TRN081) {
			m.send(&wire.Pong{})
		}
		return
	}
	m.send(&wire.Pong{Ignored: make([]byte, msg.NumPongBytes)})
}

// errorMessage forgets what the peer gave up; all zero means everything.
func (m *Machine) errorMessage(msg *wire.ErrorMessage) {
	m.event(EventNotice, "error: "+printable(msg.Data))
	_, pending := m.opening[msg.ChannelID]
	switch {
	case msg.ChannelID == wire.ChannelID{}:
		if m.on(rule.TRN075) {
			m.forgetAll(msg)
		}
	case pending && m.on(rule.PCF076):
		m.forget(msg.ChannelID)
	case m.toChannel(msg.ChannelID, msg):
	case !pending && !m.on(rule.TRN070):
		m.end(rule.TRN070, "error for an unknown channel")
	}
}

// forgetAll gives up every attempt, and every channel (TRN-075, CHAN-022).
func (m *Machine) forgetAll(msg *wire.ErrorMessage) {
	clear(m.opening)
	if m.cfg.Channels != nil && m.on(rule.CHAN022) {
		m.cfg.Channels.Fail(m.peer, msg)
	}
}

func (m *Machine) warning(msg *wire.Warning) {
	m.event(EventNotice, "warning: "+printable(msg.Data))
	if !m.on(rule.TRN071) {
		m.end(rule.TRN071, "warning")
	}
}

// printable returns data for a log: anything but printable ASCII is escaped
// (TRN-073).
func printable(data []byte) string {
	const most = 200 // bytes; a log line is not a place for 65 kB
	if len(data) > most {
		data = data[:most]
	}
	q := fmt.Sprintf("%+q", data)
	return q[1 : len(q)-1]
}

// unknown applies the odd/even rule (TRN-020, TRN-021).
func (m *Machine) unknown(typ wire.MsgType) {
	if typ%2 == 1 {
		if !m.on(rule.TRN020) {
			m.end(rule.TRN020, "unknown odd message")
		}
		return
	}
	m.close(rule.TRN021, fmt.Sprintf("message type %d is unknown and even", typ))
}

// unknownChannel answers a message about a channel that does not exist
// (TRN-072). Gossip names no channel and is passed over.
func (m *Machine) unknownChannel(msg wire.Message) {
	id, ok := wire.ChannelOf(msg)
	if ok && m.on(rule.TRN072) {
		m.fail(id, msg.Name()+" for an unknown channel")
	}
}

// malformed reacts to a message that does not decode. Which requirement asks
// for the reaction depends on the message.
func (m *Machine) malformed(typ wire.MsgType, raw []byte, err error) {
	var e *wire.Error
	if !errors.As(err, &e) {
		m.end("", err.Error())
		return
	}
	switch {
	case e.Message == "factory_message" || isFactory(e.Message):
		m.close(factoryRule(e), e.Error())
	case typ == wire.TypeInit && e.Rule != rule.TRN043: // fixed fields are TRN-022
		m.close(rule.TRN065, e.Error())
		if !m.on(rule.TRN065) {
			m.receive(withoutRecords(raw))
		}
	case typ == wire.TypeOpenChannel && isInFactoryField(e.Field):
		m.close(rule.PCF068, e.Error())
	case (typ == wire.TypeOpenChannel || typ == wire.TypeAcceptChannel) && e.Kind == wire.BadPoint:
		m.badPoint(typ, raw, e)
	case (typ == wire.TypeOpenChannel || typ == wire.TypeAcceptChannel) && e.Rule != rule.TRN043:
		m.close(rule.PCF058, e.Error())
	default:
		m.close(rule.TRN022, e.Error())
	}
}

// withoutRecords cuts the records off an init whose fixed fields are complete.
func withoutRecords(raw []byte) []byte {
	n := 4 + int(raw[2])<<8 + int(raw[3])
	return raw[:n+2+int(raw[n])<<8+int(raw[n+1])]
}

func isInFactoryField(field string) bool {
	return field == "channel_in_factory" || field == "factory_protocol_id" || field == "factory_instance_id" || field == "factory_early_warning_time"
}

// badPoint fails the channel that a message with an invalid key would open:
// it names the channel well, so the connection need not suffer.
func (m *Machine) badPoint(typ wire.MsgType, raw []byte, e *wire.Error) {
	id, at := rule.PCF072, 2+32 // open_channel has the chain hash first
	if typ == wire.TypeAcceptChannel {
		id, at = rule.PCF074, 2
	}
	if m.on(id) {
		m.refuse(wire.ChannelID(raw[at:at+32]), e.Error())
	}
}
