package wire_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lightningnetwork/lnd/lnwire"
	"pgregory.net/rapid"

	"superscalar/wire"
)

// A message encoded, decoded and encoded again is the same message and the
// same bytes, neither step changes its input, and the decoded message does
// not share memory with the bytes it came from.
func TestRoundTrip(t *testing.T) {
	for _, c := range codecs {
		for _, g := range generators {
			t.Run(c.name+"/"+g.name, rapid.MakeCheck(func(t *rapid.T) {
				m := g.draw(t)
				if m.Name() != g.name && g.name != "base" {
					t.Fatalf("name %q, want %q", m.Name(), g.name)
				}
				first, err := c.codec.Encode(m)
				if err != nil {
					t.Fatalf("encoding: %v", err)
				}
				input := slices.Clone(first)
				got, err := c.codec.Decode(input)
				if err != nil {
					t.Fatalf("decoding %x: %v", first, err)
				}
				if !bytes.Equal(input, first) {
					t.Fatal("Decode changed its input")
				}
				for i := range input {
					input[i] ^= 0xff
				}
				if diff := cmp.Diff(m, got, same); diff != "" {
					t.Fatalf("not the message encoded (-encoded +decoded):\n%s", diff)
				}
				again, err := c.codec.Encode(got)
				if err != nil {
					t.Fatalf("encoding again: %v", err)
				}
				if diff := cmp.Diff(m, got, same); diff != "" {
					t.Fatalf("Encode changed its message:\n%s", diff)
				}
				if !bytes.Equal(first, again) {
					t.Fatalf("encoded again\n%x, first\n%x", again, first)
				}
			}))
		}
	}
}

// Extra records go out in order whatever order they are listed in (TRN-039).
func TestExtraRecordsAreSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &wire.ChangeLocked{Extra: extra(t)}
		want, err := wire.Codec{}.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		m.Extra = rapid.Permutation(m.Extra).Draw(t, "order")
		if got, err := (wire.Codec{}).Encode(m); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("encoded %x, %v, want %x", got, err, want)
		}
	})
}

// key tells message types apart: Go type, and for Base the type it carries.
func key(m wire.Message) string {
	if b, ok := m.(*wire.Base); ok {
		return fmt.Sprintf("%T %d", m, b.Kind)
	}
	return reflect.TypeOf(m).String()
}

// Every message that Decode's switches know is drawn by some generator, and
// nothing else is.
func TestEveryTypeHasAGenerator(t *testing.T) {
	known := map[string]bool{}
	for typ := range 1 << 16 {
		known[key(wire.EmptyOf(wire.MsgType(typ), 0))] = true
		known[key(wire.EmptyOf(wire.TypeFactory, wire.SubType(typ)))] = true
	}
	drawn := map[string]bool{}
	for _, g := range generators {
		if g.name == "base" { // one generator, many types
			for _, k := range slices.Concat(parsedKinds, gossipKinds) {
				drawn[key(&wire.Base{Kind: k})] = true
			}
			continue
		}
		k := key(rapid.Custom(g.draw).Example(1))
		if drawn[k] {
			t.Errorf("two generators draw %s", k)
		}
		drawn[k] = true
	}
	if diff := cmp.Diff(known, drawn); diff != "" {
		t.Errorf("-known to Decode +generated:\n%s", diff)
	}
	// 11 of its own, 20 of Base, 8 submessages, 2 for the unknown: a switch
	// that lost a case would otherwise lower both sides.
	if len(known) != 41 {
		t.Errorf("Decode knows %d message types, want 41", len(known))
	}
}

// What lnwire made of a base message is kept beside the bytes.
func TestBaseIsParsed(t *testing.T) {
	for _, kind := range parsedKinds {
		t.Run(wire.EmptyOf(kind, 0).Name(), rapid.MakeCheck(func(t *rapid.T) {
			b, err := wire.Codec{}.Encode(&wire.Base{Kind: kind, Payload: basePayload(t, kind)})
			if err != nil {
				t.Fatal(err)
			}
			m, err := wire.Codec{}.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			want, err := lnwire.ReadMessage(bytes.NewReader(b), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.(*wire.Base).Parsed; !reflect.DeepEqual(got, want) {
				t.Fatalf("parsed %+v, want %+v", got, want)
			}
		}))
	}
}

// A payload of the SuperScalar protocol round-trips; records of even types
// are kept too, since only a ceremony knows its types.
func TestPayloadRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Payload{Type: rapid.Uint16().Draw(t, "type"), Records: extra(t)}
		for i := range want.Records {
			if rapid.Bool().Draw(t, "even") && want.Records[i].Type > 1 && !hasType(want.Records, want.Records[i].Type-1) {
				want.Records[i].Type--
			}
		}
		b, err := wire.Codec{}.EncodePayload(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.Codec{}.DecodePayload(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-encoded +decoded:\n%s", diff)
		}
	})
}

func hasType(s wire.Stream, typ uint64) bool {
	return slices.ContainsFunc(s, func(r wire.Record) bool { return r.Type == typ })
}
