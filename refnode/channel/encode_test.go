package channel_test

import (
	"bytes"
	"errors"
	"testing"

	"superscalar/refnode/channel"
)

// rich returns a stored state with something in every part: HTLCs of both
// sides in different stages, a feerate on its way, a replaced output, a pending
// one.
func rich(t testing.TB) []byte {
	t.Helper()
	p := opened(t, setting{})
	p.offer(0)
	p.changeTo(locked)
	p.changeTo(continued)
	p.must(p.add(1, -1, 3_000_000))
	p.do(0, func(m *channel.Machine) { p.must(m.UpdateFee(400)) })
	p.resolve(1, -1, 0, 1)
	p.deliver(0, -1)
	return p.nodes[0].m.Encode()
}

func TestEncodeDecode(t *testing.T) {
	raw := rich(t)
	s, err := channel.DecodeState(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Encode(), raw) {
		t.Error("other bytes")
	}
	if len(s.HTLCs) != 2 || len(s.Feerates) != 1 || len(s.Replaced) != 1 || len(s.Fundings) != 2 {
		t.Errorf("%d HTLCs, %d feerates, %d replaced, %d outputs: the sample is too poor", len(s.HTLCs), len(s.Feerates), len(s.Replaced), len(s.Fundings))
	}
}

// Every cut and every changed byte is an error or another state, never a
// panic, and what decodes encodes to the same bytes.
func TestCorruptState(t *testing.T) {
	raw := rich(t)
	for n := range raw {
		if _, err := channel.DecodeState(raw[:n]); !errors.Is(err, channel.ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(raw), err)
		}
	}
	for n := 0; n < len(raw); n++ {
		bad := bytes.Clone(raw)
		bad[n] ^= 0x81
		s, err := channel.DecodeState(bad)
		switch {
		case err != nil && !errors.Is(err, channel.ErrCorrupt):
			t.Fatalf("byte %d: %v", n, err)
		case err == nil && !bytes.Equal(s.Encode(), bad):
			t.Fatalf("byte %d: decodes, and encodes to something else", n)
		}
	}
	version := bytes.Clone(raw)
	version[2] = 2
	if _, err := channel.DecodeState(version); !errors.Is(err, channel.ErrCorrupt) {
		t.Errorf("version 2: %v", err)
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(rich(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := channel.DecodeState(b)
		if err == nil {
			if again, err := channel.DecodeState(s.Encode()); err != nil || !bytes.Equal(again.Encode(), s.Encode()) {
				t.Error("what decodes does not survive its encoding")
			}
		}
	})
}
