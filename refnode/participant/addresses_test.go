package participant_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"superscalar/refnode/chain/embedded"
	"superscalar/refnode/node"
	"superscalar/refnode/participant"
	"superscalar/refnode/store"
	"superscalar/refnode/transport"
	"superscalar/wire"
)

// The last address at which each peer was reached survives a restart.
func TestAddressesAreKept(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s := newSide(t, node.Client, c)
	one, two := transport.NodeID(s.id), transport.NodeID(newSide(t, node.LSP, c).id)
	for _, to := range []transport.Address{{ID: one, HostPort: "127.0.0.1:1"}, {ID: two, HostPort: "127.0.0.1:2"}, {ID: one, HostPort: "127.0.0.1:3"}} {
		s.Dialled(to)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	t.Cleanup(func() { _ = s.Close() })
	got, err := s.Addresses()
	want := []transport.Address{{ID: one, HostPort: "127.0.0.1:3"}, {ID: two, HostPort: "127.0.0.1:2"}}
	slices.SortFunc(want, func(a, b transport.Address) int { return slices.Compare(a.ID[:], b.ID[:]) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v (%v)", got, want, err)
	}
	if !s.Reached(wire.Point(one)) || s.Reached(wire.Point{2, 7}) {
		t.Errorf("reached: %v, and one that was not: %v", s.Reached(wire.Point(one)), s.Reached(wire.Point{2, 7}))
	}
}

// A record that is not the address of its peer is named.
func TestAWrongAddressIsNamed(t *testing.T) {
	c, err := embedded.New(embedded.Config{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s := unopened(t, node.Client, c)
	for _, wrong := range []string{"", "somewhere", strings.Repeat("02", 33) + "@127.0.0.1:1"} {
		disk, err := store.Open(s.dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(disk.Put("addresses", "02aa", []byte(wrong)), disk.Close()); err != nil {
			t.Fatal(err)
		}
		s.open()
		right := transport.Address{ID: transport.NodeID(newSide(t, node.LSP, c).id), HostPort: "127.0.0.1:1"}
		s.Dialled(right)
		if got, _ := s.Addresses(); !slices.Equal(got, []transport.Address{right}) {
			t.Errorf("%q: the other addresses are %v", wrong, got)
		}
		if _, err := s.Addresses(); !errors.Is(err, participant.ErrAddress) || !strings.Contains(err.Error(), "02aa") {
			t.Errorf("%q: %v", wrong, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
