package peer_test

import (
	"slices"

	"pgregory.net/rapid"

	"superscalar/wire"
)

// What follows draws messages for a machine that is to be surprised. Ids come
// from a small set, so that messages meet attempts; e1 to e3 are the ids that
// the node gives its own first channels.

var (
	ids       = []byte{0x00, 0x01, 0x02, 0x03, 0xe1, 0xe2, 0xe3}
	protocols = [][32]byte{wire.Codec{}.LoopbackID(), wire.Codec{}.SuperScalarID(), toyID, fill(0xab)}
)

func id(t *rapid.T) [32]byte { return fill(rapid.SampledFrom(ids).Draw(t, "id")) }

func protocol(t *rapid.T) [32]byte { return rapid.SampledFrom(protocols).Draw(t, "protocol") }

func someBytes(t *rapid.T) []byte {
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")...)
}

// featureField sets known and unknown features, the right ones more often.
func featureField(t *rapid.T) wire.Features {
	bits := rapid.SliceOfN(rapid.SampledFrom([]wire.Feature{1, 12, 22, 34, 35, 46, 47, 50, 51, 60, 61, 270, 271, 998, 999}), 0, 6).Draw(t, "bits")
	return wire.NewFeatures(bits...)
}

// valid draws a message that decodes, of every kind a machine knows.
func valid(t *rapid.T) wire.Message {
	drawers := []func(*rapid.T) wire.Message{
		validInit, validOpen, validOpen, validAccept, validPiggyback, validPiggyback, validPiggyback, validBase,
		func(t *rapid.T) wire.Message { return &wire.ErrorMessage{ChannelID: id(t), Data: someBytes(t)} },
		func(t *rapid.T) wire.Message { return &wire.Warning{ChannelID: id(t), Data: someBytes(t)} },
		func(t *rapid.T) wire.Message {
			pong := rapid.SampledFrom([]uint16{0, 1, 1000, 65531, 65532, 65535}).Draw(t, "num_pong_bytes")
			return &wire.Ping{NumPongBytes: pong, Ignored: someBytes(t)}
		},
		func(t *rapid.T) wire.Message { return &wire.Pong{Ignored: someBytes(t)} },
		func(t *rapid.T) wire.Message {
			return &wire.SupportedProtocols{IDs: rapid.SliceOfN(rapid.SampledFrom(protocols), 0, 5).Draw(t, "ids")}
		},
		func(t *rapid.T) wire.Message {
			change := wire.Change{ChannelID: id(t), FundingContributionSat: rapid.Int64().Draw(t, "sat"), FundingPubkey: keyring[5].Funding}
			outpoint := wire.ChangeOutpoint{ChannelID: change.ChannelID}
			return rapid.SampledFrom([]wire.Message{
				&wire.ChangeInit{Change: change}, &wire.ChangeAck{Change: change},
				&wire.ChangeFunding{Outpoint: outpoint}, &wire.ChangeContinue{Outpoint: outpoint},
				&wire.ChangeLocked{ChannelID: change.ChannelID}, &wire.ChangeAbort{ChannelID: change.ChannelID, Data: someBytes(t)},
			}).Draw(t, "change")
		},
		func(t *rapid.T) wire.Message {
			sub := 2*rapid.Uint16Range(0, 20).Draw(t, "sub") + 1
			return &wire.UnknownFactory{Sub: wire.SubType(sub), Rest: someBytes(t)}
		},
		func(t *rapid.T) wire.Message {
			odd := rapid.SampledFrom([]wire.MsgType{3, 257, 32769, 33001, 65535}).Draw(t, "type")
			return &wire.Unknown{Kind: odd, Payload: someBytes(t)}
		},
	}
	return rapid.SampledFrom(drawers).Draw(t, "kind")(t)
}

func validInit(t *rapid.T) wire.Message {
	m := build("init", newArgs(nil)).(*wire.Init)
	if rapid.Bool().Draw(t, "another") {
		m.Features, m.GlobalFeatures = featureField(t), featureField(t)
		m.Networks = rapid.SampledFrom([][][32]byte{nil, {}, {chain}, {fill(1)}}).Draw(t, "networks")
	}
	return m
}

// validOpen draws an open_channel that is right, or has one thing wrong.
func validOpen(t *rapid.T) wire.Message {
	m := goodOpen(rapid.SampledFrom(ids).Draw(t, "id"))
	if rapid.Bool().Draw(t, "right") {
		return m
	}
	amount := rapid.OneOf(rapid.Uint64Range(0, 5000), rapid.Uint64Range(1<<24-2, 1<<24+2), rapid.Uint64()).Draw(t, "amount")
	spoil := []func(){
		func() { m.FundingSat = amount }, func() { m.PushMsat = amount }, func() { m.DustLimitSat = amount },
		func() { m.ChannelReserveSat = amount }, func() { m.FeeratePerKw = uint32(amount) }, func() { m.ToSelfDelay = uint16(amount) },
		func() { m.MaxAcceptedHTLCs = uint16(amount) }, func() { m.ChannelFlags = uint8(amount) }, func() { m.ChannelType = featureField(t) },
		func() { m.ChannelInFactory.ProtocolID = protocol(t) }, func() { m.ChannelInFactory.InstanceID = id(t) },
		func() { m.ChannelInFactory.EarlyWarningTime = uint16(amount) }, func() { m.ChannelInFactory = nil },
		func() { m.Keys.HTLC = wire.Point{5} },
	}
	spoil[rapid.IntRange(0, len(spoil)-1).Draw(t, "wrong")]()
	return m
}

func validAccept(t *rapid.T) wire.Message {
	m := goodAccept(rapid.SampledFrom(ids).Draw(t, "id"))
	switch rapid.IntRange(0, 4).Draw(t, "wrong") {
	case 0:
		m.ChannelType = featureField(t)
	case 1:
		m.ChannelReserveSat = rapid.Uint64().Draw(t, "reserve")
	case 2:
		m.Keys.Funding = wire.Point{5}
	}
	return m
}

func validPiggyback(t *rapid.T) wire.Message {
	payloads := [][]byte{{0}, []byte("\x00hello"), []byte("\x01hello"), {0, 1}, {0, 2}, []byte("twice"), []byte("refuse"), []byte("break"), []byte("burst")}
	payload := rapid.SampledFrom(payloads).Draw(t, "payload")
	if rapid.IntRange(0, 4).Draw(t, "random") == 0 {
		payload = someBytes(t)
	}
	return &wire.Piggyback{ProtocolID: protocol(t), Payload: payload}
}

// validBase draws messages of channels that this node leaves to step 3.
func validBase(t *rapid.T) wire.Message {
	channel := id(t)
	p := keyring[3].Funding
	return rapid.SampledFrom([]wire.Message{
		&wire.Stfu{ChannelID: channel, Initiator: 1}, &wire.StartBatch{ChannelID: channel}, &wire.CommitmentSigned{ChannelID: channel},
		&wire.ChannelReestablish{ChannelID: channel, MyCurrentPerCommitmentPoint: p},
		&wire.Unknown{Kind: 36, Payload: slices.Concat(channel[:], p[:])},
		&wire.Unknown{Kind: 134, Payload: append(channel[:], 0, 0, 0, 253)},
	}).Draw(t, "base")
}

// raw draws the bytes of a message: right, damaged, or nothing but noise.
func raw(t *rapid.T, codec wire.Codec) []byte {
	kind := rapid.IntRange(0, 29).Draw(t, "damage")
	if kind == 29 {
		return rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "noise")
	}
	b, err := codec.Encode(valid(t))
	if err != nil {
		t.Fatalf("a message that does not encode: %v", err)
	}
	at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	switch kind {
	case 26: // one byte is another
		b[at] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
	case 27: // the end is missing
		b = b[:at]
	case 28: // something is inserted
		b = slices.Insert(b, at, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "insert")...)
	}
	return b
}
