package plugin_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"superscalar/refnode/plugin"
	"superscalar/wire"
	"superscalar/wire/rule"
)

func loopback(rand io.Reader) *plugin.Loopback { return plugin.NewLoopback(wire.Codec{}, rand) }

// PCF-051, PCF-052: requests are answered, nothing else is.
func TestLoopbackReceive(t *testing.T) {
	large := append([]byte{0}, bytes.Repeat([]byte{0xff}, wire.MaxPayload-1)...)
	for _, tt := range []struct {
		name    string
		payload []byte
		want    [][]byte
	}{
		{"request", []byte("\x00data"), [][]byte{[]byte("\x01data")}},
		{"request without data", []byte{0}, [][]byte{{1}}},
		{"request whose data looks like a request", []byte{0, 0}, [][]byte{{1, 0}}},
		{"largest request", large, [][]byte{append([]byte{1}, large[1:]...)}},
		{"reply", []byte("\x01data"), nil},
		{"reply without data", []byte{1}, nil},
		{"unknown kind", []byte("\x02data"), nil},
		{"last kind", []byte("\xffdata"), nil},
		{"no kind", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.payload)
			got, err := loopback(nil).Receive(them, tt.payload)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !bytes.Equal(tt.payload, before) {
				t.Errorf("the payload became %x", tt.payload)
			}
		})
	}
}

// Two of them that are fed each other's answers fall silent after one.
func TestTwoLoopbacksEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 5).Draw(t, "payload")...)
		if rapid.Bool().Draw(t, "request") {
			first = append([]byte{plugin.LoopbackRequest}, first...)
		}
		sides := []*plugin.Loopback{loopback(nil), loopback(nil)}
		queue, said := [][]byte{first}, 0
		for turn := 0; len(queue) > 0; turn++ {
			replies, err := sides[turn%2].Receive(them, queue[0])
			if err != nil {
				t.Fatal(err)
			}
			queue = append(queue[1:], replies...)
			if said += len(replies); said > 1 {
				t.Fatalf("%d answers to %x", said, first)
			}
		}
		if request := len(first) > 0 && first[0] == plugin.LoopbackRequest; request != (said == 1) {
			t.Fatalf("%d answers to %x", said, first)
		}
	})
}

// PCF-061: every instance is fine but the zero one.
func TestLoopbackCheckChannel(t *testing.T) {
	last := [32]byte{31: 1}
	for _, tt := range []struct {
		name     string
		instance [32]byte
		want     rule.ID
	}{
		{"zero", [32]byte{}, rule.PCF061}, {"one in the last byte", last, ""}, {"one in the first byte", [32]byte{1}, ""}, {"ones", fill(0xff), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := loopback(nil)
			if got := violation(t, l.CheckChannel(them, opening(l.ProtocolID(), tt.instance))); got != tt.want {
				t.Errorf("violation of %q, want %q", got, tt.want)
			}
		})
	}
}

// Every channel gets an instance of its own that the other side accepts.
func TestLoopbackOffer(t *testing.T) {
	l := loopback(rand.NewChaCha8([32]byte{1}))
	seen := map[[32]byte]bool{}
	for range 100 {
		in, err := l.Offer(them, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		if in.ProtocolID != l.ProtocolID() || seen[in.InstanceID] {
			t.Fatalf("offered %+v", in)
		}
		seen[in.InstanceID] = true
		if got := violation(t, l.CheckChannel(them, opening(in.ProtocolID, in.InstanceID))); got != "" {
			t.Fatalf("its own offer is a violation of %s", got)
		}
	}
}

// A random source that fails, or ends early, makes the offer fail.
func TestLoopbackOfferWithoutRandomness(t *testing.T) {
	broken := errors.New("no randomness")
	for _, tt := range []struct {
		name string
		rand io.Reader
		want error
	}{
		{"fails", iotest.ErrReader(broken), broken},
		{"fails after some bytes", io.MultiReader(bytes.NewReader(make([]byte, 31)), iotest.ErrReader(broken)), broken},
		{"ends early", bytes.NewReader(make([]byte, 31)), io.ErrUnexpectedEOF},
		{"is empty", bytes.NewReader(nil), io.EOF},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, err := loopback(tt.rand).Offer(them, 100_000)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if in != (wire.ChannelInFactory{}) {
				t.Errorf("offered %+v beside the error", in)
			}
		})
	}
}
