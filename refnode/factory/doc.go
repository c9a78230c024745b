// Package factory computes everything that follows from a SuperScalar
// proposal: bounds, shape and layout of the tree, scripts and descriptors,
// every transaction with its sighash and txid, counters and delays,
// distributions, updates, poison, sales with their omissions, the cover of a
// client, and what leaving costs (sections 4, 6 and 7 of SPEC.md, areas TREE,
// SCRIPT, DELAY, DIST, POI and PS).
//
// It promises that the LSP, which knows everything, and a client, which knows
// its own path and sums elsewhere, get the same bytes from the same code: a
// [Tree] is built for a [View], and a client's tree is a part of the LSP's. A
// Tree never changes; [Tree.Replace], [Tree.Fail], [Tree.Sold] and
// [Tree.Poisoned] return the next one, which shares what stayed.
//
// Every refusal is an *[Error] that names the requirement. A requirement that
// is switched off in the [rule.Set] is not checked, or kept wrongly where it
// says how to build: that is how mutants are made, and nothing else. No input
// makes the package panic.
//
// Mistakes of the caller (a node that does not exist) are errors without a rule.
//
// The package does no I/O, signs nothing, keeps no record of what was signed
// (PS-010 to PS-013), sees no chain (DELAY-006, PS-004) and no message. Keys
// are aggregated by package musig, once per set and [Factory].
package factory
