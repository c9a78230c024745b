package wire_test

import (
	"bytes"
	"slices"
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// basePlain are the base messages that lnwire parses, without records, with
// the length of their fixed part after the type (BOLT 2).
var basePlain = []struct {
	name    string
	kind    wire.MsgType
	payload []byte
	point   int // offset of a point in the message, 0 when there is none
}{
	{"funding_created", 34, make([]byte, 32+32+2+64), 0},
	{"funding_signed", 35, make([]byte, 32+64), 0},
	{"channel_ready", 36, withPoint(32 + 33), 2 + 32},
	{"shutdown", 38, append(make([]byte, 32), 0, 2, 0x51, 0x52), 0},
	{"closing_signed", 39, make([]byte, 32+8+64), 0},
	{"update_add_htlc", 128, make([]byte, 32+8+8+32+4+1366), 0},
	{"update_fulfill_htlc", 130, make([]byte, 32+8+32), 0},
	{"update_fail_htlc", 131, append(make([]byte, 32+8), 0, 2, 1, 2), 0},
	{"revoke_and_ack", 133, withPoint(32 + 32 + 33), 2 + 32 + 32},
	{"update_fee", 134, make([]byte, 32+4), 0},
	{"update_fail_malformed_htlc", 135, make([]byte, 32+8+32+2), 0},
}

// withPoint is a payload of n bytes that ends with a valid point.
func withPoint(n int) []byte {
	p := multiple(1)
	return append(make([]byte, n-33), p[:]...)
}

// A base message cut inside its fixed part is refused; the whole one is kept
// byte for byte. lnwire does not say where it stopped, so the error names the
// payload as a whole.
func TestBaseTruncations(t *testing.T) {
	for _, c := range basePlain {
		t.Run(c.name, func(t *testing.T) {
			whole := append(be(uint64(c.kind), 2), c.payload...)
			for cut := 2; cut < len(whole); cut++ {
				_, err := wire.Codec{}.Decode(whole[:cut])
				checkError(t, whole[:cut], err, wire.Error{Message: c.name, Field: "payload", Offset: 2, Kind: wire.Truncated, Rule: rule.TRN022})
			}
			m := decode(t, wire.Codec{}, whole).(*wire.Base)
			if m.Name() != c.name || m.Parsed == nil || m.Parsed.MsgType() != kind16(c.kind) || !bytes.Equal(m.Payload, c.payload) {
				t.Errorf("decoded %s, %T, %x", m.Name(), m.Parsed, m.Payload)
			}
			if c.point != 0 {
				bad := slices.Clone(whole)
				bad[c.point] = 5
				_, err := wire.Codec{}.Decode(bad)
				checkError(t, bad, err, wire.Error{Message: c.name, Field: "payload", Offset: 2, Kind: wire.BadValue, Rule: rule.TRN022})
			}
		})
	}
	if len(basePlain) != len(parsedKinds) {
		t.Errorf("%d messages tested, lnwire parses %d for us", len(basePlain), len(parsedKinds))
	}
}

// Messages that are passed through hold any bytes: every cut behind the type
// is a whole message.
func TestPassedThrough(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
		of   wire.Message
	}{
		{"gossip", be(256, 2), &wire.Base{Kind: 256}},
		{"unknown odd type", be(32801, 2), &wire.Unknown{Kind: 32801}},
		{"unknown even type", be(41000, 2), &wire.Unknown{Kind: 41000}},
		{"the other envelope", be(33001, 2), &wire.Unknown{Kind: 33001}},
		{"unknown submessage", envelope(18), &wire.UnknownFactory{Sub: 18}},
		{"submessage 0", envelope(0), &wire.UnknownFactory{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole := append(c.head, 0xff, 0x00, 0xfd)
			for cut := len(c.head); cut <= len(whole); cut++ {
				m := decode(t, wire.Codec{}, whole[:cut])
				if key(m) != key(c.of) {
					t.Fatalf("decoded %s, want %s", key(m), key(c.of))
				}
				if again := encode(t, wire.Codec{}, m); !bytes.Equal(again, whole[:cut]) {
					t.Errorf("encoded again %x, was %x", again, whole[:cut])
				}
			}
		})
	}
}
