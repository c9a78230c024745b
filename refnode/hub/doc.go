// Package hub runs the channels of a node: it owns every channel machine and
// the router of payments, and one goroutine drives them.
//
// Work is done in steps. A step takes what came in (messages, orders, blocks,
// timers), lets the machines and the router answer one another until nothing
// is left to say, writes all that changed in one transaction of the store, and
// only then lets anything leave. So the channels and the router never disagree
// on disk, whatever moment the process dies at, and a peer never holds a
// message that the disk has forgotten. Several inputs that arrive together share
// one transaction: that is what makes payments cheap.
//
// When the store refuses a transaction, what the machines have in memory is
// ahead of the disk. The hub then does what a restart does: it drops every
// connection and reads everything again. When that fails too, it takes no input until
// it succeeds, and tries with each.
//
// It implements the parts of sections 3.7 and 8 of SPEC.md that lie between a
// channel and its node. It decides nothing about a channel (package channel),
// a payment (package payment) or a factory (the roles).
package hub
