package wire_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// baseSamples are the base messages that lnwire parses for us, field by field
// from BOLT 2, each with the records this project's features know.
var baseSamples = []func() sample{
	base(34, "funding_created", []field{
		hash("temporary_channel_id", 0xe1), hash("funding_txid", 0xe2), {"funding_output_index", be(3, 2)}, sig("signature", 1),
	}),
	base(35, "funding_signed", []field{hash("channel_id", 0xe1), sig("signature", 1)}),
	base(36, "channel_ready", []field{hash("channel_id", 0xe1), pointField("second_per_commitment_point", 2)},
		record{typ: 1, name: "short_channel_id", fields: []field{{"short_channel_id", be(0x010203, 8)}}}),
	base(38, "shutdown", []field{hash("channel_id", 0xe1), {"len", be(2, 2)}, {"scriptpubkey", []byte{0x51, 0x52}}}),
	base(39, "closing_signed", []field{hash("channel_id", 0xe1), {"fee_satoshis", be(500, 8)}, sig("signature", 1)},
		record{typ: 1, name: "fee_range", fields: []field{{"fee_range", be(1, 16)}}}),
	base(128, "update_add_htlc", []field{
		hash("channel_id", 0xe1), {"id", be(4, 8)}, {"amount_msat", be(5, 8)}, hash("payment_hash", 0xe3), {"cltv_expiry", be(6, 4)},
		{"onion_routing_packet", be(0, 1366)},
	}, record{typ: 0, name: "path_key", fields: []field{pointField("path_key", 3)}}),
	base(130, "update_fulfill_htlc", []field{hash("channel_id", 0xe1), {"id", be(4, 8)}, hash("payment_preimage", 0xe4)}),
	base(131, "update_fail_htlc", []field{hash("channel_id", 0xe1), {"id", be(4, 8)}, {"len", be(2, 2)}, {"reason", be(7, 2)}}),
	base(133, "revoke_and_ack", []field{
		hash("channel_id", 0xe1), hash("per_commitment_secret", 0xe5), pointField("next_per_commitment_point", 4),
	}),
	base(134, "update_fee", []field{hash("channel_id", 0xe1), {"feerate_per_kw", be(253, 4)}}),
	base(135, "update_fail_malformed_htlc", []field{
		hash("channel_id", 0xe1), {"id", be(4, 8)}, hash("sha256_of_onion", 0xe6), {"failure_code", be(0xc005, 2)},
	}),
}

// base builds the sample of a base message, which is kept as a payload: to
// drop a record is to end the payload before it. Records are only ever
// dropped from one on to the last.
func base(kind wire.MsgType, name string, fixed []field, known ...record) func() sample {
	return func() sample {
		m := &wire.Base{Kind: kind}
		var none wire.Stream
		s := sample{m, be(uint64(kind), 2), fixed, append(slices.Clone(known), odd(&none))}
		if m.Name() != name {
			panic(fmt.Sprintf("type %d is called %s, want %s", kind, m.Name(), name))
		}
		for i := range s.records {
			end := s.offset(i) - len(s.head)
			s.records[i].drop = func() { m.Payload = m.Payload[:min(len(m.Payload), end)] }
		}
		m.Payload = s.bytes()[len(s.head):]
		return s
	}
}

// Where the layout is right and lnwire still refuses, the error names the
// payload as a whole: lnwire does not say where it stopped.
func TestLnwireRefuses(t *testing.T) {
	id := fill(0xe1)
	b := slices.Concat(be(38, 2), id[:], be(35, 2), make([]byte, 35))
	_, err := wire.Codec{}.Decode(b)
	checkError(t, b, err, wire.Error{Message: "shutdown", Field: "payload", Offset: 2, Kind: wire.BadValue, Rule: rule.TRN022})
}

// Messages that are passed through hold any bytes: every cut behind the type
// is a whole message.
func TestPassedThrough(t *testing.T) {
	for _, c := range []struct {
		name  string
		head  []byte
		of    wire.Message
		codec wire.Codec
	}{
		{"gossip", be(256, 2), &wire.Base{Kind: 256}, wire.Codec{}},
		{"unknown odd type", be(32801, 2), &wire.Unknown{Kind: 32801}, wire.Codec{}},
		{"unknown even type", be(41000, 2), &wire.Unknown{Kind: 41000}, wire.Codec{}},
		{"compatibility envelope, not configured", be(33001, 2), &wire.Unknown{Kind: 33001}, wire.Codec{}},
		{"normative envelope, the other configured", be(32800, 2), &wire.Unknown{Kind: 32800}, codecs[1].codec},
		{"unknown submessage", envelope(18), &wire.UnknownFactory{Sub: 18}, wire.Codec{}},
		{"submessage 0", envelope(0), &wire.UnknownFactory{}, wire.Codec{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := append(c.head, 0xff, 0x00, 0xfd)
			for cut := len(c.head); cut <= len(whole); cut++ {
				m := decode(t, c.codec, whole[:cut])
				if key(m) != key(c.of) {
					t.Fatalf("decoded %s, want %s", key(m), key(c.of))
				}
				if again := encode(t, c.codec, m); !bytes.Equal(again, whole[:cut]) {
					t.Errorf("encoded again %x, was %x", again, whole[:cut])
				}
			}
		})
	}
}
