package peer_test

import (
	"superscalar/wire"
)

// build returns the message that a line of a trace names, nil when there is
// none of that name. What a line does not say has the value of a message that
// is right.
func build(name string, a *args) wire.Message {
	switch name {
	case "init":
		return buildInit(a)
	case "ping":
		m := &wire.Ping{}
		num(a, "pong", &m.NumPongBytes)
		a.bytes("ignored", &m.Ignored)
		return m
	case "pong":
		m := &wire.Pong{}
		a.bytes("ignored", &m.Ignored)
		return m
	case "error":
		m := &wire.ErrorMessage{}
		array32(a, "channel", &m.ChannelID)
		a.bytes("data", &m.Data)
		return m
	case "warning":
		m := &wire.Warning{}
		array32(a, "channel", &m.ChannelID)
		a.bytes("data", &m.Data)
		return m
	case "stfu":
		m := &wire.Stfu{Initiator: 1}
		array32(a, "channel", &m.ChannelID)
		return m
	case "open_channel":
		return buildOpen(a)
	case "accept_channel":
		return buildAccept(a)
	case "start_batch":
		m := &wire.StartBatch{BatchSize: 2}
		array32(a, "channel", &m.ChannelID)
		return m
	case "commitment_signed":
		m := &wire.CommitmentSigned{}
		array32(a, "channel", &m.ChannelID)
		return m
	case "channel_reestablish":
		m := &wire.ChannelReestablish{MyCurrentPerCommitmentPoint: keyring[7].Funding}
		array32(a, "channel", &m.ChannelID)
		return m
	case "message": // of any type
		var kind uint16
		num(a, "type", &kind)
		var payload []byte
		a.bytes("payload", &payload)
		return &wire.Unknown{Kind: wire.MsgType(kind), Payload: payload}
	}
	return buildFactory(name, a)
}

func buildFactory(name string, a *args) wire.Message {
	switch name {
	case "factory": // any submessage, records given one by one
		var sub uint16
		num(a, "sub", &sub)
		return &wire.UnknownFactory{Sub: wire.SubType(sub)}
	case "supported_factory_protocols":
		return &wire.SupportedProtocols{IDs: a.ids("ids")}
	case "factory_piggyback":
		m := &wire.Piggyback{Payload: []byte{}}
		array32(a, "protocol", &m.ProtocolID)
		a.bytes("payload", &m.Payload)
		return m
	case "factory_change_init", "factory_change_ack":
		c := wire.Change{FundingPubkey: keyring[5].Funding}
		array32(a, "channel", &c.ChannelID)
		if name == "factory_change_ack" {
			return &wire.ChangeAck{Change: c}
		}
		return &wire.ChangeInit{Change: c}
	case "factory_change_funding":
		m := &wire.ChangeFunding{}
		array32(a, "channel", &m.Outpoint.ChannelID)
		return m
	case "factory_change_continue":
		m := &wire.ChangeContinue{}
		array32(a, "channel", &m.Outpoint.ChannelID)
		return m
	case "factory_change_locked":
		m := &wire.ChangeLocked{}
		array32(a, "channel", &m.ChannelID)
		return m
	case "factory_change_abort":
		m := &wire.ChangeAbort{}
		array32(a, "channel", &m.ChannelID)
		a.bytes("data", &m.Data)
		return m
	}
	return nil
}

func buildInit(a *args) wire.Message {
	m := &wire.Init{Features: wire.NewFeatures(35, 47, 51, 271), Networks: [][32]byte{chain}}
	a.features("global", &m.GlobalFeatures)
	a.features("features", &m.Features)
	switch a.text("networks", "ours") {
	case "ours":
	case "absent":
		m.Networks = nil
	case "empty":
		m.Networks = [][32]byte{}
	case "foreign":
		m.Networks = [][32]byte{fill(0x01), fill(0x02)}
	case "foreign,ours":
		m.Networks = [][32]byte{fill(0x01), chain}
	default:
		a.fail("networks is ours, absent, empty, foreign or foreign,ours")
	}
	return m
}

func buildOpen(a *args) wire.Message {
	m := goodOpen(0x01)
	array32(a, "id", &m.TemporaryChannelID)
	array32(a, "chain", &m.ChainHash)
	num(a, "funding", &m.FundingSat)
	num(a, "push", &m.PushMsat)
	num(a, "dust", &m.DustLimitSat)
	num(a, "reserve", &m.ChannelReserveSat)
	num(a, "feerate", &m.FeeratePerKw)
	num(a, "delay", &m.ToSelfDelay)
	num(a, "htlcs", &m.MaxAcceptedHTLCs)
	num(a, "flags", &m.ChannelFlags)
	a.features("type", &m.ChannelType)
	array32(a, "protocol", &m.ChannelInFactory.ProtocolID)
	array32(a, "instance", &m.ChannelInFactory.InstanceID)
	num(a, "ewt", &m.ChannelInFactory.EarlyWarningTime)
	buildKeys(a, &m.Keys)
	if len(a.all("plain")) > 0 { // not in a factory
		m.ChannelInFactory = nil
	}
	return m
}

func buildAccept(a *args) wire.Message {
	m := goodAccept(0xe1)
	array32(a, "id", &m.TemporaryChannelID)
	num(a, "dust", &m.DustLimitSat)
	num(a, "reserve", &m.ChannelReserveSat)
	num(a, "depth", &m.MinimumDepth)
	num(a, "delay", &m.ToSelfDelay)
	num(a, "htlcs", &m.MaxAcceptedHTLCs)
	a.features("type", &m.ChannelType)
	buildKeys(a, &m.Keys)
	return m
}

// buildKeys spoils the key that bad_key names.
func buildKeys(a *args, keys *wire.ChannelKeys) {
	for _, name := range a.all("bad_key") {
		key, ok := map[string]*wire.Point{
			"funding": &keys.Funding, "revocation": &keys.Revocation, "payment": &keys.Payment,
			"delayed_payment": &keys.DelayedPayment, "htlc": &keys.HTLC, "first_per_commitment": &keys.FirstPerCommitment,
		}[name]
		if !ok {
			a.fail("no key %q", name)
			return
		}
		*key = wire.Point{0: 5} // no point begins with 5
	}
}
