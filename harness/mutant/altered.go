package mutant

import (
	"superscalar/refnode/peer"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// out makes a mutant that rewrites outgoing messages of type M. The function
// gets a copy it may change, and returns what to send in its place.
func out[M wire.Message](id string, r rule.ID, breaks, want string, f func(M) []wire.Message) Mutant {
	return Mutant{ID: id, Rule: r, Breaks: breaks, Want: want, Tamper: func() peer.Tamper {
		return peer.Tamper{Out: func(m wire.Message) []wire.Message {
			if x, ok := m.(M); ok {
				return f(x)
			}
			return []wire.Message{m}
		}}
	}}
}

func total(m Mutant, why string) Mutant {
	m.Total = why
	return m
}

func one(m wire.Message) []wire.Message { return []wire.Message{m} }

func ping() wire.Message { return &wire.Ping{NumPongBytes: 1} }

// altered are mutants that send something else than they should.
func altered() []Mutant {
	var codec wire.Codec
	never := "every conversation begins with it"
	return []Mutant{
		total(out("TRN-050", rule.TRN050, "sends a ping before init", "the first message is ping", func(m *wire.Init) []wire.Message {
			return []wire.Message{ping(), m}
		}), never),
		out("TRN-051", rule.TRN051, "sends a ping behind its init, without waiting for the peer's", "a message came before", func(m *wire.Init) []wire.Message {
			return []wire.Message{m, ping()}
		}),
		out("TRN-024", rule.TRN024, "sends an even custom message behind its init", "message type 40000", func(m *wire.Init) []wire.Message {
			return []wire.Message{m, &wire.Unknown{Kind: 40000}}
		}),
		out("TRN-058", rule.TRN058, "sets both bits of option_anchors", "bits 22 and 23", func(m *wire.Init) []wire.Message {
			m.Features = m.Features.With(22).With(23)
			return one(m)
		}),
		out("TRN-059", rule.TRN059, "pads its features with a zero byte", "without a leading zero byte", func(m *wire.Init) []wire.Message {
			m.Features = append(wire.Features{0}, m.Features...)
			return one(m)
		}),
		out("TRN-060", rule.TRN060, "offers option_zeroconf without option_scid_alias", "without it", func(m *wire.Init) []wire.Message {
			m.Features = m.Features.Without(wire.FeatureScidAlias)
			return one(m)
		}),
		out("TRN-061", rule.TRN061, "sets bit 51 in globalfeatures", "above 13", func(m *wire.Init) []wire.Message {
			m.GlobalFeatures = wire.NewFeatures(51)
			return one(m)
		}),
		out("TRN-062", rule.TRN062, "names no chain", "at least one chain", func(m *wire.Init) []wire.Message {
			m.Networks = nil
			return one(m)
		}),
		out("TRN-064", rule.TRN064, "tells the peer its loopback address", "127.0.0.1", func(m *wire.Init) []wire.Message {
			m.RemoteAddr = []byte{1, 127, 0, 0, 1, 0x26, 0x07}
			return one(m)
		}),
		out("TRN-074", rule.TRN074, "sends errors about channels with a channel_id of zeros", "0000000000000000", func(m *wire.ErrorMessage) []wire.Message {
			m.ChannelID = wire.ChannelID{}
			return one(m)
		}),
		out("TRN-072/zero", rule.TRN072, "sends errors about unknown channels with a channel_id of zeros", "0000000000000000", func(m *wire.ErrorMessage) []wire.Message {
			m.ChannelID = wire.ChannelID{}
			return one(m)
		}),
		out("TRN-080", rule.TRN080, "sends one byte less than a ping asked for", "the pong has the wrong length", func(m *wire.Pong) []wire.Message {
			if len(m.Ignored) < 2 || len(m.Ignored) > 5000 {
				m.Ignored = append(m.Ignored, 0)[:max(len(m.Ignored)-1, 1)]
			}
			return one(m)
		}),
		out("TRN-080/small", rule.TRN080, "answers a ping for one byte with none", "the pong has the wrong length", func(m *wire.Pong) []wire.Message {
			if len(m.Ignored) == 1 {
				m.Ignored = nil
			}
			return one(m)
		}),
		out("TRN-082", rule.TRN082, "fills pongs with something", "not all zero", func(m *wire.Pong) []wire.Message {
			for i := range m.Ignored {
				m.Ignored[i] = 0xaa
			}
			return one(m)
		}),
		out("PCF-001", rule.PCF001, "sets both bits of the factory feature", "270 and 271", func(m *wire.Init) []wire.Message {
			m.Features = m.Features.With(wire.FeatureFactories)
			return one(m)
		}),
		out("PCF-002", rule.PCF002, "offers factories without option_quiesce", "a dependency is missing", func(m *wire.Init) []wire.Message {
			m.Features = m.Features.Without(wire.FeatureQuiesce)
			return one(m)
		}),
		out("PCF-004", rule.PCF004, "lists its protocols to everybody", "a factory message came", func(m *wire.Init) []wire.Message {
			return []wire.Message{m, &wire.SupportedProtocols{IDs: []wire.ProtocolID{codec.SuperScalarID(), codec.LoopbackID()}}}
		}),
		out("PCF-006", rule.PCF006, "sends its list of protocols with type 33001", "33001", func(m *wire.SupportedProtocols) []wire.Message {
			compat := wire.Codec{Envelope: wire.TypeFactoryCompat}
			raw, _ := compat.Encode(m) // as long as the normative form, which fits
			return one(&wire.Unknown{Kind: wire.TypeFactoryCompat, Payload: raw[2:]})
		}),
		out("PCF-020", rule.PCF020, "does not list its protocols", "it did not list its protocols", func(*wire.SupportedProtocols) []wire.Message { return nil }),
		out("PCF-021", rule.PCF021, "lists its protocols twice", "are not right", func(m *wire.SupportedProtocols) []wire.Message {
			return []wire.Message{m, m}
		}),
		out("PCF-023", rule.PCF023, "lists its protocols without the record", "it did not list its protocols, but sent messages of type [32800]", func(m *wire.SupportedProtocols) []wire.Message {
			return one(&wire.UnknownFactory{Sub: wire.SubSupportedProtocols})
		}),
		out("PCF-027", rule.PCF027, "lists a protocol twice", "a protocol id comes twice", func(m *wire.SupportedProtocols) []wire.Message {
			m.IDs = append(m.IDs, m.IDs[0])
			return one(m)
		}),
		out("PCF-034", rule.PCF034, "names another protocol in its piggybacks", "another protocol", func(m *wire.Piggyback) []wire.Message {
			m.ProtocolID = codec.SuperScalarID()
			return one(m)
		}),
		out("PCF-051/twice", rule.PCF051, "answers Loopback requests twice", "not right", func(m *wire.Piggyback) []wire.Message {
			return []wire.Message{m, m}
		}),
		out("PCF-065", rule.PCF065, "refuses every channel", "did not come", func(m *wire.AcceptChannel) []wire.Message {
			return one(&wire.ErrorMessage{ChannelID: m.TemporaryChannelID, Data: []byte("no")})
		}),
		out("PCF-067", rule.PCF067, "announces its in-factory channels", "announce_channel clear", func(m *wire.OpenChannel) []wire.Message {
			open := *m
			open.ChannelFlags = 1
			return one(&open)
		}),
		out("PCF-067/type", rule.PCF067, "opens in-factory channels without zeroconf", "option_zeroconf", func(m *wire.OpenChannel) []wire.Message {
			open := *m
			open.ChannelType = m.ChannelType.Without(wire.FeatureZeroConf)
			return one(&open)
		}),
		out("PCF-073", rule.PCF073, "accepts with a minimum_depth of 3", "a minimum_depth of 0", func(m *wire.AcceptChannel) []wire.Message {
			m.MinimumDepth = 3
			return one(m)
		}),
		out("PCF-096", rule.PCF096, "asks for a reserve of 354 sat, whatever the channel's size", "at least 1 %", func(m *wire.AcceptChannel) []wire.Message {
			m.ChannelReserveSat = 354
			return one(m)
		}),
		out("PCF-097", rule.PCF097, "asks the client for a reserve of 1 %", "the dust limit", func(m *wire.OpenChannel) []wire.Message {
			open := *m
			open.ChannelReserveSat = m.FundingSat / 100
			return one(&open)
		}),
		out("PCF-106/zero", rule.PCF106, "refuses changes with a channel_id of zeros", "0000000000000000", func(m *wire.ErrorMessage) []wire.Message {
			m.ChannelID = wire.ChannelID{}
			return one(m)
		}),
	}
}
