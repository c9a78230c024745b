// Package mutant proves that the suite can fail: reference nodes with one
// broken rule each, and the matrix of which case or vector notices which.
//
// A mutant is addressed by the requirement it breaks. It is killed when a case
// (or vector) that names that requirement fails and says what the mutant was
// made to do; a crash, a time-out or a failed control does not count, unless
// silence is exactly what the mutant was made for. A case that kills nothing is
// a case that cannot fail, and the matrix says so.
package mutant

import (
	"fmt"
	"slices"
	"strings"

	"superscalar/harness"
	"superscalar/refnode/peer"
	"superscalar/wire/rule"
)

// Mutant is one broken reference node.
type Mutant struct {
	ID     string  // the requirement, and a word if there are several: "PCF-021/twice"
	Rule   rule.ID // the requirement it breaks
	Breaks string  // what it does wrong, "does not answer a ping"
	// Rules are the checks it keeps; Tamper what else it does, per connection.
	Rules  rule.Set
	Tamper func() peer.Tamper
	// Want is what a failure has to say: part of its message or of what was
	// received.
	Want string
	// Vectors says that the rule, which a case decides, has vectors that have to
	// notice the mutant as well.
	Vectors bool
	// Total is why no case at all can pass against the mutant, so that the
	// five controls are not asked for. Empty for most.
	Total string
	// Bare says that the mutant is a node whose flow ends with accept_channel:
	// what it took could not become a channel, and its node would notice.
	Bare bool
}

// Target returns the mutant as a target.
func (m Mutant) Target() harness.Target {
	return harness.NewRefnode(harness.RefnodeOptions{Rules: m.Rules, Tamper: m.Tamper, NoChannels: m.Bare})
}

// Catalogue returns every mutant, sorted by requirement.
func Catalogue() []Mutant {
	var all []Mutant
	for _, m := range checks() {
		m.Rules = rule.Without(m.Rule)
		all = append(all, m)
	}
	all = append(all, altered()...)
	all = append(all, strict()...)
	all = append(all, parts()...)
	all = append(all, computed()...)
	all = append(all, ceremonies()...)
	all = append(all, exits()...)
	all = append(all, changes()...)
	all = append(all, channels()...)
	for i := range all {
		all[i].Bare = slices.Contains([]string{"PCF-072/no-channel-type", "PCF-072/push-msat", "PCF-098"}, all[i].ID)
	}
	return sorted(all)
}

// Find returns the mutants whose id is id, or whose requirement is.
func Find(id string) ([]Mutant, error) {
	var out []Mutant
	for _, m := range Catalogue() {
		if m.ID == id || string(m.Rule) == id {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no mutant %q; `superscalar mutants --list` shows them all", id)
	}
	return out, nil
}

// said reports whether a failure's text says what the mutant was made to do.
func (m Mutant) said(text string) bool { return strings.Contains(text, m.Want) }
