package transport

import (
	"errors"
	"strings"
	"testing"
)

const goodID = "028d7500dd4c12685d1f568b4c2b5048e8534b873319f3a8daa612b469132ec7f7"

func TestParseNodeID(t *testing.T) {
	for _, c := range []struct{ name, in, wrong string }{
		{"good", goodID, ""},
		{"upper case", strings.ToUpper(goodID), ""},
		{"empty", "", "0 characters"},
		{"short", goodID[:65], "65 characters"},
		{"long", goodID + "0", "67 characters"},
		{"not hex", "zz" + goodID[2:], "hexadecimal"},
		{"bad first byte", "04" + goodID[2:], "starts with 04"},
		{"x above the field", "02" + strings.Repeat("f", 64), "not a point"},
		{"x not on the curve", "02" + strings.Repeat("0", 63) + "5", "not a point"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := ParseNodeID(c.in)
			if c.wrong == "" {
				if err != nil || id.String() != goodID {
					t.Fatalf("got %s, %v", id, err)
				}
				return
			}
			wantError(t, err, ErrNodeID, c.wrong)
		})
	}
}

// wantError fails unless err wraps want, is one line, and holds text.
func wantError(t *testing.T, err, want error, text string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	if s := err.Error(); !strings.Contains(s, text) || strings.Contains(s, "\n") {
		t.Fatalf("%q does not say %q on one line", s, text)
	}
}

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ name, in, wrong string }{
		{"IPv4", goodID + "@127.0.0.1:9735", ""},
		{"IPv6", goodID + "@[::1]:9735", ""},
		{"IPv6 with zone", goodID + "@[fe80::1%eth0]:1", ""},
		{"name", goodID + "@node.example:65535", ""},
		{"empty", "", "it is empty"},
		{"no at", goodID, "has no @"},
		{"no id", "@127.0.0.1:9735", "before the @"},
		{"bad id", "00" + goodID[2:] + "@127.0.0.1:9735", "starts with 00"},
		{"nothing after", goodID + "@", "nothing follows"},
		{"no port", goodID + "@127.0.0.1", "has no port"},
		{"empty port", goodID + "@127.0.0.1:", "has no port"},
		{"IPv6 without port", goodID + "@[::1]", "has no port"},
		{"no host", goodID + "@:9735", "has no host"},
		{"empty brackets", goodID + "@[]:9735", "has no host"},
		{"port zero", goodID + "@127.0.0.1:0", "from 1 to 65535"},
		{"port too large", goodID + "@127.0.0.1:65536", "from 1 to 65535"},
		{"port negative", goodID + "@127.0.0.1:-1", "from 1 to 65535"},
		{"port a name", goodID + "@127.0.0.1:http", "from 1 to 65535"},
		{"bare IPv6", goodID + "@::1:9735", "needs brackets"},
		{"IPv4 in brackets", goodID + "@[127.0.0.1]:9735", "not an IPv6"},
		{"open bracket", goodID + "@[::1:9735", "not HOST:PORT"},
		{"two at", goodID + "@a@b:1", "no host has"},
		{"blank", goodID + "@a b:1", "no host has"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := ParseAddress(c.in)
			if c.wrong == "" {
				if err != nil || a.String() != c.in {
					t.Fatalf("got %s, %v", a, err)
				}
				return
			}
			wantError(t, err, ErrAddress, c.wrong)
			wantError(t, err, ErrAddress, "NODEID@HOST:PORT")
		})
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add(goodID + "@127.0.0.1:9735")
	f.Add(goodID + "@[::1]:9735")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			wantError(t, err, ErrAddress, "")
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Fatalf("%q became %v, %v", s, again, err)
		}
	})
}
