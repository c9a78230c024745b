// Package commitment makes, signs and checks the transactions of a Lightning
// channel: BOLT 3 with option_anchors (channel type {12, 22}; "zero fee HTLC
// transactions") and with zero_fee_commitments ({40}), the cooperative close of
// closing_signed, and what either side can claim of BOLT 5.
//
// It promises that both sides, calling the same function with the same
// arguments, get the same bytes; that nothing is lost: outputs and fee sum to
// the funding output, exactly; that it signs with low S and refuses high S; and
// that a Claim, put into a transaction with NewSpend and SignSpend, spends its
// output.
//
// Nothing here knows who "we" are: the sides are the Opener and the Accepter,
// and a commitment transaction has an owner. What BOLT 3 calls local is the
// owner's, and remote the other's. A channel with several live funding outputs
// (SPEC.md 3.8) has one commitment transaction for each of them under the same
// number, with the same per-commitment point.
//
// It is pure: no clock, socket, disk or randomness (signatures use the nonces
// of RFC 6979). It holds no state of a channel: package channel does, and
// decides what may be signed. Distribution and poison, which spend a channel
// output too, are those of package factory. It does not choose fees, coins or
// deadlines.
package commitment
