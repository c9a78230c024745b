package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// The limits that doc comments state are exact: the most fits, one more does
// not, and nothing half encoded comes back.
func TestSizeLimits(t *testing.T) {
	for _, c := range []struct {
		name    string
		most    int
		message func(data []byte) wire.Message
	}{
		{"error data", 65499, func(b []byte) wire.Message { return &wire.ErrorMessage{Data: b} }},
		{"warning data", 65499, func(b []byte) wire.Message { return &wire.Warning{Data: b} }},
		{"ping bytes", 65529, func(b []byte) wire.Message { return &wire.Ping{Ignored: b} }},
		{"pong bytes", wire.MaxPongBytes, func(b []byte) wire.Message { return &wire.Pong{Ignored: b} }},
		{"piggyback payload", wire.MaxPayload, func(b []byte) wire.Message { return &wire.Piggyback{Payload: b} }},
		{"unknown payload", 65533, func(b []byte) wire.Message { return &wire.Unknown{Kind: 9999, Payload: b} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := encode(t, wire.Codec{}, c.message(make([]byte, c.most)))
			if len(b) != wire.MaxMessage {
				t.Errorf("the most gives %d bytes, want %d", len(b), wire.MaxMessage)
			}
			if again := encode(t, wire.Codec{}, decode(t, wire.Codec{}, b)); !bytes.Equal(again, b) {
				t.Error("the largest message does not round-trip")
			}
			checkEncodeError(t, c.message(make([]byte, c.most+1)), wire.TooLong, "message")
		})
	}
}

func TestEncodeErrors(t *testing.T) {
	twice := func(typ uint64) wire.Stream { return wire.Stream{{Type: typ}, {Type: typ, Value: []byte{1}}} }
	for _, c := range []struct {
		name    string
		message wire.Message
		kind    wire.Kind
		field   string
	}{
		{"data longer than its length field", &wire.ErrorMessage{Data: make([]byte, 65536)}, wire.TooLong, "data"},
		{"features longer than their length field", &wire.Init{Features: make([]byte, 65536)}, wire.TooLong, "features"},
		{"more signatures than their count", &wire.CommitmentSigned{HTLCSignatures: make([]wire.Signature, 65536)}, wire.TooLong, "num_htlcs"},
		{"two extra records of one type", &wire.Stfu{Extra: twice(7)}, wire.Order, "record 7"},
		{"an extra record of a type the message has", &wire.Piggyback{Extra: wire.Stream{{Type: 1024}}}, wire.Order, "record 1024"},
		{"the first of two errors", &wire.Ping{Ignored: make([]byte, 65536), Extra: twice(7)}, wire.TooLong, "ignored"},
	} {
		t.Run(c.name, func(t *testing.T) { checkEncodeError(t, c.message, c.kind, c.field) })
	}
}

func checkEncodeError(t *testing.T, m wire.Message, kind wire.Kind, field string) {
	t.Helper()
	b, err := wire.Codec{}.Encode(m)
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Field != field || b != nil {
		t.Errorf("encoded %d bytes with error %v, want none and %s in %s", len(b), err, kind, field)
	}
}

func TestEncodePayloadRefusesTwoOfOneType(t *testing.T) {
	_, err := wire.Codec{}.EncodePayload(wire.Payload{Type: 1, Records: wire.Stream{{Type: 2}, {Type: 2}}})
	var e *wire.Error
	if !errors.As(err, &e) || e.Kind != wire.Order || e.Rule != rule.TRN039 {
		t.Errorf("error %v, want order, TRN-039", err)
	}
}

// Where a field has to be there, nil is sent as empty; where it may be
// absent, nil and empty differ.
func TestNilAndEmpty(t *testing.T) {
	empty := []byte{}
	for _, c := range []struct {
		name         string
		null, empty  wire.Message
		differ       bool
		decodedEmpty func(wire.Message) bool // the decoded one has empty, not nil
	}{
		{"error data", &wire.ErrorMessage{}, &wire.ErrorMessage{Data: empty}, false, func(m wire.Message) bool { return m.(*wire.ErrorMessage).Data != nil }},
		{"init features", &wire.Init{}, &wire.Init{Features: empty, GlobalFeatures: empty}, false, func(m wire.Message) bool { return m.(*wire.Init).Features != nil }},
		{"protocol ids", &wire.SupportedProtocols{}, &wire.SupportedProtocols{IDs: [][32]byte{}}, false, func(m wire.Message) bool { return m.(*wire.SupportedProtocols).IDs != nil }},
		{"piggyback payload", &wire.Piggyback{}, &wire.Piggyback{Payload: empty}, false, func(m wire.Message) bool { return m.(*wire.Piggyback).Payload != nil }},
		{"abort data", &wire.ChangeAbort{}, &wire.ChangeAbort{Data: empty}, false, func(m wire.Message) bool { return m.(*wire.ChangeAbort).Data != nil }},
		{"init networks", &wire.Init{}, &wire.Init{Networks: [][32]byte{}}, true, func(m wire.Message) bool { return m.(*wire.Init).Networks != nil }},
		{"init remote_addr", &wire.Init{}, &wire.Init{RemoteAddr: empty}, true, func(m wire.Message) bool { return m.(*wire.Init).RemoteAddr != nil }},
		{"shutdown script", accept(nil, nil), accept(empty, nil), true, func(m wire.Message) bool { return m.(*wire.AcceptChannel).UpfrontShutdown != nil }},
		{"channel type", accept(nil, nil), accept(nil, empty), true, func(m wire.Message) bool { return m.(*wire.AcceptChannel).ChannelType != nil }},
		{
			"piggybacked payload", &wire.ChangeInit{Change: sampleChange}, &wire.ChangeInit{Change: sampleChange, Payload: empty}, true,
			func(m wire.Message) bool { return m.(*wire.ChangeInit).Payload != nil },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			null, empty := encode(t, wire.Codec{}, c.null), encode(t, wire.Codec{}, c.empty)
			if bytes.Equal(null, empty) == c.differ {
				t.Errorf("nil gives %x, empty %x", null, empty)
			}
			if !c.decodedEmpty(decode(t, wire.Codec{}, empty)) {
				t.Error("empty decodes to nil")
			}
			if c.decodedEmpty(decode(t, wire.Codec{}, null)) == c.differ {
				t.Errorf("nil decodes to empty: %v", c.differ)
			}
		})
	}
}

func accept(shutdown []byte, channelType wire.Features) wire.Message {
	return &wire.AcceptChannel{Keys: sampleKeys, UpfrontShutdown: shutdown, ChannelType: channelType}
}

// Which channel a message is about, for all samples and a base message.
func TestChannelOf(t *testing.T) {
	ids := map[string]wire.ChannelID{
		"open_channel": fill(0xb4), "accept_channel": fill(0xb4), "start_batch": fill(0xa3),
		"commitment_signed": fill(0xa4), "channel_reestablish": fill(0xb7), "update_fee": fill(0xee),
	}
	changed := map[string]bool{
		"factory_change_init": true, "factory_change_ack": true, "factory_change_funding": true,
		"factory_change_continue": true, "factory_change_locked": true, "factory_change_abort": true,
	}
	id := fill(0xee)
	messages := []wire.Message{
		&wire.Base{Kind: 134, Payload: append(id[:], 0, 0, 0, 1)},
		&wire.Base{Kind: 134, Payload: id[:31]},
		&wire.Base{Kind: 258, Payload: id[:]},
	}
	for _, build := range ownSamples {
		messages = append(messages, build().message)
	}
	for _, build := range baseSamples {
		m := build().message
		if got, ok := wire.ChannelOf(m); got != fill(0xe1) || !ok {
			t.Errorf("%s: channel %s, %v", m.Name(), got, ok)
		}
	}
	for i, m := range messages {
		want, has := ids[m.Name()]
		if i == 1 { // too short to say
			want, has = wire.ChannelID{}, false
		}
		if got, ok := wire.ChannelOf(m); got != want || ok != has {
			t.Errorf("%s: channel %s, %v, want %s, %v", m.Name(), got, ok, want, has)
		}
		want = wire.ChannelID{}
		if changed[m.Name()] {
			want = fill(0xc1)
		}
		if got, ok := wire.ChangedChannel(m); got != want || ok != changed[m.Name()] {
			t.Errorf("%s: changed channel %s, %v, want %s", m.Name(), got, ok, want)
		}
	}
}
