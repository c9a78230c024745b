package payment

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/lightningnetwork/lnd/lnwire"
	"github.com/lightningnetwork/lnd/zpay32"

	"superscalar/refnode/expiry"
	"superscalar/wire"
)

// Hop is one entry of a route hint: Node forwards over the channel SCID and asks
// this for it.
type Hop struct {
	Node        wire.Point
	SCID        SCID
	FeeBaseMsat uint32 // msat
	FeePPM      uint32 // millionths
	CLTVDelta   uint16 // blocks
}

// Bolt11 is a payment request, BOLT 11.
type Bolt11 struct {
	Hash   Hash
	Payee  wire.Point
	Amount Msat // 0: the payer chooses
	Secret [32]byte
	// Metadata goes back to the payee, nil when there is none.
	Metadata []byte
	// Description is the text, or DescriptionHash its SHA256, never both.
	Description     string
	DescriptionHash *[32]byte
	Timestamp       UnixTime
	Expiry          int64 // seconds
	// FinalDelta is min_final_cltv_expiry_delta in blocks.
	FinalDelta Blocks
	// MPP is true when the payee takes several parts.
	MPP bool
	// Hints are routes to the payee, each from a node that the payer may know.
	Hints [][]Hop
}

// Expires returns the time from which on the invoice must not be paid.
func (i *Bolt11) Expires() UnixTime { return i.Timestamp + UnixTime(i.Expiry) }

// ErrInvoice is a payment request that must not be paid. The error says why.
var ErrInvoice = errors.New("invoice is not valid")

func badInvoice(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvoice, fmt.Errorf(format, args...))
}

// invoiceFeatures are the feature bits of an invoice that this node knows.
var invoiceFeatures = map[lnwire.FeatureBit]string{
	lnwire.TLVOnionPayloadRequired: "var_onion_optin", lnwire.TLVOnionPayloadOptional: "var_onion_optin",
	lnwire.PaymentAddrRequired: "payment_secret", lnwire.PaymentAddrOptional: "payment_secret",
	lnwire.MPPRequired: "basic_mpp", lnwire.MPPOptional: "basic_mpp",
	48: "option_payment_metadata", 49: "option_payment_metadata",
}

// Limits of an invoice's fields, in seconds and blocks.
const (
	maxInvoiceExpiry = 1 << 32
	maxFinalDelta    = 1 << 16
)

// DecodeInvoice reads a payment request for a network. It is stricter than
// zpay32 where BOLT 11 is: fixed lengths, exactly one payment secret, minimal numbers, no high S
// beside a node id, no unknown even feature. Errors are ErrInvoice.
func DecodeInvoice(s string, net *chaincfg.Params) (*Bolt11, error) {
	z, err := zpay32.Decode(s, net, zpay32.WithKnownFeatureBits(invoiceFeatures))
	if err != nil {
		return nil, badInvoice("%w", err)
	}
	if err := checkFields(s); err != nil {
		return nil, err
	}
	if err := checkInvoiceFeatures(z.Features); err != nil {
		return nil, err
	}
	secret, err := z.PaymentAddr.UnwrapOrErr(badInvoice("it has no payment secret"))
	if err != nil {
		return nil, err
	}
	i := &Bolt11{
		Hash: *z.PaymentHash, Secret: secret, Metadata: z.Metadata, DescriptionHash: z.DescriptionHash,
		Timestamp: UnixTime(z.Timestamp.Unix()), Expiry: int64(z.Expiry() / time.Second),
		FinalDelta: expiry.ClaimMargin, MPP: z.Features.HasFeature(lnwire.MPPOptional),
	}
	copy(i.Payee[:], z.Destination.SerializeCompressed())
	if z.Description != nil {
		i.Description = *z.Description
	}
	if z.MilliSat != nil {
		if i.Amount = *z.MilliSat; i.Amount == 0 || i.Amount > MaxMsat {
			return nil, badInvoice("amount of %d msat", i.Amount)
		}
	}
	if i.Expiry < 0 || i.Expiry > maxInvoiceExpiry {
		return nil, badInvoice("expiry of %d seconds", i.Expiry)
	}
	if d := z.MinFinalCLTVExpiry(); d > maxFinalDelta {
		return nil, badInvoice("min_final_cltv_expiry_delta of %d blocks", d)
	} else if d > uint64(i.FinalDelta) {
		i.FinalDelta = Blocks(d)
	}
	for _, hint := range z.RouteHints {
		hops := make([]Hop, len(hint))
		for k, h := range hint {
			hops[k] = Hop{SCID: SCID(h.ChannelID), FeeBaseMsat: h.FeeBaseMSat, FeePPM: h.FeeProportionalMillionths, CLTVDelta: h.CLTVExpiryDelta}
			copy(hops[k].Node[:], h.NodeID.SerializeCompressed())
		}
		i.Hints = append(i.Hints, hops)
	}
	return i, nil
}

// checkInvoiceFeatures refuses features that the payer does not know, and those
// set without what they depend on.
func checkInvoiceFeatures(f *lnwire.FeatureVector) error {
	for bit := range f.Features() {
		if _, known := invoiceFeatures[bit]; !known && bit.IsRequired() {
			return badInvoice("it requires feature %d", bit)
		}
	}
	has := f.HasFeature
	if has(lnwire.MPPOptional) && !has(lnwire.PaymentAddrOptional) || has(lnwire.PaymentAddrOptional) && !has(lnwire.TLVOnionPayloadOptional) {
		return badInvoice("a feature is set without one that it depends on")
	}
	return nil
}

// Tagged fields, by the value of their letter.
const (
	tagP = 1
	tagR = 3
	tag9 = 5
	tagX = 6
	tagD = 13
	tagS = 16
	tagN = 19
	tagB = 20 // lnd's blinded paths, no part of BOLT 11
	tagH = 23
	tagC = 24
)

// checkFields looks at what zpay32 lets pass.
func checkFields(s string) error {
	_, data, err := bech32.DecodeNoLimit(s)
	if err != nil {
		return badInvoice("%w", err)
	}
	const timestamp, signature = 7, 104
	if len(data) < timestamp+signature {
		return badInvoice("it is truncated")
	}
	seen := map[byte]int{}
	for f := data[timestamp : len(data)-signature]; len(f) > 0; {
		if len(f) < 3 {
			return badInvoice("a field is truncated")
		}
		tag, n := f[0], int(f[1])<<5|int(f[2])
		if len(f) < 3+n {
			return badInvoice("a field is truncated")
		}
		if err := checkField(tag, f[3:3+n]); err != nil {
			return err
		}
		seen[tag]++
		f = f[3+n:]
	}
	if err := checkInvoiceSignature(data[len(data)-signature:], seen[tagN] > 0); err != nil {
		return err
	}
	for _, tag := range []byte{tagP, tagS, tagD, tagH, tagC, tagX, tagN, tag9} {
		if seen[tag] > 1 {
			return badInvoice("field %d stands twice", tag)
		}
	}
	return nil
}

// checkField checks one field of 5-bit groups.
func checkField(tag byte, v []byte) error {
	fixed := map[byte]int{tagP: 52, tagH: 52, tagS: 52, tagN: 53}
	if n, ok := fixed[tag]; ok && len(v) != n {
		return badInvoice("field %d has %d groups, not %d", tag, len(v), n)
	}
	switch {
	case (tag == tagC || tag == tagX || tag == tag9) && len(v) > 0 && v[0] == 0:
		return badInvoice("field %d has leading zeros", tag)
	case (tag == tagC || tag == tagX) && len(v) > 7:
		return badInvoice("the number in field %d is too large", tag)
	case tag == tagB:
		return badInvoice("it has blinded paths")
	}
	return nil
}

// checkInvoiceSignature checks the recovery id, and low S where a node id is given (BOLT 11).
func checkInvoiceSignature(groups []byte, named bool) error {
	b, err := bech32.ConvertBits(groups, 5, 8, false)
	if err != nil || len(b) != 65 {
		return badInvoice("signature of %d bytes", len(b))
	}
	if b[64] > 3 {
		return badInvoice("recovery id %d", b[64])
	}
	half := new(big.Int).Rsh(btcec.S256().N, 1)
	if named && new(big.Int).SetBytes(b[32:64]).Cmp(half) > 0 {
		return badInvoice("signature with a high S")
	}
	return nil
}

// Encode writes and signs the payment request. Payee is who signs and is not
// written: it is recovered from the signature.
func (i *Bolt11) Encode(net *chaincfg.Params, key Key) (string, error) {
	raw := lnwire.NewRawFeatureVector(lnwire.TLVOnionPayloadRequired, lnwire.PaymentAddrRequired)
	if i.MPP {
		raw.Set(lnwire.MPPOptional)
	}
	options := []func(*zpay32.Invoice){
		zpay32.PaymentAddr(i.Secret), zpay32.Features(lnwire.NewFeatureVector(raw, invoiceFeatures)),
		zpay32.Expiry(time.Duration(i.Expiry) * time.Second), zpay32.CLTVExpiry(uint64(i.FinalDelta)),
	}
	if i.DescriptionHash != nil {
		options = append(options, zpay32.DescriptionHash(*i.DescriptionHash))
	} else {
		options = append(options, zpay32.Description(i.Description))
	}
	if i.Amount > 0 {
		options = append(options, zpay32.Amount(i.Amount))
	}
	for _, hint := range i.Hints {
		hops := make([]zpay32.HopHint, len(hint))
		for k, h := range hint {
			node, err := btcec.ParsePubKey(h.Node[:])
			if err != nil {
				return "", badInvoice("node id in a hint: %w", err)
			}
			hops[k] = zpay32.HopHint{NodeID: node, ChannelID: uint64(h.SCID), FeeBaseMSat: h.FeeBaseMsat, FeeProportionalMillionths: h.FeePPM, CLTVExpiryDelta: h.CLTVDelta}
		}
		options = append(options, zpay32.RouteHint(hops))
	}
	z, err := zpay32.NewInvoice(net, i.Hash, time.Unix(int64(i.Timestamp), 0), options...)
	if err != nil {
		return "", badInvoice("%w", err)
	}
	s, err := z.Encode(zpay32.MessageSigner{SignCompact: key.SignCompact})
	if err != nil {
		return "", badInvoice("%w", err)
	}
	return s, nil
}

// sameInvoice compares payment requests without regard to case.
func sameInvoice(a, b string) bool {
	return bytes.Equal([]byte(strings.ToLower(a)), []byte(strings.ToLower(b)))
}
