// Package rule names the requirements of SPEC.md.
//
// It holds the registry (every requirement with its level, text, source and
// the way it is checked), generated from SPEC.md and embedded, a constant per
// id, and Set, by which a node knows which of its checks are switched on. It
// decides nothing: packages that enforce a requirement name its id where they
// enforce it, so that a failed check, a test case and a line of SPEC.md can
// always be brought together.
package rule

import "strings"

// ID is the id of a requirement: area and number, "PCF-012". Ids never move
// and are never reused.
type ID string

// Area returns the letters of an id, "PCF" for "PCF-012".
func (id ID) Area() string {
	area, _, _ := strings.Cut(string(id), "-")
	return area
}

// Set says which requirements a node keeps. The zero Set keeps all of them,
// and that is the only Set a node in use may have: the others exist to build
// mutants, reference nodes with one broken rule each, which prove that the
// suite can fail.
type Set struct {
	off map[ID]bool
}

// Without returns the Set that keeps every requirement but ids.
func Without(ids ...ID) Set {
	off := make(map[ID]bool, len(ids))
	for _, id := range ids {
		off[id] = true
	}
	return Set{off: off}
}

// On reports whether requirement id is kept.
func (s Set) On(id ID) bool { return !s.off[id] }

// Complete reports whether every requirement is kept.
func (s Set) Complete() bool { return len(s.off) == 0 }
