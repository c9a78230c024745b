package wire_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"superscalar/wire"
)

func TestNewFeatures(t *testing.T) {
	for _, c := range []struct {
		name string
		bits []wire.Feature
		want wire.Features
	}{
		{"none", nil, nil},
		{"bit 0 is in the last byte", []wire.Feature{0}, wire.Features{1}},
		{"bit 7", []wire.Feature{7}, wire.Features{0x80}},
		{"bit 8 takes a byte more", []wire.Feature{8}, wire.Features{1, 0}},
		{"several, out of order, one twice", []wire.Feature{12, 0, 22, 12}, wire.Features{0x40, 0x10, 0x01}},
		{"bit 270", []wire.Feature{wire.FeatureFactories}, append(wire.Features{0x40}, make([]byte, 33)...)},
		{"bit 32767", []wire.Feature{32767}, append(wire.Features{0x80}, make([]byte, 4095)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wire.NewFeatures(c.bits...)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFeatureBits(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      wire.Features
		bits   []wire.Feature
		offers []wire.Feature // either bit of the pair may be asked for
		lacks  []wire.Feature
	}{
		{"nil", nil, nil, nil, []wire.Feature{0, 1, 270, 1 << 40}},
		{"leading zeros", wire.Features{0, 0, 0x02}, []wire.Feature{1}, []wire.Feature{0, 1}, []wire.Feature{2, 8, 23, 24}},
		{"even bit", wire.Features{0x40, 0, 0}, []wire.Feature{22}, []wire.Feature{wire.FeatureAnchors, 23}, []wire.Feature{20, 21, 24}},
		{"odd bit", wire.Features{0x80, 0, 0}, []wire.Feature{23}, []wire.Feature{wire.FeatureAnchors, 23}, []wire.Feature{20, 21, 24}},
		{"both", wire.Features{0x03}, []wire.Feature{0, 1}, []wire.Feature{0, 1}, []wire.Feature{2, 3, -1, -2, -8}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.bits, c.f.Bits()); diff != "" {
				t.Errorf("bits: -want +got:\n%s", diff)
			}
			for _, b := range c.bits {
				if !c.f.Bit(b) {
					t.Errorf("Bit(%d) is false", b)
				}
			}
			for _, b := range c.offers {
				if !c.f.Offers(b) {
					t.Errorf("Offers(%d) is false", b)
				}
			}
			for _, b := range c.lacks {
				if c.f.Bit(b) || c.f.Offers(b) {
					t.Errorf("Bit(%d) or Offers(%d) is true", b, b)
				}
			}
		})
	}
}

func TestFeaturesCombine(t *testing.T) {
	f := wire.Features{0, 0x01, 0x03} // leading zero, bits 8, 1, 0
	for _, c := range []struct {
		name      string
		got, want wire.Features
	}{
		{"With keeps leading zeros", f.With(2), wire.Features{0, 0x01, 0x07}},
		{"With a bit that is set", f.With(8), wire.Features{0, 0x01, 0x03}},
		{"With grows", wire.Features{1}.With(17), wire.Features{2, 0, 1}},
		{"Without clears the pair, from the even bit", f.Without(0), wire.Features{1, 0}},
		{"Without clears the pair, from the odd bit", f.Without(1), wire.Features{1, 0}},
		{"Without shortens", f.Without(8), wire.Features{3}},
		{"Without the last bit", wire.Features{1, 0}.Without(9), nil},
		{"Without a bit that is not set", f.Without(270), wire.Features{1, 3}},
		{"Or, longer first", f.Or(wire.Features{0x04}), wire.Features{0, 0x01, 0x07}},
		{"Or, longer second", wire.Features{0x04}.Or(f), wire.Features{0, 0x01, 0x07}},
		{"Or with nil", f.Or(nil), f},
		{"nil Or", wire.Features(nil).Or(f), f},
		{"init takes both fields", (&wire.Init{GlobalFeatures: wire.Features{0x20}, Features: wire.Features{0x01, 0x02}}).All(), wire.Features{0x01, 0x22}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if !bytes.Equal(f, []byte{0, 0x01, 0x03}) {
		t.Errorf("an operation changed its operand to %x", f)
	}
}

// The operations are those of sets of bits, whatever the leading zeros.
func TestFeaturesAreSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, g := wire.Features(data(t)), wire.Features(data(t))
		bit := wire.Feature(rapid.IntRange(0, 8*800).Draw(t, "bit"))
		union := f.Or(g)
		for b := wire.Feature(0); b < 8*800; b++ {
			if union.Bit(b) != (f.Bit(b) || g.Bit(b)) {
				t.Fatalf("bit %d of the union is %v", b, union.Bit(b))
			}
		}
		if with := f.With(bit); !with.Bit(bit) || !slices.Equal(with.Bits(), f.Or(wire.NewFeatures(bit)).Bits()) {
			t.Fatalf("With(%d) gives %v", bit, with.Bits())
		}
		without := slices.DeleteFunc(f.Bits(), func(b wire.Feature) bool { return b&^1 == bit&^1 })
		if !slices.Equal(f.Without(bit).Bits(), without) {
			t.Fatalf("Without(%d) leaves %v, want %v", bit, f.Without(bit).Bits(), without)
		}
		if !bytes.Equal(wire.NewFeatures(f.Bits()...), bytes.TrimLeft(f, "\x00")) {
			t.Fatal("NewFeatures is not the shortest form")
		}
	})
}

// An init full of set bits is the dearest one a peer can send. Combining its
// two fields has to take time in proportion to its size, not to its square
// (which was 8 GB of copying for one message): counted in allocations, since
// tests do not look at clocks.
func TestFullInitIsCheap(t *testing.T) {
	full := bytes.Repeat([]byte{0xff}, 32000)
	m := &wire.Init{GlobalFeatures: full, Features: full}
	if n := testing.AllocsPerRun(3, func() { m.All() }); n > 1 {
		t.Errorf("All takes %v allocations, want 1", n)
	}
	if n := testing.AllocsPerRun(3, func() { m.Features.Without(0) }); n > 2 {
		t.Errorf("Without takes %v allocations, want at most 2", n)
	}
}

// BOLT 9 and section 2.4 of SPEC.md.
func TestDependencies(t *testing.T) {
	for _, c := range []struct {
		name    string
		feature wire.Feature
		want    []wire.Feature
	}{
		{"factories", wire.FeatureFactories, []wire.Feature{wire.FeatureQuiesce, wire.FeatureZeroConf}},
		{"factories, odd bit", wire.FeatureFactories + 1, []wire.Feature{wire.FeatureQuiesce, wire.FeatureZeroConf}},
		{"zeroconf", wire.FeatureZeroConf, []wire.Feature{wire.FeatureScidAlias}},
		{"zeroconf, odd bit", 51, []wire.Feature{wire.FeatureScidAlias}},
		{"simple close", wire.FeatureSimpleClose, []wire.Feature{wire.FeatureAnySegwit}},
		{"quiesce", wire.FeatureQuiesce, nil},
		{"unknown", 999, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, wire.Dependencies(c.feature)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
