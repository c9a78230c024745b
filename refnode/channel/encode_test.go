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

// TestOnionsApart stores the onions apart and puts them back: the state is what it
// is with them inside, and without them it has none of their bytes.
func TestOnionsApart(t *testing.T) {
	p := opened(t, setting{})
	for range 3 { // received by node 1 and not answered yet: their onions are needed
		p.must(p.add(0, -1, 3_000_000))
	}
	m := p.nodes[0].m
	p.do(0, func(m *channel.Machine) { m.Commit() })
	whole, apart, onions := m.Encode(), m.EncodeApart(), m.Onions()
	if len(onions) != 3 {
		t.Fatalf("%d onions: the sample is too poor", len(onions))
	}
	for _, o := range onions {
		if len(o.Bytes) != 1366 || bytes.Contains(apart, o.Bytes) || !bytes.Contains(whole, o.Bytes) {
			t.Errorf("the onion of HTLC %d is in the wrong place", o.ID)
		}
	}
	restored := func() *channel.Machine {
		s, err := channel.DecodeState(apart)
		if err != nil {
			t.Fatal(err)
		}
		return &channel.Machine{State: *s}
	}
	again := restored()
	if err := again.SetOnions(onions); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.State.Encode(), whole) {
		t.Error("other bytes")
	}
	for _, tt := range []struct {
		name string
		bad  []channel.Onion
	}{
		{"one twice", []channel.Onion{onions[0], onions[0]}},
		{"of no HTLC", []channel.Onion{{By: onions[0].By, ID: 99, Bytes: onions[0].Bytes}}},
		{"of the other side", []channel.Onion{{By: onions[0].By.Other(), ID: onions[0].ID, Bytes: onions[0].Bytes}}},
		{"too short", []channel.Onion{{By: onions[0].By, ID: onions[0].ID, Bytes: onions[0].Bytes[1:]}}},
	} {
		if err := restored().SetOnions(tt.bad); !errors.Is(err, channel.ErrCorrupt) {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// An HTLC of ours that is paid is in a record of its own at the end: 1 byte of type, 1 of
// length, 4 for how many, 8 for the id. It names HTLCs that there are.
func TestPaidState(t *testing.T) {
	p := opened(t, setting{})
	p.offer(0)
	goesAway(p)
	raw := p.nodes[0].m.Encode()
	s, err := channel.DecodeState(raw)
	if err != nil || !s.HTLCs[0].Paid || !bytes.Equal(s.Encode(), raw) {
		t.Fatalf("it does not survive its encoding: %v", err)
	}
	if s, err := channel.DecodeState(raw[:len(raw)-14]); err != nil || s.HTLCs[0].Paid {
		t.Errorf("without the record it is paid, or not read: %v", err)
	}
	for name, at := range map[string]int{"an id of no HTLC": 1, "more than there are": 9} {
		bad := bytes.Clone(raw)
		bad[len(bad)-at] ^= 2
		if _, err := channel.DecodeState(bad); !errors.Is(err, channel.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := append(bytes.Clone(raw[:len(raw)-13]), 4, 0, 0, 0, 0)
	if _, err := channel.DecodeState(none); !errors.Is(err, channel.ErrCorrupt) {
		t.Errorf("an empty record: %v", err)
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
