// Package storm has tests of a whole world: an LSP, clients, their disks and a chain
// that validates.
//
// One test draws from a seed what happens: payments, sales, messages, lost
// connections, ends of processes, disks that refuse, blocks, ways out. It runs on one
// goroutine, so that a seed tells the same story again, and checks after it what must
// never change. Another one lets something go wrong at every message and at every write
// of a change of a factory, over sockets.
package storm
