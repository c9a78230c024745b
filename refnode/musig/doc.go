// Package musig signs with many keys at once: MuSig2 as BIP-327 specifies it,
// for the n-of-n outputs of a factory (area SIGN of SPEC.md), and checks the
// complete signatures of BIP-340, one by one or in batches. For the channels in a
// factory it verifies what takes most of their time: ECDSA signatures of many
// hashes under one key ([VerifyECDSA]).
//
// It promises constant work per signature whatever the number of signers. The
// keys of a set are parsed once, aggregated once ([Aggregate]) and tweaked
// once ([KeyAgg.Taproot]); a [Session] then costs one point multiplication,
// [Session.Sign] a few scalar operations and [Session.VerifyPartial] three
// point multiplications. A signer is named by its position in the list of
// keys that the caller gave, in errors too: KeySort of BIP-327 decides the
// bytes that are hashed and nothing else. Many at once ([AggregateAll],
// [TaprootAll], [NonceGenAll], [NewSessions], [VerifyBatch]) cost less than one
// by one.
//
// A [SecretNonce] signs once. It cannot be printed or encoded, a copy of it
// shares its one use, and it is overwritten when used.
//
// Everything here is a function of its arguments: no clock, no disk, no
// socket and no randomness but the io.Reader that is passed in.
//
// # Side channels
//
// What involves a secret key or a secret nonce is done with the scalars of
// btcec (decred's ModNScalar), whose operations take constant time, and with
// multiplications of the base point that read the same memory and compute the
// same additions for every number (base.go). Two things are left of chance, for
// numbers that nobody chose with a probability of 2^-200: a sum whose two points
// are equal, and a result between the field size and 2^256. The exception is the
// public key of a secret key ([PublicKeyOf]): like btcec's it is computed not in
// constant time, once, when the key is made.
//
// What is public (parsing, aggregation, sessions, verification, batches) uses
// sums of products that take variable time. Field and points are of this
// package: that arithmetic is most of what a ceremony costs, and with that of
// the libraries at hand, which tests compare with, it costs half as much again.
//
// # What it does not do
//
// It does not decide what may be signed and keeps no record of what was: record
// and refuse (area PS of SPEC.md) is the caller's. It transports nothing. It
// leaves out BIP-327's deterministic signing and its signing with tweaked
// individual keys.
package musig
