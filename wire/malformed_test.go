package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"superscalar/wire"
	"superscalar/wire/rule"
)

var sameError = cmpopts.IgnoreFields(wire.Error{}, "Detail")

// check decodes f and compares.
func (f fault) check(t *testing.T, c wire.Codec) {
	t.Helper()
	m, err := c.Decode(f.bytes)
	switch {
	case f.noType:
		if !errors.Is(err, wire.ErrNoType) {
			t.Errorf("%x: error %v, want ErrNoType", f.bytes, err)
		}
	case f.message != nil:
		if err != nil {
			t.Fatalf("%x: error %v, want a message", f.bytes, err)
		}
		if diff := cmp.Diff(f.message, m, same); diff != "" {
			t.Errorf("%x: -want +decoded:\n%s", f.bytes, diff)
		}
		if again := encode(t, c, m); !bytes.Equal(again, f.bytes) {
			t.Errorf("encoded again\n%x, was\n%x", again, f.bytes)
		}
	default:
		checkError(t, f.bytes, err, f.err)
	}
	if err != nil && m != nil {
		t.Errorf("%x: a message beside error %v", f.bytes, err)
	}
}

func checkError(t *testing.T, input []byte, err error, want wire.Error) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("%x: error %v, want an *Error", input, err)
	}
	if diff := cmp.Diff(want, *e, sameError); diff != "" {
		t.Errorf("%x: -want +got:\n%s", input, diff)
	}
	if e.Offset < 0 || e.Offset > len(input) {
		t.Errorf("%x: offset %d is outside the message", input, e.Offset)
	}
}

// Every single fault of every message is refused for its own reason, in both
// forms of the envelope.
func TestFaults(t *testing.T) {
	for _, c := range codecs {
		for _, build := range samples {
			for _, f := range faults(build) {
				f.bytes = c.form(f.bytes)
				t.Run(c.name+"/"+build().message.Name()+"/"+f.name, func(t *testing.T) { f.check(t, c.codec) })
			}
		}
	}
}

// A record whose length is its own affair stays valid one byte longer or
// shorter; nothing is lost or added.
func TestFreeRecordsTakeAnyLength(t *testing.T) {
	for _, build := range samples {
		s := build()
		for i, r := range s.records {
			if !r.free {
				continue
			}
			recs := s.encodedRecords()
			for _, v := range [][]byte{append(r.value(), 0), r.value()[:max(0, len(r.value())-1)]} {
				recs[i] = slices.Concat(bigSize(r.typ), bigSize(uint64(len(v))), v)
				b := s.with(recs...)
				m := decode(t, wire.Codec{}, b)
				if again := encode(t, wire.Codec{}, m); !bytes.Equal(again, b) {
					t.Errorf("%s: encoded again\n%x, was\n%x", s.message.Name(), again, b)
				}
				if bytes.Equal(v, r.value()) == !cmp.Equal(m, s.message, same) {
					t.Errorf("%s: %s of %d bytes decoded to %+v", s.message.Name(), r.name, len(v), m)
				}
			}
		}
	}
}

// Length fields outside records: one more than there is, one less, and the
// most that fits. One less leaves the last byte of the data to the records,
// where it is read as a type.
func TestSizedFields(t *testing.T) {
	id := fill(0xa1)
	channel := string(id[:])
	for _, c := range []struct {
		name, bytes string
		want        wire.Error
	}{
		{"warning one more", "\x00\x01" + channel + "\x00\x03no", wire.Error{Message: "warning", Field: "data", Offset: 36, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"warning one less", "\x00\x01" + channel + "\x00\x01no", wire.Error{Message: "warning", Field: "length of record 111", Offset: 38, Kind: wire.Truncated, Rule: rule.TRN032}},
		{"warning the most", "\x00\x01" + channel + "\xff\xffno", wire.Error{Message: "warning", Field: "data", Offset: 36, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"error one more", "\x00\x11" + channel + "\x00\x03no", wire.Error{Message: "error", Field: "data", Offset: 36, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"error one less", "\x00\x11" + channel + "\x00\x01no", wire.Error{Message: "error", Field: "length of record 111", Offset: 38, Kind: wire.Truncated, Rule: rule.TRN032}},
		{"ping one more", "\x00\x12\x00\x01\x00\x03ab", wire.Error{Message: "ping", Field: "ignored", Offset: 6, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"ping one less", "\x00\x12\x00\x01\x00\x01ab", wire.Error{Message: "ping", Field: "length of record 98", Offset: 8, Kind: wire.Truncated, Rule: rule.TRN032}},
		{"pong one more", "\x00\x13\x00\x03ab", wire.Error{Message: "pong", Field: "ignored", Offset: 4, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"pong one less", "\x00\x13\x00\x01ab", wire.Error{Message: "pong", Field: "length of record 98", Offset: 6, Kind: wire.Truncated, Rule: rule.TRN032}},
		{"gflen one more", "\x00\x10\x00\x02\x22", wire.Error{Message: "init", Field: "globalfeatures", Offset: 4, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"gflen one less", "\x00\x10\x00\x00\x22\x00\x01\x80", wire.Error{Message: "init", Field: "features", Offset: 6, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"flen one more", "\x00\x10\x00\x00\x00\x02\x22", wire.Error{Message: "init", Field: "features", Offset: 6, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"flen one less", "\x00\x10\x00\x00\x00\x01\x22\x33", wire.Error{Message: "init", Field: "length of record 51", Offset: 8, Kind: wire.Truncated, Rule: rule.TRN032}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.Codec{}.Decode([]byte(c.bytes))
			checkError(t, []byte(c.bytes), err, c.want)
		})
	}
}

// The number of HTLC signatures is a length too.
func TestHTLCCount(t *testing.T) {
	signed := encode(t, wire.Codec{}, &wire.CommitmentSigned{ChannelID: fill(1), HTLCSignatures: []wire.Signature{fill64(0x41)}})
	const count = 2 + 32 + 64
	for _, c := range []struct {
		name  string
		count uint64
		want  wire.Error
	}{
		{"one more", 2, wire.Error{Message: "commitment_signed", Field: "htlc_signature", Offset: count + 2 + 64, Kind: wire.Truncated, Rule: rule.TRN043}},
		{"the most", 65535, wire.Error{Message: "commitment_signed", Field: "htlc_signature", Offset: count + 2 + 64, Kind: wire.Truncated, Rule: rule.TRN043}},
		// The signature is read as a record of type and length 0x41.
		{"one less", 0, wire.Error{Message: "commitment_signed", Field: "record 65", Offset: count + 4, Kind: wire.Truncated, Rule: rule.TRN034}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := slices.Clone(signed)
			copy(b[count:], be(c.count, 2))
			_, err := wire.Codec{}.Decode(b)
			checkError(t, b, err, c.want)
		})
	}
}

// Faults that no sample has.
func TestOtherFaults(t *testing.T) {
	abort := func(n int) []byte {
		return slices.Concat(envelope(16), bigSize(4096), bigSize(uint64(n)), make([]byte, n))
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		want  wire.Error
	}{
		{"abort of 31 bytes", abort(31), wire.Error{Message: "factory_change_abort", Field: "channel_id", Offset: 8, Kind: wire.WrongLength, Rule: rule.TRN035}},
		{"empty abort", abort(0), wire.Error{Message: "factory_change_abort", Field: "channel_id", Offset: 8, Kind: wire.WrongLength, Rule: rule.TRN035}},
		{"message of 65,536 bytes", append(be(19, 2), make([]byte, 65534)...), wire.Error{Message: "message 19", Field: "length", Offset: 0, Kind: wire.TooLong, Rule: rule.TRN025}},
		{"length of 2^64-1", slices.Concat(envelope(2), bigSize(512), bigSize(1<<64-1)), wire.Error{Message: "supported_factory_protocols", Field: "factory_protocol_ids", Offset: 16, Kind: wire.Truncated, Rule: rule.TRN034}},
		{"record after type 2^64-1", slices.Concat(be(19, 2), be(0, 2), bigSize(1<<64-1), []byte{0, 1, 0}), wire.Error{Message: "pong", Field: "record 1", Offset: 14, Kind: wire.Order, Rule: rule.TRN033}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.Codec{}.Decode(c.bytes)
			checkError(t, c.bytes, err, c.want)
		})
	}
}

// A payload of the SuperScalar protocol: PCF-041 and PCF-044, with the class
// of the fault inside the records.
func TestPayloadFaults(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        wire.Error
	}{
		{"empty", "", wire.Error{Field: "type", Offset: 0, Kind: wire.Truncated, Rule: rule.PCF041}},
		{"one byte", "\x01", wire.Error{Field: "type", Offset: 0, Kind: wire.Truncated, Rule: rule.PCF041}},
		{"type cut", "\x00\x01\xfd\x01", wire.Error{Field: "tlv type", Offset: 2, Kind: wire.Truncated, Rule: rule.PCF044}},
		{"type not minimal", "\x00\x01\xfd\x00\x01\x00", wire.Error{Field: "tlv type", Offset: 2, Kind: wire.NotMinimal, Rule: rule.PCF044}},
		{"no length", "\x00\x01\x02", wire.Error{Field: "length of record 2", Offset: 3, Kind: wire.Truncated, Rule: rule.PCF044}},
		{"value cut", "\x00\x01\x02\x02a", wire.Error{Field: "record 2", Offset: 4, Kind: wire.Truncated, Rule: rule.PCF044}},
		{"order", "\x00\x01\x02\x00\x01\x00", wire.Error{Field: "record 1", Offset: 4, Kind: wire.Order, Rule: rule.PCF044}},
		{"twice", "\x00\x01\x00\x00\x00\x00", wire.Error{Field: "record 0", Offset: 4, Kind: wire.Order, Rule: rule.PCF044}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.want.Message = "superscalar message"
			p, err := wire.Codec{}.DecodePayload([]byte(c.bytes))
			checkError(t, []byte(c.bytes), err, c.want)
			if diff := cmp.Diff(wire.Payload{}, p); diff != "" {
				t.Errorf("a payload beside the error:\n%s", diff)
			}
		})
	}
}
