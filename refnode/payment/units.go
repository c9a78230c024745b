package payment

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"

	"github.com/lightningnetwork/lnd/lnwire"

	"superscalar/refnode/factory"
	"superscalar/wire"
)

// Msat is an amount in millisatoshi.
type Msat = lnwire.MilliSatoshi

// Height is the height of a block, or an absolute expiry of an HTLC.
type Height = factory.Height

// Blocks is a number of blocks.
type Blocks = factory.Blocks

// SCID is a short channel id or an alias, as BOLT 7 packs it. 0 is none.
type SCID uint64

// UnixTime is a time in seconds since 1970.
type UnixTime int64

// Hash is a payment hash.
type Hash [32]byte

// String returns 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Preimage is what a payment hash is the SHA256 of.
type Preimage [32]byte

// Hash returns the payment hash of a preimage.
func (p Preimage) Hash() Hash { return sha256.Sum256(p[:]) }

// Onion is an onion_routing_packet of update_add_htlc.
type Onion [lnwire.OnionPacketSize]byte

// HTLCKey names an HTLC: its channel and its id there. Offered and received HTLCs
// count their ids apart.
type HTLCKey struct {
	Channel wire.ChannelID
	ID      uint64
}

func (k HTLCKey) bytes() []byte {
	return binary.BigEndian.AppendUint64(slices.Clone(k.Channel[:]), k.ID)
}

func compareKeys(a, b HTLCKey) int {
	return cmp.Or(slices.Compare(a.Channel[:], b.Channel[:]), cmp.Compare(a.ID, b.ID))
}

const (
	// MaxMsat is the largest amount there is, in msat.
	MaxMsat = Msat(factory.MaxSat) * 1000

	// OutsideMargin is the least time in blocks to the expiry of an HTLC that
	// is forwarded to a channel outside any factory. It is less than
	// expiry.ClaimMargin: a payee that asks for 18 blocks stays payable when the
	// heights of payer and LSP differ.
	OutsideMargin Blocks = 12

	// DefaultFinalDelta is what an invoice asks for in blocks besides the early
	// warning time: the 18 of a claim, and 6 for blocks that are found while a
	// payment travels.
	DefaultFinalDelta Blocks = 24

	// DefaultMPPTimeout is how long the parts of an incomplete payment are
	// held, in seconds (BOLT 4).
	DefaultMPPTimeout = 60

	// DefaultExpiry is how long an invoice is valid, in seconds (BOLT 11).
	DefaultExpiry = 3600
)

// fee returns the fee in msat for forwarding amt, false when it exceeds every
// amount there is.
func fee(amt Msat, base, ppm uint32) (Msat, bool) {
	hi, lo := bits.Mul64(uint64(amt), uint64(ppm))
	if hi >= 1_000_000 {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, 1_000_000)
	sum, carry := bits.Add64(q, uint64(base), 0)
	if carry != 0 || Msat(sum) > MaxMsat {
		return 0, false
	}
	return Msat(sum), true
}

// before reports whether expiry leaves fewer than margin blocks from height on.
func before(expiry, height Height, margins ...Blocks) bool {
	least := uint64(height)
	for _, m := range margins {
		least += uint64(m)
	}
	return uint64(expiry) < least
}
