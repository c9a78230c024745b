package wire_test

import (
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"superscalar/wire"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated. A seed of one's own goes in with -rapid.seed or RAPID_SEED.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() == "0" {
		if err := seed.Value.Set("56"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// The two forms of the envelope.
var codecs = []struct {
	name  string
	codec wire.Codec
}{
	{"normative envelope", wire.Codec{}},
	{"compatibility envelope", wire.Codec{Envelope: wire.TypeFactoryCompat}},
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
