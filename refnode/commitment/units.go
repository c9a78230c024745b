package commitment

import (
	"errors"
	"fmt"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// Sat is an amount in satoshi.
type Sat = factory.Sat

// Height is the height of a block.
type Height = factory.Height

// MilliSat is an amount in thousandths of a satoshi.
type MilliSat uint64

// Sat returns the amount in satoshi, rounded down (BOLT 3).
func (m MilliSat) Sat() Sat { return Sat(m / 1000) }

// String writes the amount with its unit.
func (m MilliSat) String() string { return fmt.Sprintf("%d msat", uint64(m)) }

// ofSat returns an amount of satoshi, which is not negative.
func ofSat(s Sat) MilliSat { return 1000 * MilliSat(s) }

// Feerate is a fee rate in sat per 1,000 weight units.
type Feerate uint32

// Number is the number of a commitment: 0 is the first one of each side, and
// each update adds one.
type Number uint64

// MaxNumber is the largest number of a commitment (BOLT 3: 48 bits).
const MaxNumber Number = 1<<48 - 1

// Side is one of the two parties of a channel.
type Side uint8

// The sides. The Opener pays the fee of both commitment transactions (BOLT 2).
const (
	Opener Side = iota
	Accepter
)

// Other returns the other side.
func (s Side) Other() Side { return 1 - s&1 }

// String returns "opener" or "accepter".
func (s Side) String() string { return [...]string{"opener", "accepter"}[s&1] }

// Type is the form of the commitment transactions of a channel.
type Type uint8

// The types of SPEC.md 3.7.
const (
	Anchors Type = iota // option_static_remotekey and option_anchors: bits 12 and 22
	ZeroFee             // zero_fee_commitments: bit 40
)

// ErrType is the error of a channel type that this package cannot make.
var ErrType = errors.New("not a channel type with anchors or zero-fee commitments")

// TypeOf returns the type that a channel_type names. It ignores the variations
// option_scid_alias and option_zeroconf, and refuses any other with ErrType.
func TypeOf(channelType wire.Features) (Type, error) {
	plain := channelType.Without(wire.FeatureScidAlias).Without(wire.FeatureZeroConf)
	for t, bits := range [...][]wire.Feature{
		Anchors: {wire.FeatureStaticRemoteKey, wire.FeatureAnchors},
		ZeroFee: {wire.FeatureZeroFee},
	} {
		if string(plain) == string(wire.NewFeatures(bits...)) {
			return Type(t), nil
		}
	}

	return 0, fmt.Errorf("channel_type %x: %w", []byte(channelType), ErrType)
}

// Version returns the version of commitment and HTLC transactions.
func (t Type) Version() int32 {
	if t == ZeroFee {
		return 3
	}

	return 2
}

// MaxHTLCs returns how many HTLCs a side may have offered at a time: what BOLT
// 2 allows for max_accepted_htlcs.
func (t Type) MaxHTLCs() int {
	if t == ZeroFee {
		return 114
	}

	return 483
}

// String returns the name of the feature that sets the type.
func (t Type) String() string {
	if t == ZeroFee {
		return "zero_fee_commitments"
	}

	return "option_anchors"
}

// csv is the relative lock of every output that is not an anchor of a
// commitment with anchors: one block, so that only the anchors can be spent
// while it is unconfirmed. Version 3 needs none (BOLT 3).
func (t Type) csv() uint32 {
	if t == ZeroFee {
		return 0
	}

	return 1
}
