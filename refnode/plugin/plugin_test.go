package plugin_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"testing"

	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// TestMain fixes the seed of the property tests, so that a run can be
// repeated; -rapid.seed sets another.
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

func fill(x byte) [32]byte { return [32]byte(bytes.Repeat([]byte{x}, 32)) }

var them = plugin.PeerID{0: 2, 32: 1}

// violation returns the rule that a *Violation names, "" for no error.
func violation(t *testing.T, err error) rule.ID {
	t.Helper()
	if err == nil {
		return ""
	}
	var v *plugin.Violation
	if !errors.As(err, &v) {
		t.Fatalf("%v is a %T, want a *Violation", err, err)
	}
	if v.Reason == "" || v.Error() != v.Reason || v.Rule == "" {
		t.Fatalf("incomplete violation %#v", v)
	}
	for _, c := range []byte(v.Reason) {
		if c < 32 || c > 126 {
			t.Fatalf("the reason %q is not printable", v.Reason)
		}
	}
	return v.Rule
}

// opening is an open_channel in an instance.
func opening(id wire.ProtocolID, instance [32]byte) *wire.OpenChannel {
	return &wire.OpenChannel{ChannelInFactory: &wire.ChannelInFactory{ProtocolID: id, InstanceID: instance}}
}

// The ids are the hashes of section 3.5 and 3.6 of SPEC.md, and differ.
func TestProtocolIDs(t *testing.T) {
	s := plugin.NewSuperScalar(wire.Codec{}, nil).ProtocolID()
	l := plugin.NewLoopback(wire.Codec{}, nil).ProtocolID()
	if s != (wire.Codec{}).SuperScalarID() || l != (wire.Codec{}).LoopbackID() || s == l {
		t.Errorf("SuperScalar is %x, Loopback %x", s, l)
	}
}
