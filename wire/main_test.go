package wire_test

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"superscalar/wire"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated. A seed of one's own goes in with -rapid.seed or RAPID_SEED. With
// the seed known, no file is needed to repeat a failure.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("56"); err != nil {
			panic(err)
		}
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// form is one of the two forms of the envelope.
type form struct {
	name  string
	codec wire.Codec
}

var codecs = []form{
	{"normative envelope", wire.Codec{}},
	{"compatibility envelope", wire.Codec{Envelope: wire.TypeFactoryCompat}},
}

// form is b, a message in the normative form, in this form (PCF-007).
func (f form) form(b []byte) []byte {
	b = slices.Clone(b)
	if f.codec.Envelope == wire.TypeFactoryCompat && bytes.HasPrefix(b, be(32800, 2)) {
		copy(b, be(33001, 2))
	}
	return b
}

// same compares messages, nil and empty slices kept apart. What lnwire made
// of a payload is left out: its structs hide fields and caches.
var same = cmp.Options{
	cmp.Exporter(func(t reflect.Type) bool { return strings.HasPrefix(t.PkgPath(), "superscalar/wire") }),
	cmpopts.IgnoreFields(wire.Base{}, "Parsed"),
}

// encode is Encode for messages that have to encode.
func encode(t testing.TB, c wire.Codec, m wire.Message) []byte {
	t.Helper()
	b, err := c.Encode(m)
	if err != nil {
		t.Fatalf("encoding %s: %v", m.Name(), err)
	}
	return b
}

// decode is Decode for bytes that have to decode.
func decode(t testing.TB, c wire.Codec, b []byte) wire.Message {
	t.Helper()
	m, err := c.Decode(b)
	if err != nil {
		t.Fatalf("decoding %x: %v", b, err)
	}
	return m
}
