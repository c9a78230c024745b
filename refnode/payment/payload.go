package payment

import (
	"bytes"
	"encoding/binary"
	"errors"

	"superscalar/wire"
)

// Types of the records in an onion's payload (BOLT 4).
const (
	recAmount      = 2  // amt_to_forward
	recExpiry      = 4  // outgoing_cltv_value
	recSCID        = 6  // short_channel_id
	recPaymentData = 8  // payment_data
	recEncrypted   = 10 // encrypted_recipient_data
	recPathKey     = 12 // current_path_key
	recMetadata    = 16 // payment_metadata
	recTotal       = 18 // total_amount_msat
)

// hopPayload is what an onion says to one node.
type hopPayload struct {
	Amount Msat   // amt_to_forward
	Expiry Height // outgoing_cltv_value
	// SCID names the next channel; 0 in the payload of the last node.
	SCID SCID
	// PaymentData is there when the payee gave a payment secret.
	PaymentData bool
	Secret      [32]byte
	Total       Msat // total_msat
	// Metadata is payment_metadata, nil when the payee gave none.
	Metadata []byte
	// Blinded is true for a hop inside a blinded path, which this node does
	// not support.
	Blinded bool
}

// payloadError says which record makes a payload unusable.
type payloadError struct {
	Type  uint64
	cause error
}

func (e *payloadError) Error() string { return "onion payload: " + e.cause.Error() }

func (e *payloadError) Unwrap() error { return e.cause }

var (
	errMissing    = errors.New("a record is missing")
	errUnexpected = errors.New("a record does not belong here")
)

// parsePayload reads the payload of an onion. It fails when a record is missing
// that the position of the node needs, or there is one that it forbids.
func parsePayload(b []byte, final bool) (hopPayload, error) {
	var p hopPayload
	seen := map[uint64]bool{}
	note := func(typ uint64, name string, read func(*wire.Reader)) wire.RecordType {
		return wire.RecordType{Type: typ, Name: name, Read: func(r *wire.Reader) { seen[typ] = true; read(r) }}
	}
	_, err := wire.Codec{}.ReadStream("payload", b,
		note(recAmount, "amt_to_forward", func(r *wire.Reader) { p.Amount = Msat(r.TruncatedUint("amt_to_forward", 8)) }),
		note(recExpiry, "outgoing_cltv_value", func(r *wire.Reader) { p.Expiry = Height(r.TruncatedUint("outgoing_cltv_value", 4)) }),
		note(recSCID, "short_channel_id", func(r *wire.Reader) { p.SCID = SCID(r.U64("short_channel_id")) }),
		note(recPaymentData, "payment_data", func(r *wire.Reader) {
			p.Secret, p.Total = r.Array32("payment_secret"), Msat(r.TruncatedUint("total_msat", 8))
		}),
		note(recEncrypted, "encrypted_recipient_data", func(r *wire.Reader) { r.Rest() }),
		note(recPathKey, "current_path_key", func(r *wire.Reader) { r.Point("current_path_key") }),
		note(recMetadata, "payment_metadata", func(r *wire.Reader) { p.Metadata = append([]byte{}, r.Rest()...) }),
		note(recTotal, "total_amount_msat", func(r *wire.Reader) { r.TruncatedUint("total_amount_msat", 8) }),
	)
	if err != nil {
		return hopPayload{}, &payloadError{Type: brokenType(b, err), cause: err}
	}
	p.PaymentData = seen[recPaymentData]
	if p.Blinded = seen[recEncrypted] || seen[recPathKey]; p.Blinded {
		return p, nil
	}
	must, not := []uint64{recAmount, recExpiry, recSCID}, uint64(recPaymentData)
	if final {
		must, not = []uint64{recAmount, recExpiry}, recSCID
	}
	for _, typ := range must {
		if !seen[typ] {
			return hopPayload{}, &payloadError{Type: typ, cause: errMissing}
		}
	}
	if seen[not] {
		return hopPayload{}, &payloadError{Type: not, cause: errUnexpected}
	}
	return p, nil
}

// brokenType returns the type of the record that err is about, 0 when it
// cannot be told.
func brokenType(b []byte, err error) uint64 {
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.UnknownEven || e.Offset >= len(b) {
		return 0
	}
	typ, _, err := wire.Codec{}.ReadBigSize(b[e.Offset:])
	if err != nil {
		return 0
	}
	return typ
}

// encode writes the payload as a payer does.
func (p hopPayload) encode() []byte {
	records := wire.Stream{
		{Type: recAmount, Value: truncated(uint64(p.Amount))},
		{Type: recExpiry, Value: truncated(uint64(p.Expiry))},
	}
	if p.SCID != 0 {
		records = append(records, wire.Record{Type: recSCID, Value: u64(uint64(p.SCID))})
	}
	if p.PaymentData {
		records = append(records, wire.Record{Type: recPaymentData, Value: append(bytes.Clone(p.Secret[:]), truncated(uint64(p.Total))...)})
	}
	if p.Metadata != nil {
		records = append(records, wire.Record{Type: recMetadata, Value: p.Metadata})
	}
	b, err := wire.Codec{}.AppendStream(nil, records)
	if err != nil {
		return nil // the types above differ
	}
	return b
}

// truncated is a tu64: without leading zero bytes.
func truncated(v uint64) []byte {
	return bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, v), "\x00")
}
