package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/wire"
)

// seeds are encoded messages: three of each generator, all samples.
func seeds(f *testing.F, name string) (out [][]byte) {
	for _, g := range generators {
		if name != "" && g.name != name {
			continue
		}
		for seed := range 3 {
			out = append(out, encode(f, wire.Codec{}, rapid.Custom(g.draw).Example(seed)))
		}
	}
	for _, build := range samples {
		if s := build(); name == "" || s.message.Name() == name {
			out = append(out, s.bytes())
		}
	}
	if len(out) == 0 {
		f.Fatalf("no seeds for %q", name)
	}
	return out
}

// checkDecode decodes any bytes: what decodes is encoded again to the same
// bytes, what does not gives an error with a place in the message.
func checkDecode(t *testing.T, c wire.Codec, b []byte) {
	m, err := c.Decode(b)
	if err != nil {
		if m != nil {
			t.Fatalf("%x: a message beside error %v", b, err)
		}
		if !(errors.Is(err, wire.ErrNoType) && len(b) < 2) {
			checkOffset(t, b, err)
		}
		return
	}
	again, err := c.Encode(m)
	if err != nil || !bytes.Equal(again, b) {
		t.Fatalf("encoded again\n%x, %v, was\n%x", again, err, b)
	}
}

func checkOffset(t *testing.T, b []byte, err error) {
	var e *wire.Error
	if !errors.As(err, &e) {
		t.Fatalf("%x: error %v, want an *Error", b, err)
	}
	if e.Offset < 0 || e.Offset > len(b) || e.Kind == "" || e.Rule == "" || e.Message == "" || e.Field == "" {
		t.Fatalf("%x: incomplete error %#v", b, *e)
	}
}

// fuzzPayload fuzzes what follows a type.
func fuzzPayload(f *testing.F, typ wire.MsgType, names ...string) {
	for _, name := range names {
		for _, b := range seeds(f, name) {
			f.Add(b[2:])
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		checkDecode(t, wire.Codec{}, append(be(uint64(typ), 2), payload...))
	})
}

func FuzzDecode(f *testing.F) {
	for _, b := range seeds(f, "") {
		f.Add(b)
		f.Add(codecs[1].form(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range codecs {
			checkDecode(t, c.codec, b)
		}
	})
}

func FuzzWarning(f *testing.F)       { fuzzPayload(f, wire.TypeWarning, "warning") }
func FuzzStfu(f *testing.F)          { fuzzPayload(f, wire.TypeStfu, "stfu") }
func FuzzInit(f *testing.F)          { fuzzPayload(f, wire.TypeInit, "init") }
func FuzzError(f *testing.F)         { fuzzPayload(f, wire.TypeError, "error") }
func FuzzPing(f *testing.F)          { fuzzPayload(f, wire.TypePing, "ping") }
func FuzzPong(f *testing.F)          { fuzzPayload(f, wire.TypePong, "pong") }
func FuzzOpenChannel(f *testing.F)   { fuzzPayload(f, wire.TypeOpenChannel, "open_channel") }
func FuzzAcceptChannel(f *testing.F) { fuzzPayload(f, wire.TypeAcceptChannel, "accept_channel") }
func FuzzStartBatch(f *testing.F)    { fuzzPayload(f, wire.TypeStartBatch, "start_batch") }
func FuzzCommitmentSigned(f *testing.F) {
	fuzzPayload(f, wire.TypeCommitmentSigned, "commitment_signed")
}
func FuzzChannelReestablish(f *testing.F) {
	fuzzPayload(f, wire.TypeChannelReestablish, "channel_reestablish")
}

func FuzzFactoryMessage(f *testing.F) {
	fuzzPayload(f, wire.TypeFactory, "supported_factory_protocols", "factory_piggyback", "factory_change_init", "factory_change_ack",
		"factory_change_funding", "factory_change_continue", "factory_change_locked", "factory_change_abort", "factory_message")
}

// FuzzBase is lnwire's parsers: nothing here can mend one that panics, but it
// must be known.
func FuzzBase(f *testing.F) {
	for i, kind := range parsedKinds {
		for seed := range 3 {
			f.Add(byte(i), rapid.Custom(func(t *rapid.T) []byte { return basePayload(t, kind) }).Example(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, payload []byte) {
		typ := parsedKinds[int(kind)%len(parsedKinds)]
		checkDecode(t, wire.Codec{}, append(be(uint64(typ), 2), payload...))
	})
}

func FuzzReadBigSize(f *testing.F) {
	for _, s := range []string{"", "00", "fc", "fd00fd", "fd00fc", "fdffff", "fe00010000", "feffff", "ff0000000100000000", "ffffffffffffffffff"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n, err := wire.Codec{}.ReadBigSize(b)
		if err != nil {
			checkOffset(t, b, err)
			return
		}
		if got := (wire.Codec{}).AppendBigSize(nil, v); !bytes.Equal(got, b[:n]) {
			t.Fatalf("%x read as %d, written as %x", b[:n], v, got)
		}
	})
}

// FuzzReadStream reads any bytes twice: without known types, and with one of
// each shape that BOLT 1 has, whose values are then written again.
func FuzzReadStream(f *testing.F) {
	for _, build := range samples {
		f.Add(bytes.Join(build().encodedRecords(), nil))
	}
	p := multiple(1)
	f.Add(bytes.Join([][]byte{
		tlvRecord(0, []byte{0x12}), tlvRecord(2, p[:]), tlvRecord(4, be(1<<64-5, 8)), tlvRecord(6, be(7, 2)), tlvRecord(8, []byte("any")),
		tlvRecord(9, []byte{0xff, 0xfe}),
	}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		checkStream(t, b, nil)
		checkStream(t, b, map[uint64][]byte{})
	})
}

// checkStream reads b, with the known types when there is a map for their
// values.
func checkStream(t *testing.T, b []byte, values map[uint64][]byte) {
	var c wire.Codec
	var known []wire.RecordType
	if values != nil {
		known = knownTypes(values)
	}
	records, err := c.ReadStream("stream", b, known...)
	if err != nil {
		checkOffset(t, b, err)
		return
	}
	for typ, v := range values {
		records = append(records, wire.Record{Type: typ, Value: v})
	}
	if again, err := c.AppendStream(nil, records); err != nil || !bytes.Equal(again, b) {
		t.Fatalf("written again\n%x, %v, was\n%x", again, err, b)
	}
}

// knownTypes put what they read, written again, into values.
func knownTypes(values map[uint64][]byte) []wire.RecordType {
	return []wire.RecordType{
		{Type: 0, Name: "tu64", Read: func(r *wire.Reader) { values[0] = bytes.TrimLeft(be(r.TruncatedUint("tu64", 8), 8), "\x00") }},
		{Type: 2, Name: "point", Read: func(r *wire.Reader) { p := r.Point("point"); values[2] = p[:] }},
		{Type: 4, Name: "s64", Read: func(r *wire.Reader) { values[4] = wire.AppendSigned(nil, r.S64("s64"), 8) }},
		{Type: 6, Name: "u16", Read: func(r *wire.Reader) { values[6] = be(uint64(r.U16("u16")), 2) }},
		{Type: 8, Name: "rest", Read: func(r *wire.Reader) { values[8] = r.Rest() }},
		{Type: 9, Name: "s16", Read: func(r *wire.Reader) { values[9] = wire.AppendSigned(nil, r.Signed("s16", 2), 2) }},
	}
}

func FuzzDecodePayload(f *testing.F) {
	for seed := range 5 {
		p := rapid.Custom(func(t *rapid.T) wire.Payload {
			return wire.Payload{Type: rapid.Uint16().Draw(t, "type"), Records: extra(t)}
		}).Example(seed)
		b, err := wire.Codec{}.EncodePayload(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := wire.Codec{}.DecodePayload(b)
		if err != nil {
			checkOffset(t, b, err)
			if diff := cmp.Diff(wire.Payload{}, p); diff != "" {
				t.Fatalf("a payload beside error %v: %s", err, diff)
			}
			return
		}
		if again, err := (wire.Codec{}).EncodePayload(p); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoded again\n%x, %v, was\n%x", again, err, b)
		}
	})
}
