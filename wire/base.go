package wire

import (
	"bytes"

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
	start := r.off
	if layout, ok := baseLayouts[m.Kind]; ok {
		layout(r)
	}
	if r.err != nil {
		return
	}
	m.Payload = append([]byte{}, r.b[start:]...)
	r.off = len(r.b)
	if parsedBase[m.Kind] == "" {
		return
	}
	parsed, err := lnwire.ReadMessage(bytes.NewReader(r.b), 0)
	if err != nil {
		r.failAt(start, "payload", BadValue, rule.TRN022, err.Error())
		return
	}
	m.Parsed = parsed
}

// Wrap returns the message to send for one that lnwire made. The error is
// lnwire's, or an *Error when this package would not read the message back.
func Wrap(m lnwire.Message) (*Base, error) {
	var b bytes.Buffer
	if _, err := lnwire.WriteMessage(&b, m, 0); err != nil {
		return nil, err
	}
	read, err := Codec{}.Decode(b.Bytes())
	if err != nil {
		return nil, err
	}
	base, ok := read.(*Base)
	if !ok {
		return nil, &Error{Message: read.Name(), Field: "type", Kind: BadValue, Rule: rule.TRN022, Detail: "it has a codec of its own"}
	}
	return base, nil
}

// baseLayouts walk a base message as BOLT 2 lays it out: its fields, and the
// records known at the features this project negotiates. lnwire would let
// unknown even records pass (TRN-037) and does not say where it stopped.
var baseLayouts = map[MsgType]func(*Reader){
	34:  layout(fields{{"temporary_channel_id", 32}, {"funding_txid", 32}, {"funding_output_index", 2}, {"signature", 64}}),
	35:  layout(fields{{"channel_id", 32}, {"signature", 64}}),
	36:  layout(fields{{"channel_id", 32}, {"second_per_commitment_point", point}}, record(1, "short_channel_id", 8)),
	38:  layout(fields{{"channel_id", 32}, {"scriptpubkey", blob}}),
	39:  layout(fields{{"channel_id", 32}, {"fee_satoshis", 8}, {"signature", 64}}, record(1, "fee_range", 16)),
	128: layout(fields{{"channel_id", 32}, {"id", 8}, {"amount_msat", 8}, {"payment_hash", 32}, {"cltv_expiry", 4}, {"onion_routing_packet", 1366}}, record(0, "path_key", point)),
	130: layout(fields{{"channel_id", 32}, {"id", 8}, {"payment_preimage", 32}}),
	131: layout(fields{{"channel_id", 32}, {"id", 8}, {"reason", blob}}),
	133: layout(fields{{"channel_id", 32}, {"per_commitment_secret", 32}, {"next_per_commitment_point", point}}),
	134: layout(fields{{"channel_id", 32}, {"feerate_per_kw", 4}}),
	135: layout(fields{{"channel_id", 32}, {"id", 8}, {"sha256_of_onion", 32}, {"failure_code", 2}}),
}

// fields are names and sizes in bytes; two sizes stand for something else.
type fields []struct {
	name string
	size int
}

const (
	blob  = -1 // a u16 length and that many bytes
	point = -2 // a compressed point
)

func layout(fs fields, known ...RecordType) func(*Reader) {
	return func(r *Reader) {
		for _, f := range fs {
			r.field(f.name, f.size)
		}
		r.Stream(known...)
	}
}

func (r *Reader) field(name string, size int) {
	switch size {
	case blob:
		r.Bytes(name, int(r.U16("len")))
	case point:
		r.Point(name)
	default:
		r.Bytes(name, size)
	}
}

func record(typ uint64, name string, size int) RecordType {
	return RecordType{typ, name, func(v *Reader) { v.field(name, size) }}
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
