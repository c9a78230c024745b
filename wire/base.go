package wire

import (
	"bytes"
	"errors"
	"io"

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

// The base messages lnwire parses for us, and gossip that is passed over, by
// the names they have in BOLT 2 and BOLT 7.
var (
	parsedBase = map[MsgType]string{
		34: "funding_created", 35: "funding_signed", 36: "channel_ready", 38: "shutdown", 39: "closing_signed",
		128: "update_add_htlc", 130: "update_fulfill_htlc", 131: "update_fail_htlc", 133: "revoke_and_ack",
		134: "update_fee", 135: "update_fail_malformed_htlc",
	}
	gossip = map[MsgType]string{
		256: "channel_announcement", 257: "node_announcement", 258: "channel_update", 259: "announcement_signatures",
		261: "query_short_channel_ids", 262: "reply_short_channel_ids_end", 263: "query_channel_range",
		264: "reply_channel_range", 265: "gossip_timestamp_filter",
	}
)

func isBase(t MsgType) bool { return parsedBase[t] != "" || gossip[t] != "" }

// Name implements Message.
func (m *Base) Name() string          { return parsedBase[m.Kind] + gossip[m.Kind] }
func (m *Base) msgType(Codec) MsgType { return m.Kind }
func (m *Base) write(w *writer)       { w.bytes(m.Payload) }

func (m *Base) read(r *Reader) {
	m.Payload = r.Rest()
	if parsedBase[m.Kind] == "" {
		return
	}
	whole := append([]byte{byte(m.Kind >> 8), byte(m.Kind)}, m.Payload...)
	parsed, err := lnwire.ReadMessage(bytes.NewReader(whole), 0)
	if err != nil {
		kind := BadValue
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			kind = Truncated
		}
		r.failAt(2, "payload", kind, rule.TRN022, err.Error())
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
