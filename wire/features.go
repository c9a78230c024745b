package wire

import "slices"

// Feature is the number of a feature bit. Bits come in pairs: the even one
// says the feature is required, the odd one that it is optional (BOLT 9).
type Feature int

// The features this project knows, by their even bit.
const (
	FeatureDataLossProtect Feature = 0
	FeatureUpfrontShutdown Feature = 4
	FeatureGossipQueries   Feature = 6
	FeatureVarOnion        Feature = 8
	FeatureStaticRemoteKey Feature = 12
	FeaturePaymentSecret   Feature = 14
	FeatureBasicMPP        Feature = 16
	FeatureLargeChannels   Feature = 18
	FeatureAnchors         Feature = 22
	FeatureAnySegwit       Feature = 26
	FeatureDualFund        Feature = 28
	FeatureQuiesce         Feature = 34
	FeatureZeroFee         Feature = 40
	FeatureChannelType     Feature = 44
	FeatureScidAlias       Feature = 46
	FeatureZeroConf        Feature = 50
	FeatureSimpleClose     Feature = 60
	FeatureFactories       Feature = 270 // pluggable_channel_factories, PCF-001
)

// Features is a feature bit field as it is sent: big-endian, bit 0 in the
// last byte. Leading zero bytes are kept.
type Features []byte

// NewFeatures returns the shortest field with the given bits set.
func NewFeatures(bits ...Feature) Features {
	var f Features
	for _, bit := range bits {
		f = f.With(bit)
	}
	return f
}

// Bit reports whether exactly this bit is set.
func (f Features) Bit(bit Feature) bool {
	i := len(f) - 1 - int(bit)/8
	return bit >= 0 && i >= 0 && f[i]&(1<<(bit%8)) != 0
}

// Offers reports whether either bit of the feature's pair is set.
func (f Features) Offers(feature Feature) bool {
	even := feature &^ 1
	return f.Bit(even) || f.Bit(even+1)
}

// With returns a copy with the bit set.
func (f Features) With(bit Feature) Features {
	n := max(len(f), int(bit)/8+1)
	out := make(Features, n)
	copy(out[n-len(f):], f)
	out[n-1-int(bit)/8] |= 1 << (bit % 8)
	return out
}

// Without returns a copy, as short as possible, with both bits of the
// feature's pair cleared.
func (f Features) Without(feature Feature) Features {
	out := slices.Clone(f)
	for _, bit := range []Feature{feature &^ 1, feature | 1} {
		if out.Bit(bit) {
			out[len(out)-1-int(bit)/8] &^= 1 << (bit % 8)
		}
	}
	return out.trimmed()
}

// Or returns the bitwise OR of both fields, as long as the longer one. It
// takes one pass: a peer may fill a whole `init` with set bits.
func (f Features) Or(g Features) Features {
	out := make(Features, max(len(f), len(g)))
	copy(out[len(out)-len(f):], f)
	for i, b := range g {
		out[len(out)-len(g)+i] |= b
	}
	return out
}

// trimmed returns f without leading zero bytes, nil when no bit is set.
func (f Features) trimmed() Features {
	i := slices.IndexFunc(f, func(b byte) bool { return b != 0 })
	if i < 0 {
		return nil
	}
	return f[i:]
}

// Bits returns the numbers of all set bits, in increasing order.
func (f Features) Bits() []Feature {
	var out []Feature
	for bit := Feature(0); int(bit) < 8*len(f); bit++ {
		if f.Bit(bit) {
			out = append(out, bit)
		}
	}
	return out
}

// dependencies lists, for each known feature, what it needs (BOLT 9, section
// 2.4 and PCF-002 of SPEC.md).
var dependencies = map[Feature][]Feature{
	FeatureZeroConf:    {FeatureScidAlias},
	FeatureSimpleClose: {FeatureAnySegwit},
	FeatureFactories:   {FeatureQuiesce, FeatureZeroConf},
}

// Dependencies returns what feature directly depends on, by even bits.
func Dependencies(feature Feature) []Feature { return dependencies[feature&^1] }
