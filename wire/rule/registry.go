package rule

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

//go:generate go run superscalar spec --write ../..

//go:embed registry.json
var registryJSON []byte

// Level is the keyword of a requirement (RFC 2119).
type Level string

// The levels a requirement can have.
const (
	Must      Level = "MUST"
	MustNot   Level = "MUST NOT"
	Should    Level = "SHOULD"
	ShouldNot Level = "SHOULD NOT"
)

// Binding reports whether the level is MUST or MUST NOT.
func (l Level) Binding() bool { return l == Must || l == MustNot }

// Check is how conformance to a requirement is established.
type Check string

// The ways a requirement is checked; see section 1 of SPEC.md.
const (
	ByCase     Check = "case"
	ByVector   Check = "vector"
	Untestable Check = "untestable"
	Planned    Check = "planned"
)

// Requirement is one numbered rule of SPEC.md.
type Requirement struct {
	ID      ID     `json:"id"`
	Level   Level  `json:"level"`
	Who     string `json:"who"`     // "sender", "receiver" or "both"
	Section string `json:"section"` // number and title, "2.4 The `init` message"
	Text    string `json:"text"`    // the sentence
	Source  string `json:"source"`
	Check   Check  `json:"check"`
	// Detail is the observation that would be needed (untestable) or the step
	// in which the cases arrive (planned); empty otherwise.
	Detail string `json:"detail,omitempty"`
}

// Area returns the letters of the id, "PCF" for "PCF-012".
func (r Requirement) Area() string { return r.ID.Area() }

// Registry is every requirement of one version of SPEC.md, in the order of
// the text.
type Registry struct {
	SpecVersion  string        `json:"spec_version"`
	Requirements []Requirement `json:"requirements"`
}

// Lookup returns the requirement with the given id.
func (r Registry) Lookup(id ID) (Requirement, bool) {
	i := slices.IndexFunc(r.Requirements, func(q Requirement) bool { return q.ID == id })
	if i < 0 {
		return Requirement{}, false
	}
	return r.Requirements[i], true
}

// JSON returns the registry in the form it is shipped in.
func (r Registry) JSON() []byte {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("a registry of strings does not marshal: %v", err))
	}
	return append(b, '\n')
}

// Embedded returns the registry this program was built with.
var Embedded = sync.OnceValue(func() Registry {
	var r Registry
	if err := json.Unmarshal(registryJSON, &r); err != nil {
		panic(fmt.Sprintf("embedded registry.json: %v", err))
	}
	return r
})
