// Package storm has tests of a whole world: an LSP, clients, their disks and a chain
// that validates.
//
// One test draws from a seed what happens: payments, sales, wider updates and cut-through,
// messages, lost connections, ends of processes, disks that refuse, blocks,
// reorganisations. Then the factory ends on the chain in one of three ways: everybody
// leaves, one after the other; somebody turns thief, and plays old copies of its disk and
// every commitment that it ever had against the others; or nobody leaves before the factory
// expires, with its LSP or without. It runs on one goroutine, so that a seed tells the same
// story again, and checks after it what must never change. Another one lets something go
// wrong at every message and at every write of a change of a factory, over sockets.
package storm
