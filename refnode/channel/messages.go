package channel

import (
	"encoding/binary"

	"superscalar/refnode/commitment"
	"superscalar/wire"
)

// The base messages of BOLT 2 that package wire keeps as they arrived. Their
// layout has been checked by the time a Machine sees them.
const (
	typeFundingCreated      wire.MsgType = 34
	typeFundingSigned       wire.MsgType = 35
	typeChannelReady        wire.MsgType = 36
	typeShutdown            wire.MsgType = 38
	typeClosingSigned       wire.MsgType = 39
	typeAddHTLC             wire.MsgType = 128
	typeFulfilHTLC          wire.MsgType = 130
	typeFailHTLC            wire.MsgType = 131
	typeRevokeAndAck        wire.MsgType = 133
	typeUpdateFee           wire.MsgType = 134
	typeFailMalformed       wire.MsgType = 135
	onionSize                            = 1366
	recordPathKey                        = 0 // of update_add_htlc
	recordAlias                          = 1 // of channel_ready
	recordFeeRange                       = 1 // of closing_signed
	badOnion                             = 0x8000
	maxReason                            = 65535 - 2 - 32 - 8 - 2 // bytes of update_fail_htlc
	maxTaken                             = 32 + 2 + 1024 + 2      // bytes of those that are kept and passed on (CHAN-017)
	temporaryChannelFailure              = 0x1007                 // BOLT 4: in place of the others
	feeRangeSize                         = 16
	aliasSize                            = 8
	lockTimeThreshold       Height       = 500_000_000 // BOLT 2: cltv_expiry stays under it
)

// payload builds the body of a base message.
type payload struct{ b []byte }

func body(id wire.ChannelID) *payload { return &payload{b: append([]byte{}, id[:]...)} }

func (p *payload) u16(v uint16) *payload { p.b = binary.BigEndian.AppendUint16(p.b, v); return p }
func (p *payload) u32(v uint32) *payload { p.b = binary.BigEndian.AppendUint32(p.b, v); return p }
func (p *payload) u64(v uint64) *payload { p.b = binary.BigEndian.AppendUint64(p.b, v); return p }
func (p *payload) raw(v []byte) *payload { p.b = append(p.b, v...); return p }

func (p *payload) message(kind wire.MsgType) *wire.Base {
	return &wire.Base{Kind: kind, Payload: p.b}
}

// fields reads the body of a base message, after the channel id.
func fields(m *wire.Base) *wire.Reader {
	return wire.Codec{}.NewReader(m.Name(), m.Payload[min(32, len(m.Payload)):])
}

func addMessage(id wire.ChannelID, h *HTLC) *wire.Base {
	p := body(id).u64(uint64(h.ID)).u64(uint64(h.Amount)).raw(h.Hash[:]).u32(uint32(h.Expiry)).raw(h.Onion)
	records := append(wire.Stream{}, h.Extra...)
	if h.PathKey != nil {
		records = append(records, wire.Record{Type: recordPathKey, Value: h.PathKey[:]})
	}
	if b, err := (wire.Codec{}).AppendStream(p.b, records); err == nil { // no type twice: Add has looked
		p.b = b
	}
	return p.message(typeAddHTLC)
}

func readAdd(m *wire.Base) (*HTLC, error) {
	r := fields(m)
	h := &HTLC{
		ID: HTLCID(r.U64("id")), Amount: MilliSat(r.U64("amount_msat")), Hash: r.Array32("payment_hash"),
		Expiry: Height(r.U32("cltv_expiry")), Onion: r.Bytes("onion_routing_packet", onionSize),
	}
	h.Extra = r.Stream(wire.RecordType{Type: recordPathKey, Name: "path_key", Read: func(v *wire.Reader) {
		key := v.Point("path_key")
		h.PathKey = &key
	}})
	return h, r.Err()
}

// removeMessage is the message of a removal.
func removeMessage(id wire.ChannelID, h *HTLC) *wire.Base {
	p, x := body(id).u64(uint64(h.ID)), h.Removal
	switch x.Kind {
	case fulfilled:
		return p.raw(x.Preimage[:]).message(typeFulfilHTLC)
	case malformed:
		return p.raw(x.Preimage[:]).u16(x.Code).message(typeFailMalformed)
	default:
		return p.u16(uint16(len(x.Reason))).raw(x.Reason).message(typeFailHTLC)
	}
}

// readRemoval reads one of the three removals.
func readRemoval(m *wire.Base) (HTLCID, *removal, error) {
	r := fields(m)
	id, x := HTLCID(r.U64("id")), &removal{}
	switch m.Kind {
	case typeFulfilHTLC:
		x.Kind, x.Preimage = fulfilled, r.Array32("payment_preimage")
	case typeFailMalformed:
		x.Kind, x.Preimage, x.Code = malformed, r.Array32("sha256_of_onion"), r.U16("failure_code")
	default:
		x.Kind, x.Reason = failed, r.Bytes("reason", int(r.U16("len")))
	}
	return id, x, r.Err()
}

func feeMessage(id wire.ChannelID, rate Feerate) *wire.Base {
	return body(id).u32(uint32(rate)).message(typeUpdateFee)
}

func revokeMessage(id wire.ChannelID, s commitment.Secret, next wire.Point) *wire.Base {
	return body(id).raw(s[:]).raw(next[:]).message(typeRevokeAndAck)
}

func readyMessage(id wire.ChannelID, second wire.Point, alias uint64) *wire.Base {
	p := body(id).raw(second[:])
	if alias != 0 {
		p.raw([]byte{recordAlias, aliasSize}).u64(alias)
	}
	return p.message(typeChannelReady)
}

func readReady(m *wire.Base) (second wire.Point, alias uint64, err error) {
	r := fields(m)
	second = r.Point("second_per_commitment_point")
	r.Stream(wire.RecordType{Type: recordAlias, Name: "short_channel_id", Read: func(v *wire.Reader) { alias = v.U64("alias") }})
	return second, alias, r.Err()
}

func shutdownMessage(id wire.ChannelID, script []byte) *wire.Base {
	return body(id).u16(uint16(len(script))).raw(script).message(typeShutdown)
}

// closingSigned is one offer of closing_signed.
type closingSigned struct {
	fee      Sat
	sig      wire.Signature
	hasRange bool
	low      Sat
	high     Sat
}

func (c closingSigned) message(id wire.ChannelID) *wire.Base {
	p := body(id).u64(uint64(c.fee)).raw(c.sig[:])
	if c.hasRange {
		p.raw([]byte{recordFeeRange, feeRangeSize}).u64(uint64(c.low)).u64(uint64(c.high))
	}
	return p.message(typeClosingSigned)
}

func readClosing(m *wire.Base) (closingSigned, error) {
	r := fields(m)
	c := closingSigned{fee: boundedSat(r.U64("fee_satoshis")), sig: r.Signature("signature")}
	r.Stream(wire.RecordType{Type: recordFeeRange, Name: "fee_range", Read: func(v *wire.Reader) {
		c.hasRange, c.low, c.high = true, boundedSat(v.U64("min_fee_satoshis")), boundedSat(v.U64("max_fee_satoshis"))
	}})
	return c, r.Err()
}

// boundedSat reads an amount off the wire: more than there will ever be counts
// as just that much too much.
func boundedSat(v uint64) Sat { return Sat(min(v, maxSat+1)) }
