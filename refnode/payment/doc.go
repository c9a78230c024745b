// Package payment is the router of a node: it makes and pays invoices, receives
// HTLCs, forwards them (the LSP only) and returns errors, over channels that it
// knows as links only.
//
// It implements BOLT 4 (onions, multi-part payments, failure messages) with the
// lightning-onion library, BOLT 11 with lnd's zpay32, and of SPEC.md CHAN-013 and
// CHAN-017. What it asks of expiries stands in package expiry.
//
// # The machine
//
// [Router] is pure: no socket, clock, disk or randomness but what is handed in.
// An [Event] goes in with [Router.Handle]; the router gives commands to its
// channels through [Channels] while it handles it, and returns actions. The
// first action is a [Persist] with the records that changed. The commands, what
// the channels store because of them and this Persist belong into one
// transaction, and nothing may be sent to a peer before it is durable: then a
// crash loses a step as a whole or not at all, and no HTLC is forwarded, paid or
// failed twice. Once the preimage of a forwarded HTLC is known it goes upstream in
// the same step; a failure goes upstream only when the channel says that the
// removal is irrevocable.
//
// Time comes as [Tick], heights as [Block]. One clock event instead of one timer
// per set of parts: it needs no cancelling, may come late, early or twice, and
// survives restarts, since each deadline is in the records. [Wake] says when the next
// Tick is wanted.
//
// What is over is forgotten some time later, but never that a hash was paid: see
// [DefaultHistory].
//
// # Routes
//
// There is no gossip in this project. A payee is a direct peer, or it is reached
// over the route hints of its invoice or of the caller, which begin at a direct
// peer. A client's direct peer is its LSP.
//
// # What it does not do
//
// It does not decide when a channel goes on the chain, warns no plugin
// (PCF-089, PCF-090) and watches no exposure: channels do. It knows no blinded
// path, no keysend, no attribution data and sends no channel_update in failures
// (BOLT 4 allows both). It never combines parts that come over several channels
// into one forwarded HTLC: that is local multipath.
package payment
