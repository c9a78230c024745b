package plugin_test

import (
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

// Every fault of the framing names the requirement it breaks; what is odd and
// well formed is ignored.
func TestSuperScalarReceive(t *testing.T) {
	for _, tt := range []struct {
		name    string
		payload string // hex
		want    rule.ID
	}{
		{"empty", "", rule.PCF041},
		{"one byte", "01", rule.PCF041},
		{"odd, no records", "0001", ""},
		{"highest odd type", "ffff", ""},
		{"even, no records", "0002", rule.PCF043},
		{"type 0", "0000", rule.PCF043},
		{"highest even type", "fffe", rule.PCF043},
		{"odd with odd record", "0001" + "0101aa", ""},
		{"odd with even record", "0001" + "0201aa", ""},
		{"odd with records of all sizes of type", "0001" + "0000" + "fd010001aa" + "fe00010000" + "00" + "ff000000010000000000", ""},
		{"odd with an empty record", "0001" + "0100", ""},
		{"even with records", "0002" + "0101aa", rule.PCF043},

		{"records out of order", "0001" + "0300" + "0100", rule.PCF044},
		{"one record twice", "0001" + "0100" + "0100", rule.PCF044},
		{"record 0 twice", "0001" + "0000" + "0000", rule.PCF044},
		{"type alone", "0001" + "01", rule.PCF044},
		{"value too short", "0001" + "0102aa", rule.PCF044},
		{"value of 2^64-1 bytes", "0001" + "01ffffffffffffffffff", rule.PCF044},
		{"type not minimal", "0001" + "fd00fc00", rule.PCF044},
		{"type cut", "0001" + "fd01", rule.PCF044},
		{"length not minimal", "0001" + "01fd000100", rule.PCF044},
		{"length cut", "0001" + "01fe0000", rule.PCF044},
		{"malformed and even", "0002" + "0300" + "0100", rule.PCF044},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payload, err := hex.DecodeString(tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			replies, err := plugin.NewSuperScalar(wire.Codec{}, nil).Receive(them, payload)
			if got := violation(t, err); got != tt.want {
				t.Errorf("violation of %q (%v), want %q", got, err, tt.want)
			}
			if len(replies) > 0 {
				t.Errorf("replied %x", replies)
			}
		})
	}
}

// Any bytes are ignored or a violation with an id, never another error.
func TestSuperScalarReceiveAnything(t *testing.T) {
	s := plugin.NewSuperScalar(wire.Codec{}, nil)
	rapid.Check(t, func(rt *rapid.T) {
		replies, err := s.Receive(them, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "payload"))
		violation(t, err)
		if len(replies) > 0 {
			rt.Fatalf("replied %x", replies)
		}
	})
}

// There are no factories yet: no channel is in one (PCF-061), and none can be
// offered.
func TestSuperScalarHasNoFactory(t *testing.T) {
	s := plugin.NewSuperScalar(wire.Codec{}, nil)
	for _, instance := range [][32]byte{{}, fill(1), fill(0xff)} {
		if got := violation(t, s.CheckChannel(them, opening(s.ProtocolID(), instance))); got != rule.PCF061 {
			t.Errorf("instance %x: violation of %q, want PCF-061", instance, got)
		}
	}
	if _, err := s.Offer(them, 100_000); !errors.Is(err, plugin.ErrNoFactory) {
		t.Errorf("offered: %v", err)
	}
}
