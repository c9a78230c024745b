package wire

import (
	"bytes"
	"slices"

	"github.com/lightningnetwork/lnd/lnwire"

	"superscalar/wire/rule"
)

// Unknown is a message of a type this package does not know.
type Unknown struct {
	Kind    MsgType
	Payload []byte // everything after the type
}

// Name implements Message.
func (*Unknown) Name() string            { return "unknown" }
func (m *Unknown) msgType(Codec) MsgType { return m.Kind }
func (m *Unknown) read(r *Reader)        { m.Payload = r.Rest() }
func (m *Unknown) write(w *writer)       { w.bytes(m.Payload) }

// Base is a message of Lightning that a factory leaves as it is. Channel
// messages are parsed with lnwire; gossip, which this project does not use,
// is not looked into. The payload is kept as it arrived, so that it is
// written again byte for byte, which lnwire alone does not promise.
type Base struct {
	Kind    MsgType
	Payload []byte         // everything after the type
	Parsed  lnwire.Message // nil for gossip and for a message built by hand
}

// The base messages lnwire parses for us, and gossip that is passed over.
var (
	parsedBase = []MsgType{34, 35, 36, 38, 39, 128, 130, 131, 133, 134, 135}
	gossip     = []MsgType{256, 257, 258, 259, 261, 262, 263, 264, 265}
)

func isBase(t MsgType) bool { return slices.Contains(parsedBase, t) || slices.Contains(gossip, t) }

// Name implements Message.
func (m *Base) Name() string          { return lnwire.MessageType(m.Kind).String() }
func (m *Base) msgType(Codec) MsgType { return m.Kind }
func (m *Base) write(w *writer)       { w.bytes(m.Payload) }

func (m *Base) read(r *Reader) {
	m.Payload = r.Rest()
	if !slices.Contains(parsedBase, m.Kind) {
		return
	}
	whole := append([]byte{byte(m.Kind >> 8), byte(m.Kind)}, m.Payload...)
	parsed, err := lnwire.ReadMessage(bytes.NewReader(whole), 0)
	if err != nil {
		r.failAt(2, "payload", Truncated, rule.TRN022, err.Error())
		return
	}
	m.Parsed = parsed
}

// ChannelOf returns the channel that a message of type 32 to 255 is about,
// when its payload is long enough to say so. For messages that open a channel
// it is the temporary channel id.
func ChannelOf(m Message) (ChannelID, bool) {
	switch m := m.(type) {
	case *OpenChannel:
		return m.TemporaryChannelID, true
	case *AcceptChannel:
		return m.TemporaryChannelID, true
	case *StartBatch:
		return m.ChannelID, true
	case *CommitmentSigned:
		return m.ChannelID, true
	case *ChannelReestablish:
		return m.ChannelID, true
	case *Base:
		if m.Kind < 256 && len(m.Payload) >= 32 {
			return ChannelID(m.Payload[:32]), true
		}
	}
	return ChannelID{}, false
}
