//go:build race

package hub_test

// raced says that the race detector slows everything down; nothing of these worlds
// runs at the same time.
const raced = true
