package commitment

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"superscalar/wire"
)

func TestStateEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawState(t, drawPair(t))
		b := s.Encode()
		back, err := DecodeState(b)
		if err != nil || !reflect.DeepEqual(back, s) {
			t.Fatalf("%+v, want %+v, %v", back, s, err)
		}
		for name, bad := range map[string][]byte{
			"one byte more": append(bytes.Clone(b), 0),
			"one byte less": b[:len(b)-1],
			"nothing":       nil,
			"version":       append([]byte{2}, b[1:]...),
			"one HTLC more": append(append(bytes.Clone(b[:30]), b[30]+1), b[31:]...),
		} {
			if _, err := DecodeState(bad); !errors.Is(err, ErrEncoding) {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if len(s.HTLCs) > 0 {
			b[stateSize] = 2
			if _, err := DecodeState(b); !errors.Is(err, ErrEncoding) {
				t.Fatalf("an HTLC of nobody: %v", err)
			}
		}
	})
}

// What decodes encodes to the same bytes, and can be built or is refused.
func FuzzDecodeState(f *testing.F) {
	p := newPair(Anchors, 1_000_000)
	good := State{Number: 5, Feerate: 253, Balance: [2]MilliSat{500_000_000, 490_000_000},
		HTLCs: []HTLC{{Amount: 10_000_000, Expiry: 500, OfferedBy: Accepter}}}
	f.Add(good.Encode())
	f.Add((&State{}).Encode())
	f.Add(bytes.Repeat([]byte{255}, stateSize))
	point, _ := p.Seeds[Opener].Point(5)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState(b)
		if err != nil {
			if !errors.Is(err, ErrEncoding) {
				t.Fatal(err)
			}

			return
		}
		if !bytes.Equal(s.Encode(), b) {
			t.Fatal("not what was read")
		}
		if _, err := p.Build(Opener, &p.Fund, &s, point); err != nil && !errors.Is(err, ErrState) {
			t.Fatal(err)
		}
	})
}

func TestTypeOf(t *testing.T) {
	bits := func(list ...wire.Feature) wire.Features { return wire.NewFeatures(list...) }
	for name, test := range map[string]struct {
		in   wire.Features
		want Type
		err  error
	}{
		"anchors":             {bits(12, 22), Anchors, nil},
		"anchors-in-factory":  {bits(12, 22, 46, 50), Anchors, nil},
		"zero-fee":            {bits(40), ZeroFee, nil},
		"zero-fee-in-factory": {bits(40, 46, 50), ZeroFee, nil},
		"static-remote-key":   {bits(12), 0, ErrType},
		"anchors-alone":       {bits(22), 0, ErrType},
		"both":                {bits(12, 22, 40), 0, ErrType},
		"taproot":             {bits(12, 22, 80), 0, ErrType},
		"optional-bits":       {bits(13, 23), 0, ErrType},
		"empty":               {nil, 0, ErrType},
	} {
		if got, err := TypeOf(test.in); got != test.want || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%s: %s, %v; want %s, %v", name, got, err, test.want, test.err)
		}
	}
}

func TestNewBasepoints(t *testing.T) {
	s := testSecrets("alice")
	point := func(i int) wire.Point {
		b := s.Basepoints()

		return wire.Point([...][]byte{b.Revocation.SerializeCompressed(), b.Payment.SerializeCompressed(),
			b.Delayed.SerializeCompressed(), b.HTLC.SerializeCompressed()}[i])
	}
	keys := wire.ChannelKeys{Revocation: point(0), Payment: point(1), DelayedPayment: point(2), HTLC: point(3)}
	got, err := NewBasepoints(keys)
	if err != nil || !reflect.DeepEqual(got, s.Basepoints()) {
		t.Errorf("%v, %v", got, err)
	}
	for _, field := range []*wire.Point{&keys.Revocation, &keys.Payment, &keys.DelayedPayment, &keys.HTLC} {
		good := *field
		field[0] = 5
		if _, err := NewBasepoints(keys); !errors.Is(err, ErrKey) {
			t.Errorf("%v, want %v", err, ErrKey)
		}
		*field = good
	}
}
