package wire_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/wire"
	"superscalar/wire/rule"
)

// ceremonyTypes are the types of section 5.2.
var ceremonyTypes = []wire.CeremonyType{
	wire.TypeInvite, wire.TypeJoin, wire.TypeProposal, wire.TypeNonces, wire.TypeAggregate, wire.TypePartials, wire.TypeSignatures,
	wire.TypeStored, wire.TypeFunded, wire.TypeAbort, wire.TypeUpdate, wire.TypeSale, wire.TypePoison,
}

// aPoint is on the curve: the generator.
var aPoint = wire.Point{
	0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87, 0x0b, 0x07,
	0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98,
}

// drawn fills a message with random values.
func drawn(t *rapid.T, typ wire.CeremonyType) wire.Ceremony {
	m := wire.NewCeremony(typ)
	drawInto(t, reflect.ValueOf(m).Elem())
	return m
}

func drawInto(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(rapid.Uint64Max(1<<(v.Type().Bits()-1)).Draw(t, "number"))
	case reflect.String:
		v.SetString(rapid.StringN(0, 20, 40).Draw(t, "text"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "present") {
			v.Set(reflect.New(v.Type().Elem()))
			drawInto(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			drawInto(t, v.Field(i))
		}
	case reflect.Array:
		if v.Type() == reflect.TypeFor[wire.Point]() {
			v.Set(reflect.ValueOf(aPoint))
			return
		}
		for i := range v.Len() {
			drawInto(t, v.Index(i))
		}
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, "length")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawInto(t, v.Index(i))
		}
	}
}

func TestCeremonyMessagesSurviveTheWire(t *testing.T) {
	for _, typ := range ceremonyTypes {
		t.Run(wire.NewCeremony(typ).Name(), rapid.MakeCheck(func(t *rapid.T) {
			m := drawn(t, typ)
			raw, err := wire.Codec{}.EncodeCeremony(m)
			if err != nil {
				t.Fatal(err)
			}
			back, err := wire.Codec{}.DecodeCeremony(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, back); diff != "" {
				t.Fatalf("(-sent +received)\n%s", diff)
			}
			again, err := wire.Codec{}.EncodeCeremony(back)
			if err != nil || !bytes.Equal(raw, again) {
				t.Fatalf("encoded again: %x, %v; first %x", again, err, raw)
			}
		}))
	}
}

func TestCeremonyMessageCutShortIsRefused(t *testing.T) {
	for _, typ := range ceremonyTypes {
		t.Run(wire.NewCeremony(typ).Name(), rapid.MakeCheck(func(t *rapid.T) {
			raw, err := wire.Codec{}.EncodeCeremony(drawn(t, typ))
			if err != nil {
				t.Fatal(err)
			}
			n := rapid.IntRange(0, len(raw)-1).Draw(t, "kept")
			m, err := wire.Codec{}.DecodeCeremony(raw[:n])
			var bad *wire.Error
			if err == nil {
				// A cut between records can leave out optional ones only.
				if whole, err := (wire.Codec{}).EncodeCeremony(m); err != nil || !bytes.Equal(whole, raw[:n]) {
					t.Fatalf("%d of %d bytes were taken for %x", n, len(raw), whole)
				}
				return
			}
			if !errors.As(err, &bad) || bad.Rule == "" {
				t.Fatalf("error %v names no requirement", err)
			}
		}))
	}
}

func TestUnknownCeremonyTypesAreNone(t *testing.T) {
	for _, typ := range []uint16{0, 1, 3, 15, 28, 1000} {
		raw, err := wire.Codec{}.EncodePayload(wire.Payload{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := (wire.Codec{}).DecodeCeremony(raw); m != nil || err != nil {
			t.Errorf("type %d: %v, %v; want neither", typ, m, err)
		}
	}
}

func TestCeremonyMessageTooLong(t *testing.T) {
	m := &wire.Funded{Transaction: make([]byte, wire.MaxPayload)}
	var bad *wire.Error
	if _, err := (wire.Codec{}).EncodeCeremony(m); !errors.As(err, &bad) || bad.Rule != rule.CER027 {
		t.Errorf("error %v, want one of CER-027", err)
	}
}

// proposal is one of a single client with these node_keys.
func proposal(keys [][33]byte) *wire.Proposal {
	return &wire.Proposal{
		Shape:         wire.ShapeRecord{Leaf: 2, Levels: []wire.ShapeLevel{{Kind: 1, Arity: 1}, {Kind: 2, Arity: 1}}},
		LSPFactoryKey: aPoint, LSPChannelKey: aPoint, FactoryKeys: [][33]byte{aPoint}, NodeKeys: keys,
	}
}

// TestNodeKeysRecord tells a record without keys from none: the first is wrong,
// the second is allowed (CER-046, CER-047). Its length is a multiple of 33.
func TestNodeKeysRecord(t *testing.T) {
	for _, tt := range []struct {
		keys [][33]byte
		tail []byte
	}{
		{nil, aPoint[:]}, {[][33]byte{}, []byte{23, 0}}, {[][33]byte{aPoint}, append([]byte{23, 33}, aPoint[:]...)},
		{[][33]byte{{}}, append([]byte{23, 33}, make([]byte, 33)...)}, // what is no point is for whoever checks it
	} {
		raw, err := wire.Codec{}.EncodeCeremony(proposal(tt.keys))
		if err != nil || !bytes.HasSuffix(raw, tt.tail) {
			t.Fatalf("%x, %v; want it to end with %x", raw, err, tt.tail)
		}
		m, err := wire.Codec{}.DecodeCeremony(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.keys, m.(*wire.Proposal).NodeKeys); diff != "" {
			t.Errorf("(-sent +received)\n%s", diff)
		}
	}
	raw, err := wire.Codec{}.EncodeCeremony(proposal(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []byte{1, 32, 34, 65} {
		var bad *wire.Error
		b := append(append(bytes.Clone(raw), 23, n), make([]byte, n)...)
		if _, err := (wire.Codec{}).DecodeCeremony(b); !errors.As(err, &bad) || bad.Rule != rule.CER001 {
			t.Errorf("%d bytes: %v, want an error of CER-001", n, err)
		}
	}
}

func FuzzDecodeCeremony(f *testing.F) {
	for _, typ := range ceremonyTypes {
		if raw, err := (wire.Codec{}).EncodeCeremony(wire.NewCeremony(typ)); err == nil {
			f.Add(raw)
		}
	}
	for _, keys := range [][][33]byte{nil, {}, {aPoint}, {aPoint, {}}} {
		raw, err := wire.Codec{}.EncodeCeremony(proposal(keys))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)-1])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := wire.Codec{}.DecodeCeremony(raw)
		if err != nil || m == nil {
			return
		}
		again, err := wire.Codec{}.EncodeCeremony(m)
		if err != nil {
			return // unknown odd records that were dropped cannot make it longer
		}
		back, err := wire.Codec{}.DecodeCeremony(again)
		if err != nil {
			t.Fatalf("%x decodes, and what it encodes to does not: %v", raw, err)
		}
		if diff := cmp.Diff(m, back); diff != "" {
			t.Fatalf("(-first +second)\n%s", diff)
		}
	})
}
