//go:build race

package storm

// raced says that the race detector slows everything down.
const raced = true
