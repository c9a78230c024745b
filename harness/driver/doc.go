// Package driver is the protocol of tier "driver": how the suite moves an
// implementation under test that cannot be reached with the wire alone.
//
// An implementer writes one small program, the driver, that starts a node and
// does what it is told: at most eight commands, one JSON object a line, over
// the driver's stdin and stdout (Spawn) or over a TCP connection that the
// driver opens to the suite (ListenDialBack). The Go side here is the suite's
// end. Template prints a finished driver to start from, Schema is the JSON
// Schema of every line, Doctor tells an author what is wrong with a driver.
//
// What the package promises:
//
//   - No verdict is taken from a driver. A reply says that a node was told
//     something, never that a rule of SPEC.md holds; cases look at the wire.
//     There is no list of capabilities: a command that a driver cannot do is
//     answered with the code "unsupported" (ErrUnsupported), and the case that
//     needed it is skipped in the open.
//   - A driver that says yes to everything is refused: Handshake sends a
//     command that does not exist and wants "unknown-command" back.
//   - A misbehaving driver gives one typed error of one line that says what it
//     did and what to do. After such an error the client stays dead; it never
//     guesses where the next reply starts.
//   - Close leaves no process of a spawned driver's group behind.
//
// The lines. A request is {"id":1,"cmd":"start",...}, its parameters beside id
// and cmd. A reply is {"id":1,"ok":true,...} or
// {"id":1,"ok":false,"error":"one line","code":"failed"}. Requests come one at
// a time; each gets exactly one reply, in order, at most MaxLine bytes long. A
// line that has no readable id is answered with "id":null and "bad-request".
// A reply may carry more fields than the schema names; nobody reads them.
//
//	start    role, network, seed?     node_id, address, version
//	stop     restart?                 {}, or like start when restart is true
//	connect  peer NODEID@HOST:PORT    {}
//	buy      peer NODEID, amount_sat  {}
//	invoice  amount_msat              bolt11, payment_hash
//	pay      bolt11                   preimage
//	leave    mode, factory_id?        {}
//	status                            peers, channels, factories
//
// A driver checks the parameters first and refuses bad ones with
// "bad-request". It runs one node at a time; start while one runs is "failed",
// so is every other command while none runs. start and stop answer when the
// node listens or its port is closed, connect when the BOLT 8 handshake is
// over, pay when the payment is settled or given up, invoice and status at
// once. buy and leave answer when the node has begun: what comes of it is seen
// on the wire and in status. When its input ends or on SIGTERM the driver
// stops its node, removes its data and exits.
//
// The package implements no part of SPEC.md and knows no Lightning: the BOLT 8
// probe that Doctor needs is injected.
package driver
